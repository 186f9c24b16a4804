/**
 * An alarm of a connection rang (RFC 9293 §3.10.8): whatever is due is done, in a fixed order, the fatal before the useful.
 */
import type { Context } from "../Context.ts"
import * as Reason from "../Reason.ts"
import * as Time from "../Time.ts"
import * as Alarm from "../Timer.ts"
import * as Close from "./Close.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Finish from "./Finish.ts"
import * as KeepAlive from "./KeepAlive.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Overdue from "./Overdue.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"
import * as UserTimeout from "./UserTimeout.ts"

/** The ends that deadlines bring. `undefined` when the connection is no more. */
const fatal = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  const { slow } = self.deadlines
  if (slow === Deadlines.calm) return self
  if (slow.closing <= ctx.at) {
    // TIME-WAIT is over, or nobody is left to wait for the peer's FIN.
    Lifecycle.end(ctx, state, self, undefined)
    return undefined
  }
  if (slow.linger <= ctx.at) {
    Close.lingerTimeout(ctx, state, self)
    return undefined
  }
  if (slow.user <= ctx.at && Connections.isOpening(self.state)) {
    Lifecycle.end(ctx, state, self, self.error ?? Reason.timedOut("connect"))
    return undefined
  }
  const alive = slow.user <= ctx.at ? UserTimeout.timeout(ctx, state, self) : self
  if (alive === undefined) return undefined
  return slow.keepAlive <= ctx.at ? KeepAlive.timeout(ctx, state, alive) : alive
}

/** What only lets something happen that Finish does. */
const harmless = (ctx: Context, self: Connection): Connection => {
  let next = self
  if (next.deadlines.delayedAck <= ctx.at) next = Finish.delayedAck(ctx, next)
  if (next.deadlines.slow.trim <= ctx.at) next = Finish.trim(ctx, next)
  return next
}

export const alarm = (ctx: Context, state: State, connection: Connection, due: Time.Instant): void => {
  const { armed, isDue } = Alarm.fired(ctx, { _tag: "Tcp", key: connection.id }, connection.timer, due)
  const current = { ...connection, timer: armed }
  if (!isDue) return ctx.put(state.entries, connection.id, current)
  const alive = fatal(ctx, state, current)
  const isOverdue = alive !== undefined && alive.deadlines.loss <= ctx.at
  const next = isOverdue ? Overdue.timeout(ctx, state, alive) : alive
  if (next !== undefined) Finish.event(ctx, state, harmless(ctx, next))
}
