/**
 * HyStart++: leaving slow start because the round-trip time grows, before the queue overflows (RFC 9406, from knowledge; its text is not
 * among our sources, and the section numbers are from memory).
 *
 *                     rtt up                      5 rounds
 *     slow start ───────────────▶ conservative ───────────▶ done: ssthresh = cwnd
 *          ▲                       slow start
 *          └───────────────────────────┘
 *                rtt down again: it was noise
 */
import * as Time from "../../Time.ts"

/** RFC 9406 §4.3, recommended values. */
const minThreshold = Time.millis(4)
const maxThreshold = Time.millis(16)
const thresholdDivisor = 8
const samplesPerRound = 8
/** In conservative slow start the window opens so many times slower. */
const conservativeDivisor = 4
const conservativeRounds = 5

export interface HyStart {
  readonly phase: "slowStart" | "conservative" | "done"
  /** The least round-trip time of the last round and of this one; infinite when there was none. */
  readonly lastRound: number
  readonly thisRound: number
  readonly samples: number
  /** The least round-trip time of the round that ended slow start: below it, slow start goes on. */
  readonly baseline: number
  /** Ended rounds of conservative slow start; the one it began in counts. */
  readonly rounds: number
}

export const initial: HyStart = Object.freeze({
  phase: "slowStart",
  lastRound: Infinity,
  thisRound: Infinity,
  samples: 0,
  baseline: Infinity,
  rounds: 0
})

/** Slow start is over, by loss or otherwise; later ones know where to stop (§4.3: only for the initial slow start). */
export const done: HyStart = Object.freeze({ ...initial, phase: "done" })

const nextRound = (self: HyStart): HyStart => {
  const rounds = self.phase === "conservative" ? self.rounds + 1 : 0
  if (rounds >= conservativeRounds) return done
  return { ...self, lastRound: self.thisRound, thisRound: Infinity, samples: 0, rounds }
}

/** How much a round's least may exceed the last round's: an eighth, within 4 to 16 ms. */
const threshold = (lastRound: number): number =>
  Math.max(minThreshold, Math.min(lastRound / thresholdDivisor, maxThreshold))

const judge = (self: HyStart): HyStart => {
  if (self.samples < samplesPerRound) return self
  if (self.phase === "conservative") {
    return self.thisRound < self.baseline ? { ...self, phase: "slowStart", baseline: Infinity, rounds: 0 } : self
  }
  return self.lastRound !== Infinity && self.thisRound >= self.lastRound + threshold(self.lastRound)
    ? { ...self, phase: "conservative", baseline: self.thisRound, rounds: 0 }
    : self
}

/** An ACK in the initial slow start. */
export const onAck = (self: HyStart, rtt: Time.Span | undefined, isRoundStart: boolean): HyStart => {
  if (self.phase === "done") return self
  const round = isRoundStart ? nextRound(self) : self
  if (rtt === undefined || round.phase === "done") return round
  return judge({ ...round, thisRound: Math.min(round.thisRound, rtt), samples: round.samples + 1 })
}

/** What the window's growth is divided by. */
export const divisor = (self: HyStart): number => self.phase === "conservative" ? conservativeDivisor : 1
