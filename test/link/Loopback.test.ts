import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Port } from "../../src/link/Link.ts"
import * as Loopback from "../../src/link/Loopback.ts"
import * as Collector from "./Collector.ts"

const { frame, frames, range, tags } = Collector

describe("Loopback", () => {
  it.effect("gives back what is sent, as a copy that is verified (RFC 1122 §3.2.1.3)", () =>
    Effect.gen(function*() {
      const sink = Collector.make()
      const port = yield* Loopback.make().open(sink)
      const sent = frame(7, 65_535)
      assert.strictEqual(port.send([sent], 0), 1)
      sent.bytes.fill(0)
      assert.deepStrictEqual(tags(sink), [7])
      assert.strictEqual(sink.received[0]!.checksum, "verified")
      assert.strictEqual(sink.received[0]!.bytes.length, 65_535)
    }))

  it.effect("leaves a partial checksum marked, so that a capture can complete it", () =>
    Effect.gen(function*() {
      const sink = Collector.make()
      const port = yield* Loopback.make().open(sink)
      port.send([{ ...frame(7), checksum: "partial", checksumStart: 20, checksumOffset: 6 }], 0)
      assert.strictEqual(sink.received[0]!.checksum, "partial")
      assert.strictEqual(sink.received[0]!.checksumStart, 20)
    }))

  it.effect("delivers answers of its own receiver in a later turn, all of them", () =>
    Effect.gen(function*() {
      let rounds = 0
      const sink = Collector.make((batch) => {
        if (++rounds < 5000) port.send(batch, 0)
      })
      const port: Port = yield* Loopback.make().open(sink)
      port.send([frame(1)], 0)
      assert.strictEqual(rounds, 1)
      while (rounds < 5000) yield* Effect.yieldNow
      assert.strictEqual(sink.received.length, 5000)
    }))

  it.effect("takes what its queue holds and waits for the rest", () =>
    Effect.gen(function*() {
      let took = 0
      const sink = Collector.make((batch) => {
        if (batch.length === 1) took = port.send(frames(20), 0)
      })
      const port: Port = yield* Loopback.make({ queueFrames: 16 }).open(sink)
      port.send([frame(99)], 0)
      assert.strictEqual(took, 16)
      yield* port.writable
      assert.deepStrictEqual(tags(sink), [99, ...range(16)])
    }))

  it.effect("drops and counts what is longer than its MTU, and what is sent after it closed", () =>
    Effect.gen(function*() {
      const sink = Collector.make()
      const port = yield* Effect.scoped(Loopback.make({ mtu: 1000 }).open(sink))
      port.send([frame(1, 1001), frame(2, 1000)], 0)
      assert.deepStrictEqual(port.counters(), { tooLong: 1, unsupported: 0, closed: 1 })
      assert.strictEqual(sink.received.length, 0)
    }))
})
