/**
 * Hosts that configure themselves, one machine for each link that is told to (RFC 4861 §6.3, RFC 4862): `HostInterface.ts` decides, here are its timer, its
 * settings and the way of what it decides to addresses, routes and watchers.
 */
import * as Address from "../../wire/Address.ts"
import type { RouterAdvertisement } from "../../wire/Ndp.ts"
import * as NdpOptions from "../../wire/NdpOptions.ts"
import type { Context } from "../Context.ts"
import { find, type Interface, type LinkId } from "../Device.ts"
import * as Entropy from "../Entropy.ts"
import * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import * as WellKnown from "../WellKnown.ts"
import type { AddressLifetimes } from "./AddressLifetimes.ts"
import * as HostInterface from "./HostInterface.ts"
import * as InterfaceId from "./InterfaceId.ts"
import type { LinkParameters } from "./LinkParameters.ts"
import * as NdpSend from "./NdpSend.ts"
import type * as Prefixes from "./Prefixes.ts"
import type * as Routers from "./Routers.ts"
import type * as Slaac from "./Slaac.ts"
import type { Host, State } from "./State.ts"
import * as Temporary from "./Temporary.ts"

/** A way that routers have told. */
export interface Way {
  readonly prefix: Address.Ipv6
  readonly length: number
  /** Absent for what is on the link. */
  readonly router: Address.Ipv6 | undefined
  readonly metric: number
}

/** What is done with what the machine decides; bound by `core/Protocols.ts`. */
export interface Hooks {
  /** Gives the interface an address, when nobody else is found to have it, or other lifetimes to one that it has; false if there is no room. */
  readonly give: (
    ctx: Context,
    link: LinkId,
    address: Address.Ipv6,
    origin: Slaac.Origin,
    lifetimes: AddressLifetimes
  ) => boolean
  readonly take: (ctx: Context, link: LinkId, address: Address.Ipv6) => void
  /** False if there is no room for it. */
  readonly addRoute: (ctx: Context, link: LinkId, way: Way) => boolean
  readonly removeRoute: (ctx: Context, link: LinkId, way: Way) => void
  readonly setParameters: (ctx: Context, link: LinkId, parameters: LinkParameters) => void
}

/** Numbers jitter's keys apart from those of other records of the link. */
const purpose = 0x52_4154

const fractionFor = (ctx: Context, link: LinkId, of: number) => (draw: number): number =>
  Entropy.fraction(ctx.keys.jitter, [purpose + of, link, draw])

const isGiven = (self: Interface, address: Address.Address): boolean => {
  const origin = find(self, address)?.origin
  return origin === "static" || origin === "dhcp"
}

const settingsOf = (ctx: Context, self: Interface): HostInterface.Settings => ({
  linkMtu: self.mtu,
  hopLimit: ctx.config.hopLimit,
  slaac: {
    stableSecret: ctx.keys.interfaceId,
    temporarySecret: ctx.keys.temporaryId,
    netInterface: InterfaceId.wordsOf(self.name),
    networkId: [],
    mac: self.mac,
    identifiers: "opaque",
    hasTemporary: () => true,
    temporary: {
      preferredLifetime: Temporary.defaultPreferredLifetime,
      validLifetime: Temporary.defaultValidLifetime,
      transmits: 1,
      retransmit: Time.seconds(1)
    },
    limits: ctx.config.limits,
    fraction: fractionFor(ctx, self.id, 0),
    wallOffset: ctx.config.wallOffset,
    isTaken: (address) => isGiven(self, address)
  },
  solicitation: { fraction: fractionFor(ctx, self.id, 1) },
  limits: ctx.config.limits
})

/** The interface configures itself from now on. */
export const start = (ctx: Context, state: State, hooks: Hooks, self: Interface): void => {
  if (state.hosts.has(self.id)) return
  ctx.put(state.hosts, self.id, { machine: HostInterface.make(settingsOf(ctx, self)), timer: Timer.idle })
  if (self.up) tell(ctx, state, hooks, self.id, { _tag: "Up" })
}

/** It does not any more; what it had by that is taken away. */
export const stop = (ctx: Context, state: State, hooks: Hooks, link: LinkId): void => {
  tell(ctx, state, hooks, link, { _tag: "Down" })
  if (state.hosts.has(link)) ctx.remove(state.hosts, link)
}

/** The link came up or went down. */
export const changed = (ctx: Context, state: State, hooks: Hooks, self: Interface): void => {
  tell(ctx, state, hooks, self.id, { _tag: self.up ? "Up" : "Down" })
}

/** A valid advertisement came; false if the interface does not listen to any. */
export const advertised = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  self: Interface,
  router: Address.Ipv6,
  advertisement: RouterAdvertisement
): boolean => tell(ctx, state, hooks, self.id, { _tag: "Advertised", router, advertisement })

/** A neighbour says that it forwards nothing any more (rfc: 4861 §7.2.5 MUST): its routes go, if it had any. */
export const retired = (ctx: Context, state: State, hooks: Hooks, link: LinkId, router: Address.Ipv6): void => {
  const isRouter = state.hosts.get(link)?.machine.routers.routes.some((route) => Address.equals(route.router, router))
  if (isRouter === true) tell(ctx, state, hooks, link, { _tag: "Retired", router })
}

/** What detection has found out about an address of the interface. */
export const detected = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  link: LinkId,
  address: Address.Ipv6,
  isUnique: boolean
): void => {
  tell(ctx, state, hooks, link, { _tag: isUnique ? "Unique" : "Duplicate", address })
}

export const alarm = (ctx: Context, state: State, hooks: Hooks, link: LinkId, due: Time.Instant): void => {
  const host = state.hosts.get(link)
  if (host === undefined) return
  const { armed, isDue } = Timer.fired(ctx, { _tag: "Autoconfiguration", key: link }, host.timer, due)
  ctx.put(state.hosts, link, { ...host, timer: armed })
  if (isDue) tell(ctx, state, hooks, link, { _tag: "Alarm" })
}

/** The alarm threw: the interface keeps what it has, and hears of changes with the next advertisement. */
export const lost = (ctx: Context, state: State, link: LinkId): void => {
  const host = state.hosts.get(link)
  if (host !== undefined) ctx.put(state.hosts, link, { ...host, timer: Timer.idle })
}

const tell = (ctx: Context, state: State, hooks: Hooks, link: LinkId, input: HostInterface.Input): boolean => {
  const host = state.hosts.get(link)
  const self = ctx.links.get(link)
  if (host === undefined || self === undefined) return false
  const [machine, actions] = HostInterface.step(host.machine, input, ctx.at, settingsOf(ctx, self))
  const timer = Timer.arm(ctx, { _tag: "Autoconfiguration", key: link }, host.timer, machine.deadline)
  const stepped: Host = { machine, timer }
  ctx.put(state.hosts, link, stepped)
  for (const action of actions) act(ctx, hooks, link, action)
  return true
}

const act = (ctx: Context, hooks: Hooks, link: LinkId, action: HostInterface.Action): void => {
  switch (action._tag) {
    case "Address":
      return onAddress(ctx, hooks, link, action.action)
    case "Route":
      return onRoute(ctx, hooks, link, action.action)
    case "OnLink":
      return onPrefix(ctx, hooks, link, action.action)
    case "Resolver":
      // A resolver asks the servers for names; nobody here does anything with search domains.
      if (action.action._tag === "DomainsChanged") return
      return ctx.notice({ _tag: "NameServers", link, servers: action.action.servers })
    case "Solicitation": {
      const self = ctx.links.get(link)
      if (action.action._tag === "Solicit" && self !== undefined && self.up) solicit(ctx, self)
      return
    }
    case "Parameters":
      return hooks.setParameters(ctx, link, action.parameters)
  }
}

/** rfc: 4861 §6.3.7: the link-layer address is told only with an address to which it belongs */
const solicit = (ctx: Context, self: Interface): void => {
  const source = NdpSend.sourceFor(self, WellKnown.allRouters)
  const options = source === undefined ? NdpOptions.none : NdpSend.sourceOptions(self, source)
  NdpSend.send(ctx, self, source ?? Address.unspecifiedV6, WellKnown.allRouters, {
    _tag: "RouterSolicitation",
    options
  })
}

const onAddress = (ctx: Context, hooks: Hooks, link: LinkId, action: Slaac.Action): void => {
  switch (action._tag) {
    case "Add":
      if (!hooks.give(ctx, link, action.address, action.origin, action.lifetimes)) ctx.drop("NdpLimit", link)
      return
    case "Renew": {
      const self = ctx.links.get(link)
      const origin = self === undefined ? undefined : find(self, action.address)?.origin
      if (origin === "linkLocal" || origin === "slaac" || origin === "temporary") {
        hooks.give(ctx, link, action.address, origin, action.lifetimes)
      }
      return
    }
    case "Remove":
      return hooks.take(ctx, link, action.address)
    case "GiveUp":
      // The notices of the addresses that were duplicates have said so.
      return
    case "Ignore":
      return ctx.drop("NdpLimit", link, action.bound)
  }
}

/** Static routes have lower metrics; of two routers the preferred one has (rfc: 4191 §3.2). */
const metricOf = (preference: NdpOptions.Preference): number => 1024 - 256 * preference

const onRoute = (
  ctx: Context,
  hooks: Hooks,
  link: LinkId,
  action: Exclude<Routers.Action, { readonly _tag: "NoRouters" }>
): void => {
  if (action._tag === "Ignore") return ctx.drop("NdpLimit", link, action.bound)
  const { length, prefix, preference, router } = action.route
  const way: Way = { prefix, length, router, metric: metricOf(preference) }
  if (action._tag === "Remove") return hooks.removeRoute(ctx, link, way)
  if (!hooks.addRoute(ctx, link, way)) ctx.drop("NdpLimit", link, "routes")
}

const onPrefix = (ctx: Context, hooks: Hooks, link: LinkId, action: Prefixes.Action): void => {
  if (action._tag === "Ignore") return ctx.drop("NdpLimit", link, action.bound)
  const { length, prefix } = action.prefix
  const way: Way = { prefix, length, router: undefined, metric: metricOf(0) }
  if (action._tag === "Remove") return hooks.removeRoute(ctx, link, way)
  if (!hooks.addRoute(ctx, link, way)) ctx.drop("NdpLimit", link, "routes")
}
