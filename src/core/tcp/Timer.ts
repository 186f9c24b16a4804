/**
 * The deadlines of a connection and the one alarm that serves them all (`core/Timer.ts` asks for it).
 */
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import * as Alarm from "../Timer.ts"
import type { Connection } from "./Connection.ts"

/** What the retransmission timer is running for; one at a time, as in deployed stacks. */
export type Purpose = "handshake" | "retransmit" | "tailLossProbe" | "reordering" | "persist"

export interface Deadlines {
  readonly loss: Time.Instant
  readonly purpose: Purpose
  /** When the RTO is to expire, whatever the timer is set to before. */
  readonly rtoAt: Time.Instant
  readonly delayedAck: Time.Instant
  /** The pace allows the next segment. */
  readonly pace: Time.Instant
  readonly slow: Slow
}

/** Those that are rarely set; shared while none is. */
export interface Slow {
  readonly keepAlive: Time.Instant
  /** The user timeout, or the connect timeout. */
  readonly user: Time.Instant
  /** FIN-WAIT-2 of a connection that nobody holds, or TIME-WAIT. */
  readonly closing: Time.Instant
  readonly linger: Time.Instant
  readonly cork: Time.Instant
  /** Memory of an idle connection is given back. */
  readonly trim: Time.Instant
}

export const calm: Slow = Object.freeze({
  keepAlive: Time.never,
  user: Time.never,
  closing: Time.never,
  linger: Time.never,
  cork: Time.never,
  trim: Time.never
})

export const none: Deadlines = Object.freeze({
  loss: Time.never,
  purpose: "retransmit",
  rtoAt: Time.never,
  delayedAck: Time.never,
  pace: Time.never,
  slow: calm
})

/** Sets the retransmission timer; `Time.never` stops it. */
export const withLoss = (
  self: Connection,
  purpose: Purpose,
  at: Time.Instant,
  rtoAt: Time.Instant
): Connection => {
  const { delayedAck, loss, pace, slow } = self.deadlines
  if (loss === at && self.deadlines.purpose === purpose && self.deadlines.rtoAt === rtoAt) return self
  return { ...self, deadlines: { loss: at, purpose, rtoAt, delayedAck, pace, slow } }
}

export const withDelayedAck = (self: Connection, at: Time.Instant): Connection => {
  const { delayedAck, loss, pace, purpose, rtoAt, slow } = self.deadlines
  return delayedAck === at ? self : { ...self, deadlines: { loss, purpose, rtoAt, delayedAck: at, pace, slow } }
}

export const withPace = (self: Connection, at: Time.Instant): Connection =>
  self.deadlines.pace === at ? self : { ...self, deadlines: { ...self.deadlines, pace: at } }

/** Sets one of the slow deadlines. */
export const withSlow = (self: Connection, name: keyof Slow, at: Time.Instant): Connection => {
  const { deadlines } = self
  return deadlines.slow[name] === at
    ? self
    : { ...self, deadlines: { ...deadlines, slow: { ...deadlines.slow, [name]: at } } }
}

const earliest = (self: Deadlines): Time.Instant => {
  const fast = Time.earliest(Time.earliest(self.loss, self.delayedAck), self.pace)
  const { slow } = self
  if (slow === calm) return fast
  return Time.earliest(
    Time.earliest(fast, Time.earliest(slow.keepAlive, slow.user)),
    Time.earliest(Time.earliest(slow.closing, slow.linger), Time.earliest(slow.cork, slow.trim))
  )
}

/** The same with the shared records where no deadline is set. */
export const settled = (self: Connection): Connection => {
  const { deadlines } = self
  const isCalm = earliest({ ...deadlines, slow: calm }) === Time.never
  const { slow } = deadlines
  const isSlowCalm = earliest({ ...none, slow }) === Time.never
  if (isCalm && isSlowCalm) return { ...self, deadlines: none }
  return isSlowCalm && slow !== calm ? { ...self, deadlines: { ...deadlines, slow: calm } } : self
}

/** Those with the times of the ACK and of idle memory; the same record if it has them. */
export const at = (self: Deadlines, delayedAck: Time.Instant, trim: Time.Instant): Deadlines => {
  const { loss, pace, purpose, rtoAt, slow } = self
  if (slow.trim !== trim) return { loss, purpose, rtoAt, delayedAck, pace, slow: { ...slow, trim } }
  return self.delayedAck === delayedAck ? self : { loss, purpose, rtoAt, delayedAck, pace, slow }
}

/** Asks for an alarm at the earliest of the deadlines. */
export const armed = (ctx: Context, self: Connection, deadlines: Deadlines): Alarm.Armed => {
  const deadline = earliest(deadlines)
  if (deadline === self.timer.deadline && deadline !== Time.never) return self.timer
  const timer = Alarm.arm(ctx, { _tag: "Tcp", key: self.id }, self.timer, deadline)
  return timer.deadline === Time.never && timer.alarm === Time.never ? Alarm.idle : timer
}

/** {@link armed} for the deadlines that the connection has. */
export const arm = (ctx: Context, self: Connection): Connection => {
  const timer = armed(ctx, self, self.deadlines)
  return timer === self.timer ? self : { ...self, timer }
}

export const isDue = (deadline: Time.Instant, at: Time.Instant): boolean => deadline <= at
