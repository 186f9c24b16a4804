/**
 * The programs of the stack under test: servers that accept, read, answer, close and give up, and a client that goes out by
 * itself. With honest neighbours they are an echo service; with all others they do what comes to mind.
 */
import type { Endpoint } from "../../src/core/tcp/Requests.ts"
import * as Time from "../../src/core/Time.ts"
import type { Piece } from "../../src/wire/Piece.ts"
import * as Frames from "./Frames.ts"
import type { Random } from "./Random.ts"
import { tcpPorts, udpPorts } from "./Scene.ts"
import { ask, met, type Subject } from "./Subject.ts"

/** Connections with strangers that are kept; the oldest goes first. */
const mostConnections = 400
const mostParked = 64
const chunk = new Uint8Array(16 * 1024).fill(0x61)

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
  /** Tickets of requests that wait, some of which are abandoned. */
  private readonly parked: Array<number> = []
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
        options: {},
        link: undefined
      }).listener
    )
    this.sockets = udpPorts.map((port) =>
      met(subject, { _tag: "UdpBind", local: undefined, version: undefined, port, link: undefined, options: {} }).socket
    )
  }

  /** A moment of all programs: what waits is accepted and served, and something random is done. */
  tick(): void {
    this.acceptAll()
    this.honest = this.honest.filter((echo) => this.echo(echo))
    for (let i = 0; i < 4; i++) this.disturb()
    for (const socket of this.sockets) this.answerDatagrams(socket)
    if (this.random.chance(0.05)) this.goOut()
    if (this.parked.length > mostParked) this.subject.abandon(this.parked.shift()!)
  }

  /** Reads all that has come, so that a probe finds the memory free. */
  drain(): void {
    for (const connection of this.connections) this.read(connection, Number.MAX_SAFE_INTEGER)
    this.tick()
  }

  /** Ends everything. */
  stop(): void {
    for (const ticket of this.parked.splice(0)) this.subject.abandon(ticket)
    for (const connection of this.connections) this.ends(connection)
    for (const { connection } of this.honest) this.ends(connection)
    for (const listener of this.listeners) ask(this.subject, { _tag: "TcpCloseListener", listener })
    for (const socket of this.sockets) ask(this.subject, { _tag: "UdpClose", socket })
    this.connections = []
    this.honest = []
  }

  private ends(connection: number): void {
    const _tag = this.random.chance(0.5) ? "TcpClose" : "TcpAbort"
    ask(this.subject, { _tag, connection })
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
    if (remote === Frames.honest.address) {
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
      ask(this.subject, { _tag: "TcpClose", connection })
      this.connections = this.connections.filter((other) => other !== connection)
    }
  }

  private park(request: Parameters<Subject["ask"]>[0]): void {
    this.parked.push(this.subject.ask(request))
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
        end: random.between(1, chunk.length),
        owned: false,
        block
      }) as const
    random.weighted<() => void>([
      [10, () => this.read(connection, random.between(1, 100_000))],
      [6, () => void ask(subject, write(false))],
      [1, () => this.park(write(true))],
      [1, () => this.park({ _tag: "TcpRead", connection, max: 1000, block: true })],
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
    const remote = random.pick(Frames.peers).address
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
