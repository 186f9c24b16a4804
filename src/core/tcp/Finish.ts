/**
 * The end of every event of a connection: whoever can be served is served, what may leave leaves, what must be acknowledged is, and
 * the alarm is set. One segment, request or alarm causes at most one pure ACK (rfc: 9293 §3.10.7.4 MUST-58 MUST-59).
 */
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Fifo from "../data/Fifo.ts"
import * as Time from "../Time.ts"
import * as AckPolicy from "./AckPolicy.ts"
import * as Chronograph from "./Chronograph.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Emit from "./Emit.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Pace from "./Pace.ts"
import * as Parked from "./Parked.ts"
import * as Progress from "./Progress.ts"
import * as Receive from "./Receive.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as Send from "./Send.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"
import * as UserTimeout from "./UserTimeout.ts"
import * as Write from "./Write.ts"

const trimAfter = Time.seconds(1)

/** Answers those who wait for all to be acknowledged. */
const serveDrained = (ctx: Context, self: Connection): Connection => {
  const { waiters } = self.parked
  if (Fifo.isEmpty(waiters) || !Lifecycle.isDrained(self)) return self
  const left = Fifo.filter(waiters, (waiter) => {
    if (waiter.until !== "drained" && waiter.until !== "linger") return true
    Lifecycle.answer(ctx, waiter.ticket, undefined)
    return false
  })
  return left === waiters
    ? self
    : Deadlines.withSlow({ ...self, parked: Parked.withWaiters(self.parked, left) }, "linger", Time.never)
}

const serve = (ctx: Context, self: Connection): Connection => {
  if (self.parked === Parked.none) return self
  const read = Receive.serveReaders(ctx, self)
  const written = Write.serveWriters(ctx, read === self ? self : Receive.updateWindow(ctx, read))
  return serveDrained(ctx, written)
}

/** Sends the ACK that is due now, unless the next event does. Should that be wrong, the ACK is delayed and not lost. */
const acknowledge = (ctx: Context, self: Connection): Connection =>
  self.ack.due !== "now" || (ctx.isFollowed && Emit.mayYield(self)) ? self : Emit.ack(ctx, self)

/** When the ACK leaves that waits for company. */
const ackAt = (ctx: Context, { ack, config, deadlines }: Connection): Time.Instant => {
  if (ack.due === "no") return Time.never
  return deadlines.delayedAck === Time.never ? Time.plus(ctx.at, config.delayedAck) : deadlines.delayedAck
}

/** The delayed ACK's time has come. */
export const delayedAck = (ctx: Context, self: Connection): Connection => {
  const quiet = Deadlines.withDelayedAck(self, Time.never)
  if (quiet.ack.due !== "delayed") return quiet
  ctx.count(Counter.index.tcpDelayedAcks)
  return { ...quiet, ack: AckPolicy.overdue(quiet.ack) }
}

/** What was used is let go after a while in which nothing comes, so that an idle connection is small. */
const trimAt = (ctx: Context, { board, buffer, deadlines }: Connection): Time.Instant =>
  deadlines.slow.trim !== Time.never || (buffer.held === 0 && board.tail === 0)
    ? deadlines.slow.trim
    : Time.plus(ctx.at, trimAfter)

/** What every event leaves behind, in one copy of the record: deadlines, the alarm for them, and what limits the sender. */
const concluded = (ctx: Context, self: Connection): Connection => {
  const deadlines = Deadlines.at(self.deadlines, ackAt(ctx, self), trimAt(ctx, self))
  const limits = Chronograph.noted(ctx, self)
  const timer = Deadlines.armed(ctx, self, deadlines)
  return deadlines === self.deadlines && limits === self.limits && timer === self.timer
    ? self
    : { ...self, deadlines, limits, timer }
}

/** The time to look for idle memory has come. */
export const trim = (ctx: Context, self: Connection): Connection => {
  const idleAt = Time.plus(self.rcv.lastAt, trimAfter)
  if (idleAt > ctx.at) return Deadlines.withSlow(self, "trim", idleAt)
  const buffer = ReceiveBuffer.trim(self.buffer)
  if (buffer.held < self.buffer.held) ctx.discharge("tcpReceive", self.buffer.held - buffer.held)
  const isIdle = Connections.inFlight(self) === 0
  const board = isIdle ? Scoreboard.make(self.snd.nxt) : self.board
  return Deadlines.settled(Deadlines.withSlow({ ...self, buffer, board }, "trim", Time.never))
}

/** Sends what may leave, and lets writers that wait for the low water write what can follow it at once. */
const push = (ctx: Context, connection: Connection): Connection => {
  let self = Send.push(ctx, connection)
  while (!Fifo.isEmpty(self.parked.writers) && Write.room(self) > 0) {
    const written = Write.serveWriters(ctx, self)
    if (written === self) return self
    self = Send.push(ctx, written)
  }
  return self
}

/** Puts the connection back with everything done that follows from the event. */
export const event = (ctx: Context, state: State, connection: Connection): void => {
  const served = serve(ctx, connection)
  const pushed = Pace.settled(ctx, UserTimeout.watch(ctx, push(ctx, served)))
  const done = concluded(ctx, acknowledge(ctx, pushed))
  if (ctx.config.telemetry) Progress.tell(ctx, state, done)
  ctx.put(state.entries, connection.id, done)
}
