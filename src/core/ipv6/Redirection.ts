/**
 * Redirects as they come in (RFC 4861 §8.1, §8.3): believed from the first hop only, kept as routes to single destinations, and forgotten when
 * what they lead to does not answer any more.
 */
import * as Address from "../../wire/Address.ts"
import type { Redirect } from "../../wire/Ndp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { forwards, type Interface, type LinkId } from "../Device.ts"
import * as Redirects from "./Redirects.ts"
import type { State } from "./State.ts"

/** What is done with what is learnt; bound by `core/Ipv6Bindings.ts`. */
export interface Hooks {
  /** Sends packets for the destination to the target, or to itself; false if there is no room for the route. */
  readonly addRoute: (ctx: Context, link: LinkId, entry: Redirects.Entry) => boolean
  readonly removeRoute: (ctx: Context, link: LinkId, entry: Redirects.Entry) => void
  /** The target, with its link-layer address if the message tells it (rfc: 4861 §8.3 MUST). */
  readonly hear: (ctx: Context, self: Interface, redirect: Redirect, isRouter: boolean) => void
}

export const receive = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  self: Interface,
  source: Address.Ipv6,
  message: Redirect
): void => {
  // rfc: 4861 §8.2 MUST NOT: routers know their ways from elsewhere
  if (forwards(ctx.config, self)) return ctx.drop("IcmpRedirectIgnored", self.id, "this host is a router")
  const { destination } = message
  const route = ctx.routes.lookup(destination, self.id)
  const firstHop = route === undefined ? undefined : route.gateway ?? destination
  const fault = Redirects.fault(source, message, firstHop)
  if (fault !== undefined) return ctx.drop("IcmpRedirectIgnored", self.id, fault)
  const before = state.redirects.get(self.id) ?? Redirects.empty
  const old = before.entries.find((entry) => Address.equals(entry.destination, destination))
  const { entry, evicted, isRouter, self: learnt } = Redirects.learn(before, message, ctx.config.limits.redirects)
  if (old !== undefined) hooks.removeRoute(ctx, self.id, old)
  if (evicted !== undefined) hooks.removeRoute(ctx, self.id, evicted)
  if (!hooks.addRoute(ctx, self.id, entry)) return ctx.drop("NdpLimit", self.id, "routes")
  ctx.put(state.redirects, self.id, learnt)
  ctx.count(Counter.index.redirectsObeyed)
  hooks.hear(ctx, self, message, isRouter)
}

/** A neighbour is no router any more, or does not answer (rfc: 4861 §6.3.5 MUST, §7.3.3). */
export const forget = (ctx: Context, state: State, hooks: Hooks, link: LinkId, target: Address.Address): void => {
  const before = state.redirects.get(link)
  if (before === undefined) return
  const [left, forgotten] = Redirects.forget(before, target)
  for (const entry of forgotten) hooks.removeRoute(ctx, link, entry)
  if (left.entries.length > 0) ctx.put(state.redirects, link, left)
  else ctx.remove(state.redirects, link)
}

/** The link went down, or is gone: whoever is on it next may be somebody else. */
export const forgetAll = (ctx: Context, state: State, hooks: Hooks, link: LinkId): void => {
  const before = state.redirects.get(link)
  if (before === undefined) return
  for (const entry of before.entries) hooks.removeRoute(ctx, link, entry)
  ctx.remove(state.redirects, link)
}
