/**
 * A connection's congestion controller: the record of functions that its name stands for, and that controller's state.
 */
import type * as Time from "../Time.ts"
import type { Config } from "./Config.ts"
import type { AckSample, Controller, Start } from "./congestion/Controller.ts"
import { initialWindow } from "./congestion/Controller.ts"
import * as Controllers from "./congestion/table.ts"

export interface Control {
  /** Its state is the controller's own affair; only its functions look inside. */
  readonly controller: Controller<any>
  readonly state: unknown
}

/** What a controller is told to begin with. */
const beginning = (config: Config, now: Time.Instant, mss: number, initialWindow: number): Start =>
  config.windowRules === "deployed"
    ? { now, mss, initialWindow, slowStartLimitAfterTimeout: Infinity, pausesHalve: true }
    : { now, mss, initialWindow }

/** SMSS as controllers see it before a handshake has told it: no controller has to do with segments of no size (rfc: 9293 §3.7.1 MUST-15). */
const known = (mss: number): number => mss > 0 ? mss : smallestDefault
const smallestDefault = 536

export const start = (config: Config, mss: number, at: Time.Instant): Control => {
  // Requests with a name that nobody has are refused before (`Knobs.ts`).
  const controller = Controllers.find(config.congestionControl) ?? Controllers.table.cubic
  const size = known(mss)
  return {
    controller,
    state: controller.start(beginning(config, at, size, initialWindow(size, config.initialWindow)))
  }
}

/**
 * The control of a connection whose handshake took so many retransmissions. One may have been for nothing, as the first timeout is short; more mean that the
 * path is full, which the initial window must not make worse (rfc: 6928 §2, 5681 §3.1 MUST).
 */
export const afterHandshake = (config: Config, mss: number, at: Time.Instant, retransmissions: number): Control =>
  start(retransmissions > 1 ? { ...config, initialWindow: 1 } : config, mss, at)

/** Another controller goes on from the window that this one has come to. */
export const replaced = (self: Control, config: Config, mss: number, at: Time.Instant): Control => {
  const controller = Controllers.find(config.congestionControl) ?? Controllers.table.cubic
  return { controller, state: controller.start(beginning(config, at, known(mss), window(self))) }
}

/** The control after its controller's state has moved on; the same record if it has not. */
export const moved = (self: Control, state: unknown): Control =>
  state === self.state ? self : { controller: self.controller, state }

/** An ACK has reported something new. */
export const onAck = (self: Control, ack: AckSample): Control => moved(self, self.controller.onAck(self.state, ack))

/** cwnd in bytes. */
export const window = (self: Control): number => self.controller.window(self.state)

/** What a cut is measured by (RFC 9438 §4.6): what was in flight, or the window, where all that counts is what was allowed. */
export const cutFrom = (self: Control, config: Config, flightSize: number): number =>
  config.windowRules === "deployed" ? Math.max(window(self), flightSize) : flightSize
