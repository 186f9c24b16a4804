/**
 * A stack as the router of a link, through the workers and the sockets: another configures itself by it and reaches a third beyond.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as RouterAdvertisement from "../../src/sockets/RouterAdvertisement.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import { host, on } from "../workers/Hosts.ts"

const options: RouterAdvertisement.Options = {
  prefixes: ["2001:db8:7::/64"],
  nameServers: ["2001:db8:7::53"],
  searchDomains: ["example.org"],
  routes: [{ network: "2001:db8:99::/48", preference: "high", lifetime: "5 minutes" }]
}

/** client ── router ── server */
const network = Effect.gen(function*() {
  const [near, toNear] = MemoryLink.pair()
  const [far, toFar] = MemoryLink.pair()
  const life = yield* Scope.make()
  const interfaces = [
    { addresses: ["2001:db8:7::1/64"], advertise: options },
    { addresses: ["2001:db8:8::1/64"] }
  ]
  const router = yield* Scope.provide(host([toNear, toFar], { interfaces, forwarding: true }, 1), life)
  const client = yield* host([near], { ipv6: "slaac" }, 2)
  const server = yield* host([far], { addresses: ["2001:db8:8::9/64"], gateway: "2001:db8:8::1" }, 3)
  return { client, router, server, close: Scope.close(life, Exit.void) }
})

const routersOf = Effect.map(
  Network.routes,
  (routes) => routes.flatMap(({ gateway, to }) => gateway === undefined ? [] : [String(to)])
)

describe("RouterAdvertisement", () => {
  it.effect("makes hosts configure themselves, and ends with the stack", () =>
    Effect.gen(function*() {
      const { client, close, server } = yield* network
      yield* TestClock.adjust("10 seconds")
      const [, eth] = yield* on(client)(Network.interfaces)
      assert.deepStrictEqual(eth!.addresses.map(({ origin, state }) => `${origin} ${state}`), [
        "linkLocal preferred",
        "slaac preferred",
        "temporary preferred"
      ])
      assert.deepStrictEqual(yield* on(client)(routersOf), ["2001:db8:99::/48", "::/0"])
      const listener = yield* on(server)(Tcp.listen({ port: 80 }))
      const connection = yield* on(client)(Tcp.connect("[2001:db8:8::9]:80"))
      yield* connection.write(Uint8Array.of(1, 2, 3))
      yield* connection.end
      const reading = yield* Effect.forkChild((yield* listener.accept).readAll)
      assert.deepStrictEqual(Array.from(yield* Fiber.join(reading)), [1, 2, 3])
      yield* close
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* on(client)(routersOf), [])
    }))

  it.effect("can be told something else, and to cease", () =>
    Effect.gen(function*() {
      const { client, router } = yield* network
      yield* TestClock.adjust("10 seconds")
      yield* on(router)(RouterAdvertisement.advertise(1, { ...options, mtu: 1400, lifetime: 0, routes: [] }))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* on(client)(routersOf), ["2001:db8:99::/48"])
      yield* on(router)(RouterAdvertisement.cease(1))
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* on(client)(routersOf), [])
    }))

  for (
    const wrong of [
      { prefixes: ["10.0.0.0/8"] },
      { prefixes: ["fe80::/64"] },
      { nameServers: ["no address"] },
      { interval: ["1 second", "2 seconds"] },
      { searchDomains: ["not a name!.."] }
    ] as ReadonlyArray<RouterAdvertisement.Options>
  ) {
    it.effect(`refuses ${JSON.stringify(wrong)}`, () =>
      Effect.gen(function*() {
        const { router } = yield* network
        const failure = yield* Effect.flip(on(router)(RouterAdvertisement.advertise(1, wrong)))
        assert.strictEqual(failure.reason._tag, "InvalidArgument")
      }))
  }
})
