/**
 * IP addresses as the inside of the stack holds them (RFC 791 §2.3, RFC 4291 §2).
 *
 * An IPv4 address is one signed 32-bit integer, an IPv6 address a record of four, most significant first. So code that
 * serves both families compares with {@link equals}, and the IPv4 case costs a comparison of two small integers. The
 * public types of `effect/net` are for the edge: {@link fromNet} and {@link toNet} convert.
 */
import * as NetAddress from "effect/net/NetAddress"

/** An IPv4 address: the four octets in network order as one int32 (`10.0.0.1` is `0x0a000001`). */
export type Ipv4 = number

/** An IPv6 address: sixteen octets in network order as four int32. */
export interface Ipv6 {
  readonly w0: number
  readonly w1: number
  readonly w2: number
  readonly w3: number
}

/** An address of either family; `typeof` tells which. */
export type Address = Ipv4 | Ipv6

/** IP version numbers, which also index tables of families. */
export type Version = 4 | 6

export const isV4 = (address: Address): address is Ipv4 => typeof address === "number"

export const versionOf = (address: Address): Version => typeof address === "number" ? 4 : 6

export const v6 = (w0: number, w1: number, w2: number, w3: number): Ipv6 => ({
  w0: w0 | 0,
  w1: w1 | 0,
  w2: w2 | 0,
  w3: w3 | 0
})

/** The address written as four octets; no range check. */
export const v4 = (a: number, b: number, c: number, d: number): Ipv4 => (a << 24) | (b << 16) | (c << 8) | d

export const equals = (a: Address, b: Address): boolean =>
  a === b ||
  (typeof a === "object" && typeof b === "object" &&
    a.w3 === b.w3 && a.w2 === b.w2 && a.w1 === b.w1 && a.w0 === b.w0)

export const unspecifiedV4: Ipv4 = 0
export const broadcastV4: Ipv4 = -1
export const loopbackV4: Ipv4 = 0x7f000001
export const unspecifiedV6: Ipv6 = Object.freeze(v6(0, 0, 0, 0))
export const loopbackV6: Ipv6 = Object.freeze(v6(0, 0, 0, 1))

export const unspecified = (version: Version): Address => version === 4 ? unspecifiedV4 : unspecifiedV6

export const isUnspecified = (a: Address): boolean =>
  typeof a === "number" ? a === 0 : (a.w0 | a.w1 | a.w2 | a.w3) === 0

export const isLoopback = (a: Address): boolean =>
  typeof a === "number" ? a >>> 24 === 127 : (a.w0 | a.w1 | a.w2) === 0 && a.w3 === 1

/** 224.0.0.0/4 (RFC 1112 §4) or ff00::/8 (RFC 4291 §2.7). */
export const isMulticast = (a: Address): boolean => typeof a === "number" ? a >>> 28 === 14 : a.w0 >>> 24 === 0xff

/** 169.254.0.0/16 (RFC 3927 §2.1) or fe80::/10 (RFC 4291 §2.5.6). */
export const isLinkLocal = (a: Address): boolean => typeof a === "number" ? a >>> 16 === 0xa9fe : a.w0 >>> 22 === 0x3fa

/** A netmask of `length` leading one bits, as an int32 (`24` gives `0xffffff00 | 0`). */
export const mask32 = (length: number): number => length <= 0 ? 0 : length >= 32 ? -1 : -1 << (32 - length)

/** Whether the first `length` bits of both are the same; false across families. */
export const samePrefix = (a: Address, b: Address, length: number): boolean => {
  if (typeof a === "number") return typeof b === "number" && ((a ^ b) & mask32(length)) === 0
  if (typeof b === "number") return false
  return ((a.w0 ^ b.w0) & mask32(length)) === 0 && ((a.w1 ^ b.w1) & mask32(length - 32)) === 0 &&
    ((a.w2 ^ b.w2) & mask32(length - 64)) === 0 && ((a.w3 ^ b.w3) & mask32(length - 96)) === 0
}

/** The address with all bits after the first `length` cleared. */
export const network = (a: Address, length: number): Address =>
  typeof a === "number"
    ? a & mask32(length)
    : v6(a.w0 & mask32(length), a.w1 & mask32(length - 32), a.w2 & mask32(length - 64), a.w3 & mask32(length - 96))

/** A total order, IPv4 before IPv6; for deterministic listings. */
export const compare = (a: Address, b: Address): number => {
  if (typeof a === "number") return typeof b === "number" ? (a >>> 0) - (b >>> 0) : -1
  if (typeof b === "number") return 1
  return (a.w0 >>> 0) - (b.w0 >>> 0) || (a.w1 >>> 0) - (b.w1 >>> 0) || (a.w2 >>> 0) - (b.w2 >>> 0) ||
    (a.w3 >>> 0) - (b.w3 >>> 0)
}

/** A unique text key of the address; cheap for IPv4, for tables that are off the packet path. */
export const key = (a: Address): number | string => typeof a === "number" ? a : `${a.w0}:${a.w1}:${a.w2}:${a.w3}`

/** Reads four octets in network order. The caller has checked the bounds. */
export const readV4 = (bytes: Uint8Array, at: number): Ipv4 =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

/** Writes four octets in network order. */
export const writeV4 = (address: Ipv4, bytes: Uint8Array, at: number): void => {
  bytes[at] = address >>> 24
  bytes[at + 1] = address >>> 16
  bytes[at + 2] = address >>> 8
  bytes[at + 3] = address
}

/** Reads sixteen octets in network order. The caller has checked the bounds. */
export const readV6 = (bytes: Uint8Array, at: number): Ipv6 => ({
  w0: readV4(bytes, at),
  w1: readV4(bytes, at + 4),
  w2: readV4(bytes, at + 8),
  w3: readV4(bytes, at + 12)
})

/** Writes sixteen octets in network order. */
export const writeV6 = (address: Ipv6, bytes: Uint8Array, at: number): void => {
  writeV4(address.w0, bytes, at)
  writeV4(address.w1, bytes, at + 4)
  writeV4(address.w2, bytes, at + 8)
  writeV4(address.w3, bytes, at + 12)
}

/** Writes an address of either family in network order and returns the offset behind it. */
export const write = (address: Address, bytes: Uint8Array, at: number): number => {
  if (typeof address === "number") {
    writeV4(address, bytes, at)
    return at + 4
  }
  writeV6(address, bytes, at)
  return at + 16
}

/** From the public type of `effect/net`. */
export const fromNet = (address: NetAddress.IpAddress): Address => {
  const octets = NetAddress.isIpv4Address(address)
    ? Uint8Array.from(NetAddress.ipv4ToOctets(address))
    : Uint8Array.from(NetAddress.ipv6ToOctets(address))
  return octets.length === 4 ? readV4(octets, 0) : readV6(octets, 0)
}

/** To the public type of `effect/net`. */
export const toNet = (address: Address): NetAddress.IpAddress => {
  const bytes = new Uint8Array(typeof address === "number" ? 4 : 16)
  write(address, bytes, 0)
  return bytes.length === 4 ? NetAddress.ipv4FromBytesUnsafe(bytes) : NetAddress.ipv6FromBytesUnsafe(bytes)
}

/** The usual text form (RFC 5952 for IPv6). */
export const format = (address: Address): string => NetAddress.formatIp(toNet(address))
