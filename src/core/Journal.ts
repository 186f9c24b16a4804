/**
 * Tables that remember: what one event changes is written through a journal, so that a throw can put everything back.
 *
 * Records are immutable; a table maps keys to records and a cell holds one. Only {@link Journal} writes either. No policy may
 * rest on the order in which a table iterates, since a rollback may change it.
 */

/** A journaled native Map. Protocol code reads it and writes through the step's context. */
export class Table<K, V> {
  readonly name: string
  /** Written by the journal alone. */
  readonly map: Map<K, V> = new Map()

  constructor(name: string) {
    this.name = name
  }

  get size(): number {
    return this.map.size
  }

  get(key: K): V | undefined {
    return this.map.get(key)
  }

  has(key: K): boolean {
    return this.map.has(key)
  }

  values(): IterableIterator<V> {
    return this.map.values()
  }

  entries(): IterableIterator<[K, V]> {
    return this.map.entries()
  }
}

/** A journaled single value. */
export class Cell<T> {
  readonly name: string
  /** Written by the journal alone. */
  value: T

  constructor(name: string, value: T) {
    this.name = name
    this.value = value
  }
}

/** Journaled sums, addressed by small integers: counters and gauges. */
export class Tally {
  readonly name: string
  /** Written by the journal alone. */
  readonly values: Float64Array

  constructor(name: string, length: number) {
    this.name = name
    this.values = new Float64Array(length)
  }

  get(index: number): number {
    return this.values[index]!
  }
}

const absent = Symbol("absent")

/** Entries that the log of an ordinary event needs at most; a longer one is cut back to this when it is done. */
const kept = 1024

/** The undo log of one event: one entry per write, replayed backwards by {@link Journal.rollback}. */
export class Journal {
  // The arrays keep their length from event to event, since growing them anew would cost more than the writes themselves.
  private readonly targets: Array<Table<any, any> | Cell<any> | Tally | undefined> = []
  private readonly keys: Array<unknown> = []
  private readonly olds: Array<unknown> = []
  private count = 0
  /** Called before each write with its number in the event; the law tests throw from here. */
  trap: ((write: number) => void) | undefined = undefined

  /** Writes since the last commit. */
  get length(): number {
    return this.count
  }

  private log(target: Table<any, any> | Cell<any> | Tally, key: unknown, old: unknown): void {
    if (this.trap !== undefined) this.trap(this.count)
    const at = this.count++
    this.targets[at] = target
    this.keys[at] = key
    this.olds[at] = old
  }

  put<K, V>(table: Table<K, V>, key: K, value: V): void {
    const old = table.map.get(key)
    this.log(table, key, old === undefined && !table.map.has(key) ? absent : old)
    table.map.set(key, value)
  }

  remove<K, V>(table: Table<K, V>, key: K): void {
    const old = table.map.get(key)
    if (old === undefined && !table.map.has(key)) return
    this.log(table, key, old)
    table.map.delete(key)
  }

  set<T>(cell: Cell<T>, value: T): void {
    this.log(cell, undefined, cell.value)
    cell.value = value
  }

  add(tally: Tally, index: number, by: number): void {
    this.log(tally, index, by)
    tally.values[index] = tally.values[index]! + by
  }

  /** Makes the event's writes final. */
  commit(): void {
    // Nothing that is gone from the tables may live on in here.
    for (let i = 0; i < this.count; i++) {
      this.keys[i] = undefined
      this.olds[i] = undefined
    }
    this.count = 0
    if (this.targets.length > kept) this.targets.length = this.keys.length = this.olds.length = kept
  }

  /** Takes the event's writes back, the last one first. */
  rollback(): void {
    for (let i = this.count - 1; i >= 0; i--) {
      const target = this.targets[i]!
      const old = this.olds[i]
      if (target instanceof Table) {
        if (old === absent) target.map.delete(this.keys[i])
        else target.map.set(this.keys[i], old)
      } else if (target instanceof Cell) {
        target.value = old
      } else {
        const index = this.keys[i] as number
        target.values[index] = target.values[index]! - (old as number)
      }
    }
    this.commit()
  }
}
