/**
 * The lower 64 bits of an address: opaque ones that are stable on a link (RFC 7217 §5), random ones of temporary addresses (RFC 8981 §3.3.2),
 * and ones made from a MAC address (RFC 2464 §4).
 *
 *     | prefix, 64 bits | F(prefix, interface, network, [time,] counter, secret), 64 bits |        F is SipHash-2-4
 *
 * All bits are alike: none of them says whether the identifier is unique (RFC 7136 §3).
 */
import * as Address from "../../wire/Address.ts"
import type { Mac } from "../../wire/Mac.ts"
import * as SipHash from "../data/SipHash.ts"
import type { Key } from "../Entropy.ts"

/** 64 bits as two int32. */
export interface InterfaceId {
  readonly high: number
  readonly low: number
}

/** Bits of a prefix to which an identifier is appended. */
export const prefixLength = 64

/** What stable identifiers depend on. */
export interface StableInput {
  readonly prefix: Address.Ipv6
  /** Net_Iface: what is the same at each start and different for each interface, as words: its name, say ({@link wordsOf}). */
  readonly netInterface: ReadonlyArray<number>
  /** Network_ID: what tells one network from another, if anything does. */
  readonly networkId: ReadonlyArray<number>
  /** Raised for each address that turned out to be a duplicate. */
  readonly duplicateCounter: number
}

/** What temporary identifiers depend on. */
export interface TemporaryInput extends StableInput {
  /** Microseconds since 1970; differs for every address that is made. */
  readonly time: number
}

/** A text as words, one for each of its characters. */
export const wordsOf = (text: string): ReadonlyArray<number> =>
  Array.from(text, (character) => character.codePointAt(0)!)

/** A list with its length before it, so that two lists in a row can't be taken for two others. */
const counted = (words: ReadonlyArray<number>): ReadonlyArray<number> => [words.length, ...words]

const inputWords = (input: StableInput): ReadonlyArray<number> => [
  input.prefix.w0,
  input.prefix.w1,
  prefixLength,
  ...counted(input.netInterface),
  ...counted(input.networkId),
  input.duplicateCounter
]

/** rfc: 7217 §5 MUST */
export const stable = (secret: Key, input: StableInput): InterfaceId => SipHash.hashWords(secret, inputWords(input))

/** rfc: 8981 §3.3.2. The secret has no other use (rfc: 8981 §3.3.2 MUST NOT). */
export const temporary = (secret: Key, input: TemporaryInput): InterfaceId =>
  SipHash.hashWords(secret, [...inputWords(input), input.time | 0, Math.floor(input.time / 0x1_0000_0000)])

/**
 * The modified EUI-64 of a MAC address (RFC 2464 §4, RFC 4291 Appendix A): ff:fe in the middle, the universal/local bit the other way round. Everybody
 * can tell the machine by it wherever it goes, so it is not what addresses are made from unless asked for (RFC 8064 §3).
 */
export const eui64 = (mac: Mac): InterfaceId => {
  const upper = Math.floor(mac / 0x100_0000)
  const lower = mac % 0x100_0000
  return { high: ((upper ^ 0x02_0000) << 8) | 0xff, low: (0xfe << 24) | lower }
}

/** The address that a prefix of 64 bits and an identifier make. */
export const join = (prefix: Address.Ipv6, id: InterfaceId): Address.Ipv6 =>
  Address.v6(prefix.w0, prefix.w1, id.high, id.low)

const ethernetBlock = 0x02005eff

/**
 * Whether the identifier means something else than one host (RFC 5453 and its registry): the anycast address of a subnet's routers
 * (RFC 4291 §2.6.1), IANA's Ethernet block, and the anycast identifiers of RFC 2526.
 */
export const isReserved = ({ high, low }: InterfaceId): boolean =>
  (high === 0 && low === 0) ||
  (high === ethernetBlock && low >>> 24 === 0xfe) ||
  (high === (0xfdffffff | 0) && low >>> 0 >= 0xffff_ff80)

/** An address and the counter that gave it. */
export interface Found {
  readonly address: Address.Ipv6
  readonly duplicateCounter: number
}

/** Each attempt fails with hardly any probability, unless whoever says what is taken takes all. */
const maximumAttempts = 8

/**
 * The first address from `input.duplicateCounter` on that is neither reserved nor taken on this interface (rfc: 7217 §5 SHOULD, 8981 §3.3.2 MUST);
 * `undefined` if there is none.
 */
export const find = <Input extends StableInput>(
  make: (input: Input) => InterfaceId,
  input: Input,
  isTaken: (address: Address.Ipv6) => boolean
): Found | undefined => {
  for (let i = 0; i < maximumAttempts; i++) {
    const duplicateCounter = input.duplicateCounter + i
    const id = make({ ...input, duplicateCounter })
    const address = join(input.prefix, id)
    if (!isReserved(id) && !isTaken(address)) return { address, duplicateCounter }
  }
  return undefined
}
