/**
 * The one timer of a sender and its four uses (RFC 6298 §5, RFC 8985 §6.3 and §7.2, RFC 9293 §3.8.6.1); the earliest is the one that is set.
 *
 *     reordering     RACK waits a little longer for what may only be late
 *     tailLossProbe  an ACK is overdue: ask for it
 *     retransmit     the RTO: nothing else has helped
 *     persist        the peer's window is closed: ask whether it has opened
 */
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Rtt from "./Rtt.ts"
import * as TailLossProbe from "./TailLossProbe.ts"
import * as Deadlines from "./Timer.ts"

/** The most that peers delay their ACKs (RFC 8985 §7.2: WCDelAckT, 200 ms). */
const longestDelayedAck = Time.millis(200)

/**
 * Whether an overdue ACK may be asked for: in the open phase, with SACK, once per round trip (rfc: 8985 §7.2, §7.3), and not with a tail that lies beyond a window which
 * the peer has taken back.
 */
const mayProbe = (self: Connection): boolean =>
  self.config.tailLossProbe && self.agreed.sack && self.recovery.phase === "open" &&
  TailLossProbe.mayProbe(self.tail) && Connections.inFlight(self) <= self.snd.wnd

/** Sets the timer to what comes first, given when the RTO is to expire. */
const set = (ctx: Context, self: Connection, rtoAt: Time.Instant): Connection => {
  const { lookAgain } = self.recovery
  if (lookAgain < rtoAt) return Deadlines.withLoss(self, "reordering", lookAgain, rtoAt)
  if (!mayProbe(self)) return Deadlines.withLoss(self, "retransmit", rtoAt, rtoAt)
  const isOneSegment = Connections.inFlight(self) <= self.snd.mss
  const probeAt = TailLossProbe.probeAt(ctx.at, self.rtt.srtt, isOneSegment, longestDelayedAck, rtoAt)
  // rfc: 8985 §7.2 SHOULD: where the RTO would be first, the probe takes its place.
  return Deadlines.withLoss(self, "tailLossProbe", probeAt, rtoAt)
}

/** The RTO begins anew (rfc: 6298 §5.3), and with it the rest. */
export const restart = (ctx: Context, self: Connection): Connection =>
  set(ctx, self, Time.plus(ctx.at, Rtt.rtoOf(self.rtt, self.config)))

/** The timer was used for something else meanwhile; the RTO still expires when it was to. */
export const resume = (ctx: Context, self: Connection): Connection =>
  self.deadlines.rtoAt === Time.never ? restart(ctx, self) : set(ctx, self, self.deadlines.rtoAt)

const stop = (self: Connection): Connection => Deadlines.withLoss(self, "retransmit", Time.never, Time.never)

/** New text has left: the RTO runs, if it did not (rfc: 6298 §5.1), and the probe waits for the ACK of this (rfc: 8985 §7.2). */
export const sent = (ctx: Context, self: Connection): Connection => {
  const { purpose, rtoAt } = self.deadlines
  // The SYN/ACK comes first: nothing else is sent again before it is acknowledged (RFC 7413 §4.2.2).
  if (purpose === "handshake") return self
  if (rtoAt === Time.never || purpose === "persist") return restart(ctx, self)
  return purpose === "tailLossProbe" ? set(ctx, self, rtoAt) : self
}

/** New text is acknowledged: the timer begins anew for the rest (rfc: 6298 §5.3), or stops (rfc: 6298 §5.2). */
export const acknowledged = (ctx: Context, self: Connection): Connection =>
  Connections.inFlight(self) > 0 ? restart(ctx, self) : stop(self)

/** An ACK said something without acknowledging more: when to look for losses may have changed. */
export const noted = (ctx: Context, self: Connection): Connection => {
  const { loss, purpose, rtoAt } = self.deadlines
  if (rtoAt === Time.never || purpose === "persist") return self
  // A probe that was to leave is out of place once losses are being repaired (rfc: 8985 §7.2); the RTO waits for what goes again (RFC 6675 §6).
  if (purpose === "tailLossProbe" && !mayProbe(self)) return restart(ctx, self)
  return self.recovery.lookAgain < loss || purpose === "reordering" ? set(ctx, self, rtoAt) : self
}

/** Text waits, nothing is on its way and the window is closed: only a probe can open it again. */
export const persist = (ctx: Context, self: Connection): Connection => {
  if (self.state === "SYN-RECEIVED") return self
  const isStuck = Connections.inFlight(self) === 0 && self.snd.credit === 0 &&
    (Connections.unsent(self) > 0 || Connections.finUnsent(self)) && self.snd.wnd < self.snd.mss
  const isSet = self.deadlines.loss !== Time.never
  if (!isStuck) return isSet && self.deadlines.purpose === "persist" ? stop(self) : self
  if (isSet && self.deadlines.purpose === "persist") return self
  return Deadlines.withLoss(self, "persist", Time.plus(ctx.at, probeAfter(self)), Time.never)
}

/** Probes start after a retransmission timeout and are spread exponentially (rfc: 9293 §3.8.6.1 SHLD-29 SHLD-30). */
export const probeAfter = ({ config, recovery, rtt }: Connection): Time.Span =>
  Time.clamp(
    Time.scale(Rtt.rtoOf(rtt, config), 2 ** recovery.timeouts),
    config.minProbeInterval,
    Time.min(config.maxProbeInterval, config.maxRto)
  )
