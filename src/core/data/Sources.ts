/**
 * Sets of source addresses: ascending, distinct, immutable. Small, since a bound of the stack limits how many sources a group may have.
 */
import * as Address from "../../wire/Address.ts"

export type Sources = ReadonlyArray<Address.Address>

export const empty: Sources = Object.freeze([])

/** The set of the given addresses, in whatever order they come and however often. */
export const of = (addresses: Iterable<Address.Address>): Sources => {
  const sorted = Array.from(addresses).toSorted(Address.compare)
  return sorted.filter((address, i) => i === 0 || !Address.equals(address, sorted[i - 1]!))
}

/** The index of the address, or of the first that is greater. */
const search = (self: Sources, address: Address.Address): number => {
  let low = 0
  let high = self.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Address.compare(self[middle]!, address) < 0) low = middle + 1
    else high = middle
  }
  return low
}

export const has = (self: Sources, address: Address.Address): boolean => {
  const found = self[search(self, address)]
  return found !== undefined && Address.equals(found, address)
}

export const union = (a: Sources, b: Sources): Sources => a.length === 0 ? b : b.length === 0 ? a : of([...a, ...b])

export const intersection = (a: Sources, b: Sources): Sources => a.filter((address) => has(b, address))

/** What is in `a` and not in `b`. */
export const difference = (a: Sources, b: Sources): Sources => a.filter((address) => !has(b, address))

export const equals = (a: Sources, b: Sources): boolean =>
  a.length === b.length && a.every((address, i) => Address.equals(address, b[i]!))
