import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as Faults from "../../src/link/Faults.ts"
import type { Link, Port } from "../../src/link/Link.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Random from "../../src/link/Random.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Collector from "./Collector.ts"

const { frame, frames, range, tags } = Collector

/** A faulty link whose far end is open too. */
const opened = (options: Faults.Options, wire: MemoryLink.Options = {}) =>
  Effect.gen(function*() {
    const [near, far] = MemoryLink.pair(wire)
    const faults = Faults.make(near, options)
    const sent = Collector.make()
    const received = Collector.make()
    const port = yield* faults.link.open(received)
    const farPort = yield* far.open(sent)
    return { faults, port, farPort, sent, received }
  })

/** The tags of a frame and whether its bytes are whole, as a trace to compare. */
const trace = (sink: Collector.Collector) =>
  sink.received.map((each) => `${Collector.tag(each)}/${each.bytes.length}/${Checksum.sum(each.bytes, 0, each.end, 0)}`)

/** Every frame is accounted for. */
const assertConserved = (statistics: Faults.Statistics) => {
  const { closed, delivered, duplicated, lost, offered, overflow, partitioned, pending, queueFull } = statistics
  assert.strictEqual(
    delivered + lost + partitioned + queueFull + overflow + closed + pending,
    offered + duplicated,
    JSON.stringify(statistics)
  )
}

const everything: Faults.Settings = {
  loss: 0.05,
  bursts: { enter: 0.02, leave: 0.3 },
  corruption: 0.05,
  duplication: 0.05,
  reordering: 0.1,
  delay: "10 millis",
  jitter: "3 millis",
  rate: 20_000_000,
  queueBytes: 20_000
}

/** Sends a frame each millisecond, and reads the far end's trace with the times of arrival. */
const run = (options: Faults.Options, count = 300) =>
  Effect.scoped(Effect.gen(function*() {
    const { faults, port, sent } = yield* opened(options)
    const times: Array<string> = []
    for (let i = 0; i < count; i++) {
      port.send([frame(i, 64 + (i * 37) % 1400), frame(1000 + i)], 0)
      yield* TestClock.adjust("1 millis")
      times.push(`${i}:${sent.received.length}`)
    }
    yield* TestClock.adjust("1 second")
    return { trace: trace(sent), times, statistics: faults.statistics() }
  }))

describe("Faults without any fault", () => {
  it.effect("is the link beneath: same batches, same answers, same counters", () =>
    Effect.gen(function*() {
      const play = (change: (link: Link) => Link) =>
        Effect.scoped(Effect.gen(function*() {
          const [near, far] = MemoryLink.pair({ queueFrames: 16 })
          const link = change(near)
          const log: Array<unknown> = [{ ...link, open: undefined }]
          const sink = Collector.make((batch) => log.push(port.send(batch, 0)))
          const port: Port = yield* link.open(sink)
          const farSink = Collector.make()
          const farPort = yield* far.open(farSink)
          log.push(port.send(frames(30), 12), farPort.send(frames(20), 0), port.send([frame(1, 3000)], 0))
          yield* port.writable
          log.push(farPort.send([frame(5)], 0))
          yield* Effect.yieldNow
          log.push(sink.batches, farSink.batches, tags(sink), tags(farSink), port.counters(), farPort.counters())
          return log
        }))
      assert.deepStrictEqual(yield* play(Faults.apply({ seed: 1 })), yield* play((link) => link))
    }))

  it.effect("hands on the very frames, in the call that brings them", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair()
      const seen: Array<ReadonlyArray<Frame.Frame>> = []
      const batch = frames(3)
      const bare: Link = { ...near, open: (sink) => Effect.sync(() => (sink.frames(batch), { ...idlePort })) }
      yield* Faults.make(bare, { seed: 1 }).link.open({ frames: (each) => seen.push(each), changed: () => {} })
      yield* far.open(Collector.make())
      assert.strictEqual(seen[0], batch)
    }))
})

const idlePort: Port = { send: (all, from) => all.length - from, writable: Effect.void, counters: () => ({}) }

describe("Faults by seed", () => {
  it.effect("gives the same trace for the same seed, to the millisecond, and another for another", () =>
    Effect.gen(function*() {
      const first = yield* run({ seed: 7, ...everything })
      assert.deepStrictEqual(yield* run({ seed: 7, ...everything }), first)
      assert.notDeepEqual((yield* run({ seed: 8, ...everything })).trace, first.trace)
    }))

  it.effect("accounts for every frame, under way and at the end, whatever the settings", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 20; seed++) {
        const random = Random.make(seed, 1, 1)
        const some = (value: number) => random.chance(0.5) ? random.unit() * value : 0
        const settings: Faults.Settings = {
          loss: some(0.5),
          corruption: some(0.5),
          duplication: some(0.5),
          reordering: some(0.5),
          delay: some(20),
          jitter: some(20),
          ...(random.chance(0.5) ? { bursts: { enter: some(0.5), leave: 0.5, lossInBad: 0.9 } } : {}),
          ...(random.chance(0.5) ? { rate: 1_000_000 + random.unit() * 10_000_000, queueBytes: 5000 } : {})
        }
        yield* Effect.scoped(Effect.gen(function*() {
          const { farPort, faults, port, received, sent } = yield* opened({ seed, ...settings })
          for (let i = 0; i < 50; i++) {
            port.send(frames(8, 500), 0)
            farPort.send(frames(8, 500), 0)
            yield* TestClock.adjust("1 millis")
            assertConserved(faults.statistics().send)
            assertConserved(faults.statistics().receive)
          }
          yield* TestClock.adjust("1 minute")
          const { receive, send } = faults.statistics()
          assert.deepStrictEqual([send.offered, send.pending, receive.offered, receive.pending], [400, 0, 400, 0])
          assertConserved(send)
          assertConserved(receive)
          assert.strictEqual(sent.received.length, send.delivered)
          assert.strictEqual(received.received.length, receive.delivered)
        }))
      }
    }))

  it.effect("decides about loss alike whatever else is set", () =>
    Effect.gen(function*() {
      const lost = (settings: Faults.Settings) =>
        Effect.map(
          run({ seed: 3, loss: 0.1, ...settings }, 100),
          ({ statistics, trace }) => [statistics.send.lost, new Set(trace.map((each) => each.split("/")[0]))] as const
        )
      const [count, survivors] = yield* lost({})
      assert.deepStrictEqual(yield* lost({ duplication: 0.2, reordering: 0.2, delay: "3 millis" }), [count, survivors])
    }))

  it.effect("gives each direction faults of its own", () =>
    Effect.gen(function*() {
      const { farPort, faults, port, received, sent } = yield* opened({ seed: 5, loss: 0.5 })
      port.send(frames(200), 0)
      farPort.send(frames(200), 0)
      assert.notDeepEqual(tags(sent), tags(received))
      const { receive, send } = faults.statistics()
      for (const each of [send, receive]) assert.isTrue(each.lost > 70 && each.lost < 130, JSON.stringify(each))
    }))
})

describe("each fault", () => {
  it.effect("loss: takes its share, and the rest comes in order and at once", () =>
    Effect.gen(function*() {
      const { faults, port, sent } = yield* opened({ seed: 1, loss: 0.1 })
      for (let i = 0; i < 100; i++) port.send(range(100, i * 100).map((tag) => frame(tag)), 0)
      const { lost } = faults.statistics().send
      assert.isTrue(lost > 900 && lost < 1100, String(lost))
      const seen = tags(sent)
      assert.strictEqual(seen.length, 10_000 - lost)
      assert.deepStrictEqual(seen, seen.toSorted((a, b) => a - b))
    }))

  it.effect("bursts: have the length and share of the model of Gilbert and Elliott", () =>
    Effect.gen(function*() {
      const { port, sent } = yield* opened({ seed: 1, bursts: { enter: 0.01, leave: 0.25 } })
      for (let i = 0; i < 400; i++) port.send(range(100, i * 100).map((tag) => frame(tag)), 0)
      const seen = new Set(tags(sent))
      const lost = range(40_000).filter((tag) => !seen.has(tag))
      const bursts = lost.filter((tag, at) => at === 0 || lost[at - 1] !== tag - 1).length
      const share = lost.length / 40_000
      const length = lost.length / bursts
      assert.isTrue(share > 0.03 && share < 0.047, `share ${share}, by the model 0.0385`)
      assert.isTrue(length > 3.5 && length < 4.5, `length ${length}, by the model 4`)
    }))

  it.effect("corruption: turns over one bit of a copy, with the checksum complete", () =>
    Effect.gen(function*() {
      const { port, sent } = yield* opened({ seed: 1, corruption: 1 }, { checksumOffload: true })
      const bytes = new Uint8Array(100).fill(7)
      bytes.set([0, 0], 50)
      const original = { ...Frame.plain(bytes), checksum: "partial" as const, checksumStart: 34, checksumOffset: 16 }
      const before = bytes.slice()
      port.send([original], 0)
      assert.deepStrictEqual(bytes, before)
      Checksum.complete(before, 34, 100, 50)
      const got = sent.received[0]!
      assert.strictEqual(got.checksum, "none")
      const bits = range(100).map((at) => (got.bytes[at]! ^ before[at]!).toString(2).replaceAll("0", "").length)
      assert.strictEqual(bits.reduce((sum, each) => sum + each, 0), 1)
    }))

  it.effect("duplication: brings frames twice, one behind the other", () =>
    Effect.gen(function*() {
      const { port, sent } = yield* opened({ seed: 1, duplication: 1 })
      port.send(frames(3), 0)
      assert.deepStrictEqual(tags(sent), [0, 0, 1, 1, 2, 2])
    }))

  it.effect("reordering: lets later frames overtake, by the clock", () =>
    Effect.gen(function*() {
      const { faults, port, sent } = yield* opened({ seed: 1, reordering: 1, reorderingDelay: "4 millis" })
      port.send([frame(0)], 0)
      yield* faults.set({})
      port.send([frame(1), frame(2)], 0)
      assert.deepStrictEqual(tags(sent), [1, 2])
      yield* TestClock.adjust("4 millis")
      assert.deepStrictEqual(tags(sent), [1, 2, 0])
    }))

  it.effect("delay: passes frames when their time has come, in order", () =>
    Effect.gen(function*() {
      const { farPort, port, received, sent } = yield* opened({ seed: 1, delay: "10 millis" })
      port.send(frames(2), 0)
      farPort.send(frames(3), 0)
      yield* TestClock.adjust("9 millis")
      assert.deepStrictEqual([tags(sent), tags(received)], [[], []])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([tags(sent), tags(received)], [[0, 1], [0, 1, 2]])
      assert.deepStrictEqual(received.batches, [3])
    }))

  it.effect("delay: taken away, frames pass at once, but not before those that are under way", () =>
    Effect.gen(function*() {
      const { faults, port, sent } = yield* opened({ seed: 1, delay: "10 millis" })
      port.send([frame(0)], 0)
      yield* faults.set({}, "send")
      port.send([frame(1)], 0)
      assert.deepStrictEqual(tags(sent), [])
      yield* TestClock.adjust("10 millis")
      port.send([frame(2), frame(3)], 0)
      assert.deepStrictEqual(tags(sent), [0, 1, 2, 3])
      assert.deepStrictEqual(sent.batches, [2, 2])
    }))

  it.effect("jitter: spreads arrivals over its span and keeps their order", () =>
    Effect.gen(function*() {
      const { port, sent } = yield* opened({ seed: 1, delay: "10 millis", jitter: "10 millis" })
      const arrivals: Array<number> = []
      for (let i = 0; i < 500; i++) {
        port.send([frame(i)], 0)
        yield* TestClock.adjust("20 millis")
        port.send([frame(1000 + i)], 0)
        yield* TestClock.adjust("15 millis")
        arrivals.push(sent.received.length - arrivals.length - i - 1)
        yield* TestClock.adjust("5 millis")
      }
      const early = arrivals.length - arrivals.filter((late) => late === 0).length
      assert.strictEqual(sent.received.length, 1000)
      assert.isTrue(early > 200 && early < 300, `half of them within half of the span: ${early}`)
    }))

  it.effect("jitter: lets nothing overtake in a burst", () =>
    Effect.gen(function*() {
      const { port, sent } = yield* opened({ seed: 1, jitter: "10 millis" })
      for (let i = 0; i < 100; i++) {
        port.send([frame(i)], 0)
        yield* TestClock.adjust("1 millis")
      }
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(tags(sent), range(100))
      assert.isAbove(sent.batches.length, 10)
    }))

  it.effect("rate and queue: spaces frames by the line and drops what does not fit", () =>
    Effect.gen(function*() {
      // 1000 octets at 8 Mbit/s take 1 ms; the queue holds four frames beside none on the line.
      const { faults, port, sent } = yield* opened({ seed: 1, rate: 8_000_000, queueBytes: 4000 })
      port.send(frames(10, 1000), 0)
      const seen: Array<number> = []
      for (let i = 0; i < 6; i++) {
        yield* TestClock.adjust("1 millis")
        seen.push(sent.received.length)
      }
      assert.deepStrictEqual(seen, [1, 2, 3, 4, 4, 4])
      assert.strictEqual(faults.statistics().send.queueFull, 6)
      port.send(frames(1, 1000), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(sent.received.length, 5)
    }))

  it.effect("partition: silences both directions until healed, and down says so", () =>
    Effect.gen(function*() {
      const { farPort, faults, port, received, sent } = yield* opened({ seed: 1 })
      const both = () => {
        port.send([frame(1)], 0)
        farPort.send([frame(2)], 0)
        return [sent.received.length, received.received.length]
      }
      yield* faults.partition
      assert.deepStrictEqual(both(), [0, 0])
      assert.deepStrictEqual(received.changes, [])
      yield* faults.heal
      assert.deepStrictEqual(both(), [1, 1])
      yield* faults.down
      assert.deepStrictEqual(both(), [1, 1])
      yield* faults.heal
      assert.deepStrictEqual(both(), [2, 2])
      assert.deepStrictEqual(received.changes, [{ _tag: "Down" }, { _tag: "Up" }])
      assert.strictEqual(faults.statistics().send.partitioned, 2)
      assert.strictEqual(port.counters()["faults"], 4)
    }))
})

describe("Faults on a link that is full", () => {
  it.effect("keeps what the link beneath does not take, in order, and takes no more until it is gone", () =>
    Effect.gen(function*() {
      const { faults, port, sent } = yield* opened({ seed: 1, duplication: 1 }, {
        latency: "10 millis",
        queueFrames: 8
      })
      assert.strictEqual(port.send(frames(10), 0), 10)
      assert.strictEqual(port.send(frames(1), 0), 0)
      assert.strictEqual(faults.statistics().send.pending, 12)
      const waiting = yield* Effect.forkChild(port.writable, { startImmediately: true })
      yield* TestClock.adjust("10 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("10 millis")
      assert.isDefined(waiting.pollUnsafe())
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual(tags(sent), range(10).flatMap((tag) => [tag, tag]))
      assertConserved(faults.statistics().send)
    }))

  it.effect("leaves the headroom that the link beneath may overwrite, also before its copies", () =>
    Effect.gen(function*() {
      const sent: Array<number> = []
      const [near] = MemoryLink.pair()
      const headroom = 12
      const port: Port = {
        ...idlePort,
        send: (all, from) => {
          for (const each of all.slice(from)) each.bytes.fill(0xaa, each.start - headroom, each.start)
          sent.push(...all.slice(from).map((each) => Frame.copy(each).includes(0xaa) ? -1 : Collector.tag(each)))
          return all.length - from
        }
      }
      const link: Link = { ...near, headroom, open: () => Effect.succeed(port) }
      const faults = Faults.make(link, { seed: 1, delay: "1 millis", duplication: 1 })
      const faulty = yield* faults.link.open(Collector.make())
      faulty.send(frames(50), 0)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(sent, range(50).flatMap((tag) => [tag, tag]))
    }))

  it.effect("bounds the memory of what is under way, and counts the rest", () =>
    Effect.gen(function*() {
      const { faults, port } = yield* opened({ seed: 1, delay: "1 second", bufferBytes: 1024 * 1024 })
      for (let i = 0; i < 20; i++) port.send(frames(100, 1500), 0)
      const { overflow, pending } = faults.statistics().send
      assert.isAtMost(pending * 1500, 1024 * 1024)
      assert.strictEqual(overflow + pending, 2000)
    }))

  it.effect("gives back all memory: a long run in little of it loses nothing but by its faults", () =>
    Effect.gen(function*() {
      const settings: Faults.Settings = { ...everything, rate: 1e9, queueBytes: 1e9 }
      const { farPort, faults, port } = yield* opened({ seed: 1, ...settings, bufferBytes: 512 * 1024 }, {
        bufferBytes: 512 * 1024
      })
      for (let i = 0; i < 500; i++) {
        port.send(frames(10, 1500), 0)
        farPort.send(frames(10, 1500), 0)
        yield* TestClock.adjust("2 millis")
      }
      const { receive, send } = faults.statistics()
      assert.deepStrictEqual([send.overflow, receive.overflow], [0, 0])
      assert.deepStrictEqual([send.offered, receive.offered], [5000, 5000])
      assert.isAbove(send.delivered, 4000)
    }))

  it.effect("counts what was under way when it closed", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair()
      const faults = Faults.make(near, { seed: 1, delay: "10 millis" })
      const sent = Collector.make()
      yield* far.open(sent)
      const scope = yield* Scope.make()
      const port = yield* Scope.provide(faults.link.open(Collector.make()), scope)
      port.send(frames(4), 0)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(tags(sent), [])
      assert.strictEqual(faults.statistics().send.closed, 4)
      assertConserved(faults.statistics().send)
    }))
})
