/**
 * The timer worker: one heap of alarms, one sleep on the `Clock`, and a queue that tells when the sleep is over or has become
 * too long.
 *
 * Setting an alarm behind the earliest one, which is nearly every alarm there is, costs an entry in the heap; the worker hears
 * of it only when it has to get up earlier. The sleep is a fiber of its own that outlives what it was begun for: a sleep that
 * ends early is cheaper than one that is broken off.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type { SetTimer } from "../core/Output.ts"
import * as Time from "../core/Time.ts"
import * as Alarms from "./Alarms.ts"
import type { Core } from "./Core.ts"

/** Alarms of one batch, so that no other worker waits for long. */
const batchSize = 64

export interface Timers {
  /** Sets an alarm; under the permit. */
  readonly set: (output: SetTimer) => void
  /** Has the worker get up earlier if it must. */
  readonly flush: () => void
  /** Takes alarms that ring to the core. */
  readonly worker: (core: Core) => Effect.Effect<never>
  /** Forgets all alarms. */
  readonly close: Effect.Effect<void>
  /** Alarms that are set. */
  readonly size: () => number
}

export const make = (clock: Clock.Clock): Effect.Effect<Timers> =>
  Effect.map(Queue.sliding<void>(1), (rings) => {
    const alarms = Alarms.make()
    /**
     * The core's clock shows whole microseconds, so a part of one would be slept for in vain. A clock that counts milliseconds may wake too
     * early: then there is nothing due, and the next round sleeps for the rest.
     */
    const sleep = (span: Time.Span): Effect.Effect<void> =>
      Effect.andThen(clock.sleep(Duration.millis(Math.ceil(span) / 1000)), Effect.sync(wake))
    let sleeping: { readonly until: Time.Instant; readonly fiber: Fiber.Fiber<void> } | undefined
    const ring = (): void => {
      Queue.offerUnsafe(rings, undefined)
    }
    /** The worker goes on inside this call. */
    const wake = (): void => {
      sleeping = undefined
      ring()
      Queue.flushUnsafe(rings)
    }
    /** Has a sleep end at `next` or before. */
    const sleepUntil = (next: Time.Instant, now: Time.Instant): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (sleeping !== undefined && sleeping.until <= next) return Effect.void
        sleeping?.fiber.interruptUnsafe()
        const begun = Effect.forkChild(sleep(Time.between(now, next)), { startImmediately: true })
        return Effect.map(begun, (fiber) => {
          sleeping = { until: next, fiber }
        })
      })
    const worker = (core: Core): Effect.Effect<never> =>
      Effect.gen(function*() {
        while (true) {
          const next = alarms.earliest()
          const now = core.now()
          if (next <= now) yield* Effect.uninterruptible(core.run(alarms.takeDue(now, batchSize)))
          else {
            if (next !== Time.never) yield* sleepUntil(next, now)
            yield* Queue.take(rings)
          }
        }
      })
    return {
      worker,
      set: ({ at, timer }) => {
        if (alarms.add(timer, at)) ring()
      },
      flush: () => Queue.flushUnsafe(rings),
      close: Effect.suspend(() => {
        alarms.clear()
        return Effect.asVoid(Queue.shutdown(rings))
      }),
      size: alarms.size
    }
  })
