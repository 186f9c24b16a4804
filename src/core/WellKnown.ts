/**
 * Addresses that mean the same on every link (RFC 4291 §2.5.6, §2.7.1; RFC 4862 §5.3; RFC 1112 §4).
 */
import * as Address from "../wire/Address.ts"

/** 224.0.0.1: every host is a member for as long as it lives (RFC 1112 §4). */
export const allHosts: Address.Ipv4 = 0xe0000001 | 0

export const allNodes: Address.Ipv6 = Object.freeze(Address.v6(0xff020000, 0, 0, 1))
export const allRouters: Address.Ipv6 = Object.freeze(Address.v6(0xff020000, 0, 0, 2))

/** fe80::/64, from which every interface has an address. */
export const linkLocalPrefix: Address.Ipv6 = Object.freeze(Address.v6(0xfe800000, 0, 0, 0))

/** The group in which the owner of an address is asked for it: ff02::1:ff00:0/104 with the address's last 24 bits. */
export const solicitedNode = (address: Address.Ipv6): Address.Ipv6 =>
  Address.v6(0xff020000, 0, 1, 0xff000000 | (address.w3 & 0xff_ffff))

/** Whether the group is one that asks for the owner of some address. */
export const isSolicitedNode = (group: Address.Address): boolean =>
  Address.samePrefix(group, Address.v6(0xff020000, 0, 1, 0xff000000), 104)
