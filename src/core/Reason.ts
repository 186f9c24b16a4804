/**
 * Why a request could not be met, as data. The sockets wrap a reason in a `Schema.TaggedError`; programs match on `_tag`.
 */

import type * as Address from "../wire/Address.ts"
import type { IcmpError } from "./Ip.ts"

/** Where an `Unreachable` came from: the ICMP message's family, type, code and sender (RFC 792, RFC 4443). */
export interface IcmpOrigin {
  readonly version: 4 | 6
  readonly type: number
  readonly code: number
  /** The router or host that sent the message. */
  readonly from: Address.Address
}

export type Reason =
  /** The far side answered a SYN with RST, or a datagram with port unreachable. */
  | { readonly _tag: "ConnectionRefused" }
  /** The far side sent RST. */
  | { readonly _tag: "ConnectionReset" }
  /** This side gave the connection up: `abort`, a detached interface, a lost address. */
  | { readonly _tag: "ConnectionAborted" }
  /** Nobody answered for as long as the limit of the operation allows; `what` names the limit. */
  | { readonly _tag: "TimedOut"; readonly what: string }
  /** A router or the far host says that the destination can't be reached, or the next hop does not answer (no `icmp` then). */
  | { readonly _tag: "Unreachable"; readonly what: UnreachableKind; readonly icmp?: IcmpOrigin }
  | { readonly _tag: "AddressInUse" }
  /** The local address is not one of this stack's. */
  | { readonly _tag: "AddressNotAvailable" }
  /** No ephemeral port is left (RFC 6056 §3.2). */
  | { readonly _tag: "PortsExhausted" }
  | { readonly _tag: "NotConnected" }
  | { readonly _tag: "AlreadyConnected" }
  /** The program closed this socket, or this direction of it, before. */
  | { readonly _tag: "Closed" }
  /** A datagram is longer than the protocol or the path can carry. `limit` in bytes of payload. */
  | { readonly _tag: "MessageTooLarge"; readonly limit: number }
  /** A named bound of this stack is reached. */
  | { readonly _tag: "LimitReached"; readonly bound: string }
  | { readonly _tag: "InvalidArgument"; readonly detail: string }
  /** A non-blocking form found nothing to do. */
  | { readonly _tag: "WouldBlock" }
  /** The object of the request does not exist (an interface, a route, a neighbour). */
  | { readonly _tag: "NotFound"; readonly what: string }
  | { readonly _tag: "LinkDown" }
  /** The stack was closed. */
  | { readonly _tag: "StackClosed" }
  /** A bug of this stack: the event was rolled back. */
  | { readonly _tag: "Defect"; readonly cause: unknown }

export type UnreachableKind = "network" | "host" | "protocol" | "port" | "prohibited" | "sourceRouteFailed" | "hopLimit"

export const connectionRefused: Reason = { _tag: "ConnectionRefused" }
export const connectionReset: Reason = { _tag: "ConnectionReset" }
export const connectionAborted: Reason = { _tag: "ConnectionAborted" }
export const timedOut = (what: string): Reason => ({ _tag: "TimedOut", what })
export const unreachable = (what: UnreachableKind, icmp?: IcmpOrigin): Reason =>
  icmp === undefined ? { _tag: "Unreachable", what } : { _tag: "Unreachable", what, icmp }
/** What a program is told when an ICMP error ends its operation. `tooBig` is no failure for most, so it takes the payload that would fit. */
export const ofIcmp = (error: IcmpError, payloadLimit: number): Reason => {
  const icmp: IcmpOrigin | undefined = error.isLocal
    ? undefined
    : { version: error.version, type: error.type, code: error.code, from: error.from }
  switch (error.kind) {
    case "tooBig":
      return messageTooLarge(payloadLimit)
    case "parameterProblem":
      return unreachable("protocol", icmp)
    case "reassembly":
      return unreachable("hopLimit", icmp)
    default:
      return unreachable(error.kind, icmp)
  }
}

export const addressInUse: Reason = { _tag: "AddressInUse" }
export const addressNotAvailable: Reason = { _tag: "AddressNotAvailable" }
export const portsExhausted: Reason = { _tag: "PortsExhausted" }
export const notConnected: Reason = { _tag: "NotConnected" }
export const alreadyConnected: Reason = { _tag: "AlreadyConnected" }
export const closed: Reason = { _tag: "Closed" }
export const messageTooLarge = (limit: number): Reason => ({ _tag: "MessageTooLarge", limit })
export const limitReached = (bound: string): Reason => ({ _tag: "LimitReached", bound })
export const invalidArgument = (detail: string): Reason => ({ _tag: "InvalidArgument", detail })
export const wouldBlock: Reason = { _tag: "WouldBlock" }
export const notFound = (what: string): Reason => ({ _tag: "NotFound", what })
export const linkDown: Reason = { _tag: "LinkDown" }
export const stackClosed: Reason = { _tag: "StackClosed" }
export const defect = (cause: unknown): Reason => ({ _tag: "Defect", cause })
