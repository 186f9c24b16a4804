/**
 * Things that are due later, delivered in order of their due time by one fiber that sleeps on the `Clock`.
 *
 * So virtual time works: under a test clock nothing is delivered until the clock is moved, and what is delivered descends
 * from that sleep. Things due at the same time come out in the order they went in. The heap is a binary one in an array;
 * its root is the earliest.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
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

interface Entry<A> {
  readonly due: Nanos
  readonly order: number
  readonly item: A
}

const before = <A>(a: Entry<A>, b: Entry<A>): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)

const push = <A>(heap: Array<Entry<A>>, entry: Entry<A>): void => {
  let at = heap.length
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(entry, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = entry
}

const pop = <A>(heap: Array<Entry<A>>): Entry<A> => {
  const root = heap[0]!
  const moved = heap.pop()!
  if (heap.length === 0) return root
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1
    if (!before(heap[child]!, moved)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = moved
  return root
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
    const heap: Array<Entry<A>> = []
    const earlier = Signal.make()
    let order = 0
    let wakesAt = Infinity
    const now = (): Nanos => Number(clock.monotonicTimeNanosUnsafe())

    const deliverDue = () => {
      const limit = now() + toleranceNanos
      const due: Array<A> = []
      while (heap.length > 0 && heap[0]!.due <= limit) due.push(pop(heap).item)
      if (due.length > 0) handlers.deliver(due)
    }
    // The deadline is read when the fiber goes to sleep; an earlier one that arrives meanwhile interrupts the sleep.
    const sleepUntilNext = Effect.suspend(() => {
      wakesAt = heap.length === 0 ? Infinity : heap[0]!.due
      if (wakesAt === Infinity) return earlier.wait
      const span = wakesAt - now()
      if (span <= toleranceNanos) return Effect.void
      return Effect.raceFirst(Effect.sleep(Duration.millis(span / 1e6)), earlier.wait)
    })
    const run = Effect.forever(Effect.flatMap(sleepUntilNext, () => Effect.sync(deliverDue)), { disableYield: true })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        const rest = heap.map((entry) => entry.item)
        heap.length = 0
        if (rest.length > 0) handlers.discard(rest)
      })
    )
    yield* Effect.forkScoped(named("wire", run), { startImmediately: true })
    return {
      now,
      size: () => heap.length,
      put: (due, item) => {
        push(heap, { due, order: order++, item })
        if (due >= wakesAt) return
        wakesAt = due
        earlier.notify()
      }
    }
  })
