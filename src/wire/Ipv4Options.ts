/**
 * The options of an IPv4 header (RFC 791 §3.1, RFC 2113 router alert; what to make of them: RFC 7126).
 *
 *     +-----------+----------+------------ - -
 *     | C cls num | length   | data                C: to be copied into every fragment
 *     +-----------+----------+------------ - -
 *     0 (end of list) and 1 (no operation) are single octets
 *
 * A host reads them to answer with a parameter problem that points at the bad octet (RFC 1122 §3.2.2.5), to notice a
 * source route, and to see a router alert.
 */
import * as Address from "./Address.ts"
import * as Malformed from "./Malformed.ts"
import type * as Piece from "./Piece.ts"
import * as Word from "./Word.ts"

/** The option-type octets. */
export const Type = {
  endOfList: 0,
  noOperation: 1,
  recordRoute: 7,
  timestamp: 68,
  security: 130,
  looseSourceRoute: 131,
  strictSourceRoute: 137,
  routerAlert: 148
} as const

/** One option; `start` to `end` covers its type, length and data. */
export type Option =
  & (
    /** rfc: 2113 §2.1; 0 asks every router to look at the packet. */
    | { readonly _tag: "RouterAlert"; readonly value: number }
    /** Addresses that were recorded so far; `full` when there is no room for another. */
    | { readonly _tag: "RecordRoute"; readonly addresses: ReadonlyArray<Address.Ipv4>; readonly full: boolean }
    /** The whole route; `next` is the index of the first hop not yet visited, so `next === route.length` means that it has arrived. */
    | {
      readonly _tag: "SourceRoute"
      readonly strict: boolean
      readonly route: ReadonlyArray<Address.Ipv4>
      readonly next: number
    }
    /** `flag` 0: times, 1: addresses and times, 3: only of the addresses listed. */
    | { readonly _tag: "Timestamp"; readonly flag: number; readonly overflow: number; readonly full: boolean }
    | { readonly _tag: "Unknown" }
  )
  & { readonly type: number; readonly start: number; readonly end: number }

const headerLength = 20
const maximumOptionsLength = 40

// One verdict for each octet that an answer can point at, made once.
const badAt: ReadonlyArray<Malformed.Malformed> = Array.from(
  { length: maximumOptionsLength + 1 },
  (_, offset) => Malformed.make("Ipv4", "BadOption", "option", { code: 0, pointer: headerLength + offset })
)

const bad = (offset: number): Malformed.Malformed => badAt[Math.min(offset, maximumOptionsLength)]!

const addresses = (bytes: Uint8Array, start: number, end: number): ReadonlyArray<Address.Ipv4> => {
  const found: Array<Address.Ipv4> = []
  for (let at = start; at + 4 <= end; at += 4) found.push(Address.readV4(bytes, at))
  return found
}

/** Offset within the option of the first octet that breaks a rule of RFC 791 §3.1; -1 if there is none. */
const fault = (bytes: Uint8Array, start: number, length: number): number => {
  switch (bytes[start]) {
    case Type.routerAlert:
      // rfc: 2113 §2.1
      return length === 4 ? -1 : 1
    case Type.recordRoute:
    case Type.looseSourceRoute:
    case Type.strictSourceRoute: {
      if (length < 3 || (length - 3) % 4 !== 0) return 1
      const pointer = bytes[start + 2]!
      return pointer >= 4 && pointer % 4 === 0 ? -1 : 2
    }
    case Type.timestamp: {
      if (length < 4) return 1
      if (bytes[start + 2]! < 5) return 2
      const flag = bytes[start + 3]! & 0xf
      return flag === 0 || flag === 1 || flag === 3 ? -1 : 3
    }
    default:
      return -1
  }
}

const read = (bytes: Uint8Array, start: number, end: number): Option => {
  const type = bytes[start]!
  const length = end - start
  switch (type) {
    case Type.routerAlert:
      return { _tag: "RouterAlert", type, start, end, value: Word.read16(bytes, start + 2) }
    case Type.recordRoute: {
      const pointer = Math.min(bytes[start + 2]!, length + 1)
      const recorded = addresses(bytes, start + 3, start + pointer - 1)
      return { _tag: "RecordRoute", type, start, end, addresses: recorded, full: pointer > length }
    }
    case Type.looseSourceRoute:
    case Type.strictSourceRoute: {
      const route = addresses(bytes, start + 3, end)
      const next = Math.min((bytes[start + 2]! - 4) >>> 2, route.length)
      return { _tag: "SourceRoute", type, start, end, strict: type === Type.strictSourceRoute, route, next }
    }
    case Type.timestamp: {
      const last = bytes[start + 3]!
      return {
        _tag: "Timestamp",
        type,
        start,
        end,
        flag: last & 0xf,
        overflow: last >>> 4,
        full: bytes[start + 2]! > length
      }
    }
    default:
      return { _tag: "Unknown", type, start, end }
  }
}

/** Walks the options of a header; the verdict carries the parameter problem that answers the packet. */
export const parse = (bytes: Uint8Array, start: number, end: number): ReadonlyArray<Option> | Malformed.Malformed => {
  const options: Array<Option> = []
  let at = start
  while (at < end && bytes[at] !== Type.endOfList) {
    if (bytes[at] === Type.noOperation) {
      at++
      continue
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0
    if (length < 2 || length > end - at) return bad(at + 1 < end ? at + 1 - start : at - start)
    const octet = fault(bytes, at, length)
    if (octet >= 0) return bad(at + octet - start)
    options.push(read(bytes, at, at + length))
    at += length
  }
  return options
}

/** The router alert that IGMP messages carry (RFC 2113 §2.1, RFC 3376 §4). */
export const routerAlert: Piece.Piece = Object.freeze({
  bytes: Uint8Array.of(Type.routerAlert, 4, 0, 0),
  start: 0,
  end: 4
})

/** Of well-formed options those that every fragment carries, not only the first (RFC 791 §3.1, copied flag). */
export const copied = (options: Piece.Piece): Uint8Array => {
  const kept: Array<number> = []
  const all = parse(options.bytes, options.start, options.end)
  if (Malformed.isMalformed(all)) return new Uint8Array(0)
  for (const option of all) {
    if ((option.type & 0x80) !== 0) kept.push(...options.bytes.slice(option.start, option.end))
  }
  return Uint8Array.from(kept)
}
