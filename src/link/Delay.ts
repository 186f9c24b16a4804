/**
 * Things that are due later, delivered in order of their due time by one fiber that sleeps on the `Clock`.
 *
 * So virtual time works: under a test clock nothing is delivered until the clock is moved, and what is delivered descends
 * from that sleep. Things due at the same time come out in the order they went in.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Heap } from "./Heap.ts"
import { named } from "./named.ts"
import * as Signal from "./Signal.ts"

/** Nanoseconds on the clock's monotonic scale. */
export type Nanos = number

export interface Delay<A> {
  readonly now: () => Nanos
  readonly put: (due: Nanos, item: A) => void
  /** Items that wait. */
  readonly size: () => number
}

/** A clock that counts milliseconds in a double wakes a little early; what is due within this span is due. */
const toleranceNanos = 1000

/** What to do with items: `deliver` when they are due, `discard` when the scope closes before. */
export interface Handlers<A> {
  readonly deliver: (items: ReadonlyArray<A>) => void
  readonly discard: (items: ReadonlyArray<A>) => void
}

export const make = <A>(handlers: Handlers<A>): Effect.Effect<Delay<A>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const heap: Heap<A> = new Heap()
    const earlier = Signal.make()
    let wakesAt = Infinity
    const now = (): Nanos => Number(clock.monotonicTimeNanosUnsafe())

    const deliverDue = () => {
      const limit = now() + toleranceNanos
      const due: Array<A> = []
      while (heap.size > 0 && heap.earliest <= limit) due.push(heap.take()!)
      if (due.length > 0) handlers.deliver(due)
    }
    // The deadline is read when the fiber goes to sleep; an earlier one that arrives meanwhile interrupts the sleep.
    const sleepUntilNext = Effect.suspend(() => {
      wakesAt = heap.earliest
      if (wakesAt === Infinity) return earlier.wait
      const span = wakesAt - now()
      if (span <= toleranceNanos) return Effect.void
      return Effect.raceFirst(Effect.sleep(Duration.millis(span / 1e6)), earlier.wait)
    })
    const run = Effect.forever(Effect.flatMap(sleepUntilNext, () => Effect.sync(deliverDue)), { disableYield: true })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        const rest = heap.items
        heap.clear()
        if (rest.length > 0) handlers.discard(rest)
      })
    )
    yield* Effect.forkScoped(named("wire", run), { startImmediately: true })
    return {
      now,
      size: () => heap.size,
      put: (due, item) => {
        heap.put(due, item)
        if (due >= wakesAt) return
        wakesAt = due
        earlier.notify()
      }
    }
  })
