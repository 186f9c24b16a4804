/**
 * The user timeout (RFC 9293 §3.8.3, RFC 5482): how long text may stay unacknowledged before the connection is given up, if the program says so.
 */
import type { Context } from "../Context.ts"
import * as Reason from "../Reason.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Emit from "./Emit.ts"
import * as Lifecycle from "./Lifecycle.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"
import * as UserTimeoutOption from "./UserTimeoutOption.ts"

/** Something waits to be acknowledged, or to be sent through a closed window. */
const isWaiting = (self: Connection): boolean => Connections.inFlight(self) > 0 || Connections.unsent(self) > 0

/** Starts the time when there is something to wait for, stops it when there is nothing. */
export const watch = (ctx: Context, self: Connection): Connection => {
  const userTimeout = UserTimeoutOption.inForce(self)
  if (userTimeout === 0) return self
  if (!isWaiting(self)) return Deadlines.withSlow(self, "user", Time.never)
  return self.deadlines.slow.user === Time.never
    ? Deadlines.withSlow(self, "user", Time.plus(ctx.at, userTimeout))
    : self
}

/** The peer has acknowledged something: the time begins anew. */
export const progress = (self: Connection): Connection =>
  UserTimeoutOption.inForce(self) === 0 ? self : Deadlines.withSlow(self, "user", Time.never)

/** The time is over (RFC 9293 §3.10.8, USER TIMEOUT). */
export const timeout = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  if (!isWaiting(self)) return Deadlines.withSlow(self, "user", Time.never)
  if (ctx.config.tcp.resetsUnanswered) Emit.abort(ctx, self)
  Lifecycle.end(ctx, state, self, self.error ?? Reason.timedOut("user"))
  return undefined
}
