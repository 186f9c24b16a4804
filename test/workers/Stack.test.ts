import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { type Link, noCapabilities, type Sink } from "../../src/link/Link.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Attachment from "../../src/workers/Attachment.ts"
import * as Readings from "../../src/workers/Readings.ts"
import * as Requests from "../../src/workers/Requests.ts"
import type { News } from "../../src/workers/Stack.ts"
import * as Packets from "../core/Packets.ts"
import { addressOne, addressTwo, host, on, pair } from "./Hosts.ts"

/** A link of which the test holds the far end: it delivers when told to, and takes what it is given. */
const makeProbe = (take: (frames: ReadonlyArray<Frame.Frame>) => void = () => {}) => {
  let sink: Sink | undefined
  const link: Link = {
    name: "probe",
    mac: 0x0200_0000_0001,
    medium: "ethernet",
    mtu: 1500,
    capabilities: noCapabilities(1500),
    headroom: 0,
    open: (opened) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          sink = opened
          return {
            send: (frames: ReadonlyArray<Frame.Frame>, from: number) => {
              take(frames.slice(from))
              return frames.length - from
            },
            writable: Effect.void,
            counters: () => ({})
          }
        }),
        () =>
          Effect.sync(() => {
            sink = undefined
          })
      )
  }
  return { link, sink: () => sink }
}

describe("Stack", () => {
  it.effect("answers a ping over a wire in memory", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const pong = yield* on(one)(Ping.ping(addressTwo))
      assert.strictEqual(pong.from.toString(), addressTwo)
      assert.isTrue(pong.isIntact)
    }))

  it.effect("answers a ping to itself over the loopback link", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      assert.isTrue((yield* on(one)(Ping.ping("127.0.0.1"))).isIntact)
      assert.isTrue((yield* on(one)(Ping.ping(addressOne))).isIntact)
    }))

  it.effect("takes virtual time as time: a round trip is twice the wire's latency", () =>
    Effect.gen(function*() {
      const { one } = yield* pair({ latency: "10 millis" })
      const ping = Effect.map(on(one)(Ping.ping(addressTwo)), ({ roundTrip }) => Duration.toMillis(roundTrip))
      const first = yield* Effect.forkChild(ping)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(first)
      const second = yield* Effect.forkChild(ping)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(second), 20)
    }))

  it.effect("rings a timer when its time has come, and not before", () =>
    Effect.gen(function*() {
      const { link } = makeProbe()
      const stack = yield* host([link], { ipv4: "10.0.0.1/24" })
      const ping = yield* Effect.forkChild(Effect.flip(on(stack)(Ping.ping("127.0.0.2", { timeout: "250 millis" }))))
      const lost = yield* Effect.forkChild(Effect.flip(on(stack)(Ping.ping(addressTwo, { timeout: "250 millis" }))))
      yield* TestClock.adjust("249 millis")
      assert.isUndefined(lost.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(lost)).reason._tag, "TimedOut")
      yield* Fiber.interrupt(ping)
    }))

  it.effect("answers more requests at once than its queue holds", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const count = 3 * Requests.queueCapacity
      const asked = Effect.map(one.ask({ _tag: "ListRoutes" }), (routes) => routes.length)
      const answers = yield* Effect.forEach(
        Array.from({ length: count }),
        () => Effect.andThen(Effect.yieldNow, asked),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(answers.length, count)
      assert.isTrue(answers.every((length) => length > 0))
      assert.strictEqual((yield* one.census).waiting, 0)
    }))

  it.effect("makes a link an interface while it runs, and takes it away with the link's scope", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair()
      const stack = yield* host([])
      yield* host([far], { ipv4: "10.0.0.2/24" }, 2)
      const scope = yield* Scope.make()
      const link = yield* Scope.provide(stack.attach(near), scope)
      yield* stack.ask({ _tag: "AddAddress", link, address: 0x0a000001, prefixLength: 24, origin: "static" })
      assert.isTrue((yield* on(stack)(Ping.ping(addressTwo))).isIntact)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual((yield* stack.read(Readings.interfaces)).map(({ name }) => name), ["lo"])
      const error = yield* Effect.flip(on(stack)(Ping.ping(addressTwo)))
      assert.strictEqual(error.reason._tag, "Unreachable")
    }))

  it.effect("hears what a link tells of itself", () =>
    Effect.gen(function*() {
      const { link, sink } = makeProbe()
      const stack = yield* host([link])
      const probe = Effect.map(stack.read(Readings.interfaces), (all) => all.find(({ name }) => name === "probe"))
      sink()!.changed({ _tag: "Down" })
      assert.isFalse((yield* probe)?.up)
      sink()!.changed({ _tag: "Up" })
      assert.isTrue((yield* probe)?.up)
      sink()!.changed({ _tag: "MtuChanged", mtu: 900 })
      assert.strictEqual((yield* probe)?.mtu, 900)
      sink()!.changed({ _tag: "Gone", error: undefined })
      assert.isUndefined(yield* probe)
      assert.isUndefined(sink())
    }))

  it.effect("drops and counts what finds the ring of a link full, and gives every slab back", () =>
    Effect.gen(function*() {
      const { link, sink } = makeProbe()
      const stack = yield* host([link])
      const count = Attachment.ringFrames + 100
      let released = 0
      const slab = { release: () => released++ }
      sink()!.frames(Array.from({ length: count }, () => ({ ...Frame.plain(new Uint8Array(60)), slab })))
      yield* Effect.yieldNow
      const status = (yield* stack.links).find(({ name }) => name === "probe")
      assert.strictEqual(status?.overflowed, 100)
      assert.strictEqual(released, count)
    }))

  it.effect("gives slabs back that it sends on from, when they have left and when they never will", () =>
    Effect.gen(function*() {
      const near = makeProbe()
      const { link } = makeProbe()
      const closed: Link = {
        ...link,
        name: "far",
        open: (sink) => Effect.map(link.open(sink), (port) => ({ ...port, send: () => 0, writable: Effect.never }))
      }
      const packet = Packets.udp(Address.v4(10, 8, 0, 9), Address.v4(10, 9, 0, 9), new Uint8Array(20_000))
      const frame = Frame.plain(Packets.frame(packet, 0x0200_0000_0001, 0x0200_0000_0009))
      for (const far of [{ ...link, name: "far" }, closed]) {
        const scope = yield* Scope.make()
        let held = 2
        const slab = { headroom: 10, mayKeep: () => true, keep: () => held++, release: () => held-- }
        const stack = yield* Scope.provide(
          host([near.link, far], {
            forwarding: true,
            interfaces: [{ link: "probe", ipv4: "10.8.0.1/24" }, { link: "far", ipv4: "10.9.0.1/24" }]
          }),
          scope
        )
        yield* stack.ask({ _tag: "SetNeighbor", link: 2, address: Address.v4(10, 9, 0, 9), mac: 0x0200_0000_0010 })
        const gso = { kind: "udp", size: 1000, headerLength: 42 } as const
        for (const bytes of [frame.bytes.slice(), frame.bytes.slice()]) {
          near.sink()!.frames([{ ...frame, bytes, gso, slab }])
        }
        yield* Effect.yieldNow
        assert.strictEqual(yield* Effect.map(stack.read(Readings.counters), ({ ipForwarded }) => ipForwarded), 2)
        assert.strictEqual(held, far === closed ? 2 : 0)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(held, 0)
      }
    }))

  it.effect("is not held up on one link by another that takes nothing", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair()
      const stuck = makeProbe().link
      const closed: Link = {
        ...stuck,
        open: (sink) => Effect.map(stuck.open(sink), (port) => ({ ...port, send: () => 0, writable: Effect.never }))
      }
      const stack = yield* host([closed, near], {
        interfaces: [{ link: "probe", ipv4: "10.9.0.1/24" }, { link: near.name, ipv4: "10.0.0.1/24" }]
      })
      yield* host([far], { ipv4: "10.0.0.2/24" }, 2)
      const waiting = yield* Effect.forkChild(on(stack)(Ping.ping("10.9.0.2")))
      assert.isTrue((yield* on(stack)(Ping.ping(addressTwo))).isIntact)
      yield* Fiber.interrupt(waiting)
    }))

  it.effect("gives credits back for what a link that was taken away has not sent", () =>
    Effect.gen(function*() {
      const probe = makeProbe()
      const stuck: Link = {
        ...probe.link,
        open: (sink) =>
          Effect.map(probe.link.open(sink), (port) => ({ ...port, send: () => 0, writable: Effect.never }))
      }
      const stack = yield* host([])
      const scope = yield* Scope.make()
      const link = yield* Scope.provide(stack.attach(stuck), scope)
      yield* stack.ask({ _tag: "AddAddress", link, address: 0x0a000001, prefixLength: 24, origin: "static" })
      yield* stack.ask({ _tag: "SetNeighbor", link, address: 0x0a000002, mac: 0x0200_0000_0002 })
      const socket = yield* on(stack)(Udp.bind())
      for (let i = 0; i < 3; i++) yield* socket.send(new Uint8Array(1000), `${addressTwo}:9`)
      assert.strictEqual((yield* socket.info).bytesUnsent, 3000)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* socket.info).bytesUnsent, 0)
    }))

  it.effect("is closed by a worker that fails, and everybody who waits hears of it", () =>
    Effect.gen(function*() {
      let isBroken = false
      const broken = makeProbe(() => {
        if (isBroken) throw new Error("a broken link")
      })
      const stack = yield* host([broken.link], { ipv4: "10.0.0.1/24" })
      const socket = yield* on(stack)(Udp.bind({ port: 9 }))
      const waiting = yield* Effect.forkChild(Effect.flip(socket.receive))
      yield* Effect.yieldNow
      isBroken = true
      const ping = yield* Effect.flip(on(stack)(Ping.ping(addressTwo)))
      assert.strictEqual(ping.reason._tag, "StackClosed")
      assert.strictEqual((yield* Fiber.join(waiting)).reason._tag, "StackClosed")
      const failure = yield* Effect.flip(on(stack)(Netstack.failure))
      assert.strictEqual(failure._tag, "StackFailed")
      assert.strictEqual((yield* Effect.flip(stack.ask({ _tag: "ListRoutes" })))._tag, "StackClosed")
      assert.strictEqual((yield* stack.census).links, 0)
    }))
})

describe("closing a stack", () => {
  it.effect("leaves no fiber, timer, queue, watcher or open link", () =>
    Effect.gen(function*() {
      const [near] = MemoryLink.pair()
      const scope = yield* Scope.make()
      const stack = yield* Scope.provide(host([near], { ipv4: "10.0.0.1/24" }), scope)
      const news = yield* stack.watch((item): item is News => item._tag !== undefined)
      const ping = yield* Effect.forkChild(Effect.exit(on(stack)(Ping.ping(addressTwo, { timeout: "1 hour" }))))
      yield* Effect.yieldNow
      const before = yield* stack.census
      assert.isAbove(before.workers, 0)
      assert.isAbove(before.alarms, 0)
      assert.strictEqual(before.waiting, 1)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* stack.census, { workers: 0, waiting: 0, alarms: 0, links: 0, watchers: 1 })
      assert.isTrue(Exit.isFailure(yield* Fiber.join(ping)))
      // Who watches from outside hears what there was, and then the end.
      const ended = yield* Effect.exit(Effect.forever(Queue.takeAll(news), { disableYield: true }))
      assert.isTrue(Exit.isFailure(ended))
      // The link can be opened again, so nobody holds it.
      yield* Effect.scoped(near.open({ frames: () => {}, changed: () => {} }))
    }))

  it.effect("fails what waits, and what is asked from then on, with StackClosed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const stack = yield* Scope.provide(host([]), scope)
      const socket = yield* Scope.provide(on(stack)(Udp.bind({ port: 9 })), yield* Scope.make())
      const waiting = yield* Effect.forkChild(Effect.flip(socket.receive))
      yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(waiting)).reason._tag, "StackClosed")
      assert.strictEqual((yield* Effect.flip(socket.receive)).reason._tag, "StackClosed")
    }))

  it.effect("is done although the closing fiber is one that a worker has resumed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const stack = yield* Scope.provide(host([]), scope)
      const done = yield* Deferred.make<void>()
      yield* Effect.forkChild(Effect.gen(function*() {
        yield* on(stack)(Ping.ping("127.0.0.1"))
        yield* Scope.close(scope, Exit.void)
        yield* Deferred.succeed(done, undefined)
      }))
      yield* Deferred.await(done)
      assert.strictEqual((yield* stack.census).workers, 0)
    }))

  it.live("leaves no timer or other handle that would keep the process alive", () =>
    Effect.gen(function*() {
      const script = fileURLToPath(new URL("handles.ts", import.meta.url))
      const output = yield* Effect.promise(() => promisify(execFile)(process.execPath, [script], { timeout: 20_000 }))
      assert.deepStrictEqual(JSON.parse(output.stdout), [])
    }))
})
