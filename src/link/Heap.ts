/**
 * Things in the order of their times; those of one time in the order in which they were put in.
 *
 * Alarms of the core, frames under way and events of a simulation all wait in one of these. A binary heap in one array: the children of `i` are `2i + 1` and `2i + 2`, and no child is before its parent.
 */

interface Entry<A> {
  readonly at: number
  readonly order: number
  readonly item: A
}

const before = <A>(a: Entry<A>, b: Entry<A>): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

export class Heap<A> {
  private readonly entries: Array<Entry<A>> = []
  private order = 0

  get size(): number {
    return this.entries.length
  }

  /** The time of the first item; `Infinity` when there is none. */
  get earliest(): number {
    return this.entries.length === 0 ? Infinity : this.entries[0]!.at
  }

  /** The first item; `undefined` when there is none. */
  get first(): A | undefined {
    return this.entries[0]?.item
  }

  /** Everything, in no order. */
  get items(): ReadonlyArray<A> {
    return this.entries.map(({ item }) => item)
  }

  clear(): void {
    this.entries.length = 0
  }

  /** A heap of the items for which a test holds, in the same order. */
  filter(test: (item: A) => boolean): Heap<A> {
    const kept = new Heap<A>()
    for (const entry of this.entries) if (test(entry.item)) kept.insert(entry)
    kept.order = this.order
    return kept
  }

  put(at: number, item: A): void {
    this.insert({ at, order: this.order++, item })
  }

  private insert(entry: Entry<A>): void {
    const { entries } = this
    let index = entries.length
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(entry, entries[parent]!)) break
      entries[index] = entries[parent]!
      index = parent
    }
    entries[index] = entry
  }

  /** Takes the first item out; `undefined` when there is none. */
  take(): A | undefined {
    const { entries } = this
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return last?.item
    const first = entries[0]!
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= entries.length) break
      if (child + 1 < entries.length && before(entries[child + 1]!, entries[child]!)) child++
      if (!before(entries[child]!, last)) break
      entries[index] = entries[child]!
      index = child
    }
    entries[index] = last
    return first.item
  }
}
