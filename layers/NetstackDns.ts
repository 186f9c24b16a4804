/**
 * Effect's `Dns` and `AddressResolver` over the stack's own UDP and TCP: names in `Tcp.connect("example.org:80")` and in HTTP
 * clients are looked up by these.
 *
 * @example
 * ```ts
 * const Names = NetstackDns.layer({ nameServers: ["10.0.0.53"], search: ["internal"] })
 * const page = HttpClient.get("http://api/").pipe(Effect.provide(Layer.provideMerge(NetstackHttpClient.layer(), Names)))
 * ```
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AddressResolver from "effect/net/AddressResolver"
import * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Environment from "../src/Environment.ts"
import * as NetstackConfig from "../src/NetstackConfig.ts"
import * as DnsCache from "../src/services/DnsCache.ts"
import * as DnsClient from "../src/services/DnsClient.ts"
import * as DurationText from "../src/sockets/DurationText.ts"
import { Netstack } from "../src/sockets/Netstack.ts"
import * as Network from "../src/sockets/Network.ts"
import { EntropySource } from "../src/workers/EntropySource.ts"

/** An address, on port 53 unless it says otherwise. */
export type NameServer = NetAddress.IpAddressInput | NetAddress.InetAddressInput

export interface Options {
  /** In the order in which to ask them. Those that the network has told of, by DHCP and by IPv6 routers, if absent. */
  readonly nameServers?: ReadonlyArray<NameServer>
  /** Domains that are tried behind names that are not absolute; those that the network has told of by the start if absent. */
  readonly search?: ReadonlyArray<string>
  /** A name with fewer dots is tried behind the domains of `search` first; 1 if absent. */
  readonly ndots?: number
  /** Names with addresses that no server is asked for; `Host.parseHostsFile` makes such a table of a hosts file. */
  readonly hosts?: Host.HostsTable | Readonly<Record<string, ReadonlyArray<NetAddress.IpAddressInput>>>
  /** For the first try of a server, doubled with each further one; 2 seconds if absent. */
  readonly timeout?: Duration.Input
  /** Rounds over all servers; 3 if absent. */
  readonly tries?: number
  /** Octets of the largest answer over UDP; longer ones come over TCP. 1232 if absent. */
  readonly payload?: number
  /** Bounds of the cache, in answers, octets and seconds; see `DnsCache.defaults`. */
  readonly cache?: Partial<DnsCache.Bounds>
}

const nameServerPort = 53

/** An address, and perhaps a port, as text; it is looked at when the resolver is made. */
type ServerText = Extract<NameServer, string>

type Failure = NetAddress.NetAddressError

const serversOf = (inputs: ReadonlyArray<NameServer>): Effect.Effect<ReadonlyArray<NetAddress.InetAddress>, Failure> =>
  Effect.forEach(inputs, (input) => Effect.fromResult(Dns.nameServerFromInput(input)))

const hostsOf = (hosts: NonNullable<Options["hosts"]>): Effect.Effect<Host.HostsTable, Failure> =>
  Effect.gen(function*() {
    if (hosts instanceof Map) return hosts as Host.HostsTable
    const table = new Map<Host.DomainName, [NetAddress.IpAddress, ...Array<NetAddress.IpAddress>]>()
    const entries = Object.entries(hosts as Readonly<Record<string, ReadonlyArray<NetAddress.IpAddressInput>>>)
    for (const [name, inputs] of entries) {
      const domain = yield* Effect.fromResult(Host.domainNameFromString(name))
      const addresses = yield* Effect.forEach(inputs, (input) => Effect.fromResult(NetAddress.ipFromInput(input)))
      const [first, ...rest] = addresses
      if (first !== undefined) table.set(Host.toRelative(domain), [first, ...rest])
    }
    return table
  })

const domainsOf = (search: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, Failure> =>
  Effect.forEach(search, (domain) => Effect.fromResult(Host.domainNameFromString(domain)))

/** The name servers that the network tells of, whenever somebody asks. */
const toldServers = Effect.map(Netstack, (stack) =>
  Effect.map(
    Effect.provideService(Network.resolvers, Netstack, stack),
    ({ nameServers }) => nameServers.map((address) => NetAddress.inetAddressUnsafe(address, nameServerPort))
  ))

/** What is no name is passed over: whoever tells of domains is not asked whether they are good. */
const toldDomains = Effect.map(
  Network.resolvers,
  ({ searchDomains }) => searchDomains.filter((domain) => Result.isSuccess(Host.domainNameFromString(domain)))
)

/** A resolver that lives as long as the scope; fails when an address or a name among the options is none. */
export const make = (options: Options = {}): Effect.Effect<Dns.Dns["Service"], Failure, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    const { nameServers } = options
    return yield* DnsClient.make({
      nameServers: nameServers === undefined ? yield* toldServers : Effect.succeed(yield* serversOf(nameServers)),
      search: options.search === undefined ? yield* toldDomains : yield* domainsOf(options.search),
      ndots: options.ndots ?? 1,
      hosts: yield* hostsOf(options.hosts ?? {}),
      timeout: Duration.fromInputUnsafe(options.timeout ?? Duration.seconds(2)),
      tries: options.tries ?? 3,
      payload: options.payload ?? DnsClient.defaultPayload,
      cache: { ...DnsCache.defaults, ...options.cache },
      generate: yield* EntropySource
    })
  })

/** The number of an interface of the stack, for addresses such as `fe80::1%tap0`. */
const scopeIdIn = (stack: Netstack["Service"]): AddressResolver.ScopeIdLookup => (name) =>
  Effect.map(
    Effect.provideService(Network.interfaces, Netstack, stack),
    (all) => Option.fromUndefinedOr(all.find((each) => each.name === name)?.link)
  )

/** `AddressResolver` over whatever `Dns` the program has, with the zones of the stack's interfaces. */
export const layerAddressResolver: Layer.Layer<AddressResolver.AddressResolver, never, Dns.Dns | Netstack> = Layer
  .unwrap(Effect.map(Netstack, (stack) => AddressResolver.layer({ scopeId: scopeIdIn(stack) })))

/** Both services. */
export const layer = (
  options: Options = {}
): Layer.Layer<Dns.Dns | AddressResolver.AddressResolver, Failure, Netstack> =>
  Layer.provideMerge(layerAddressResolver, Layer.effect(Dns.Dns, make(options)))

/** {@link layer} with options from the program's configuration. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Dns.Dns | AddressResolver.AddressResolver, Failure | Config.ConfigError, Netstack> =>
  Layer.provideMerge(layerAddressResolver, Layer.effect(Dns.Dns, Effect.flatMap(Config.unwrap(options), make)))

const isServer = (text: string): boolean => Result.isSuccess(Dns.nameServerFromInput(text as ServerText))

/** Looked at when it is read, so that the error names the variable. */
const ServerTexts = NetstackConfig.separated.check(
  Schema.makeFilter((texts: ReadonlyArray<string>) => {
    const wrong = texts.find((text) => !isServer(text))
    return wrong === undefined || `expected addresses, each with a port or without, and not ${wrong}`
  })
)

/** The options that a configuration has, below `path` if one is given. None of them must be there. */
export const config = (path?: string): Config.Config<Options> => {
  const whole = NetstackConfig.merged<Options>([
    NetstackConfig.of("nameServers", ServerTexts as Schema.Codec<ReadonlyArray<ServerText>, string>),
    NetstackConfig.of("search", NetstackConfig.separated),
    NetstackConfig.of("ndots", Schema.Int),
    NetstackConfig.of("tries", Schema.Int),
    NetstackConfig.of("timeout", DurationText.codec)
  ])
  return path === undefined ? whole : Config.nested(whole, path)
}

/** {@link layer} with its options from the environment: `NETSTACK_NAME_SERVERS`, `NETSTACK_SEARCH` and so on. */
export const layerEnvironment = (
  prefix = "netstack"
): Layer.Layer<Dns.Dns | AddressResolver.AddressResolver, Failure | Config.ConfigError, Netstack> =>
  Layer.provideMerge(
    layerAddressResolver,
    Layer.effect(Dns.Dns, Effect.flatMap(Environment.read(config(prefix), prefix), make))
  )
