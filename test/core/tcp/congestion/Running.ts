/**
 * A controller and its state in one value, as a connection holds them. Each function hands on to the controller's own, and answers the
 * value it was given when nothing changed.
 */
import type {
  AckSample,
  CongestionEvent,
  Controller,
  Idle,
  Lost,
  Start,
  Timeout
} from "../../../../src/core/tcp/congestion/Controller.ts"
import type { Instant } from "../../../../src/core/Time.ts"

export interface Running {
  readonly controller: Controller<any>
  /** Known to the controller alone. */
  readonly state: unknown
}

const next = (self: Running, state: unknown): Running =>
  state === self.state ? self : { controller: self.controller, state }

export const start = <S>(controller: Controller<S>, params: Start): Running => ({
  controller,
  state: controller.start(params)
})

export const onAck = (self: Running, ack: AckSample): Running => next(self, self.controller.onAck(self.state, ack))

export const onLoss = (self: Running, loss: CongestionEvent): Running =>
  next(self, self.controller.onLoss(self.state, loss))

export const onTimeout = (self: Running, timeout: Timeout): Running =>
  next(self, self.controller.onTimeout(self.state, timeout))

export const onEcn = (self: Running, mark: CongestionEvent): Running =>
  next(self, self.controller.onEcn(self.state, mark))

export const onRecoveryExit = (self: Running, now: Instant): Running =>
  next(self, self.controller.onRecoveryExit(self.state, now))

export const undo = (self: Running, now: Instant): Running => next(self, self.controller.undo(self.state, now))

export const onIdle = (self: Running, idle: Idle): Running => next(self, self.controller.onIdle(self.state, idle))

export const onMss = (self: Running, mss: number): Running => next(self, self.controller.onMss(self.state, mss))

export const onLost = (self: Running, lost: Lost): Running =>
  self.controller.onLost === undefined ? self : next(self, self.controller.onLost(self.state, lost))

/** cwnd, in bytes. */
export const window = (self: Running): number => self.controller.window(self.state)

/** In bytes; infinite before the first congestion. */
export const ssthresh = (self: Running): number => self.controller.ssthresh(self.state)

/** Bytes per second; undefined when nothing is known yet. */
export const pacingRate = (self: Running): number | undefined => self.controller.pacingRate(self.state)
