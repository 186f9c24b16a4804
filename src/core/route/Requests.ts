/**
 * What programs ask of the routing table. Routes to what is on a link come and go with the link's addresses.
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import { type Interface, type InterfaceAddress, isUsable, type LinkId } from "../Device.ts"
import * as Family from "../Family.ts"
import * as Reason from "../Reason.ts"
import type { Answers, Ticket } from "../Request.ts"
import * as Routes from "./Routes.ts"
import type { State } from "./State.ts"

/** How a route came to be. `onLink` ones belong to an address. */
export type RouteOrigin = "static" | "onLink" | "dhcp" | "router" | "redirect"

/** A way to a prefix, as programs see and give it. */
export interface RouteInfo {
  readonly prefix: Address.Address
  /** Leading bits of the prefix that count; 0 for the default route. */
  readonly length: number
  /** The router to hand packets to; absent when the prefix is on the link. */
  readonly gateway: Address.Address | undefined
  readonly link: LinkId
  /** Of two routes to the same prefix the one with the lower metric is taken. */
  readonly metric: number
  /** The source address to prefer for traffic over this route. */
  readonly source: Address.Address | undefined
  readonly origin: RouteOrigin
}

/** Adds a route, or changes the metric and source of one that is the same otherwise. */
export interface AddRoute extends Answers<void> {
  readonly _tag: "AddRoute"
  readonly prefix: Address.Address
  readonly length: number
  readonly gateway: Address.Address | undefined
  /** Absent for the link on which the gateway is. */
  readonly link: LinkId | undefined
  readonly metric: number
  readonly source: Address.Address | undefined
  /** `static` if absent. */
  readonly origin?: RouteOrigin
}

/** Takes away the routes to a prefix: all, or those by this gateway, out of this link. */
export interface RemoveRoute extends Answers<void> {
  readonly _tag: "RemoveRoute"
  readonly prefix: Address.Address
  readonly length: number
  readonly gateway: Address.Address | undefined
  readonly link: LinkId | undefined
}

/** All routes, the most specific first. */
export interface ListRoutes extends Answers<ReadonlyArray<RouteInfo>> {
  readonly _tag: "ListRoutes"
}

export type RouteRequest = AddRoute | RemoveRoute | ListRoutes

export const handle = (ctx: Context, state: State, ticket: Ticket, request: RouteRequest): void => {
  switch (request._tag) {
    case "AddRoute": {
      const refusal = add(ctx, state, request)
      return refusal === undefined ? ctx.reply(ticket, undefined) : ctx.fail(ticket, refusal)
    }
    case "RemoveRoute": {
      const removed = isPrefix(request.prefix, request.length)
        ? Routes.removeSelected(ctx, state, { ...request, origin: undefined })
        : 0
      return removed === 0 ? ctx.fail(ticket, Reason.notFound("route")) : ctx.reply(ticket, undefined)
    }
    case "ListRoutes":
      return ctx.reply(ticket, Routes.list(state))
  }
}

const isPrefix = (prefix: Address.Address, length: number): boolean =>
  Number.isInteger(length) && length >= 0 && length <= Family.of(prefix).addressBits

const add = (ctx: Context, state: State, request: AddRoute): Reason.Reason | undefined => {
  const { gateway, length, metric, prefix, source } = request
  if (!isPrefix(prefix, length)) return Reason.invalidArgument(`prefix length ${length}`)
  if (gateway !== undefined && Address.versionOf(gateway) !== Address.versionOf(prefix)) {
    return Reason.invalidArgument("the gateway is of another IP version")
  }
  const link = request.link ?? linkOf(ctx, gateway)
  if (link === undefined) return Reason.unreachable("network")
  if (ctx.links.get(link) === undefined) return Reason.notFound("interface")
  // rfc: 1122 §3.3.1.1: the next hop has to be on a connected network.
  if (gateway !== undefined && !isOnLink(ctx, link, gateway)) return Reason.unreachable("network")
  if (source !== undefined && !ctx.ip.isOurs(source)) return Reason.addressNotAvailable
  const origin = request.origin ?? "static"
  return Routes.add(ctx, state, { prefix, length, gateway, link, metric, source, origin })
    ? undefined
    : Reason.limitReached("routes")
}

/** The link on which a gateway is a neighbour. */
const linkOf = (ctx: Context, gateway: Address.Address | undefined): LinkId | undefined => {
  if (gateway === undefined) return undefined
  for (const self of ctx.links.all()) if (self.medium !== "loopback" && sharesPrefix(self, gateway)) return self.id
  return undefined
}

const sharesPrefix = (self: Interface, gateway: Address.Address): boolean =>
  self.addresses.some((entry) => Address.samePrefix(entry.address, gateway, entry.prefixLength))

/** Links without neighbours to resolve take any gateway. */
const isOnLink = (ctx: Context, link: LinkId, gateway: Address.Address): boolean => {
  const self = ctx.links.get(link)
  return self !== undefined &&
    (self.medium === "ip" || Address.isLinkLocal(gateway) || sharesPrefix(self, gateway) ||
      isRoutedToLink(ctx, link, gateway))
}

/** A host that is alone in its prefix may have a route to its router by itself, as DHCP gives with 32 bits (RFC 3442, Local Subnet Routes). */
const isRoutedToLink = (ctx: Context, link: LinkId, gateway: Address.Address): boolean => {
  const route = ctx.routes.lookup(gateway, link)
  return route !== undefined && route.link === link && route.gateway === undefined
}

/** rfc: 5942 §4 MUST NOT: an address made from an advertised prefix does not mean that the prefix is on the link; the advertisement says so by itself. */
const makesOnLink = ({ origin }: InterfaceAddress): boolean => origin !== "slaac" && origin !== "temporary"

/** What is on the link of an address is reached without a router. */
export const onAssigned = (ctx: Context, state: State, link: LinkId, entry: InterfaceAddress): void => {
  if (!makesOnLink(entry)) return
  const { address, prefixLength } = entry
  // A full table leaves the prefix to the other routes; the bound says so to whoever adds routes.
  Routes.add(ctx, state, {
    prefix: address,
    length: prefixLength,
    gateway: undefined,
    link,
    metric: 0,
    source: undefined,
    origin: "onLink"
  })
}

/** The route stays while another address of the link is in the same prefix. */
export const onUnassigned = (ctx: Context, state: State, link: LinkId, entry: InterfaceAddress): void => {
  if (!makesOnLink(entry)) return
  const { address, prefixLength } = entry
  const isShared = ctx.links.get(link)?.addresses.some((other) =>
    other.id !== entry.id && makesOnLink(other) && isUsable(other) && other.prefixLength === prefixLength &&
    Address.samePrefix(other.address, address, prefixLength)
  )
  if (isShared === true) return
  Routes.removeSelected(ctx, state, {
    prefix: address,
    length: prefixLength,
    gateway: undefined,
    link,
    origin: "onLink"
  })
}
