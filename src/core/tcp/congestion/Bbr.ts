/**
 * BBR, version 3: it measures what the path delivers and how long an empty path takes, and sends at that rate with that much in flight, instead of
 * filling queues until they overflow (draft-ietf-ccwg-bbr, from knowledge; its text is not among our sources).
 *
 *     delivered │      ╭───────────         the knee: the most delivered with the least
 *      per RTT  │    ╱ ▲                    in flight. Loss-based control lives at the
 *               │  ╱   knee      cliff ▼    cliff, where the queue overflows
 *               └───────────────────────▶ in flight
 *
 * `bbr/State.ts` says what it knows, `bbr/Model.ts` how it learns, `bbr/Cycle.ts` when it probes. It needs pacing.
 */
import * as Time from "../../Time.ts"
import * as Cycle from "./bbr/Cycle.ts"
import * as Model from "./bbr/Model.ts"
import type { Bbr, Draft } from "./bbr/State.ts"
import * as State from "./bbr/State.ts"
import type { AckSample, Controller, Idle, Lost } from "./Controller.ts"
import * as SlowStart from "./SlowStart.ts"

/** A changed copy; what the change leaves is not touched again. */
const changed = (self: Bbr, change: (draft: Draft) => void): Bbr => {
  const draft: Draft = { ...self }
  change(draft)
  return draft
}

/** The bounds that losses and the phase put on what is in flight. */
const modelBound = (self: Draft): number => {
  const isHeld = self.phase === "ProbeRtt" || self.phase === "Cruise"
  const longTerm = isHeld
    ? State.inflightWithHeadroom(self)
    : State.isProbingBw(self.phase)
    ? self.inflightLongTerm
    : Infinity
  return Math.max(Math.min(longTerm, self.inflightShortTerm), State.minPipe(self))
}

const setWindow = (self: Draft, ack: AckSample): void => {
  const gain = State.windowGain(self.phase)
  const most = State.inflight(self, gain) + self.extraAcked.value
  if (self.fullBwReached) self.window = Math.min(self.window + ack.bytesDelivered, most)
  else if (self.window < most || self.delivered < self.initialWindow) self.window += ack.bytesDelivered
  const least = ack.recovery === "timeout" ? self.mss : State.minPipe(self)
  self.window = Math.max(Math.min(self.window, modelBound(self)), least)
  if (self.phase === "ProbeRtt") self.window = Math.min(self.window, Cycle.probeRttWindow(self))
}

/**
 * The first round of a recovery in Startup (packet conservation, as the draft's recovery begins): if a queue has overflowed it is not pushed further while the
 * round tells how much was lost. Later there are bounds for that, which would take a pipe that is held short for a slower path.
 */
const conserve = (self: Draft, ack: AckSample): void => {
  if (ack.recovery !== "fast" || self.fullBwReached || self.recoveryRounds > 0) self.isConserving = false
  if (!self.isConserving) return
  const most = ack.bytesInFlightAfter + Math.max(ack.bytesDelivered, self.mss)
  self.window = Math.max(Math.min(self.window, most), State.minPipe(self))
}

const onAck = (self: Bbr, ack: AckSample): Bbr =>
  changed(self, (draft) => {
    State.setFirstPacingRate(draft, ack.srtt)
    Cycle.onAck(draft, ack)
    State.setPacingRate(draft, State.pacingGain(draft.phase))
    setWindow(draft, ack)
    conserve(draft, ack)
  })

/** Each transmission that is lost while its probe's results come in is weighed at once. */
const onLost = (self: Bbr, lost: Lost): Bbr =>
  changed(self, (draft) => {
    if (!draft.lossInRound) draft.lossRound = draft.delivered
    draft.lossInRound = true
    draft.lossEvents += 1
    const lostSince = lost.totalLost - lost.stamp.lost
    if (!draft.hasProbeSamples || !Model.isTooHigh(lostSince, lost.stamp.inFlight)) return
    Cycle.onTooHigh(draft, lost.now, Model.inflightAtLoss(lost), lost.stamp.isAppLimited)
  })

const remember = (draft: Draft): void => {
  const { bwShortTerm, inflightLongTerm, inflightShortTerm, phase } = draft
  draft.undo = { phase, bwShortTerm, inflightShortTerm, inflightLongTerm }
}

/** Loss changes what is believed of the path, through the model, and not the window. */
const onLoss = (self: Bbr): Bbr =>
  changed(self, (draft) => {
    remember(draft)
    Cycle.saveWindow(draft, false)
    draft.recoveryRounds = 0
    draft.isConserving = !draft.fullBwReached
  })

const onTimeout = (self: Bbr): Bbr =>
  changed(self, (draft) => {
    remember(draft)
    Cycle.saveWindow(draft, draft.window < draft.priorWindow)
    draft.window = draft.mss
  })

/** A mark is a loss that lost nothing: the round's lower bounds follow it. */
const onEcn = (self: Bbr): Bbr => self.lossInRound ? self : { ...self, lossInRound: true, lossRound: self.delivered }

const onRecoveryExit = (self: Bbr): Bbr => changed(self, Cycle.restoreWindow)

const undo = (self: Bbr, now: Time.Instant): Bbr => {
  const { undo } = self
  if (undo === undefined) return self
  return changed(self, (draft) => {
    draft.undo = undefined
    draft.lossInRound = false
    Model.resetFullBw(draft)
    draft.bwShortTerm = Math.max(draft.bwShortTerm, undo.bwShortTerm)
    draft.inflightShortTerm = Math.max(draft.inflightShortTerm, undo.inflightShortTerm)
    draft.inflightLongTerm = Math.max(draft.inflightLongTerm, undo.inflightLongTerm)
    Cycle.restoreWindow(draft)
    if (draft.phase === "ProbeRtt" || draft.phase === undo.phase) return
    if (undo.phase === "Startup") Cycle.enterStartup(draft)
    else if (undo.phase === "Up") Cycle.startUp(draft, now, draft.maxBw.value)
  })
}

/** After a pause the path is known still: it is paced at its bandwidth instead of being learned anew. */
const onIdle = (self: Bbr, idle: Idle): Bbr =>
  changed(self, (draft) => {
    draft.idleRestart = true
    draft.extraAckedFrom = idle.now
    draft.extraAckedDelivered = 0
    if (State.isProbingBw(draft.phase)) State.setPacingRate(draft, 1)
    else if (draft.phase === "ProbeRtt") Cycle.checkProbeRttDone(draft, idle.now)
  })

const onMss = (self: Bbr, mss: number): Bbr => ({
  ...self,
  mss,
  window: Math.max(mss, SlowStart.rescale(self.window, self.mss, mss)),
  initialWindow: SlowStart.rescale(self.initialWindow, self.mss, mss)
})

export const controller: Controller<Bbr> = {
  name: "bbr",
  start: State.start,
  onAck,
  onLoss,
  onTimeout,
  onEcn,
  onRecoveryExit,
  undo,
  onIdle,
  onMss,
  onLost,
  window: (self) => Math.floor(self.window),
  // There is no threshold; a recovery comes out with the window it has.
  ssthresh: (self) => Math.max(Math.floor(self.window), 2 * self.mss),
  pacingRate: (self) => self.pacingRate,
  needsPacing: true,
  // PRR is for windows that come down. Here the pace avoids bursts, the model bounds what is in flight, and what was lost has left the network: a pipe that is
  // refilled only by what arrives would stay shorter by all that was lost, and be measured as a slower path (deployed BBRv3 has no packet conservation either).
  governsRecovery: true
}
