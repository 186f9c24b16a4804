/**
 * Two programs with a connection between them over a faulty network: they write, read, wait, give up waiting, close, shut down and abort at
 * random, and after each step what must hold is looked at.
 */
import * as Fifo from "../../../src/core/data/Fifo.ts"
import * as RangeSet from "../../../src/core/data/RangeSet.ts"
import type { Connection } from "../../../src/core/tcp/Connection.ts"
import * as Connections from "../../../src/core/tcp/Connection.ts"
import * as Scoreboard from "../../../src/core/tcp/Scoreboard.ts"
import * as SendQueue from "../../../src/core/tcp/SendQueue.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import type { Asked, Host } from "../../../src/testing/Host.ts"
import * as Sequence from "../../../src/wire/Sequence.ts"
import { Network, random } from "./Network.ts"
import { connectRequest, join, type Pair, pair } from "./Pair.ts"

const fail = (message: string): never => {
  throw new Error(message)
}

/** Byte number `i` of the stream in one direction. */
const byteAt = (direction: number, i: number): number => Math.imul(i + direction * 77_777, 0x9e3779b1) >>> 24

const stream = (direction: number, from: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => byteAt(direction, from + i))

/** One end: a program, what it has asked for, and how far it has come. */
class Actor {
  readonly host: Host
  readonly direction: number
  connection = 0
  written = 0
  received = 0
  isOver = false
  /** A write was given up half-way: nobody knows how far it came, so nothing is written after it. */
  isSilent = false
  isWriting = false
  readonly pending: Set<Asked<unknown>> = new Set()

  constructor(host: Host, direction: number) {
    this.host = host
    this.direction = direction
  }

  ask(request: Parameters<Host["request"]>[0]): Asked<unknown> {
    const asked = this.host.request(request) as Asked<unknown>
    this.pending.add(asked)
    return asked
  }

  write(length: number, owned: boolean, block: boolean): void {
    const bytes = stream(this.direction, this.written, length)
    const asked = this.ask({
      _tag: "TcpWrite",
      connection: this.connection,
      bytes,
      start: 0,
      end: length,
      owned,
      block
    })
    const outcome = asked.outcome()
    this.isWriting = block && outcome._tag === "Pending"
    // A blocking write counts whole at once: what of it is taken later comes in order all the same.
    if (block && outcome._tag === "Pending") this.written += length
    else if (outcome._tag === "Done") this.written += outcome.value as number
  }

  /** Takes what there is and compares it with what the other side writes. */
  take(max: number): void {
    const outcome = this.host.request({ _tag: "TcpRead", connection: this.connection, max, block: false }).outcome()
    if (outcome._tag !== "Done") return
    const bytes = join(outcome.value)
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== byteAt(1 - this.direction, this.received + i)) {
        fail(`byte ${this.received + i} of direction ${1 - this.direction} is wrong`)
      }
    }
    this.received += bytes.length
  }

  /** Is interrupted in all that it waits for. */
  giveUp(): void {
    this.settle()
    for (const asked of this.pending) this.host.abandon(asked)
    this.isSilent = this.isSilent || this.isWriting
    this.pending.clear()
  }

  /** Forgets what is answered. */
  settle(): void {
    for (const asked of this.pending) if (asked.outcome()._tag !== "Pending") this.pending.delete(asked)
  }
}

/** What must hold of a connection's record at any time (RFC 9293 §3.3.1). */
const check = (self: Connection): void => {
  const { board, buffer, queue, rcv, snd } = self
  if (Sequence.after(snd.una, snd.nxt)) fail("SND.UNA is behind SND.NXT")
  if (Connections.isSynchronized(self.state)) {
    if (self.state !== "TIME-WAIT" && board.una !== snd.una) {
      fail(`the scoreboard begins at ${board.una}, not at SND.UNA`)
    }
    if (board.nxt !== snd.nxt) fail("the scoreboard does not end at SND.NXT")
    if (Sequence.after(snd.nxt, Sequence.add(queue.end, 1))) fail("more was sent than was written")
  }
  if (Scoreboard.pipe(board) < 0 || Scoreboard.lostBytes(board) > Scoreboard.flightSize(board)) fail("pipe")
  if (Sequence.before(rcv.edge, rcv.nxt)) fail("RCV.NXT is beyond the window")
  if (Sequence.distance(buffer.nxt, rcv.nxt) !== (rcv.ended ? 1 : 0)) fail("RCV.NXT is not where the buffer ends")
  const last = RangeSet.last(buffer.ahead)
  if (last !== undefined && Sequence.after(last.end, rcv.edge)) fail("text beyond the window was kept")
  if (snd.credit < 0 || SendQueue.length(queue) < 0) fail("a count is below zero")
  if (Fifo.size(self.parked.readers) > 0 && Sequence.after(buffer.nxt, buffer.read)) {
    fail("a reader waits for what is there")
  }
}

const checkHost = (host: Host): void => {
  for (const entry of host.state.tcp.entries.values()) if (entry._tag === "Connection") check(entry)
  if (host.counter("defects") > 0) fail("a handler threw")
}

/** One thing that a program does. */
const act = (actor: Actor, draw: () => number): void => {
  if (actor.isOver) return
  const { connection } = actor
  const choice = draw()
  if (choice < 0.4) {
    if (!actor.isSilent) actor.write(1 + Math.floor(draw() ** 3 * 40_000), draw() < 0.3, draw() < 0.3)
  } else if (choice < 0.8) actor.take(1 + Math.floor(draw() * 50_000))
  else if (choice < 0.86) actor.ask({ _tag: "TcpAwait", connection, until: draw() < 0.5 ? "drained" : "closed" })
  else if (choice < 0.89) actor.giveUp()
  else if (choice < 0.9) actor.ask({ _tag: "TcpShutdown", connection, read: false, write: true })
  else if (choice < 0.905) actor.ask({ _tag: "TcpShutdown", connection, read: true, write: draw() < 0.5 })
  else if (choice < 0.92) {
    actor.ask({ _tag: "TcpSetOptions", connection, options: { noDelay: draw() < 0.5, cork: draw() < 0.2 } })
  } else if (choice < 0.925) {
    actor.isOver = true
    actor.ask({ _tag: draw() < 0.8 ? "TcpClose" : "TcpAbort", connection })
  }
}

/** What became of a run. */
export interface Result {
  readonly sent: number
  readonly received: number
}

const open = (hosts: Pair, network: Network, options: object, actors: readonly [Actor, Actor]): boolean => {
  const connecting = hosts.client.request(connectRequest(options))
  const accepting = hosts.server.request({ _tag: "TcpAccept", listener: hosts.listener, block: true })
  for (;;) {
    const [connected, accepted] = [connecting.outcome(), accepting.outcome()]
    if (connected._tag === "Failed") return false
    if (connected._tag === "Done" && accepted._tag === "Done") {
      actors[0].connection = connected.value.connection
      actors[1].connection = accepted.value.connection
      return true
    }
    if (!network.step(Time.plus(network.now, seconds(1000)))) return false
  }
}

/** Both programs let go, and time passes until nothing can be left. */
const finish = (hosts: Pair, network: Network, actors: readonly [Actor, Actor]): void => {
  for (const actor of actors) {
    if (!actor.isOver) actor.ask({ _tag: "TcpClose", connection: actor.connection })
  }
  hosts.server.call({ _tag: "TcpCloseListener", listener: hosts.listener })
  network.advance(seconds(4000))
  for (const actor of actors) {
    actor.settle()
    if (actor.pending.size > 0) fail(`${actor.pending.size} requests were never answered`)
    checkHost(actor.host)
    if (actor.host.memory() !== 0) fail(`${actor.host.memory()} bytes of memory are still charged`)
    const { tcp } = actor.host.state
    if (tcp.entries.size + tcp.demux.size + actor.host.state.tickets.size > 0) fail("records are left")
    if (tcp.connections.value + tcp.halfOpen.value + tcp.timeWaits.value !== 0) fail("the gauges are not at zero")
  }
}

/** A run by seed. `faults` is the highest chance of each fault. */
export const run = (seed: number, faults: number): Result => {
  const draw = random(seed)
  const chance = (): number => draw() * faults
  const hosts = pair({ options: draw() < 0.3 ? { sack: false } : {} })
  const network = new Network([hosts.client, hosts.server], {
    loss: chance(),
    duplication: chance(),
    reordering: chance(),
    corruption: chance() / 2,
    delay: millis(1 + draw() * 100)
  }, seed)
  const actors = [new Actor(hosts.client, 0), new Actor(hosts.server, 1)] as const
  const options = {
    synRetries: 12,
    timestamps: draw() < 0.7,
    rack: draw() < 0.7,
    frto: draw() < 0.7,
    pacing: draw() < 0.2
  }
  if (open(hosts, network, options, actors)) {
    const actions = 20 + Math.floor(draw() * 100)
    for (let i = 0; i < actions; i++) {
      act(actors[draw() < 0.5 ? 0 : 1], draw)
      for (let steps = Math.floor(draw() * 20); steps > 0; steps--) {
        if (!network.step(Time.plus(network.now, seconds(60)))) break
      }
      for (const actor of actors) checkHost(actor.host)
    }
    finish(hosts, network, actors)
  }
  const [client, server] = actors
  if (server.received > client.written || client.received > server.written) fail("more was read than was written")
  return { sent: client.written + server.written, received: client.received + server.received }
}
