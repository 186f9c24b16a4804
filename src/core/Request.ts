/**
 * What local programs ask of the stack. Each protocol defines its own requests; this is their sum, with those of the shell.
 *
 * A request carries a ticket, and each ticket gets at most one reply. A request that can't be met at once parks its ticket in the
 * record that will be able to (a connection, a listener, a socket), so blocking is data.
 */
import type { Interface, LinkId } from "./Device.ts"
import type { DeviceRequest } from "./device/Requests.ts"
import type { RankDestinations } from "./ip/Destinations.ts"
import type { Ipv6Request } from "./ipv6/Requests.ts"
import type { NeighborRequest } from "./neighbor/Requests.ts"
import type { PingRequest } from "./ping/Requests.ts"
import type { RawRequest } from "./raw/Requests.ts"
import type { RouteRequest } from "./route/Requests.ts"
import type { TcpRequest } from "./tcp/Requests.ts"
import type { UdpRequest } from "./udp/Requests.ts"

/** Names the waiter of a request; unique in a stack. `noTicket` for requests that want no reply. */
export type Ticket = number
export const noTicket: Ticket = 0

declare const answer: unique symbol

/** Marks a request with the type of the value in its reply; exists in types only. */
export interface Answers<A> {
  readonly [answer]?: A
}

export type AnswerOf<R> = R extends Answers<infer A> ? A : never

/** What the shell itself tells the core. None of these has a reply, except `AttachLink`. */
export type ShellRequest =
  /** The fiber that waited was interrupted; what its ticket has parked is taken out. Unknown tickets are ignored. */
  | { readonly _tag: "Abandoned"; readonly abandoned: Ticket }
  /** A reply found nobody waiting: its value goes back where it came from, so that nothing is lost. */
  | { readonly _tag: "Returned"; readonly request: Request; readonly value: unknown }
  /** What left a link's transmit queue, sent or discarded: the sum of the `Transmit.size`s, and their credits. */
  | {
    readonly _tag: "Sent"
    readonly link: LinkId
    readonly bytes: number
    readonly credits: ReadonlyArray<Credit>
  }
  | AttachLink
  | { readonly _tag: "DetachLink"; readonly link: LinkId }
  | {
    readonly _tag: "LinkChanged"
    readonly link: LinkId
    readonly up?: boolean
    readonly mtu?: number
  }

export interface AttachLink extends Answers<LinkId> {
  readonly _tag: "AttachLink"
  /** The new interface without addresses; the shell chooses the id. */
  readonly interface: Interface
}

/**
 * Who pays for bytes in a transmit queue and hears when they have left: a transport and the id of its record. `bytes` is what the payer itself has
 * charged for the packet, in whatever it counts (payload, say); exactly that comes back, once, when the packet has left or was dropped on the way.
 */
export interface Credit {
  readonly owner: "Tcp" | "Udp" | "Raw"
  readonly id: number
  readonly bytes: number
  /** The payer may be waiting for it; without, it may come back with whatever event comes next. */
  readonly isAwaited: boolean
  /**
   * Only on a frame of a TCP connection that carries no text, and so costs nothing: whether it is a bare ACK that nobody misses when another frame of
   * the connection leaves right behind it.
   */
  readonly mayYield?: boolean
}

export type Request =
  | ShellRequest
  | DeviceRequest
  | Ipv6Request
  | NeighborRequest
  | RankDestinations
  | RouteRequest
  | PingRequest
  | RawRequest
  | UdpRequest
  | TcpRequest
