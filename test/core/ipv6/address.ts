/** Addresses by their text, for tables. */
import * as NetAddress from "effect/net/NetAddress"
import * as Address from "../../../src/wire/Address.ts"

export const ip = (text: string): Address.Address => Address.fromNet(NetAddress.ipFromStringUnsafe(text))

export const ip6 = (text: string): Address.Ipv6 => {
  const address = ip(text)
  return Address.isV4(address) ? Address.unspecifiedV6 : address
}
