/**
 * How large the receive buffer should be: as much as the program reads in two round trips, so that the window never is what limits the peer
 * (dynamic right-sizing, as deployed stacks have it; RFC 7323 §2 gives the room for it).
 *
 * The round trip is the receiver's own. Who only receives has no sample but the handshake's, taken before any queue was there:
 *
 *     with timestamps    our ACK ──▶ text that echoes it          (RFC 7323 §4: an echo times the path in both directions)
 *     without            our window ──▶ text that lies behind it  no less than a round trip; the least counts
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as RangeSet from "../data/RangeSet.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Segment from "./Segment.ts"
import * as Timestamps from "./Timestamps.ts"

export interface Tuning {
  /** When the present measurement began, and what had been read by then. */
  readonly since: Time.Instant
  readonly read: Sequence.Sequence
  /** The most that was read in a round trip so far, in bytes. */
  readonly copied: number
  /** The round trip as the receiver sees it; undefined until it could be measured. */
  readonly rtt: Time.Span | undefined
  /** With timestamps: the echo that was measured last. */
  readonly echo: number
  /** Without: the right edge as it was offered at a time; no time before the first text. */
  readonly edge: Sequence.Sequence
  readonly edgeAt: Time.Instant
}

export const make = (at: Time.Instant, read: Sequence.Sequence): Tuning => ({
  since: at,
  read,
  copied: 0,
  rtt: undefined,
  echo: 0,
  edge: read,
  edgeAt: Time.never
})

/** Without a measured round trip. */
const assumedRtt = Time.millis(100)

/** A clock of this tick can't tell less. */
const shortest = Time.millis(1)

/** Full segments that may be on their way beside what is measured, while the peer's window still grows. */
const headroom = 16

/** The receiver's estimate, or the sender's, of which a receiver has at least the handshake. */
const roundTrip = (self: Connection): Time.Span => self.tuning.rtt ?? self.rtt.srtt ?? assumedRtt

const isTuned = (self: Connection): boolean => self.rcv.size < self.config.receiveBufferLimit

/** Smoothed as SRTT is (RFC 6298 §2): an echo times the peer's pauses too. */
const smoothed = (rtt: Time.Span | undefined, sample: Time.Span): Time.Span =>
  rtt === undefined ? sample : Time.add(Time.scale(rtt, 7 / 8), Time.scale(sample, 1 / 8))

/** Text follows on text; after a pause, what has gone by is the pause and no round trip. */
const isFlowing = (ctx: Context, self: Connection): boolean => Time.between(self.rcv.textAt, ctx.at) <= roundTrip(self)

/** A full segment in order that echoes an ACK no text has echoed yet: it left when that ACK came, if the peer had more to send all the while. */
const byEcho = (ctx: Context, self: Connection, segment: Segment.Segment): Tuning => {
  const { rcv, stamps, tuning } = self
  const echo = segment.options.timestampEcho
  if (echo === undefined || echo === 0 || echo === tuning.echo || segment.seq !== rcv.nxt) return tuning
  const sample = Timestamps.roundTrip(stamps, echo, ctx.at)
  if (sample === undefined || Segment.textLength(segment) < rcv.mss) return tuning
  if (!isFlowing(ctx, self)) return { ...tuning, echo }
  return { ...tuning, echo, rtt: smoothed(tuning.rtt, Time.max(sample, shortest)) }
}

/** Text behind all that had been offered by then: what allowed it was said since, so a round trip has gone by, or more if the peer had less to send. */
const byWindow = (ctx: Context, self: Connection, segment: Segment.Segment): Tuning => {
  const { rcv, tuning } = self
  const isFlowingOn = isFlowing(ctx, self)
  if (isFlowingOn && !Sequence.after(Segment.textEnd(segment), tuning.edge)) return tuning
  const next = { ...tuning, edge: rcv.edge, edgeAt: ctx.at }
  if (tuning.edgeAt === Time.never || !isFlowingOn) return next
  const sample = Time.between(tuning.edgeAt, ctx.at)
  return { ...next, rtt: tuning.rtt === undefined ? sample : Time.min(tuning.rtt, sample) }
}

/** Text has come, which may measure the round trip. What is in `self` is of before it. */
export const heard = (ctx: Context, self: Connection, segment: Segment.Segment): Tuning =>
  !isTuned(self) ? self.tuning : self.agreed.timestamps ? byEcho(ctx, self, segment) : byWindow(ctx, self, segment)

/** What waits ahead of a gap, the gap included: it takes room until it can be read, a round trip or two after the rest. */
const waiting = (self: Connection): number => {
  const last = RangeSet.last(self.buffer.ahead)
  return last === undefined ? 0 : Sequence.distance(self.rcv.nxt, last.end)
}

const resized = (self: Connection, wanted: number): Connection => {
  const size = Math.min(self.config.receiveBufferLimit, Math.floor(wanted) + headroom * self.rcv.mss)
  return size <= self.rcv.size ? self : { ...self, rcv: { ...self.rcv, size, first: size } }
}

/** The program has read: once in a round trip the buffer is made to hold what two of them bring. */
export const afterRead = (ctx: Context, self: Connection): Connection => {
  const { buffer, tuning } = self
  if (!isTuned(self) || Time.between(tuning.since, ctx.at) < roundTrip(self)) return self
  const copied = Sequence.distance(tuning.read, buffer.read)
  const most = Math.max(copied, tuning.copied)
  const next = { ...self, tuning: { ...tuning, since: ctx.at, read: buffer.read, copied: most } }
  return copied <= tuning.copied ? next : resized(next, 2 * copied + waiting(self))
}

/**
 * Text waits ahead of a gap: the window stands still meanwhile, and must not stop a peer that goes on at its rate. Not without SACK, where an ACK with another
 * window is no duplicate (RFC 5681 §2).
 */
export const afterGap = (self: Connection): Connection =>
  isTuned(self) && self.agreed.sack ? resized(self, 2 * self.tuning.copied + waiting(self)) : self
