/**
 * CUBIC (RFC 9438), the default: after a loss the window returns to where it was along a cubic function of time, flat around the old
 * maximum, so it grows alike on long and short paths. Where Reno would be faster, it is Reno (§4.3).
 *
 *     window                                W(t) = C (t - K)³ + Wmax
 *       │                            ╱
 *     Wmax ┈┈┈┈┈┈┈┈┈┈┈┈┈╭───────────╯        concave up to Wmax, convex beyond
 *       │            ╭──╯
 *     β·W ┈┈┈┈┈┈┈┈┈┈╱
 *       └──────────┴────────────┴──────▶ t
 *               epoch        epoch + K
 *
 * Windows are in bytes, so C and the segment of Reno's growth are multiplied by SMSS. Slow start is HyStart++.
 */
import * as Time from "../../Time.ts"
import type { AckSample, CongestionEvent, Controller, Idle, Start, Timeout } from "./Controller.ts"
import { pace } from "./Controller.ts"
import * as HyStart from "./HyStart.ts"
import * as SlowStart from "./SlowStart.ts"

/** C in segments per second cubed (rfc: 9438 §5.1 SHOULD). */
const aggressiveness = 0.4
/** rfc: 9438 §4.6 SHOULD */
// §4.1, §4.6
const beta = 0.7
/** What makes an AIMD with this beta as fast as Reno (§4.3). */
const renoAlpha = 3 * (1 - beta) / (1 + beta)
/** Growth per round trip stays below slow start's (§4.2). */
const fastestGrowth = 1.5

/** What is known of the present stage of congestion avoidance. */
export interface Epoch {
  /** When it began; moved on by pauses, in which time does not count (rfc: 9438 §4.2 MUST). */
  readonly since: Time.Instant
  /** Seconds from the start to the plateau. */
  readonly k: number
  /** The plateau, in bytes. */
  readonly plateau: number
  /** What Reno's window would be, in bytes. */
  readonly reno: number
}

export interface Cubic extends SlowStart.Windowed {
  /** Wmax, in bytes: the window at the last congestion, or less by fast convergence; 0 when there is none to return to. */
  readonly wMax: number
  /** cwnd_prior, in bytes. */
  readonly prior: number
  readonly epoch: Epoch | undefined
  /** The last ACK at which the window did grow or might have. */
  readonly grewAt: Time.Instant
  readonly hyStart: HyStart.HyStart
  readonly undo: Cubic | undefined
  readonly srtt: Time.Span | undefined
}

const start = (params: Start): Cubic => {
  const begun = SlowStart.make(params)
  // Named one by one: of a record that is spread into a longer one the engine keeps the rest in an array beside it.
  return {
    mss: begun.mss,
    window: begun.window,
    ssthresh: begun.ssthresh,
    restartWindow: begun.restartWindow,
    slowStartLimit: begun.slowStartLimit,
    limitAfterTimeout: begun.limitAfterTimeout,
    pausesHalve: begun.pausesHalve,
    wMax: 0,
    prior: 0,
    epoch: undefined,
    grewAt: params.now,
    hyStart: HyStart.initial,
    undo: undefined,
    srtt: undefined
  }
}

/** W_cubic (§4.2, equation 1), `seconds` after the start of the stage. */
const curve = (epoch: Epoch, mss: number, seconds: number): number =>
  aggressiveness * mss * (seconds - epoch.k) ** 3 + epoch.plateau

const begin = (self: Cubic, now: Time.Instant): Epoch =>
  // Nothing to return to: after a timeout (§4.8), after HyStart++ (§4.10), or already above it. The plateau is here.
  self.wMax <= self.window
    ? { since: now, k: 0, plateau: self.window, reno: self.window }
    : {
      since: now,
      k: Math.cbrt((self.wMax - self.window) / (aggressiveness * self.mss)),
      plateau: self.wMax,
      reno: self.window
    }

/** Congestion avoidance (§4.2 to §4.5): where the window is `bytes` acknowledged bytes later. */
const avoid = (self: Cubic, ack: AckSample, bytes: number): Cubic => {
  const begun = self.epoch ?? begin(self, ack.now)
  const share = Math.min(bytes, self.window) / self.window
  const alpha = begun.reno >= self.prior ? 1 : renoAlpha
  const epoch = { ...begun, reno: begun.reno + alpha * self.mss * share }
  const seconds = Time.between(epoch.since, ack.now) / 1_000_000
  const next = { ...self, epoch, grewAt: ack.now, srtt: ack.srtt }
  // rfc: 9438 §4.3 SHOULD: the Reno-friendly region.
  if (curve(epoch, self.mss, seconds) < epoch.reno) return { ...next, window: Math.max(self.window, epoch.reno) }
  const target = curve(epoch, self.mss, seconds + (ack.srtt ?? 0) / 1_000_000)
  const bounded = Math.min(Math.max(target, self.window), self.window * fastestGrowth)
  // rfc: 9438 §4.4 MUST, §4.5 MUST
  return { ...next, window: self.window + (bounded - self.window) * share }
}

/** Takes the time since the window last grew out of the stage: something else was the limit (rfc: 9438 §4.2 MUST, §5.8). */
const pause = (self: Cubic, now: Time.Instant): Cubic =>
  self.epoch === undefined ? self : {
    ...self,
    epoch: { ...self.epoch, since: Time.plus(self.epoch.since, Time.between(self.grewAt, now)) },
    grewAt: now
  }

const slowStart = (self: Cubic, ack: AckSample): Cubic => {
  const isFirst = self.ssthresh === Infinity
  const hyStart = isFirst ? HyStart.onAck(self.hyStart, ack.rtt, ack.rate.isRoundStart) : self.hyStart
  // Out of slow start without a loss (§4.10): the plateau is here.
  if (isFirst && hyStart.phase === "done") {
    return { ...self, hyStart, ssthresh: self.window, prior: self.window, wMax: 0, srtt: ack.srtt }
  }
  const growth = SlowStart.growth(self, ack) / HyStart.divisor(hyStart)
  const slow = Math.min(growth, self.ssthresh - self.window)
  const grown = { ...self, hyStart, window: self.window + slow, srtt: ack.srtt }
  return growth > slow && !ack.isAppLimited ? avoid(grown, ack, growth - slow) : grown
}

const onAck = (self: Cubic, ack: AckSample): Cubic => {
  // In fast recovery the window is where it is meant to end.
  if (ack.recovery === "fast" || ack.bytesAcked === 0 || ack.isMarked) return self
  if (SlowStart.isSlowStart(self)) return slowStart(self, ack)
  return ack.isAppLimited ? pause(self, ack.now) : avoid(self, ack, ack.bytesAcked)
}

/** The window that congestion finds: in slow start what was really in flight, since half of it may never have been used. */
const reached = (self: Cubic, flightSize: number): number =>
  SlowStart.isSlowStart(self) ? Math.min(self.window, flightSize) : self.window

/** §4.6 and §4.7: the decrease, with fast convergence. `least` is in segments. */
const decrease = (self: Cubic, event: CongestionEvent, least: number): Cubic => {
  const prior = reached(self, event.flightSize)
  const ssthresh = prior * beta
  return {
    ...self,
    wMax: prior < self.wMax ? prior * (1 + beta) / 2 : prior,
    prior,
    window: Math.max(ssthresh, least * self.mss),
    ssthresh: Math.max(ssthresh, 2 * self.mss),
    epoch: undefined,
    hyStart: HyStart.done,
    restartWindow: SlowStart.restartAfterLoss(self),
    undo: { ...self, undo: undefined }
  }
}

// rfc: 9438 §4.6 MUST
const onLoss = (self: Cubic, loss: CongestionEvent): Cubic => decrease(self, loss, 2)

/** §4.8: Reno's window with CUBIC's threshold; the next stage begins at its plateau. */
const onTimeout = (self: Cubic, timeout: Timeout): Cubic => ({
  ...(timeout.isRepeated ? self : decrease(self, timeout, 2)),
  window: self.mss,
  wMax: 0,
  epoch: undefined
})

// rfc: 9438 §4.6 MUST: marks may take the window down to one segment.
const onEcn = (self: Cubic, mark: CongestionEvent): Cubic => decrease(self, mark, 1)

const onRecoveryExit = (self: Cubic): Cubic => self.window > self.ssthresh ? { ...self, window: self.ssthresh } : self

/** §4.9.2: the values of before the congestion, unless the window has outgrown them. */
const undo = (self: Cubic): Cubic =>
  self.undo === undefined || self.window >= self.undo.window
    ? { ...self, undo: undefined }
    : { ...self.undo, mss: self.mss, srtt: self.srtt }

/** rfc: 5681 §4.1 SHOULD, with the rate that was sustained kept as the threshold (RFC 7661 §4.4.3). */
const onIdle = (self: Cubic, idle: Idle): Cubic =>
  idle.idleFor <= idle.rto || self.window <= self.restartWindow ? pause(self, idle.now) : {
    ...self,
    window: SlowStart.afterPause(self, idle),
    ssthresh: Math.max(self.ssthresh, self.window * 3 / 4),
    epoch: undefined
  }

const onMss = (self: Cubic, mss: number): Cubic => ({
  ...self,
  mss,
  window: Math.max(mss, SlowStart.rescale(self.window, self.mss, mss)),
  restartWindow: SlowStart.rescale(self.restartWindow, self.mss, mss),
  epoch: undefined
})

export const controller: Controller<Cubic> = {
  name: "cubic",
  start,
  onAck,
  onLoss,
  onTimeout,
  onEcn,
  onRecoveryExit,
  undo,
  onIdle,
  onMss,
  window: (self) => Math.floor(self.window),
  ssthresh: (self) => self.ssthresh,
  pacingRate: (self) => pace(self.window, self.ssthresh, self.srtt),
  needsPacing: false
}
