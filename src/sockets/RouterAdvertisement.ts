/**
 * This stack as the IPv6 router of a link: what it tells hosts there, so that they configure themselves (RFC 4861 §6.2, RFC 4191, RFC 8106).
 *
 * @example
 * ```ts
 * yield* Network.setForwarding(link, true)
 * yield* RouterAdvertisement.advertise(link, { prefixes: ["2001:db8:7::/64"], nameServers: ["2001:db8:7::53"] })
 * ```
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import * as Destination from "./Destination.ts"
import * as Failure from "./Failure.ts"
import { Netstack } from "./Netstack.ts"
import type { LinkId } from "./Network.ts"
import { because, during, NetworkError } from "./NetworkError.ts"

/** A prefix of the link, with what hosts may make of it (RFC 4861 §4.6.2). */
export interface Prefix {
  readonly network: IpNetwork.IpNetworkInput
  /** Its addresses are neighbours; true if absent. */
  readonly onLink?: boolean
  /** Hosts make addresses from it; true if absent. */
  readonly autonomous?: boolean
  /** 30 days if absent. */
  readonly validLifetime?: Duration.Input
  /** 7 days if absent. */
  readonly preferredLifetime?: Duration.Input
}

export type Preference = "low" | "medium" | "high"

/** A network that this router has a way to, beyond the default route (RFC 4191 §2.3). */
export interface Route {
  readonly network: IpNetwork.IpNetworkInput
  /** `medium` if absent. */
  readonly preference?: Preference
  /** Half an hour if absent. */
  readonly lifetime?: Duration.Input
}

/** What is advertised. What is absent is as RFC 4861 §6.2.1 has it, or is not said. */
export interface Options {
  readonly prefixes?: ReadonlyArray<IpNetwork.IpNetworkInput | Prefix>
  readonly routes?: ReadonlyArray<Route>
  /** How long hosts use this router by default; half an hour if absent, none at all with 0. An interface that does not forward always says 0. */
  readonly lifetime?: Duration.Input
  /** Among several routers; `medium` if absent (RFC 4191 §2.1). */
  readonly preference?: Preference
  readonly mtu?: number
  /** Of what hosts send; 64 if absent, not said with 0. */
  readonly hopLimit?: number
  readonly reachableTime?: Duration.Input
  readonly retransmitTimer?: Duration.Input
  /** Addresses are to be had by DHCPv6. */
  readonly managed?: boolean
  /** Other settings are to be had by DHCPv6. */
  readonly otherConfiguration?: boolean
  readonly nameServers?: ReadonlyArray<NetAddress.IpAddressInput>
  readonly searchDomains?: ReadonlyArray<string>
  /** Of name servers and search domains; three times the longest interval if absent (RFC 8106 §5.1). */
  readonly resolverLifetime?: Duration.Input
  /** The shortest and the longest time between two advertisements; 198 and 600 seconds if absent. */
  readonly interval?: readonly [minimum: Duration.Input, maximum: Duration.Input]
}

type Given = NonNullable<Extract<Request, { readonly _tag: "SetRouterAdvertising" }>["advertisement"]>
type GivenPrefix = NonNullable<Given["prefixes"]>[number]
type CorePreference = NonNullable<Given["preference"]>
type Ipv6 = GivenPrefix["prefix"]

const operation = "advertise"

const refuse = (detail: string): Effect.Effect<never, NetworkError> =>
  Effect.fail(new NetworkError({ operation, reason: new Failure.InvalidArgument({ detail }) }))

const preferences: { readonly [P in Preference]: CorePreference } = { low: -1, medium: 0, high: 1 }

const secondsOf = (duration: Duration.Input): number => Math.min(0xffff_ffff, Math.round(Duration.toSeconds(duration)))

const ipv6Of = (input: NetAddress.IpAddressInput): Effect.Effect<Ipv6, NetworkError> =>
  Effect.gen(function*() {
    const address = yield* because(operation)(Destination.ip(input))
    return typeof address === "number" ? yield* refuse("an IPv4 address") : address
  })

const networkOf = (
  input: IpNetwork.IpNetworkInput
): Effect.Effect<Pick<GivenPrefix, "prefix" | "length">, NetworkError> =>
  Effect.gen(function*() {
    const network = IpNetwork.fromInput(input)
    if (Result.isFailure(network)) return yield* refuse(network.failure.message)
    return { prefix: yield* ipv6Of(network.success.address), length: network.success.prefixLength }
  })

const isPrefix = (input: IpNetwork.IpNetworkInput | Prefix): input is Prefix =>
  typeof input === "object" && "network" in input

const prefixOf = (input: IpNetwork.IpNetworkInput | Prefix): Effect.Effect<GivenPrefix, NetworkError> => {
  if (!isPrefix(input)) return networkOf(input)
  const { autonomous, network, onLink, preferredLifetime, validLifetime } = input
  return Effect.map(networkOf(network), (parts) => ({
    ...parts,
    ...(onLink === undefined ? {} : { onLink }),
    ...(autonomous === undefined ? {} : { autonomous }),
    ...(validLifetime === undefined ? {} : { validLifetime: secondsOf(validLifetime) }),
    ...(preferredLifetime === undefined ? {} : { preferredLifetime: secondsOf(preferredLifetime) })
  }))
}

const routeOf = ({ lifetime, network, preference }: Route) =>
  Effect.map(networkOf(network), (parts) => ({
    ...parts,
    preference: preferences[preference ?? "medium"],
    lifetime: secondsOf(lifetime ?? "30 minutes")
  }))

/** What resolvers are told; each in an option of its own. */
const resolverOf = (options: Options) =>
  Effect.gen(function*() {
    const { interval, nameServers = [], searchDomains = [] } = options
    const lifetime = secondsOf(
      options.resolverLifetime ?? Duration.times(Duration.fromInputUnsafe(interval?.[1] ?? "600 seconds"), 3)
    )
    const servers = yield* Effect.forEach(nameServers, ipv6Of)
    return {
      dnsServers: servers.length === 0 ? [] : [{ lifetime, servers }],
      dnsSearchLists: searchDomains.length === 0 ? [] : [{ lifetime, domains: searchDomains }]
    }
  })

const givenOf = (options: Options): Effect.Effect<Given, NetworkError> =>
  Effect.gen(function*() {
    const { hopLimit, interval, lifetime, managed, mtu, otherConfiguration, reachableTime, retransmitTimer } = options
    const prefixes = yield* Effect.forEach(options.prefixes ?? [], prefixOf)
    const routes = yield* Effect.forEach(options.routes ?? [], routeOf)
    return {
      prefixes,
      routes,
      ...(yield* resolverOf(options)),
      preference: preferences[options.preference ?? "medium"],
      ...(lifetime === undefined ? {} : { routerLifetime: Edge.spanOf(lifetime) }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(hopLimit === undefined ? {} : { hopLimit }),
      ...(reachableTime === undefined ? {} : { reachableTime: Edge.spanOf(reachableTime) }),
      ...(retransmitTimer === undefined ? {} : { retransmit: Edge.spanOf(retransmitTimer) }),
      ...(managed === undefined ? {} : { managed }),
      ...(otherConfiguration === undefined ? {} : { otherConfiguration }),
      ...(interval === undefined
        ? {}
        : { minimumInterval: Edge.spanOf(interval[0]), maximumInterval: Edge.spanOf(interval[1]) })
    }
  })

const tell = (link: LinkId, advertisement: Given | undefined): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.flatMap(
    Netstack,
    (stack) => during(operation)(stack.ask({ _tag: "SetRouterAdvertising", link, advertisement }))
  )

/**
 * Advertises this stack as a router on a link from now on, or says something else than before. The interface needs an IPv6 address; hosts use it as
 * their default router if it forwards as well (`Network.setForwarding`, or `forwarding` of the stack).
 */
export const advertise = (link: LinkId, options: Options = {}): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.flatMap(givenOf(options), (given) => tell(link, given))

/** Ceases to; hosts hear of that. */
export const cease = (link: LinkId): Effect.Effect<void, NetworkError, Netstack> => tell(link, undefined)

/**
 * Answers on a link for an IPv6 address that is another host's, so that packets for it come here to be forwarded (RFC 4861 §7.2.8); or does not any more.
 * Fails with `LimitReached` beyond the bound `proxiedAddresses`.
 */
export const setProxy = (
  link: LinkId,
  input: NetAddress.IpAddressInput,
  isOn: boolean
): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const address = yield* ipv6Of(input)
    const subject = NetAddress.formatIp(Edge.ipOf(address))
    yield* during("setProxy", subject)(stack.ask({ _tag: "SetProxy", link, address, isOn }))
  })
