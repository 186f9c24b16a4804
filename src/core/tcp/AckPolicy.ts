/**
 * When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2): at once, or with the next segment, or after a short wait.
 *
 *     text in order         second full segment, or early in the connection   → now
 *                           otherwise                                          → delayed, at most `delayedAck`
 *     text out of order, a gap closed, a duplicate, a FIN                      → now, so that the sender's recovery sees it
 *     the window opened by a worthwhile step                                   → now
 */
import type { Sequence } from "../../wire/Sequence.ts"
import type { SackBlock } from "../../wire/TcpOptions.ts"
import type { Config } from "./Config.ts"

export interface AckPolicy {
  readonly due: "no" | "delayed" | "now"
  /** Text bytes received since the last ACK. */
  readonly pending: number
  /** Segments that are still acknowledged at once: at the start and after a gap, so that the sender's window opens quickly. */
  readonly quick: number
  /** Text that came twice, to be reported with the next ACK (RFC 2883 §4). */
  readonly duplicate: SackBlock | undefined
  /** Where the ranges ahead that changed last begin, newest first: the order of SACK blocks (RFC 2018 §4). */
  readonly recent: ReadonlyArray<Sequence>
}

const nothing: ReadonlyArray<Sequence> = Object.freeze([])

/** Ranges whose order is remembered: as many blocks as fit into a header. */
const remembered = 4

/** Nothing to acknowledge, by how many segments still will be at once; shared by the connections of which that is true. */
const calm: ReadonlyArray<AckPolicy> = Array.from(
  { length: 33 },
  (_, quick) => Object.freeze({ due: "no", pending: 0, quick, duplicate: undefined, recent: nothing })
)

const calmWith = (quick: number): AckPolicy =>
  calm[quick] ?? { due: "no", pending: 0, quick, duplicate: undefined, recent: nothing }

export const make = (config: Config): AckPolicy => calmWith(config.quickAcks)

/** From now on so many segments are acknowledged at once; what is delayed already stays so. */
export const withQuick = (self: AckPolicy, quick: number): AckPolicy =>
  self.quick === quick ? self : self === calm[self.quick] ? calmWith(quick) : { ...self, quick }

/** An ACK must leave with this event. */
export const now = (self: AckPolicy): AckPolicy => self.due === "now" ? self : { ...self, due: "now" }

/** A duplicate is to be reported, at once. */
export const duplicate = (self: AckPolicy, block: SackBlock | undefined): AckPolicy => ({
  ...self,
  due: "now",
  duplicate: block
})

/**
 * Text came in order, `length` bytes of it. `full` is what a full segment of the peer carries, `isGapOpen` whether there is text ahead.
 */
// rfc: 9293 §3.8.6.3 MUST-40 SHLD-18 SHLD-19, 5681 §4.2
export const received = (self: AckPolicy, length: number, full: number, isGapOpen: boolean): AckPolicy => {
  const pending = self.pending + length
  const isNow = isGapOpen || self.quick > 0 || pending >= 2 * full || self.due === "now"
  return {
    due: isNow ? "now" : "delayed",
    pending,
    quick: self.quick > 0 ? self.quick - 1 : 0,
    duplicate: self.duplicate,
    recent: self.recent
  }
}

/** Text came ahead of a gap: an immediate duplicate ACK (RFC 5681 §4.2), and a few quick ones after it. */
export const ahead = (self: AckPolicy, start: Sequence, config: Config): AckPolicy => {
  const recent = [start]
  for (const other of self.recent) {
    if (other !== start && recent.length < remembered) recent.push(other)
  }
  return {
    due: "now",
    pending: self.pending,
    quick: Math.max(self.quick, config.quickAcks),
    duplicate: self.duplicate,
    recent
  }
}

/** The gaps are closed: nothing ahead is left to report. */
export const closed = (self: AckPolicy): AckPolicy => ({ ...self, due: "now", recent: nothing })

/** An ACK has left, alone or with text. */
export const sent = (self: AckPolicy): AckPolicy =>
  self.due === "no" && self.pending === 0 && self.duplicate === undefined
    ? self
    : self.recent === nothing
    ? calmWith(self.quick)
    : { due: "no", pending: 0, quick: self.quick, duplicate: undefined, recent: self.recent }

/** The program writes answers at once: the conversation goes both ways, so ACKs may ride on text. */
export const interactive = (self: AckPolicy): AckPolicy =>
  self.quick === 0 ? self : self === calm[self.quick] ? calmWith(0) : { ...self, quick: 0 }
