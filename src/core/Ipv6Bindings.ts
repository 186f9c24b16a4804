/**
 * How IPv6's machines reach interfaces, neighbours and reassembly: the part of `core/Protocols.ts` that is IPv6's own.
 */
import * as Address from "../wire/Address.ts"
import type { Context } from "./Context.ts"
import * as Counter from "./Counter.ts"
import * as Filter from "./data/SourceFilter.ts"
import { type AddressOrigin, find, forwards, type Interface, type InterfaceAddress, type LinkId } from "./Device.ts"
import * as Addresses from "./device/Addresses.ts"
import type { Effects } from "./device/Effects.ts"
import * as IcmpErrors from "./icmp/Errors.ts"
import type * as Icmpv6 from "./icmp/Icmpv6.ts"
import type { Packet } from "./Ip.ts"
import * as Reassembly from "./ip/Reassembly.ts"
import type { AddressLifetimes } from "./ipv6/AddressLifetimes.ts"
import * as Advertising from "./ipv6/Advertising.ts"
import * as Autoconfiguration from "./ipv6/Autoconfiguration.ts"
import * as Detections from "./ipv6/Detections.ts"
import * as InterfaceId from "./ipv6/InterfaceId.ts"
import type * as Ipv6 from "./ipv6/Ipv6.ts"
import * as Ndp from "./ipv6/Ndp.ts"
import * as NdpSend from "./ipv6/NdpSend.ts"
import * as Redirection from "./ipv6/Redirection.ts"
import * as Redirects from "./ipv6/Redirects.ts"
import type { Detection } from "./ipv6/State.ts"
import * as ListenerDiscovery from "./multicast/ListenerDiscovery.ts"
import * as Memberships from "./multicast/Memberships.ts"
import { macOf } from "./neighbor/Neighbor.ts"
import * as Neighbors from "./neighbor/Neighbors.ts"
import * as Routes from "./route/Routes.ts"
import type { State } from "./State.ts"
import { allRouters, linkLocalPrefix, solicitedNode } from "./WellKnown.ts"

/** What becomes of an address that was being detected. */
export const detectionHooks = (state: State, effects: Effects): Detections.Hooks => ({
  assign: (ctx, detection) => {
    Addresses.adopt(ctx, state.device, effects, detection.id)
    onDetected(ctx, state, effects, detection, true)
  },
  refuse: (ctx, detection) => {
    ctx.count(Counter.index.addressConflicts)
    Addresses.refuse(ctx, state.device, effects, detection.id)
    onDetected(ctx, state, effects, detection, false)
  }
})

const onDetected = (
  ctx: Context,
  state: State,
  effects: Effects,
  { address, link }: Detection,
  isUnique: boolean
): void => Autoconfiguration.detected(ctx, state.ipv6, autoconfigurationHooks(state, effects), link, address, isUnique)

/** How an interface gets what routers have told. */
export const autoconfigurationHooks = (state: State, effects: Effects): Autoconfiguration.Hooks => ({
  give: (ctx, link, address, origin, lifetimes) => give(ctx, state, effects, link, address, origin, lifetimes),
  take: (ctx, link, address) => {
    const self = state.device.interfaces.get(link)
    const entry = self === undefined ? undefined : find(self, address)
    if (entry !== undefined) Addresses.unassign(ctx, state.device, effects, link, entry)
  },
  addRoute: (ctx, link, { length, metric, prefix, router }) =>
    Routes.add(ctx, state.route, {
      prefix,
      length,
      gateway: router,
      link,
      metric,
      source: undefined,
      origin: "router"
    }),
  removeRoute: (ctx, link, { length, prefix, router }) => {
    Routes.removeSelected(ctx, state.route, { prefix, length, gateway: router, link, origin: "router" })
  },
  setParameters: (ctx, link, { hopLimit, mtu, reachableTime, retransmit }) => {
    const self = state.device.interfaces.get(link)
    if (self === undefined) return
    const discovery = { reachable: reachableTime, retransmit }
    ctx.put(state.device.interfaces, link, { ...self, mtuV6: mtu, hopLimitV6: hopLimit, discovery })
  }
})

const give = (
  ctx: Context,
  state: State,
  effects: Effects,
  link: LinkId,
  address: Address.Ipv6,
  origin: AddressOrigin,
  { preferredUntil, validUntil }: AddressLifetimes
): boolean => {
  const self = state.device.interfaces.get(link)
  if (self === undefined) return false
  const isPreferred = preferredUntil > ctx.at
  const before = find(self, address)
  if (before !== undefined) {
    const isUsed = before.state === "preferred" || before.state === "deprecated"
    const changed = isUsed ? isPreferred ? "preferred" : "deprecated" : before.state
    const renewed = { ...before, origin, state: changed, preferredUntil, validUntil } as const
    Addresses.renew(ctx, state.device, link, renewed)
    return true
  }
  if (self.addresses.length >= ctx.config.limits.addresses) return false
  const isFirst = isPreferred ? "preferred" : "deprecated"
  const id = ctx.nextId()
  const entry = { id, address, prefixLength: 64, state: isFirst, origin, preferredUntil, validUntil } as const
  // rfc: 4862 §5.4 MUST, whatever is done about addresses that a person gives
  const probing = ctx.config.optimisticDetection ? "optimistic" : "tentative"
  Addresses.assign(ctx, state.device, effects, self, entry, probing)
  return true
}

export const ipv6Hooks = (state: State): Pick<Ipv6.Hooks, "reassemble" | "isListened"> => ({
  reassemble: (ctx, packet, fragment) => Reassembly.receiveV6(ctx, state.ip, packet, fragment),
  isListened: (self, group, source) => Memberships.accepts(state.multicast, self.id, group, source)
})

const routeOf = (link: LinkId, entry: Redirects.Entry) => ({
  prefix: entry.destination,
  length: 128,
  gateway: Redirects.isOnLink(entry) ? undefined : entry.target,
  link,
  origin: "redirect"
} as const)

/** How redirects become routes and neighbours. */
const redirectionHooks = (state: State, neighborHooks: Neighbors.Hooks): Redirection.Hooks => ({
  addRoute: (ctx, link, entry) =>
    Routes.add(ctx, state.route, { ...routeOf(link, entry), metric: 0, source: undefined }),
  removeRoute: (ctx, link, entry) => {
    Routes.removeSelected(ctx, state.route, routeOf(link, entry))
  },
  hear: (ctx, self, { options: { targetLinkLayer: mac }, target }, isRouter) => {
    if (mac === undefined || self.medium !== "ethernet") return
    // rfc: 4861 §8.3: to the destination itself tells nothing about whether it forwards
    const heard = isRouter ? { _tag: "Heard", mac, isRouter } as const : { _tag: "Heard", mac } as const
    Neighbors.hear(ctx, state.neighbor, neighborHooks, self, target, heard, true)
  }
})

/** A neighbour does not answer any more. */
export const onFailed = (
  ctx: Context,
  state: State,
  neighborHooks: Neighbors.Hooks,
  link: LinkId,
  address: Address.Address
): void => Redirection.forget(ctx, state.ipv6, redirectionHooks(state, neighborHooks), link, address)

/** The link went down. */
export const onDown = (ctx: Context, state: State, neighborHooks: Neighbors.Hooks, link: LinkId): void =>
  Redirection.forgetAll(ctx, state.ipv6, redirectionHooks(state, neighborHooks), link)

const ndpHooks = (state: State, neighborHooks: Neighbors.Hooks, effects: Effects): Ndp.Hooks => ({
  hear: (ctx, self, address, heard, isForUs) => {
    if (self.medium !== "ethernet") return false
    const isKnown = Neighbors.hear(ctx, state.neighbor, neighborHooks, self, address, heard, isForUs)
    if (isKnown && heard._tag === "Advertised" && heard.isRouter === false) {
      Autoconfiguration.retired(ctx, state.ipv6, autoconfigurationHooks(state, effects), self.id, address)
      Redirection.forget(ctx, state.ipv6, redirectionHooks(state, neighborHooks), self.id, address)
    }
    return isKnown
  },
  detect: (ctx, id, input) => {
    Detections.hear(ctx, state.ipv6, detectionHooks(state, effects), id, input)
  },
  conflict: (ctx, self, address, mac) => {
    ctx.count(Counter.index.addressConflicts)
    ctx.notice({ _tag: "AddressConflict", link: self.id, address, mac })
  },
  advertised: (ctx, self, router, message) => {
    const hooks = autoconfigurationHooks(state, effects)
    const isCompared = Advertising.heard(ctx, state.ipv6, self, router, message)
    const isTaken = Autoconfiguration.advertised(ctx, state.ipv6, hooks, self, router, message)
    if (!isCompared && !isTaken) ctx.drop("NdpNotForUs", self.id)
  },
  isProxied: (self, address) =>
    state.ipv6.proxies.get(self.id)?.some((other) => Address.equals(other, address)) === true,
  redirected: (ctx, self, from, message) =>
    Redirection.receive(ctx, state.ipv6, redirectionHooks(state, neighborHooks), self, from, message),
  solicited: (ctx, self, from) => {
    if (!Advertising.solicited(ctx, state.ipv6, self, from)) ctx.drop("NdpNotForUs", self.id)
  }
})

/** Who takes the messages that ICMPv6 only carries. */
export const messageHandlers = (
  state: State,
  neighborHooks: Neighbors.Hooks,
  effects: () => Effects
): Pick<Icmpv6.Handlers, "neighborDiscovery" | "listenerDiscovery"> => ({
  neighborDiscovery: (ctx, packet) => Ndp.receive(ctx, ndpHooks(state, neighborHooks, effects()), packet),
  listenerDiscovery: (ctx, packet) =>
    ListenerDiscovery.receive(ctx, (_, self, input) => Memberships.hear(ctx, state.multicast, self, 6, input), packet)
})

/**
 * The link-local address that an interface without one gets with its first IPv6 address (rfc: 4291 §2.1 MUST): a stable one that tells nothing of the link-layer
 * address (rfc: 8064 §3 SHOULD).
 */
export const linkLocalOf = (ctx: Context, self: Interface): Address.Ipv6 | undefined => {
  if (self.medium === "loopback") return undefined
  const input: InterfaceId.StableInput = {
    prefix: linkLocalPrefix,
    netInterface: InterfaceId.wordsOf(self.name),
    networkId: [],
    duplicateCounter: 0
  }
  return InterfaceId.find(
    (given) => InterfaceId.stable(ctx.keys.interfaceId, given),
    input,
    (address) => self.addresses.some((entry) => Address.equals(entry.address, address))
  )?.address
}

/** An interface has an address: its solicited-node group is one that routers and switches must let through (rfc: 4862 §5.4.2, 4291 §2.8 MUST). */
export const onAdded = (ctx: Context, state: State, self: Interface, { address }: InterfaceAddress): void => {
  if (Address.isV4(address) || self.medium !== "ethernet") return
  const group = solicitedNode(address)
  const bound = Memberships.listen(ctx, state.multicast, self, group, undefined, Filter.everything)
  // The packets come all the same where nothing filters them.
  if (bound !== undefined) ctx.drop("NdpLimit", self.id, bound)
  listenAsRouter(ctx, state, self.id)
}

/** The interface forwards from now on, or does not any more: its neighbours hear of it, if it advertises. */
export const onForwarding = (ctx: Context, state: State, self: Interface): void => {
  listenAsRouter(ctx, state, self.id)
  Advertising.forwardingChanged(ctx, state.ipv6, self)
}

/** rfc: 4291 §2.8 MUST: a router listens to the group of all routers, and to that of its anycast addresses, once it speaks IPv6 on the link. */
const listenAsRouter = (ctx: Context, state: State, link: LinkId): void => {
  const self = state.device.interfaces.get(link)
  if (self === undefined || self.medium !== "ethernet") return
  const isRouter = forwards(ctx.config, self) && self.addresses.some(({ address }) => !Address.isV4(address))
  if (isRouter === state.ipv6.routers.has(link)) return
  if (isRouter) ctx.put(state.ipv6.routers, link, true)
  else ctx.remove(state.ipv6.routers, link)
  const [before, after] = isRouter ? [undefined, Filter.everything] : [Filter.everything, undefined]
  for (const group of [allRouters, solicitedNode(Address.unspecifiedV6)]) {
    Memberships.listen(ctx, state.multicast, self, group, before, after)
  }
}

/** The link is about to go, and what was remembered of it. */
export const onDetached = (ctx: Context, state: State, link: LinkId): void => {
  if (state.ipv6.routers.has(link)) ctx.remove(state.ipv6.routers, link)
  if (state.ipv6.redirects.has(link)) ctx.remove(state.ipv6.redirects, link)
  if (state.ipv6.proxies.has(link)) ctx.remove(state.ipv6.proxies, link)
}

/** Tells a neighbour of a better first hop; routers are named by their link-local addresses only (rfc: 4861 §8.2 MUST). */
export const redirect = (
  ctx: Context,
  state: State,
  self: Interface,
  packet: Packet,
  target: Address.Ipv6
): void => {
  const { destination, source } = packet
  if (Address.isV4(destination) || Address.isV4(source)) return
  if (!Address.isLinkLocal(target) && !Address.equals(target, destination)) return
  if (!IcmpErrors.mayTell(ctx, state.icmp, self.id)) return
  const known = Neighbors.find(ctx, state.neighbor, self.id, target)
  const mac = known === undefined ? undefined : macOf(known.neighbor)
  if (NdpSend.redirect(ctx, self, packet, source, { target, destination, mac })) {
    ctx.count(Counter.index.redirectsSent)
  }
}

/** It has it no more. */
export const onRemoved = (ctx: Context, state: State, link: LinkId, { address, id }: InterfaceAddress): void => {
  Detections.end(ctx, state.ipv6, id)
  const self = state.device.interfaces.get(link)
  if (Address.isV4(address) || self === undefined || self.medium !== "ethernet") return
  const group = solicitedNode(address)
  if (Memberships.isKnown(state.multicast, self.id, group)) {
    Memberships.listen(ctx, state.multicast, self, group, Filter.everything, undefined)
  }
  listenAsRouter(ctx, state, link)
}

/** Reports that were sent from no address are sent again from the one that there is now (rfc: 3810 §5.2.13). */
export const onAssigned = (ctx: Context, state: State, link: LinkId, { address }: InterfaceAddress): void => {
  const self = state.device.interfaces.get(link)
  if (self === undefined || Address.isV4(address) || !Address.isLinkLocal(address)) return
  Memberships.announce(ctx, state.multicast, self, 6)
  Advertising.changed(ctx, state.ipv6, self)
}
