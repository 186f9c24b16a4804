/**
 * An immutable queue whose pushes and shifts cost constant time on average: what records keep lists of waiting things in.
 *
 *     items  [ a | b | c | d | e ]          the array is shared by versions and only ever appended to;
 *                  ^from       ^to          each version sees its own part of it
 *
 * A push onto a version that is not the newest copies, so that every version stays as it was: a rollback, or a test that branches,
 * finds what it left.
 */
export interface Fifo<A> {
  readonly items: ReadonlyArray<A>
  readonly from: number
  readonly to: number
}

/** Shifted-out items kept alive at most, beside as many as are still in the queue. */
const slack = 16

const none: Fifo<never> = Object.freeze({ items: Object.freeze([]), from: 0, to: 0 })

export const empty = <A>(): Fifo<A> => none

export const size = <A>(self: Fifo<A>): number => self.to - self.from

export const isEmpty = <A>(self: Fifo<A>): boolean => self.to === self.from

/** The item that came in `index` places after the oldest one. */
export const get = <A>(self: Fifo<A>, index: number): A | undefined =>
  index >= 0 && index < self.to - self.from ? self.items[self.from + index] : undefined

/** The oldest item. */
export const head = <A>(self: Fifo<A>): A | undefined => get(self, 0)

export const push = <A>(self: Fifo<A>, item: A): Fifo<A> => {
  if (self.to === self.from) return { items: [item], from: 0, to: 1 }
  // Only the newest version ends where the array ends; any other may not write over what a newer one has appended.
  const items = self.items.length === self.to ? self.items as Array<A> : self.items.slice(self.from, self.to)
  const from = items === self.items ? self.from : 0
  items.push(item)
  return { items, from, to: items.length }
}

/** Without the oldest item. */
export const shift = <A>(self: Fifo<A>): Fifo<A> => drop(self, 1)

/** Without the `count` oldest items. */
export const drop = <A>(self: Fifo<A>, count: number): Fifo<A> => {
  const from = Math.min(self.to, self.from + count)
  if (from === self.to) return empty()
  if (from >= slack && from >= self.to - from) {
    const items = self.items.slice(from, self.to)
    return { items, from: 0, to: items.length }
  }
  return { items: self.items, from, to: self.to }
}

/** With one more in front; costs a copy, for what is given back. */
export const unshift = <A>(self: Fifo<A>, given: ReadonlyArray<A>): Fifo<A> => fromArray([...given, ...toArray(self)])

/** Without the items that `isGone` names; costs a copy if there are any. */
export const filter = <A>(self: Fifo<A>, isKept: (item: A) => boolean): Fifo<A> => {
  const kept = toArray(self).filter(isKept)
  return kept.length === size(self) ? self : fromArray(kept)
}

export const fromArray = <A>(items: ReadonlyArray<A>): Fifo<A> =>
  items.length === 0 ? empty() : { items: items.slice(), from: 0, to: items.length }

/** The items, oldest first. */
export const toArray = <A>(self: Fifo<A>): Array<A> => self.items.slice(self.from, self.to)
