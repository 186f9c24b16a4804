/**
 * One packet that is being put together from its fragments (RFC 791 §3.2, RFC 815, RFC 1122 §3.3.2, RFC 8200 §4.5; overlaps RFC 5722 §4).
 *
 *     offset  0        1480      2960      4440 = total
 *             [ part 0 ][       ][ part 2 ]|
 *                        missing          the last fragment told where it ends
 *
 * The strict rule of IPv6 holds for IPv4 too: two fragments that both say something about one octet, and are not the same fragment
 * twice, are no accident, so the whole packet is refused, and what comes later of it as well.
 */
import type * as Address from "../../wire/Address.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Ipv6Extension from "../../wire/Ipv6Extension.ts"
import * as Word from "../../wire/Word.ts"
import type { LinkId } from "../Device.ts"
import type { DropReason } from "../Drop.ts"
import type { Instant } from "../Time.ts"

/** What fragments must have in common to belong together (RFC 791 §3.2). */
export interface Key {
  readonly version: Address.Version
  readonly source: Address.Address
  readonly destination: Address.Address
  readonly protocol: number
  readonly identification: number
}

/** A range of the payload that has arrived. */
export interface Part {
  readonly offset: number
  readonly bytes: Uint8Array
}

export interface Incomplete extends Key {
  readonly link: LinkId
  /** Its place among all incomplete packets, by age. */
  readonly order: number
  readonly deadline: Instant
  /** When the last fragment came. */
  readonly receivedAt: Instant
  /** In order of offset, without overlaps. */
  readonly parts: ReadonlyArray<Part>
  readonly receivedBytes: number
  /** Payload bytes of the whole packet, once the last fragment has come. */
  readonly total: number | undefined
  /** The IP header of the first fragment, which becomes that of the whole; with IPv6, all headers before the fragment header. */
  readonly header: Uint8Array | undefined
  /** Where in `header` the number of what follows it stands. */
  readonly protocolAt: number
  /** Congestion marks that occurred, one bit for each of the four (RFC 3168 §5.3). */
  readonly marks: number
  readonly isGroup: boolean
  /** What the budget is charged for it. */
  readonly charged: number
  /** Refused for good: later fragments are dropped until the time is over. */
  readonly isRefused: boolean
}

/** A fragment as it came; its bytes are borrowed. */
export interface Fragment {
  readonly offset: number
  readonly isLast: boolean
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** Where a fragment goes: the index of its part, or why it has no place. A duplicate is harmless, any other refusal ends the packet. */
export type Placement = number | "Duplicate" | Extract<DropReason, "FragmentOverlap" | "FragmentTooLong">

const endOf = (part: Part): number => part.offset + part.bytes.length

/** Index of the first part that ends behind `offset`. */
const search = (parts: ReadonlyArray<Part>, offset: number): number => {
  let low = 0
  let high = parts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (endOf(parts[middle]!) > offset) high = middle
    else low = middle + 1
  }
  return low
}

const isSame = (part: Part, fragment: Fragment): boolean => {
  if (part.offset !== fragment.offset || part.bytes.length !== fragment.end - fragment.start) return false
  for (let i = 0, j = fragment.start; j < fragment.end; i++, j++) {
    if (part.bytes[i] !== fragment.bytes[j]) return false
  }
  return true
}

export const place = (self: Incomplete, fragment: Fragment): Placement => {
  const end = fragment.offset + fragment.end - fragment.start
  const index = search(self.parts, fragment.offset)
  const next = self.parts[index]
  if (next !== undefined && next.offset < end) return isSame(next, fragment) ? "Duplicate" : "FragmentOverlap"
  // Nothing may lie behind the end, and there is one end only.
  if (self.total !== undefined && (end > self.total || (fragment.isLast && end !== self.total))) {
    return "FragmentTooLong"
  }
  if (fragment.isLast && index < self.parts.length) return "FragmentTooLong"
  return index
}

/** With a copy of the fragment as the part at `index`. */
export const add = (self: Incomplete, index: number, fragment: Fragment, charged: number): Incomplete => {
  const bytes = fragment.bytes.slice(fragment.start, fragment.end)
  return {
    ...self,
    parts: [...self.parts.slice(0, index), { offset: fragment.offset, bytes }, ...self.parts.slice(index)],
    receivedBytes: self.receivedBytes + bytes.length,
    total: fragment.isLast ? fragment.offset + bytes.length : self.total,
    charged: self.charged + charged
  }
}

/** Parts don't overlap and lie within the total, so their sum tells whether anything is missing. */
export const isComplete = (self: Incomplete): boolean => self.receivedBytes === self.total && self.header !== undefined

/** The header of the first fragment and the payload in one piece. */
export const join = (self: Incomplete): Uint8Array => {
  const header = self.header ?? new Uint8Array(0)
  const bytes = new Uint8Array(header.length + self.receivedBytes)
  bytes.set(header)
  for (const part of self.parts) bytes.set(part.bytes, header.length + part.offset)
  return bytes
}

/** The first fragment as it came, to be quoted: an IPv6 one with its fragment header between (rfc: 8200 §4.5). */
export const firstOf = (self: Incomplete, header: Uint8Array, first: Part): Uint8Array => {
  const isV4 = self.version === 4
  const between = isV4 ? 0 : fragmentHeaderLength
  const bytes = new Uint8Array(header.length + between + first.bytes.length)
  bytes.set(header)
  bytes.set(first.bytes, header.length + between)
  if (isV4) return bytes
  const { identification, protocolAt } = self
  const fields = { _tag: "Fragment", protocol: header[protocolAt]!, fragmentOffset: 0, moreFragments: true } as const
  Ipv6Extension.emit({ ...fields, identification }, bytes, header.length)
  bytes[protocolAt] = IpProtocol.fragment
  Word.write16(bytes.length - 40, bytes, 4)
  return bytes
}

const fragmentHeaderLength = 8

/** Not ECN-capable, ECT(1), ECT(0) and congestion experienced, as bits of `marks`. */
const notCapable = 1 << 0
const congested = 1 << 3

export const markOf = (trafficClass: number): number => 1 << (trafficClass & 3)

/**
 * The congestion mark of the whole (RFC 3168 §5.3): congested if any fragment was; `undefined` if another of them was not capable of
 * the mark, which no honest network produces.
 */
export const trafficClassOf = (trafficClass: number, marks: number): number | undefined => {
  if ((marks & congested) === 0) return trafficClass
  return (marks & notCapable) === 0 ? trafficClass | 3 : undefined
}
