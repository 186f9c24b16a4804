/**
 * UDP headers (RFC 768; over IPv6 also RFC 8200 §8.1).
 *
 *      0             2             4             6             8
 *     +-------------+-------------+-------------+-------------+-------- - -
 *     | source port | dest. port  | length      | checksum    | payload
 *     +-------------+-------------+-------------+-------------+-------- - -
 *
 * The checksum is verified apart from parsing, since a link may vouch for it.
 */
import * as Checksum from "./Checksum.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

export interface Fields {
  readonly sourcePort: number
  readonly destinationPort: number
  /** Header and payload in bytes. */
  readonly length: number
  /**
   * As it stands in the header. To send, it is the folded pseudo-header sum with which the checksum is completed, or 0
   * for none (IPv4 only).
   */
  readonly checksum: number
}

export interface Header extends Fields {
  readonly payloadStart: number
  readonly payloadEnd: number
}

export const headerLength = 8
/** Offset of the checksum from the start of the header. */
export const checksumOffset = 6

const truncated = Malformed.make("Udp", "Truncated", "shorter than its header or its length")
const badLength = Malformed.make("Udp", "BadLength", "length below 8")

/** Reads a header; what lies behind its length is not part of the datagram. */
export const parse = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed => {
  if (end - start < headerLength) return truncated
  const length = Word.read16(bytes, start + 4)
  if (length < headerLength) return badLength
  if (length > end - start) return truncated
  return {
    sourcePort: Word.read16(bytes, start),
    destinationPort: Word.read16(bytes, start + 2),
    length,
    checksum: Word.read16(bytes, start + checksumOffset),
    payloadStart: start + headerLength,
    payloadEnd: start + length
  }
}

/** The sender computed no checksum: accepted over IPv4 (RFC 768), to be discarded over IPv6 (RFC 8200 §8.1). */
export const isUnprotected = (header: Fields): boolean => header.checksum === 0

/**
 * Whether the datagram is intact, or its sender computed no checksum (see {@link isUnprotected}). `pseudoSum` is made with
 * `header.length`.
 */
export const verify = (bytes: Uint8Array, header: Header, pseudoSum: number): boolean =>
  header.checksum === 0 || Checksum.verify(bytes, header.payloadStart - headerLength, header.payloadEnd, pseudoSum)

export const size = (_header: Fields): number => headerLength

export const emit = (header: Fields, bytes: Uint8Array, at: number): number => {
  Word.write16(header.sourcePort, bytes, at)
  Word.write16(header.destinationPort, bytes, at + 2)
  Word.write16(header.length, bytes, at + 4)
  Word.write16(header.checksum, bytes, at + checksumOffset)
  return at + headerLength
}
