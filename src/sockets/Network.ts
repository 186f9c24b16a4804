/**
 * The network as a stack sees it: interfaces, addresses, routes, neighbours, connections, and what it counts. What can be
 * seen can be changed while the stack runs.
 *
 * @example
 * ```ts
 * yield* Network.addRoute({ to: "default", gateway: "10.0.0.1" })
 * yield* Stream.runForEach(Network.changes, (change) => Console.log(change._tag))
 * ```
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as IpInterface from "effect/net/IpInterface"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as CoreReason from "../core/Reason.ts"
import type { AnswerOf, Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import * as Readings from "../workers/Readings.ts"
import type * as Stack from "../workers/Stack.ts"
import * as Destination from "./Destination.ts"
import * as Failure from "./Failure.ts"
import { Netstack } from "./Netstack.ts"
import * as NetworkChange from "./NetworkChange.ts"
import { because, during, NetworkError, parsed } from "./NetworkError.ts"
import * as NetworkInterface from "./NetworkInterface.ts"
import * as TcpInfo from "./TcpInfo.ts"

export { NetworkError } from "./NetworkError.ts"

/** The number of an interface; never reused in a stack. The loopback interface is 0. */
export type LinkId = number

export type { InterfaceAddress, NetworkInterface } from "./NetworkInterface.ts"

export interface Route {
  readonly to: IpNetwork.IpNetwork
  /** The router; absent when the network is on the link. */
  readonly gateway: NetAddress.IpAddress | undefined
  readonly link: LinkId
  readonly metric: number
  /** The source address to prefer. */
  readonly source: NetAddress.IpAddress | undefined
  readonly origin: CoreRoute["origin"]
}

export interface RouteInput {
  /** A network such as `192.0.2.0/24`, or `default` for everything else (of the gateway's family). */
  readonly to: IpNetwork.IpNetworkInput | "default"
  readonly gateway?: NetAddress.IpAddressInput
  /** The interface; the one on whose link the gateway is, if absent. */
  readonly link?: LinkId
  /** Of two routes to one network the lower metric is taken; 0 if absent. */
  readonly metric?: number
  readonly source?: NetAddress.IpAddressInput
  /** Where it comes from, for display; `static` if absent. */
  readonly origin?: "static" | "dhcp"
}

export interface AddressOptions {
  /** Where it comes from; `static` if absent. One from `dhcp` is given up when another host insists on it (RFC 5227 §2.4). */
  readonly origin?: "static" | "dhcp"
  /** How long it may be used; without end if absent. */
  readonly validFor?: Duration.Input | undefined
  /** Looks for another host that has it before it is used (RFC 5227 §2.1); as the stack does it if absent. */
  readonly probe?: boolean | undefined
}

export interface Neighbor {
  readonly link: LinkId
  readonly address: NetAddress.IpAddress
  readonly mac: NetAddress.MacAddress | undefined
  /** RFC 4861 §7.3.2; `Static` for one that was set. */
  readonly state: CoreNeighbor["state"]
  readonly isRouter: boolean
  /** Packets that wait for its address. */
  readonly parked: number
}

type CoreRoute = AnswerOf<Extract<Request, { readonly _tag: "ListRoutes" }>>[number]
type CoreNeighbor = AnswerOf<Extract<Request, { readonly _tag: "ListNeighbors" }>>[number]
type Link = Parameters<Stack.Stack["attach"]>[0]

/** What every link carries in one piece (RFC 791 §3.2). */
const smallestMtu = 68

const textOf = (address: Destination.Destination["address"]): string => NetAddress.formatIp(Edge.ipOf(address))

/** The interfaces, by number. */
export const interfaces: Effect.Effect<ReadonlyArray<NetworkInterface.NetworkInterface>, never, Netstack> = Effect.gen(
  function*() {
    const stack = yield* Netstack
    const clock = yield* Clock.Clock
    const links = new Map((yield* stack.links).map((status) => [status.id, status]))
    return (yield* stack.read(Readings.interfaces)).map((self) => NetworkInterface.of(self, links.get(self.id), clock))
  }
)

/**
 * Gives an interface an address, or one that it has another time; its network becomes a route. Answers at once, perhaps while the address is
 * still probed.
 */
export const addAddress = (
  link: LinkId,
  input: IpInterface.IpInterfaceInput,
  { origin = "static", probe, validFor }: AddressOptions = {}
): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const clock = yield* Clock.Clock
    const given = yield* parsed("addAddress")(IpInterface.fromInput(input))
    const { address, prefixLength } = given
    const request = {
      _tag: "AddAddress",
      link,
      address: Edge.addressOf(address),
      prefixLength,
      origin,
      ...(validFor === undefined ? {} : { validUntil: Edge.instantAfter(clock, validFor) }),
      ...(probe === undefined ? {} : { probe })
    } as const
    yield* during("addAddress", IpInterface.format(given))(stack.ask(request))
  })

type Notice = Extract<Stack.News, { readonly _tag: "Notice" }>

const isNotice = (news: Stack.News): news is Notice => news._tag === "Notice"

const isOf = (tags: ReadonlyArray<NetworkChange.NetworkChange["_tag"]>): typeof isNotice => {
  const wanted: ReadonlySet<string> = new Set(tags)
  return (news): news is Notice => news._tag === "Notice" && wanted.has(news.change._tag)
}

/**
 * Waits until an address may be used: while it is probed (RFC 5227, RFC 4862) nothing can be bound to it. Fails with
 * `AddressInUse` when another host has it, and with `NotFound` when it is taken away.
 */
export const awaitAddress = (
  link: LinkId,
  input: NetAddress.IpAddressInput
): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.scoped(Effect.gen(function*() {
    const stack = yield* Netstack
    const address = Edge.ipOf(yield* because("awaitAddress")(Destination.ip(input)))
    const inVain = because("awaitAddress", NetAddress.formatIp(address))
    // Watched before it is looked at, so that no change falls in between.
    const news = yield* stack.watch(isOf(["AddressChanged", "LinkDetached"]))
    for (;;) {
      const self = (yield* interfaces).find((candidate) => candidate.link === link)
      const entry = self?.addresses.find((candidate) => Equal.equals(candidate.interface.address, address))
      if (entry === undefined) return yield* inVain(Effect.fail(new Failure.NotFound({ what: "address" })))
      if (entry.state === "duplicated") return yield* inVain(Effect.fail(new Failure.AddressInUse()))
      if (entry.state !== "tentative") return
      yield* Pull.catchDone(Queue.take(news), () => inVain(Effect.fail(new Failure.StackClosed())))
    }
  }))

/** Takes an address away. What was bound to it can't send any more. */
export const removeAddress = (
  link: LinkId,
  input: NetAddress.IpAddressInput
): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const address = yield* because("removeAddress")(Destination.ip(input))
    yield* during("removeAddress", textOf(address))(stack.ask({ _tag: "RemoveAddress", link, address }))
  })

/** Makes the largest IP packet of an interface smaller than its link would carry, or as large again; answers what it is now. */
export const setMtu = (link: LinkId, mtu: number): Effect.Effect<number, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const own = (yield* stack.links).find(({ id }) => id === link)
    if (own === undefined) return yield* because("setMtu")(Effect.fail(new Failure.NotFound({ what: "interface" })))
    if (!Number.isInteger(mtu) || mtu < smallestMtu) {
      return yield* because("setMtu")(Effect.fail(new Failure.InvalidArgument({ detail: `an MTU of ${mtu}` })))
    }
    const possible = Math.min(mtu, own.mtu)
    const changed: Effect.Effect<unknown, CoreReason.Reason> = stack.ask({ _tag: "LinkChanged", link, mtu: possible })
    yield* during("setMtu")(changed)
    return possible
  })

/** The routes, the most specific first. */
export const routes: Effect.Effect<ReadonlyArray<Route>, NetworkError, Netstack> = Effect.gen(function*() {
  const stack = yield* Netstack
  const found = yield* during("routes")(stack.ask({ _tag: "ListRoutes" }))
  return found.map((route) => ({
    to: IpNetwork.fromAddressUnsafe(Edge.ipOf(route.prefix), route.length),
    gateway: route.gateway === undefined ? undefined : Edge.ipOf(route.gateway),
    link: route.link,
    metric: route.metric,
    source: route.source === undefined ? undefined : Edge.ipOf(route.source),
    origin: route.origin
  }))
})

/** The parts of a route that requests name it by. */
const routeOf = (operation: string, input: RouteInput) =>
  Effect.gen(function*() {
    const gateway = input.gateway === undefined ? undefined : yield* because(operation)(Destination.ip(input.gateway))
    const everything = typeof gateway === "object" ? "::/0" : "0.0.0.0/0"
    const to = yield* parsed(operation)(IpNetwork.fromInput(input.to === "default" ? everything : input.to))
    return { prefix: Edge.addressOf(to.address), length: to.prefixLength, gateway, link: input.link } as const
  })

/** `192.0.2.0/24 via 10.0.0.9` */
const routeText = ({ gateway, length, prefix }: Effect.Success<ReturnType<typeof routeOf>>): string =>
  `${textOf(prefix)}/${length}${gateway === undefined ? "" : ` via ${textOf(gateway)}`}`

/** Adds a route, or changes the metric and the source of one that is the same otherwise. */
export const addRoute = (input: RouteInput): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const route = yield* routeOf("addRoute", input)
    const source = input.source === undefined ? undefined : yield* because("addRoute")(Destination.ip(input.source))
    const { metric = 0, origin = "static" } = input
    yield* during("addRoute", routeText(route))(stack.ask({ _tag: "AddRoute", ...route, metric, source, origin }))
  })

/** Takes away the routes to a network: all of them, or those by a gateway, or out of an interface. */
export const removeRoute = (
  input: Pick<RouteInput, "to" | "gateway" | "link">
): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const route = yield* routeOf("removeRoute", input)
    yield* during("removeRoute", routeText(route))(stack.ask({ _tag: "RemoveRoute", ...route }))
  })

/**
 * Lets an interface configure itself by what IPv6 routers advertise (RFC 4862): a link-local address, a stable and a temporary one for each prefix, routes,
 * and name servers, which {@link changes} tells; or takes all that away.
 */
export const setAutoconfiguration = (link: LinkId, isOn: boolean): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    yield* during("setAutoconfiguration")(stack.ask({ _tag: "SetAutoconfiguration", link, isOn }))
  })

/** Makes the stack a router for who sends to an interface, or not, whatever it was made with (`forwarding`). */
export const setForwarding = (link: LinkId, isOn: boolean): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    yield* during("setForwarding")(stack.ask({ _tag: "SetForwarding", link, isOn }))
  })

export { Lease, leaseChanges, leases, type Resolvers, resolvers, setLease } from "./NetworkLeases.ts"

const neighborOf = ({ address, isRouter, link, mac, parked, state }: CoreNeighbor): Neighbor => ({
  link,
  address: Edge.ipOf(address),
  mac: mac === undefined ? undefined : Edge.macAddressOf(mac),
  state,
  isRouter,
  parked
})

/** The neighbours of a link, or of all, in order of address. */
export const neighbors = (link?: LinkId): Effect.Effect<ReadonlyArray<Neighbor>, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const found = yield* during("neighbors")(stack.ask({ _tag: "ListNeighbors", link }))
    return found.map(neighborOf)
  })

/** Fixes a neighbour's link-layer address, whatever the neighbour itself says. */
export const setNeighbor = (
  link: LinkId,
  input: NetAddress.IpAddressInput,
  mac: NetAddress.MacAddressInput
): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const address = yield* because("setNeighbor")(Destination.ip(input))
    const parsedMac = yield* parsed("setNeighbor")(NetAddress.macAddressFromInput(mac))
    const request = { _tag: "SetNeighbor", link, address, mac: Edge.macOf(parsedMac) } as const
    yield* during("setNeighbor", textOf(address))(stack.ask(request))
  })

export const removeNeighbor = (
  link: LinkId,
  input: NetAddress.IpAddressInput
): Effect.Effect<void, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const address = yield* because("removeNeighbor")(Destination.ip(input))
    yield* during("removeNeighbor", textOf(address))(stack.ask({ _tag: "RemoveNeighbor", link, address }))
  })

/** Forgets the neighbours of a link but those that were set; answers how many. */
export const flushNeighbors = (link: LinkId): Effect.Effect<number, NetworkError, Netstack> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    return yield* during("flushNeighbors")(stack.ask({ _tag: "FlushNeighbors", link }))
  })

/** Every TCP connection of the stack. */
export const connections: Effect.Effect<ReadonlyArray<TcpInfo.TcpInfo>, NetworkError, Netstack> = Effect.gen(
  function*() {
    const stack = yield* Netstack
    return (yield* during("connections")(stack.ask({ _tag: "TcpList" }))).map(TcpInfo.of)
  }
)

/** What the stack has counted since it was started, by name. */
export const counters: Effect.Effect<ReturnType<typeof Readings.counters>, never, Netstack> = Effect.gen(function*() {
  const stack = yield* Netstack
  const framesOverflowed = (yield* stack.links).reduce((sum, { overflowed }) => sum + overflowed, 0)
  return { ...(yield* stack.read(Readings.counters)), framesOverflowed }
})

/** Packets that the stack has dropped, by reason. */
export const drops: Effect.Effect<ReturnType<typeof Readings.drops>, never, Netstack> = Effect.flatMap(
  Netstack,
  (stack) => stack.read(Readings.drops)
)

/** Bytes of data that the stack holds, by what for. */
export const memory: Effect.Effect<ReturnType<typeof Readings.memory>, never, Netstack> = Effect.flatMap(
  Netstack,
  (stack) => stack.read(Readings.memory)
)

/** Changes from now on. A reader that does not keep up loses the oldest. */
export const changes: Stream.Stream<NetworkChange.NetworkChange, never, Netstack> = Stream.unwrap(
  Effect.gen(function*() {
    const stack = yield* Netstack
    return Stream.map(Stream.fromQueue(yield* stack.watch(isNotice)), ({ change }) => NetworkChange.of(change))
  })
)

/** {@link changes} of some kinds. Others cost the stack nothing, where each connection that comes and goes would wake the reader. */
export const changesOf = <Tag extends NetworkChange.NetworkChange["_tag"]>(
  ...tags: ReadonlyArray<Tag>
): Stream.Stream<Extract<NetworkChange.NetworkChange, { readonly _tag: Tag }>, never, Netstack> =>
  Stream.unwrap(Effect.gen(function*() {
    const stack = yield* Netstack
    const news = Stream.fromQueue(yield* stack.watch(isOf(tags)))
    return Stream.map(
      news,
      ({ change }) => NetworkChange.of(change) as Extract<NetworkChange.NetworkChange, { readonly _tag: Tag }>
    )
  }))

/** A packet that was dropped: why, where it came in, and the codec's words when it was malformed. */
export type Discard = Extract<Stack.News, { readonly _tag: "Drop" }>

/** Dropped packets from now on. A reader that does not keep up loses the oldest. */
export const discards: Stream.Stream<Discard, never, Netstack> = Stream.unwrap(
  Effect.gen(function*() {
    const stack = yield* Netstack
    return Stream.fromQueue(yield* stack.watch((news) => news._tag === "Drop"))
  })
)

type LinkError = Exclude<Effect.Error<ReturnType<Stack.Stack["attach"]>>, CoreReason.Reason>

/** Makes a link an interface of the running stack until the scope closes. */
export const attach = (link: Link): Effect.Effect<LinkId, LinkError | NetworkError, Netstack | Scope.Scope> =>
  Effect.flatMap(Netstack, (stack) =>
    Effect.mapError(
      stack.attach(link),
      (error) =>
        error._tag === "LinkError"
          ? error
          : new NetworkError({ operation: "attach", subject: link.name, reason: Failure.of(error) })
    ))
