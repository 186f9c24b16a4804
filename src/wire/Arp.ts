/**
 * ARP for IPv4 over Ethernet (RFC 826), with the probes and announcements of address conflict detection (RFC 5227).
 *
 *      0       2       4    5    6      8         14        18        24        28
 *     +-------+-------+----+----+------+---------+---------+---------+---------+
 *     | 1     | 0x800 | 6  | 4  | oper | sender  | sender  | target  | target  |
 *     |       |       |    |    |      | MAC     | IP      | MAC     | IP      |
 *     +-------+-------+----+----+------+---------+---------+---------+---------+
 */
import * as Address from "./Address.ts"
import * as Mac from "./Mac.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

export const Operation = { request: 1, reply: 2 } as const

export interface Header {
  /** One of {@link Operation}; others parse and are to be ignored. */
  readonly operation: number
  readonly senderMac: Mac.Mac
  readonly senderIp: Address.Ipv4
  readonly targetMac: Mac.Mac
  readonly targetIp: Address.Ipv4
}

export const packetLength = 28

const truncated = Malformed.make("Arp", "Truncated", "shorter than 28 bytes")
const foreign = Malformed.make("Arp", "BadField", "not IPv4 over Ethernet")

/** Hardware type 1, protocol type 0x0800, lengths 6 and 4, as two int32. */
const firstWord = 0x0001_0800
const lengths = 0x0604

export const parse = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed => {
  // RFC 826 §Packet Reception: hardware type, protocol and (optionally) both lengths are checked first.
  if (end - start < packetLength) return truncated
  if (Word.read32(bytes, start) !== firstWord || Word.read16(bytes, start + 4) !== lengths) return foreign
  return {
    operation: Word.read16(bytes, start + 6),
    senderMac: Mac.read(bytes, start + 8),
    senderIp: Address.readV4(bytes, start + 14),
    targetMac: Mac.read(bytes, start + 18),
    targetIp: Address.readV4(bytes, start + 24)
  }
}

export const size = (_header: Header): number => packetLength

export const emit = (header: Header, bytes: Uint8Array, at: number): number => {
  Word.write32(firstWord, bytes, at)
  Word.write16(lengths, bytes, at + 4)
  Word.write16(header.operation, bytes, at + 6)
  Mac.write(header.senderMac, bytes, at + 8)
  Address.writeV4(header.senderIp, bytes, at + 14)
  Mac.write(header.targetMac, bytes, at + 18)
  Address.writeV4(header.targetIp, bytes, at + 24)
  return at + packetLength
}

/** Who has `targetIp`? */
export const request = (senderMac: Mac.Mac, senderIp: Address.Ipv4, targetIp: Address.Ipv4): Header => ({
  operation: Operation.request,
  senderMac,
  senderIp,
  targetMac: Mac.zero,
  targetIp
})

/** `mac` has what `asked` asks for (RFC 826 §Packet Reception: swap the fields, put the own ones in the sender's). */
export const reply = (asked: Header, mac: Mac.Mac): Header => ({
  operation: Operation.reply,
  senderMac: mac,
  senderIp: asked.targetIp,
  targetMac: asked.senderMac,
  targetIp: asked.senderIp
})

/** Asks whether anybody uses `targetIp`, without claiming it (RFC 5227 §1.1: the sender's address is zero). */
export const probe = (senderMac: Mac.Mac, targetIp: Address.Ipv4): Header =>
  request(senderMac, Address.unspecifiedV4, targetIp)

/** Claims `ip` and refreshes everybody's cache (RFC 5227 §2.3: sender and target address are the same). */
export const announcement = (senderMac: Mac.Mac, ip: Address.Ipv4): Header => request(senderMac, ip, ip)

/** rfc: 5227 §1.1 */
export const isProbe = (header: Header): boolean =>
  header.operation === Operation.request && header.senderIp === Address.unspecifiedV4

/** rfc: 5227 §1.1 */
export const isAnnouncement = (header: Header): boolean =>
  header.operation === Operation.request && header.senderIp === header.targetIp &&
  header.senderIp !== Address.unspecifiedV4
