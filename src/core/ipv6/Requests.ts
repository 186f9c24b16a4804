/**
 * What programs ask of IPv6 itself: whether an interface configures itself, and whether it advertises a router to others.
 */
import * as Address from "../../wire/Address.ts"
import type * as NdpOptions from "../../wire/NdpOptions.ts"
import type { Context } from "../Context.ts"
import * as SourceFilter from "../data/SourceFilter.ts"
import { find, type Interface, type LinkId, loopback } from "../Device.ts"
import * as Reason from "../Reason.ts"
import type { Answers, Ticket } from "../Request.ts"
import { solicitedNode } from "../WellKnown.ts"
import * as Advertisement from "./Advertisement.ts"
import * as Advertising from "./Advertising.ts"
import * as Autoconfiguration from "./Autoconfiguration.ts"
import type { State } from "./State.ts"

/** Lets an interface have addresses, routes and name servers from what routers advertise (RFC 4862), or takes them away again. */
export interface SetAutoconfiguration extends Answers<void> {
  readonly _tag: "SetAutoconfiguration"
  readonly link: LinkId
  readonly isOn: boolean
}

/** A prefix to advertise; what is not given is as RFC 4861 §6.2.1 has it. Lifetimes are in seconds. */
export type GivenPrefix = Pick<NdpOptions.Prefix, "prefix" | "length"> & Partial<NdpOptions.Prefix>

/** What a router says of itself, as far as it differs from the defaults of RFC 4861 §6.2.1. */
export type GivenAdvertisement = Partial<Omit<Advertisement.Advertisement, "prefixes">> & {
  readonly prefixes?: ReadonlyArray<GivenPrefix>
}

/** Lets an interface advertise this host as a router, something else than before, or no more (RFC 4861 §6.2). */
export interface SetRouterAdvertising extends Answers<void> {
  readonly _tag: "SetRouterAdvertising"
  readonly link: LinkId
  /** Absent to cease. */
  readonly advertisement: GivenAdvertisement | undefined
}

/** Answers on a link for an address that is another's, so that packets for it come here to be forwarded; or does not any more (RFC 4861 §7.2.8). */
export interface SetProxy extends Answers<void> {
  readonly _tag: "SetProxy"
  readonly link: LinkId
  readonly address: Address.Ipv6
  readonly isOn: boolean
}

export type Ipv6Request = SetAutoconfiguration | SetRouterAdvertising | SetProxy

/** RFC 8200 §5 */
const minimumMtu = 1280

export const handle = (
  ctx: Context,
  state: State,
  hooks: Autoconfiguration.Hooks,
  ticket: Ticket,
  request: Ipv6Request
): void => {
  const self = ctx.links.get(request.link)
  if (self === undefined || self.id === loopback) return ctx.fail(ticket, Reason.notFound("interface"))
  if (self.mtu < minimumMtu) return ctx.fail(ticket, Reason.invalidArgument(`an MTU of ${self.mtu}`))
  switch (request._tag) {
    case "SetAutoconfiguration":
      if (request.isOn) Autoconfiguration.start(ctx, state, hooks, self)
      else Autoconfiguration.stop(ctx, state, hooks, self.id)
      return ctx.reply(ticket, undefined)
    case "SetProxy": {
      const refusal = proxy(ctx, state, self, request)
      return refusal === undefined ? ctx.reply(ticket, undefined) : ctx.fail(ticket, refusal)
    }
    case "SetRouterAdvertising": {
      const refusal = advertise(ctx, state, self, request.advertisement)
      return refusal === undefined ? ctx.reply(ticket, undefined) : ctx.fail(ticket, refusal)
    }
  }
}

const proxy = (
  ctx: Context,
  state: State,
  self: Interface,
  { address, isOn }: SetProxy
): Reason.Reason | undefined => {
  const before = state.proxies.get(self.id) ?? []
  const others = before.filter((other) => !Address.equals(other, address))
  if (!isOn && others.length === before.length) return Reason.notFound("address")
  if (isOn && (Address.isMulticast(address) || Address.isUnspecified(address) || find(self, address) !== undefined)) {
    return Reason.invalidArgument("not the address of another host")
  }
  if (isOn && others.length === before.length) {
    if (before.length >= ctx.config.limits.proxiedAddresses) return Reason.limitReached("proxiedAddresses")
    const refusal = ctx.groups.listen(ctx, self.id, solicitedNode(address), undefined, SourceFilter.everything)
    if (refusal !== undefined) return refusal
  }
  if (!isOn) ctx.groups.listen(ctx, self.id, solicitedNode(address), SourceFilter.everything, undefined)
  ctx.put(state.proxies, self.id, isOn ? [...others, address] : others)
  return undefined
}

/** Without the bits behind its length, which mean nothing. */
const prefixOf = (given: GivenPrefix): NdpOptions.Prefix => {
  const whole = Advertisement.prefix(given.prefix, given.length)
  return { ...whole, ...given, prefix: whole.prefix }
}

const advertise = (
  ctx: Context,
  state: State,
  self: Interface,
  given: GivenAdvertisement | undefined
): Reason.Reason | undefined => {
  if (given === undefined) {
    Advertising.stop(ctx, state, self.id)
    return undefined
  }
  // rfc: 4861 §6.1.2 MUST: routers are known by their link-local addresses
  if (!self.addresses.some(({ address }) => !Address.isV4(address) && Address.isLinkLocal(address))) {
    return Reason.invalidArgument("the interface has no IPv6 address")
  }
  const prefixes = (given.prefixes ?? []).map(prefixOf)
  const advertisement: Advertisement.Advertisement = { ...Advertisement.defaults, ...given, prefixes }
  const fault = Advertisement.fault(advertisement, self.mtu)
  if (fault !== undefined) return Reason.invalidArgument(fault)
  Advertising.start(ctx, state, self, advertisement)
  return undefined
}
