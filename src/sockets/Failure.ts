/**
 * Why an operation on a socket could not be met: one tagged class for each reason, the same for every kind of socket.
 *
 * The error of an operation (`TcpError`, `UdpError` …) carries one as its `reason`, so a program picks the reasons that it
 * can do something about:
 *
 * @example
 * ```ts
 * const connection = Tcp.connect("10.0.0.1:80").pipe(
 *   Effect.catchReason("TcpError", "ConnectionRefused", () => Tcp.connect("10.0.0.2:80"))
 * )
 * ```
 */
import * as Schema from "effect/Schema"
import type * as CoreReason from "../core/Reason.ts"
import * as Edge from "../workers/Edge.ts"

/** The far side answered a SYN with RST, or a datagram with port unreachable. */
export class ConnectionRefused extends Schema.TaggedError<ConnectionRefused>()("ConnectionRefused", {}) {
  override get message(): string {
    return "connection refused"
  }
}

/** The far side sent RST. */
export class ConnectionReset extends Schema.TaggedError<ConnectionReset>()("ConnectionReset", {}) {
  override get message(): string {
    return "connection reset by the far side"
  }
}

/** This side gave the connection up: `abort`, a detached link, a lost address. */
export class ConnectionAborted extends Schema.TaggedError<ConnectionAborted>()("ConnectionAborted", {}) {
  override get message(): string {
    return "connection aborted"
  }
}

/** Nobody answered for as long as the limit named by `what` allows. */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", { what: Schema.String }) {
  override get message(): string {
    return `timed out (${this.what})`
  }
}

/** The ICMP message that told of an unreachable destination (RFC 792, RFC 4443). */
export const IcmpOrigin = Schema.Struct({
  version: Schema.Literals([4, 6]),
  type: Schema.Int,
  code: Schema.Int,
  /** The router or host that sent it. */
  from: Schema.Union([Schema.Ipv4Address, Schema.Ipv6Address])
})
export type IcmpOrigin = typeof IcmpOrigin.Type

/** A router or the far host says that the destination can't be reached; without `icmp`, the next hop does not answer. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", {
  what: Schema.Literals(["network", "host", "protocol", "port", "prohibited", "sourceRouteFailed", "hopLimit"]),
  icmp: Schema.optional(IcmpOrigin)
}) {
  override get message(): string {
    const what = this.what === "prohibited" ? "administratively prohibited" : `${this.what} unreachable`
    return this.what === "hopLimit" ? "hop limit exceeded" : what
  }
}

/** The local port, or the pair of addresses and ports, is taken. */
export class AddressInUse extends Schema.TaggedError<AddressInUse>()("AddressInUse", {}) {
  override get message(): string {
    return "address in use"
  }
}

/** The local address is not one of this stack's. */
export class AddressNotAvailable extends Schema.TaggedError<AddressNotAvailable>()("AddressNotAvailable", {}) {
  override get message(): string {
    return "not an address of this stack"
  }
}

/** No ephemeral port is left (RFC 6056 §3.2). */
export class PortsExhausted extends Schema.TaggedError<PortsExhausted>()("PortsExhausted", {}) {
  override get message(): string {
    return "no ephemeral port is left"
  }
}

/** The socket has no far side. */
export class NotConnected extends Schema.TaggedError<NotConnected>()("NotConnected", {}) {
  override get message(): string {
    return "not connected"
  }
}

export class AlreadyConnected extends Schema.TaggedError<AlreadyConnected>()("AlreadyConnected", {}) {
  override get message(): string {
    return "already connected"
  }
}

/** The program closed this socket, or this direction of it, before. */
export class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {
  override get message(): string {
    return "closed"
  }
}

/** A datagram is longer than the protocol or the path can carry; `limit` in bytes of payload. */
export class MessageTooLarge extends Schema.TaggedError<MessageTooLarge>()("MessageTooLarge", { limit: Schema.Int }) {
  override get message(): string {
    return `message too large: at most ${this.limit} bytes fit`
  }
}

/** The named bound of this stack is reached. */
export class LimitReached extends Schema.TaggedError<LimitReached>()("LimitReached", { bound: Schema.String }) {
  override get message(): string {
    return `the stack's bound ${this.bound} is reached`
  }
}

export class InvalidArgument extends Schema.TaggedError<InvalidArgument>()("InvalidArgument", {
  detail: Schema.String
}) {
  override get message(): string {
    return `invalid argument: ${this.detail}`
  }
}

/** A form that does not wait found nothing to do. */
export class WouldBlock extends Schema.TaggedError<WouldBlock>()("WouldBlock", {}) {
  override get message(): string {
    return "would have to wait"
  }
}

/** The object of the operation does not exist: an interface, a route, a neighbour. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { what: Schema.String }) {
  override get message(): string {
    return `no such ${this.what}`
  }
}

/** The name could not be looked up. */
export class NameNotResolved extends Schema.TaggedError<NameNotResolved>()("NameNotResolved", {
  host: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot look up ${this.host}: ${this.detail}`
  }
}

export class LinkDown extends Schema.TaggedError<LinkDown>()("LinkDown", {}) {
  override get message(): string {
    return "link down"
  }
}

/** The stack was closed. */
export class StackClosed extends Schema.TaggedError<StackClosed>()("StackClosed", {}) {
  override get message(): string {
    return "the stack is closed"
  }
}

/** A bug of the stack: the request was rolled back. */
export class Defect extends Schema.TaggedError<Defect>()("Defect", { cause: Schema.Defect() }) {
  override get message(): string {
    return "a defect of the stack"
  }
}

/** Every reason. */
export const Any = Schema.Union([
  ConnectionRefused,
  ConnectionReset,
  ConnectionAborted,
  TimedOut,
  Unreachable,
  AddressInUse,
  AddressNotAvailable,
  PortsExhausted,
  NotConnected,
  AlreadyConnected,
  Closed,
  MessageTooLarge,
  LimitReached,
  InvalidArgument,
  WouldBlock,
  NotFound,
  NameNotResolved,
  LinkDown,
  StackClosed,
  Defect
])
export type Any = typeof Any.Type

type Core = CoreReason.Reason

const unreachable = ({ icmp, what }: Extract<Core, { readonly _tag: "Unreachable" }>): Unreachable =>
  icmp === undefined
    ? new Unreachable({ what })
    : new Unreachable({ what, icmp: { ...icmp, from: Edge.ipOf(icmp.from) } })

const makers: { readonly [K in Core["_tag"]]: (reason: Extract<Core, { readonly _tag: K }>) => Any } = {
  ConnectionRefused: () => new ConnectionRefused(),
  ConnectionReset: () => new ConnectionReset(),
  ConnectionAborted: () => new ConnectionAborted(),
  TimedOut: ({ what }) => new TimedOut({ what }),
  Unreachable: unreachable,
  AddressInUse: () => new AddressInUse(),
  AddressNotAvailable: () => new AddressNotAvailable(),
  PortsExhausted: () => new PortsExhausted(),
  NotConnected: () => new NotConnected(),
  AlreadyConnected: () => new AlreadyConnected(),
  Closed: () => new Closed(),
  MessageTooLarge: ({ limit }) => new MessageTooLarge({ limit }),
  LimitReached: ({ bound }) => new LimitReached({ bound }),
  InvalidArgument: ({ detail }) => new InvalidArgument({ detail }),
  WouldBlock: () => new WouldBlock(),
  NotFound: ({ what }) => new NotFound({ what }),
  LinkDown: () => new LinkDown(),
  StackClosed: () => new StackClosed(),
  Defect: ({ cause }) => new Defect({ cause })
}

/** The class for a reason of the core. */
export const of = (reason: Core): Any => (makers[reason._tag] as (reason: Core) => Any)(reason)
