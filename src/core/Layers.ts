/**
 * How protocols reach each other: the layers that handlers see in their context, and what an event of one protocol means for the others, as functions
 * bound to the state of one stack.
 */
import * as Address from "../wire/Address.ts"
import type { GroupLayer, IpLayer, LinkLayer, RouteLayer, Transport, Transports } from "./Context.ts"
import * as Detours from "./Detours.ts"
import type { LinkId } from "./Device.ts"
import * as Addresses from "./device/Addresses.ts"
import type { Effects } from "./device/Effects.ts"
import * as IcmpErrors from "./icmp/Errors.ts"
import * as Icmpv4 from "./icmp/Icmpv4.ts"
import * as Icmpv6 from "./icmp/Icmpv6.ts"
import * as Reports from "./icmp/Reports.ts"
import * as Forward from "./ip/Forward.ts"
import type * as Ipv4 from "./ip/Ipv4.ts"
import * as IpOutput from "./ip/Output.ts"
import * as Path from "./ip/Path.ts"
import * as Advertising from "./ipv6/Advertising.ts"
import * as Autoconfiguration from "./ipv6/Autoconfiguration.ts"
import * as Detections from "./ipv6/Detections.ts"
import type * as Ipv6 from "./ipv6/Ipv6.ts"
import * as NdpSend from "./ipv6/NdpSend.ts"
import * as Ipv6Bindings from "./Ipv6Bindings.ts"
import * as Igmp from "./multicast/Igmp.ts"
import * as Memberships from "./multicast/Memberships.ts"
import * as Arp from "./neighbor/Arp.ts"
import * as Neighbor from "./neighbor/Neighbor.ts"
import * as Neighbors from "./neighbor/Neighbors.ts"
import * as Ping from "./ping/Ping.ts"
import * as Raw from "./raw/Raw.ts"
import * as Reason from "./Reason.ts"
import * as RouteRequests from "./route/Requests.ts"
import * as Routes from "./route/Routes.ts"
import type { State } from "./State.ts"
import * as TcpOrphans from "./tcp/Orphans.ts"
import * as TcpPathMtu from "./tcp/PathMtu.ts"
import * as Tcp from "./tcp/Tcp.ts"
import * as UdpBind from "./udp/Bind.ts"
import * as Udp from "./udp/Udp.ts"

/** The layers of one stack, bound to its state. */
export interface Layers {
  readonly ip: IpLayer
  readonly links: LinkLayer
  readonly routes: RouteLayer
  readonly groups: GroupLayer
  readonly transports: Transports
}

const usualTimes: Neighbors.Times = {
  reachable: Neighbor.baseReachableTime,
  retransmit: Neighbor.retransmitTime
}

/** How each family asks for a neighbour's address, and what becomes of packets when it does not answer. */
export const neighborHooks = (state: State): Neighbors.Hooks => ({
  solicit: (ctx, self, address, to) => {
    if (Address.isV4(address)) Arp.solicit(ctx, self, address, to)
    else NdpSend.solicit(ctx, self, address, to)
  },
  detour: (ctx, self, nextHop, packet) => Detours.find(ctx, state, self, nextHop, packet),
  failed: (ctx, link, address) => Ipv6Bindings.onFailed(ctx, state, neighborHooks(state), link, address),
  times: (self, address) => Address.isV4(address) ? usualTimes : self?.discovery ?? usualTimes,
  unreachable: Reports.unreachable
})

const linkLayer = (state: State, hooks: Neighbors.Hooks): LinkLayer => ({
  get: (link) => state.device.interfaces.get(link),
  all: () => state.device.interfaces.values(),
  linkOf: (address) => Addresses.linkOf(state.device, address),
  send: (ctx, link, nextHop, packet, credit) =>
    Neighbors.send(ctx, state.neighbor, hooks, link, nextHop, packet, credit),
  confirm: (ctx, link, nextHop) => Neighbors.confirm(ctx, state.neighbor, hooks, link, nextHop),
  doubt: (ctx, link, nextHop) => Neighbors.doubt(ctx, state.neighbor, hooks, link, nextHop)
})

const ipLayer = (state: State): IpLayer => ({
  path: (ctx, destination, source, link) => Path.find(ctx, state.ip, destination, source, link),
  send: (ctx, send) => IpOutput.send(ctx, state.ip, send),
  hopLimit: (ctx, { link, version }) =>
    (version === 6 ? state.device.interfaces.get(link)?.hopLimitV6 : undefined) ?? ctx.config.hopLimit,
  learnMtu: (ctx, path, mtu) => IpOutput.learnMtu(ctx, state.ip, path, mtu),
  error: (ctx, error, packet) => IcmpErrors.send(ctx, state.icmp, error, packet),
  groupLink: (ctx, group) => Path.groupLink(ctx, group),
  isOurs: (address) => Addresses.linkOf(state.device, address) !== undefined
})

const routeLayer = (state: State): RouteLayer => {
  const isUp = (link: LinkId): boolean => state.device.interfaces.get(link)?.up === true
  return { lookup: (destination, link) => Routes.lookup(state.route, state.keys, destination, link, isUp) }
}

const groupLayer = (state: State): GroupLayer => ({
  listen: (ctx, link, group, before, after) => {
    const self = ctx.links.get(link)
    if (self === undefined) return Reason.notFound("interface")
    const bound = Memberships.listen(ctx, state.multicast, self, group, before, after)
    return bound === undefined ? undefined : Reason.limitReached(bound)
  }
})

/** Echo requests of this host's programs: ICMP carries them, ping owns them. */
const echoes = (state: State): Icmpv4.Echoes => ({
  answered: (ctx, packet, echo) => Ping.answered(ctx, state.ping, packet, echo),
  failed: (ctx, error, identifier, sequence) => Ping.failed(ctx, state.ping, error, identifier, sequence)
})

/** The transports by protocol number. */
const transports = (state: State): Transports => {
  const table: Array<Transport | undefined> = new Array(256).fill(undefined)
  const add = (transport: Transport): void => {
    table[transport.protocol] = transport
  }
  add(Icmpv4.transport(echoes(state)))
  const concerns = Ipv6Bindings.messageHandlers(state, neighborHooks(state), () => deviceEffects(state))
  add(Icmpv6.transport({ ...echoes(state), ...concerns }))
  add(Igmp.transport((ctx, self, input) => Memberships.hear(ctx, state.multicast, self, 4, input)))
  add(Udp.transport(state.udp))
  add(Tcp.transport(state.tcp))
  return {
    get: (protocol) => table[protocol],
    raw: (ctx, packet) => Raw.receive(ctx, state.raw, packet),
    rawFailed: (ctx, error) => Raw.failed(ctx, state.raw, error)
  }
}

export const bind = (state: State): Layers => ({
  ip: ipLayer(state),
  links: linkLayer(state, neighborHooks(state)),
  routes: routeLayer(state),
  groups: groupLayer(state),
  transports: transports(state)
})

/** What interfaces and their addresses mean for the others. */
export const deviceEffects = (state: State): Effects => ({
  probe: (ctx, self, address) => {
    if (Address.isV4(address)) Arp.probe(ctx, self, address)
  },
  announce: (ctx, self, address) => {
    if (Address.isV4(address)) Arp.announce(ctx, self, address)
  },
  detect: (ctx, self, entry, address) =>
    Detections.begin(ctx, state.ipv6, Ipv6Bindings.detectionHooks(state, deviceEffects(state)), self, entry, address),
  linkLocalOf: Ipv6Bindings.linkLocalOf,
  added: (ctx, self, entry) => Ipv6Bindings.onAdded(ctx, state, self, entry),
  removed: (ctx, link, entry) => Ipv6Bindings.onRemoved(ctx, state, link, entry),
  assigned: (ctx, link, entry) => {
    RouteRequests.onAssigned(ctx, state.route, link, entry)
    Ipv6Bindings.onAssigned(ctx, state, link, entry)
  },
  unassigned: (ctx, link, entry) => {
    RouteRequests.onUnassigned(ctx, state.route, link, entry)
    if (Addresses.linkOf(state.device, entry.address) === undefined) TcpOrphans.end(ctx, state.tcp, entry.address)
  },
  changed: (ctx, self) => {
    for (const version of [4, 6] as const) if (self.up) Memberships.announce(ctx, state.multicast, self, version)
    if (!self.up) Ipv6Bindings.onDown(ctx, state, neighborHooks(state), self.id)
    Advertising.changed(ctx, state.ipv6, self)
    Autoconfiguration.changed(ctx, state.ipv6, Ipv6Bindings.autoconfigurationHooks(state, deviceEffects(state)), self)
  },
  resized: (ctx, self) => TcpPathMtu.onResized(ctx, state.tcp, self.id),
  forwarding: (ctx, self) => Ipv6Bindings.onForwarding(ctx, state, self),
  attached: (ctx, self) => ctx.put(state.queued, self.id, 0),
  leaving: (ctx, self) => {
    Advertising.end(ctx, state.ipv6, self.id)
    // While its addresses are known: what waits for neighbours is this host's own, or somebody else's.
    Neighbors.flush(ctx, state.neighbor, neighborHooks(state), self.id, true)
  },
  detached: (ctx, link) => {
    Autoconfiguration.stop(ctx, state.ipv6, Ipv6Bindings.autoconfigurationHooks(state, deviceEffects(state)), link)
    Neighbors.flush(ctx, state.neighbor, neighborHooks(state), link, true)
    Routes.removeLink(ctx, state.route, link)
    UdpBind.onDetached(ctx, state.udp, link)
    Raw.onDetached(ctx, state.raw, link)
    Memberships.forget(ctx, state.multicast, link)
    Ipv6Bindings.onDetached(ctx, state, link)
    ctx.remove(state.queued, link)
  }
})

/** How a router tells senders of better first hops. */
const forwardHooks = (state: State): Forward.Hooks => ({
  redirect: (ctx, self, packet, target) => {
    if (Address.isV4(target)) return IcmpErrors.redirect(ctx, state.icmp, target, packet)
    Ipv6Bindings.redirect(ctx, state, self, packet, target)
  }
})

export const ipv4Hooks = (state: State): Ipv4.Hooks => ({
  ...forwardHooks(state),
  isListened: (self, group, source) => Memberships.accepts(state.multicast, self.id, group, source)
})

export const ipv6Hooks = (state: State): Ipv6.Hooks => ({
  ...Ipv6Bindings.ipv6Hooks(state),
  forward: (ctx, inbound, packet) => Forward.forward(ctx, forwardHooks(state), { inbound, packet, mayCut: false })
})
