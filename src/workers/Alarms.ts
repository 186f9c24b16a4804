/**
 * The alarms that the core has asked for, the earliest first.
 *
 * The heap is lazy: an alarm is never taken back or moved. A record that has changed its mind ignores the alarm when it rings
 * (`core/Timer.ts`), and only asks for another when none that is outstanding rings early enough. Alarms for the same instant
 * ring in the order in which they were set, so that a run can be repeated.
 *
 * ```
 *            root: earliest          a binary heap in one array:
 *            /          \            the children of i are 2i+1 and 2i+2
 *         later        later
 * ```
 */
import type { Event } from "../core/Event.ts"
import * as Time from "../core/Time.ts"
import type { TimerId } from "../core/Timer.ts"

export type TimerEvent = Extract<Event, { readonly _tag: "Timer" }>

interface Alarm {
  readonly due: Time.Instant
  readonly order: number
  readonly timer: TimerId
}

const before = (a: Alarm, b: Alarm): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)

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

const push = (heap: Array<Alarm>, alarm: Alarm): void => {
  let at = heap.length
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(alarm, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = alarm
}

const pop = (heap: Array<Alarm>): Alarm => {
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

export const make = (): Alarms => {
  const heap: Array<Alarm> = []
  let order = 0
  const earliest = (): Time.Instant => heap.length === 0 ? Time.never : heap[0]!.due
  return {
    earliest,
    add: (timer, due) => {
      const isFirst = due < earliest()
      push(heap, { due, order: order++, timer })
      return isFirst
    },
    takeDue: (now, limit) => {
      const due: Array<TimerEvent> = []
      while (due.length < limit && heap.length > 0 && heap[0]!.due <= now) {
        const alarm = pop(heap)
        due.push({ _tag: "Timer", timer: alarm.timer, due: alarm.due })
      }
      return due
    },
    size: () => heap.length,
    clear: () => {
      heap.length = 0
    }
  }
}
