/**
 * 48-bit IEEE 802 addresses as one JavaScript number (0 to 2^48 - 1), so that `===` compares them and a Map keys on them.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/** A MAC address; the first octet on the wire is the most significant. */
export type Mac = number

export const broadcast: Mac = 0xffff_ffff_ffff
export const zero: Mac = 0

const high = (mac: Mac): number => Math.floor(mac / 0x1_0000_0000)

/** Reads six octets. The caller has checked the bounds. */
export const read = (bytes: Uint8Array, at: number): Mac =>
  ((bytes[at]! << 8) | bytes[at + 1]!) * 0x1_0000_0000 +
  (((bytes[at + 2]! << 24) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!) >>> 0)

/** Writes six octets. */
export const write = (mac: Mac, bytes: Uint8Array, at: number): void => {
  const top = high(mac)
  const low = mac | 0
  bytes[at] = top >>> 8
  bytes[at + 1] = top
  bytes[at + 2] = low >>> 24
  bytes[at + 3] = low >>> 16
  bytes[at + 4] = low >>> 8
  bytes[at + 5] = low
}

/** The group bit: multicast or broadcast (IEEE 802-2014 §8.2.2). */
export const isGroup = (mac: Mac): boolean => ((high(mac) >>> 8) & 1) === 1

/** The group address that carries an IPv4 multicast group: 01:00:5e and its low 23 bits (RFC 1112 §6.4). */
export const ofMulticastV4 = (group: number): Mac => 0x0100_5e00_0000 + (group & 0x7f_ffff)

/** The group address that carries an IPv6 multicast group: 33:33 and its low 32 bits (RFC 2464 §7). */
export const ofMulticastV6 = (lastWord: number): Mac => 0x3333_0000_0000 + (lastWord >>> 0)

/** From the public type of `effect/net`. */
export const fromNet = (mac: NetAddress.MacAddress): Mac => read(Uint8Array.from(NetAddress.macAddressToOctets(mac)), 0)

/** To the public type of `effect/net`. */
export const toNet = (mac: Mac): NetAddress.MacAddress => NetAddress.macAddressFromInputUnsafe(format(mac))

/** What programs may give: a text such as `02:00:00:00:00:01`, what else `effect/net` takes, or the number. */
export type Input = Mac | NetAddress.MacAddressInput

export const fromInput = (input: Input): Result.Result<Mac, NetAddress.NetAddressError> => {
  if (typeof input !== "number") return Result.map(NetAddress.macAddressFromInput(input), fromNet)
  if (Number.isInteger(input) && input >= 0 && input <= broadcast) return Result.succeed(input)
  return Result.fail(new NetAddress.NetAddressError({ input, message: "expected a number of 48 bits" }))
}

/** `02:00:00:00:00:01` */
export const format = (mac: Mac): string => mac.toString(16).padStart(12, "0").replace(/..(?=.)/g, "$&:")
