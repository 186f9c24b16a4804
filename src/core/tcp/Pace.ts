/**
 * Pacing: text leaves spread over the round trip instead of in bursts, at the rate that the controller names.
 *
 *     not paced   ▮▮▮▮▮▮▮▮                    ▮▮▮▮▮▮▮▮
 *     paced       ▮  ▮  ▮  ▮  ▮  ▮  ▮  ▮      ▮  ▮  ▮
 */
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Deadlines from "./Timer.ts"

/** One timer serves at least so much time, so that a fast path costs no timer per segment. */
const quantum = Time.millis(1)

/**
 * The longest wait for one segment. A round-trip time that was measured over lost packets can make the rate as low as bytes per minute,
 * and a connection that waits for hours to send its FIN lives as long.
 */
const longest = Time.seconds(1)

/** How late a timer may be for what should have left meanwhile to leave then. A program's timers come late by a millisecond or more, as often as not. */
const mostLate = Time.millis(10)

/** Bytes per second, if the connection is to be paced. */
export const rateOf = (self: Connection): number | undefined => {
  const { controller, state } = self.control
  return self.config.pacing || controller.needsPacing ? controller.pacingRate(state) : undefined
}

/** Whether nothing may leave before the timer. */
export const isHeld = (ctx: Context, self: Connection): boolean =>
  self.deadlines.pace > ctx.at && self.deadlines.pace !== Time.never

/** The most text for one segment: what the rate gives in a quantum, at least two segments. */
export const burst = (self: Connection): number => {
  const rate = rateOf(self)
  return rate === undefined ? Infinity : Math.max(2 * self.snd.mss, rate * quantum / 1_000_000)
}

/** Bytes have left: the next may follow when their time at the rate is over, counted from when they should have left. */
export const sent = (ctx: Context, self: Connection, bytes: number): Connection => {
  const rate = rateOf(self)
  if (rate === undefined) return self
  const { pace } = self.deadlines
  const from = pace <= ctx.at ? Time.latest(pace, Time.minus(ctx.at, mostLate)) : ctx.at
  return Deadlines.withPace(self, Time.plus(from, Time.min(Time.micros(bytes / rate * 1_000_000), longest)))
}

/** Once all has left that may: what leaves later is not late by the pace, but for other reasons. */
export const settled = (ctx: Context, self: Connection): Connection =>
  self.deadlines.pace <= ctx.at ? Deadlines.withPace(self, Time.never) : self
