/**
 * What BBR learns from an ACK: the bandwidth, the least round-trip time, how bursty ACKs are, and whether losses say that less should be in
 * flight (draft-ietf-ccwg-bbr, from knowledge).
 */
import * as Windowed from "../../../data/Windowed.ts"
import * as Time from "../../../Time.ts"
import type { AckSample, Lost } from "../Controller.ts"
import type { Draft } from "./State.ts"
import * as State from "./State.ts"

/** A round begins: it ends when something is delivered that is sent after now. */
export const startRound = (self: Draft): void => {
  self.nextRound = self.delivered
}

/** Bytes that had been delivered when the newest transmission of this ACK left; undefined when the ACK tells of none. */
const priorDelivered = (self: Draft, ack: AckSample): number | undefined =>
  ack.rate.delivered === 0 ? undefined : self.delivered - ack.rate.delivered

const updateRound = (self: Draft, ack: AckSample): void => {
  const prior = priorDelivered(self, ack)
  self.roundStart = prior !== undefined && prior >= self.nextRound
  if (!self.roundStart) return
  startRound(self)
  self.rounds += 1
  self.roundsSinceProbe += 1
  self.recoveryRounds = ack.recovery === "fast" ? self.recoveryRounds + 1 : 0
}

const updateMaxBw = (self: Draft, ack: AckSample): void => {
  const rate = ack.rate.rate
  if (rate === undefined) return
  // What the program limited says only that the path can carry at least so much.
  if (rate >= self.maxBw.value || !State.isAppLimited(self, ack)) {
    self.maxBw = Windowed.maximum(self.maxBw, rate, self.cycle, State.maxBwCycles)
  }
}

const updateLatest = (self: Draft, ack: AckSample): void => {
  self.bwLatest = Math.max(self.bwLatest, ack.rate.rate ?? 0)
  self.inflightLatest = Math.max(self.inflightLatest, ack.rate.delivered)
  const prior = priorDelivered(self, ack)
  self.lossRoundStart = prior !== undefined && prior >= self.lossRound
  if (self.lossRoundStart) self.lossRound = self.delivered
}

/** Rounds of losses outside of probing lower the short-term bounds: to what was delivered, at least to 0.7. */
const adaptLowerBounds = (self: Draft): void => {
  const isProbing = self.phase === "Startup" || self.phase === "Refill" || self.phase === "Up"
  if (isProbing || !self.lossInRound) return
  if (self.bwShortTerm === Infinity) self.bwShortTerm = self.maxBw.value
  if (self.inflightShortTerm === Infinity) self.inflightShortTerm = self.window
  self.bwShortTerm = Math.max(self.bwLatest, State.beta * self.bwShortTerm)
  self.inflightShortTerm = Math.max(self.inflightLatest, State.beta * self.inflightShortTerm)
}

export const resetShortTerm = (self: Draft): void => {
  self.bwShortTerm = Infinity
  self.inflightShortTerm = Infinity
}

export const resetSignals = (self: Draft): void => {
  self.lossInRound = false
  self.lossEvents = 0
  self.bwLatest = 0
  self.inflightLatest = 0
}

/** What one ACK says at once, before any decision. */
export const update = (self: Draft, ack: AckSample): void => {
  self.delivered += ack.bytesDelivered
  updateLatest(self, ack)
  updateRound(self, ack)
  updateMaxBw(self, ack)
  if (ack.bytesLost > 0) self.lossInRound = true
  if (self.lossRoundStart) {
    adaptLowerBounds(self)
    self.lossInRound = false
  }
  updateExtraAcked(self, ack)
}

/** After the decisions: a new round of loss signals starts from this ACK, and the bandwidth in use is set. */
export const advance = (self: Draft, ack: AckSample): void => {
  if (self.lossRoundStart) {
    self.bwLatest = ack.rate.rate ?? 0
    self.inflightLatest = ack.rate.delivered
    self.lossEvents = 0
  }
  self.bw = Math.min(self.maxBw.value, self.bwShortTerm)
}

/** ACKs that come in bursts need more in flight than the path's capacity. */
const updateExtraAcked = (self: Draft, ack: AckSample): void => {
  let expected = self.bw * Time.between(self.extraAckedFrom, ack.now) / 1_000_000
  if (self.extraAckedDelivered <= expected) {
    self.extraAckedDelivered = 0
    self.extraAckedFrom = ack.now
    expected = 0
  }
  self.extraAckedDelivered += ack.bytesDelivered
  const extra = Math.min(self.extraAckedDelivered - expected, self.window)
  const length = self.fullBwReached ? State.extraAckedRounds : 1
  self.extraAcked = Windowed.maximum(self.extraAcked, extra, self.rounds, length)
}

export const resetFullBw = (self: Draft, from = 0): void => {
  self.fullBw = from
  self.fullBwCount = 0
  self.fullBwNow = false
}

/** The pipe is full when the rate has not grown by a quarter for three rounds. */
export const checkFullBw = (self: Draft, ack: AckSample): void => {
  if (self.fullBwNow || State.isAppLimited(self, ack)) return
  const rate = ack.rate.rate ?? 0
  if (rate >= self.fullBw * 1.25 && rate > 0) return resetFullBw(self, rate)
  if (!self.roundStart) return
  self.fullBwCount += 1
  self.fullBwNow = self.fullBwCount >= 3
  if (self.fullBwNow) self.fullBwReached = true
}

export const updateMinRtt = (self: Draft, ack: AckSample): void => {
  self.probeRttExpired = ack.now > Time.plus(self.probeRttMinAt, State.probeRttInterval)
  if (ack.rtt !== undefined && (ack.rtt < self.probeRttMin || self.probeRttExpired)) {
    self.probeRttMin = ack.rtt
    self.probeRttMinAt = ack.now
  }
  const isExpired = ack.now > Time.plus(self.minRttAt, State.minRttWindow)
  if (self.probeRttMin < self.minRtt || isExpired) {
    self.minRtt = self.probeRttMin
    self.minRttAt = self.probeRttMinAt
  }
}

/** More than two of a hundred bytes were lost of what was in flight. */
export const isTooHigh = (lost: number, inFlight: number): boolean => lost > inFlight * State.lossThreshold

/** How much was in flight when the losses passed the threshold, somewhere within this transmission. */
export const inflightAtLoss = (lost: Lost): number => {
  const before = lost.stamp.inFlight - lost.bytes
  const lostBefore = lost.totalLost - lost.stamp.lost - lost.bytes
  const prefix = (State.lossThreshold * before - lostBefore) / (1 - State.lossThreshold)
  return before + Math.max(0, prefix)
}
