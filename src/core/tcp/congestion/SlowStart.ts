/**
 * The beginning that window-based controllers share: slow start by counted bytes (RFC 5681 §3.1, RFC 3465 §2.2), the validity of a window (RFC
 * 7661), the restart after a pause (RFC 5681 §4.1) and a changed segment size.
 */
import type { AckSample, Idle, Start } from "./Controller.ts"
import { conservativeWindow } from "./Controller.ts"

/** What every window-based controller's state holds. */
export interface Windowed {
  readonly mss: number
  /** cwnd in bytes; may hold fractions of a byte. */
  readonly window: number
  readonly ssthresh: number
  /** RW: the most to begin with after a pause. */
  readonly restartWindow: number
  /** L, in segments. */
  readonly slowStartLimit: number
  readonly limitAfterTimeout: number
  readonly pausesHalve: boolean
}

export const make = (params: Start): Windowed => ({
  mss: params.mss,
  window: params.initialWindow,
  // rfc: 5681 §3.1 SHOULD: arbitrarily high, so that the network sets it.
  ssthresh: Infinity,
  restartWindow: params.initialWindow,
  slowStartLimit: params.slowStartLimit ?? Infinity,
  limitAfterTimeout: params.slowStartLimitAfterTimeout ?? 1,
  pausesHalve: params.pausesHalve ?? false
})

/** rfc: 5681 §3.1: below ssthresh. */
export const isSlowStart = (self: Windowed): boolean => self.window < self.ssthresh

/**
 * How many bytes this ACK opens the window by in slow start, before a look at ssthresh.
 *
 * Not at all while no more than half the window was used: it was never validated (RFC 7661 §4.3). After a timeout one segment an ACK, since such ACKs cover what
 * has long left the network (rfc: 3465 §2.3 MUST).
 */
export const growth = (self: Windowed, ack: AckSample): number => {
  if (self.window >= 2 * ack.mostInFlight) return 0
  const limit = ack.recovery === "timeout" ? self.limitAfterTimeout : self.slowStartLimit
  return Math.min(ack.bytesAcked, limit * self.mss)
}

/** The window after a pause that was longer than the RTO (rfc: 5681 §4.1 SHOULD). */
export const afterPause = (self: Windowed, idle: Idle): number =>
  self.pausesHalve
    ? Math.max(self.restartWindow, self.window / 2 ** Math.ceil(idle.idleFor / idle.rto - 1))
    : self.restartWindow

/** RW after a loss: if even the restart window was too much, the next pause ends with the old one (RFC 6928 §2 SHOULD). */
export const restartAfterLoss = (self: Windowed): number =>
  self.window <= self.restartWindow
    ? Math.min(self.restartWindow, conservativeWindow(self.mss))
    : self.restartWindow

/** A window in segments of another size: not more bytes than before if they shrink (rfc: 5681 §3.1 SHOULD). */
export const rescale = (bytes: number, from: number, to: number): number => to < from ? bytes * to / from : bytes
