/**
 * What changed, for whoever watches: `Network.changes`, spans, the flight recorder. A notice asks for nothing.
 */
import type * as Address from "../wire/Address.ts"
import type { Mac } from "../wire/Mac.ts"
import type { AddressState, LinkId } from "./Device.ts"
import type { Reason } from "./Reason.ts"
import type { Ticket } from "./Request.ts"
import type { Span } from "./Time.ts"

/** Something worth an event on a connection's span, and what its detail is. */
export type ConnectionEvent =
  | "firstByteSent"
  | "firstByteReceived"
  /** Segments that have left again. */
  | "retransmission"
  /** The retransmission timer has fired; how often in a row (RFC 6298 §5.4). */
  | "timeout"
  /** Losses have begun fast recovery; bytes in flight (RFC 5681 §3.2). */
  | "recovery"
  | "recovered"
  /** A recovery or a timeout was for nothing and is undone; bytes in flight. */
  | "spurious"
  /** The peer's window holds text back; bytes that wait (RFC 9293 §3.8.6.1). */
  | "windowClosed"
  | "windowOpened"
  /** Urgent data was announced; bytes up to its end (RFC 9293 §3.8.5). */
  | "urgent"
  /** The peer advises a user timeout that the program's own stands against; in seconds (RFC 5482 §3.1). */
  | "userTimeoutAdvised"
  /** An ICMP error that ends nothing; its code (RFC 9293 §3.9.1.8). */
  | "unreachable"

/** What a connection came to, in bytes of payload and segments. */
export interface ConnectionTotals {
  readonly bytesAcked: number
  readonly bytesReceived: number
  readonly segmentsRetransmitted: number
  readonly timeouts: number
  /** Absent when no round trip was ever measured. */
  readonly smoothedRtt: Span | undefined
}

export type Change =
  | { readonly _tag: "LinkAttached"; readonly link: LinkId; readonly name: string }
  | { readonly _tag: "LinkDetached"; readonly link: LinkId; readonly name: string }
  | { readonly _tag: "LinkState"; readonly link: LinkId; readonly up: boolean }
  | {
    readonly _tag: "AddressChanged"
    readonly link: LinkId
    readonly address: Address.Address
    readonly state: AddressState | "removed"
  }
  /** Another host uses an address of ours (RFC 5227 §2.4, RFC 4862 §5.4). */
  | { readonly _tag: "AddressConflict"; readonly link: LinkId; readonly address: Address.Address; readonly mac: Mac }
  /** The link sends back what it is given, as a probe for this address shows (RFC 7527 §4.2). */
  | { readonly _tag: "LinkLooped"; readonly link: LinkId; readonly address: Address.Address }
  | {
    readonly _tag: "NeighborChanged"
    readonly link: LinkId
    readonly address: Address.Address
    readonly state: string
    readonly mac: Mac | undefined
  }
  | { readonly _tag: "RouteAdded" | "RouteRemoved"; readonly prefix: Address.Address; readonly length: number }
  /** A SYN for a listener made a half-open connection. */
  | {
    readonly _tag: "ConnectionIncoming"
    readonly listener: number
    readonly connection: number
    readonly remote: Address.Address
    readonly remotePort: number
  }
  | { readonly _tag: "ConnectionState"; readonly connection: number; readonly from: string; readonly to: string }
  | {
    readonly _tag: "ConnectionEvent"
    readonly connection: number
    readonly event: ConnectionEvent
    /** See {@link ConnectionEvent}; 0 where there is nothing to say. */
    readonly detail: number
  }
  /**
   * A record of a connection was made, at the SYN: by the request of `ticket`, or by a peer for `listener` (0 and `noTicket` for none). This and
   * `ConnectionEnded`, as well as most events, are told only if `Config.telemetry` asks.
   */
  | {
    readonly _tag: "ConnectionOpening"
    readonly connection: number
    readonly listener: number
    readonly ticket: Ticket
    readonly local: Address.Address
    readonly localPort: number
    readonly remote: Address.Address
    readonly remotePort: number
  }
  /** Nothing of the connection is left but TIME-WAIT. Without a reason it ended in good order. */
  | {
    readonly _tag: "ConnectionEnded"
    readonly connection: number
    readonly reason: Reason | undefined
    readonly totals: ConnectionTotals
  }
  | {
    readonly _tag: "RouterChanged"
    readonly link: LinkId
    readonly router: Address.Address
    readonly lifetime: number
  }
  /** Another router of the link says something else than this one; in what, by name (RFC 4861 §6.2.7). */
  | {
    readonly _tag: "RoutersDisagree"
    readonly link: LinkId
    readonly router: Address.Address
    readonly about: ReadonlyArray<string>
  }
  | { readonly _tag: "NameServers"; readonly link: LinkId; readonly servers: ReadonlyArray<Address.Address> }
  /** An event threw and was rolled back: a bug of the stack. */
  | { readonly _tag: "Defect"; readonly event: string; readonly cause: unknown }

export interface Notice {
  readonly _tag: "Notice"
  readonly change: Change
}
