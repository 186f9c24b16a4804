/**
 * The extreme of what was measured lately: a minimum (or maximum) that forgets.
 *
 * Two halves of the window each keep their own extreme. When the newer half is full it becomes the older one, so a value
 * is forgotten after at least half a window and at most a whole one, in constant space. Positions are any
 * growing number: microseconds, or counts of round trips.
 *
 *     position  ──────┬───────────────┬──────────▶
 *                     │ older: extreme│ newer: extreme so far
 *                     └── half ───────┴── half ──
 */

export interface Windowed {
  /** The extreme of both halves: the value to use. */
  readonly value: number
  readonly older: number
  readonly newer: number
  /** Where the newer half began. */
  readonly since: number
}

/** Nothing measured yet, for a minimum: later than any value. */
export const emptyMinimum: Windowed = Object.freeze({
  value: Infinity,
  older: Infinity,
  newer: Infinity,
  since: -Infinity
})

/** Nothing measured yet, for a maximum of values that are not negative. */
export const emptyMaximum: Windowed = Object.freeze({ value: 0, older: 0, newer: 0, since: -Infinity })

type Pick = (a: number, b: number) => number

const add = (self: Windowed, value: number, at: number, length: number, pick: Pick, empty: number): Windowed => {
  const half = length / 2
  const elapsed = at - self.since
  if (elapsed < half) {
    const newer = pick(self.newer, value)
    return newer === self.newer ? self : { value: pick(self.older, newer), older: self.older, newer, since: self.since }
  }
  if (elapsed >= length) return { value, older: empty, newer: value, since: at }
  return { value: pick(self.newer, value), older: self.newer, newer: value, since: self.since + half }
}

/** Adds a value to a windowed minimum of the given window length. */
export const minimum = (self: Windowed, value: number, at: number, length: number): Windowed =>
  add(self, value, at, length, Math.min, Infinity)

/** Adds a value to a windowed maximum of the given window length. */
export const maximum = (self: Windowed, value: number, at: number, length: number): Windowed =>
  add(self, value, at, length, Math.max, 0)
