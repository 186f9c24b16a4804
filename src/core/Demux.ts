/**
 * The hash that finds a connection: 31 bits of the four-tuple under a key that no peer knows, the same for both families.
 *
 * It is not SipHash, which would cost more than the rest of the lookup: a keyed multiply-and-fold spreads honest traffic, and the bound on the
 * chain (`demuxChain`) together with the secret key holds off dishonest traffic.
 */
import type * as Address from "../wire/Address.ts"
import type { Key } from "./Entropy.ts"

const mix = (hash: number, word: number): number => {
  const product = Math.imul(hash ^ word, 0x9e3779b1)
  return product ^ (product >>> 15)
}

const mixAddress = (hash: number, address: Address.Address): number =>
  typeof address === "number"
    ? mix(hash, address)
    : mix(mix(mix(mix(hash, address.w0), address.w1), address.w2), address.w3)

/** Hashes a connection's tuple to 0 … 2^31 - 1. */
export const hash = (
  key: Key,
  local: Address.Address,
  localPort: number,
  remote: Address.Address,
  remotePort: number
): number => {
  const addresses = mixAddress(mixAddress(key.k0, local), remote)
  const whole = mix(addresses ^ key.k1, (localPort << 16) | remotePort)
  return (Math.imul(whole ^ (whole >>> 13), key.k2 | 1) ^ key.k3) & 0x7fff_ffff
}
