/**
 * A set of ranges of sequence space: sorted, disjoint, never touching, immutable.
 *
 *     ────[start, end)────[start, end)──────────[start, end)────▶
 *
 * All of them lie within half the ring of each other, so that sequence numbers order them (`wire/Sequence.ts`). Finding is a binary search; a change
 * copies the list, so whoever adds ranges that a peer chooses limits how many there are ({@link count}).
 */
import * as Sequence from "../../wire/Sequence.ts"

export interface Range {
  readonly start: Sequence.Sequence
  /** One past the last. */
  readonly end: Sequence.Sequence
}

export interface RangeSet {
  readonly ranges: ReadonlyArray<Range>
  /** Numbers in the set. */
  readonly total: number
}

export const empty: RangeSet = Object.freeze({ ranges: Object.freeze([]), total: 0 })

export const isEmpty = (self: RangeSet): boolean => self.ranges.length === 0

/** How many separate ranges there are. */
export const count = (self: RangeSet): number => self.ranges.length

export const first = (self: RangeSet): Range | undefined => self.ranges[0]

export const last = (self: RangeSet): Range | undefined => self.ranges[self.ranges.length - 1]

/** The index of the first range that ends behind `at`; the number of ranges if none does. */
const search = (self: RangeSet, at: Sequence.Sequence): number => {
  let low = 0
  let high = self.ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Sequence.after(self.ranges[middle]!.end, at)) high = middle
    else low = middle + 1
  }
  return low
}

const size = (range: Range): number => Sequence.distance(range.start, range.end)

/** The set with the ranges `from` (included) to `to` (excluded) replaced. */
const splice = (self: RangeSet, from: number, to: number, by: ReadonlyArray<Range>): RangeSet => {
  let total = self.total
  for (let i = from; i < to; i++) total -= size(self.ranges[i]!)
  for (const range of by) total += size(range)
  const ranges = [...self.ranges.slice(0, from), ...by, ...self.ranges.slice(to)]
  return ranges.length === 0 ? empty : { ranges, total }
}

/** The range that `at` lies in. */
export const containing = (self: RangeSet, at: Sequence.Sequence): Range | undefined => {
  const range = self.ranges[search(self, at)]
  return range !== undefined && !Sequence.after(range.start, at) ? range : undefined
}

export const has = (self: RangeSet, at: Sequence.Sequence): boolean => containing(self, at) !== undefined

/** Whether all of `[start, end)` is in the set. */
export const covers = (self: RangeSet, start: Sequence.Sequence, end: Sequence.Sequence): boolean => {
  const range = containing(self, start)
  return !Sequence.before(start, end) || (range !== undefined && !Sequence.after(end, range.end))
}

/** Where the first range behind `at` begins, or `stop` if that comes first. */
export const nextStart = (self: RangeSet, at: Sequence.Sequence, stop: Sequence.Sequence): Sequence.Sequence => {
  const found = search(self, at)
  const range = self.ranges[found]
  if (range === undefined) return stop
  if (Sequence.after(range.start, at)) return Sequence.earlier(range.start, stop)
  const following = self.ranges[found + 1]
  return following === undefined ? stop : Sequence.earlier(following.start, stop)
}

/** Adds `[start, end)`, joined with what it overlaps or touches; nothing if it is empty. */
export const add = (self: RangeSet, start: Sequence.Sequence, end: Sequence.Sequence): RangeSet => {
  if (!Sequence.before(start, end)) return self
  // A range that ends at `start` touches.
  const from = search(self, Sequence.add(start, -1))
  let to = from
  let low = start
  let high = end
  while (to < self.ranges.length && !Sequence.after(self.ranges[to]!.start, end)) {
    low = Sequence.earlier(low, self.ranges[to]!.start)
    high = Sequence.later(high, self.ranges[to]!.end)
    to += 1
  }
  if (to === from + 1) {
    const only = self.ranges[from]!
    if (only.start === low && only.end === high) return self
  }
  return splice(self, from, to, [{ start: low, end: high }])
}

/** Takes `[start, end)` out. */
export const remove = (self: RangeSet, start: Sequence.Sequence, end: Sequence.Sequence): RangeSet => {
  if (!Sequence.before(start, end)) return self
  const from = search(self, start)
  let to = from
  const left: Array<Range> = []
  while (to < self.ranges.length && Sequence.before(self.ranges[to]!.start, end)) {
    const range = self.ranges[to]!
    if (Sequence.before(range.start, start)) left.push({ start: range.start, end: start })
    if (Sequence.after(range.end, end)) left.push({ start: end, end: range.end })
    to += 1
  }
  return to === from ? self : splice(self, from, to, left)
}

/** Takes everything before `to` out. */
export const trim = (self: RangeSet, to: Sequence.Sequence): RangeSet => {
  const from = search(self, to)
  const range = self.ranges[from]
  if (range === undefined) return empty
  if (Sequence.before(range.start, to)) return splice(self, 0, from + 1, [{ start: to, end: range.end }])
  return from === 0 ? self : splice(self, 0, from, [])
}
