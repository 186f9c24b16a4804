/**
 * A bound UDP socket, as a program holds it (RFC 768, RFC 8085). Each method is one request to the stack.
 *
 * Datagrams that nobody has received wait in a queue with a bound in bytes (`datagramReceiveBytes`); what finds it full is
 * dropped and counted. The scope that bound the socket closes it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Reason from "../core/Reason.ts"
import type { AnswerOf, Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import type { Stack } from "../workers/Stack.ts"
import * as Destination from "./Destination.ts"
import * as Endpoint from "./Endpoint.ts"
import * as UdpError from "./UdpError.ts"

type CoreDatagram = AnswerOf<Extract<Request, { readonly _tag: "UdpReceive" }>>[number]
type Bound = AnswerOf<Extract<Request, { readonly _tag: "UdpBind" }>>
type Message = Extract<Request, { readonly _tag: "UdpSendMany" }>["messages"][number]
type CoreAddress = NonNullable<Extract<Request, { readonly _tag: "UdpSend" }>["source"]>
type Info = AnswerOf<Extract<Request, { readonly _tag: "UdpGetInfo" }>>

/** What a program may set per socket; see `core/udp/Requests.ts`. */
export type UdpOptions = Extract<Request, { readonly _tag: "UdpBind" }>["options"]

/** A received datagram. */
export interface Datagram {
  /** The payload; it belongs to the reader. */
  readonly bytes: Uint8Array
  readonly source: NetAddress.InetAddress
  /** The address it was sent to: one of the stack's, a broadcast or a group address. */
  readonly destination: NetAddress.IpAddress
  /** The number of the interface that it came in by. */
  readonly link: number
  readonly hopLimit: number
  /** DSCP and ECN, as in the IP header. */
  readonly trafficClass: number
}

export interface SendOptions {
  /** One of the stack's addresses to send from; the bound one, or the best one, if absent. */
  readonly source?: NetAddress.IpAddressInput
}

/** A datagram to send with others; see {@link UdpSocket.send}. */
export interface Outgoing extends SendOptions {
  readonly bytes: Uint8Array
  readonly to?: Destination.Input
}

/** Which interface, and which sources of a group; any source if neither list is given. */
export interface JoinOptions {
  /** The number of the interface; the socket's, that of a route to the group, or the only one, if absent. */
  readonly link?: number
  /** Only from these (RFC 4607). */
  readonly from?: ReadonlyArray<NetAddress.IpAddressInput>
  /** From all but these. */
  readonly except?: ReadonlyArray<NetAddress.IpAddressInput>
}

/** A group that a socket listens to. */
export interface Membership {
  readonly group: NetAddress.IpAddress
  readonly link: number
  /** `include`: from the sources alone; `exclude`: from all others. */
  readonly mode: "include" | "exclude"
  readonly sources: ReadonlyArray<NetAddress.IpAddress>
}

/** A socket's state, for inspection; lengths in bytes. */
export interface UdpInfo extends Pick<Info, "datagramsWaiting" | "bytesWaiting" | "datagramsDropped" | "bytesUnsent"> {
  readonly options: Info["options"]
  readonly memberships: ReadonlyArray<Membership>
  /** The far side of a connected socket. */
  readonly remote: NetAddress.InetAddress | undefined
}

export interface UdpSocket {
  /** Names the socket in its stack. */
  readonly id: number
  /** What it is bound to; the unspecified address when it takes datagrams to any. */
  readonly address: NetAddress.InetAddress
  /**
   * Sends one datagram; without `to`, to the connected far side. Waits while the link's queue has no room for more of this
   * socket. The bytes are copied. Up to 65,507 of them go over IPv4, in fragments if they must.
   */
  readonly send: (
    bytes: Uint8Array,
    to?: Destination.Input,
    options?: SendOptions
  ) => Effect.Effect<void, UdpError.UdpError>
  /**
   * {@link send} for many datagrams in one request, in their order. The first that is refused ends it: the number is of those before it, and sending the rest
   * tells why. Fails if it is the very first. Those to the same destination and of the same length go to the kernel as one where the link cuts them apart.
   */
  readonly sendMany: (datagrams: ReadonlyArray<Outgoing>) => Effect.Effect<number, UdpError.UdpError>
  /** {@link send} without waiting; false when there is no room. */
  readonly trySend: (
    bytes: Uint8Array,
    to?: Destination.Input,
    options?: SendOptions
  ) => Effect.Effect<boolean, UdpError.UdpError>
  /** Waits for a datagram. */
  readonly receive: Effect.Effect<Datagram, UdpError.UdpError>
  /** Waits for a datagram and takes what else is there, at most `max` in all. */
  readonly receiveMany: (max: number) => Effect.Effect<ReadonlyArray<Datagram>, UdpError.UdpError>
  /** {@link receive} without waiting; nothing when no datagram is there. */
  readonly tryReceive: Effect.Effect<Option.Option<Datagram>, UdpError.UdpError>
  /** Fixes the far side: other senders are not heard any more, and ICMP errors fail calls. */
  readonly connect: (to: Destination.Input) => Effect.Effect<void, UdpError.UdpError>
  readonly disconnect: Effect.Effect<void, UdpError.UdpError>
  /**
   * Listens to a multicast group on an interface; the routers of its link hear of it (IGMPv3, MLDv2). Joining again changes the sources. The group is left with
   * {@link leave}, or with the socket. Fails with `LimitReached` beyond the bounds `multicastGroups` and `multicastSources`.
   */
  readonly join: (group: NetAddress.IpAddressInput, options?: JoinOptions) => Effect.Effect<void, UdpError.UdpError>
  readonly leave: (
    group: NetAddress.IpAddressInput,
    options?: Pick<JoinOptions, "link">
  ) => Effect.Effect<void, UdpError.UdpError>
  readonly setOptions: (options: UdpOptions) => Effect.Effect<void, UdpError.UdpError>
  readonly info: Effect.Effect<UdpInfo, UdpError.UdpError>
  /** Datagrams as they come. */
  readonly stream: Stream.Stream<Datagram, UdpError.UdpError>
  /** Closes the socket before its scope does; what waits in a call fails with `Closed`. */
  readonly close: Effect.Effect<void>
}

/** Datagrams that a stream takes at once. */
const streamBatch = 64

const datagramOf = (datagram: CoreDatagram): Datagram => ({
  bytes: datagram.bytes,
  source: Edge.inetOf(datagram.source, datagram.sourcePort),
  destination: Edge.ipOf(datagram.destination),
  link: datagram.link,
  hopLimit: datagram.hopLimit,
  trafficClass: datagram.trafficClass
})

const membershipOf = ({ filter: { mode, sources }, group, link }: Info["memberships"][number]): Membership => ({
  group: Edge.ipOf(group),
  link,
  mode,
  sources: sources.map(Edge.ipOf)
})

const messageOf = (
  bytes: Uint8Array,
  remote: Destination.Destination | undefined,
  source: CoreAddress | undefined
): Message => ({ remote: remote?.address, remotePort: remote?.port ?? 0, link: remote?.link, bytes, source })

const isWouldBlock = (error: UdpError.UdpError): boolean => error.reason._tag === "WouldBlock"

class Socket implements UdpSocket {
  readonly id: number
  readonly address: NetAddress.InetAddress
  private readonly stack: Stack
  private readonly scope: Scope.Closeable
  /** The far side that it is connected to, for errors to name. */
  private peer: Endpoint.Endpoint | undefined

  constructor(stack: Stack, bound: Bound, version: 4 | 6, scope: Scope.Closeable) {
    const { local, port, socket } = bound
    this.id = socket
    this.address = local === undefined ? Edge.anyOf(version, port) : Edge.inetOf(local, port)
    this.stack = stack
    this.scope = scope
  }

  /** Where a datagram goes, or where one would come from. */
  private place(message?: Pick<Message, "remote" | "remotePort">): Endpoint.Place {
    if (message?.remote !== undefined) return { remote: Endpoint.make(message.remote, message.remotePort) }
    return this.peer === undefined ? {} : { remote: this.peer }
  }

  private transmit(message: Message, block: boolean): Effect.Effect<void, UdpError.UdpError> {
    const request = { _tag: "UdpSend", socket: this.id, ...message, block } as const
    return UdpError.during("send", () => this.place(message))(this.stack.ask(request))
  }

  /** The datagram as the core has it, and an effect only where a name or a text has to be looked at. */
  private message(
    bytes: Uint8Array,
    to: Destination.Input | undefined,
    source: NetAddress.IpAddressInput | undefined
  ): Message | Effect.Effect<Message, UdpError.UdpError> {
    const known = Destination.ofInetAddress(to)
    if (source === undefined && (to === undefined || known !== undefined)) return messageOf(bytes, known, undefined)
    const because = UdpError.because("send")
    return Effect.gen({ self: this }, function*() {
      const remote = to === undefined ? undefined : (yield* because(Destination.resolve(to, this.stack)))[0]
      const from = source === undefined ? undefined : yield* because(Destination.ip(source))
      return messageOf(bytes, remote, from)
    })
  }

  sendMany(datagrams: ReadonlyArray<Outgoing>): Effect.Effect<number, UdpError.UdpError> {
    return Effect.gen({ self: this }, function*() {
      const messages: Array<Message> = []
      for (const datagram of datagrams) {
        const message = this.message(datagram.bytes, datagram.to, datagram.source)
        messages.push(Effect.isEffect(message) ? yield* message : message)
      }
      const request = { _tag: "UdpSendMany", socket: this.id, messages } as const
      // It fails for the first alone.
      return yield* UdpError.during("send", () => this.place(messages[0]))(this.stack.ask(request))
    })
  }

  /** Finds out what to send to and from, which takes no effect at all for what has been received and is answered. */
  private dispatch(
    bytes: Uint8Array,
    to: Destination.Input | undefined,
    source: NetAddress.IpAddressInput | undefined,
    block: boolean
  ): Effect.Effect<void, UdpError.UdpError> {
    const message = this.message(bytes, to, source)
    return Effect.isEffect(message)
      ? Effect.flatMap(message, (resolved) => this.transmit(resolved, block))
      : this.transmit(message, block)
  }

  send(bytes: Uint8Array, to?: Destination.Input, options: SendOptions = {}): Effect.Effect<void, UdpError.UdpError> {
    return this.dispatch(bytes, to, options.source, true)
  }

  trySend(
    bytes: Uint8Array,
    to?: Destination.Input,
    options: SendOptions = {}
  ): Effect.Effect<boolean, UdpError.UdpError> {
    const sent = Effect.as(this.dispatch(bytes, to, options.source, false), true)
    return Effect.catchIf(sent, isWouldBlock, () => Effect.succeed(false))
  }

  private take(max: number, block: boolean): Effect.Effect<ReadonlyArray<Datagram>, Reason.Reason> {
    const answer = this.stack.ask({ _tag: "UdpReceive", socket: this.id, max, block })
    return Effect.map(answer, (datagrams) => datagrams.map(datagramOf))
  }

  receiveMany(max: number): Effect.Effect<ReadonlyArray<Datagram>, UdpError.UdpError> {
    return UdpError.during("receive", () => this.place())(this.take(max, true))
  }

  get receive(): Effect.Effect<Datagram, UdpError.UdpError> {
    return Effect.map(this.receiveMany(1), (datagrams) => datagrams[0]!)
  }

  get tryReceive(): Effect.Effect<Option.Option<Datagram>, UdpError.UdpError> {
    const taken = Effect.map(this.take(1, false), (datagrams) => Option.fromUndefinedOr(datagrams[0]))
    return Effect.catchIf(UdpError.during("receive", () => this.place())(taken), isWouldBlock, () => Effect.succeedNone)
  }

  connect(to: Destination.Input): Effect.Effect<void, UdpError.UdpError> {
    return Effect.gen({ self: this }, function*() {
      const [{ address, link, port }] = yield* UdpError.because("connect")(Destination.resolve(to, this.stack))
      const request = { _tag: "UdpConnect", socket: this.id, remote: address, remotePort: port, link } as const
      const remote = Endpoint.make(address, port)
      yield* UdpError.during("connect", () => ({ remote }))(this.stack.ask(request))
      this.peer = remote
    })
  }

  get disconnect(): Effect.Effect<void, UdpError.UdpError> {
    const asked = UdpError.during("disconnect")(this.stack.ask({ _tag: "UdpDisconnect", socket: this.id }))
    return Effect.tap(asked, () => Effect.sync(() => this.peer = undefined))
  }

  private setFilter(
    input: NetAddress.IpAddressInput,
    mode: Membership["mode"],
    listed: ReadonlyArray<NetAddress.IpAddressInput>,
    on: number | undefined
  ): Effect.Effect<void, UdpError.UdpError> {
    const because = UdpError.because("join")
    return Effect.gen({ self: this }, function*() {
      const { address: group, link } = yield* because(Destination.ipWithZone(input, this.stack))
      const sources = yield* Effect.forEach(listed, (source) => because(Destination.ip(source)))
      const request = { _tag: "UdpSetFilter", socket: this.id, group, link: on ?? link, mode, sources } as const
      const where = { remote: Endpoint.make(group, this.address.port) }
      yield* UdpError.during("join", () => where)(this.stack.ask(request))
    })
  }

  join(group: NetAddress.IpAddressInput, options: JoinOptions = {}): Effect.Effect<void, UdpError.UdpError> {
    const { except, from, link } = options
    return from === undefined
      ? this.setFilter(group, "exclude", except ?? [], link)
      : this.setFilter(group, "include", from, link)
  }

  leave(
    group: NetAddress.IpAddressInput,
    options: Pick<JoinOptions, "link"> = {}
  ): Effect.Effect<void, UdpError.UdpError> {
    return this.setFilter(group, "include", [], options.link)
  }

  setOptions(options: UdpOptions): Effect.Effect<void, UdpError.UdpError> {
    return UdpError.during("options")(this.stack.ask({ _tag: "UdpSetOptions", socket: this.id, options }))
  }

  get info(): Effect.Effect<UdpInfo, UdpError.UdpError> {
    const answer = UdpError.during("options")(this.stack.ask({ _tag: "UdpGetInfo", socket: this.id }))
    return Effect.map(
      answer,
      ({ bytesUnsent, bytesWaiting, datagramsDropped, datagramsWaiting, memberships, options, ...info }) => ({
        bytesUnsent,
        bytesWaiting,
        datagramsDropped,
        datagramsWaiting,
        options,
        memberships: memberships.map(membershipOf),
        remote: info.remote === undefined ? undefined : Edge.inetOf(info.remote, info.remotePort)
      })
    )
  }

  get stream(): Stream.Stream<Datagram, UdpError.UdpError> {
    const pull = Effect.map(this.receiveMany(streamBatch), (datagrams) => {
      const [first, ...rest] = datagrams
      return [first!, ...rest] as const
    })
    return Stream.fromPull(Effect.succeed(pull))
  }

  get close(): Effect.Effect<void> {
    return Scope.close(this.scope, Exit.void)
  }
}

/** Hands a socket over to a scope, whose end closes it. */
export const make = (stack: Stack, bound: Bound, version: 4 | 6): Effect.Effect<UdpSocket, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Effect.scope)
    yield* Scope.addFinalizer(scope, Effect.ignore(stack.ask({ _tag: "UdpClose", socket: bound.socket })))
    return new Socket(stack, bound, version, scope)
  })
