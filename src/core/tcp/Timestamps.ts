/**
 * The timestamps of a connection (RFC 7323): what we put into TSval, what we echo, and which segments are too old to be true.
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Options } from "../../wire/TcpOptions.ts"
import * as Time from "../Time.ts"

export interface Timestamps {
  /** Added to our clock, per connection, so that peers can't compare connections (RFC 7323 §5.4). */
  readonly offset: number
  /** TS.Recent: the value to echo. */
  readonly recent: number
  /** When TS.Recent was taken. */
  readonly recentAt: Time.Instant
  /** Last.ACK.sent: where the segment that the next echo is for begins. */
  readonly lastAck: Sequence.Sequence
}

/** Our timestamp clock ticks every millisecond (RFC 7323 §5.4: between 1 ms and 1 s). */
const tick = Time.millis(1)

/** The clock is outdated after 24 days (RFC 7323 §5.5): half of its cycle at one tick a millisecond. */
const outdated = Time.seconds(24 * 24 * 3600)

export const make = (offset: number): Timestamps => ({
  offset,
  recent: 0,
  recentAt: Time.never,
  lastAck: 0
})

/** TSval at an instant, as int32. */
export const value = (offset: number, at: Time.Instant): number => (offset + Math.floor(at / tick)) | 0

/** The time since the segment that `echo` came back for was sent; a tick's resolution. `undefined` for what we can't have sent. */
export const roundTrip = (self: Timestamps, echo: number, at: Time.Instant): Time.Span | undefined => {
  const ticks = Sequence.distance(echo, value(self.offset, at))
  return ticks < 0 ? undefined : Time.scale(tick, ticks)
}

/** The end of the tick in which the segment that `echo` came back for was sent; `undefined` for what we can't have sent. */
export const sentUntil = (self: Timestamps, echo: number, at: Time.Instant): Time.Instant | undefined => {
  const ticks = Sequence.distance(echo, value(self.offset, at))
  return ticks < 0 ? undefined : Time.instantOf((Math.floor(at / tick) - ticks + 1) * tick)
}

/**
 * Protection against wrapped sequence numbers (rfc: 7323 §5.3 R1): whether a segment's TSval is older than TS.Recent, and TS.Recent
 * young enough to say so.
 */
// rfc: 7323 §5.2 §5.3: compared as sequence numbers are.
export const isOld = (self: Timestamps, options: Options, at: Time.Instant): boolean =>
  options.timestampValue !== undefined && self.recentAt !== Time.never &&
  Sequence.before(options.timestampValue, self.recent) &&
  Time.between(self.recentAt, at) < outdated

/** A segment without the timestamp that both have agreed on; a RST has none as often as not (rfc: 7323 §3.2 SHOULD). */
export const isMissing = (agreed: boolean, options: Options, isReset: boolean): boolean =>
  agreed && options.timestampValue === undefined && !isReset

/**
 * Takes TSval for the next echoes (rfc: 7323 §4.3): from a segment that covers Last.ACK.sent, so that the echo times the whole delay of
 * an acknowledgement that waits, and never from an older one.
 */
export const update = (
  self: Timestamps,
  options: Options,
  seq: Sequence.Sequence,
  at: Time.Instant
): Timestamps => {
  const given = options.timestampValue
  if (given === undefined || Sequence.after(seq, self.lastAck)) return self
  if (self.recentAt !== Time.never && Sequence.before(given, self.recent)) {
    // RFC 7323 §5.5: after so long the old value says nothing any more.
    if (Time.between(self.recentAt, at) < outdated) return self
  }
  return { offset: self.offset, recent: given, recentAt: at, lastAck: self.lastAck }
}
