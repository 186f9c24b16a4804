import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import type { Port } from "../../src/link/Link.ts"
import * as Switch from "../../src/link/Switch.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Collector from "./Collector.ts"

const station = (index: number): Mac.Mac => 0x0200_0000_0000 + index

const between = (source: Mac.Mac, destination: Mac.Mac, length = 60): Frame.Frame => {
  const bytes = new Uint8Array(length)
  Mac.write(destination, bytes, 0)
  Mac.write(source, bytes, 6)
  return Frame.plain(bytes)
}

/** A switch whose ports are all open, and how many frames each has received so far. */
const opened = (options: Switch.Options) =>
  Effect.gen(function*() {
    const self = Switch.make(options)
    const sinks = self.ports.map(() => Collector.make())
    const ports: Array<Port> = []
    for (const [index, link] of self.ports.entries()) ports.push(yield* link.open(sinks[index]!))
    return { self, ports, sinks, counts: () => sinks.map(({ received }) => received.length) }
  })

describe("Switch (IEEE 802.1D-2004 §7.7)", () => {
  it.effect("floods what it does not know to every other port, and learns where the source is", () =>
    Effect.gen(function*() {
      const { counts, ports, self } = yield* opened({ ports: ["a", "b", "c"] })
      ports[0]!.send([between(station(0), station(1))], 0)
      assert.deepStrictEqual(counts(), [0, 1, 1])
      assert.deepStrictEqual(self.table(), new Map([[station(0), "a"]]))
      ports[1]!.send([between(station(1), station(0))], 0)
      assert.deepStrictEqual(counts(), [1, 1, 1])
      ports[0]!.send([between(station(0), station(1))], 0)
      assert.deepStrictEqual(counts(), [1, 2, 1])
    }))

  it.effect("floods group addresses even when it has seen them as a source, and does not learn those", () =>
    Effect.gen(function*() {
      const { counts, ports, self } = yield* opened({ ports: 3 })
      const group = Mac.ofMulticastV4(0x01020304)
      ports[0]!.send([between(group, Mac.broadcast), between(station(0), group)], 0)
      assert.deepStrictEqual(counts(), [0, 2, 2])
      assert.deepStrictEqual([...self.table().keys()], [station(0)])
    }))

  it.effect("keeps a frame whose destination is where it came from", () =>
    Effect.gen(function*() {
      const { counts, ports } = yield* opened({ ports: 2 })
      ports[0]!.send([between(station(0), station(9)), between(station(1), station(0))], 0)
      assert.deepStrictEqual(counts(), [0, 1])
    }))

  it.effect("follows a station to another port", () =>
    Effect.gen(function*() {
      const { counts, ports } = yield* opened({ ports: 3 })
      ports[0]!.send([between(station(0), Mac.broadcast)], 0)
      ports[1]!.send([between(station(0), Mac.broadcast)], 0)
      ports[2]!.send([between(station(2), station(0))], 0)
      assert.deepStrictEqual(counts(), [1, 2, 2])
    }))

  it.effect("forgets a station that has been silent for the ageing time", () =>
    Effect.gen(function*() {
      const { counts, ports, self } = yield* opened({ ports: 3, ageing: "10 seconds" })
      ports[0]!.send([between(station(0), Mac.broadcast)], 0)
      yield* TestClock.adjust("9 seconds")
      ports[0]!.send([between(station(0), station(7))], 0)
      yield* TestClock.adjust("10 seconds")
      ports[1]!.send([between(station(1), station(0))], 0)
      assert.deepStrictEqual(counts(), [1, 2, 2])
      yield* TestClock.adjust("1 second")
      ports[1]!.send([between(station(1), station(0))], 0)
      assert.deepStrictEqual(counts(), [2, 2, 3])
      assert.deepStrictEqual([...self.table().keys()], [station(1)])
    }))

  it.effect("remembers no more stations than its bound, and makes room of stale ones", () =>
    Effect.gen(function*() {
      const { counts, ports, self } = yield* opened({ ports: 2, tableSize: 100, ageing: "10 seconds" })
      for (let i = 0; i < 1000; i++) ports[0]!.send([between(station(i), Mac.broadcast)], 0)
      assert.strictEqual(self.table().size, 100)
      assert.deepStrictEqual(counts(), [0, 1000])
      yield* TestClock.adjust("11 seconds")
      ports[0]!.send([between(station(5000), Mac.broadcast)], 0)
      assert.deepStrictEqual([...self.table().keys()], [station(5000)])
    }))

  it.effect("forwards nothing to the addresses of bridges, nothing too long or too short, all counted", () =>
    Effect.gen(function*() {
      const { counts, ports } = yield* opened({ ports: 2, mtu: 1500 })
      const sent = [
        between(station(0), 0x0180_c200_0000),
        between(station(0), 0x0180_c200_000e),
        between(station(0), 0x0180_c200_0010),
        between(station(0), Mac.broadcast, 1515),
        Frame.plain(new Uint8Array(13))
      ]
      assert.strictEqual(ports[0]!.send(sent, 0), 5)
      assert.deepStrictEqual(counts(), [0, 1])
      const { malformed, reserved, tooLong } = ports[0]!.counters()
      assert.deepStrictEqual({ malformed, reserved, tooLong }, { malformed: 1, reserved: 2, tooLong: 1 })
    }))

  it.effect("drops and counts what a port that holds its frames has no room for, and serves the others", () =>
    Effect.gen(function*() {
      const self = Switch.make({ ports: 3, bufferBytes: 512 * 1024 })
      const sink = Collector.make()
      let held = 0
      const port = yield* self.ports[0]!.open(Collector.make())
      yield* self.ports[1]!.open({ frames: (batch) => held += batch.length, changed: () => {} })
      yield* self.ports[2]!.open(sink)
      for (let i = 0; i < 1000; i++) port.send([between(station(0), Mac.broadcast, 1500)], 0)
      assert.strictEqual(sink.received.length, 1000)
      assert.isBelow(held, 1000)
      assert.strictEqual(port.counters()["overflow"], 1000 - held)
    }))

  it.effect("carries an endless exchange one delivery deep", () =>
    Effect.gen(function*() {
      const self = Switch.make({ ports: 2 })
      const ports: Array<Port> = []
      let depth = 0
      let deepest = 0
      let rounds = 0
      const bounce = (side: number) => () => {
        depth += 1
        deepest = Math.max(deepest, depth)
        if (++rounds < 10_000) ports[side]!.send([between(station(side), station(1 - side))], 0)
        depth -= 1
      }
      ports.push(yield* self.ports[0]!.open(Collector.make(bounce(0))))
      ports.push(yield* self.ports[1]!.open(Collector.make(bounce(1))))
      ports[0]!.send([between(station(0), station(1))], 0)
      while (rounds < 10_000) yield* Effect.yieldNow
      assert.strictEqual(deepest, 1)
    }))
})
