/**
 * What stands between the IPv6 header and the upper layer of a packet for this host, header by header (RFC 8200 §4), and what each of them decides.
 *
 *     | IPv6 | hop-by-hop | destination | routing | fragment ─▶ reassembly, or on if it is the whole (RFC 6946)
 *                                                    └────────▶ | destination | upper layer ─▶ transports
 *
 * Only the first place is fixed: hop-by-hop options stand right behind the IPv6 header or nowhere (rfc: 8200 §4.1). What must be answered comes
 * with the code of the parameter problem and the offset in `bytes` of what is wrong; the pointer is its distance from the IPv6 header.
 */
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Ipv6Extension from "../../wire/Ipv6Extension.ts"
import * as Malformed from "../../wire/Malformed.ts"

/** The part of a packet that is walked. */
export interface Range {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** What the headers so far have told. */
export interface Seen {
  /** rfc: 2711 §2.1, of the hop-by-hop options. */
  readonly routerAlert: number | undefined
  /** There is a fragment header, of the whole packet (rfc: 6980 §5). */
  readonly hasFragmentHeader: boolean
}

export type Verdict =
  /** The upper layer's header stands at `start`; `protocolAt` is where its number does, for who does not know it. */
  | {
    readonly _tag: "UpperLayer"
    readonly protocol: number
    readonly protocolAt: number
    readonly start: number
    readonly seen: Seen
  }
  /** A part of a packet: everything from `at` on is for reassembly. */
  | {
    readonly _tag: "Fragment"
    readonly header: Ipv6Extension.FragmentHeader
    readonly at: number
    /** Where the fragment header's number stands, which the whole packet has another one in place of (rfc: 8200 §4.5). */
    readonly protocolAt: number
    readonly seen: Seen
  }
  /** Nothing follows (rfc: 8200 §4.7). */
  | { readonly _tag: "Nothing" }
  /** Discarded in silence. */
  | { readonly _tag: "Drop"; readonly reason: "Malformed" | "IpExtensionRefused"; readonly detail: string }
  /** Discarded, and the source told by a parameter problem; even if the packet went to a group only where `evenToGroup`. */
  | { readonly _tag: "Problem"; readonly code: number; readonly at: number; readonly evenToGroup: boolean }

/** Codes of parameter problem (RFC 4443 §3.4). */
const badField = 0
const unrecognizedNextHeader = 1
const unrecognizedOption = 2

const tooMany: Verdict = Object.freeze({
  _tag: "Drop",
  reason: "IpExtensionRefused",
  detail: "too many extension headers"
})
const refusedOption: Verdict = Object.freeze({
  _tag: "Drop",
  reason: "IpExtensionRefused",
  detail: "an option that says to discard"
})

const nothing: Verdict = Object.freeze({ _tag: "Nothing" })
const unseen: Seen = Object.freeze({ routerAlert: undefined, hasFragmentHeader: false })

/** Where a walk stands: a header of the number that is found at `protocolAt` begins at `start`. */
interface Place {
  readonly protocol: number
  readonly protocolAt: number
  readonly start: number
  readonly seen: Seen
}

/**
 * Walks from the IPv6 header on: `protocol` is its next header, found at `protocolAt` in `range.bytes`, and `range.start` is behind it. At most `limit`
 * headers are read (rfc: 8504 §5.3 MAY).
 */
export const walk = (protocol: number, protocolAt: number, range: Range, limit: number): Verdict => {
  const place: Place = { protocol, protocolAt, start: range.start, seen: unseen }
  if (protocol !== IpProtocol.hopByHop) return walkOn(place, range, limit)
  if (limit === 0) return tooMany
  const next = pass(place, range)
  return "_tag" in next ? next : walkOn(next, range, limit - 1)
}

/**
 * Walks on in a packet that was put together from fragments: `protocol` is what the first one's fragment header says of what follows, and `seen` what
 * the headers before it have told.
 */
export const resume = (protocol: number, protocolAt: number, seen: Seen, range: Range, limit: number): Verdict =>
  walkOn({ protocol, protocolAt, start: range.start, seen: { ...seen, hasFragmentHeader: true } }, range, limit)

const walkOn = (from: Place, range: Range, limit: number): Verdict => {
  let place = from
  for (let left = limit; Ipv6Extension.isExtension(place.protocol); left--) {
    if (left <= 0) return tooMany
    // rfc: 8200 §4, §4.1: hop-by-hop options are known in one place only
    if (place.protocol === IpProtocol.hopByHop) {
      return { _tag: "Problem", code: unrecognizedNextHeader, at: place.protocolAt, evenToGroup: false }
    }
    const next = pass(place, range)
    if ("_tag" in next) return next
    place = next
  }
  return place.protocol === IpProtocol.noNextHeader ? nothing : { _tag: "UpperLayer", ...place }
}

/** Behind the header that stands at a place, unless that ends the walk. */
const pass = (place: Place, { bytes, end }: Range): Place | Verdict => {
  const header = Ipv6Extension.parse(place.protocol, bytes, place.start, end)
  if (Malformed.isMalformed(header)) return { _tag: "Drop", reason: "Malformed", detail: header.detail }
  // Each of them begins with the number of the next.
  const next: Place = {
    protocol: header.protocol,
    protocolAt: place.start,
    start: header.payloadStart,
    seen: place.seen
  }
  switch (header._tag) {
    case "HopByHop":
      return header.unrecognized === undefined
        ? { ...next, seen: { ...next.seen, routerAlert: header.routerAlert } }
        : judge(header.unrecognized)
    case "DestinationOptions":
      return header.unrecognized === undefined ? next : judge(header.unrecognized)
    case "Routing":
      // rfc: 8200 §4.4, 5095 §3 MUST NOT: no type of route is followed; one that has been followed to its end is skipped
      return header.segmentsLeft === 0
        ? next
        : { _tag: "Problem", code: badField, at: header.typeAt, evenToGroup: false }
    case "Fragment":
      // rfc: 8200 §4.5, 6946 §4 MUST: a fragment that is the whole is taken by itself
      return header.fragmentOffset === 0 && !header.moreFragments
        ? { ...next, seen: { ...next.seen, hasFragmentHeader: true } }
        : { _tag: "Fragment", header, at: place.start, protocolAt: place.protocolAt, seen: place.seen }
  }
}

/** rfc: 8200 §4.2: the type of an option says what to do if it is not known. */
const judge = ({ action, at }: Ipv6Extension.Unrecognized): Verdict =>
  action === Ipv6Extension.Action.discard
    ? refusedOption
    : { _tag: "Problem", code: unrecognizedOption, at, evenToGroup: action === Ipv6Extension.Action.answer }

/** Bytes of the headers that must not be cut; other protocols' are not known. */
const upperLayerLength = (protocol: number): number => {
  switch (protocol) {
    case IpProtocol.tcp:
      return 20
    case IpProtocol.udp:
    case IpProtocol.icmpv6:
      return 8
    default:
      return 0
  }
}

/**
 * Whether a first fragment holds all headers up to that of the upper layer (rfc: 8200 §4.5, 7112 §5 SHOULD). If not it is discarded, and answered with a
 * parameter problem of code 3 that points at the packet's first octet. `range` is what stands behind the fragment header, whose next header is `protocol`.
 */
export const isComplete = (protocol: number, { bytes, end, start }: Range): boolean => {
  const upper = Ipv6Extension.upperLayer(protocol, bytes, start, end)
  return upper !== undefined && end - upper.start >= upperLayerLength(upper.protocol)
}
