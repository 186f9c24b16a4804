import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Raw from "../../src/sockets/Raw.ts"
import { addressOne, addressTwo, host, on, pair } from "../workers/Hosts.ts"

const reasonOf = <A, R>(self: Effect.Effect<A, { readonly reason: { readonly _tag: string } }, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason._tag)

describe("Network", () => {
  it.effect("shows interfaces with their addresses", () =>
    Effect.gen(function*() {
      const { one } = yield* pair({ mtu: 1400 })
      const [loopback, memory] = yield* on(one)(Network.interfaces)
      assert.deepInclude(loopback, { link: 0, name: "lo", medium: "loopback", mac: undefined })
      assert.deepInclude(memory, { link: 1, name: "memory0", medium: "ethernet", mtu: 1400, up: true })
      assert.deepStrictEqual(memory!.offload, { checksum: false, segmentation: [], maxSegmentBytes: 1400 })
      assert.deepStrictEqual(memory!.addresses.map((address) => address.interface.toString()), [`${addressOne}/24`])
    }))

  it.effect("shows what the link does in the stack's place", () =>
    Effect.gen(function*() {
      const { one } = yield* pair({ checksumOffload: true, segmentation: ["tcp4", "udp"] })
      const [, memory] = yield* on(one)(Network.interfaces)
      assert.deepStrictEqual(memory?.offload, {
        checksum: true,
        segmentation: ["tcp4", "udp"],
        maxSegmentBytes: 65_535
      })
    }))

  it.effect("gives and takes addresses, with their routes", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const networks = Effect.map(on(one)(Network.routes), (routes) => routes.map(({ to }) => to.toString()))
      yield* on(one)(Network.addAddress(1, "192.0.2.7/28"))
      assert.include(yield* networks, "192.0.2.0/28")
      yield* on(one)(Network.removeAddress(1, "192.0.2.7"))
      assert.notInclude(yield* networks, "192.0.2.0/28")
      assert.strictEqual(yield* reasonOf(on(one)(Network.addAddress(9, "192.0.2.7/28"))), "NotFound")
      assert.strictEqual(yield* reasonOf(on(one)(Network.addAddress(1, "192.0.2.7/99"))), "InvalidArgument")
    }))

  it.effect("gives and takes routes, the default one by its name", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      yield* on(one)(Network.addRoute({ to: "default", gateway: addressTwo, metric: 5 }))
      const found = (yield* on(one)(Network.routes)).find(({ to }) => to.prefixLength === 0)
      assert.strictEqual(found?.gateway?.toString(), addressTwo)
      assert.deepInclude(found, { link: 1, metric: 5, origin: "static" })
      yield* on(one)(Network.removeRoute({ to: "default" }))
      assert.isUndefined((yield* on(one)(Network.routes)).find(({ to }) => to.prefixLength === 0))
    }))

  it.effect("names the address or the route that was refused", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const messageOf = <A, R>(self: Effect.Effect<A, Network.NetworkError, R>) =>
        Effect.map(Effect.flip(self), ({ message }) => message)
      const noInterface = yield* Effect.flip(on(one)(Network.addAddress(9, "192.0.2.7/28")))
      assert.strictEqual(noInterface.message, "addAddress 192.0.2.7/28: no such interface")
      assert.strictEqual(noInterface.subject, "192.0.2.7/28")
      assert.strictEqual(
        yield* messageOf(on(one)(Network.removeAddress(1, "192.0.2.7"))),
        "removeAddress 192.0.2.7: no such address"
      )
      assert.strictEqual(
        yield* messageOf(on(one)(Network.awaitAddress(1, "192.0.2.7"))),
        "awaitAddress 192.0.2.7: no such address"
      )
      assert.match(
        yield* messageOf(on(one)(Network.addRoute({ to: "198.51.100.0/24", gateway: "203.0.113.1" }))),
        /^addRoute 198\.51\.100\.0\/24 via 203\.0\.113\.1: /
      )
      assert.match(
        yield* messageOf(on(one)(Network.setNeighbor(9, "10.0.0.9", "02:00:00:00:00:09"))),
        /^setNeighbor 10\.0\.0\.9: /
      )
    }))

  it.effect("shows neighbours, fixes and forgets them", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      yield* on(one)(Ping.ping(addressTwo))
      const [found] = yield* on(one)(Network.neighbors())
      assert.strictEqual(found?.address.toString(), addressTwo)
      assert.isDefined(found?.mac)
      yield* on(one)(Network.setNeighbor(1, "10.0.0.9", "02:00:00:00:00:09"))
      assert.strictEqual(yield* on(one)(Network.flushNeighbors(1)), 1)
      const left = yield* on(one)(Network.neighbors(1))
      assert.deepStrictEqual(left.map(({ address, mac }) => [address.toString(), mac?.toString()]), [
        ["10.0.0.9", "02:00:00:00:00:09"]
      ])
      yield* on(one)(Network.removeNeighbor(1, "10.0.0.9"))
      assert.deepStrictEqual(yield* on(one)(Network.neighbors(1)), [])
    }))

  it.effect("counts by name, drops by reason, and bytes by what for", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      yield* on(one)(Ping.ping(addressTwo))
      assert.strictEqual((yield* on(two)(Network.counters)).icmpEchoAnswered, 1)
      const raw = yield* on(one)(Raw.open({ protocol: 200 }))
      yield* raw.send(Uint8Array.of(1, 2, 3), addressTwo)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* on(two)(Network.drops)).IpProtocolUnknown, 1)
      assert.strictEqual((yield* on(two)(Network.memory)).total, 0)
    }))

  it.effect("tells of changes and discards as they happen", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const isAddressChange = Network.changesOf("AddressChanged")
      const changes = yield* Effect.forkChild(on(one)(Stream.runHead(isAddressChange)))
      const discard = yield* Effect.forkChild(on(two)(Stream.runHead(Network.discards)))
      yield* Effect.yieldNow
      yield* on(one)(Network.addAddress(1, "192.0.2.7/28"))
      const change = yield* Fiber.join(changes)
      assert.strictEqual(change._tag, "Some")
      const raw = yield* on(one)(Raw.open({ protocol: 200 }))
      yield* raw.send(Uint8Array.of(1, 2, 3), addressTwo)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(discard))._tag, "Some")
    }))

  it.effect("takes another link while it runs", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair()
      const stack = yield* host([])
      yield* host([far], { ipv4: `${addressTwo}/24` }, 2)
      const scope = yield* Scope.make()
      const link = yield* Scope.provide(on(stack)(Network.attach(near)), scope)
      yield* on(stack)(Network.addAddress(link, `${addressOne}/24`))
      yield* on(stack)(Ping.ping(addressTwo))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual((yield* on(stack)(Network.interfaces)).map(({ name }) => name), ["lo"])
    }))
})

describe("Ping", () => {
  it.effect("measures the round trip", () =>
    Effect.gen(function*() {
      const { one } = yield* pair({ latency: "5 millis" })
      const ping = on(one)(Ping.ping(addressTwo, { payload: new Uint8Array(1000) }))
      yield* Effect.forkChild(ping)
      yield* TestClock.adjust("1 second")
      const pong = yield* Effect.forkChild(ping)
      yield* TestClock.adjust("1 second")
      const { bytes, isIntact, roundTrip } = yield* Fiber.join(pong)
      assert.deepStrictEqual({ bytes, isIntact, roundTrip: Duration.toMillis(roundTrip) }, {
        bytes: 1008,
        isIntact: true,
        roundTrip: 10
      })
    }))

  it.effect("fails with TimedOut after its time, and says what is wrong with an address", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const lost = yield* Effect.forkChild(reasonOf(on(one)(Ping.ping("10.0.0.77", { timeout: "100 millis" }))))
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(lost), "TimedOut")
      assert.strictEqual(yield* reasonOf(on(one)(Ping.ping("10.0.0"))), "InvalidArgument")
      assert.strictEqual(yield* reasonOf(on(one)(Ping.ping("192.0.2.1"))), "Unreachable")
    }))
})

describe("Raw", () => {
  it.effect("gets packets of its protocol whole, and sends its own", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const receiver = yield* on(two)(Raw.open({ protocol: 200 }))
      const sender = yield* on(one)(Raw.open({ protocol: 200 }))
      yield* sender.send(Uint8Array.of(1, 2, 3), addressTwo, { hopLimit: 9 })
      const [packet] = yield* receiver.receive()
      assert.deepStrictEqual(Array.from(packet!.bytes.subarray(packet!.payloadStart)), [1, 2, 3])
      assert.strictEqual(packet!.source.toString(), addressOne)
    }))
})
