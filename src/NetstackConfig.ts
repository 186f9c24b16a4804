/**
 * The options of a stack out of a program's configuration: an environment, a file, whatever its `ConfigProvider` reads.
 *
 * ```
 *   NETSTACK_IPV4=dhcp               or 10.0.0.2/24            NETSTACK_ROUTES=192.0.2.0/24 via 10.0.0.9, default via 10.0.0.1
 *   NETSTACK_IPV6=slaac                                        NETSTACK_DHCP_HOST_NAME=api   NETSTACK_DHCP_PATIENCE=20 seconds
 *   NETSTACK_ADDRESSES=10.0.0.3/24, 2001:db8::2/64             NETSTACK_TCP_CONGESTION_CONTROL=bbr
 * ```
 *
 * Every value is checked when it is read; one that is wrong fails as a `ConfigError` that names it.
 */
import * as Config from "effect/Config"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type { DhcpOptions, InterfaceOptions, Options } from "./Netstack.ts"
import * as DurationText from "./sockets/DurationText.ts"
import type * as Network from "./sockets/Network.ts"
import * as TcpKnobs from "./sockets/TcpKnobs.ts"

/** What is separated by commas. */
export const separated = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Array(Schema.String),
    SchemaTransformation.transform({
      decode: (text: string): ReadonlyArray<string> =>
        text.split(",").map((part) => part.trim()).filter((part) => part !== ""),
      encode: (parts: ReadonlyArray<string>) => parts.join(", ")
    })
  )
)

/** `192.0.2.0/24 via 10.0.0.9 metric 5`, where only the network must be there. */
const routeForm = /^(default|\S+\/\d+)(?: via (\S+))?(?: metric (\d+))?$/

const Route = Schema.String.check(
  Schema.makeFilter((text: string) => routeForm.test(text) || "expected NETWORK|default [via ADDRESS] [metric NUMBER]")
)

const routeOf = (text: string): Network.RouteInput => {
  const [, to = "", gateway, metric] = routeForm.exec(text) ?? []
  return {
    to: to === "default" ? "default" : to as Extract<Network.RouteInput["to"], string>,
    ...(gateway === undefined ? {} : { gateway: gateway as Extract<Network.RouteInput["gateway"], string> }),
    ...(metric === undefined ? {} : { metric: Number(metric) })
  }
}

const withLength = "an address with its prefix length, such as 10.0.0.2/24"

/** An address by itself would have no network around it. */
const Ipv4 = Schema.String.check(
  Schema.makeFilter((text: string) => text === "dhcp" || text.includes("/") || `expected "dhcp" or ${withLength}`)
).pipe(Schema.decodeTo(Schema.Union([Schema.Literal("dhcp"), Schema.Ipv4InterfaceFromString])))

const Addresses = separated.check(
  Schema.makeFilter((all: ReadonlyArray<string>) =>
    all.every((each) => each.includes("/")) || `expected each to be ${withLength}`
  )
).pipe(Schema.decodeTo(Schema.Array(Schema.IpInterfaceFromString)))

const Positive = Schema.Int.check(Schema.makeFilter((value: number) => value > 0 || "expected a positive number"))

/** A value that may be absent, as a record with it or without. */
const field = <K extends string, A>(name: K, config: Config.Config<A>): Config.Config<{ readonly [P in K]?: A }> =>
  Config.map(
    Config.option(config),
    (value) => (Option.isSome(value) ? { [name]: value.value } : {}) as { readonly [P in K]?: A }
  )

export const of = <K extends string, A, I>(
  name: K,
  codec: Schema.Codec<A, I>
): Config.Config<{ readonly [P in K]?: A }> => field(name, Config.schema(codec, name))

/** All of several records in one. */
export const merged = <A extends object>(parts: ReadonlyArray<Config.Config<A>>): Config.Config<A> =>
  Config.map(Config.all(parts), (all) => Object.assign({}, ...all) as A)

const dhcp: Config.Config<DhcpOptions> = merged<DhcpOptions>([
  of("hostName", Schema.NonEmptyString),
  of("probe", Schema.Boolean),
  of("release", Schema.Boolean),
  of("patience", DurationText.codec)
])

const ofInterface: Config.Config<InterfaceOptions> = merged<InterfaceOptions>([
  of("link", Schema.NonEmptyString),
  of("ipv4", Ipv4),
  of("ipv6", Schema.Literal("slaac")),
  of("addresses", Addresses),
  of("gateway", Schema.IpAddressFromString),
  of("mac", Schema.MacAddressFromString),
  of("mtu", Positive)
])

const ofStack: Config.Config<Options> = merged<Options>([
  of("hopLimit", Positive),
  of("forwarding", Schema.Boolean),
  of("answerEcho", Schema.Boolean),
  of("addressProbing", Schema.Boolean),
  of("reassemblyTimeout", DurationText.codec),
  of("closeTimeout", DurationText.codec)
])

/** The routes that a configuration has. */
const routes: Config.Config<Pick<Options, "routes">> = Config.map(
  of("routes", separated.pipe(Schema.decodeTo(Schema.Array(Route)))),
  (found) => found.routes === undefined ? {} : { routes: found.routes.map(routeOf) }
)

/** What holds something, or nothing of it. */
const nonEmpty = <K extends string, A extends object>(name: K, config: Config.Config<A>) =>
  Config.map(
    Config.nested(config, name),
    (found) => (Object.keys(found).length === 0 ? {} : { [name]: found }) as { readonly [P in K]?: A }
  )

/** The options that a configuration has, below `path` if one is given. None of them must be there. */
export const config = (path?: string): Config.Config<Options> => {
  const whole = merged<Options>([
    ofInterface,
    ofStack,
    routes,
    nonEmpty("dhcp", dhcp),
    field("tcp", TcpKnobs.config("tcp"))
  ])
  return path === undefined ? whole : Config.nested(whole, path)
}
