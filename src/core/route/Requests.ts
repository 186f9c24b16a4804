/**
 * What programs ask of the routing table. Routes to what is on a link come and go with the link's addresses.
 */
import type * as Address from "../../wire/Address.ts"
import type { LinkId } from "../Device.ts"
import type { Answers } from "../Request.ts"

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
