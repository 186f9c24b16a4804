/**
 * What an address may be at the place where it stands in a received packet (RFC 1122 §3.2.1.3, RFC 6890; strong host model, RFC 1122 §3.3.4.2).
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import { find, forwards, type Interface, isBroadcast, isUsable } from "../Device.ts"
import type { DropReason } from "../Drop.ts"
import * as WellKnown from "../WellKnown.ts"

/** Whom a destination means, as seen from the interface at which the packet came in. */
export type Destination = "ours" | "broadcast" | "multicast" | "foreign" | "martian"

const isThisNetwork = (address: Address.Ipv4): boolean => address >>> 24 === 0

/** 240.0.0.0/4 without the limited broadcast address. */
const isReserved = (address: Address.Ipv4): boolean => address >>> 28 === 15 && address !== Address.broadcastV4

/** Tells whether somebody on this host wants a source's packets to a group. */
export type IsListened = (self: Interface, group: Address.Ipv4, source: Address.Ipv4) => boolean

/** The two addresses of a header. */
interface Ends {
  readonly source: Address.Ipv4
  readonly destination: Address.Ipv4
}

export const destinationV4 = (
  ctx: Context,
  self: Interface,
  { destination: address, source }: Ends,
  isListened: IsListened
): Destination => {
  // rfc: 1122 §3.3.4.2 an address of another interface is not ours here; in memory all of them are
  const isLoopback = Address.isLoopback(address)
  if (self.medium === "loopback") {
    if (isLoopback || ctx.ip.isOurs(address)) return "ours"
  } else {
    // rfc: 1122 §3.2.1.3 (g) 127/8 does not occur outside a host
    if (isLoopback) return "martian"
    const entry = find(self, address)
    if (entry !== undefined) return isUsable(entry) ? "ours" : "foreign"
    // rfc: 1812 §5.2.3 MUST: a router is meant by any of its addresses
    if (forwards(ctx.config, self) && ctx.ip.isOurs(address)) return "ours"
  }
  if (isBroadcast(self, address)) return "broadcast"
  if (Address.isMulticast(address)) {
    return address === WellKnown.allHosts || isListened(self, address, source) ? "multicast" : "foreign"
  }
  return isThisNetwork(address) || isReserved(address) ? "martian" : "foreign"
}

/** Why a packet from this source can't be true; `undefined` if it can. */
export const sourceFaultV4 = (
  ctx: Context,
  self: Interface,
  source: Address.Ipv4,
  destination: Address.Ipv4
): DropReason | undefined => {
  // rfc: 1122 §3.2.1.3 (a) a host that does not know its address yet asks everybody (RFC 2131 §4.1)
  if (source === Address.unspecifiedV4) return destination === Address.broadcastV4 ? undefined : "IpMartianSource"
  if (isThisNetwork(source) || isReserved(source)) return "IpMartianSource"
  // rfc: 1122 §3.2.1.3 (c) to (f) a source is a single host
  if (Address.isMulticast(source) || isBroadcast(self, source)) return "IpMartianSource"
  if (self.medium === "loopback") return undefined
  if (Address.isLoopback(source)) return "IpMartianSource"
  return ctx.ip.isOurs(source) ? "IpSourceIsOurs" : undefined
}
