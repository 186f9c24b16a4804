/**
 * An index from a keyed hash to the ids of the records that have it: how a record is found by an address without making a string.
 *
 * The hash has 31 bits under a key that nobody outside knows (`core/Demux.ts`), so a bucket nearly always holds one id; who looks
 * up verifies the record itself.
 */
import { Table } from "../Journal.ts"

export type HashIndex = Table<number, ReadonlyArray<number>>

/** The part of the step's context that writes need. */
export interface Writer {
  readonly put: <K, V>(table: Table<K, V>, key: K, value: V) => void
  readonly remove: <K, V>(table: Table<K, V>, key: K) => void
}

const none: ReadonlyArray<number> = Object.freeze([])

export const make = (name: string): HashIndex => new Table(name)

/** The ids under a hash, oldest first. */
export const get = (self: HashIndex, hash: number): ReadonlyArray<number> => self.get(hash) ?? none

export const add = (ctx: Writer, self: HashIndex, hash: number, id: number): void => {
  const ids = self.get(hash)
  ctx.put(self, hash, ids === undefined ? [id] : [...ids, id])
}

export const remove = (ctx: Writer, self: HashIndex, hash: number, id: number): void => {
  const ids = self.get(hash)
  if (ids === undefined) return
  const left = ids.filter((other) => other !== id)
  if (left.length === 0) ctx.remove(self, hash)
  else if (left.length < ids.length) ctx.put(self, hash, left)
}
