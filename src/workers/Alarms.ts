/**
 * The alarms that the core has asked for, the earliest first.
 *
 * The heap is lazy: an alarm is never taken back or moved. A record that has changed its mind ignores the alarm when it rings
 * (`core/Timer.ts`), and only asks for another when none that is outstanding rings early enough. Alarms for the same instant
 * ring in the order in which they were set, so that a run can be repeated.
 */
import type { Event } from "../core/Event.ts"
import * as Time from "../core/Time.ts"
import type { TimerId } from "../core/Timer.ts"
import { Heap } from "../link/Heap.ts"

export type TimerEvent = Extract<Event, { readonly _tag: "Timer" }>

export interface Alarms {
  /** Sets an alarm; true if it rings before all others. */
  readonly add: (timer: TimerId, due: Time.Instant) => boolean
  /** When the next alarm rings; `never` if none is set. */
  readonly earliest: () => Time.Instant
  /** Takes what is due at `now` out, in order, at most `limit` of it. */
  readonly takeDue: (now: Time.Instant, limit: number) => Array<TimerEvent>
  readonly size: () => number
  readonly clear: () => void
}

export const make = (): Alarms => {
  const heap: Heap<TimerId> = new Heap()
  const earliest = (): Time.Instant => heap.size === 0 ? Time.never : Time.instantOf(heap.earliest)
  return {
    earliest,
    add: (timer, due) => {
      const isFirst = due < earliest()
      heap.put(due, timer)
      return isFirst
    },
    takeDue: (now, limit) => {
      const rung: Array<TimerEvent> = []
      while (rung.length < limit && heap.size > 0) {
        const due = earliest()
        if (due > now) break
        rung.push({ _tag: "Timer", timer: heap.take()!, due })
      }
      return rung
    },
    size: () => heap.size,
    clear: () => heap.clear()
  }
}
