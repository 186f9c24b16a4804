/**
 * When to acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2): at once, or with the next segment, or after a short wait.
 *
 *     text in order         more than a full segment, or early in the connection   → now
 *                           otherwise                                              → delayed, at most `delayedAck`
 *     text out of order, a gap closed, a duplicate, a FIN                          → now, so that the sender's recovery sees it
 *     the window opened by a worthwhile step                                       → now
 *     a short last piece was read, and the program has nothing to say              → now
 *
 * A conversation that goes both ways is `isInteractive`, as deployed stacks find out: an answer left within the time that an ACK may wait, so the next ACK waits for
 * the next answer, until one has waited in vain.
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
  /** Answers follow on what comes: ACKs ride on them. */
  readonly isInteractive: boolean
  /** Segments shorter than a full one since the last ACK: the peer has no more to say for now. */
  readonly short: number
  /** Text that came twice, to be reported with the next ACK (RFC 2883 §4). */
  readonly duplicate: SackBlock | undefined
  /** Where the ranges ahead that changed last begin, newest first: the order of SACK blocks (RFC 2018 §4). */
  readonly recent: ReadonlyArray<Sequence>
}

const nothing: ReadonlyArray<Sequence> = Object.freeze([])

/** Ranges whose order is remembered: as many blocks as fit into a header. */
const remembered = 4

const calmly = (quick: number, isInteractive: boolean): AckPolicy =>
  Object.freeze({ due: "no", pending: 0, quick, isInteractive, short: 0, duplicate: undefined, recent: nothing })

/** Nothing to acknowledge, by how many segments still will be at once; shared by the connections of which that is true. */
const quiet: ReadonlyArray<AckPolicy> = Array.from({ length: 33 }, (_, quick) => calmly(quick, false))
const interactive: ReadonlyArray<AckPolicy> = Array.from({ length: 33 }, (_, quick) => calmly(quick, true))

const calmWith = (quick: number, isInteractive: boolean): AckPolicy =>
  (isInteractive ? interactive : quiet)[quick] ?? calmly(quick, isInteractive)

export const make = (config: Config): AckPolicy => calmWith(config.quickAcks, false)

const counting = (self: AckPolicy, quick: number, isInteractive: boolean): AckPolicy =>
  self.quick === quick && self.isInteractive === isInteractive
    ? self
    : self.due === "no" && self.pending === 0 && self.duplicate === undefined && self.recent === nothing
    ? calmWith(quick, isInteractive)
    : { ...self, quick, isInteractive }

/** From now on so many segments are acknowledged at once; what is delayed already stays so. */
export const withQuick = (self: AckPolicy, quick: number): AckPolicy => counting(self, quick, false)

/** The first text tells how many segments the window is worth: half of them may be acknowledged at once, but two at least; all, where nothing is ever to wait. */
export const begun = (self: AckPolicy, window: number, full: number): AckPolicy =>
  self.quick === Infinity
    ? self
    : counting(self, Math.min(self.quick, Math.max(2, Math.floor(window / (2 * full)))), self.isInteractive)

/** After a long silence the peer begins with a small window. */
export const resumed = (self: AckPolicy, config: Config): AckPolicy =>
  counting(self, Math.max(self.quick, config.quickAcks), self.isInteractive)

/** An answer has left soon after text had come. */
export const answered = (self: AckPolicy): AckPolicy => counting(self, self.quick, true)

/** An ACK must leave with this event. */
export const now = (self: AckPolicy): AckPolicy => self.due === "now" ? self : { ...self, due: "now" }

/** What came may wait for company, however much it was. */
export const later = (self: AckPolicy): AckPolicy => ({ ...self, due: "delayed" })

/** The time is over: no answer has come, so the next text is acknowledged at once again. */
export const overdue = (self: AckPolicy): AckPolicy => ({ ...self, due: "now", isInteractive: false })

/**
 * A FIN came in its turn, where its ACK may wait for the program's own FIN as one of text waits for an answer. Before any text came there is no time to wait for, so it
 * leaves at once; and so it does where the window is closed, since its sender may ask for nothing else.
 */
export const ended = (self: AckPolicy, full: number, hadText: boolean, isClosed: boolean): AckPolicy =>
  !hadText || isClosed || self.pending >= full || self.duplicate !== undefined || self.recent.length > 0
    ? now(self)
    : { ...self, due: "delayed", isInteractive: true }

/** A duplicate is to be reported, at once. */
export const duplicate = (self: AckPolicy, block: SackBlock | undefined): AckPolicy => ({
  ...self,
  due: "now",
  isInteractive: false,
  duplicate: block
})

/**
 * Text came in order, `length` bytes of it. `full` is what a full segment of the peer carries, `isGapOpen` whether there is text ahead.
 */
// rfc: 9293 §3.8.6.3 MUST-40 SHLD-18 SHLD-19, 5681 §4.2
export const received = (
  self: AckPolicy,
  length: number,
  full: number,
  isGapOpen: boolean,
  config: Config
): AckPolicy => {
  const pending = self.pending + length
  const isQuick = self.quick > 0 && (!self.isInteractive || self.quick === Infinity)
  const isPair = config.acksPairs && self.due === "delayed"
  const isNow = isGapOpen || isQuick || isPair || pending > full || self.due === "now"
  return {
    due: isNow ? "now" : "delayed",
    pending,
    quick: self.quick > 0 ? self.quick - 1 : 0,
    isInteractive: self.isInteractive,
    short: length < full ? self.short + 1 : self.short,
    duplicate: self.duplicate,
    recent: self.recent
  }
}

/** The program has read all that there was: a short segment was the peer's last word for now, and the program seems to have nothing to answer. */
export const drained = (self: AckPolicy, config: Config): AckPolicy =>
  self.due === "delayed" && !config.acksPairs && (self.short > 1 || (self.short === 1 && !self.isInteractive))
    ? { ...self, due: "now" }
    : self

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
    isInteractive: false,
    short: self.short,
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
    ? calmWith(self.quick, self.isInteractive)
    : { ...self, due: "no", pending: 0, short: 0, duplicate: undefined }
