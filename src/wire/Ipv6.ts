/**
 * IPv6 headers (RFC 8200 §3; traffic class RFC 2474 and RFC 3168, flow label RFC 6437).
 *
 *     +-------+---------------+---------------------------------------+
 *     |   6   | traffic class |              flow label               |
 *     +-------+---------------+-------+---------------+---------------+
 *     |        payload length         |  next header  |   hop limit   |
 *     +-------------------------------+---------------+---------------+
 *     |                       source, four words                      |
 *     +---------------------------------------------------------------+
 *     |                    destination, four words                    |
 *     +---------------------------------------------------------------+
 *
 * Field names are those of `Ipv4.ts` where both mean the same. Extension headers are part of the payload: `Ipv6Extension.ts`.
 */
import * as Address from "./Address.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

export interface Fields {
  readonly source: Address.Ipv6
  readonly destination: Address.Ipv6
  readonly hopLimit: number
  /** DSCP in the upper six bits, ECN in the lower two. */
  readonly trafficClass: number
  /** 20 bits, 0 for none. */
  readonly flowLabel: number
  /** Of the payload, which may begin with an extension header; see `IpProtocol.ts`. */
  readonly protocol: number
  /** All behind this header, extension headers included, in bytes. */
  readonly payloadLength: number
}

export interface Header extends Fields {
  readonly version: 6
  readonly payloadStart: number
  /** By the payload length: what lies behind it is the link's padding. */
  readonly payloadEnd: number
}

export const headerLength = 40
/** The largest payload; jumbograms (RFC 2675) are not spoken. */
export const maximumPayloadLength = 0xffff
/** Every link carries packets of this size (RFC 8200 §5). */
export const minimumMtu = 1280

const truncated = Malformed.make("Ipv6", "Truncated", "shorter than its header or its payload length")
const badVersion = Malformed.make("Ipv6", "BadVersion", "version is not 6")

export const parse = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed => {
  if (end - start < headerLength) return truncated
  const first = Word.read32(bytes, start)
  if (first >>> 28 !== 6) return badVersion
  const payloadLength = Word.read16(bytes, start + 4)
  const payloadStart = start + headerLength
  if (payloadLength > end - payloadStart) return truncated
  return {
    version: 6,
    source: Address.readV6(bytes, start + 8),
    destination: Address.readV6(bytes, start + 24),
    hopLimit: bytes[start + 7]!,
    trafficClass: (first >>> 20) & 0xff,
    flowLabel: first & 0xf_ffff,
    protocol: bytes[start + 6]!,
    payloadLength,
    payloadStart,
    payloadEnd: payloadStart + payloadLength
  }
}

export const size = (_header: Fields): number => headerLength

export const emit = (header: Fields, bytes: Uint8Array, at: number): number => {
  Word.write32((6 << 28) | (header.trafficClass << 20) | header.flowLabel, bytes, at)
  Word.write16(header.payloadLength, bytes, at + 4)
  bytes[at + 6] = header.protocol
  bytes[at + 7] = header.hopLimit
  Address.writeV6(header.source, bytes, at + 8)
  Address.writeV6(header.destination, bytes, at + 24)
  return at + headerLength
}
