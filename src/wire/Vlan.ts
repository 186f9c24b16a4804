/**
 * The IEEE 802.1Q tag that follows an Ethernet header of type 0x8100 (IEEE 802.1Q-2018 §9.6).
 *
 *      3   1      12         16
 *     +---+-+------------+----------------+
 *     |PCP|D|    VID     | type           |
 *     +---+-+------------+----------------+
 */
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

export interface Fields {
  /** Priority code point, 0 to 7. */
  readonly priority: number
  readonly dropEligible: boolean
  /** The VLAN, 1 to 4094; 0 tags a priority only. */
  readonly identifier: number
  /** EtherType of what the tag wraps. */
  readonly type: number
}

export interface Header extends Fields {
  readonly payloadStart: number
  readonly payloadEnd: number
}

export const headerLength = 4

const truncated = Malformed.make("Vlan", "Truncated", "shorter than 4 bytes")
// IEEE 802.1Q-2018 table 9-2: 0xfff is reserved and must not be sent.
const reserved = Malformed.make("Vlan", "BadField", "VLAN 4095 is reserved")

export const parse = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed => {
  if (end - start < headerLength) return truncated
  const control = Word.read16(bytes, start)
  if ((control & 0xfff) === 0xfff) return reserved
  return {
    priority: control >>> 13,
    dropEligible: (control & 0x1000) !== 0,
    identifier: control & 0xfff,
    type: Word.read16(bytes, start + 2),
    payloadStart: start + headerLength,
    payloadEnd: end
  }
}

export const size = (_header: Fields): number => headerLength

export const emit = (header: Fields, bytes: Uint8Array, at: number): number => {
  Word.write16((header.priority << 13) | (header.dropEligible ? 0x1000 : 0) | header.identifier, bytes, at)
  Word.write16(header.type, bytes, at + 2)
  return at + headerLength
}
