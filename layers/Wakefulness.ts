/**
 * Keeps Node's loop from sleeping for a moment after work, since waking up may take longer than the work does.
 *
 * ```
 *   frame ── frame ────────────── in vain ─┐                frame                  frame
 *     └ gap ┘└──── awake, at most `span` ──┴─ asleep ──────── │ ── gap too long ──── │ stays asleep
 * ```
 *
 * It adapts: staying awake begins only when something came within `span` of what came before, so that traffic with pauses costs nothing.
 * Awake, the loop asks the kernel again and again without waiting, timers and fibers run as always, and a core is fully busy.
 */
export interface Wakefulness {
  /** Something has come. */
  readonly touch: () => void
  readonly stop: () => void
}

/** Nothing is ever waited for. */
export const none: Wakefulness = { touch: () => {}, stop: () => {} }

/** `now` and `soon` are the clock in milliseconds and what runs in the loop's next round. */
export interface Loop {
  readonly now: () => number
  readonly soon: (run: () => void) => void
}

const node: Loop = { now: () => performance.now(), soon: (run) => void setImmediate(run) }

/** Stays awake for `span` milliseconds after each of several things in a row. */
export const make = (span: number, { now, soon }: Loop = node): Wakefulness => {
  if (!(span > 0)) return none
  let lastAt = Number.NEGATIVE_INFINITY
  let isAwake = false
  let isStopped = false
  const turn = (): void => {
    isAwake = !isStopped && now() - lastAt < span
    if (isAwake) soon(turn)
  }
  return {
    touch: () => {
      const at = now()
      const wasNear = at - lastAt < span
      lastAt = at
      if (isAwake || isStopped || !wasNear) return
      isAwake = true
      soon(turn)
    },
    stop: () => {
      isStopped = true
    }
  }
}
