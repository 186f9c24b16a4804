import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"

const millis = Effect.map(Clock.currentTimeMillis, Number)

describe("VirtualTime", () => {
  it.effect("lets an hour pass in no time, and tells the right time at every sleep", () =>
    Effect.gen(function*() {
      const seen = yield* VirtualTime.run(Effect.gen(function*() {
        const times: Array<number> = []
        yield* Effect.repeat(
          Effect.map(millis, (now) => times.push(now)),
          { schedule: Schedule.spaced("10 minutes"), times: 6 }
        )
        return times
      }))
      assert.deepStrictEqual(seen, [0, 1, 2, 3, 4, 5, 6].map((n) => n * 600_000))
    }))

  it.effect("wakes sleepers by their time, and those of one time in the order in which they lay down", () =>
    Effect.gen(function*() {
      const order = yield* VirtualTime.run(Effect.gen(function*() {
        const woken: Array<string> = []
        const sleeper = (name: string, span: Duration.Input) =>
          Effect.forkChild(Effect.andThen(Effect.sleep(span), Effect.sync(() => woken.push(name))))
        const all = yield* Effect.all([
          sleeper("c", "3 millis"),
          sleeper("a", "1 millis"),
          sleeper("b1", "2 millis"),
          sleeper("b2", "2 millis")
        ])
        yield* Fiber.joinAll(all)
        return woken
      }))
      assert.deepStrictEqual(order, ["a", "b1", "b2", "c"])
    }))

  it.effect("lets all that a wake leads to happen before the next wake, however many fibers that takes", () =>
    Effect.gen(function*() {
      const seen = yield* VirtualTime.run(Effect.gen(function*() {
        const hops = 500
        const queues = yield* Effect.all(Array.from({ length: hops }, () => Queue.unbounded<number>()))
        const arrived: Array<readonly [number, number]> = []
        for (let i = 0; i + 1 < hops; i++) {
          yield* Effect.forkChild(Effect.forever(
            Effect.flatMap(
              Queue.take(queues[i]!),
              (n) => Effect.andThen(Effect.yieldNow, Queue.offer(queues[i + 1]!, n))
            ),
            { disableYield: true }
          ))
        }
        for (const at of [1, 2, 3]) {
          yield* Effect.forkChild(Effect.andThen(Effect.sleep(at), Queue.offer(queues[0]!, at)))
        }
        for (let i = 0; i < 3; i++) {
          const n = yield* Queue.take(queues[hops - 1]!)
          arrived.push([n, yield* millis])
        }
        return arrived
      }))
      assert.deepStrictEqual(seen, [[1, 1], [2, 2], [3, 3]])
    }))

  it.effect("keeps sub-millisecond times", () =>
    Effect.gen(function*() {
      const nanos = yield* VirtualTime.run(
        Effect.gen(function*() {
          yield* Effect.sleep("150 micros")
          yield* Effect.sleep("1 nanos")
          return [yield* Clock.monotonicTimeNanos, yield* Clock.currentTimeNanos]
        }),
        { startAt: 1000 }
      )
      assert.deepStrictEqual(nanos, [150_001n, 1_000_150_001n])
    }))

  it.effect("fails with the fibers that wait, by name, when nothing can ever happen again", () =>
    Effect.gen(function*() {
      const takeKey = Effect.fn("takeKey")(function*(semaphore: Semaphore.Semaphore) {
        yield* semaphore.take(1)
      })
      const error = yield* Effect.flip(VirtualTime.run(Effect.gen(function*() {
        const [left, right] = yield* Effect.all([Semaphore.make(1), Semaphore.make(1)])
        const philosopher = (first: Semaphore.Semaphore, second: Semaphore.Semaphore) =>
          Effect.gen(function*() {
            yield* takeKey(first)
            yield* Effect.sleep("10 seconds")
            yield* takeKey(second)
          })
        yield* Effect.forkChild(Effect.withSpan(philosopher(left, right), "plato"))
        yield* Effect.forkChild(Effect.withSpan(philosopher(right, left), "kant"))
        return yield* Effect.withSpan(Effect.never, "table")
      })))
      assert.isTrue(error instanceof VirtualTime.Deadlock)
      assert.strictEqual(Duration.toSeconds((error as VirtualTime.Deadlock).after), 10)
      assert.match(
        error.message,
        /^after 10s everything waits and nothing sleeps: #\d+ in table; #\d+ in takeKey < plato; #\d+ in takeKey < kant\. If .* "turns": 20$/
      )
    }))

  it.effect("ends a program that is in a deadlock, so that what it holds is released", () =>
    Effect.gen(function*() {
      const released: Array<string> = []
      const hold = (name: string) =>
        Effect.acquireRelease(Effect.void, () =>
          Effect.andThen(Effect.sleep("1 second"), Effect.sync(() => released.push(name))))
      const error = yield* Effect.flip(VirtualTime.run(Effect.gen(function*() {
        yield* hold("a")
        yield* hold("b")
        return yield* Effect.never
      })))
      assert.strictEqual(error._tag, "Deadlock")
      assert.deepStrictEqual(released, ["b", "a"])
    }))

  it.effect("does not count sleepers that were interrupted: they neither move the time nor hide a deadlock", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(VirtualTime.run(Effect.gen(function*() {
        for (let i = 0; i < 5000; i++) {
          const fiber = yield* Effect.forkChild(Effect.sleep("1 hour"), { startImmediately: true })
          yield* Fiber.interrupt(fiber)
        }
        yield* Effect.sleep("2 seconds")
        return yield* Deferred.await(Deferred.makeUnsafe<void>())
      })))
      assert.match(error.message, /^after 2s everything waits/)
    }))

  it.effect("lets no time pass while finalizers of a program that it ends are busy", () =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const busy = Effect.gen(function*() {
        yield* Effect.forkDetach(Effect.sleep("1 hour"), { startImmediately: true })
        for (let i = 0; i < 50_000; i++) yield* Effect.yieldNow
        times.push(yield* Clock.currentTimeMillis)
        yield* Effect.sleep("2 hours")
        times.push(yield* Clock.currentTimeMillis)
      })
      yield* Effect.flip(VirtualTime.run(Effect.ensuring(Effect.never, busy)))
      assert.deepStrictEqual(times, [0, 2 * 3600 * 1000])
    }))

  it.effect("names twenty fibers of many, and lists all", () =>
    Effect.gen(function*() {
      const waiter = Effect.withSpan(Effect.never, "waiter")
      const waiters = Array.from({ length: 500 }, () => waiter)
      const error = yield* Effect.flip(
        VirtualTime.run(Effect.all(waiters, { concurrency: "unbounded", discard: true }))
      )
      if (error._tag !== "Deadlock") throw error
      assert.strictEqual(error.waiting.length, 501)
      assert.match(error.message, /in the program; (#\d+ in waiter; ){19}and 481 more\./)
    }))

  it.effect("fails when fibers keep each other busy and no time passes", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        VirtualTime.run(Effect.withSpan(Effect.forever(Effect.yieldNow), "spin"), { mostAtOnce: 1000 })
      )
      assert.strictEqual(error._tag, "Livelock")
      assert.match(error.message, /#\d+ in spin/)
    }))

  it.effect("fails when somebody sleeps again and again, and names who waits", () =>
    Effect.gen(function*() {
      const heartbeat = Effect.forever(Effect.delay(Effect.void, "1 minute"))
      const error = yield* Effect.flip(VirtualTime.run(
        Effect.gen(function*() {
          yield* Effect.forkScoped(Effect.withSpan(heartbeat, "heart"))
          return yield* Effect.withSpan(Effect.never, "the end")
        }),
        { limit: "1 day" }
      ))
      assert.strictEqual(error._tag, "Overtime")
      assert.strictEqual(Duration.toHours(error.after), 24)
      assert.match(
        error.message,
        /^after 1d the program goes on.*in heart.*in the end|^after 1d the program goes on.*in the end.*in heart/
      )
    }))

  it.effect("fails when a fiber works for ever without waiting", () =>
    Effect.gen(function*() {
      const loop = Effect.withSpan(Effect.forever(Effect.void), "loop")
      const error = yield* Effect.flip(VirtualTime.run(loop, { mostAtOnce: 1000 }))
      assert.strictEqual(error._tag, "Livelock")
      assert.match(error.message, /#\d+ in loop/)
    }))

  it.live("gives the caller's runtime its turn meanwhile", () =>
    Effect.gen(function*() {
      for (const step of [Effect.void, Effect.yieldNow, Effect.sleep("1 second")]) {
        const endless = VirtualTime.run(Effect.forever(step), { mostAtOnce: Infinity, limit: Infinity })
        const running = yield* Effect.forkChild(endless)
        yield* Effect.sleep(1)
        yield* Fiber.interrupt(running)
      }
    }))

  it.effect("gives the program's own success, failure, defect and interruption", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* VirtualTime.run(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(VirtualTime.run(Effect.fail("no"))), "no")
      const defect = yield* Effect.exit(VirtualTime.run(Effect.andThen(Effect.sleep(5), Effect.die("oh"))))
      assert.deepStrictEqual(defect, yield* Effect.exit(Effect.die("oh")))
      const interrupted = yield* Effect.exit(VirtualTime.run(Effect.andThen(Effect.sleep(5), Effect.interrupt)))
      assert.strictEqual(interrupted._tag, "Failure")
    }))

  it.effect("closes the program's scope in virtual time", () =>
    Effect.gen(function*() {
      const closed = yield* VirtualTime.run(Effect.gen(function*() {
        const times: Array<number> = []
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Effect.forkScoped(Effect.onInterrupt(Effect.never, () => Effect.map(millis, (now) => times.push(now))))
          yield* Effect.addFinalizer(() => Effect.sleep("5 seconds"))
          yield* Effect.sleep("1 second")
        }))
        return times
      }))
      assert.deepStrictEqual(closed, [6000])
    }))

  it.effect("draws the same from Random for the same seed", () =>
    Effect.gen(function*() {
      const draw = (seed: number) => VirtualTime.run(Effect.all([Random.next, Random.nextInt, Random.next]), { seed })
      assert.deepStrictEqual(yield* draw(7), yield* draw(7))
      assert.notDeepEqual(yield* draw(7), yield* draw(8))
    }))

  it.effect("lets promises take part when it is told to wait for the event loop", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* Effect.sleep("1 minute")
        const text = yield* Effect.promise(async () => {
          await Promise.resolve()
          await new Promise((resolve) => setImmediate(resolve))
          return "from outside"
        })
        yield* Effect.sleep("1 minute")
        return [text, yield* millis] as const
      })
      assert.strictEqual((yield* Effect.flip(VirtualTime.run(program)))._tag, "Deadlock")
      assert.deepStrictEqual(yield* VirtualTime.run(program, { turns: 3 }), ["from outside", 120_000])
    }))

  it.live("can be interrupted from outside, and lets go then", () =>
    Effect.gen(function*() {
      let released = 0
      const endless = Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.sync(() => released++))
        return yield* Effect.forever(Effect.sleep("1 second"))
      })
      const fiber = yield* Effect.forkChild(VirtualTime.run(Effect.scoped(endless), { turns: 1 }))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(released, 1)
    }))
})
