/**
 * Changing the knobs of a connection that lives. What both ends have agreed on stays as it is; the rest has its effect at once.
 */
import type { Context } from "../Context.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as Time from "../Time.ts"
import * as AckPolicy from "./AckPolicy.ts"
import * as Config from "./Config.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Finish from "./Finish.ts"
import * as Handshake from "./Handshake.ts"
import * as KeepAlive from "./KeepAlive.ts"
import * as Knobs from "./Knobs.ts"
import * as MtuProbe from "./MtuProbe.ts"
import type { TcpSetOptions } from "./Requests.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"
import * as UserTimeoutOption from "./UserTimeoutOption.ts"

/** A connection that waits for its first text has not asked its peer for anything yet. */
const isUndecided = (self: Connection): boolean => self.fastOpen === "waits"

/** Why the knobs can't be set; `undefined` when they can. */
const refusal = (self: Connection, options: Config.Options): Reason.Reason | undefined => {
  const wrong = Knobs.refusal(options)
  if (wrong !== undefined) return Reason.invalidArgument(wrong)
  const fixed = isUndecided(self) ? undefined : Knobs.fixed(self.config, options)
  return fixed === undefined ? undefined : Reason.invalidArgument(`${fixed} is fixed when a connection opens`)
}

/** The timers of keeping alive and of the user timeout begin anew when what they wait for has changed. */
const withTimers = (ctx: Context, connection: Connection, before: Config.Config): Connection => {
  const self = UserTimeoutOption.changed(connection, before)
  const { keepAlive, keepAliveIdle, keepAliveInterval } = self.config
  const isWatched = keepAlive === before.keepAlive && keepAliveIdle === before.keepAliveIdle &&
    keepAliveInterval === before.keepAliveInterval
  const watched = isWatched ? self : KeepAlive.start(ctx, self)
  return UserTimeoutOption.inForce(self) === (connection.timeoutOption.adopted || before.userTimeout)
    ? watched :
    Deadlines.withSlow(watched, "user", Time.never)
}

/** How many segments are acknowledged at once counts from now on. */
const withQuickAcks = (self: Connection, { options }: TcpSetOptions): Connection =>
  options.quickAcks === undefined ? self : { ...self, ack: AckPolicy.withQuick(self.ack, options.quickAcks) }

/** A new size of the receive buffer; what the peer was offered stays offered. */
const withBuffer = (self: Connection, before: Config.Config): Connection =>
  self.config.receiveBuffer === before.receiveBuffer
    ? self
    : { ...self, rcv: { ...self.rcv, size: self.config.receiveBuffer, first: self.config.receiveBuffer } }

const withController = (ctx: Context, self: Connection, before: Config.Config): Connection =>
  self.config.congestionControl === before.congestionControl
    ? self
    : { ...self, control: Control.replaced(self.control, self.config, self.snd.mss, ctx.at) }

/** A connect that waits gives up by its new timeout, from now on. */
const opening = (ctx: Context, self: Connection, before: Config.Config): Connection => {
  const patience = Handshake.patience(self.config)
  return patience === Handshake.patience(before) || isUndecided(self)
    ? self
    : Deadlines.arm(ctx, Deadlines.withSlow(self, "user", Time.plus(ctx.at, patience)))
}

/** Changes what may change while a connection lives; it may let text go at once (no delay, no cork, a smaller segment). */
export const setOptions = (
  ctx: Context,
  state: State,
  ticket: Ticket,
  self: Connection,
  request: TcpSetOptions
): void => {
  const wrong = refusal(self, request.options)
  if (wrong !== undefined) return ctx.fail(ticket, wrong)
  const before = self.config
  const changed = withBuffer(
    withQuickAcks({ ...self, config: Config.withOptions(before, request.options) }, request),
    before
  )
  ctx.reply(ticket, undefined)
  if (Connections.isOpening(self.state)) return ctx.put(state.entries, self.id, opening(ctx, changed, before))
  if (!Connections.isSynchronized(self.state) || self.state === "TIME-WAIT") {
    return ctx.put(state.entries, self.id, changed)
  }
  const sized = changed.config.maxSegment === before.maxSegment ? changed : MtuProbe.withMss(changed)
  Finish.event(ctx, state, withTimers(ctx, withController(ctx, sized, before), before))
}
