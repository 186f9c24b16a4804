/**
 * Probing a silent peer (RFC 9293 §3.8.4), for programs that want to know (rfc: 9293 §3.8.4 MUST-24 MUST-25).
 *
 *     silence: │── keepAliveIdle ──│ probe │─ interval ─│ probe │─ interval ─│ … keepAliveCount probes ──▶ timed out
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
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"
import * as UserTimeoutOption from "./UserTimeoutOption.ts"

/** Sets the first deadline, if the program wants probes. */
export const start = (ctx: Context, self: Connection): Connection =>
  Deadlines.withSlow(
    self,
    "keepAlive",
    self.config.keepAlive ? Time.plus(ctx.at, self.config.keepAliveIdle) : Time.never
  )

/** The number of the probe that is due, by the time for which the peer has been silent; they come at even intervals. */
const probeNumber = (self: Connection, silence: Time.Span): number =>
  1 + Math.max(0, Math.round((silence - self.config.keepAliveIdle) / self.config.keepAliveInterval))

/** Whether nobody answers any more: a user timeout says better than a count for how long a program will wait, as on Linux. */
const isTooLong = (self: Connection, silence: Time.Span, due: number): boolean => {
  const userTimeout = UserTimeoutOption.inForce(self)
  return userTimeout === 0 ? due > self.config.keepAliveCount : silence >= userTimeout
}

/**
 * The deadline has come: the peer may have been heard meanwhile, for hearing it moves no timer. `undefined` when the connection is given up.
 */
export const timeout = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  if (!Connections.isSynchronized(self.state)) return Deadlines.withSlow(self, "keepAlive", Time.never)
  const { config } = self
  const idleAt = Time.plus(self.rcv.lastAt, config.keepAliveIdle)
  if (idleAt > ctx.at) return Deadlines.withSlow(self, "keepAlive", idleAt)
  // Retransmissions and window probes ask the same question. rfc: 9293 §3.8.4 MUST-26
  if (Connections.inFlight(self) > 0 || self.deadlines.loss !== Time.never) {
    return Deadlines.withSlow(self, "keepAlive", Time.plus(ctx.at, config.keepAliveIdle))
  }
  const silence = Time.between(self.rcv.lastAt, ctx.at)
  const due = probeNumber(self, silence)
  // rfc: 9293 §3.8.4 MUST-29: one lost answer is not the end.
  if (due > 1 && isTooLong(self, silence, due)) {
    Emit.abort(ctx, self)
    Lifecycle.end(ctx, state, self, self.error ?? Reason.timedOut("keepAlive"))
    return undefined
  }
  ctx.count(Counter.index.tcpKeepAlives)
  return Deadlines.withSlow(probe(ctx, self), "keepAlive", Time.plus(ctx.at, config.keepAliveInterval))
}

/** An old number without text, which the peer must answer with an ACK (rfc: 9293 §3.8.4 SHLD-12). */
export const probe = (ctx: Context, self: Connection): Connection =>
  Emit.segment(ctx, self, Sequence.add(self.snd.una, -1), Tcp.ACK, noPieces, 0, self.snd.mss, false)
