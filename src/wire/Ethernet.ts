/**
 * Ethernet II frames (RFC 894 §1, IEEE 802.3 §3).
 *
 *      0         6         12     14
 *     +---------+---------+------+----------- - -
 *     | to      | from    | type | payload, perhaps padded
 *     +---------+---------+------+----------- - -
 *
 * The frame check sequence is the link's matter and never seen here.
 */
import * as Mac from "./Mac.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

/** What the payload is. Values below 0x600 are an IEEE 802.3 length, which this stack does not speak. */
export const EtherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd
} as const

export interface Fields {
  readonly destination: Mac.Mac
  readonly source: Mac.Mac
  /** One of {@link EtherType}, or any other 16-bit number. */
  readonly type: number
}

/** A received header. The payload may have padding behind it (frames are at least 60 bytes), so lengths inside decide. */
export interface Header extends Fields {
  readonly payloadStart: number
  readonly payloadEnd: number
}

export const headerLength = 14

const truncated = Malformed.make("Ethernet", "Truncated", "shorter than 14 bytes")

export const parse = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed => {
  if (end - start < headerLength) return truncated
  return {
    destination: Mac.read(bytes, start),
    source: Mac.read(bytes, start + 6),
    type: Word.read16(bytes, start + 12),
    payloadStart: start + headerLength,
    payloadEnd: end
  }
}

export const size = (_header: Fields): number => headerLength

export const emit = (header: Fields, bytes: Uint8Array, at: number): number => {
  Mac.write(header.destination, bytes, at)
  Mac.write(header.source, bytes, at + 6)
  Word.write16(header.type, bytes, at + 12)
  return at + headerLength
}
