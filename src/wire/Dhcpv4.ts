/**
 * DHCP messages (RFC 2131 §2). Their options: `DhcpOptions.ts`.
 *
 *       0       1       2       3
 *     +-------+-------+-------+-------+
 *     | op    | htype | hlen  | hops  |     0
 *     +-------+-------+-------+-------+
 *     | transaction identifier        |     4
 *     +---------------+---------------+
 *     | seconds       | B, flags      |     8
 *     +---------------+---------------+
 *     | ciaddr, yiaddr, siaddr, giaddr|    12
 *     +-------------------------------+
 *     | chaddr, 16 octets             |    28
 *     +-------------------------------+
 *     | sname, 64 octets; file, 128   |    44, 108
 *     +-------------------------------+
 *     | 0x63825363, options           |   236
 *     +-------------------------------+
 *
 * Ethernet addresses only. The names of the servers' boot files are not read: they belong to BOOTP.
 */
import * as Address from "./Address.ts"
import * as DhcpOptions from "./DhcpOptions.ts"
import * as Mac from "./Mac.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

export const Operation = { request: 1, reply: 2 } as const

export const serverPort = 67
export const clientPort = 68

export interface Message {
  /** One of {@link Operation}. */
  readonly operation: number
  readonly hops: number
  /** As int32. */
  readonly transaction: number
  /** Since the client began. */
  readonly seconds: number
  /** The client can't take unicast yet (rfc: 2131 §4.1). */
  readonly broadcast: boolean
  /** ciaddr: what the client already uses. */
  readonly clientAddress: Address.Ipv4
  /** yiaddr: what the server gives. */
  readonly yourAddress: Address.Ipv4
  /** siaddr */
  readonly nextServer: Address.Ipv4
  /** giaddr */
  readonly relayAgent: Address.Ipv4
  /** chaddr */
  readonly clientMac: Mac.Mac
  readonly options: DhcpOptions.Options
}

const cookie = 0x6382_5363
const fixedLength = 240
/** BOOTP messages had this size, and relays may drop shorter ones (RFC 1542 §2.1). */
const minimumLength = 300

const truncated = Malformed.make("Dhcp", "Truncated", "shorter than 240 bytes")
const badOperation = Malformed.make("Dhcp", "BadField", "neither request nor reply")
const badHardware = Malformed.make("Dhcp", "BadField", "hardware is not Ethernet")
const badCookie = Malformed.make("Dhcp", "BadField", "no magic cookie")

/** Reads a message that fills `bytes[start..end)`, the payload of a datagram. */
export const parse = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  if (end - start < fixedLength) return truncated
  const operation = bytes[start]!
  if (operation !== Operation.request && operation !== Operation.reply) return badOperation
  if (bytes[start + 1] !== 1 || bytes[start + 2] !== 6) return badHardware
  if (Word.read32(bytes, start + 236) !== cookie) return badCookie
  const options = DhcpOptions.parse(
    bytes,
    { start: start + fixedLength, end },
    { start: start + 108, end: start + 236 },
    { start: start + 44, end: start + 108 }
  )
  if (Malformed.isMalformed(options)) return options
  return {
    operation,
    hops: bytes[start + 3]!,
    transaction: Word.read32(bytes, start + 4),
    seconds: Word.read16(bytes, start + 8),
    broadcast: (bytes[start + 10]! & 0x80) !== 0,
    clientAddress: Address.readV4(bytes, start + 12),
    yourAddress: Address.readV4(bytes, start + 16),
    nextServer: Address.readV4(bytes, start + 20),
    relayAgent: Address.readV4(bytes, start + 24),
    clientMac: Mac.read(bytes, start + 28),
    options
  }
}

/** With padding up to the length that every relay carries. */
export const size = (message: Message): number =>
  Math.max(minimumLength, fixedLength + DhcpOptions.size(message.options))

export const emit = (message: Message, bytes: Uint8Array, at: number): number => {
  const end = at + size(message)
  bytes.fill(0, at, at + fixedLength)
  bytes[at] = message.operation
  bytes[at + 1] = 1
  bytes[at + 2] = 6
  bytes[at + 3] = message.hops
  Word.write32(message.transaction, bytes, at + 4)
  Word.write16(message.seconds, bytes, at + 8)
  bytes[at + 10] = message.broadcast ? 0x80 : 0
  Address.writeV4(message.clientAddress, bytes, at + 12)
  Address.writeV4(message.yourAddress, bytes, at + 16)
  Address.writeV4(message.nextServer, bytes, at + 20)
  Address.writeV4(message.relayAgent, bytes, at + 24)
  Mac.write(message.clientMac, bytes, at + 28)
  Word.write32(cookie, bytes, at + 236)
  bytes.fill(0, DhcpOptions.emit(message.options, bytes, at + fixedLength), end)
  return end
}
