import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Delay from "../../src/link/Delay.ts"
import * as Random from "../../src/link/Random.ts"

const millis = (count: number): Delay.Nanos => count * 1e6

/** A delay that writes down what it delivers and discards. */
const opened = Effect.gen(function*() {
  const log: Array<number> = []
  const discarded: Array<number> = []
  const delay = yield* Delay.make<number>({
    deliver: (items) => log.push(...items),
    discard: (items) => discarded.push(...items)
  })
  return { delay, log, discarded }
})

describe("Delay", () => {
  it.effect("delivers in order of due times, and what is due at once in order of arrival: as a stable sort would", () =>
    Effect.gen(function*() {
      for (let seed = 0; seed < 50; seed++) {
        const random = Random.make(seed, 0, 0)
        const { delay, log } = yield* Effect.scoped(Effect.gen(function*() {
          const each = yield* opened
          const start = each.delay.now()
          const items = Array.from({ length: 300 }, (_, item) => ({ item, due: start + millis(random.word() % 40) }))
          for (const { due, item } of items) each.delay.put(due, item)
          yield* TestClock.adjust("40 millis")
          assert.deepStrictEqual(each.log, items.toSorted((a, b) => a.due - b.due).map(({ item }) => item))
          return each
        }))
        assert.strictEqual(delay.size(), 0)
        assert.strictEqual(log.length, 300)
      }
    }))

  it.effect("delivers nothing before its time, however put and clock are mixed", () =>
    Effect.gen(function*() {
      const { delay, log } = yield* opened
      const random = Random.make(1, 0, 0)
      const dues: Array<number> = []
      for (let i = 0; i < 500; i++) {
        const due = delay.now() + millis(1 + random.word() % 30)
        dues.push(due)
        delay.put(due, i)
        yield* TestClock.adjust(random.word() % 4)
        const expected = dues.filter((each) => each <= delay.now()).length
        assert.strictEqual(log.length, expected)
        assert.strictEqual(delay.size(), dues.length - expected)
      }
    }))

  it.effect("wakes for something earlier than what it waits for", () =>
    Effect.gen(function*() {
      const { delay, log } = yield* opened
      delay.put(millis(50), 50)
      delay.put(millis(20), 20)
      delay.put(millis(30), 30)
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual(log, [20])
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(log, [20, 30])
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual(log, [20, 30, 50])
    }))

  it.effect("may be put into while it delivers", () =>
    Effect.gen(function*() {
      const log: Array<number> = []
      const delay: Delay.Delay<number> = yield* Delay.make<number>({
        deliver: (items) => {
          log.push(...items)
          for (const item of items) if (item < 100) delay.put(delay.now() + millis(1), item + 1)
        },
        discard: () => {}
      })
      delay.put(millis(1), 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, Array.from({ length: 100 }, (_, i) => i + 1))
    }))

  it.effect("hands back what is left when its scope closes", () =>
    Effect.gen(function*() {
      const { discarded, log } = yield* Effect.scoped(Effect.tap(opened, ({ delay }) =>
        Effect.sync(() => {
          for (const item of [3, 1, 2]) delay.put(millis(item), item)
        })))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(discarded.toSorted((a, b) => a - b), [1, 2, 3])
      assert.deepStrictEqual(log, [])
    }))
})
