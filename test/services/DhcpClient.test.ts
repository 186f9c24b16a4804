import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Link } from "../../src/link/Link.ts"
import { Links } from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Switch from "../../src/link/Switch.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"
import * as Address from "../../src/wire/Address.ts"
import type * as DhcpOptions from "../../src/wire/DhcpOptions.ts"
import type * as Dhcpv4 from "../../src/wire/Dhcpv4.ts"
import * as EntropySource from "../../src/workers/EntropySource.ts"
import { host, on } from "../workers/Hosts.ts"
import * as DhcpScript from "./DhcpScript.ts"

const { kindOf, kinds } = DhcpScript

/** A stack that gets its address by DHCP, as a program makes it. */
const client = (link: Link, dhcp: Netstack.DhcpOptions = {}, options: Netstack.Options = {}) =>
  Netstack.make({ ipv4: "dhcp", dhcp, ...options }).pipe(
    Effect.provideService(Links, { links: [link] }),
    Effect.provideService(EntropySource.EntropySource, EntropySource.seeded(7))
  )

type Behaviour = (message: Dhcpv4.Message) => DhcpScript.Answer | undefined

/** A server at 10.0.0.1, and the link for its client. */
const network = (behave?: Behaviour, mtu = 1500) =>
  Effect.gen(function*() {
    const [near, far] = MemoryLink.pair({ latency: "1 millis", mtu })
    const server = yield* host([far], { ipv4: "10.0.0.1/24" })
    return { near, server, heard: yield* on(server)(DhcpScript.serve(behave)) }
  })

/** What the interface has, in words. */
const addresses = Effect.map(
  Network.interfaces,
  (all) => all[1]!.addresses.map((entry) => `${entry.interface} ${entry.state} ${entry.origin}`)
)

const gateways = Effect.map(
  Network.routes,
  (all) => all.filter(({ origin }) => origin === "dhcp").map(({ gateway, to }) => `${to} via ${gateway ?? "the link"}`)
)

/** Grants with these options. */
const granting = (options: Partial<DhcpOptions.Options>): Behaviour => (message) => {
  const answer = DhcpScript.generous(message)
  return answer === undefined ? undefined : { ...answer, options }
}

describe("ipv4: dhcp", () => {
  it.effect("gives a stack without numbers its address, routes, name servers and MTU", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { heard, near } = yield* network(granting({
        interfaceMtu: 1280,
        domainName: "test",
        domainSearch: ["a.test.", "b.test."],
        ntpServers: [Address.v4(10, 0, 0, 123)]
      }))
      const stack = yield* client(near)
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.50/24 preferred dhcp"])
      assert.deepStrictEqual(yield* on(stack)(gateways), ["0.0.0.0/0 via 10.0.0.1"])
      const [, own] = yield* on(stack)(Network.interfaces)
      assert.strictEqual(own!.mtu, 1280)
      const [lease] = yield* on(stack)(Network.leases)
      assert.strictEqual(String(lease!.server), "10.0.0.1")
      assert.deepInclude(lease, { domainName: "test", searchDomains: ["a.test", "b.test"], mtu: 1280 })
      assert.deepStrictEqual(lease!.ntpServers.map(String), ["10.0.0.123"])
      const resolvers = yield* on(stack)(Network.resolvers)
      assert.deepStrictEqual(resolvers.nameServers.map(String), ["10.0.0.53"])
      assert.deepStrictEqual(resolvers.searchDomains, ["a.test", "b.test"])
      assert.isTrue((yield* on(stack)(Ping.ping("10.0.0.1"))).isIntact)
      // rfc: 2131 §4.1 MUST: from nobody, to everybody
      assert.deepStrictEqual(heard.map(({ from, kind, to }) => [kind, from, to]), [
        ["discover", "0.0.0.0", "255.255.255.255"],
        ["request", "0.0.0.0", "255.255.255.255"]
      ])
    })))

  it.effect("probes the address before it is used (RFC 5227 §2.1), or does not when it is told so", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { near } = yield* network()
      const timed = (dhcp: Netstack.DhcpOptions) =>
        Effect.map(Effect.timed(Effect.scoped(client(near, dhcp))), ([taken]) => Duration.toSeconds(taken))
      const probed = yield* timed({})
      assert.isTrue(probed >= 4 && probed <= 8, `${probed} seconds`)
      assert.isBelow(yield* timed({ probe: false }), 0.1)
    })))

  it.effect("takes classless routes instead of routers, and a router behind a route of 32 bits (rfc: 3442)", () =>
    VirtualTime.run(Effect.gen(function*() {
      const router = Address.v4(10, 128, 0, 1)
      const { near } = yield* network(granting({
        subnetMask: Address.mask32(32),
        classlessRoutes: [
          { destination: 0, length: 0, router },
          { destination: router, length: 32, router: 0 },
          { destination: Address.v4(192, 0, 2, 0), length: 24, router: 0 }
        ]
      }))
      const stack = yield* client(near)
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.50/32 preferred dhcp"])
      assert.deepStrictEqual((yield* on(stack)(gateways)).toSorted(), [
        "0.0.0.0/0 via 10.128.0.1",
        "10.128.0.1/32 via the link",
        "192.0.2.0/24 via the link"
      ])
    })))

  it.effect("fails to start with a reason when nobody answers for as long as its patience lasts", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { heard, near } = yield* network(() => undefined)
      const error = yield* Effect.flip(Effect.scoped(client(near, { patience: "30 seconds" })))
      assert.deepInclude(error, { _tag: "NetworkError", operation: "dhcp" })
      assert.strictEqual(error._tag === "NetworkError" && error.reason._tag, "TimedOut")
      assert.strictEqual(error.message, "dhcp memory0: timed out (dhcp.patience)")
      assert.deepStrictEqual(kinds(heard), ["discover", "discover", "discover", "discover"])
    })))

  it.effect("fails at once on a link without link-layer addresses, and where the port is taken", () =>
    VirtualTime.run(Effect.gen(function*() {
      const [tun] = MemoryLink.pair({ medium: "ip" })
      const error = yield* Effect.flip(Effect.scoped(client(tun)))
      assert.strictEqual(error.message, "dhcp memory0: invalid argument: the interface has no link-layer address")
    })))

  it.effect("renews with its server from its address, and keeps connections (RFC 2131 §4.4.5)", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { heard, near, server } = yield* network(granting({ leaseTime: 600 }))
      const stack = yield* client(near)
      const listener = yield* on(server)(Tcp.listen({ port: 7 }))
      yield* Effect.forkScoped(listener.serve((connection) => Effect.andThen(connection.readAll, Effect.void)))
      const connection = yield* on(stack)(Tcp.connect("10.0.0.1:7"))
      yield* Effect.sleep("1 hour")
      yield* connection.write(Uint8Array.of(1))
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.50/24 preferred dhcp"])
      const renewals = heard.slice(2)
      assert.isAtLeast(renewals.length, 11)
      for (const { from, kind, to } of renewals) {
        assert.deepStrictEqual([kind, from, to], ["request", "10.0.0.50", "10.0.0.1"])
      }
    })))

  it.effect("asks everybody when its server is silent, and loses the address with the lease", () =>
    VirtualTime.run(Effect.gen(function*() {
      let isSilent = false
      const { heard, near } = yield* network((message) =>
        isSilent ? undefined : granting({ leaseTime: 600, renewalTime: 300, rebindingTime: 400 })(message)
      )
      const stack = yield* client(near)
      isSilent = true
      const changes = yield* Effect.forkScoped(
        on(stack)(Stream.runCollect(Stream.take(Stream.drop(Network.leaseChanges, 1), 1)))
      )
      yield* Effect.sleep("350 seconds")
      assert.strictEqual(heard.at(-1)!.to, "10.0.0.1")
      yield* Effect.sleep("100 seconds")
      assert.deepStrictEqual([heard.at(-1)!.from, heard.at(-1)!.to], ["10.0.0.50", "255.255.255.255"])
      yield* Effect.sleep("150 seconds")
      assert.deepStrictEqual(yield* on(stack)(addresses), [])
      assert.deepStrictEqual(yield* on(stack)(gateways), [])
      assert.deepStrictEqual(yield* on(stack)(Network.leases), [])
      assert.deepStrictEqual(Array.from(yield* Fiber.join(changes)), [[]])
      assert.strictEqual(heard.at(-1)!.kind, "discover")
      isSilent = false
      yield* Effect.sleep("80 seconds")
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.50/24 preferred dhcp"])
    })))

  it.effect("exchanges the address, the routes and the MTU for others when the server says so", () =>
    VirtualTime.run(Effect.gen(function*() {
      let later: Partial<DhcpScript.Answer> = {}
      const { near } = yield* network((message) => {
        const answer = granting({ leaseTime: 600, interfaceMtu: 1400, ...later.options })(message)
        return answer === undefined
          ? undefined
          : { ...answer, ...later, options: { ...answer.options, ...later.options } }
      })
      const stack = yield* client(near)
      later = { options: { routers: [Address.v4(10, 0, 0, 254)], interfaceMtu: undefined } }
      yield* Effect.sleep("6 minutes")
      assert.deepStrictEqual(yield* on(stack)(gateways), ["0.0.0.0/0 via 10.0.0.254"])
      assert.strictEqual((yield* on(stack)(Network.interfaces))[1]!.mtu, 1500)
      later = { address: Address.v4(10, 0, 0, 60) }
      yield* Effect.sleep("6 minutes")
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.60/24 preferred dhcp"])
    })))

  it.effect("begins anew when the server refuses to renew", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { heard, near } = yield* network((message) =>
        kindOf(message) === "request" && message.clientAddress !== 0
          ? { kind: "refuse" }
          : granting({ leaseTime: 600 })(message)
      )
      const stack = yield* client(near)
      yield* Effect.sleep("6 minutes")
      assert.deepStrictEqual(kinds(heard).slice(2, 5), ["request", "discover", "request"])
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.50/24 preferred dhcp"])
    })))

  it.effect("declines an address that another host has, and takes the next one (rfc: 2131 §3.1 (5) MUST, RFC 5227 §2.1.1)", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { ports } = Switch.make({ ports: 3 })
      const server = yield* host([ports[0]!], { ipv4: "10.0.0.1/24" }, 2)
      yield* host([ports[1]!], { ipv4: "10.0.0.50/24" }, 3)
      let declined = 0
      const heard = yield* on(server)(DhcpScript.serve((message) => {
        if (kindOf(message) === "decline") declined++
        const answer = DhcpScript.generous(message)
        return answer === undefined ? undefined : { ...answer, address: Address.v4(10, 0, 0, 50 + declined) }
      }))
      const stack = yield* client(ports[2]!)
      assert.deepStrictEqual(kinds(heard), ["discover", "request", "decline", "discover", "request"])
      const [, , decline, discover] = heard
      assert.deepStrictEqual([decline!.from, decline!.to], ["0.0.0.0", "255.255.255.255"])
      assert.isAtLeast(discover!.at - decline!.at, 10)
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.51/24 preferred dhcp"])
    })))

  it.effect("gives the address back when the stack's scope closes, and everything with it (RFC 2131 §4.4.6)", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { heard, near, server } = yield* network()
      yield* Effect.scoped(client(near))
      yield* Effect.sleep("1 second")
      const last = heard.at(-1)!
      assert.deepStrictEqual([last.kind, last.from, last.to], ["release", "10.0.0.50", "10.0.0.1"])
      // It can be had again at once.
      const stack = yield* client(near)
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.50/24 preferred dhcp"])
      assert.deepStrictEqual((yield* on(server)(Network.leases)).length, 0)
    })))

  it.effect("asks for the address of an earlier run, from a lease that was written down (RFC 2131 §4.4.2)", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { heard, near } = yield* network()
      const [lease] = yield* Effect.scoped(
        Effect.flatMap(client(near, { release: false }), (stack) => on(stack)(Network.leases))
      )
      const codec = Schema.fromJsonString(Network.Lease)
      const text = yield* Schema.encodeEffect(codec)(lease!)
      const previous = yield* Schema.decodeEffect(codec)(text)
      assert.deepStrictEqual(kinds(heard), ["discover", "request"])
      const stack = yield* client(near, { previous })
      assert.deepStrictEqual(kinds(heard), ["discover", "request", "request"])
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.50/24 preferred dhcp"])
    })))

  it.effect("goes on with a lease of an earlier run where nobody answers, until it is over (RFC 2131 §3.2)", () =>
    VirtualTime.run(Effect.gen(function*() {
      let isSilent = false
      const { near } = yield* network((message) => isSilent ? undefined : DhcpScript.generous(message))
      const [previous] = yield* Effect.scoped(
        Effect.flatMap(client(near, { release: false }), (stack) => on(stack)(Network.leases))
      )
      isSilent = true
      const stack = yield* client(near, { previous: previous! })
      const [lease] = yield* on(stack)(Network.leases)
      assert.strictEqual(String(lease!.expiresAt), String(previous!.expiresAt))
      assert.deepStrictEqual(yield* on(stack)(gateways), ["0.0.0.0/0 via 10.0.0.1"])
      yield* Effect.sleep("1 hour")
      assert.deepStrictEqual(yield* on(stack)(addresses), [])
    })))

  it.effect("leaves datagrams that are no messages lying, however many come", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { near, server } = yield* network(granting({ leaseTime: 600 }))
      const noise = yield* on(server)(Udp.bind({ link: 1, options: { broadcast: true } }))
      for (let i = 0; i < 200; i++) yield* noise.send(new Uint8Array(i * 7), "255.255.255.255:68")
      const stack = yield* client(near)
      for (let i = 0; i < 200; i++) yield* noise.send(new Uint8Array(i * 7), "255.255.255.255:68")
      yield* Effect.sleep("1 hour")
      assert.deepStrictEqual(yield* on(stack)(addresses), ["10.0.0.50/24 preferred dhcp"])
    })))

  it.effect("can be interrupted while it waits, and leaves nothing", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { near } = yield* network(() => undefined)
      const scope = yield* Scope.make()
      const starting = yield* Effect.forkChild(Scope.provide(client(near), scope), { startImmediately: true })
      yield* Effect.sleep("10 seconds")
      yield* Fiber.interrupt(starting)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(starting)))
    })))

  it.effect("is a span from the first message to the lease, which belongs to whoever starts the stack", () => {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    return Effect.gen(function*() {
      const { near } = yield* network(granting({ leaseTime: 600 }))
      yield* Effect.withSpan(client(near), "start")
      yield* Effect.sleep("6 minutes")
      const [first, second] = spans.filter(({ name }) => name === "Dhcp.lease")
      assert.strictEqual(first!.parent._tag === "Some" && (first!.parent.value as Tracer.Span).name, "start")
      assert.deepStrictEqual(first!.events.map(([name]) => name), ["Selecting", "Requesting", "Verifying", "Bound"])
      assert.strictEqual(first!.attributes.get("dhcp.address"), "10.0.0.50")
      assert.deepStrictEqual(second!.events.map(([name]) => name), ["Renewing", "Bound"])
      assert.strictEqual(second!.parent._tag, "None")
      assert.deepStrictEqual([first!.status._tag, second!.status._tag], ["Ended", "Ended"])
    }).pipe(VirtualTime.run, Effect.provideService(Tracer.Tracer, tracer))
  })
})
