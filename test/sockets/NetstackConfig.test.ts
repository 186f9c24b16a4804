import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Dns from "effect/net/Dns"
import * as NetstackDns from "../../layers/NetstackDns.ts"
import { type Link, LinkError } from "../../src/link/Link.ts"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"
import * as DhcpScript from "../services/DhcpScript.ts"
import * as DnsZone from "../services/DnsZone.ts"
import { host, on } from "../workers/Hosts.ts"

const inEnvironment = (env: Record<string, string>) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.provideService(self, ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

/** What a stack is that gets all it is told from these variables. */
const stackOf = (env: Record<string, string>, link: Link = MemoryLink.pair()[0], options: Netstack.Options = {}) =>
  Effect.gen(function*() {
    const layer = Netstack.layerEnvironment({ closeTimeout: 0, ...options })
    const context = yield* Layer.build(layer.pipe(Layer.provide(Links.layer(link))))
    return yield* Effect.provideContext(Netstack.Netstack, context)
  }).pipe(inEnvironment(env))

describe("Netstack.layerEnvironment", () => {
  it.effect("reads addresses of both families, routes, MTU and MAC", () =>
    Effect.gen(function*() {
      const stack = yield* stackOf({
        NETSTACK_IPV4: "10.0.0.1/24",
        NETSTACK_ADDRESSES: "10.1.0.1/16, 2001:db8::1/64",
        NETSTACK_GATEWAY: "10.0.0.254",
        NETSTACK_ROUTES: "192.0.2.0/24 via 10.1.0.254 metric 7, 198.51.100.0/24 via 10.0.0.9",
        NETSTACK_MTU: "1400",
        NETSTACK_MAC: "02:00:00:00:00:07",
        NETSTACK_HOP_LIMIT: "9",
        NETSTACK_TCP_CONGESTION_CONTROL: "bbr",
        NETSTACK_TCP_DELAYED_ACK: "25 millis"
      })
      const [, own] = yield* on(stack)(Network.interfaces)
      assert.deepInclude(own, { mtu: 1400 })
      assert.strictEqual(String(own!.mac), "02:00:00:00:00:07")
      const addresses = own!.addresses.map((entry) => String(entry.interface))
      for (const address of ["10.0.0.1/24", "10.1.0.1/16", "2001:db8::1/64"]) assert.include(addresses, address)
      const routes = (yield* on(stack)(Network.routes))
        .flatMap(({ gateway, metric, to }) => gateway === undefined ? [] : [`${to} via ${gateway} metric ${metric}`])
      assert.deepStrictEqual(routes.toSorted(), [
        "0.0.0.0/0 via 10.0.0.254 metric 0",
        "192.0.2.0/24 via 10.1.0.254 metric 7",
        "198.51.100.0/24 via 10.0.0.9 metric 0"
      ])
      const [hopLimit, congestion, delay] = yield* stack.read(({ config }) => [
        config.hopLimit,
        config.tcp.congestionControl,
        config.tcp.delayedAck
      ])
      assert.deepStrictEqual([hopLimit, congestion, delay], [9, "bbr", 25_000])
    }))

  it.effect("needs no more than NETSTACK_IPV4=dhcp, and finds names where the network says", () =>
    VirtualTime.run(Effect.gen(function*() {
      const [near, far] = MemoryLink.pair({ latency: "1 millis" })
      const server = yield* host([far], { ipv4: "10.0.0.1/24" })
      const heard = yield* on(server)(DhcpScript.serve((message) => {
        const answer = DhcpScript.generous(message)
        return answer === undefined ? undefined : { ...answer, options: { dnsServers: [DhcpScript.serverAddress] } }
      }))
      yield* on(server)(DnsZone.serve())
      const env = { NETSTACK_IPV4: "dhcp", NETSTACK_DHCP_HOST_NAME: "api", NETSTACK_DHCP_PROBE: "false" }
      const stack = yield* stackOf(env, near)
      assert.strictEqual(heard[0]!.message.options.hostName, "api")
      const names = yield* Layer.build(
        Layer.provide(NetstackDns.layerEnvironment(), Layer.succeed(Netstack.Netstack, stack))
      ).pipe(inEnvironment({}))
      const found = yield* Effect.provideContext(Effect.flatMap(Dns.Dns, (dns) => dns.lookup("www.test")), names)
      assert.deepStrictEqual(found.map(String), ["192.0.2.1", "192.0.2.2"])
    })))

  it.effect("keeps what the program says where the environment says nothing, under any prefix", () =>
    Effect.gen(function*() {
      const [near] = MemoryLink.pair()
      const options: Netstack.Options = {
        ipv4: "10.0.0.1/24",
        hopLimit: 5,
        closeTimeout: 0,
        tcp: { congestionControl: "newReno" }
      }
      const layer = Netstack.layerEnvironment(options, "inner").pipe(Layer.provide(Links.layer(near)))
      const config = yield* Effect.flatMap(Netstack.Netstack, (stack) => stack.read((state) => state.config)).pipe(
        Effect.provide(layer),
        inEnvironment({ INNER_HOP_LIMIT: "6", INNER_TCP_SACK: "false", NETSTACK_HOP_LIMIT: "7" })
      )
      assert.strictEqual(config.hopLimit, 6)
      assert.deepInclude(config.tcp, { sack: false, congestionControl: "newReno" })
    }))

  it.effect("reads structured configurations by the options' own names", () =>
    Effect.gen(function*() {
      const provider = ConfigProvider.fromUnknown({
        net: { ipv4: "10.0.0.1/24", closeTimeout: "1 second", dhcp: { patience: "20 seconds" }, tcp: { noDelay: true } }
      })
      const options = yield* Effect.provideService(Netstack.config("net"), ConfigProvider.ConfigProvider, provider)
      assert.strictEqual(String(options.ipv4), "10.0.0.1/24")
      assert.strictEqual(Duration.toMillis(Duration.fromInputUnsafe(options.closeTimeout!)), 1000)
      assert.strictEqual(Duration.toMillis(Duration.fromInputUnsafe(options.dhcp!.patience!)), 20_000)
      assert.deepStrictEqual(options.tcp, { noDelay: true })
      assert.deepStrictEqual(yield* inEnvironment({})(Netstack.config()), {})
    }))

  const wrong: Readonly<Record<string, readonly [name: string, value: string]>> = {
    "an address without sense": ["NETSTACK_IPV4", "10.0.0"],
    "an address without its prefix length": ["NETSTACK_IPV4", "10.0.0.5"],
    "a misspelt word for DHCP": ["NETSTACK_IPV4", "dchp"],
    "an address without its prefix length in a list": ["NETSTACK_ADDRESSES", "10.0.0.1/24, 10.0.0.2"],
    "an IPv6 address where an IPv4 one belongs": ["NETSTACK_IPV4", "2001:db8::1/64"],
    "an address in a list": ["NETSTACK_ADDRESSES", "10.0.0.1/24, ten"],
    "a route without a network": ["NETSTACK_ROUTES", "via 10.0.0.1"],
    "an MTU below nothing": ["NETSTACK_MTU", "-1"],
    "a MAC": ["NETSTACK_MAC", "02:00"],
    "a word for IPv6": ["NETSTACK_IPV6", "yes"],
    "a patience without unit": ["NETSTACK_DHCP_PATIENCE", "soon"],
    "a knob of TCP": ["NETSTACK_TCP_CONGESTION_CONTROL", "fastest"]
  }
  for (const [what, [name, value]] of Object.entries(wrong)) {
    it.effect(`refuses ${what} with an error that names it`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Effect.scoped(stackOf({ [name]: value })))
        assert.strictEqual(error._tag, "ConfigError")
        assert.include(error.message, `${name} is ${value}: `)
      }))
  }

  it.effect("says what an address or a word for DHCP looks like", () =>
    Effect.gen(function*() {
      for (const value of ["10.0.0.5", "dchp"]) {
        const error = yield* Effect.flip(Effect.scoped(stackOf({ NETSTACK_IPV4: value })))
        assert.match(error.message, /expected "dhcp" or an address with its prefix length, such as 10\.0\.0\.2\/24/)
      }
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Netstack.layerMemory({ ipv4: "10.0.0.5" }))))
      assert.include(error.message, "10.0.0.5 lacks its prefix length: 10.0.0.5/24, say")
    }))

  it.effect("says what a duration looks like", () =>
    Effect.gen(function*() {
      for (const name of ["NETSTACK_DHCP_PATIENCE", "NETSTACK_CLOSE_TIMEOUT", "NETSTACK_TCP_MIN_RTO"]) {
        const error = yield* Effect.flip(Effect.scoped(stackOf({ [name]: "5" })))
        assert.include(
          error.message,
          `${name} is 5: expected a number with a unit, such as "10 seconds" or "200 millis"`
        )
      }
    }))

  it.effect("refuses a name server without sense with an error that names the variable and the value", () =>
    Effect.gen(function*() {
      const stack = yield* stackOf({ NETSTACK_IPV4: "10.0.0.1/24" })
      const names = Layer.build(
        Layer.provide(NetstackDns.layerEnvironment(), Layer.succeed(Netstack.Netstack, stack))
      ).pipe(inEnvironment({ NETSTACK_NAME_SERVERS: "10.0.0.53, ten" }))
      const error = yield* Effect.flip(names)
      assert.strictEqual(error._tag, "ConfigError")
      assert.match(error.message, /NETSTACK_NAME_SERVERS is 10\.0\.0\.53, ten: .*not ten/)
    }))

  it.effect("warns of an environment that gives no address, and of variables without effect", () =>
    Effect.gen(function*() {
      const warned = (env: Record<string, string>) =>
        Effect.gen(function*() {
          const lines: Array<unknown> = []
          const logger = Logger.make(({ message }) => void lines.push(message))
          yield* Effect.scoped(stackOf(env)).pipe(Effect.provide(Logger.layer([logger])))
          return lines.flat().join()
        })
      assert.match(yield* warned({}), /no address: neither NETSTACK_IPV4 nor NETSTACK_IPV6 is set/)
      assert.strictEqual(yield* warned({ NETSTACK_IPV4: "10.0.0.1/24" }), "")
      const others = {
        NETSTACK_NAME_SERVERS: "10.0.0.53",
        NETSTACK_SEED: "7",
        NETSTACKS: "1",
        NETSTACK_TCP_SACK: "false"
      }
      assert.strictEqual(yield* warned({ NETSTACK_IPV4: "10.0.0.1/24", ...others }), "")
      assert.strictEqual(
        yield* warned({ NETSTACK_IPV4: "10.0.0.1/24", NETSTACK_TCP_MINRTO: "1 second", NETSTACK_COLOUR: "red" }),
        "NETSTACK_TCP_MINRTO has no effect: no option is named so (did you mean NETSTACK_TCP_MIN_RTO?)," +
          "NETSTACK_COLOUR has no effect: no option is named so"
      )
      const misspelt = { NETSTACK_IPV4: "10.0.0.1/24", NETSTACK_GATWAY: "10.0.0.2", NETSTACK_NAMESERVER: "10.0.0.3" }
      assert.strictEqual(
        yield* warned(misspelt),
        "NETSTACK_GATWAY has no effect: no option is named so (did you mean NETSTACK_GATEWAY?)," +
          "NETSTACK_NAMESERVER has no effect: no option is named so (did you mean NETSTACK_NAME_SERVERS?)"
      )
    }))
})

describe("stacks as layers", () => {
  it.effect("are isolated from each other in one program, with the same addresses and ports", () =>
    Effect.gen(function*() {
      const island = Effect.gen(function*() {
        const context = yield* Layer.build(Netstack.layerMemory())
        return yield* Effect.provideContext(Netstack.Netstack, context)
      })
      const [one, two] = [yield* island, yield* island]
      yield* on(one)(Tcp.listen({ port: 80 }))
      yield* on(two)(Tcp.listen({ port: 80 }))
      yield* on(one)(Tcp.connect("10.0.0.1:80"))
      assert.strictEqual((yield* on(one)(Network.connections)).length, 2)
      assert.strictEqual((yield* on(two)(Network.connections)).length, 0)
    }))

  it.effect("are shared when a layer is used twice, and made anew with Layer.fresh", () =>
    Effect.gen(function*() {
      let opened = 0
      const [link] = MemoryLink.pair()
      const counted: Link = { ...link, open: (sink) => Effect.tap(link.open(sink), () => Effect.sync(() => opened++)) }
      const stack = Netstack.layer({ ipv4: "10.0.0.1/24", closeTimeout: 0 }).pipe(Layer.provide(Links.layer(counted)))
      const user = Layer.effectDiscard(Ping.ping("10.0.0.1"))
      yield* Effect.scoped(Layer.build(Layer.mergeAll(Layer.provide(user, stack), Layer.provide(user, stack))))
      assert.strictEqual(opened, 1)
      const twice = Layer.build(
        Layer.provide(user, stack).pipe(Layer.provideMerge(Layer.provide(user, Layer.fresh(stack))))
      )
      assert.strictEqual((yield* Effect.flip(Effect.scoped(twice)))._tag, "LinkError")
      assert.strictEqual(opened, 2)
    }))

  it.effect("fail to start with a type for each cause, and leave nothing", () =>
    Effect.gen(function*() {
      const [link] = MemoryLink.pair()
      const broken: Link = {
        ...link,
        open: () => Effect.fail(new LinkError({ link: "eth", operation: "open", cause: "no" }))
      }
      const failure = (options: Netstack.Options, links: Layer.Layer<Links.Links> = Links.layer(link)) =>
        Effect.flip(
          Effect.scoped(Layer.build(Netstack.layer({ closeTimeout: 0, ...options }).pipe(Layer.provide(links))))
        )
      assert.strictEqual((yield* failure({}, Links.layer(broken)))._tag, "LinkError")
      const reasons: ReadonlyArray<readonly [Netstack.Options, string]> = [
        [{ ipv4: "10.0.0.0/24" }, "InvalidArgument"],
        [{ ipv4: "10.0.0.1/24", gateway: "192.0.2.1" }, "Unreachable"],
        [{ ipv4: "10.0.0.1/24", routes: [{ to: "192.0.2.0/24", gateway: "198.51.100.1" }] }, "Unreachable"],
        [{ link: "eth7", ipv4: "10.0.0.1/24" }, "InvalidArgument"],
        [{ mtu: 9000 }, "InvalidArgument"],
        [{ tcp: { congestionControl: "fastest" } }, "InvalidArgument"]
      ]
      for (const [options, reason] of reasons) {
        const error = yield* failure(options)
        assert.strictEqual(error._tag === "NetworkError" ? error.reason._tag : error._tag, reason)
      }
      // The link is free again.
      yield* Effect.scoped(Layer.build(Netstack.layer({ closeTimeout: 0 }).pipe(Layer.provide(Links.layer(link)))))
    }))
})
