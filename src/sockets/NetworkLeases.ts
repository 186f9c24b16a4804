/**
 * What the network has told of itself: leases of DHCP (RFC 2131), name servers and search domains (RFC 2132, RFC 3397, RFC 8106). Programs find it
 * in `Network`.
 */
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Edge from "../workers/Edge.ts"
import type { Lease } from "../workers/Lease.ts"
import * as Readings from "../workers/Readings.ts"
import { Netstack } from "./Netstack.ts"

export { Lease } from "../workers/Lease.ts"

/** What DHCP servers have granted to the interfaces. */
export const leases: Effect.Effect<ReadonlyArray<Lease>, never, Netstack> = Effect.flatMap(
  Netstack,
  (stack) => Effect.map(SubscriptionRef.get(stack.leases), (all) => [...all.values()])
)

/** The leases now, and all of them again whenever one changes. */
export const leaseChanges: Stream.Stream<ReadonlyArray<Lease>, never, Netstack> = Stream.unwrap(
  Effect.map(Netstack, (stack) => Stream.map(SubscriptionRef.changes(stack.leases), (all) => [...all.values()]))
)

/** Notes, or forgets, what an interface was granted, for who asks the network. It configures nothing. */
export const setLease = (link: number, lease: Lease | undefined): Effect.Effect<void, never, Netstack> =>
  Effect.flatMap(Netstack, (stack) =>
    SubscriptionRef.update(stack.leases, (all) => {
      const others = Array.from(all).filter(([other]) => other !== link)
      return new Map(lease === undefined ? others : [...others, [link, lease]])
    }))

export interface Resolvers {
  readonly nameServers: ReadonlyArray<NetAddress.IpAddress>
  /** To try behind names, without the dot at the end. */
  readonly searchDomains: ReadonlyArray<string>
}

/** The name servers that the network has told of, by DHCP and by IPv6 routers, in the order in which to ask them. */
export const resolvers: Effect.Effect<Resolvers, never, Netstack> = Effect.gen(function*() {
  const stack = yield* Netstack
  const granted = yield* leases
  const { domains, servers } = yield* stack.read(Readings.advertisedResolvers)
  return {
    nameServers: [...granted.flatMap(({ nameServers }) => nameServers), ...servers.map(Edge.ipOf)],
    searchDomains: Array.from(new Set([...granted.flatMap(({ searchDomains }) => searchDomains), ...domains]))
  }
})
