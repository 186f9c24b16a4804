/**
 * Time inside the core: an `Instant` is a point on the stack's monotonic clock, a `Span` a length of time, both in
 * microseconds. The brands keep seconds, milliseconds and points in time apart; a bare number is never a time.
 */

declare const instant: unique symbol
declare const span: unique symbol

/** Microseconds since an arbitrary origin; never decreases within a run. */
export type Instant = number & { readonly [instant]: true }

/** A length of time in microseconds. */
export type Span = number & { readonly [span]: true }

export const instantOf = (microseconds: number): Instant => microseconds as Instant

/** Later than any instant: the deadline of a timer that is not set. */
export const never: Instant = Infinity as Instant

export const micros = (n: number): Span => n as Span
export const millis = (n: number): Span => (n * 1000) as Span
export const seconds = (n: number): Span => (n * 1_000_000) as Span
export const zero: Span = 0 as Span

export const plus = (at: Instant, by: Span): Instant => (at + by) as Instant
export const minus = (at: Instant, by: Span): Instant => (at - by) as Instant

/** The time from `earlier` to `later`; negative if they are the other way round. */
export const between = (earlier: Instant, later: Instant): Span => (later - earlier) as Span

export const earliest = (a: Instant, b: Instant): Instant => a < b ? a : b
export const latest = (a: Instant, b: Instant): Instant => a > b ? a : b

export const scale = (a: Span, factor: number): Span => (a * factor) as Span
export const add = (a: Span, b: Span): Span => (a + b) as Span
export const min = (a: Span, b: Span): Span => a < b ? a : b
export const max = (a: Span, b: Span): Span => a > b ? a : b
export const clamp = (a: Span, low: Span, high: Span): Span => a < low ? low : a > high ? high : a

/** Whole and fractional milliseconds, for display and for Effect's `Duration`. */
export const toMillis = (a: Span): number => a / 1000
