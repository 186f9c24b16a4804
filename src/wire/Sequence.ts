/**
 * Arithmetic on TCP sequence numbers (RFC 9293 §3.4): int32 values on a ring of 2^32.
 *
 *            before b                      after b
 *     ───────────────────────▶ b ───────────────────────▶
 *      the 2^31 numbers below      the 2^31 - 1 above
 *
 * There is no order on the whole ring, so nothing here may be sorted or compared with `<`; these compare numbers that lie
 * less than half the ring apart, as all within a window do (RFC 7323 §2.3 keeps windows below 2^30).
 */

/** A sequence number as int32; `>>> 0` is how people read it. */
export type Sequence = number

/** `a + count` on the ring. */
export const add = (a: Sequence, count: number): Sequence => (a + count) | 0

/** How far `to` lies behind `from`, negative if it lies before it. */
export const distance = (from: Sequence, to: Sequence): number => (to - from) | 0

/** `a < b` */
export const before = (a: Sequence, b: Sequence): boolean => ((a - b) | 0) < 0

/** `a > b` */
export const after = (a: Sequence, b: Sequence): boolean => ((b - a) | 0) < 0

/** `a <= b` */
export const beforeOrEqual = (a: Sequence, b: Sequence): boolean => ((b - a) | 0) >= 0

/** `a >= b` */
export const afterOrEqual = (a: Sequence, b: Sequence): boolean => ((a - b) | 0) >= 0

/** `low <= a < high`, going up from `low`; an empty range when they are equal. */
export const between = (low: Sequence, a: Sequence, high: Sequence): boolean => ((a - low) >>> 0) < ((high - low) >>> 0)

/** The earlier of two. */
export const earlier = (a: Sequence, b: Sequence): Sequence => before(a, b) ? a : b

/** The later of two. */
export const later = (a: Sequence, b: Sequence): Sequence => before(a, b) ? b : a
