/**
 * What must hold of two stacks that talk to each other, at any time: of each record by itself (RFC 9293 §3.3.1), of the two ends of a
 * connection together, and of the memory that a stack holds.
 *
 *     sender      SND.UNA ────────────── SND.NXT ───────────┤ queue.end
 *                    ≤           ≥          ≤
 *     receiver    RCV.NXT ──────╯        edge + 1
 */
import * as Fifo from "../../../../src/core/data/Fifo.ts"
import * as RangeSet from "../../../../src/core/data/RangeSet.ts"
import { pools } from "../../../../src/core/State.ts"
import type { Connection } from "../../../../src/core/tcp/Connection.ts"
import * as Connections from "../../../../src/core/tcp/Connection.ts"
import * as Control from "../../../../src/core/tcp/Control.ts"
import * as ReceiveBuffer from "../../../../src/core/tcp/ReceiveBuffer.ts"
import * as Scoreboard from "../../../../src/core/tcp/Scoreboard.ts"
import * as SendQueue from "../../../../src/core/tcp/SendQueue.ts"
import type { Entry } from "../../../../src/core/tcp/State.ts"
import * as Time from "../../../../src/core/Time.ts"
import type { Host } from "../../../../src/testing/Host.ts"
import * as Sequence from "../../../../src/wire/Sequence.ts"

/** Something that must not be. */
export class Broken extends Error {}

export const fail = (message: string): never => {
  throw new Broken(message)
}

/** Memory comes in blocks, of which the first and the last may be used in part, and a write of an owned chunk holds all of it. */
const blocks = 3 * 64 * 1024

const checkSender = ({ board, control, queue, rtt, snd, state }: Connection): void => {
  if (Sequence.after(snd.una, snd.nxt)) fail("SND.UNA is behind SND.NXT")
  if (board.una !== snd.una && state !== "TIME-WAIT") fail(`the scoreboard begins at ${board.una}, not at SND.UNA`)
  if (board.nxt !== snd.nxt) fail("the scoreboard does not end at SND.NXT")
  if (Sequence.after(snd.nxt, Sequence.add(queue.end, snd.fin ? 1 : 0))) fail("more was sent than was written")
  const pipe = Scoreboard.pipe(board)
  if (pipe < 0 || Scoreboard.lostBytes(board) > Scoreboard.flightSize(board)) fail(`a pipe of ${pipe}`)
  if (snd.credit < 0 || SendQueue.length(queue) < 0) fail("a count is below zero")
  const window = Control.window(control)
  if (!(window >= 1 && window < Infinity)) fail(`a congestion window of ${window}`)
  if (!(rtt.rto >= Time.zero && rtt.rto < Infinity)) fail(`an RTO of ${rtt.rto}`)
}

const checkReceiver = ({ buffer, parked, rcv }: Connection): void => {
  if (Sequence.before(rcv.edge, rcv.nxt)) fail("RCV.NXT is beyond the window")
  if (Sequence.distance(buffer.nxt, rcv.nxt) !== (rcv.ended ? 1 : 0)) fail("RCV.NXT is not where the buffer ends")
  const last = RangeSet.last(buffer.ahead)
  if (last !== undefined && Sequence.after(last.end, rcv.edge)) fail("text beyond the window was kept")
  if (Fifo.size(parked.readers) > 0 && Sequence.after(buffer.nxt, buffer.read)) fail("a reader waits for what is there")
}

/** The named bounds of one connection's memory. */
const checkMemory = ({ buffer, config, queue, rcv }: Connection): void => {
  const receive = Math.max(rcv.size, config.receiveBuffer, config.receiveBufferLimit)
  if (ReceiveBuffer.ready(buffer) > receive + blocks || buffer.held > 2 * receive + blocks) {
    fail(`${buffer.held} bytes received are held, and the buffer may have ${receive}`)
  }
  const send = Math.max(config.sendBuffer, config.sendBufferLimit)
  if (SendQueue.length(queue) > send || queue.held > 2 * send + blocks) {
    fail(`${queue.held} bytes to be sent are held, and the buffer may have ${send}`)
  }
}

const checkConnection = (self: Connection): void => {
  if (Connections.isSynchronized(self.state)) checkSender(self)
  checkReceiver(self)
  checkMemory(self)
}

const connectionsOf = (host: Host): ReadonlyArray<Connection> => {
  const found: Array<Connection> = []
  for (const entry of host.state.tcp.entries.values()) if (entry._tag === "Connection") found.push(entry)
  return found
}

/** What the records hold is what the stack's account says, to the byte. */
const checkAccount = (host: Host, connections: ReadonlyArray<Connection>): void => {
  let [send, receive] = [0, 0]
  for (const { buffer, queue } of connections) {
    send += queue.held
    receive += buffer.held
  }
  if (host.memory("tcpSend") !== send) fail(`${host.memory("tcpSend")} bytes are charged for ${send} to be sent`)
  if (host.memory("tcpReceive") !== receive) {
    fail(`${host.memory("tcpReceive")} bytes are charged for ${receive} received`)
  }
  if (host.memory() > host.state.config.limits.memoryBytes) fail(`${host.memory()} bytes exceed the stack's budget`)
}

const sizeOf = (host: Host, tag: Entry["_tag"]): number => {
  let count = 0
  for (const entry of host.state.tcp.entries.values()) if (entry._tag === tag) count++
  return count
}

/** The gauges tell what is in the table, and none is above its limit. */
const checkTables = (host: Host): void => {
  const { config: { limits }, tcp, tickets } = host.state
  const gauges = [
    ["Connection", tcp.connections.value, limits.tcpConnections],
    ["HalfOpen", tcp.halfOpen.value, limits.tcpHalfOpen],
    ["TimeWait", tcp.timeWaits.value, limits.tcpTimeWait]
  ] as const
  for (const [tag, value, limit] of gauges) {
    if (sizeOf(host, tag) !== value) fail(`the gauge of ${tag} is at ${value}, the table has ${sizeOf(host, tag)}`)
    if (value > limit) fail(`${value} ${tag} records, and the limit is ${limit}`)
  }
  if (tickets.size > limits.parkedRequests) fail(`${tickets.size} requests wait`)
}

/** One host by itself. */
export const checkHost = (host: Host): void => {
  if (host.counter("defects") > 0) fail("a handler threw")
  const connections = connectionsOf(host)
  connections.forEach(checkConnection)
  checkAccount(host, connections)
  checkTables(host)
}

/** The sender knows no more of the receiver than is true, and sends no more than it was offered. */
const checkDirection = (sender: Connection, receiver: Connection): void => {
  const { snd } = sender
  const { rcv } = receiver
  if (Sequence.after(snd.una, rcv.nxt)) fail("what has not arrived is taken for acknowledged")
  if (Sequence.after(rcv.nxt, snd.nxt)) fail("what was never sent has arrived")
  // A FIN may stand behind the window's edge, and a probe of a closed window takes one byte (RFC 9293 §3.8.6.1).
  if (Sequence.after(snd.nxt, Sequence.add(rcv.edge, 1))) fail("more was sent than the window holds")
}

const isPeer = (one: Connection, other: Connection): boolean =>
  one.tuple.localPort === other.tuple.remotePort && one.tuple.remotePort === other.tuple.localPort &&
  one.snd.iss === other.rcv.irs && other.snd.iss === one.rcv.irs

/** Both ends of each connection; `except` are ids on the other host that nobody here has opened. */
export const checkEnds = (one: Host, other: Host, except: ReadonlySet<number>): void => {
  const others = connectionsOf(other).filter(({ id }) => !except.has(id))
  for (const here of connectionsOf(one)) {
    const there = others.find((candidate) => isPeer(here, candidate))
    if (there === undefined || !isOpen(here) || !isOpen(there)) continue
    checkDirection(here, there)
    checkDirection(there, here)
  }
}

const isOpen = ({ state }: Connection): boolean => Connections.isSynchronized(state) && state !== "TIME-WAIT"

/** Everything has ended: nothing is charged, nobody waits, no record is left. */
export const checkEmpty = (host: Host): void => {
  checkHost(host)
  const { tcp, tickets } = host.state
  for (const pool of pools) if (host.memory(pool) !== 0) fail(`${host.memory(pool)} bytes of ${pool} are still charged`)
  if (tcp.entries.size + tcp.demux.size + tickets.size > 0) fail("records are left")
  if (tcp.listeners.size + tcp.listening.size + tcp.fastOpens.value > 0) fail("listeners are left")
}
