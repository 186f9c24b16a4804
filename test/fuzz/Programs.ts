/**
 * The programs of the stack under test: servers that accept, read, answer, close and give up, and a client that goes out by
 * itself. With honest neighbours they are an echo service; with all others they do what comes to mind.
 */
import type { Request } from "../../src/core/Request.ts"
import type { Options } from "../../src/core/tcp/Config.ts"
import type { Endpoint } from "../../src/core/tcp/Requests.ts"
import * as Time from "../../src/core/Time.ts"
import * as Address from "../../src/wire/Address.ts"
import type { Piece } from "../../src/wire/Piece.ts"
import { administer, settle } from "./administer.ts"
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import type { Random } from "./Random.ts"
import { rawProtocol, tcpPorts, udpPorts } from "./Scene.ts"
import { ask, met, type Subject } from "./Subject.ts"

/** Connections with strangers that are kept; the oldest goes first. */
const mostConnections = 400
const mostParked = 64
const chunk = new Uint8Array(256 * 1024).fill(0x61)

/** Every listener has its own ways, so that each part of TCP gets its share. */
const optionsOf: Readonly<Record<(typeof tcpPorts)[number], Options>> = {
  7: {},
  80: {
    keepAlive: true,
    keepAliveIdle: Time.seconds(20),
    keepAliveInterval: Time.seconds(5),
    ecn: "active",
    noDelay: true
  },
  443: {
    congestionControl: "newReno",
    userTimeout: Time.seconds(30),
    userTimeoutOption: true,
    userTimeoutChangeable: "yes",
    ecn: "accurate",
    ecnOption: "changes",
    linger: Time.seconds(3),
    sack: false
  },
  8443: {
    congestionControl: "bbr",
    pacing: true,
    timestamps: false,
    receiveBuffer: 8192,
    receiveBufferLimit: 8192,
    cork: true
  }
}

/** An honest neighbour's connection, and what it has said that is not yet said back. */
interface Echo {
  readonly connection: number
  readonly owed: Array<Piece>
  hasEnded: boolean
}

export class Programs {
  private readonly subject: Subject
  private readonly random: Random
  private listeners: ReadonlyArray<number> = []
  private sockets: ReadonlyArray<number> = []
  private connections: Array<number> = []
  private honest: Array<Echo> = []
  private raw = 0
  /** Requests that wait, some of which are abandoned. */
  private readonly parked: Array<{ readonly ticket: number; readonly request: Request }> = []
  accepted = 0

  constructor(subject: Subject, random: Random) {
    this.subject = subject
    this.random = random
  }

  start(): void {
    const { subject } = this
    this.listeners = tcpPorts.map((port) =>
      met(subject, {
        _tag: "TcpListen",
        local: undefined,
        version: undefined,
        port,
        backlog: 128,
        options: optionsOf[port],
        link: undefined
      }).listener
    )
    this.sockets = udpPorts.map((port) =>
      met(subject, { _tag: "UdpBind", local: undefined, version: undefined, port, link: undefined, options: {} }).socket
    )
    this.join()
    this.raw = met(subject, { _tag: "RawOpen", version: 4, protocol: rawProtocol, link: undefined }).socket
  }

  /** Belongs to groups of both versions, so that there is something to ask for. */
  private join(): void {
    const [socket] = this.sockets
    const common = { _tag: "UdpSetFilter", socket: socket!, link: 1 } as const
    const sources = [Ipv6Packets.of(Frames.peers[1]!.address)]
    met(this.subject, { ...common, group: Address.v4(239, 1, 2, 3), mode: "exclude", sources: [] })
    met(this.subject, { ...common, group: Ipv6Packets.group, mode: "include", sources })
  }

  /** A moment of all programs: what waits is accepted and served, and something random is done. */
  tick(): void {
    this.acceptAll()
    this.honest = this.honest.filter((echo) => this.echo(echo))
    for (let i = 0; i < 4; i++) this.disturb()
    for (const socket of this.sockets) this.answerDatagrams(socket)
    this.answerRaw()
    if (this.random.chance(0.05)) this.goOut()
    if (this.random.chance(0.02)) administer(this.subject, this.random)
    while (this.parked.length > mostParked) this.leave()
  }

  /** Reads all that has come, so that a probe finds the memory free. */
  drain(): void {
    for (const connection of this.connections) this.read(connection, Number.MAX_SAFE_INTEGER)
    this.tick()
  }

  /** Ends everything. */
  stop(): void {
    for (const connection of this.connections) this.ends(connection)
    for (const { connection } of this.honest) this.ends(connection)
    while (this.parked.length > 0) this.leave()
    for (const listener of this.listeners) ask(this.subject, { _tag: "TcpCloseListener", listener })
    for (const socket of this.sockets) ask(this.subject, { _tag: "UdpClose", socket })
    ask(this.subject, { _tag: "RawClose", socket: this.raw })
    settle(this.subject)
    this.connections = []
    this.honest = []
  }

  private ends(connection: number): void {
    // A close that lingers is answered later.
    this.park({ _tag: this.random.chance(0.5) ? "TcpClose" : "TcpAbort", connection })
  }

  private acceptAll(): void {
    for (const listener of this.listeners) {
      for (;;) {
        const answer = ask(this.subject, { _tag: "TcpAccept", listener, block: false })
        if (answer._tag === "Refused") break
        this.accepted += 1
        this.take(answer.value)
      }
    }
  }

  private take({ connection, remote }: Endpoint): void {
    if (Ipv6Packets.isHonest(remote)) {
      this.honest.push({ connection, owed: [], hasEnded: false })
      return
    }
    this.connections.push(connection)
    if (this.connections.length > mostConnections) this.ends(this.connections.shift()!)
  }

  /** Says back what has come; false once the far side has ended and has all of it. */
  private echo(echo: Echo): boolean {
    const { connection, owed } = echo
    while (!echo.hasEnded) {
      const answer = ask(this.subject, { _tag: "TcpRead", connection, max: 65_536, block: false })
      if (answer._tag === "Refused" && answer.reason._tag === "WouldBlock") break
      if (answer._tag === "Refused") return false
      owed.push(...answer.value.pieces)
      echo.hasEnded = answer.value.end
    }
    while (owed.length > 0) {
      const { bytes, end, start } = owed[0]!
      const answer = ask(this.subject, { _tag: "TcpWrite", connection, bytes, start, end, owned: false, block: false })
      if (answer._tag === "Refused") return answer.reason._tag === "WouldBlock"
      if (start + answer.value < end) owed[0] = { bytes, start: start + answer.value, end }
      else owed.shift()
    }
    if (echo.hasEnded) ask(this.subject, { _tag: "TcpClose", connection })
    return !echo.hasEnded
  }

  private read(connection: number, max: number): void {
    const answer = ask(this.subject, { _tag: "TcpRead", connection, max, block: false })
    const isGone = answer._tag === "Refused" ? answer.reason._tag !== "WouldBlock" : answer.value.end
    if (isGone && this.random.chance(0.5)) {
      this.park({ _tag: "TcpClose", connection })
      this.connections = this.connections.filter((other) => other !== connection)
    }
  }

  private park(request: Request): void {
    this.parked.push({ ticket: this.subject.ask(request), request })
  }

  /** Stops waiting for the oldest request. An answer that is there already goes back, as when its fiber has just been interrupted. */
  private leave(): void {
    const { request, ticket } = this.parked.shift()!
    const answer = this.subject.answer(ticket)
    if (answer === undefined) return this.subject.abandon(ticket)
    if (answer._tag === "Met") this.subject.tell({ _tag: "Returned", request, value: answer.value })
  }

  /** Something that a program might do to one of its connections. */
  private disturb(): void {
    const { connections, random, subject } = this
    if (connections.length === 0) return
    const connection = random.pick(connections)
    const write = (block: boolean) =>
      ({
        _tag: "TcpWrite",
        connection,
        bytes: chunk,
        start: 0,
        end: random.between(1, random.chance(0.3) ? chunk.length : 4000),
        owned: false,
        block
      }) as const
    random.weighted<() => void>([
      [10, () => this.read(connection, random.between(1, 100_000))],
      [6, () => void ask(subject, write(false))],
      [1, () => this.park(write(true))],
      [1, () => this.park({ _tag: "TcpRead", connection, max: 1000, block: true })],
      [1, () => this.park({ _tag: "TcpAccept", listener: random.pick(this.listeners), block: true })],
      [1, () => this.park({ _tag: "UdpReceive", socket: random.pick(this.sockets), max: 4, block: true })],
      [1, () => this.park({ _tag: "RawReceive", socket: this.raw, max: 4, block: true })],
      [
        1,
        () => void ask(subject, { _tag: "TcpSetOptions", connection, options: random.pick(Object.values(optionsOf)) })
      ],
      [
        1,
        () =>
          this.park({ _tag: "TcpAwait", connection, until: random.pick(["established", "drained", "closed"] as const) })
      ],
      [
        1,
        () =>
          void ask(subject, { _tag: "TcpShutdown", connection, read: random.chance(0.3), write: random.chance(0.7) })
      ],
      [1, () => void ask(subject, { _tag: "TcpGetInfo", connection })],
      [1, () => this.ends(connection)]
    ])()
  }

  private answerRaw(): void {
    const answer = ask(this.subject, { _tag: "RawReceive", socket: this.raw, max: 16, block: false })
    if (answer._tag === "Refused") return
    for (const { source: destination, bytes } of answer.value) {
      const packet = { bytes, hopLimit: undefined, trafficClass: 0, dontFragment: false, block: false } as const
      ask(this.subject, { _tag: "RawSend", socket: this.raw, destination, source: undefined, ...packet })
    }
  }

  private answerDatagrams(socket: number): void {
    const answer = ask(this.subject, { _tag: "UdpReceive", socket, max: 16, block: false })
    if (answer._tag === "Refused") return
    for (const { bytes, source, sourcePort } of answer.value) {
      ask(this.subject, { _tag: "UdpSend", socket, remote: source, remotePort: sourcePort, bytes, block: false })
    }
  }

  /** A connection, a datagram or a ping from inside to one of the peers. */
  private goOut(): void {
    const { random, subject } = this
    const peer = random.pick(Frames.peers).address
    const remote = random.chance(0.6) ? peer : Ipv6Packets.of(peer)
    const remotePort = random.between(1, 4000)
    const endpoint = { local: undefined, localPort: 0, link: undefined, options: {} }
    const connect = () => {
      const answer = ask(subject, { _tag: "TcpConnect", remote, remotePort, ...endpoint, block: false })
      if (answer._tag === "Met") this.take(answer.value)
    }
    const send = () => {
      const bytes = chunk.subarray(0, random.between(0, 9000))
      ask(subject, { _tag: "UdpSend", socket: this.sockets[0]!, remote, remotePort, bytes, block: false })
    }
    const ping = () =>
      this.park({
        _tag: "Ping",
        destination: remote,
        source: undefined,
        payload: chunk.subarray(0, random.below(3000)),
        hopLimit: undefined,
        dontFragment: false,
        timeout: Time.seconds(2),
        link: undefined
      })
    random.weighted([[2, connect], [1, send], [1, ping]])()
  }
}
