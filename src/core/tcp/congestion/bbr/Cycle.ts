/**
 * BBR's phases: filling the pipe, draining the queue, cycles of probing for more bandwidth, and dips to see the round-trip time (draft-ietf-ccwg-bbr,
 * from knowledge).
 *
 *     pace   ╭──╮ Up 1.25
 *      1 ────╯  │        ╭─ Refill, Cruise
 *               ╰────────╯ Down 0.9
 */
import * as Time from "../../../Time.ts"
import type { AckSample } from "../Controller.ts"
import * as Model from "./Model.ts"
import type { Draft } from "./State.ts"
import * as State from "./State.ts"

/** Cycles of Reno in the same place would be as long as the window has segments; 63 at most. */
const renoRounds = 63

/** Spreads the flows' probes: between two and three seconds, by what this flow has delivered. Nothing rests on it being hard to guess. */
const jitter = (self: Draft): number => {
  const mixed = Math.imul((self.delivered | 0) ^ Math.imul(self.cycle, 0x85eb_ca6b), 0x9e37_79b1)
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 0x1_0000_0000
}

export const enterStartup = (self: Draft): void => {
  self.phase = "Startup"
}

const startDown = (self: Draft, now: Time.Instant): void => {
  Model.resetSignals(self)
  const fraction = jitter(self)
  self.probeUpCount = Infinity
  self.roundsSinceProbe = fraction < 0.5 ? 0 : 1
  self.probeWait = Time.seconds(2 + fraction)
  self.cycleAt = now
  self.ackPhase = "ProbeStopping"
  Model.startRound(self)
  self.phase = "Down"
}

const startRefill = (self: Draft): void => {
  Model.resetShortTerm(self)
  self.probeUpRounds = 0
  self.probeUpAcks = 0
  self.ackPhase = "Refilling"
  Model.startRound(self)
  self.phase = "Refill"
}

export const startUp = (self: Draft, now: Time.Instant, rate: number): void => {
  self.ackPhase = "ProbeStarting"
  Model.startRound(self)
  Model.resetFullBw(self, rate)
  self.cycleAt = now
  self.phase = "Up"
  raiseSlope(self)
}

/** Each round of probing raises the long-term bound twice as fast as the one before. */
const raiseSlope = (self: Draft): void => {
  const growth = self.mss * 2 ** self.probeUpRounds
  self.probeUpRounds = Math.min(self.probeUpRounds + 1, 30)
  self.probeUpCount = Math.max(self.window / growth, 1)
}

const probeUpward = (self: Draft, ack: AckSample): void => {
  if (ack.isAppLimited || self.window < self.inflightLongTerm) return
  self.probeUpAcks += ack.bytesDelivered
  if (self.probeUpAcks >= self.probeUpCount) {
    const delta = Math.floor(self.probeUpAcks / self.probeUpCount)
    self.probeUpAcks -= delta * self.probeUpCount
    self.inflightLongTerm += delta
  }
  if (self.roundStart) raiseSlope(self)
}

/** Too much was lost of `inFlight`: it is the new long-term bound, and probing ends. */
export const onTooHigh = (self: Draft, now: Time.Instant, inFlight: number, isAppLimited: boolean): void => {
  self.hasProbeSamples = false
  if (!isAppLimited) self.inflightLongTerm = Math.max(inFlight, State.targetInflight(self) * State.beta)
  if (self.phase === "Up") startDown(self, now)
}

/** Moves the long-term bound, by what the ACKs of the last probe say. */
const adaptLongTerm = (self: Draft, ack: AckSample): void => {
  if (self.ackPhase === "ProbeStarting" && self.roundStart) self.ackPhase = "ProbeFeedback"
  if (self.ackPhase === "ProbeStopping" && self.roundStart) {
    self.ackPhase = "Init"
    self.hasProbeSamples = false
    if (State.isProbingBw(self.phase) && !State.isAppLimited(self, ack)) self.cycle += 1
  }
  const { inFlightAtSend, lost } = ack.rate
  if (Model.isTooHigh(lost, inFlightAtSend)) {
    if (self.hasProbeSamples) onTooHigh(self, ack.now, inFlightAtSend, ack.rate.isAppLimited)
    return
  }
  if (self.inflightLongTerm === Infinity) return
  self.inflightLongTerm = Math.max(self.inflightLongTerm, inFlightAtSend)
  if (self.phase === "Up") probeUpward(self, ack)
}

const isTimeToProbe = (self: Draft, now: Time.Instant): boolean => {
  const reno = Math.min(State.targetInflight(self) / self.mss, renoRounds)
  return Time.between(self.cycleAt, now) > self.probeWait || self.roundsSinceProbe >= reno
}

const isTimeToCruise = (self: Draft, inFlight: number): boolean =>
  inFlight <= State.inflightWithHeadroom(self) && inFlight <= State.inflight(self, 1, self.maxBw.value)

const isTimeToGoDown = (self: Draft, ack: AckSample): boolean => {
  if (!ack.isAppLimited && self.window >= self.inflightLongTerm) {
    Model.resetFullBw(self, ack.rate.rate ?? self.fullBw)
    return false
  }
  return self.fullBwNow
}

const updateCycle = (self: Draft, ack: AckSample): void => {
  if (!self.fullBwReached) return
  adaptLongTerm(self, ack)
  switch (self.phase) {
    case "Down":
      if (isTimeToProbe(self, ack.now)) startRefill(self)
      else if (isTimeToCruise(self, ack.bytesInFlightAfter)) self.phase = "Cruise"
      return
    case "Cruise":
      if (isTimeToProbe(self, ack.now)) startRefill(self)
      return
    case "Refill":
      if (!self.roundStart) return
      self.hasProbeSamples = true
      return startUp(self, ack.now, ack.rate.rate ?? 0)
    case "Up":
      if (isTimeToGoDown(self, ack)) startDown(self, ack.now)
      return
    case "Startup":
    case "Drain":
    case "ProbeRtt":
      return
  }
}

/** Startup overflows short queues: a round with at least six losses, more than two of a hundred bytes, says that the pipe is full. */
const checkStartupLoss = (self: Draft, ack: AckSample): void => {
  if (self.fullBwReached || ack.recovery !== "fast" || self.recoveryRounds < 1 || self.lossEvents < 6) return
  if (!Model.isTooHigh(ack.rate.lost, ack.rate.inFlightAtSend)) return
  self.fullBwReached = true
  self.inflightLongTerm = Math.max(State.bdp(self, 1), self.inflightLatest)
}

const checkStartup = (self: Draft, ack: AckSample): void => {
  checkStartupLoss(self, ack)
  if (self.phase === "Startup" && self.fullBwReached) self.phase = "Drain"
  if (self.phase === "Drain" && ack.bytesInFlightAfter <= State.inflight(self, 1)) startDown(self, ack.now)
}

export const saveWindow = (self: Draft, isRecovering: boolean): void => {
  self.priorWindow = isRecovering || self.phase === "ProbeRtt" ? Math.max(self.priorWindow, self.window) : self.window
}

export const restoreWindow = (self: Draft): void => {
  self.window = Math.max(self.window, self.priorWindow)
}

export const probeRttWindow = (self: Draft): number => Math.max(State.bdp(self, 0.5), State.minPipe(self))

/** The dip has lasted long enough. */
export const checkProbeRttDone = (self: Draft, now: Time.Instant): void => {
  if (self.probeRttDoneAt === undefined || now <= self.probeRttDoneAt) return
  self.probeRttMinAt = now
  restoreWindow(self)
  Model.resetShortTerm(self)
  if (!self.fullBwReached) return enterStartup(self)
  startDown(self, now)
  self.phase = "Cruise"
}

const probeRtt = (self: Draft, ack: AckSample): void => {
  if (self.probeRttDoneAt === undefined) {
    if (ack.bytesInFlightAfter > probeRttWindow(self)) return
    self.probeRttDoneAt = Time.plus(ack.now, State.probeRttDuration)
    self.probeRttRoundDone = false
    return Model.startRound(self)
  }
  if (self.roundStart) self.probeRttRoundDone = true
  if (self.probeRttRoundDone) checkProbeRttDone(self, ack.now)
}

const checkProbeRtt = (self: Draft, ack: AckSample): void => {
  if (self.phase !== "ProbeRtt" && self.probeRttExpired && !self.idleRestart) {
    saveWindow(self, ack.recovery !== "none")
    self.phase = "ProbeRtt"
    self.probeRttDoneAt = undefined
    self.ackPhase = "ProbeStopping"
    Model.startRound(self)
  }
  if (self.phase === "ProbeRtt") probeRtt(self, ack)
  if (ack.bytesDelivered > 0) self.idleRestart = false
}

/** Every ACK: what it teaches, and what follows from that. */
export const onAck = (self: Draft, ack: AckSample): void => {
  Model.update(self, ack)
  Model.checkFullBw(self, ack)
  checkStartup(self, ack)
  updateCycle(self, ack)
  Model.updateMinRtt(self, ack)
  checkProbeRtt(self, ack)
  Model.advance(self, ack)
}
