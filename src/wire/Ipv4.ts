/**
 * IPv4 headers (RFC 791 §3.1; DSCP of RFC 2474 and ECN of RFC 3168 in the old type-of-service octet).
 *
 *      0                   1                   2                   3
 *     +-------+-------+---------------+-------------------------------+
 *     |   4   |  IHL  | traffic class |         total length          |
 *     +-------+-------+---------------+-+-+-+-------------------------+
 *     |         identification          |0|D|M|   fragment offset / 8 |
 *     +---------------+---------------+-+-+-+-------------------------+
 *     |   hop limit   |   protocol    |        header checksum        |
 *     +---------------+---------------+-------------------------------+
 *     |                            source                             |
 *     +---------------------------------------------------------------+
 *     |                          destination                          |
 *     +---------------------------------------------------------------+
 *     |                options, padded to four octets                 |
 *     +---------------------------------------------------------------+
 *
 * Which addresses may occur where is the stack's business, not the codec's.
 */
import * as Address from "./Address.ts"
import * as Checksum from "./Checksum.ts"
import * as Malformed from "./Malformed.ts"
import * as Piece from "./Piece.ts"
import * as Word from "./Word.ts"

export interface Fields {
  readonly source: Address.Ipv4
  readonly destination: Address.Ipv4
  /** Time to live. */
  readonly hopLimit: number
  /** DSCP in the upper six bits, ECN in the lower two. */
  readonly trafficClass: number
  /** Of the payload, see `IpProtocol.ts`. */
  readonly protocol: number
  readonly identification: number
  readonly dontFragment: boolean
  readonly moreFragments: boolean
  /** In bytes, a multiple of eight. */
  readonly fragmentOffset: number
  /** Header and payload in bytes. */
  readonly totalLength: number
  /** The options as they stand in the header; emitting pads them to four octets. */
  readonly options: Piece.Piece | undefined
}

export interface Header extends Fields {
  readonly version: 4
  /** Of the header with its options, in bytes: 20 to 60. */
  readonly headerLength: number
  readonly payloadStart: number
  /** By the total length: what lies behind it is the link's padding. */
  readonly payloadEnd: number
}

export const minimumHeaderLength = 20
export const maximumHeaderLength = 60
/** The largest packet, by its 16-bit total length. */
export const maximumLength = 0xffff

const truncated = Malformed.make("Ipv4", "Truncated", "shorter than its header or its total length")
const badVersion = Malformed.make("Ipv4", "BadVersion", "version is not 4")
const badHeaderLength = Malformed.make("Ipv4", "BadLength", "header length below 20")
const badTotalLength = Malformed.make("Ipv4", "BadLength", "total length below header length")
const badChecksum = Malformed.make("Ipv4", "BadChecksum", "header checksum")

const dontFragmentBit = 0x4000
const moreFragmentsBit = 0x2000
const offsetMask = 0x1fff

/** Reads and verifies a header. None of the faults is answered (RFC 1122 §3.2.1.1, §3.2.1.2). */
export const parse = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed => {
  const available = end - start
  if (available < minimumHeaderLength) return truncated
  const first = Word.read16(bytes, start)
  // rfc: 1122 §3.2.1.1 a version other than 4 is discarded in silence
  if (first >>> 12 !== 4) return badVersion
  const headerLength = (first >>> 6) & 0x3c
  if (headerLength < minimumHeaderLength) return badHeaderLength
  if (available < headerLength) return truncated
  // rfc: 1122 §3.2.1.2 every header's checksum is verified, and a bad one discarded in silence
  if (!Checksum.verify(bytes, start, start + headerLength, 0)) return badChecksum
  const totalLength = Word.read16(bytes, start + 2)
  if (totalLength < headerLength) return badTotalLength
  if (available < totalLength) return truncated
  const fragment = Word.read16(bytes, start + 6)
  const payloadStart = start + headerLength
  return {
    version: 4,
    source: Address.readV4(bytes, start + 12),
    destination: Address.readV4(bytes, start + 16),
    hopLimit: bytes[start + 8]!,
    trafficClass: first & 0xff,
    protocol: bytes[start + 9]!,
    identification: Word.read16(bytes, start + 4),
    dontFragment: (fragment & dontFragmentBit) !== 0,
    moreFragments: (fragment & moreFragmentsBit) !== 0,
    fragmentOffset: (fragment & offsetMask) << 3,
    totalLength,
    options: headerLength === minimumHeaderLength
      ? undefined
      : { bytes, start: start + minimumHeaderLength, end: payloadStart },
    headerLength,
    payloadStart,
    payloadEnd: start + totalLength
  }
}

/** Of the header with its options, padded, in bytes. */
export const size = (header: Fields): number =>
  header.options === undefined ? minimumHeaderLength : minimumHeaderLength + ((Piece.size(header.options) + 3) & ~3)

/** Writes the header with its checksum. Options of more than 40 bytes are a mistake of the caller's. */
export const emit = (header: Fields, bytes: Uint8Array, at: number): number => {
  const end = at + size(header)
  bytes[at] = 0x40 | ((end - at) >>> 2)
  bytes[at + 1] = header.trafficClass
  Word.write16(header.totalLength, bytes, at + 2)
  Word.write16(header.identification, bytes, at + 4)
  const flags = (header.dontFragment ? dontFragmentBit : 0) | (header.moreFragments ? moreFragmentsBit : 0)
  Word.write16(flags | (header.fragmentOffset >>> 3), bytes, at + 6)
  bytes[at + 8] = header.hopLimit
  bytes[at + 9] = header.protocol
  Word.write16(0, bytes, at + 10)
  Address.writeV4(header.source, bytes, at + 12)
  Address.writeV4(header.destination, bytes, at + 16)
  if (header.options !== undefined) {
    // RFC 791 §3.1: what pads the options is zero, which is also the end-of-list option.
    bytes.fill(0, Piece.into(header.options, bytes, at + minimumHeaderLength), end)
  }
  Word.write16(Checksum.finish(Checksum.sum(bytes, at, end, 0)), bytes, at + 10)
  return end
}

/** A part of a datagram that has to be put together with others (RFC 791 §3.2). */
export const isFragment = (header: Fields): boolean => header.moreFragments || header.fragmentOffset !== 0
