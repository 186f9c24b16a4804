/**
 * BBR's state: what it believes of the path, and what it is doing about it (draft-ietf-ccwg-bbr, version 3 of the algorithm, from knowledge; its text
 * is not among our sources). Names follow the draft's, in our spelling. Rates are bytes per second, amounts bytes, unless said otherwise.
 */
import * as Windowed from "../../../data/Windowed.ts"
import * as Time from "../../../Time.ts"
import type { AckSample, Start } from "../Controller.ts"

/**
 *     Startup ─▶ Drain ─▶ Down ─▶ Cruise ─▶ Refill ─▶ Up ─▶ Down …        ProbeRtt: from anywhere, every five seconds
 */
export type Phase = "Startup" | "Drain" | "Down" | "Cruise" | "Refill" | "Up" | "ProbeRtt"

/** Which of our sending the ACKs that come in now answer, within a cycle of probing. */
export type AckPhase = "Init" | "Refilling" | "ProbeStarting" | "ProbeFeedback" | "ProbeStopping"

/** What a spurious loss gives back. */
export interface Undo {
  readonly phase: Phase
  readonly bwShortTerm: number
  readonly inflightShortTerm: number
  readonly inflightLongTerm: number
}

export interface Bbr {
  readonly mss: number
  readonly initialWindow: number
  readonly phase: Phase
  readonly window: number
  readonly pacingRate: number
  readonly hasSeenRtt: boolean
  /** cwnd before a recovery or a probe of the round-trip time. */
  readonly priorWindow: number
  readonly undo: Undo | undefined

  // The bandwidth: the most of the last two cycles, and what the present round suggests
  readonly maxBw: Windowed.Windowed
  readonly cycle: number
  readonly bwShortTerm: number
  readonly bwLatest: number
  /** The bandwidth in use. */
  readonly bw: number

  // The round-trip time
  readonly minRtt: number
  readonly minRttAt: Time.Instant
  readonly probeRttMin: number
  readonly probeRttMinAt: Time.Instant
  readonly probeRttExpired: boolean
  /** When the present probe may end; undefined before the pipe is down. */
  readonly probeRttDoneAt: Time.Instant | undefined
  readonly probeRttRoundDone: boolean

  // What may be in flight: what was fine for long, and what the last losses allow
  readonly inflightLongTerm: number
  readonly inflightShortTerm: number
  readonly inflightLatest: number

  // How many bytes come acknowledged in a burst
  readonly extraAcked: Windowed.Windowed
  readonly extraAckedFrom: Time.Instant
  readonly extraAckedDelivered: number

  // Rounds, counted by bytes delivered
  readonly delivered: number
  readonly nextRound: number
  readonly rounds: number
  readonly roundStart: boolean
  readonly lossRound: number
  readonly lossRoundStart: boolean
  readonly lossInRound: boolean
  /** Separate losses in this round. */
  readonly lossEvents: number
  /** In fast recovery since the beginning of a round at least. */
  readonly recoveryRounds: number
  /** Losses in Startup: for a round no more leaves than arrives. */
  readonly isConserving: boolean

  // Whether the pipe is full
  readonly fullBwReached: boolean
  readonly fullBwNow: boolean
  readonly fullBw: number
  readonly fullBwCount: number

  // The cycle of probing
  readonly cycleAt: Time.Instant
  readonly ackPhase: AckPhase
  readonly probeWait: number
  readonly roundsSinceProbe: number
  readonly probeUpRounds: number
  readonly probeUpAcks: number
  /** Bytes acknowledged for each byte by which the long-term bound goes up. */
  readonly probeUpCount: number
  readonly hasProbeSamples: boolean
  readonly idleRestart: boolean
}

/** A state that is being made: one ACK's steps work on one copy, which nobody else has seen yet. */
export type Draft = { -readonly [K in keyof Bbr]: Bbr[K] }

export const startupPacingGain = 2.77
const drainPacingGain = 0.35
/** Sending a little slower than the path delivers keeps the queue empty. */
const pacingMargin = 0.99
export const beta = 0.7
export const lossThreshold = 0.02
export const headroom = 0.15
export const minRttWindow = Time.seconds(10)
export const probeRttInterval = Time.seconds(5)
export const probeRttDuration = Time.millis(200)
/** Cycles for which the largest bandwidth is remembered, and rounds for the largest burst of ACKs. */
export const maxBwCycles = 2
export const extraAckedRounds = 10

export const pacingGain = (phase: Phase): number => {
  switch (phase) {
    case "Startup":
      return startupPacingGain
    case "Drain":
      return drainPacingGain
    case "Down":
      return 0.9
    case "Up":
      return 1.25
    case "Cruise":
    case "Refill":
    case "ProbeRtt":
      return 1
  }
}

export const windowGain = (phase: Phase): number => phase === "ProbeRtt" ? 0.5 : phase === "Up" ? 2.25 : 2

export const isProbingBw = (phase: Phase): boolean =>
  phase === "Down" || phase === "Cruise" || phase === "Refill" || phase === "Up"

/** Nothing known, nothing done. */
const blank = {
  phase: "Startup",
  hasSeenRtt: false,
  priorWindow: 0,
  undo: undefined,
  maxBw: Windowed.emptyMaximum,
  cycle: 0,
  bwShortTerm: Infinity,
  bwLatest: 0,
  bw: 0,
  minRtt: Infinity,
  probeRttMin: Infinity,
  probeRttExpired: false,
  probeRttDoneAt: undefined,
  probeRttRoundDone: false,
  inflightLongTerm: Infinity,
  inflightShortTerm: Infinity,
  inflightLatest: 0,
  extraAcked: Windowed.emptyMaximum,
  extraAckedDelivered: 0,
  delivered: 0,
  nextRound: 0,
  rounds: 0,
  roundStart: false,
  lossRound: 0,
  lossRoundStart: false,
  lossInRound: false,
  lossEvents: 0,
  recoveryRounds: 0,
  isConserving: false,
  fullBwReached: false,
  fullBwNow: false,
  fullBw: 0,
  fullBwCount: 0,
  ackPhase: "Init",
  probeWait: 0,
  roundsSinceProbe: 0,
  probeUpRounds: 0,
  probeUpAcks: 0,
  probeUpCount: Infinity,
  hasProbeSamples: false,
  idleRestart: false
} as const

export const start = (params: Start): Bbr => ({
  ...blank,
  mss: params.mss,
  initialWindow: params.initialWindow,
  window: params.initialWindow,
  // Without a round-trip time it is taken for a millisecond, so that the window is the limit.
  pacingRate: startupPacingGain * params.initialWindow * 1000,
  minRttAt: params.now,
  probeRttMinAt: params.now,
  extraAckedFrom: params.now,
  cycleAt: params.now
})

/** The sample's rate counts as the program's, not the path's: it had nothing to send, or we held it back to see the round-trip time. */
export const isAppLimited = (self: Bbr, ack: AckSample): boolean => ack.rate.isAppLimited || self.phase === "ProbeRtt"

export const minPipe = (self: Bbr): number => 4 * self.mss

/** `gain` times the bandwidth-delay product; the initial window while there is no round-trip time. */
export const bdp = (self: Bbr, gain: number, bw = self.bw): number =>
  self.minRtt === Infinity ? self.initialWindow : gain * bw * self.minRtt / 1_000_000

/** Room for what is on its way between us and the link: three sends, a floor, and two segments more while probing. */
const quantized = (self: Bbr, amount: number): number => {
  const quantum = Math.max(self.mss, Math.min(self.pacingRate / 1000, 65_536))
  const floor = Math.max(amount, 3 * quantum, minPipe(self))
  return self.phase === "Up" ? floor + 2 * self.mss : floor
}

/** What should be in flight for `gain` times the path's capacity. */
export const inflight = (self: Bbr, gain: number, bw = self.bw): number => quantized(self, bdp(self, gain, bw))

/** Leaves room for others below the most that was fine. */
export const inflightWithHeadroom = (self: Bbr): number =>
  self.inflightLongTerm === Infinity
    ? Infinity
    : Math.max(self.inflightLongTerm - Math.max(self.mss, headroom * self.inflightLongTerm), minPipe(self))

export const targetInflight = (self: Bbr): number => Math.min(bdp(self, 1), self.window)

/** The pace follows the bandwidth; while the pipe is not known to be full it only goes up. */
export const setPacingRate = (self: Draft, gain: number): void => {
  const rate = gain * self.bw * pacingMargin
  if (rate > 0 && (self.fullBwReached || rate > self.pacingRate)) self.pacingRate = rate
}

/** The first round-trip time makes the first real pace. */
export const setFirstPacingRate = (self: Draft, srtt: Time.Span | undefined): void => {
  if (self.hasSeenRtt || srtt === undefined || srtt <= 0) return
  self.hasSeenRtt = true
  self.pacingRate = startupPacingGain * self.window * 1_000_000 / srtt
}
