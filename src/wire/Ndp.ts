/**
 * Messages of neighbour discovery (RFC 4861 §4; router preference RFC 4191 §2.2). Their options: `NdpOptions.ts`.
 *
 *     +------+------+----------+--------------------------+
 *     | type |  0   | checksum | flags, or lifetimes      |   router solicitation: 8 octets, advertisement: 16
 *     +------+------+----------+--------------------------+
 *     | target address, four words                        |   neighbour solicitation and advertisement: 24
 *     +---------------------------------------------------+
 *     | destination address, four words                   |   redirect: 40
 *     +---------------------------------------------------+
 *     | options                                           |
 *     +---------------------------------------------------+
 *
 * Reads whole ICMPv6 messages, whose checksum `Icmpv6.verify` has confirmed. What the message itself can break is judged
 * here (RFC 4861 §6.1, §7.1, §8.1); hop limit and addresses of the packet are the stack's.
 */
import * as Address from "./Address.ts"
import { Type } from "./Icmpv6.ts"
import * as Malformed from "./Malformed.ts"
import * as NdpOptions from "./NdpOptions.ts"
import * as Word from "./Word.ts"

export interface RouterSolicitation {
  readonly _tag: "RouterSolicitation"
  readonly options: NdpOptions.Options
}

export interface RouterAdvertisement {
  readonly _tag: "RouterAdvertisement"
  /** For packets to send; 0 says nothing. */
  readonly hopLimit: number
  /** Addresses by DHCPv6. */
  readonly managed: boolean
  /** Other configuration by DHCPv6. */
  readonly otherConfiguration: boolean
  readonly preference: NdpOptions.Preference
  /** As a default router, in seconds; 0 is none. */
  readonly routerLifetime: number
  /** In milliseconds; 0 says nothing. */
  readonly reachableTime: number
  /** In milliseconds; 0 says nothing. */
  readonly retransmitTimer: number
  readonly options: NdpOptions.Options
}

export interface NeighborSolicitation {
  readonly _tag: "NeighborSolicitation"
  readonly target: Address.Ipv6
  readonly options: NdpOptions.Options
}

export interface NeighborAdvertisement {
  readonly _tag: "NeighborAdvertisement"
  readonly isRouter: boolean
  readonly solicited: boolean
  readonly override: boolean
  readonly target: Address.Ipv6
  readonly options: NdpOptions.Options
}

export interface Redirect {
  readonly _tag: "Redirect"
  /** The better first hop; the destination itself if it is a neighbour. */
  readonly target: Address.Ipv6
  readonly destination: Address.Ipv6
  readonly options: NdpOptions.Options
}

export type Message =
  | RouterSolicitation
  | RouterAdvertisement
  | NeighborSolicitation
  | NeighborAdvertisement
  | Redirect

const truncated = Malformed.make("Ndp", "Truncated", "shorter than its fixed part")
const badType = Malformed.make("Ndp", "BadField", "not a message of neighbour discovery")
const badCode = Malformed.make("Ndp", "BadField", "code is not 0")
const groupTarget = Malformed.make("Ndp", "BadField", "target is a multicast address")

/** Octets before the options, by type; 0 for other types. */
const fixedLength = (type: number): number => {
  switch (type) {
    case Type.routerSolicitation:
      return 8
    case Type.routerAdvertisement:
      return 16
    case Type.neighborSolicitation:
    case Type.neighborAdvertisement:
      return 24
    case Type.redirect:
      return 40
    default:
      return 0
  }
}

const readAdvertisement = (bytes: Uint8Array, start: number, options: NdpOptions.Options): RouterAdvertisement => ({
  _tag: "RouterAdvertisement",
  hopLimit: bytes[start + 4]!,
  managed: (bytes[start + 5]! & 0x80) !== 0,
  otherConfiguration: (bytes[start + 5]! & 0x40) !== 0,
  preference: NdpOptions.preferenceOf((bytes[start + 5]! >>> 3) & 3),
  routerLifetime: Word.read16(bytes, start + 6),
  reachableTime: Word.read32(bytes, start + 8) >>> 0,
  retransmitTimer: Word.read32(bytes, start + 12) >>> 0,
  options
})

/** Messages that name a target; a group can't be one (rfc: 4861 §7.1.1, §7.1.2, §8.1). */
const readTargeted = (bytes: Uint8Array, start: number, options: NdpOptions.Options): Message | Malformed.Malformed => {
  const target = Address.readV6(bytes, start + 8)
  if (Address.isMulticast(target)) return groupTarget
  const flags = bytes[start + 4]!
  switch (bytes[start]) {
    case Type.neighborSolicitation:
      return { _tag: "NeighborSolicitation", target, options }
    case Type.neighborAdvertisement:
      return {
        _tag: "NeighborAdvertisement",
        isRouter: (flags & 0x80) !== 0,
        solicited: (flags & 0x40) !== 0,
        override: (flags & 0x20) !== 0,
        target,
        options
      }
    default: {
      const destination = Address.readV6(bytes, start + 24)
      return Address.isMulticast(destination) ? groupTarget : { _tag: "Redirect", target, destination, options }
    }
  }
}

/** Reads a message that fills `bytes[start..end)`. */
export const parse = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  if (end - start < 8) return truncated
  const type = bytes[start]!
  const fixed = fixedLength(type)
  if (fixed === 0) return badType
  if (end - start < fixed) return truncated
  if (bytes[start + 1] !== 0) return badCode
  const options = NdpOptions.parse(bytes, start + fixed, end)
  if (Malformed.isMalformed(options)) return options
  if (type === Type.routerSolicitation) return { _tag: "RouterSolicitation", options }
  if (type === Type.routerAdvertisement) return readAdvertisement(bytes, start, options)
  return readTargeted(bytes, start, options)
}

const typeOf = (message: Message): number => {
  switch (message._tag) {
    case "RouterSolicitation":
      return Type.routerSolicitation
    case "RouterAdvertisement":
      return Type.routerAdvertisement
    case "NeighborSolicitation":
      return Type.neighborSolicitation
    case "NeighborAdvertisement":
      return Type.neighborAdvertisement
    case "Redirect":
      return Type.redirect
  }
}

export const size = (message: Message): number => fixedLength(typeOf(message)) + NdpOptions.size(message.options)

/** Writes the message; `checksum` stands in its field, as in `Icmpv6.emit`. */
export const emit = (message: Message, bytes: Uint8Array, at: number, checksum = 0): number => {
  const type = typeOf(message)
  const options = at + fixedLength(type)
  bytes.fill(0, at, options)
  bytes[at] = type
  Word.write16(checksum, bytes, at + 2)
  switch (message._tag) {
    case "RouterSolicitation":
      break
    case "RouterAdvertisement":
      bytes[at + 4] = message.hopLimit
      bytes[at + 5] = (message.managed ? 0x80 : 0) | (message.otherConfiguration ? 0x40 : 0) |
        ((message.preference & 3) << 3)
      Word.write16(message.routerLifetime, bytes, at + 6)
      Word.write32(message.reachableTime, bytes, at + 8)
      Word.write32(message.retransmitTimer, bytes, at + 12)
      break
    case "NeighborSolicitation":
      Address.writeV6(message.target, bytes, at + 8)
      break
    case "NeighborAdvertisement":
      bytes[at + 4] = (message.isRouter ? 0x80 : 0) | (message.solicited ? 0x40 : 0) | (message.override ? 0x20 : 0)
      Address.writeV6(message.target, bytes, at + 8)
      break
    case "Redirect":
      Address.writeV6(message.target, bytes, at + 8)
      Address.writeV6(message.destination, bytes, at + 24)
      break
  }
  return NdpOptions.emit(message.options, bytes, options)
}
