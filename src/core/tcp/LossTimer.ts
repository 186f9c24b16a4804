/**
 * The retransmission timer (RFC 6298 §5) and its other uses: probes of a closed window (RFC 9293 §3.8.6.1).
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { noPieces } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Emit from "./Emit.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Recovery from "./Recovery.ts"
import * as Rtt from "./Rtt.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"

const restart = (ctx: Context, self: Connection): Connection =>
  Deadlines.withLoss(self, "retransmit", Time.plus(ctx.at, Rtt.rtoOf(self.rtt, self.config)))

/** Text has left: the timer runs, if it did not (rfc: 6298 §5.1). */
export const sent = (ctx: Context, self: Connection): Connection =>
  self.deadlines.loss === Time.never || self.deadlines.purpose === "persist" ? restart(ctx, self) : self

/** New text is acknowledged: the timer begins anew for the rest (rfc: 6298 §5.3), or stops (rfc: 6298 §5.2). */
export const acknowledged = (ctx: Context, self: Connection): Connection =>
  Connections.inFlight(self) > 0 ? restart(ctx, self) : Deadlines.withLoss(self, "retransmit", Time.never)

/** Text waits, nothing is on its way and the window is closed: only a probe can open it again. */
export const persist = (ctx: Context, self: Connection): Connection => {
  const isStuck = Connections.inFlight(self) === 0 && self.snd.credit === 0 &&
    (Connections.unsent(self) > 0 || Connections.finUnsent(self)) && self.snd.wnd < self.snd.mss
  if (!isStuck) {
    return self.deadlines.purpose === "persist" && self.deadlines.loss !== Time.never
      ? Deadlines.withLoss(self, "retransmit", Time.never)
      : self
  }
  if (self.deadlines.loss !== Time.never) return self
  return Deadlines.withLoss(self, "persist", Time.plus(ctx.at, probeAfter(self)))
}

/** Probes start after a retransmission timeout and are spread exponentially (rfc: 9293 §3.8.6.1 SHLD-29 SHLD-30). */
const probeAfter = (self: Connection): Time.Span =>
  Time.min(Time.scale(Rtt.rtoOf(self.rtt, self.config), 2 ** self.recovery.timeouts), self.config.maxRto)

/**
 * Asks a closed window whether it has opened (rfc: 9293 §3.8.6.1 MUST-36): an old number without text, which must be answered by an ACK with the window.
 * The peer may keep it closed for ever as long as it answers (MUST-37). A window that is open by a little is used instead: the count of timeouts lets a
 * short segment leave (RFC 9293 §3.8.6.2.1, the override timeout).
 */
const probe = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  const { recovery } = self
  if (recovery.probes >= self.config.retries) return giveUp(ctx, state, self)
  ctx.count(Counter.index.tcpZeroWindowProbes)
  const counted: Connection = {
    ...self,
    recovery: { ...recovery, timeouts: recovery.timeouts + 1, probes: recovery.probes + 1 }
  }
  if (self.snd.wnd > 0) return counted
  const asked = Emit.segment(ctx, counted, Sequence.add(self.snd.una, -1), Tcp.ACK, noPieces, 0, self.snd.mss)
  return Deadlines.withLoss(asked, "persist", Time.plus(ctx.at, probeAfter(counted)))
}

/** Nobody answers any more (RFC 9293 §3.8.3 R2). */
const giveUp = (ctx: Context, state: State, self: Connection): undefined => {
  Emit.abort(ctx, self)
  Lifecycle.end(ctx, state, self, self.error ?? Reason.timedOut("retransmission"))
}

/** The timer has fired. `undefined` when the connection is no more. */
export const timeout = (
  ctx: Context,
  state: State,
  self: Connection,
  purpose: Deadlines.Purpose
): Connection | undefined => {
  if (purpose === "persist") return probe(ctx, state, self)
  if (Connections.inFlight(self) === 0) return self
  if (self.recovery.timeouts >= self.config.retries) return giveUp(ctx, state, self)
  return restart(ctx, Recovery.onTimeout(ctx, self))
}
