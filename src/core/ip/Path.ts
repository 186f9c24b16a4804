/**
 * The way to a destination (RFC 1122 §3.3.1, §3.3.4): out of which interface, from which source, to which next hop.
 *
 *     own address? ─▶ loopback     a group? ─▶ the link asked for, or that of a route     else ─▶ the best route
 *
 * The strong host model holds: packets leave through the interface that has their source. Interfaces that forward are exempt from it.
 */
import * as Address from "../../wire/Address.ts"
import * as AddressSelection from "../AddressSelection.ts"
import type { Context } from "../Context.ts"
import { forwards, type Interface, type InterfaceAddress, type LinkId, loopback } from "../Device.ts"
import type { Path } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import * as PathMtu from "./PathMtu.ts"
import type { State } from "./State.ts"

/** The largest IP packet there is; links that don't cut super-segments have it done by their transmit worker. */
const largestSegment = 65_535

interface Hop {
  readonly self: Interface
  readonly nextHop: Address.Address
  /** What the route prefers to send from. */
  readonly source: Address.Address | undefined
}

export const find = (
  ctx: Context,
  state: State,
  destination: Address.Address,
  source: Address.Address | undefined,
  link: LinkId | undefined
): Path | Reason.Reason => {
  const given = source !== undefined && !Address.isUnspecified(source) ? source : undefined
  if (Address.isUnspecified(destination)) return Reason.invalidArgument("the destination is the unspecified address")
  if (given !== undefined && Address.versionOf(given) !== Address.versionOf(destination)) {
    return Reason.addressNotAvailable
  }
  if (link !== undefined && ctx.links.get(link) === undefined) return Reason.notFound("interface")
  if (Address.isLoopback(destination) || ctx.ip.isOurs(destination)) return toSelf(ctx, destination, given)
  if (given !== undefined && !ctx.ip.isOurs(given)) return Reason.addressNotAvailable
  const hop = nextHop(ctx, destination, link ?? homeOf(ctx, given))
  if ("_tag" in hop) return hop
  const from = given ?? chooseSource(ctx, hop, destination)
  if (from === undefined) return Reason.addressNotAvailable
  if (given !== undefined && !mayLeave(ctx, hop.self, given)) return Reason.addressNotAvailable
  return pathOf(ctx, state, hop, from, destination)
}

/** The only interface by which packets from an address leave a host. A router sends them by whatever way there is. */
const homeOf = (ctx: Context, source: Address.Address | undefined): LinkId | undefined => {
  const link = source === undefined ? undefined : ctx.links.linkOf(source)
  const self = link === undefined ? undefined : ctx.links.get(link)
  const isFree = self !== undefined && forwards(ctx.config, self) && source !== undefined &&
    !Address.isLinkLocal(source)
  return isFree ? undefined : link
}

/** rfc: 1122 §3.3.4.2 (B) strong host model; a router is reached by any of its addresses, and answers from it (rfc: 1812 §5.2.3) */
const mayLeave = (ctx: Context, self: Interface, source: Address.Address): boolean =>
  (forwards(ctx.config, self) && !Address.isLinkLocal(source)) ||
  self.addresses.some((entry) => Address.equals(entry.address, source))

/** rfc: 1122 §3.3.4.3: unless the route says it, the interface's best (rfc: 6724 §5); a host without address may ask everybody (RFC 2131 §4.1). */
const chooseSource = (ctx: Context, hop: Hop, destination: Address.Address): Address.Address | undefined => {
  if (hop.source !== undefined && ctx.ip.isOurs(hop.source)) return hop.source
  const target: AddressSelection.Target = { destination, link: hop.self.id }
  const chosen = AddressSelection.selectSource(candidatesOf(hop), target)
  if (chosen !== undefined) return chosen.address
  return destination === Address.broadcastV4 ? Address.unspecifiedV4 : undefined
}

/**
 * The strong host model leaves the addresses of one interface to choose from. IPv4 ones have no state in RFC 6724 §3.2, so those that are at the end of their
 * lease stand behind the others.
 */
const candidatesOf = ({ nextHop, self }: Hop): ReadonlyArray<AddressSelection.Candidate> => {
  const isLast = ({ address, state }: InterfaceAddress): boolean => Address.isV4(address) && state === "deprecated"
  const hasOthers = self.addresses.some((entry) => Address.isV4(entry.address) && entry.state === "preferred")
  const addresses = hasOthers ? self.addresses.filter((entry) => !isLast(entry)) : self.addresses
  return addresses.map(({ address, origin, prefixLength, state }) => ({
    address,
    prefixLength,
    state,
    isTemporary: origin === "temporary",
    link: self.id,
    // rfc: 1122 §3.3.4.3: of the network through which the packet goes
    isOfNextHop: Address.isV4(nextHop) && Address.samePrefix(address, nextHop, prefixLength)
  }))
}

/** rfc: 1122 §3.3.4.1: what is for this host never leaves it. */
const toSelf = (
  ctx: Context,
  destination: Address.Address,
  source: Address.Address | undefined
): Path | Reason.Reason => {
  if (source !== undefined && !Address.isLoopback(source) && !ctx.ip.isOurs(source)) return Reason.addressNotAvailable
  const self = ctx.links.get(loopback)
  if (self === undefined || !self.up) return Reason.linkDown
  return {
    version: Address.versionOf(destination),
    link: loopback,
    source: source ?? destination,
    destination,
    nextHop: destination,
    mtu: self.mtu,
    maxSegmentBytes: self.maxSegmentBytes
  }
}

const nextHop = (ctx: Context, destination: Address.Address, link: LinkId | undefined): Hop | Reason.Reason => {
  const route = ctx.routes.lookup(destination, link)
  const isGroup = Address.isMulticast(destination) || destination === Address.broadcastV4
  if (isGroup) return groupHop(ctx, destination, link, route?.link)
  if (route === undefined) {
    const bound = link === undefined ? undefined : ctx.links.get(link)
    if (bound !== undefined && !bound.up) return Reason.linkDown
    return Reason.unreachable("network")
  }
  const self = ctx.links.get(route.link)
  if (self === undefined || !self.up) return Reason.linkDown
  return { self, nextHop: route.gateway ?? destination, source: route.source }
}

/** Groups are on every link, so without a route the only link that is up is the one meant (RFC 1112 §7.2). */
const groupHop = (
  ctx: Context,
  destination: Address.Address,
  link: LinkId | undefined,
  routed: LinkId | undefined
): Hop | Reason.Reason => {
  const chosen = link ?? routed ?? onlyLink(ctx)
  if (chosen === undefined) return Reason.unreachable("network")
  const self = ctx.links.get(chosen)
  if (self === undefined || !self.up) return Reason.linkDown
  return { self, nextHop: destination, source: undefined }
}

/** The link on which a group is meant where nobody says it. */
export const groupLink = (ctx: Context, group: Address.Address): LinkId | undefined =>
  ctx.routes.lookup(group, undefined)?.link ?? onlyLink(ctx)

const onlyLink = (ctx: Context): LinkId | undefined => {
  let only: LinkId | undefined = undefined
  for (const self of ctx.links.all()) {
    if (self.id === loopback || !self.up) continue
    if (only !== undefined) return undefined
    only = self.id
  }
  return only
}

const pathOf = (
  ctx: Context,
  state: State,
  hop: Hop,
  source: Address.Address,
  destination: Address.Address
): Path => ({
  version: Address.versionOf(destination),
  link: hop.self.id,
  source,
  destination,
  nextHop: hop.nextHop,
  mtu: PathMtu.get(ctx, state, destination, mtuOf(hop.self, destination)),
  maxSegmentBytes: hop.self.segmentation.size > 0 ? hop.self.maxSegmentBytes : largestSegment
})

/** The largest packet of a destination's family that an interface sends. */
export const mtuOf = ({ mtu, mtuV6 }: Interface, destination: Address.Address): number =>
  Address.isV4(destination) ? mtu : Math.min(mtu, mtuV6 ?? mtu)
