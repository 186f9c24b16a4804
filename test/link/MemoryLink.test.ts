import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import type { Port } from "../../src/link/Link.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Random from "../../src/link/Random.ts"
import type { Frame } from "../../src/wire/Frame.ts"
import * as Collector from "./Collector.ts"

const { frame, frames, range, tags } = Collector

describe("MemoryLink without delay", () => {
  it.effect("delivers a batch in the call that sends it, in order and byte for byte", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair()
      const sink = Collector.make()
      const port = yield* a.open(Collector.make())
      yield* b.open(sink)
      assert.strictEqual(port.send(frames(100, 1514), 0), 100)
      assert.deepStrictEqual(tags(sink), range(100))
      assert.deepStrictEqual(sink.batches, [100])
      assert.strictEqual(sink.received[7]!.bytes.length, 1514)
    }))

  it.effect("has the addresses that are given as texts or numbers, and can't be opened with a text that is none", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ macs: ["02:00:00:00:00:01", 0x0200_0000_0002] })
      assert.deepStrictEqual([a.mac, b.mac], [0x0200_0000_0001, 0x0200_0000_0002])
      const [wrong, right] = MemoryLink.pair({ names: ["left", "right"], macs: ["02:00", "02:00:00:00:00:02"] })
      const error = yield* Effect.flip(wrong.open(Collector.make()))
      assert.deepInclude(error, { _tag: "LinkError", link: "left", operation: "open" })
      assert.match(error.message, /^left: open failed: 02:00 is no MAC address: expected six /)
      yield* right.open(Collector.make())
    }))

  it.effect("sends from the given index", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair()
      const sink = Collector.make()
      const port = yield* a.open(Collector.make())
      yield* b.open(sink)
      assert.strictEqual(port.send(frames(5), 3), 2)
      assert.deepStrictEqual(tags(sink), [3, 4])
    }))

  it.effect("is one delivery deep however the ends answer each other", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair()
      const ports: Array<Port> = []
      let depth = 0
      let deepest = 0
      let rounds = 0
      const answer = (side: number) => (batch: ReadonlyArray<Frame>) => {
        depth += 1
        deepest = Math.max(deepest, depth)
        rounds += 1
        if (rounds < 20_000) ports[side]!.send(batch, 0)
        depth -= 1
      }
      ports.push(yield* a.open(Collector.make(answer(0))))
      ports.push(yield* b.open(Collector.make(answer(1))))
      ports[0]!.send([frame(1)], 0)
      while (rounds < 20_000) yield* Effect.yieldNow
      assert.strictEqual(deepest, 1)
    }))

  it.effect("takes no more than its queue holds while a delivery runs, and says when there is room", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ queueFrames: 8 })
      const sink = Collector.make()
      let took = -1
      const portA = yield* a.open(sink)
      const portB: Port = yield* b.open(Collector.make(() => {
        took = portB.send(frames(10), 0)
      }))
      portA.send([frame(0)], 0)
      assert.strictEqual(took, 8)
      yield* portB.writable
      assert.deepStrictEqual(tags(sink), range(8))
      assert.strictEqual(portB.send(frames(10), 8), 2)
      assert.deepStrictEqual(tags(sink), range(10))
      assert.deepStrictEqual(portB.counters(), { tooLong: 0, unsupported: 0, peerClosed: 0, overflow: 0 })
    }))

  it.effect("loses nothing and mixes nothing up, however two ends that answer each other fill its queues", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 30; seed++) {
        const random = Random.make(seed, 0, 0)
        const [a, b] = MemoryLink.pair({ queueFrames: 1 + random.word() % 20 })
        const ports: Array<Port> = []
        const sent = [0, 0]
        const send = (side: 0 | 1, most: number) => {
          const count = 1 + random.word() % most
          sent[side]! += ports[side]!.send(range(count, sent[side]).map((each) => frame(each)), 0)
        }
        const sinkA = Collector.make(() => {
          if (random.chance(0.6)) send(0, 30)
        })
        const sinkB = Collector.make(() => {
          if (random.chance(0.6)) send(1, 30)
        })
        yield* Effect.scoped(Effect.gen(function*() {
          ports.push(yield* a.open(sinkA), yield* b.open(sinkB))
          for (let i = 0; i < 100; i++) {
            send(random.chance(0.5) ? 0 : 1, 40)
            if (random.chance(0.3)) yield* Effect.yieldNow
          }
          while (sinkA.received.length < sent[1]! || sinkB.received.length < sent[0]!) yield* Effect.yieldNow
        }))
        assert.deepStrictEqual([tags(sinkB), tags(sinkA)], [range(sent[0]!), range(sent[1]!)])
      }
    }))

  it.effect("with overflow dropped takes everything and counts what it lost", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ queueFrames: 8, overflow: "drop" })
      const sink = Collector.make()
      let took = -1
      const portA = yield* a.open(sink)
      const portB: Port = yield* b.open(Collector.make(() => {
        took = portB.send(frames(10), 0)
      }))
      portA.send([frame(0)], 0)
      assert.strictEqual(took, 10)
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.deepStrictEqual(tags(sink), range(8))
      assert.strictEqual(portB.counters()["overflow"], 2)
    }))

  it.effect("waits when the receiver holds on to its frames, and goes on when it lets go", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ bufferBytes: 512 * 1024 })
      const held: Array<Frame> = []
      const port = yield* a.open(Collector.make())
      yield* b.open({ frames: (batch) => held.push(...batch), changed: () => {} })
      const all = frames(1000, 1500)
      const took = port.send(all, 0)
      assert.isBelow(took, 1000)
      assert.strictEqual(held.length, took)
      assert.strictEqual(port.send(all, took), 0)
      const waiting = yield* Effect.forkChild(port.writable, { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      for (const each of held.splice(0)) each.slab!.release()
      yield* Fiber.join(waiting)
      assert.isAbove(port.send(all, took), 0)
    }))

  it.effect("drops and counts what is sent to an end that is not open", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair()
      const port = yield* a.open(Collector.make())
      assert.strictEqual(port.send(frames(3), 0), 3)
      assert.strictEqual(port.counters()["peerClosed"], 3)
      const scope = yield* Scope.make()
      const sink = Collector.make()
      yield* Scope.provide(b.open(sink), scope)
      port.send(frames(2), 0)
      yield* Scope.close(scope, Exit.void)
      port.send(frames(4), 0)
      assert.strictEqual(sink.received.length, 2)
      assert.strictEqual(port.counters()["peerClosed"], 7)
    }))

  it.effect("has one opener at a time, and another after it", () =>
    Effect.gen(function*() {
      const [a] = MemoryLink.pair({ names: ["left", "right"] })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* a.open(Collector.make())
        const error = yield* Effect.flip(a.open(Collector.make()))
        assert.strictEqual(error.code, "EBUSY")
        assert.strictEqual(error.link, "left")
      }))
      yield* a.open(Collector.make())
    }))

  it.effect("refuses what exceeds the MTU or asks for an offload it lacks, counted", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ mtu: 1500 })
      const sink = Collector.make()
      const port = yield* a.open(Collector.make())
      yield* b.open(sink)
      const gso = { kind: "tcp4", size: 1448, headerLength: 66 } as const
      const tagged = frame(0, 1518)
      tagged.bytes.set([0x81, 0x00], 12)
      const sent = [frame(0, 1514), frame(0, 1515), { ...frame(0, 1514), gso }, {
        ...frame(0),
        checksum: "partial" as const
      }]
      assert.strictEqual(port.send([...sent, tagged], 0), 5)
      assert.deepStrictEqual(sink.received.map((each) => each.bytes.length), [1514, 1518])
      assert.strictEqual(port.counters()["tooLong"], 1)
      assert.strictEqual(port.counters()["unsupported"], 2)
    }))

  it.effect("passes super-segments and partial checksums where it was made to", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ checksumOffload: true, segmentation: ["tcp4"] })
      const sink = Collector.make()
      const port = yield* a.open(Collector.make())
      yield* b.open(sink)
      const gso = { kind: "tcp4", size: 1448, headerLength: 66 } as const
      const big = { ...frame(1, 60_000), checksum: "partial" as const, checksumStart: 34, checksumOffset: 16, gso }
      port.send([big, { ...big, gso: { ...gso, kind: "udp" } }], 0)
      assert.strictEqual(sink.received.length, 1)
      const { checksum, checksumStart, checksumOffset } = sink.received[0]!
      assert.deepStrictEqual({ checksum, checksumStart, checksumOffset }, {
        checksum: "partial",
        checksumStart: 34,
        checksumOffset: 16
      })
      assert.deepStrictEqual(sink.received[0]!.gso, gso)
      assert.strictEqual(port.counters()["unsupported"], 1)
    }))
})

describe("MemoryLink with latency and rate", () => {
  it.effect("delivers when the latency has passed by the clock, not before", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ latency: "10 millis" })
      const sink = Collector.make()
      const port = yield* a.open(Collector.make())
      yield* b.open(sink)
      port.send(frames(3), 0)
      yield* TestClock.adjust("9 millis")
      assert.strictEqual(sink.received.length, 0)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(tags(sink), [0, 1, 2])
      assert.deepStrictEqual(sink.batches, [3])
    }))

  it.effect("spaces frames by the line rate", () =>
    Effect.gen(function*() {
      // 1250 octets at 1 Mbit/s take 10 ms.
      const [a, b] = MemoryLink.pair({ latency: "5 millis", rate: 1_000_000 })
      const sink = Collector.make()
      const port = yield* a.open(Collector.make())
      yield* b.open(sink)
      port.send(frames(3, 1250), 0)
      const seen: Array<number> = []
      for (let i = 0; i < 8; i++) {
        yield* TestClock.adjust("5 millis")
        seen.push(sink.received.length)
      }
      assert.deepStrictEqual(seen, [0, 0, 1, 1, 2, 2, 3, 3])
    }))

  it.effect("settles a long exchange within one adjustment of the clock", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ latency: "1 millis" })
      const ports: Array<Port> = []
      const arrivals: Array<number> = []
      const answer = (side: number) => (batch: ReadonlyArray<Frame>) => {
        arrivals.push(side)
        ports[side]!.send(batch, 0)
      }
      ports.push(yield* a.open(Collector.make(answer(0))))
      ports.push(yield* b.open(Collector.make(answer(1))))
      ports[0]!.send([frame(1)], 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(arrivals.length, 1000)
      assert.deepStrictEqual(arrivals.slice(0, 4), [1, 0, 1, 0])
    }))

  it.effect("bounds what is under way and wakes the sender when some of it has arrived", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ latency: "10 millis", queueFrames: 4 })
      const sink = Collector.make()
      const port = yield* a.open(Collector.make())
      yield* b.open(sink)
      assert.strictEqual(port.send(frames(6), 0), 4)
      const waiting = yield* Effect.forkChild(port.writable, { startImmediately: true })
      yield* TestClock.adjust("9 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.isDefined(waiting.pollUnsafe())
      assert.strictEqual(port.send(frames(6), 4), 2)
    }))

  it.effect("counts what was under way when the receiver closed", () =>
    Effect.gen(function*() {
      const [a, b] = MemoryLink.pair({ latency: "10 millis" })
      const sink = Collector.make()
      const port = yield* a.open(Collector.make())
      const scope = yield* Scope.make()
      yield* Scope.provide(b.open(sink), scope)
      port.send(frames(3), 0)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(sink.received.length, 0)
      assert.strictEqual(port.counters()["peerClosed"], 3)
    }))
})
