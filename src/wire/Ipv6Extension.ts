/**
 * IPv6 extension headers (RFC 8200 §4; router alert RFC 2711).
 *
 *     hop-by-hop, destination   | next | length | options ...                          |
 *     routing                   | next | length | type | segments left | data ...      |
 *     fragment                  | next |   0    | offset / 8, M | identification       |
 *
 * `length` counts eight-octet units after the first. What a node must answer with a parameter problem carries the offset of
 * the octet to point at, in `bytes`: the pointer is its distance from the start of the IPv6 header.
 */
import * as IpProtocol from "./IpProtocol.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

/** What to do about an option that is not known, by the upper two bits of its type (RFC 8200 §4.2); 0 is to skip it. */
export const Action = {
  discard: 1,
  answer: 2,
  /** Answers unless the packet went to a group. */
  answerUnlessGroup: 3
} as const

export interface Unrecognized {
  readonly action: number
  /** Where the option's type stands. */
  readonly at: number
}

interface OptionsFields<Tag extends string> {
  readonly _tag: Tag
  /** Of what follows. */
  readonly protocol: number
  /** rfc: 2711 §2.1; 0 announces MLD. */
  readonly routerAlert: number | undefined
}

export interface FragmentFields {
  readonly _tag: "Fragment"
  readonly protocol: number
  /** In bytes, a multiple of eight. */
  readonly fragmentOffset: number
  readonly moreFragments: boolean
  /** As int32. */
  readonly identification: number
}

/** Headers that this stack sends. */
export type Fields = OptionsFields<"HopByHop"> | OptionsFields<"DestinationOptions"> | FragmentFields

interface Range {
  readonly payloadStart: number
  readonly payloadEnd: number
}

export type OptionsHeader =
  & (OptionsFields<"HopByHop"> | OptionsFields<"DestinationOptions">)
  & Range
  /** The first option that is neither known nor to be skipped. */
  & { readonly unrecognized: Unrecognized | undefined }

export type FragmentHeader = FragmentFields & Range

export interface RoutingHeader extends Range {
  readonly _tag: "Routing"
  readonly protocol: number
  readonly routingType: number
  /** With 0 the header is skipped whatever its type, otherwise an unknown type is answered (rfc: 8200 §4.4, rfc: 5095 §3). */
  readonly segmentsLeft: number
  /** Where the routing type stands. */
  readonly typeAt: number
}

export type Header = OptionsHeader | RoutingHeader | FragmentHeader

const truncated = Malformed.make("Ipv6", "Truncated", "shorter than its extension headers")
const badOption = Malformed.make("Ipv6", "BadOption", "an option is longer than its header")
const notAnExtension = Malformed.make("Ipv6", "BadField", "not an extension header")

const OptionType = { pad1: 0, padN: 1, routerAlert: 5 } as const
const routerAlertLength = 2
const unit = 8

/** Whether a protocol number names one of the headers here. */
export const isExtension = (protocol: number): boolean =>
  protocol === IpProtocol.hopByHop || protocol === IpProtocol.routing || protocol === IpProtocol.fragment ||
  protocol === IpProtocol.destinationOptions

const parseOptions = (
  _tag: "HopByHop" | "DestinationOptions",
  bytes: Uint8Array,
  start: number,
  payloadStart: number,
  payloadEnd: number
): OptionsHeader | Malformed.Malformed => {
  let routerAlert: number | undefined = undefined
  let unrecognized: Unrecognized | undefined = undefined
  let at = start + 2
  while (at < payloadStart) {
    const type = bytes[at]!
    if (type === OptionType.pad1) {
      at++
      continue
    }
    const next = at + 2 + (at + 1 < payloadStart ? bytes[at + 1]! : payloadStart)
    if (next > payloadStart) return badOption
    if (type === OptionType.routerAlert && next - at === 2 + routerAlertLength) {
      routerAlert = Word.read16(bytes, at + 2)
    } else if (type !== OptionType.padN && type >>> 6 !== 0) {
      unrecognized ??= { action: type >>> 6, at }
    }
    at = next
  }
  return { _tag, protocol: bytes[start]!, routerAlert, unrecognized, payloadStart, payloadEnd }
}

const parseFragment = (bytes: Uint8Array, start: number, payloadEnd: number): FragmentHeader => {
  const field = Word.read16(bytes, start + 2)
  return {
    _tag: "Fragment",
    protocol: bytes[start]!,
    fragmentOffset: field & 0xfff8,
    moreFragments: (field & 1) !== 0,
    identification: Word.read32(bytes, start + 4),
    payloadStart: start + unit,
    payloadEnd
  }
}

/** Reads the extension header of number `protocol` that stands at `start`. */
export const parse = (
  protocol: number,
  bytes: Uint8Array,
  start: number,
  end: number
): Header | Malformed.Malformed => {
  if (end - start < unit) return truncated
  if (protocol === IpProtocol.fragment) return parseFragment(bytes, start, end)
  const payloadStart = start + unit * (bytes[start + 1]! + 1)
  if (payloadStart > end) return truncated
  switch (protocol) {
    case IpProtocol.hopByHop:
      return parseOptions("HopByHop", bytes, start, payloadStart, end)
    case IpProtocol.destinationOptions:
      return parseOptions("DestinationOptions", bytes, start, payloadStart, end)
    case IpProtocol.routing:
      return {
        _tag: "Routing",
        protocol: bytes[start]!,
        routingType: bytes[start + 2]!,
        segmentsLeft: bytes[start + 3]!,
        typeAt: start + 2,
        payloadStart,
        payloadEnd: end
      }
    default:
      return notAnExtension
  }
}

/** The protocol number by which the header before names this one. */
export const protocolOf = (header: Fields): number => {
  switch (header._tag) {
    case "HopByHop":
      return IpProtocol.hopByHop
    case "DestinationOptions":
      return IpProtocol.destinationOptions
    case "Fragment":
      return IpProtocol.fragment
  }
}

/** Each of the headers that are sent has one unit. */
export const size = (_header: Fields): number => unit

export const emit = (header: Fields, bytes: Uint8Array, at: number): number => {
  bytes[at] = header.protocol
  bytes[at + 1] = 0
  if (header._tag === "Fragment") {
    Word.write16((header.fragmentOffset & 0xfff8) | (header.moreFragments ? 1 : 0), bytes, at + 2)
    Word.write32(header.identification, bytes, at + 4)
    return at + unit
  }
  let padding = at + 2
  if (header.routerAlert !== undefined) {
    bytes[padding] = OptionType.routerAlert
    bytes[padding + 1] = routerAlertLength
    Word.write16(header.routerAlert, bytes, padding + 2)
    padding += 2 + routerAlertLength
  }
  bytes[padding] = OptionType.padN
  bytes[padding + 1] = at + unit - padding - 2
  bytes.fill(0, padding + 2, at + unit)
  return at + unit
}

/** What lies behind all extension headers. */
export interface UpperLayer {
  readonly protocol: number
  readonly start: number
  /** A fragment other than the first: there is no header of the upper layer. */
  readonly isLaterFragment: boolean
}

/**
 * Finds the upper layer of a packet that only is looked at, such as one quoted by an error; `undefined` if it is cut off before.
 * Options are not judged.
 */
export const upperLayer = (
  protocol: number,
  bytes: Uint8Array,
  start: number,
  end: number
): UpperLayer | undefined => {
  let next = protocol
  let at = start
  while (isExtension(next)) {
    const header = parse(next, bytes, at, end)
    if (Malformed.isMalformed(header)) return undefined
    if (header._tag === "Fragment" && header.fragmentOffset !== 0) {
      return { protocol: header.protocol, start: header.payloadStart, isLaterFragment: true }
    }
    next = header.protocol
    at = header.payloadStart
  }
  return { protocol: next, start: at, isLaterFragment: false }
}
