import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { type Link, LinkError } from "../../src/link/Link.ts"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import { addressOne, addressTwo, host, on, pair } from "../workers/Hosts.ts"

const memory = (...names: ReadonlyArray<string>): ReadonlyArray<Link> =>
  names.map((name) => MemoryLink.pair({ names: [name, `far end of ${name}`] })[0])

const interfacesOf = (options: Netstack.Options, links: ReadonlyArray<Link>) =>
  Effect.map(
    Effect.scoped(Effect.flatMap(host(links, options), (stack) => on(stack)(Network.interfaces))),
    (all) => all.map(({ addresses, mac, mtu, name }) => ({ name, mac, mtu, addresses: addresses.map(String) }))
  )

const failureOf = (options: Netstack.Options, links: ReadonlyArray<Link>) =>
  Effect.scoped(Effect.flip(Effect.provideService(Netstack.make(options), Links.Links, { links })))

describe("Netstack.layer", () => {
  it.effect("makes a stack over links, for programs that require nothing else", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair()
      const Near = Netstack.layer({ ipv4: `${addressOne}/24`, closeTimeout: 0 }).pipe(Layer.provide(Links.layer(near)))
      yield* host([far], { ipv4: `${addressTwo}/24` }, 2)
      const pong = yield* Effect.provide(Ping.ping(addressTwo), Near)
      assert.isTrue(pong.isIntact)
    }))

  it.effect("takes an address, further ones, a gateway, a MAC and an MTU for one interface", () =>
    Effect.gen(function*() {
      const stack = yield* host(memory("eth"), {
        ipv4: "10.0.0.1/24",
        addresses: ["10.1.0.1/16"],
        gateway: "10.0.0.254",
        mac: "02:00:00:00:00:07",
        mtu: 1400,
        routes: [{ to: "192.0.2.0/24", gateway: "10.1.0.254" }]
      })
      const [, eth] = yield* on(stack)(Network.interfaces)
      assert.deepInclude(eth, { name: "eth", mtu: 1400 })
      assert.strictEqual(String(eth!.mac), "02:00:00:00:00:07")
      assert.deepStrictEqual(eth!.addresses.map((entry) => String(entry.interface)), ["10.0.0.1/24", "10.1.0.1/16"])
      const gateways = (yield* on(stack)(Network.routes))
        .flatMap(({ gateway, to }) => gateway === undefined ? [] : [`${to} via ${gateway}`])
      assert.deepStrictEqual(gateways, ["192.0.2.0/24 via 10.1.0.254", "0.0.0.0/0 via 10.0.0.254"])
    }))

  it.effect("gives several interfaces their links by name, and the others in order", () =>
    Effect.gen(function*() {
      const interfaces = [{ ipv4: "10.0.1.1/24" }, { link: "a", ipv4: "10.0.2.1/24" }] as const
      const stack = yield* host(memory("a", "b", "c"), { interfaces })
      const found = (yield* on(stack)(Network.interfaces)).map(({ addresses, name }) =>
        `${name} ${addresses.map((entry) => String(entry.interface)).join()}`
      )
      assert.deepStrictEqual(found, ["lo 127.0.0.1/8,::1/128", "b 10.0.1.1/24", "a 10.0.2.1/24", "c "])
    }))

  it.effect("fails with a typed error when the configuration is wrong", () =>
    Effect.gen(function*() {
      const links = memory("eth")
      const wrong: ReadonlyArray<Netstack.Options> = [
        { ipv4: "10.0.0.1/33" },
        { link: "tap9", ipv4: "10.0.0.1/24" },
        { mtu: 9000 },
        { mac: "not a mac" },
        { interfaces: [{}, {}] },
        { ipv4: "10.0.0.1/24", gateway: "gateway" }
      ]
      for (const options of wrong) {
        const error = yield* failureOf(options, links)
        assert.strictEqual(error._tag, "NetworkError")
        if (error._tag === "NetworkError") assert.strictEqual(error.reason._tag, "InvalidArgument", error.message)
      }
      const noLink = yield* failureOf({ link: "tap9" }, links)
      assert.include(noLink.message, "links: eth")
    }))

  it.effect("fails with the link's error when a link can't be opened, and leaves nothing open", () =>
    Effect.gen(function*() {
      const [good] = memory("good")
      const bad: Link = {
        ...good!,
        name: "bad",
        open: () => Effect.fail(new LinkError({ link: "bad", operation: "open", code: "EPERM", hint: "be root" }))
      }
      const error = yield* failureOf({}, [good!, bad])
      assert.strictEqual(error.message, "bad: open failed (EPERM): be root")
      yield* interfacesOf({}, [good!])
    }))

  it.effect("needs nothing at all in memory: programs talk to each other", () =>
    Effect.gen(function*() {
      const listener = yield* Tcp.listen({ port: 80 })
      const client = yield* Tcp.connect(`${addressOne}:80`)
      const server = yield* listener.accept
      yield* client.write(Uint8Array.of(1, 2, 3))
      const [chunk] = yield* server.read()
      assert.deepStrictEqual(Array.from(chunk!), [1, 2, 3])
    }).pipe(Effect.provide(Netstack.layerMemory())))

  it.effect("takes its options from the program's configuration", () =>
    Effect.gen(function*() {
      const [near] = MemoryLink.pair()
      const layer = Netstack.layerConfig({
        ipv4: Config.String("ADDRESS"),
        hopLimit: Config.Int("HOP_LIMIT"),
        closeTimeout: Config.Int("CLOSE_TIMEOUT")
      }).pipe(Layer.provide(Links.layer(near)))
      const provider = ConfigProvider.fromUnknown({ ADDRESS: "10.0.0.1/24", HOP_LIMIT: 9, CLOSE_TIMEOUT: 0 })
      const found = yield* Network.interfaces.pipe(
        Effect.provide(layer),
        Effect.provideService(ConfigProvider.ConfigProvider, provider)
      )
      assert.strictEqual(String(found[1]!.addresses[0]!.interface), "10.0.0.1/24")
    }))
})

describe("an address that is probed before use (RFC 5227)", () => {
  it.effect("is waited for", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair()
      yield* host([far], { ipv4: `${addressTwo}/24` }, 2)
      const making = yield* Effect.forkChild(
        Effect.scoped(Effect.flatMap(host([near], { ipv4: `${addressOne}/24`, addressProbing: true }), (stack) =>
          on(stack)(Ping.ping(addressTwo))))
      )
      yield* TestClock.adjust("100 millis")
      assert.isUndefined(making.pollUnsafe())
      yield* TestClock.adjust("20 seconds")
      assert.isTrue((yield* Fiber.join(making)).isIntact)
    }))

  it.effect("fails the layer with AddressInUse when another host has it", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair()
      yield* host([far], { ipv4: `${addressOne}/24` }, 2)
      const making = yield* Effect.forkChild(
        failureOf({ ipv4: `${addressOne}/24`, addressProbing: true, closeTimeout: 0 }, [near])
      )
      yield* TestClock.adjust("20 seconds")
      const error = yield* Fiber.join(making)
      assert.strictEqual(error._tag === "NetworkError" ? error.reason._tag : error._tag, "AddressInUse")
    }))
})

/** A connection over a slow wire, of which the first host ends while data is still under way. */
const ending = (latency: number) =>
  Effect.gen(function*() {
    const [near, far] = MemoryLink.pair({ latency })
    const scope = yield* Scope.make()
    const one = yield* Scope.provide(host([near], { ipv4: `${addressOne}/24`, closeTimeout: "2 seconds" }), scope)
    const two = yield* host([far], { ipv4: `${addressTwo}/24` }, 2)
    const listener = yield* on(two)(Tcp.listen({ port: 80 }))
    const accepting = yield* Effect.forkChild(listener.accept)
    const connecting = yield* Effect.forkChild(
      Scope.provide(on(one)(Tcp.connect(`${addressTwo}:80`)), scope)
    )
    yield* TestClock.adjust("30 seconds")
    const connection = yield* Fiber.join(connecting)
    yield* connection.write(new Uint8Array(100_000))
    return { scope, server: yield* Fiber.join(accepting) }
  })

describe("a stack that is closed", () => {
  it.effect("still delivers what programs have written and closed", () =>
    Effect.gen(function*() {
      const { scope, server } = yield* ending(50)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      const reading = yield* Effect.forkChild(server.readAll)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual((yield* Fiber.join(reading)).length, 100_000)
    }))

  it.effect("does not wait longer than it is told to, and resets what is left", () =>
    Effect.gen(function*() {
      const { scope, server } = yield* ending(1500)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      assert.isTrue(Exit.isSuccess(closing.pollUnsafe()!))
      const reading = yield* Effect.forkChild(Effect.exit(server.readAll))
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(reading)))
    }))

  it.effect("waits for nothing when nothing is under way", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { one, two } = yield* Scope.provide(pair({}, { closeTimeout: "1 hour" }), scope)
      const listener = yield* Scope.provide(on(two)(Tcp.listen({ port: 80 })), scope)
      yield* Scope.provide(on(one)(Tcp.connect(`${addressTwo}:80`)), scope)
      yield* Scope.provide(listener.accept, scope)
      yield* Scope.close(scope, Exit.void)
    }))
})
