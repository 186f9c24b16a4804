/**
 * What kept a sender from sending, and for how long: the peer's window, its own send buffer, or neither (the times of RFC 4898's `SndLim` group, as Linux's
 * `TCP_INFO` tells them).
 *
 *     nothing to send ──▶ busy ◀──▶ window: the peer takes no more, though the network would
 *           ▲               ▲ ╰───▶ buffer: all is sent, and the program had more than the buffer took
 *           ╰── all is acknowledged
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Recovery from "./Recovery.ts"
import * as SendQueue from "./SendQueue.ts"
import * as Write from "./Write.ts"

export interface Chronograph {
  readonly limit: "none" | "busy" | "window" | "buffer"
  /** Since when. */
  readonly since: Time.Instant
  /** How long each lasted before that. */
  readonly busy: Time.Span
  readonly window: Time.Span
  readonly buffer: Time.Span
  /** A write that could not wait found too little room, and there has not been enough since. */
  readonly isFull: boolean
}

/** Nothing was ever sent; shared by all connections of which that is true. */
export const initial: Chronograph = Object.freeze({
  limit: "none",
  since: Time.instantOf(0),
  busy: Time.zero,
  window: Time.zero,
  buffer: Time.zero,
  isFull: false
})

/** A write has found too little room. */
export const full = (self: Connection): Connection =>
  self.limits.isFull ? self : { ...self, limits: { ...self.limits, isFull: true } }

/** The program has more to say than the buffer takes. */
const isFull = (self: Connection): boolean =>
  !Fifo.isEmpty(self.parked.writers) || (self.limits.isFull && 3 * Write.room(self) < Write.sendBuffer(self))

/** The next segment does not fit into the peer's window. */
const isShutOut = (self: Connection, waiting: number): boolean =>
  self.snd.wnd - Sequence.distance(self.snd.una, self.snd.nxt) < Math.min(waiting, self.snd.mss)

const limitOf = (self: Connection): Chronograph["limit"] => {
  if (SendQueue.length(self.queue) === 0) return "none"
  const waiting = Connections.unsent(self)
  if (waiting > 0 ? !isShutOut(self, waiting) : !isFull(self)) return "busy"
  // A network that takes no more is what holds back then, and that is nothing to tell.
  if (Recovery.allowance(self) <= 0) return "busy"
  return waiting > 0 ? "window" : "buffer"
}

/** The times up to now. */
export const read = ({ buffer, busy, limit, since, window }: Chronograph, at: Time.Instant) => {
  const span = limit === "none" ? Time.zero : Time.between(since, at)
  return {
    busyTime: Time.add(busy, span),
    windowLimitedTime: limit === "window" ? Time.add(window, span) : window,
    bufferLimitedTime: limit === "buffer" ? Time.add(buffer, span) : buffer
  }
}

/** At the end of an event: goes on, or begins to count something else. */
export const noted = (ctx: Context, self: Connection): Chronograph => {
  const { limits } = self
  if (limits.limit === "none" && SendQueue.length(self.queue) === 0) return limits
  const limit = limitOf(self)
  if (limit === limits.limit) return limits
  const { bufferLimitedTime, busyTime, windowLimitedTime } = read(limits, ctx.at)
  return {
    limit,
    since: ctx.at,
    busy: busyTime,
    window: windowLimitedTime,
    buffer: bufferLimitedTime,
    isFull: limits.isFull && isFull(self)
  }
}
