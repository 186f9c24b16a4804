/**
 * What a handler gets beside its own state and the packet: the time of the event, the limits and keys, and the only ways to
 * change anything: the journal's writes and the outbox.
 */
import type * as Address from "../wire/Address.ts"
import type { Slab } from "../wire/Frame.ts"
import type { Outgoing } from "../wire/Gather.ts"
import type { Config } from "./Config.ts"
import type * as Blocks from "./data/Blocks.ts"
import type * as SourceFilter from "./data/SourceFilter.ts"
import type { Interface, LinkId } from "./Device.ts"
import type { DropReason } from "./Drop.ts"
import type { Keys } from "./Entropy.ts"
import type { Family } from "./Family.ts"
import type { Head, IcmpError, Packet, Path, Send } from "./Ip.ts"
import type { Cell, Table, Tally } from "./Journal.ts"
import type { Change } from "./Notice.ts"
import type { Reason } from "./Reason.ts"
import type { Credit, Ticket } from "./Request.ts"
import type { Instant } from "./Time.ts"
import type { TimerId } from "./Timer.ts"

export interface Context {
  /** The time of the event; the only clock there is. */
  readonly at: Instant
  readonly config: Config
  readonly keys: Keys

  // the journal
  readonly put: <K, V>(table: Table<K, V>, key: K, value: V) => void
  readonly remove: <K, V>(table: Table<K, V>, key: K) => void
  readonly set: <T>(cell: Cell<T>, value: T) => void
  readonly add: (tally: Tally, index: number, by: number) => void

  // consequences
  /** Queues a finished frame on a link; accounts it, or drops it with `TransmitQueueFull` when the link's queue is full and nobody pays for it. */
  readonly transmit: (link: LinkId, packet: Outgoing, credit: Credit | undefined) => void
  /** Gives back the credit of a packet that was dropped before it reached a transmit queue; its payer hears at the end of the event. */
  readonly refund: (credit: Credit | undefined) => void
  readonly reply: (ticket: Ticket, value: unknown) => void
  /** An answer to a request that goes on; the ticket stays where it is. */
  readonly replyPart: (ticket: Ticket, value: unknown) => void
  readonly fail: (ticket: Ticket, reason: Reason) => void
  readonly setTimer: (timer: TimerId, at: Instant) => void
  readonly notice: (change: Change) => void
  readonly drop: (reason: DropReason, link: LinkId, detail?: string) => void
  /** Adds to a counter of `core/Counter.ts` by its index. */
  readonly count: (counter: number, by?: number) => void

  /** Room for `size` bytes of transport header, with enough free before it for every header below. */
  readonly reserve: (size: number) => Head
  /** Memory for so many bytes. What it holds does not matter: nothing is read that was not written before. */
  readonly block: (size: Blocks.Size) => Uint8Array
  /** Nobody looks at it any more, once the event is over and not rolled back: neither a record nor a frame on its way. */
  readonly spend: (memory: Spent) => void
  /** A record holds bytes of a received frame, which may be kept, until it spends the slab. */
  readonly keep: (slab: Slab) => void

  /** A number never given before in this stack, for records: connections, sockets, interfaces' objects. */
  readonly nextId: () => number

  /** Remembers who holds a ticket, so that an abandoned one can be found; false when the table of waiting requests is full (`parkedRequests`). */
  readonly park: (ticket: Ticket, holder: TicketHolder) => boolean
  readonly unpark: (ticket: Ticket) => void

  /** Charges bytes that outlive the step to the stack's memory budget; false when it is used up. */
  readonly charge: (pool: Pool, bytes: number) => boolean
  readonly discharge: (pool: Pool, bytes: number) => void

  /** The event is a frame with text, and the next event brings what follows on it. */
  readonly isFollowed: boolean
  /** The event is a frame whose slab may be kept. */
  readonly isLent: boolean

  // the layers, by role
  readonly families: { readonly 4: Family; readonly 6: Family }
  readonly ip: IpLayer
  readonly links: LinkLayer
  readonly routes: RouteLayer
  readonly groups: GroupLayer
  readonly transports: Transports
}

/** Memory for the next who needs some: a block of the stack, or a slab that was kept. */
export type Spent = Uint8Array | Slab

/** What data is held for; each is a row of the memory account. */
export type Pool = "tcpReceive" | "tcpSend" | "tcpOutOfOrder" | "datagrams" | "fragments" | "parkedPackets"

/** Which record a parked ticket waits in. */
export interface TicketHolder {
  readonly owner: "Tcp" | "TcpListener" | "Udp" | "Ping" | "Raw"
  readonly id: number
}

/** What a packet's sender is told by ICMP; each family has its types and codes for them. */
export type ErrorKind =
  | "portUnreachable"
  | "protocolUnreachable"
  | "reassemblyTimeout"
  | "hopLimitExceeded"
  | "noRoute"
  | "hostUnreachable"
  /** The source means nothing where the packet would go (RFC 4443 §3.1; IPv6 only). */
  | "beyondScope"
  | {
    readonly _tag: "parameterProblem"
    readonly code: number
    readonly pointer: number
    /** Answered even if the packet went to a group (RFC 4443 §2.4 (e.3)). */
    readonly evenToGroup?: boolean
  }
  | { readonly _tag: "tooBig"; readonly mtu: number }

/** IP as the transports use it. */
export interface IpLayer {
  /**
   * Finds the way to a destination: the route, then the source (RFC 1122 §3.3.4.3, RFC 6724 §5), unless one is given.
   * `link` binds the choice to one interface (needed for link-local and multicast destinations).
   */
  readonly path: (
    ctx: Context,
    destination: Address.Address,
    source: Address.Address | undefined,
    link: LinkId | undefined
  ) => Path | Reason
  /** Sends a packet, fragmenting it where that is allowed. Answers a reason when nothing could be sent. */
  readonly send: (ctx: Context, send: Send) => Reason | undefined
  /** Of packets that nobody gave another: the stack's, or what routers of the link tell (RFC 4861 §6.3.4). */
  readonly hopLimit: (ctx: Context, path: Pick<Path, "version" | "link">) => number
  /** Remembers a smaller path MTU (RFC 1191 §3, RFC 8201 §4) after the transport has found the error to be genuine. */
  readonly learnMtu: (ctx: Context, path: Path, mtu: number) => void
  /** Answers a packet with the ICMP error that its family has for this. Rate limited; never about errors, groups, or fragments but the first. */
  readonly error: (ctx: Context, error: ErrorKind, packet: Packet) => void
  /** The link on which a group is meant where nobody says it: that of a route, or the only one that is up. */
  readonly groupLink: (ctx: Context, group: Address.Address) => LinkId | undefined
  /** Whether the address is one of this stack's and usable. */
  readonly isOurs: (address: Address.Address) => boolean
}

/** The groups that the interfaces listen to, as the transports use them. */
export interface GroupLayer {
  /**
   * A socket listens to a group otherwise than before: `before` is the filter that it gave last for this group and link, `after` the new one; `undefined` for
   * not at all (RFC 3376 §2, RFC 3810 §3). Answers why it can't, and then nothing has changed.
   */
  readonly listen: (
    ctx: Context,
    link: LinkId,
    group: Address.Address,
    before: SourceFilter.Filter | undefined,
    after: SourceFilter.Filter | undefined
  ) => Reason | undefined
}

/** The routing table as IP uses it. */
export interface RouteLayer {
  /** The most specific route, of those out of `link` if one is given (RFC 1122 §3.3.1.2); `gateway` is absent when the destination is on the link. */
  readonly lookup: (
    destination: Address.Address,
    link: LinkId | undefined
  ) => {
    readonly link: LinkId
    readonly gateway: Address.Address | undefined
    readonly source: Address.Address | undefined
  } | undefined
}

/** The interfaces and neighbours as IP and the transports use them. */
export interface LinkLayer {
  readonly get: (link: LinkId) => Interface | undefined
  readonly all: () => Iterable<Interface>
  /** The link on which an address of this stack is usable; the first, if a link-local one is on several. */
  readonly linkOf: (address: Address.Address) => LinkId | undefined
  /** Hands an IP packet to the neighbour: resolves its link-layer address first if need be, and puts the link-layer header before `packet.headStart`. */
  readonly send: (
    ctx: Context,
    link: LinkId,
    nextHop: Address.Address,
    packet: Outgoing,
    credit: Credit | undefined
  ) => void
  /** Upper-layer confirmation that a neighbour is reachable (RFC 4861 §7.3.1): TCP saw progress. */
  readonly confirm: (ctx: Context, link: LinkId, nextHop: Address.Address) => void
  /** Upper-layer advice that nothing comes back by way of a neighbour (RFC 1122 §3.3.1.4, RFC 9293 §3.8.3). */
  readonly doubt: (ctx: Context, link: LinkId, nextHop: Address.Address) => void
}

/** A transport as IP sees it. */
export interface Transport {
  readonly protocol: number
  /** A packet for this host; the handler drops, answers or delivers it. */
  readonly receive: (ctx: Context, packet: Packet) => void
  /** An ICMP error about something this transport sent. */
  readonly error: (ctx: Context, error: IcmpError) => void
}

/** The dispatch by protocol number, with the sockets that see every packet of a protocol beside the transports. */
export interface Transports {
  readonly get: (protocol: number) => Transport | undefined
  /** Raw sockets; true if one of them took a copy. */
  readonly raw: (ctx: Context, packet: Packet) => boolean
  /** The same for an ICMP error about what they have sent, where the protocol has no transport. */
  readonly rawFailed: (ctx: Context, error: IcmpError) => boolean
}
