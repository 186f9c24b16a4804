/**
 * The routing table: the route with the longest prefix wins, then the lowest metric, then the oldest (RFC 1812 §5.2.4.3, RFC 1122 §3.3.1.2).
 *
 *     lookup 10.1.2.3:  /32? ─▶ /24? ─▶ /8? ─▶ /0        one question to a hash table per prefix length in use
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import * as HashIndex from "../data/HashIndex.ts"
import * as Demux from "../Demux.ts"
import type { LinkId } from "../Device.ts"
import type { Keys } from "../Entropy.ts"
import type { RouteInfo, RouteOrigin } from "./Requests.ts"
import type { Length, Route, State } from "./State.ts"

const hashOf = (keys: Keys, prefix: Address.Address, length: number): number =>
  Demux.hash(keys.demux, prefix, length, Address.unspecifiedV4, 0)

/** The routes to exactly this prefix, in the order of their making. */
const routesTo = (state: State, keys: Keys, prefix: Address.Address, length: number): ReadonlyArray<Route> => {
  const found: Array<Route> = []
  for (const id of HashIndex.get(state.index, hashOf(keys, prefix, length))) {
    const route = state.routes.get(id)
    if (route !== undefined && route.length === length && Address.equals(route.prefix, prefix)) found.push(route)
  }
  return found
}

/** The best route to a destination, of those out of `link` if one is given, and out of links that are usable. */
export const lookup = (
  state: State,
  keys: Keys,
  destination: Address.Address,
  link: LinkId | undefined,
  isUsable: (link: LinkId) => boolean
): Route | undefined => {
  for (const { length } of state.lengths[Address.versionOf(destination)].value) {
    let best: Route | undefined = undefined
    const prefix = Address.network(destination, length)
    // No list of the routes, unlike elsewhere: this is asked for each packet that is forwarded.
    for (const id of HashIndex.get(state.index, hashOf(keys, prefix, length))) {
      const route = state.routes.get(id)
      if (route === undefined || route.length !== length || !Address.equals(route.prefix, prefix)) continue
      if (link !== undefined && route.link !== link) continue
      if ((best === undefined || route.metric < best.metric) && isUsable(route.link)) best = route
    }
    if (best !== undefined) return best
  }
  return undefined
}

/** All routes to a destination out of a link that lead to a router, the most specific first. */
export const byRouter = (
  state: State,
  keys: Keys,
  destination: Address.Address,
  link: LinkId
): ReadonlyArray<Route & { readonly gateway: Address.Address }> =>
  state.lengths[Address.versionOf(destination)].value.flatMap(({ length }) =>
    routesTo(state, keys, Address.network(destination, length), length).flatMap((route) =>
      route.gateway !== undefined && route.link === link ? [{ ...route, gateway: route.gateway }] : []
    )
  )

const isSame = (route: Route, info: RouteInfo): boolean =>
  route.link === info.link && route.origin === info.origin &&
  (route.gateway === undefined
    ? info.gateway === undefined
    : info.gateway !== undefined && Address.equals(route.gateway, info.gateway))

/** Adds a route, or updates the one that differs in metric and source only. False when the table is full. */
export const add = (ctx: Context, state: State, given: RouteInfo): boolean => {
  const info: RouteInfo = { ...given, prefix: Address.network(given.prefix, given.length) }
  const same = routesTo(state, ctx.keys, info.prefix, info.length).find((route) => isSame(route, info))
  if (same !== undefined) {
    ctx.put(state.routes, same.id, { ...info, id: same.id })
    return true
  }
  if (state.routes.size >= ctx.config.limits.routes) return false
  const id = ctx.nextId()
  ctx.put(state.routes, id, { ...info, id })
  HashIndex.add(ctx, state.index, hashOf(ctx.keys, info.prefix, info.length), id)
  countLength(ctx, state, info, 1)
  ctx.notice({ _tag: "RouteAdded", prefix: info.prefix, length: info.length })
  return true
}

const remove = (ctx: Context, state: State, route: Route): void => {
  ctx.remove(state.routes, route.id)
  HashIndex.remove(ctx, state.index, hashOf(ctx.keys, route.prefix, route.length), route.id)
  countLength(ctx, state, route, -1)
  ctx.notice({ _tag: "RouteRemoved", prefix: route.prefix, length: route.length })
}

const countLength = (ctx: Context, state: State, route: RouteInfo, by: number): void => {
  const cell = state.lengths[Address.versionOf(route.prefix)]
  const before = cell.value.find(({ length }) => length === route.length)
  const changed: Length = { length: route.length, routes: (before?.routes ?? 0) + by }
  const others = cell.value.filter(({ length }) => length !== route.length)
  ctx.set(cell, changed.routes === 0 ? others : [...others, changed].toSorted((a, b) => b.length - a.length))
}

/** Which routes to a prefix to take away; what is absent does not matter. */
export interface Selection {
  readonly prefix: Address.Address
  readonly length: number
  readonly gateway: Address.Address | undefined
  readonly link: LinkId | undefined
  readonly origin: RouteOrigin | undefined
}

/** Removes the selected routes and answers how many. */
export const removeSelected = (ctx: Context, state: State, selection: Selection): number => {
  const { gateway, length, link, origin } = selection
  const selected = routesTo(state, ctx.keys, Address.network(selection.prefix, length), length).filter((route) =>
    (link === undefined || route.link === link) &&
    (origin === undefined || route.origin === origin) &&
    (gateway === undefined || (route.gateway !== undefined && Address.equals(route.gateway, gateway)))
  )
  for (const route of selected) remove(ctx, state, route)
  return selected.length
}

/** Removes all routes out of a link. */
export const removeLink = (ctx: Context, state: State, link: LinkId): void => {
  const gone = Array.from(state.routes.values()).filter((route) => route.link === link).toSorted((a, b) => a.id - b.id)
  for (const route of gone) remove(ctx, state, route)
}

/** All routes, the most specific first. */
export const list = (state: State): ReadonlyArray<RouteInfo> =>
  Array.from(state.routes.values())
    .toSorted((a, b) =>
      b.length - a.length || Address.compare(a.prefix, b.prefix) || a.metric - b.metric || a.id - b.id
    )
    .map(({ gateway, length, link, metric, origin, prefix, source }) => ({
      prefix,
      length,
      gateway,
      link,
      metric,
      source,
      origin
    }))
