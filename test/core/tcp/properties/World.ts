/**
 * Two stacks on a faulty network, a listener on one of them, and programs on both that open connections, write, read, wait, give up waiting,
 * half-close, close and abort at random; the network, too, changes its mind. After each event what must hold is looked at.
 */
import type { Endpoint } from "../../../../src/core/tcp/Requests.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as Host from "../../../../src/testing/Host.ts"
import * as Address from "../../../../src/wire/Address.ts"
import * as Seeded from "../../Seeded.ts"
import { Network } from "../Network.ts"
import { Actor } from "./Actor.ts"
import * as Invariants from "./Invariants.ts"
import * as Setting from "./Setting.ts"

const addresses = {
  4: [Address.v4(10, 0, 0, 1), Address.v4(10, 0, 0, 2)],
  6: [Address.v6(0xfd00_0000, 0, 0, 1), Address.v6(0xfd00_0000, 0, 0, 2)]
} as const

const prefixLengths = { 4: 24, 6: 64 } as const

const serverPort = 80
/** Few, so that a port is used again while the network still has something for it. */
const clientPorts = [20_001, 20_002, 20_003, 20_004]
/** Both sides open actively between these (RFC 9293 §3.5, figure 7). */
const crossedPorts = [30_001, 30_002] as const

/** How long the network goes on as it was when the programs have let go. */
const afterClose = Time.seconds(1000)
/** Longer than anything may take once nothing goes wrong any more: fifteen retransmissions, two minutes apart, on top of all else. */
const afterAll = Time.seconds(4000)

/** An active open whose answer is still to come. */
interface Opening {
  readonly asked: Host.Asked<Endpoint>
  readonly host: Host.Host
  /** The ends that read and write with it, in the order in which they came. */
  readonly conversation: Conversation
  readonly side: 0 | 1
}

/** What was said between two ends: on each side one, or more when a SYN with text or a cookie came twice. */
type Conversation = readonly [Array<Actor>, Array<Actor>]

export interface Result {
  readonly connections: number
  readonly sent: number
  readonly received: number
  /** Ends that have read the other's stream to its end. */
  readonly ended: number
}

export class World {
  readonly setting: Setting.Setting
  readonly hosts: readonly [Host.Host, Host.Host]
  private readonly random: Seeded.Seeded
  private readonly network: Network
  private readonly listener: number
  private accepting: Host.Asked<Endpoint> | undefined
  private openings: Array<Opening> = []
  private readonly actors: Array<Actor> = []
  /** By the initial sequence number of the side that opened, which both sides know. */
  private readonly conversations: Map<number, Conversation> = new Map()
  /**
   * Connections of the listener that an ACK with a SYN cookie has made a second time (RFC 4987 §3.6: the listener remembers nothing, not even that the
   * first one was aborted). The peer knows only the first.
   */
  private readonly twins: Set<number> = new Set()
  private streams = 0
  private opened = 0
  private isClosing = false

  constructor(seed: number) {
    this.random = Seeded.make(seed)
    this.setting = Setting.make(this.random)
    const { faults, hosts, largestFrame, options, version } = this.setting
    const [client, server] = hosts.map((host, i) => hostOf(host, version, i)) as [Host.Host, Host.Host]
    this.hosts = [client, server]
    this.network = new Network(this.hosts, faults, seed)
    this.network.passes = (frame) => frame.length <= largestFrame
    this.listener = server.call({
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port: serverPort,
      backlog: this.setting.backlog,
      options: options[1],
      link: undefined
    }).listener
    introduce(client, server, version)
  }

  /** Sees each frame that a host sends or gets. */
  set witness(witness: Network["witness"]) {
    this.network.witness = witness
  }

  /** Everything from the first open to the end of all. Throws what is wrong. */
  run(): Result {
    this.open()
    for (let i = 0; i < this.setting.actions; i++) {
      this.act()
      this.look()
      for (let steps = this.random.below(16); steps > 0; steps--) {
        if (!this.network.step(Time.plus(this.network.now, Time.seconds(60)))) break
        this.look()
      }
    }
    this.finish()
    return this.result()
  }

  private act(): void {
    const { random } = this
    const choice = random.below(100)
    if (choice < 4) this.open()
    else if (choice < 6) this.disturb()
    else if (this.actors.length > 0) this.play(random.pick(this.actors))
  }

  /** One thing that a program does. */
  private play(actor: Actor): void {
    const { random } = this
    if (actor.isOver) return
    const choice = random.below(1000)
    if (choice < 350) this.write(actor)
    else if (choice < 800) actor.read(1 + random.below(50_000), random.chance(0.3))
    else if (choice < 840) actor.wait(random.pick(["drained", "closed", "established"]))
    else if (choice < 870) actor.giveUp()
    else if (choice < 890) actor.shutdown(false, true)
    else if (choice < 900) actor.shutdown(true, random.chance(0.5))
    else if (choice < 930) {
      actor.choose({ noDelay: random.chance(0.5), cork: random.chance(0.2), keepAlive: random.chance(0.2) })
    } else if (choice < 950) actor.look()
    else if (choice < 970) actor.letGo("TcpClose")
    else if (choice < 975) actor.letGo("TcpAbort")
  }

  /** Mostly a few bytes, sometimes more than fit. */
  private write(actor: Actor): void {
    const { random, setting: { largestWrites } } = this
    const length = 1 +
      Math.floor((random.below(1000) / 1000) ** 3 * largestWrites[this.hosts[0] === actor.host ? 0 : 1])
    actor.write(length, random.chance(0.3), random.chance(0.3))
  }

  /** One thing that happens to the network or the links. */
  private disturb(): void {
    const { network, random, setting: { faults } } = this
    const isDead = random.chance(0.3)
    network.faults = isDead ? [{ ...faults[0], loss: 1 }, faults[1]] : faults
    const host = random.pick(this.hosts)
    if (random.chance(0.3)) host.stall(1)
    else for (const each of this.hosts) each.resume(1)
  }

  /** One more connection: from the client to the listener, or from both sides to each other. */
  private open(): void {
    if (this.opened >= this.setting.connections) return
    this.opened += 1
    const [client, server] = addresses[this.setting.version]
    const conversation: Conversation = [[], []]
    if (this.random.chance(0.05)) {
      this.connect(0, conversation, server, crossedPorts[0], crossedPorts[1])
      this.connect(1, conversation, client, crossedPorts[1], crossedPorts[0])
    } else this.connect(0, conversation, server, this.random.pick(clientPorts), serverPort)
  }

  private connect(
    side: 0 | 1,
    conversation: Conversation,
    remote: Address.Address,
    localPort: number,
    remotePort: number
  ): void {
    const host = this.hosts[side]
    const block = this.random.chance(0.8)
    const asked = host.request({
      _tag: "TcpConnect",
      remote,
      remotePort,
      local: undefined,
      localPort,
      link: undefined,
      options: this.setting.options[side],
      block
    })
    if (asked.outcome()._tag === "Failed") return
    const iss = issOf(host, localPort)
    if (iss !== undefined) this.conversations.set(iss, conversation)
    this.openings.push({ asked, host, conversation, side })
    // A program that is interrupted while it waits for the handshake; where both sides open, the other end could then meet a later opening by the same ports.
    if (this.random.chance(0.03) && localPort !== crossedPorts[side]) host.abandon(asked)
  }

  /** What was opened and accepted since is played from now on. */
  private meet(): void {
    this.openings = this.openings.filter(({ asked, conversation, side }) => {
      const outcome = asked.outcome()
      if (outcome._tag === "Done") this.join(outcome.value.connection, conversation, side)
      return outcome._tag === "Pending"
    })
    if (this.isClosing) return
    this.accepting ??= this.hosts[1].request({ _tag: "TcpAccept", listener: this.listener, block: true })
    const accepted = this.accepting.outcome()
    if (accepted._tag === "Pending") return
    this.accepting = undefined
    if (accepted._tag !== "Done") return
    const { connection } = accepted.value
    const conversation = this.conversations.get(
      irsOf(this.hosts[1], connection) ?? Invariants.fail("a SYN from nobody")
    )
    this.join(connection, conversation ?? Invariants.fail("a connection that nobody has opened"), 1)
  }

  private join(connection: number, conversation: Conversation, side: 0 | 1): void {
    const [own, others] = side === 0 ? conversation : [conversation[1], conversation[0]]
    const actor = new Actor(this.hosts[side], connection, own[0]?.stream ?? this.streams++)
    if (own.length > 0) this.twins.add(connection)
    own.push(actor)
    actor.sources.push(...others)
    for (const other of others) other.sources.push(actor)
    this.actors.push(actor)
  }

  private look(): void {
    this.meet()
    for (const actor of this.actors) actor.settle()
    for (const host of this.hosts) Invariants.checkHost(host)
    Invariants.checkEnds(...this.hosts, this.twins)
  }

  /** All programs let go, and time passes until nothing can be left. */
  private finish(): void {
    this.isClosing = true
    for (const { asked, host } of this.openings) host.abandon(asked)
    this.hosts[1].call({ _tag: "TcpCloseListener", listener: this.listener })
    for (const host of this.hosts) host.resume(1)
    if (this.random.chance(0.4)) this.drain()
    for (const actor of this.actors) actor.letGo("TcpClose")
    this.network.advance(afterClose, () => this.look())
    this.network.faults = Setting.faultless
    this.network.advance(afterAll, () => this.look())
    for (const actor of this.actors) {
      if (actor.pending > 0) Invariants.fail(`${actor.pending} requests were never answered`)
    }
    for (const host of this.hosts) Invariants.checkEmpty(host)
  }

  /** Both sides end their streams and read the other's to its end, as well-behaved programs do. */
  private drain(): void {
    for (const actor of this.actors) if (!actor.isOver) actor.shutdown(false, true)
    this.network.advance(afterClose, () => {
      this.look()
      for (const actor of this.actors) {
        if (!actor.isOver && !actor.hasEnded && actor.pending < 2) actor.read(50_000, true)
      }
    })
  }

  private result(): Result {
    const sum = (of: (actor: Actor) => number): number => this.actors.reduce((all, actor) => all + of(actor), 0)
    return {
      connections: this.actors.length,
      sent: sum(({ written }) => written),
      received: sum(({ received }) => received),
      ended: sum(({ hasEnded }) => hasEnded ? 1 : 0)
    }
  }
}

const hostOf = (options: Host.Options, version: Address.Version, i: number): Host.Host => {
  const [first] = options.interfaces ?? []
  return Host.make({
    ...options,
    interfaces: [{ ...first, mac: macs[i]!, addresses: [[addresses[version][i]!, prefixLengths[version]]] }]
  })
}

const macs = [0x0200_0000_0101, 0x0200_0000_0201]

/** Each knows the other's MAC address, so that the network has only segments to lose. */
const introduce = (client: Host.Host, server: Host.Host, version: Address.Version): void => {
  const [one, other] = addresses[version]
  client.call({ _tag: "SetNeighbor", link: 1, address: other, mac: macs[1]! })
  server.call({ _tag: "SetNeighbor", link: 1, address: one, mac: macs[0]! })
}

/** The initial sequence number with which a port was opened just now. */
const issOf = (host: Host.Host, localPort: number): number | undefined => {
  let iss: number | undefined
  for (const entry of host.state.tcp.entries.values()) {
    if (entry._tag === "Connection" && entry.tuple.localPort === localPort) iss = entry.snd.iss
  }
  return iss
}

/** The peer's initial sequence number. */
const irsOf = (host: Host.Host, connection: number): number | undefined => {
  const entry = host.state.tcp.entries.get(connection)
  return entry?._tag === "Connection" ? entry.rcv.irs : undefined
}

/** A run by seed. */
export const run = (seed: number): Result => new World(seed).run()
