/**
 * The standard: slow start, congestion avoidance, halving (RFC 5681, RFC 6582), by counted bytes (RFC 3465).
 *
 *     window
 *       │        ╱│        ╱│
 *       │      ╱  │      ╱  │       + SMSS per round trip
 *       │    ╱    └╴   ╱    └╴      halved by a loss
 *       │  ╱ slow start
 */
import type { Span } from "../../Time.ts"
import type { AckSample, CongestionEvent, Controller, Idle, Start, Timeout } from "./Controller.ts"
import { pace } from "./Controller.ts"
import * as SlowStart from "./SlowStart.ts"

export interface NewReno extends SlowStart.Windowed {
  /** Bytes acknowledged towards the next segment of window (RFC 3465 §2.1). */
  readonly counted: number
  /** Before the last congestion, to come back to if it was none. */
  readonly undo: { readonly window: number; readonly ssthresh: number } | undefined
  readonly srtt: Span | undefined
}

const start = (params: Start): NewReno => ({
  ...SlowStart.make(params),
  counted: 0,
  undo: undefined,
  srtt: undefined
})

/** rfc: 5681 §3.1: one segment for each window that is acknowledged whole, never more per round trip. */
const avoid = (self: NewReno, ack: AckSample, bytes: number): NewReno => {
  if (ack.isAppLimited) return self
  const counted = self.counted + bytes
  if (counted < self.window) return { ...self, counted, srtt: ack.srtt }
  return { ...self, counted: counted - self.window, window: self.window + self.mss, srtt: ack.srtt }
}

const onAck = (self: NewReno, ack: AckSample): NewReno => {
  // In fast recovery the window is where it is meant to end.
  if (ack.recovery === "fast" || ack.bytesAcked === 0 || ack.isMarked) return self
  if (!SlowStart.isSlowStart(self)) return avoid(self, ack, ack.bytesAcked)
  const growth = SlowStart.growth(self, ack)
  const slow = Math.min(growth, self.ssthresh - self.window)
  const grown = { ...self, window: self.window + slow, srtt: ack.srtt }
  return growth > slow ? avoid(grown, ack, growth - slow) : grown
}

/** rfc: 5681 §3.1 MUST, equation 4 */
const half = (self: NewReno, flightSize: number): number => Math.max(flightSize / 2, 2 * self.mss)

const onLoss = (self: NewReno, loss: CongestionEvent): NewReno => {
  const ssthresh = half(self, loss.flightSize)
  return {
    ...self,
    window: ssthresh,
    ssthresh,
    counted: 0,
    restartWindow: SlowStart.restartAfterLoss(self),
    undo: { window: self.window, ssthresh: self.ssthresh }
  }
}

const onTimeout = (self: NewReno, timeout: Timeout): NewReno => ({
  ...self,
  // rfc: 5681 §3.1 MUST: the loss window is one segment.
  window: self.mss,
  ssthresh: timeout.isRepeated ? self.ssthresh : half(self, timeout.flightSize),
  counted: 0,
  restartWindow: SlowStart.restartAfterLoss(self),
  undo: timeout.isRepeated ? self.undo : { window: self.window, ssthresh: self.ssthresh }
})

// Full acknowledgement, rfc: 6582 §3.2 step 3 option (2); bursts are PRR's and the pace's business.
const onRecoveryExit = (self: NewReno): NewReno => ({ ...self, window: Math.min(self.window, self.ssthresh) })

const undo = (self: NewReno): NewReno =>
  self.undo === undefined ? self : {
    ...self,
    window: Math.max(self.window, self.undo.window),
    ssthresh: Math.max(self.ssthresh, self.undo.ssthresh),
    undo: undefined
  }

/** rfc: 5681 §4.1 SHOULD, with the rate that was sustained kept as the threshold (RFC 7661 §4.4.3). */
const onIdle = (self: NewReno, idle: Idle): NewReno =>
  idle.idleFor <= idle.rto || self.window <= self.restartWindow ? self : {
    ...self,
    window: SlowStart.afterPause(self, idle),
    ssthresh: Math.max(self.ssthresh, self.window * 3 / 4),
    counted: 0
  }

const onMss = (self: NewReno, mss: number): NewReno => ({
  ...self,
  mss,
  window: Math.max(mss, SlowStart.rescale(self.window, self.mss, mss)),
  restartWindow: SlowStart.rescale(self.restartWindow, self.mss, mss)
})

export const controller: Controller<NewReno> = {
  name: "newReno",
  start,
  onAck,
  onLoss,
  onTimeout,
  // rfc: 3168 §6.1.2 MUST: as if a segment had been lost.
  onEcn: onLoss,
  onRecoveryExit,
  undo,
  onIdle,
  onMss,
  window: (self) => Math.floor(self.window),
  ssthresh: (self) => self.ssthresh,
  pacingRate: (self) => pace(self.window, self.ssthresh, self.srtt),
  needsPacing: false
}
