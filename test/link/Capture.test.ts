import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Capture from "../../src/link/Capture.ts"
import type { Link, Port } from "../../src/link/Link.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import type * as Frame from "../../src/wire/Frame.ts"
import * as Collector from "./Collector.ts"

const { frame, frames, tags } = Collector

/** Writes down what it is shown: link, direction, tag, time. */
const notebook = () => {
  const lines: Array<string> = []
  const shown: Array<Frame.Frame> = []
  const sink: Capture.CaptureSink = {
    attach: ({ medium, name }) => (each, direction, at) => {
      shown.push(each)
      lines.push(`${name} ${medium} ${direction} ${Collector.tag(each)} ${at}`)
    }
  }
  return { lines, shown, sink }
}

describe("Capture", () => {
  it.effect("shows every frame with link, direction and wall time, and passes it on as it is", () =>
    Effect.gen(function*() {
      const book = notebook()
      const [near, far] = MemoryLink.pair({ names: ["near", "far"] })
      const link = Capture.make(near, book.sink)
      assert.deepStrictEqual({ ...link, open: undefined }, { ...near, open: undefined })
      const received = Collector.make()
      const sent = Collector.make()
      yield* TestClock.setTime(1_700_000_000_000)
      const port = yield* link.open(received)
      const farPort = yield* far.open(sent)
      port.send(frames(3), 1)
      yield* TestClock.adjust("5 millis")
      farPort.send([frame(9)], 0)
      assert.deepStrictEqual([tags(sent), tags(received)], [[1, 2], [9]])
      assert.deepStrictEqual(book.lines, [
        "near ethernet out 1 1700000000000000",
        "near ethernet out 2 1700000000000000",
        "near ethernet in 9 1700000000005000"
      ])
    }))

  it.effect("shows a frame before what it causes", () =>
    Effect.gen(function*() {
      const book = notebook()
      const [near, far] = MemoryLink.pair({ names: ["near", "far"] })
      const port = yield* Capture.make(near, book.sink).open(Collector.make())
      const answer: Port = yield* Capture.make(far, book.sink).open(Collector.make(() => {
        answer.send([frame(2)], 0)
      }))
      port.send([frame(1)], 0)
      while (book.lines.length < 4) yield* Effect.yieldNow
      assert.deepStrictEqual(book.lines.map((line) => line.replace(/ ethernet| \d+$/g, "")), [
        "near out 1",
        "far in 1",
        "far out 2",
        "near in 2"
      ])
    }))

  it.effect("shows a frame once, however often the link has to be asked to take it", () =>
    Effect.gen(function*() {
      const book = notebook()
      const [near] = MemoryLink.pair()
      let room = 2
      const port: Port = {
        send: (all, from) => Math.min(room, all.length - from),
        writable: Effect.void,
        counters: () => ({})
      }
      const link: Link = { ...near, open: () => Effect.succeed(port) }
      const captured = yield* Capture.make(link, book.sink).open(Collector.make())
      const all = frames(5)
      assert.strictEqual(captured.send(all, 0), 2)
      room = 0
      assert.strictEqual(captured.send(all, 2), 0)
      room = 1
      assert.strictEqual(captured.send(all, 2), 1)
      room = 9
      assert.strictEqual(captured.send(all, 3), 2)
      assert.strictEqual(captured.send(all, 0), 5)
      assert.deepStrictEqual(book.shown.map(Collector.tag), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    }))
})
