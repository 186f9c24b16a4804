/**
 * The life of a connection's record: its states, its way out of the tables, and what everybody who waits is told.
 *
 *     Connection ── TIME-WAIT, held by nobody ──▶ TimeWait ──▶ gone
 *         │
 *         ├── CLOSED, held by nobody ──▶ gone
 *         ╰── CLOSED, held by a program ── stays, out of the index, until the program lets go: it answers
 *                                           with what is unread and with the reason of the end
 */
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Fifo from "../data/Fifo.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as ConnectionOf from "./Connection.ts"
import type { StateName } from "./Info.ts"
import * as Lookup from "./Lookup.ts"
import * as Parked from "./Parked.ts"
import * as Progress from "./Progress.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import * as SendQueue from "./SendQueue.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"
import * as TimeWait from "./TimeWait.ts"

const isEstablished = (state: StateName): boolean => state === "ESTABLISHED" || state === "CLOSE-WAIT"

/** Changes the state of RFC 9293 §3.3.2, and tells. */
export const become = (ctx: Context, self: Connection, state: StateName): Connection => {
  if (state === self.state) return self
  const change = Number(isEstablished(state)) - Number(isEstablished(self.state))
  if (change !== 0) ctx.count(Counter.index.tcpEstablished, change)
  ctx.notice({ _tag: "ConnectionState", connection: self.id, from: self.state, to: state })
  return { ...self, state }
}

/** Answers a parked ticket. */
export const answer = (ctx: Context, ticket: Ticket, value: unknown): void => {
  ctx.unpark(ticket)
  ctx.reply(ticket, value)
}

export const refuse = (ctx: Context, ticket: Ticket, reason: Reason.Reason): void => {
  ctx.unpark(ticket)
  ctx.fail(ticket, reason)
}

/** The answer to a read after the last byte. */
export const endOfStream = Object.freeze({ pieces: Object.freeze([]), spent: Object.freeze([]), length: 0, end: true })

const endReaders = (ctx: Context, self: Connection, reason: Reason.Reason | undefined): void => {
  const { readers } = self.parked
  for (let i = 0; i < Fifo.size(readers); i++) {
    const { ticket } = Fifo.get(readers, i)!
    if (reason === undefined) answer(ctx, ticket, endOfStream)
    else refuse(ctx, ticket, reason)
  }
}

const endWaiters = (ctx: Context, self: Connection, reason: Reason.Reason | undefined): void => {
  const { waiters, writers } = self.parked
  for (let i = 0; i < Fifo.size(writers); i++) refuse(ctx, Fifo.get(writers, i)!.ticket, reason ?? Reason.closed)
  for (let i = 0; i < Fifo.size(waiters); i++) {
    const waiter = Fifo.get(waiters, i)!
    const isMet = waiter.until === "closed" ||
      ((waiter.until === "drained" || waiter.until === "linger") && reason === undefined)
    if (isMet) answer(ctx, waiter.ticket, undefined)
    else refuse(ctx, waiter.ticket, reason ?? Reason.closed)
  }
}

/** Tells everybody who waits in the connection that it has ended. */
export const endParked = (ctx: Context, self: Connection, reason: Reason.Reason | undefined): void => {
  if (self.parked === Parked.none) return
  endReaders(ctx, self, reason)
  endWaiters(ctx, self, reason)
}

/** Takes the record of a connection out of all tables. */
export const remove = (ctx: Context, state: State, self: Connection): void => {
  if (self.state !== "CLOSED") Lookup.unlink(ctx, state, self)
  discharge(ctx, self)
  ctx.remove(state.entries, self.id)
  ctx.set(state.connections, state.connections.value - 1)
}

const discharge = (ctx: Context, self: Connection): void => {
  if (self.buffer.held > 0) ctx.discharge("tcpReceive", self.buffer.held)
  ReceiveBuffer.letGo(self.buffer, ctx)
  if (self.queue.held > 0) ctx.discharge("tcpSend", self.queue.held)
}

/**
 * The record that a program still holds after the end, or will have accepted: nothing of it works any more but reading what is left, which was acknowledged
 * and so can be had nowhere else; the reason comes behind it, as in deployed stacks (RFC 9293 §3.10.7.4, second check, would flush it).
 */
const remains = (ctx: Context, self: Connection, reason: Reason.Reason | undefined): Connection => {
  if (self.queue.held > 0) ctx.discharge("tcpSend", self.queue.held)
  return {
    ...self,
    queue: SendQueue.empty(self.queue.end),
    deadlines: Deadlines.none,
    timer: { deadline: Time.never, alarm: self.timer.alarm },
    parked: Parked.none,
    error: reason
  }
}

/**
 * Enters CLOSED (RFC 9293 §3.10.7): everybody who waits is told, with `reason` unless the end was an orderly one (rfc: 9293 §3.6 MUST-12). One that waits to be
 * accepted goes on waiting: its program hears what has become of it, and reads what it brought.
 */
export const end = (ctx: Context, state: State, self: Connection, reason: Reason.Reason | undefined): void => {
  if (ctx.config.telemetry && self.state !== "TIME-WAIT") Progress.ended(ctx, self, reason)
  endParked(ctx, self, reason)
  if (self.fastOpen === "accepted") ctx.set(state.fastOpens, state.fastOpens.value - 1)
  if (self.holder === "program" || self.holder === "queued") {
    Lookup.unlink(ctx, state, self)
    ctx.put(state.entries, self.id, remains(ctx, become(ctx, self, "CLOSED"), reason))
  } else {
    become(ctx, self, "CLOSED")
    remove(ctx, state, self)
  }
}

/** Enters TIME-WAIT (rfc: 9293 §3.6.1 MUST-13): all other timers stop (RFC 9293 §3.10.7.4, eighth check), and nothing more is written or read here but what is left. */
export const enterTimeWait = (ctx: Context, state: State, self: Connection): void => {
  ctx.count(Counter.index.tcpTimeWaits)
  if (ctx.config.telemetry) Progress.ended(ctx, self, undefined)
  endParked(ctx, self, undefined)
  const waiting = become(ctx, { ...self, parked: Parked.none }, "TIME-WAIT")
  if (waiting.holder === "nobody") return TimeWait.compact(ctx, state, waiting, Time.plus(ctx.at, self.config.timeWait))
  const quiet = { ...waiting, deadlines: Deadlines.none }
  const armed = Deadlines.arm(ctx, Deadlines.withSlow(quiet, "closing", Time.plus(ctx.at, self.config.timeWait)))
  ctx.put(state.entries, self.id, armed)
}

/** All that was written has been acknowledged, the FIN too if there is one. */
export const isDrained = (self: Connection): boolean =>
  SendQueue.length(self.queue) === 0 && (!self.snd.fin || ConnectionOf.finAcked(self))
