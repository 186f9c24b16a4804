/**
 * A wake-up that synchronous code gives and fibers wait for.
 *
 * Unlike a latch it has no state: `notify` resumes those who wait at that moment, inside the call. Who waits again while
 * being resumed waits for the next one.
 */
import * as Effect from "effect/Effect"

export interface Signal {
  readonly wait: Effect.Effect<void>
  readonly notify: () => void
}

export const make = (): Signal => {
  let waiting: Array<(effect: Effect.Effect<void>) => void> = []
  return {
    wait: Effect.callback<void>((resume) => {
      waiting.push(resume)
      return Effect.sync(() => {
        waiting = waiting.filter((other) => other !== resume)
      })
    }),
    notify: () => {
      const woken = waiting
      waiting = []
      for (const resume of woken) resume(Effect.void)
    }
  }
}
