/**
 * Was a loss none? By timestamps, when an ACK answers the original of what was sent again (the Eifel detection of RFC 3522), or by
 * D-SACK, when everything that was sent again turns out to have arrived twice (RFC 3708). Both from knowledge: their texts are not among our sources.
 *
 *     original     ──╲─────────────▶        its ACK echoes a timestamp from before the
 *     again         ──╲──────╲─────▶        retransmission: the first copy arrived
 *     ACK       ◀──────────────────╱
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Range } from "./Scoreboard.ts"

export interface Undo {
  /** What was outstanding when the recovery began: D-SACKs of anything else are of no concern. */
  readonly start: Sequence.Sequence
  readonly end: Sequence.Sequence
  /** TSval of the recovery's first retransmission; undefined before it, or without timestamps. */
  readonly firstStamp: number | undefined
  /** Segments sent again, and of these the ones not yet known to have arrived twice. */
  readonly retransmitted: number
  readonly unexplained: number
}

/** A recovery begins. */
export const begin = (una: Sequence.Sequence, nxt: Sequence.Sequence): Undo => ({
  start: una,
  end: nxt,
  firstStamp: undefined,
  retransmitted: 0,
  unexplained: 0
})

/** Segments were sent again; `stamp` is their TSval, if timestamps are in use. */
export const retransmitted = (self: Undo, segments: number, stamp: number | undefined): Undo => ({
  ...self,
  firstStamp: self.retransmitted === 0 ? stamp : self.firstStamp,
  retransmitted: self.retransmitted + segments,
  unexplained: self.unexplained + segments
})

export interface Ack {
  /** It moved SND.UNA. */
  readonly isNew: boolean
  /** TSecr, if timestamps are in use. */
  readonly echo: number | undefined
  /** What its D-SACK tells of. */
  readonly duplicate: Range | undefined
  readonly mss: number
}

const explain = (self: Undo, duplicate: Range, mss: number): Undo => {
  if (Sequence.before(duplicate.start, self.start) || Sequence.after(duplicate.end, self.end)) return self
  const segments = Math.ceil(Sequence.distance(duplicate.start, duplicate.end) / mss)
  return { ...self, unexplained: Math.max(0, self.unexplained - segments) }
}

/**
 * What an ACK proves. Only the first ACK of new data can prove something by its timestamp: it answers the first segment, which is what was sent again, and a
 * tick that both copies share proves nothing.
 */
export const onAck = (self: Undo, ack: Ack): { readonly undo: Undo; readonly isSpurious: boolean } => {
  if (self.retransmitted === 0) return { undo: self, isSpurious: false }
  if (ack.isNew && self.firstStamp !== undefined && ack.echo !== undefined) {
    if (Sequence.before(ack.echo, self.firstStamp)) return { undo: self, isSpurious: true }
    return onDuplicate({ ...self, firstStamp: undefined }, ack)
  }
  return onDuplicate(self, ack)
}

const onDuplicate = (self: Undo, ack: Ack): { readonly undo: Undo; readonly isSpurious: boolean } => {
  if (ack.duplicate === undefined) return { undo: self, isSpurious: false }
  const undo = explain(self, ack.duplicate, ack.mss)
  return { undo, isSpurious: undo.unexplained === 0 }
}
