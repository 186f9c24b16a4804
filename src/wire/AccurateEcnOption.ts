/**
 * The TCP option of accurate ECN (RFC 9768 §3.2.3): byte counters of 24 bits, in either order. A short option leaves out the last ones, and the shortest all.
 *
 *     +-----+--------+---------+----+---------+
 *     | 172 | length | ECT(0)  | CE | ECT(1)  |
 *     | 174 | length | ECT(1)  | CE | ECT(0)  |
 *     +-----+--------+---------+----+---------+
 */
import * as Word from "./Word.ts"

export interface AccurateEcn {
  /** Order of the counters: 0 is ECT(0), CE, ECT(1), 1 the reverse. */
  readonly order: 0 | 1
  readonly ect0Bytes: number | undefined
  readonly ceBytes: number | undefined
  readonly ect1Bytes: number | undefined
}

/** The option-kind octets, by order. */
export const kinds = [172, 174] as const

/** Other lengths are ignored (RFC 9768 §3.2.3). */
const isLength = (length: number): boolean => length <= 11 && length % 3 === 2

/** Reads the option of `length` octets at `start`; `undefined` for a length that no option has. */
export const parse = (bytes: Uint8Array, start: number, length: number): AccurateEcn | undefined => {
  if (!isLength(length)) return undefined
  const first = length >= 5 ? Word.read24(bytes, start + 2) : undefined
  const ceBytes = length >= 8 ? Word.read24(bytes, start + 5) : undefined
  const last = length >= 11 ? Word.read24(bytes, start + 8) : undefined
  return bytes[start] === kinds[0]
    ? { order: 0, ect0Bytes: first, ceBytes, ect1Bytes: last }
    : { order: 1, ect0Bytes: last, ceBytes, ect1Bytes: first }
}

const counters = (self: AccurateEcn): ReadonlyArray<number | undefined> =>
  self.order === 0 ? [self.ect0Bytes, self.ceBytes, self.ect1Bytes] : [self.ect1Bytes, self.ceBytes, self.ect0Bytes]

/** In octets, without padding: of the counters before the first that is absent. */
export const size = (self: AccurateEcn): number => {
  const absent = counters(self).indexOf(undefined)
  return 2 + 3 * (absent < 0 ? 3 : absent)
}

/** Writes the option; answers where it ends. */
export const emit = (self: AccurateEcn, bytes: Uint8Array, at: number): number => {
  const end = at + size(self)
  bytes[at] = kinds[self.order]
  bytes[at + 1] = end - at
  let value = at + 2
  for (const counter of counters(self)) {
    if (value === end) break
    Word.write24(counter!, bytes, value)
    value += 3
  }
  return end
}
