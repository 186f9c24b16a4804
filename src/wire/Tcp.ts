/**
 * TCP headers (RFC 9293 §3.1).
 *
 *     +-------------------------------+-------------------------------+
 *     |          source port          |       destination port        |
 *     +-------------------------------+-------------------------------+
 *     |                        sequence number                        |
 *     +---------------------------------------------------------------+
 *     |                     acknowledgment number                     |
 *     +-------+-----+-----------------+-------------------------------+
 *     | offset|  0  |A|C|E|U|A|P|R|S|F|            window             |
 *     |       |     |E|W|C|R|C|S|S|Y|I|                               |
 *     |       |     | |R|E|G|K|H|T|N|N|                               |
 *     +-------+-----+-----------------+-------------------------------+
 *     |           checksum            |        urgent pointer         |
 *     +-------------------------------+-------------------------------+
 *     |                 options, padded to four octets                |
 *     +---------------------------------------------------------------+
 *
 * The checksum is verified apart from parsing, since a link may vouch for it.
 */
import * as Checksum from "./Checksum.ts"
import * as Malformed from "./Malformed.ts"
import type { Sequence } from "./Sequence.ts"
import * as TcpOptions from "./TcpOptions.ts"
import * as Word from "./Word.ts"

/** The control bits, as they stand in the header. */
export const FIN = 0x001
export const SYN = 0x002
export const RST = 0x004
export const PSH = 0x008
export const ACK = 0x010
export const URG = 0x020
/** ECN echo (RFC 3168 §6.1). */
export const ECE = 0x040
/** Congestion window reduced (RFC 3168 §6.1). */
export const CWR = 0x080
/** Accurate ECN (RFC 9768 §3.1), the former nonce sum. */
export const AE = 0x100

export interface Fields {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: Sequence
  /** Meaningful with {@link ACK} only. */
  readonly acknowledgment: Sequence
  /** Control bits, or'ed. */
  readonly flags: number
  /** As it stands in the header, not scaled. */
  readonly window: number
  /** As it stands in the header. To send, it is the folded pseudo-header sum with which the checksum is completed. */
  readonly checksum: number
  readonly urgentPointer: number
  readonly options: TcpOptions.Options
}

export interface Header extends Fields {
  /** With its options, in bytes: 20 to 60. */
  readonly headerLength: number
  readonly payloadStart: number
  readonly payloadEnd: number
}

export const minimumHeaderLength = 20
export const maximumHeaderLength = 60
/** Offset of the checksum from the start of the header. */
export const checksumOffset = 16

const truncated = Malformed.make("Tcp", "Truncated", "shorter than its header")
const badOffset = Malformed.make("Tcp", "BadLength", "data offset below 5")

/** Reads a header; the segment fills `bytes[start..end)`, as the IP header says. */
export const parse = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed => {
  const available = end - start
  if (available < minimumHeaderLength) return truncated
  const control = Word.read16(bytes, start + 12)
  const headerLength = (control >>> 10) & 0x3c
  if (headerLength < minimumHeaderLength) return badOffset
  if (headerLength > available) return truncated
  const payloadStart = start + headerLength
  const options = TcpOptions.parse(bytes, start + minimumHeaderLength, payloadStart)
  if (Malformed.isMalformed(options)) return options
  return {
    sourcePort: Word.read16(bytes, start),
    destinationPort: Word.read16(bytes, start + 2),
    sequence: Word.read32(bytes, start + 4),
    acknowledgment: Word.read32(bytes, start + 8),
    flags: control & 0x1ff,
    // rfc: 9293 §3.1 MUST-1: without a sign.
    window: Word.read16(bytes, start + 14),
    checksum: Word.read16(bytes, start + checksumOffset),
    urgentPointer: Word.read16(bytes, start + 18),
    options,
    headerLength,
    payloadStart,
    payloadEnd: end
  }
}

/** Whether the segment is intact (rfc: 9293 §3.1 MUST-3); `pseudoSum` is made with the length of header and payload. */
export const verify = (bytes: Uint8Array, header: Header, pseudoSum: number): boolean =>
  Checksum.verify(bytes, header.payloadStart - header.headerLength, header.payloadEnd, pseudoSum)

/** Of the header with its options, in bytes. */
export const size = (header: Fields): number => minimumHeaderLength + TcpOptions.size(header.options)

export const emit = (header: Fields, bytes: Uint8Array, at: number): number => {
  const end = TcpOptions.emit(header.options, bytes, at + minimumHeaderLength)
  Word.write16(header.sourcePort, bytes, at)
  Word.write16(header.destinationPort, bytes, at + 2)
  Word.write32(header.sequence, bytes, at + 4)
  Word.write32(header.acknowledgment, bytes, at + 8)
  // RFC 9293 §3.1: the three reserved bits go out as zero.
  Word.write16(((end - at) << 10) | (header.flags & 0x1ff), bytes, at + 12)
  Word.write16(header.window, bytes, at + 14)
  Word.write16(header.checksum, bytes, at + checksumOffset)
  Word.write16(header.urgentPointer, bytes, at + 18)
  return end
}

/** Payload bytes of the segment. */
export const payloadLength = (header: Header): number => header.payloadEnd - header.payloadStart

/** Sequence space that the segment takes: its payload, and one each for SYN and FIN (SEG.LEN, RFC 9293 §3.4). */
export const segmentLength = (header: Header): number =>
  header.payloadEnd - header.payloadStart + ((header.flags >>> 1) & 1) + (header.flags & 1)
