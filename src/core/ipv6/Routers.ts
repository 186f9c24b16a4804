/**
 * The routes that routers of a link advertise: to everywhere, and more specific ones (RFC 4861 §6.3.4, §6.3.5; RFC 4191 §3.1, a host of type C).
 *
 * A route is known by its prefix and its router. Which of several is taken is for `RouterSelection.ts`.
 */
import * as Address from "../../wire/Address.ts"
import type * as NdpOptions from "../../wire/NdpOptions.ts"
import * as Time from "../Time.ts"
import * as AddressLifetimes from "./AddressLifetimes.ts"

export interface Route {
  readonly prefix: Address.Ipv6
  /** 0 for a default route. */
  readonly length: number
  readonly router: Address.Ipv6
  readonly preference: NdpOptions.Preference
  readonly until: Time.Instant
}

export interface Routers {
  /** In order of their coming. */
  readonly routes: ReadonlyArray<Route>
  readonly deadline: Time.Instant
}

export type Input =
  /** A valid advertisement of the router came. */
  | {
    readonly _tag: "Advertised"
    readonly router: Address.Ipv6
    /** In seconds; 0 for who is no default router. */
    readonly routerLifetime: number
    readonly preference: NdpOptions.Preference
    readonly routes: ReadonlyArray<NdpOptions.Route>
  }
  /** The neighbour says that it forwards nothing any more (RFC 4861 §7.2.5). */
  | { readonly _tag: "Retired"; readonly router: Address.Ipv6 }
  /** The interface went down. */
  | { readonly _tag: "Disable" }
  | { readonly _tag: "Alarm" }

export type Action =
  | { readonly _tag: "Add"; readonly route: Route }
  /** Same prefix and router, another preference. */
  | { readonly _tag: "Change"; readonly route: Route }
  /** Destinations that use it need another way from now on (rfc: 4861 §6.3.5 MUST, 4191 §3.3 MUST). */
  | { readonly _tag: "Remove"; readonly route: Route }
  /** The last default route is gone. */
  | { readonly _tag: "NoRouters" }
  /** There is no room for another route. */
  | { readonly _tag: "Ignore"; readonly bound: "defaultRouters" | "advertisedRoutes" }

export type Outcome = readonly [Routers, ReadonlyArray<Action>]

export interface Settings {
  readonly limits: { readonly defaultRouters: number; readonly advertisedRoutes: number }
}

export const empty: Routers = Object.freeze({ routes: Object.freeze([]), deadline: Time.never })

const isDefault = ({ length }: Pick<Route, "length">): boolean => length === 0

/** Whether there is a way to everywhere. */
export const hasDefault = (self: Routers): boolean => self.routes.some(isDefault)

/** Whether a neighbour has advertised itself as a router that is still good for something. */
export const isRouter = (self: Routers, address: Address.Address): boolean =>
  self.routes.some(({ router }) => Address.equals(router, address))

export const step = (self: Routers, input: Input, at: Time.Instant, settings: Settings): Outcome => {
  const actions: Array<Action> = []
  const alive = keep(self.routes, actions, ({ until }) => until > at)
  const routes = take(alive, input, at, settings, actions)
  if (hasDefault(self) && !routes.some(isDefault)) actions.push({ _tag: "NoRouters" })
  const deadline = routes.reduce((first, { until }) => Time.earliest(first, until), Time.never)
  return [{ routes, deadline }, actions]
}

const take = (
  routes: ReadonlyArray<Route>,
  input: Input,
  at: Time.Instant,
  settings: Settings,
  actions: Array<Action>
): ReadonlyArray<Route> => {
  switch (input._tag) {
    case "Advertised":
      return routesOf(input, at).reduce((all, route) => update(all, route, at, settings, actions), routes)
    case "Retired":
      return keep(routes, actions, ({ router }) => !Address.equals(router, input.router))
    case "Disable":
      return keep(routes, actions, () => false)
    case "Alarm":
      return routes
  }
}

/** The routes that stay; each other one is removed. */
const keep = (
  routes: ReadonlyArray<Route>,
  actions: Array<Action>,
  stays: (route: Route) => boolean
): ReadonlyArray<Route> =>
  routes.filter((route) => {
    const isKept = stays(route)
    if (!isKept) actions.push({ _tag: "Remove", route })
    return isKept
  })

/**
 * What an advertisement says of routes, each of them once. An option for ::/0 stands before what the header says (rfc: 4191 §3.1), and the preference of a
 * header without lifetime says nothing (rfc: 4191 §2.2 MUST).
 */
const routesOf = (input: Extract<Input, { readonly _tag: "Advertised" }>, at: Time.Instant): ReadonlyArray<Route> => {
  const { preference, router, routerLifetime } = input
  const options = input.routes.filter(isSensible).map((option): Route => ({
    prefix: Address.network(option.prefix, option.length) as Address.Ipv6,
    length: option.length,
    router,
    preference: option.preference,
    until: AddressLifetimes.after(at, option.lifetime)
  }))
  if (options.some(isDefault)) return options
  const header: Route = {
    prefix: Address.unspecifiedV6,
    length: 0,
    router,
    preference: routerLifetime === 0 ? 0 : preference,
    until: AddressLifetimes.after(at, routerLifetime)
  }
  return [header, ...options]
}

/** What is link-local or a group has no router, whoever says so. */
const isSensible = ({ length, prefix }: NdpOptions.Route): boolean =>
  length < 8 || !(Address.isMulticast(prefix) || Address.isLinkLocal(prefix))

const isSame = (a: Route, b: Route): boolean =>
  a.length === b.length && Address.equals(a.prefix, b.prefix) && Address.equals(a.router, b.router)

/** rfc: 4861 §6.3.4, 4191 §3.1: a route that was not known is added, one that was is renewed, one without lifetime goes. */
const update = (
  routes: ReadonlyArray<Route>,
  route: Route,
  at: Time.Instant,
  { limits }: Settings,
  actions: Array<Action>
): ReadonlyArray<Route> => {
  const known = routes.find((other) => isSame(other, route))
  if (route.until <= at) return keep(routes, actions, (other) => other !== known)
  if (known !== undefined) {
    if (known.preference !== route.preference) actions.push({ _tag: "Change", route })
    return routes.map((other) => other === known ? route : other)
  }
  const bound = isDefault(route) ? "defaultRouters" : "advertisedRoutes"
  if (routes.filter((other) => isDefault(other) === isDefault(route)).length >= limits[bound]) {
    actions.push({ _tag: "Ignore", bound })
    return routes
  }
  actions.push({ _tag: "Add", route })
  return [...routes, route]
}
