/**
 * Wakes the worker of a queue, at once and inside the call that rings.
 *
 * ```
 *   offer, offer … ──▶ queue          worker:  queue empty? wait for the bell ─▶ take a batch ─▶ run it ─▶ …
 *   flush ──▶ bell ──▶ the worker goes on
 * ```
 *
 * A queue can wake its taker itself. But each offer to a queue that is waited at schedules a task on the event loop besides,
 * and the taker builds its wait anew each time: for single events that was a tenth of what an event costs. Who waits here first finds
 * the queue filled, and waits at it only if somebody took what was there.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

export interface Bell {
  /** Done at the next ring. One waits at a time. */
  readonly rung: Effect.Effect<void>
  /** Lets go on who waits. */
  readonly ring: () => void
}

export const make = (): Bell => {
  let resume: ((exit: Exit.Exit<void>) => void) | undefined
  return {
    rung: Effect.callback<void>((wake) => {
      resume = wake
    }),
    ring: () => {
      const wake = resume
      if (wake === undefined) return
      resume = undefined
      wake(Exit.void)
    }
  }
}
