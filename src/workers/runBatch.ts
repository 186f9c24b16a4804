/**
 * The shell around the core, as one function: stamp, journal, step, and rollback with an answer when an event throws.
 *
 * `workers/Stack.ts` calls it under the permit and `testing/` calls it directly, so tests exercise the code that ships.
 */
import type { Event } from "../core/Event.ts"
import type { Output } from "../core/Output.ts"
import * as Reason from "../core/Reason.ts"
import { afterDefect, Step, step } from "../core/step.ts"
import type { Instant } from "../core/Time.ts"

export { Step }

const attempt = (self: Step, run: () => void): { readonly cause: unknown } | undefined => {
  const emitted = self.outputs.length
  try {
    run()
    self.journal.commit()
    return undefined
  } catch (cause) {
    self.journal.rollback()
    self.outputs.length = emitted
    return { cause }
  }
}

/**
 * Runs events in order at one time and returns what they emitted, in commit order. An event that throws leaves the state as it
 * was and delivers nothing of its own; the shell then answers for it, and the events after it go on.
 */
export const runBatch = (self: Step, at: Instant, events: ReadonlyArray<Event>): ReadonlyArray<Output> => {
  for (const event of events) {
    const emitted = self.outputs.length
    try {
      step(self, at, event)
      self.journal.commit()
    } catch (cause) {
      self.journal.rollback()
      self.outputs.length = emitted
      // The answer is a step of its own: should even that throw, the state still is the one before the event.
      const unanswered = attempt(self, () => afterDefect(self, at, event, cause))
      if (unanswered !== undefined && event._tag === "Request") {
        self.outputs.push({
          _tag: "Reply",
          ticket: event.ticket,
          reason: Reason.defect(cause),
          value: undefined,
          isPart: false
        })
      }
    }
  }
  return self.takeOutputs()
}
