/**
 * What the system calls of a script do: each becomes requests of the host's core.
 *
 * A call is made at once and answers with a {@link Pending}, which is asked again whenever something has happened.
 */
import { connectionReset, type Reason } from "../../core/Reason.ts"
import type { Request } from "../../core/Request.ts"
import type { Config, Options } from "../../core/tcp/Config.ts"
import type { Info } from "../../core/tcp/Info.ts"
import * as Time from "../../core/Time.ts"
import type { Address } from "../../wire/Address.ts"
import type { Answered, Asked as Question } from "../../workers/Requests.ts"
import type { Host, Outcome } from "../Host.ts"
import {
  type Descriptor,
  failed,
  type Pending,
  type Returned,
  returned,
  type TcpSocket,
  Unsupported
} from "./Descriptor.ts"
import { errnoOf, freeBsdErrnoOf } from "./Errno.ts"

/** Where sockets of the script go to and come from when it writes `...`. */
export interface Ends {
  readonly local: Address
  readonly remote: Address
  readonly bindPort: number
  readonly connectPort: number
}

export class Kernel {
  readonly host: Host
  readonly ends: Ends
  readonly descriptors: Map<number, Descriptor> = new Map()
  /** Whose each connection is, or was when its program let it go. */
  private readonly owners: Map<number, TcpSocket> = new Map()
  /** What the settings so far give every new socket. */
  options: Options
  /** Which ends of a connection may use Fast Open, if their program asks for it (Linux: the client, if nothing is said). */
  fastOpen: Config["fastOpen"] = "client"
  /** The script has FreeBSD's ways in mind. */
  isFreeBsd = false
  /** How far from its time a stamp may be, in microseconds. */
  tolerance = 0
  /** The socket that was connected or accepted last, of which assertions speak. */
  current: TcpSocket | undefined
  /** When a call that blocks returns at the latest. */
  wakeAt: Time.Instant = Time.never
  /** Something that a call asks for is left out. */
  readonly leaveOut: (what: string) => void

  constructor(host: Host, ends: Ends, options: Options, leaveOut: (what: string) => void) {
    this.host = host
    this.ends = ends
    this.options = options
    this.leaveOut = leaveOut
  }

  socket(fd: number): TcpSocket {
    const descriptor = this.descriptors.get(fd)
    if (descriptor?._tag !== "Tcp") throw new Unsupported(`descriptor ${fd}, which is no TCP socket`)
    return descriptor
  }

  /** A TCP socket, or what a call on something else fails with. */
  socketOrError(fd: number): TcpSocket | string {
    const descriptor = this.descriptors.get(fd)
    if (descriptor === undefined) return "EBADF"
    return descriptor._tag === "Tcp" ? descriptor : "ENOTSOCK"
  }

  /** A time from now on at which a call that blocks looks again, whatever happens until then. */
  limit(span: Time.Span): Time.Instant {
    this.wakeAt = Time.plus(this.host.now, span)
    return this.wakeAt
  }

  /** Tries again whenever something has happened, as long as nothing is there and the time is not over. */
  tryFor(span: Time.Span, attempt: () => Pending): Pending {
    const end = this.limit(span)
    return () => {
      const result = attempt()()
      return result?.errno === "EAGAIN" && this.host.now < end ? undefined : result
    }
  }

  /** Puts something into the table under the number that the script expects, or the next free one. */
  install(descriptor: Descriptor, expected: number): number {
    let fd = Math.max(3, expected)
    while (this.descriptors.has(fd)) fd++
    this.descriptors.set(fd, descriptor)
    return fd
  }

  /** Makes a request, and says what its answer means to the caller. */
  ask<Tag extends Request["_tag"]>(
    request: Question<Tag>,
    done: (value: Answered<Tag>) => Returned,
    isWrite = false
  ): Pending {
    const asked = this.host.request(request)
    return () => settled(asked.outcome(), done, isWrite)
  }

  /** The info of a connection; `undefined` if there is none any more. */
  info({ connection }: TcpSocket): Info | undefined {
    if (connection === undefined) return undefined
    const outcome = this.host.request({ _tag: "TcpGetInfo", connection }).outcome()
    return outcome._tag === "Done" ? outcome.value : undefined
  }

  /** Why a socket's connection failed, unless the program has been told. */
  errorOf(socket: TcpSocket): Reason | undefined {
    if (socket.isErrorTold) return undefined
    const outcome = socket.connecting?.outcome()
    if (outcome?._tag === "Failed") return outcome.reason
    const entry = socket.connection === undefined ? undefined : this.host.state.tcp.entries.get(socket.connection)
    // What a router says of a connection that goes on is no failure.
    const reason = entry?._tag === "Connection" && entry.state === "CLOSED" ? entry.error : undefined
    if (reason === undefined && socket.isResetLate) return connectionReset
    return reason?._tag === "Closed" ? undefined : reason
  }

  /** What a router has said of a connection that goes on: of Linux's system calls only `SO_ERROR` tells it, once. */
  softErrorOf(socket: TcpSocket): Reason | undefined {
    const reason = this.untoldOf(socket)
    if (reason !== undefined) socket.softError = reason
    return reason
  }

  /** The same for a program that wants to hear of it by any call (`IP_RECVERR`). */
  heardErrorOf(socket: TcpSocket): Reason | undefined {
    return this.wantsErrors(socket) ? this.softErrorOf(socket) : undefined
  }

  /** Whether a call would tell of something that a router has said. */
  hasHeardError(socket: TcpSocket): boolean {
    return this.wantsErrors(socket) && this.untoldOf(socket) !== undefined
  }

  private wantsErrors({ stored }: TcpSocket): boolean {
    return Number(stored.get("IP_RECVERR") ?? stored.get("IPV6_RECVERR") ?? 0) !== 0
  }

  private untoldOf({ connection, softError }: TcpSocket): Reason | undefined {
    const entry = connection === undefined ? undefined : this.host.state.tcp.entries.get(connection)
    const reason = entry?._tag === "Connection" && entry.state !== "CLOSED" ? entry.error : undefined
    return this.isFreeBsd || reason === softError ? undefined : reason
  }

  /**
   * The name of an error of a socket. Linux says of a reset behind the peer's FIN that the pipe is broken, and of one behind its SYN that it is a reset, whoever opened.
   */
  errnoOf(socket: TcpSocket, reason: Reason, isWrite: boolean): string {
    const entry = socket.connection === undefined ? undefined : this.host.state.tcp.entries.get(socket.connection)
    const isBroken = reason._tag === "ConnectionReset" && entry?._tag === "Connection" && entry.rcv.ended &&
      !entry.snd.fin
    if (this.isFreeBsd) return freeBsdErrnoOf(reason) ?? errnoOf(reason, isWrite)
    const isLate = reason._tag === "ConnectionRefused" && entry?._tag === "Connection" && entry.rcv.segments > 0
    return isBroken ? "EPIPE" : errnoOf(isLate ? connectionReset : reason, isWrite)
  }

  /** Whether the peer's FIN was taken, which on Linux is what reads tell though an error may have come behind it. */
  isAtEnd({ connection }: TcpSocket): boolean {
    const entry = connection === undefined ? undefined : this.host.state.tcp.entries.get(connection)
    return !this.isFreeBsd && entry?._tag === "Connection" && entry.rcv.ended
  }

  /** Whether the program has shut its reading side. */
  isReadingShut({ connection }: TcpSocket): boolean {
    const entry = connection === undefined ? undefined : this.host.state.tcp.entries.get(connection)
    return entry?._tag === "Connection" && entry.rcv.isShut
  }

  /** Tells each socket's queue of errors how far its stream has come. */
  progress(now: number): void {
    for (const self of this.descriptors.values()) {
      const info = self._tag === "Tcp" && self.errors.isWaiting ? this.info(self) : undefined
      if (info === undefined || self._tag !== "Tcp") continue
      const acknowledged = info.state === "CLOSED" ? Infinity : info.bytesAcked
      self.errors.progress({ sent: info.bytesAcked + info.inFlight, acknowledged }, now)
    }
  }

  /** A reset comes in: which sockets it ends though both FINs were sent. */
  reset(deliver: () => void): void {
    const closing = [...this.descriptors.values()].filter((each): each is TcpSocket =>
      each._tag === "Tcp" && ["CLOSING", "LAST-ACK"].includes(this.info(each)?.state ?? "")
    )
    deliver()
    for (const each of closing) each.isResetLate = this.info(each)?.state === "CLOSED"
  }

  /** A connection is this socket's from now on. */
  adopt(socket: TcpSocket, connection: number): void {
    socket.connection = connection
    this.current = socket
    this.owners.set(connection, socket)
  }

  /** The sockets, closed ones too, whose connections still stand in the way of who binds to their port. */
  holdersOf(port: number): ReadonlyArray<TcpSocket> {
    const { entries } = this.host.state.tcp
    return [...this.owners].filter(([connection, owner]) => {
      const entry = entries.get(connection)
      const isGone = entry === undefined || (entry._tag === "Connection" && entry.state === "CLOSED")
      return owner.port === port && !isGone
    }).map(([, owner]) => owner)
  }

  /** Whether a connection knows its server's cookie, and waits for text to send its SYN with (RFC 7413 §4.2.2). */
  waitsForText(connection: number): boolean {
    const entry = this.host.state.tcp.entries.get(connection)
    return entry?._tag === "Connection" && entry.fastOpen === "waits"
  }
}

const settled = <A>(outcome: Outcome<A>, done: (value: A) => Returned, isWrite: boolean): Returned | undefined => {
  switch (outcome._tag) {
    case "Pending":
      return undefined
    case "Done":
      return done(outcome.value)
    case "Failed":
      return failed(errnoOf(outcome.reason, isWrite))
  }
}

/** A call that is over when it is made. */
export const immediate = (result: Returned): Pending => () => result

export const ok: Pending = immediate(returned(0))
