/**
 * What an IPv6 address may be at the place where it stands in a received packet (RFC 4291 §2.5, §2.7, §2.8; RFC 8200 §3).
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import { find, forwards, type Interface, isSubnetRouters, isUsable } from "../Device.ts"
import type { DropReason } from "../Drop.ts"
import * as WellKnown from "../WellKnown.ts"

/** Whom a destination means, as seen from the interface at which the packet came in. */
export type Destination = "ours" | "multicast" | "foreign" | "martian"

/** Tells whether somebody on this host listens to a group beyond those that every node has. */
export type IsListened = (self: Interface, group: Address.Ipv6, source: Address.Ipv6) => boolean

/** The two addresses of a header. */
interface Ends {
  readonly source: Address.Ipv6
  readonly destination: Address.Ipv6
}

const scopeOf = (group: Address.Ipv6): number => (group.w0 >>> 16) & 0xf

/** rfc: 4291 §2.8 MUST: all nodes, and the solicited-node group of each address, even while it is tentative (rfc: 4862 §5.4.2). */
const isOwnGroup = (ctx: Context, self: Interface, group: Address.Ipv6): boolean => {
  if (Address.equals(group, WellKnown.allNodes)) return true
  if (Address.equals(group, WellKnown.allRouters)) return forwards(ctx.config, self)
  if (!WellKnown.isSolicitedNode(group)) return false
  // That of the anycast address of a subnet's routers.
  if ((group.w3 & 0xff_ffff) === 0 && forwards(ctx.config, self)) return true
  return self.addresses.some(({ address }) =>
    !Address.isV4(address) && Address.equals(WellKnown.solicitedNode(address), group)
  )
}

const groupOf = (
  ctx: Context,
  self: Interface,
  { destination: group, source }: Ends,
  isListened: IsListened
): Destination => {
  const scope = scopeOf(group)
  // rfc: 4291 §2.7 MUST: scope 0 is reserved; that of an interface never leaves it
  if (scope === 0 || (scope === 1 && self.medium !== "loopback")) return "martian"
  return isOwnGroup(ctx, self, group) || isListened(self, group, source) ? "multicast" : "foreign"
}

export const destination = (
  ctx: Context,
  self: Interface,
  ends: Ends,
  isListened: IsListened
): Destination => {
  const { destination: address } = ends
  if (Address.isMulticast(address)) return groupOf(ctx, self, ends, isListened)
  if (Address.isUnspecified(address)) return "martian"
  const isLoopback = Address.isLoopback(address)
  if (self.medium === "loopback") return isLoopback || ctx.ip.isOurs(address) ? "ours" : "foreign"
  // rfc: 4291 §2.5.3 MUST
  if (isLoopback) return "martian"
  const entry = find(self, address)
  if (entry !== undefined) return isUsable(entry) ? "ours" : "foreign"
  if (isSubnetRouters(ctx.config, self, address)) return "ours"
  // A router is meant by any of its addresses but those of single links.
  const isElsewhere = forwards(ctx.config, self) && !Address.isLinkLocal(address) && ctx.ip.isOurs(address)
  return isElsewhere ? "ours" : "foreign"
}

/** rfc: 4291 §2.5.5.2: no packet has the form of an IPv4 address */
const isMapped = ({ w0, w1, w2 }: Address.Ipv6): boolean => w0 === 0 && w1 === 0 && w2 === 0xffff

/** Why a packet from this source can't be true; `undefined` if it can. */
export const sourceFault = (
  self: Interface,
  source: Address.Ipv6,
  to: Address.Ipv6
): DropReason | undefined => {
  // rfc: 4291 §2.7 MUST NOT
  if (Address.isMulticast(source) || isMapped(source)) return "IpMartianSource"
  // Who has no address yet asks groups (RFC 4862 §5.4.2, RFC 4861 §4.1, RFC 3810 §5.2.13), and the link.
  if (Address.isUnspecified(source)) return Address.isMulticast(to) ? undefined : "IpMartianSource"
  if (self.medium === "loopback") return undefined
  // rfc: 4291 §2.5.3 MUST
  if (Address.isLoopback(source)) return "IpMartianSource"
  const entry = find(self, source)
  // Whoever has an address that is still being probed says so from it (RFC 4862 §5.4.4).
  return entry !== undefined && isUsable(entry) && entry.state !== "optimistic" ? "IpSourceIsOurs" : undefined
}
