/**
 * A stack as a layer: links below, the service `Netstack` above, which `Tcp`, `Udp`, `Ping`, `Raw` and `Network` require.
 *
 * @example
 * ```ts
 * const Live = App.pipe(
 *   Layer.provide(Netstack.layer({ ipv4: "10.0.0.2/24", gateway: "10.0.0.1" })),
 *   Layer.provide(Tap.layer({ name: "tap0" }))
 * )
 * ```
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as IpInterface from "effect/net/IpInterface"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Environment from "./Environment.ts"
import type { Link, LinkError } from "./link/Link.ts"
import { layer as layerLinks, Links } from "./link/Links.ts"
import * as MemoryLink from "./link/MemoryLink.ts"
import * as NetstackConfig from "./NetstackConfig.ts"
import * as DhcpClient from "./services/DhcpClient.ts"
import * as Failure from "./sockets/Failure.ts"
import { Netstack } from "./sockets/Netstack.ts"
import * as Network from "./sockets/Network.ts"
import * as NetworkMetrics from "./sockets/NetworkMetrics.ts"
import * as RouterAdvertisement from "./sockets/RouterAdvertisement.ts"
import { drain } from "./workers/drain.ts"
import { EntropySource, type Generator } from "./workers/EntropySource.ts"
import * as Settings from "./workers/Settings.ts"
import * as Stack from "./workers/Stack.ts"

export { Netstack } from "./sockets/Netstack.ts"

/** How an interface gets its address from a DHCP server. */
export interface DhcpOptions extends Omit<DhcpClient.Options, "link" | "draw" | "closeTimeout"> {
  /** How long the start waits for a lease before it fails with `TimedOut`; a minute if absent. */
  readonly patience?: Duration.Input
}

/** What an interface has. */
export interface InterfaceOptions {
  /** The name of one of the links; by default the first one that no other entry names. */
  readonly link?: string
  /** An IPv4 address with its prefix, such as `10.0.0.2/24`; or `dhcp`: that, routes, name servers and MTU as a server grants them (RFC 2131). */
  readonly ipv4?: IpInterface.Ipv4InterfaceInput | "dhcp"
  /** How DHCP goes, where `ipv4` asks for it. */
  readonly dhcp?: DhcpOptions
  /** Further addresses. */
  readonly addresses?: ReadonlyArray<IpInterface.IpInterfaceInput>
  /** `slaac`: IPv6 addresses, routes and name servers as routers advertise them (RFC 4862). Absent: none but those given here. */
  readonly ipv6?: "slaac"
  /** Whether packets for others that come in here are forwarded; as the stack does if absent. */
  readonly forwarding?: boolean
  /** Advertises the stack as a router on this link (RFC 4861 §6.2); hosts use it by default if the interface forwards. */
  readonly advertise?: RouterAdvertisement.Options
  /** The default router on this link. */
  readonly gateway?: NetAddress.IpAddressInput
  /** The interface's own link-layer address instead of the link's. */
  readonly mac?: NetAddress.MacAddressInput
  /** Largest IP packet in bytes, if less than the link's. */
  readonly mtu?: number
}

/** What a stack is told when it is made. The fields of one interface stand here as well, for the stack that has only one. */
export interface Options extends InterfaceOptions, Settings.Settings {
  /** Several interfaces; each takes one link. */
  readonly interfaces?: ReadonlyArray<InterfaceOptions>
  readonly routes?: ReadonlyArray<Network.RouteInput>
  /**
   * How long a stack that is closed goes on delivering what programs have written to connections that they have closed; then it
   * resets what is left. 2 seconds if absent. A test under a virtual clock that nobody moves wants 0.
   */
  readonly closeTimeout?: Duration.Input
  /** Gets the recording of everything that happens, line by line (`workers/Recording.ts`). **It is secret.** */
  readonly record?: (line: string) => void
}

const failed = (operation: string, detail: string): Network.NetworkError =>
  new Network.NetworkError({ operation, reason: new Failure.InvalidArgument({ detail }) })

/** The entry of each link. */
const assign = (
  links: ReadonlyArray<Link>,
  options: Options
): Effect.Effect<ReadonlyArray<readonly [Link, InterfaceOptions]>, Network.NetworkError> =>
  Effect.gen(function*() {
    const entries = options.interfaces ?? [options]
    const free = links.filter((link) => entries.every((entry) => entry.link !== link.name))
    const assigned: Array<readonly [Link, InterfaceOptions]> = []
    for (const entry of entries) {
      const link = entry.link === undefined ? free.shift() : links.find(({ name }) => name === entry.link)
      if (link !== undefined) assigned.push([link, entry])
      else if (entry.link !== undefined || options.interfaces !== undefined || entry.ipv4 !== undefined) {
        const known = links.map(({ name }) => name).join(", ") || "none"
        return yield* Effect.fail(failed("interfaces", `no link for ${entry.link ?? "an interface"}; links: ${known}`))
      }
    }
    return [...assigned, ...free.map((link) => [link, {}] as const)]
  })

/** The link as the interface has it. */
const adapt = (link: Link, { mac, mtu }: InterfaceOptions): Effect.Effect<Link, Network.NetworkError> =>
  Effect.gen(function*() {
    if (mtu !== undefined && mtu > link.mtu) {
      return yield* Effect.fail(failed("interfaces", `an MTU of ${mtu} exceeds the ${link.mtu} of ${link.name}`))
    }
    return yield* Effect.mapError(
      Effect.fromResult(Settings.adaptLink(link, mac, mtu)),
      (error) => failed("interfaces", error.message)
    )
  })

const addressesOf = (link: Network.LinkId) =>
  Effect.map(Network.interfaces, (all) => all.find((self) => self.link === link)?.addresses ?? [])

/** An address without a prefix length would be a host without a network around it, which hardly anybody means. */
const addAddress = (link: Network.LinkId, input: IpInterface.IpInterfaceInput) => {
  if (typeof input !== "string" || input.includes("/")) return Network.addAddress(link, input)
  const [network, host] = input.includes(":") ? [64, 128] : [24, 32]
  const detail = `${input} lacks its prefix length: ${input}/${network}, say, or /${host} for a host without a network`
  return Effect.fail(failed("interfaces", detail))
}

/** Gives an interface its addresses and its router, and waits until the addresses may be used. */
const configure = (link: Network.LinkId, options: InterfaceOptions) =>
  Effect.gen(function*() {
    const { addresses = [], advertise, forwarding, gateway, ipv4, ipv6 } = options
    if (forwarding !== undefined) yield* Network.setForwarding(link, forwarding)
    if (ipv4 !== undefined && ipv4 !== "dhcp") yield* addAddress(link, ipv4)
    for (const address of addresses) yield* addAddress(link, address)
    for (const { interface: { address } } of yield* addressesOf(link)) yield* Network.awaitAddress(link, address)
    if (ipv6 === "slaac") yield* Network.setAutoconfiguration(link, true)
    if (gateway !== undefined) yield* Network.addRoute({ to: "default", gateway, link })
    if (advertise !== undefined) yield* RouterAdvertisement.advertise(link, advertise)
  })

/** Numbers from 0 to 1 that nobody can guess. */
const drawFrom = (generate: Generator) => (): number =>
  generate(4).reduce((sum, octet) => sum * 256 + octet, 0) / 2 ** 32

/** Starts to ask for an address; the effect that is returned waits for it. */
const lease = (
  link: Network.LinkId,
  subject: string,
  { patience = Duration.minutes(1), ...options }: DhcpOptions,
  closeTimeout: Duration.Input
) =>
  Effect.gen(function*() {
    const draw = drawFrom(yield* EntropySource)
    const client = yield* Effect.mapError(
      DhcpClient.make({ ...options, link, draw, closeTimeout }),
      (error) => new Network.NetworkError({ operation: "dhcp", subject, reason: error.reason })
    )
    const late = new Network.NetworkError({
      operation: "dhcp",
      subject,
      reason: new Failure.TimedOut({ what: "dhcp.patience" })
    })
    return Effect.timeoutOrElse(client.acquired, { duration: patience, orElse: () => Effect.fail(late) })
  })

/** Attaches the links, and gives their interfaces what they have; all leases are waited for at once. */
const setUp = (options: Options, closeTimeout: Duration.Input) =>
  Effect.gen(function*() {
    const { links } = yield* Links
    const leases: Array<Effect.Effect<Network.Lease, Network.NetworkError>> = []
    for (const [link, entry] of yield* assign(links, options)) {
      const attached = yield* Network.attach(yield* adapt(link, entry))
      yield* configure(attached, entry)
      if (entry.ipv4 === "dhcp") leases.push(yield* lease(attached, link.name, entry.dhcp ?? {}, closeTimeout))
    }
    yield* Effect.all(leases, { concurrency: "unbounded", discard: true })
    for (const route of options.routes ?? []) yield* Network.addRoute(route)
  })

/** Makes a stack with its links and their addresses; the scope ends it. */
export const make = (
  options: Options = {}
): Effect.Effect<Netstack["Service"], LinkError | Network.NetworkError, Links | Scope.Scope> =>
  Effect.gen(function*() {
    const closeTimeout = options.closeTimeout ?? Duration.seconds(2)
    const refusal = Settings.refusal(options)
    if (refusal !== undefined) return yield* Effect.fail(failed("tcp", refusal))
    const stack = yield* Stack.make(Settings.stackOptions(options, options.record))
    if (stack.probe?.wantsMetrics === true) yield* NetworkMetrics.registerStack(stack)
    yield* Effect.provideService(setUp(options, closeTimeout), Netstack, stack)
    yield* Effect.addFinalizer(() => drain(stack, closeTimeout))
    return stack
  })

/**
 * Provides a stack over the links of the service `Links`. Fails with `LinkError` when a link can't be opened, and with
 * `NetworkError` when the configuration is wrong.
 *
 * @example
 * ```ts
 * const Router = Netstack.layer({
 *   interfaces: [{ link: "tap0", ipv4: "10.0.0.1/24" }, { link: "tap1", ipv4: "10.0.1.1/24" }],
 *   forwarding: true
 * })
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<Netstack, LinkError | Network.NetworkError, Links> =>
  Layer.effect(Netstack, make(options))

/** {@link layer} with options from the program's configuration. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Netstack, LinkError | Network.NetworkError | Config.ConfigError, Links> =>
  Layer.effect(Netstack, Effect.flatMap(Config.unwrap(options), make))

/** The options that a configuration has, below `path` if one is given: none of them must be there (`NetstackConfig.ts`). */
export const config: (path?: string) => Config.Config<Options> = NetstackConfig.config

const hasAddress = ({ addresses, interfaces, ipv4, ipv6 }: Options): boolean =>
  (addresses ?? interfaces ?? ipv4 ?? ipv6) !== undefined

/** Names of the environment that the resolver and the tests' tools read. */
const readElsewhere = ["nameServers", "search", "ndots", "tries", "timeout", "seed"]

/** An environment that was forgotten would leave a stack that listens and that nobody finds. */
const warn = (prefix: string): Effect.Effect<void> =>
  Effect.logWarning(
    `the stack has no address: neither ${prefix.toUpperCase()}_IPV4 nor ${prefix.toUpperCase()}_IPV6 is set`
  )

/**
 * {@link layer} with all of its options from the environment, or whatever the program's `ConfigProvider` reads: `NETSTACK_IPV4`,
 * `NETSTACK_GATEWAY`, `NETSTACK_TCP_CONGESTION_CONTROL` and so on. What `options` say holds where the environment says nothing.
 */
export const layerEnvironment = (
  options: Options = {},
  prefix = "netstack"
): Layer.Layer<Netstack, LinkError | Network.NetworkError | Config.ConfigError, Links> =>
  Layer.effect(
    Netstack,
    Effect.flatMap(
      Environment.read(NetstackConfig.config(prefix), prefix, readElsewhere),
      (found) => {
        const whole = { ...options, ...found, tcp: { ...options.tcp, ...found.tcp } }
        return Effect.andThen(hasAddress(whole) ? Effect.void : warn(prefix), make(whole))
      }
    )
  )

/**
 * A stack with nothing around it: its one link leads nowhere, so programs in it talk to each other, at 127.0.0.1 or at the
 * address of the options (10.0.0.1 if absent). For tests of programs, and for trying things out. For two stacks on a
 * wire see `Links.layerMemory`.
 */
export const layerMemory = (options: Options = {}): Layer.Layer<Netstack, LinkError | Network.NetworkError> =>
  layer({ ipv4: "10.0.0.1/24", closeTimeout: 0, ...options }).pipe(Layer.provide(layerLinks(MemoryLink.pair()[0])))

/**
 * Fails when a worker of the stack does, which closes the stack: a bug of the stack or of a link. Never succeeds; for programs
 * to race with.
 */
export const failure: Effect.Effect<never, Stack.StackFailed, Netstack> = Effect.flatMap(
  Netstack,
  (stack) => stack.failure
)
