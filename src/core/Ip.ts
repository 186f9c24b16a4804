/**
 * What transports know of IP, for both versions alike: where a packet would go, how to send one, what one received looks like.
 * `core/Family.ts` holds what differs between the versions as a record of functions.
 */
import type * as Address from "../wire/Address.ts"
import type { Checksum, Gso, Slab } from "../wire/Frame.ts"
import type { Piece } from "../wire/Gather.ts"
import type { LinkId } from "./Device.ts"
import type { Credit } from "./Request.ts"
import type { Instant } from "./Time.ts"

/** The way to a destination: out of which interface, from which source, to which next hop. */
export interface Path {
  readonly version: Address.Version
  readonly link: LinkId
  readonly source: Address.Address
  readonly destination: Address.Address
  /** The neighbour that takes the packet: the destination itself when it is on the link. */
  readonly nextHop: Address.Address
  /** Largest IP packet in bytes, the path MTU where one is known (RFC 1191, RFC 8201). */
  readonly mtu: number
  /** Super-segments may be sent, up to `maxSegmentBytes` of IP packet. */
  readonly maxSegmentBytes: number
}

/** A received packet at the door of a transport: whole (reassembled), its IP header checked. The bytes are borrowed. */
export interface Packet {
  readonly version: Address.Version
  readonly link: LinkId
  readonly bytes: Uint8Array
  /** Where the IP header begins; ICMP errors quote from here. */
  readonly ipStart: number
  /** Where the transport's part begins and ends. */
  readonly start: number
  readonly end: number
  readonly source: Address.Address
  readonly destination: Address.Address
  readonly protocol: number
  readonly hopLimit: number
  /** DSCP and ECN, as in the header. */
  readonly trafficClass: number
  /** What the link vouches for; `"none"` means that the transport verifies. */
  readonly checksum: Checksum
  /** Payload bytes per original packet when the link merged several; 0 otherwise. */
  readonly segmentSize: number
  /** It came to a link-layer group address or an IP group or broadcast: no errors about it, no connections by it. */
  readonly isGroup: boolean
  readonly receivedAt: Instant
  /** What the bytes lie in, for who keeps them instead of a copy; absent where nobody can. */
  readonly slab?: Slab | undefined
  /** What IPv6 extension headers have told of it; absent if there were none. */
  readonly extensions?: Extensions
}

/** What extension headers tell of a packet, beside where its transport begins. */
export interface Extensions {
  /** rfc: 2711 §2.1; 0 announces MLD. */
  readonly routerAlert: number | undefined
  /** It has a fragment header, even if it came in one piece (rfc: 6980 §5). */
  readonly hasFragmentHeader: boolean
}

/** Room for a transport header that the step's arena holds: write it at `at`. Everything before it belongs to the layers below. */
export interface Head {
  readonly bytes: Uint8Array
  readonly at: number
}

/** A packet that a transport sends. */
export interface Send {
  readonly path: Path
  readonly protocol: number
  /** The transport header, `head.at` to `headEnd`. */
  readonly head: Head
  readonly headEnd: number
  /** Views of immutable chunks behind the header. */
  readonly pieces: ReadonlyArray<Piece>
  /** Offset of the checksum field in the transport header, which holds the folded pseudo-header sum; -1 when there is nothing to complete. */
  readonly checksumOffset: number
  readonly hopLimit: number
  readonly trafficClass: number
  /** IPv4: sets DF, so that the packet is never cut on the way; both: larger than the MTU fails as too big. */
  readonly dontFragment: boolean
  /** Routers on the way look into it (RFC 2113, RFC 2711): the membership protocols ask for that. */
  readonly routerAlert?: boolean
  /** Cut as late as possible into packets with this payload. */
  readonly gso: Gso | undefined
  readonly credit: Credit | undefined
}

export const noPieces: ReadonlyArray<Piece> = Object.freeze([])

/** An ICMP error about a packet of ours, already found to quote something that this stack may have sent (RFC 5927 §4.1 is the transport's to check). */
export interface IcmpError {
  readonly version: Address.Version
  readonly link: LinkId
  readonly kind:
    | "network"
    | "host"
    | "protocol"
    | "port"
    | "prohibited"
    | "sourceRouteFailed"
    | "hopLimit"
    | "reassembly"
    | "parameterProblem"
    | "tooBig"
  /** Found out by this stack itself (a next hop does not answer): no message came, `type` and `code` are what a router would have sent. */
  readonly isLocal: boolean
  readonly type: number
  readonly code: number
  /** For `tooBig`: the next-hop MTU, 0 if the router did not tell (RFC 1191 §4). */
  readonly mtu: number
  /** Who sent the error. */
  readonly from: Address.Address
  /** Of the quoted packet: our address, the far address, the transport and the range of its quoted part (at least 8 bytes). */
  readonly source: Address.Address
  readonly destination: Address.Address
  readonly protocol: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}
