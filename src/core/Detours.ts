/**
 * The way around a router that does not answer: another that has a route to the destination out of the same link (RFC 4861 §6.3.6, RFC 4191 §3.2; RFC 1122
 * §3.3.1.4, §3.3.1.5 for IPv4). `route/RouterSelection.ts` chooses; here it meets the routes and what is known of the neighbours.
 *
 * Connections know nothing of it: their packets take the other router, and go back to the first when it answers again.
 */
import * as Address from "../wire/Address.ts"
import type { Outgoing } from "../wire/Gather.ts"
import type { Context } from "./Context.ts"
import type { Interface } from "./Device.ts"
import * as Neighbor from "./neighbor/Neighbor.ts"
import * as Neighbors from "./neighbor/Neighbors.ts"
import * as RouterSelection from "./route/RouterSelection.ts"
import * as Routes from "./route/Routes.ts"
import type { State } from "./State.ts"

/** Where the destination stands in the header that a packet begins with. */
const destinationOf = ({ head, headStart }: Outgoing): Address.Address =>
  head[headStart]! >>> 4 === 4 ? Address.readV4(head, headStart + 16) : Address.readV6(head, headStart + 24)

const reachabilityOf = (
  ctx: Context,
  state: State,
  self: Interface,
  router: Address.Address
): RouterSelection.Reachability => {
  const entry = Neighbors.find(ctx, state.neighbor, self.id, router)
  if (entry === undefined) return "unknown"
  if (Neighbor.isDoubtful(entry.neighbor)) return "unreachable"
  return Neighbor.macOf(entry.neighbor) === undefined ? "unknown" : "reachable"
}

/** Another next hop for a packet whose router is in doubt; `undefined` if there is none. */
export const find = (
  ctx: Context,
  state: State,
  self: Interface,
  nextHop: Address.Address,
  packet: Outgoing
): Neighbors.Detour | undefined => {
  const destination = destinationOf(packet)
  // A neighbour that does not answer has no other way to it.
  if (Address.equals(destination, nextHop)) return undefined
  const routes = Routes.byRouter(state.route, ctx.keys, destination, self.id)
  if (routes.length < 2) return undefined
  const candidates = routes.map(({ gateway, length, metric }): RouterSelection.Candidate => ({
    router: gateway,
    length,
    preference: -metric,
    reachability: reachabilityOf(ctx, state, self, gateway)
  }))
  const [selection, choice] = RouterSelection.choose(state.route.selection.value, candidates, ctx.at)
  ctx.set(state.route.selection, selection)
  const chosen = choice === undefined ? undefined : candidates[choice.index]
  if (choice === undefined || chosen === undefined || Address.equals(chosen.router, nextHop)) return undefined
  return { nextHop: chosen.router, isGood: chosen.reachability !== "unreachable", probes: choice.probes }
}
