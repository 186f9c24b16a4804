/**
 * The packet that an ICMP error quotes: its IP header, whole, and at least the first eight octets behind it (RFC 792, RFC 1122 §3.2.2).
 *
 * It is the sender's own packet as the router saw it, cut at the end and perhaps with another hop limit and checksum, so only what tells
 * whose it was is read and nothing is verified.
 */
import * as Address from "./Address.ts"
import * as Ipv6Extension from "./Ipv6Extension.ts"
import * as Word from "./Word.ts"

export interface Quote {
  readonly version: Address.Version
  readonly source: Address.Address
  readonly destination: Address.Address
  /** Of the payload, see `IpProtocol.ts`. */
  readonly protocol: number
  /** In bytes; what is quoted of a fragment but the first says nothing about the transport. */
  readonly fragmentOffset: number
  /** Length of the packet as it was sent, header included. */
  readonly totalLength: number
  /** What is quoted of the payload. */
  readonly payloadStart: number
  readonly payloadEnd: number
}

/** Octets of payload that every error quotes (RFC 792). */
export const minimumPayload = 8

/** Reads an IPv4 header and finds what is quoted behind it; `undefined` if too little of the packet is there. */
export const parseV4 = (bytes: Uint8Array, start: number, end: number): Quote | undefined => {
  if (end - start < 20 || bytes[start]! >>> 4 !== 4) return undefined
  const headerLength = (bytes[start]! & 0xf) << 2
  const payloadStart = start + headerLength
  if (headerLength < 20 || end - payloadStart < minimumPayload) return undefined
  const totalLength = Word.read16(bytes, start + 2)
  return {
    version: 4,
    source: Address.readV4(bytes, start + 12),
    destination: Address.readV4(bytes, start + 16),
    protocol: bytes[start + 9]!,
    fragmentOffset: (Word.read16(bytes, start + 6) & 0x1fff) << 3,
    totalLength,
    payloadStart,
    // A quote may be padded, or have extensions behind it (RFC 4884 §5.1).
    payloadEnd: Math.max(payloadStart + minimumPayload, Math.min(end, start + totalLength))
  }
}

/** The same of an IPv6 packet, behind its extension headers; of a fragment but the first, only that it is one. */
export const parseV6 = (bytes: Uint8Array, start: number, end: number): Quote | undefined => {
  const chain = start + 40
  if (end < chain || bytes[start]! >>> 4 !== 6) return undefined
  const upper = Ipv6Extension.upperLayer(bytes[start + 6]!, bytes, chain, end)
  if (upper === undefined || end - upper.start < minimumPayload) return undefined
  return {
    version: 6,
    source: Address.readV6(bytes, start + 8),
    destination: Address.readV6(bytes, start + 24),
    protocol: upper.protocol,
    // Which of the later ones it is tells nothing.
    fragmentOffset: upper.isLaterFragment ? 8 : 0,
    totalLength: 40 + Word.read16(bytes, start + 4),
    payloadStart: upper.start,
    payloadEnd: end
  }
}
