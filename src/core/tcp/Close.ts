/**
 * The ends that a program chooses (RFC 9293 §3.10.4, §3.10.5): shutdown of a direction, close, abort.
 */
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Emit from "./Emit.ts"
import * as Finish from "./Finish.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Parked from "./Parked.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import type { TcpShutdown } from "./Requests.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"
import * as TimeWait from "./TimeWait.ts"

/** Puts a FIN behind the queued bytes; it leaves when they have (RFC 9293 §3.10.4). */
const withFin = (ctx: Context, self: Connection): Connection => {
  if (self.snd.fin) return self
  const closing = { ...self, snd: { ...self.snd, fin: true } }
  switch (self.state) {
    case "ESTABLISHED":
      return Lifecycle.become(ctx, closing, "FIN-WAIT-1")
    case "CLOSE-WAIT":
      return Lifecycle.become(ctx, closing, "LAST-ACK")
    case "SYN-SENT":
    case "SYN-RECEIVED":
      // Carried out when the connection is established, unless nothing was written and the peer is known (RFC 9293 §3.10.4).
      return closing
    case "CLOSED":
    case "LISTEN":
    case "FIN-WAIT-1":
    case "FIN-WAIT-2":
    case "CLOSING":
    case "LAST-ACK":
    case "TIME-WAIT":
      return self
  }
}

/** Writes that wait can't be completed behind a FIN. */
const refuseWriters = (ctx: Context, self: Connection): Connection => {
  const { writers } = self.parked
  if (Fifo.isEmpty(writers)) return self
  for (let i = 0; i < Fifo.size(writers); i++) Lifecycle.refuse(ctx, Fifo.get(writers, i)!.ticket, Reason.closed)
  return { ...self, parked: Parked.withWriters(self.parked, Fifo.empty()) }
}

/** What is unread is dropped, and what comes is acknowledged and dropped. */
const deaf = (ctx: Context, self: Connection): Connection => {
  if (self.rcv.discards) return self
  if (self.buffer.held > 0) ctx.discharge("tcpReceive", self.buffer.held)
  ReceiveBuffer.letGo(self.buffer, ctx)
  return {
    ...self,
    buffer: { ...ReceiveBuffer.empty(self.buffer.nxt), ahead: self.buffer.ahead },
    rcv: { ...self.rcv, discards: true, isShut: true }
  }
}

/** Nothing is waited for any more, but what is there or comes can still be read. */
const shut = (self: Connection): Connection => self.rcv.isShut ? self : { ...self, rcv: { ...self.rcv, isShut: true } }

/** Half-close of either direction, or both. */
export const shutdown = (
  ctx: Context,
  state: State,
  ticket: Ticket,
  self: Connection,
  request: TcpShutdown
): void => {
  if (self.state === "CLOSED" || (Connections.isOpening(self.state) && !request.write)) {
    return ctx.fail(ticket, self.error ?? Reason.notConnected)
  }
  const deafened = !request.read ? self : request.keepsText === true ? shut(self) : deaf(ctx, self)
  const closed = request.write ? withFin(ctx, refuseWriters(ctx, deafened)) : deafened
  ctx.reply(ticket, undefined)
  if (self.state === "TIME-WAIT") return ctx.put(state.entries, self.id, closed)
  Finish.event(ctx, state, closed)
}

/**
 * RST to the peer where it has a connection that could be reset. Behind both FINs it expects nothing more (rfc: 9293 §3.10.5), unless text is missing
 * before ours, or its own was never read.
 */
const resets = (self: Connection): boolean => {
  switch (self.state) {
    case "CLOSING":
    case "LAST-ACK":
      return Connections.unsent(self) > 0 || hasUnread(self)
    case "SYN-SENT":
    case "CLOSED":
    case "TIME-WAIT":
      return false
    case "LISTEN":
    case "SYN-RECEIVED":
    case "ESTABLISHED":
    case "FIN-WAIT-1":
    case "FIN-WAIT-2":
    case "CLOSE-WAIT":
      return true
  }
}

/** ABORT: a reset leaves, and everything that waits fails. */
export const abort = (ctx: Context, state: State, ticket: Ticket, self: Connection): void => {
  ctx.reply(ticket, undefined)
  letGo(ctx, state, self)
}

/** Ends a connection with a reset; its record goes with it. */
const letGo = (ctx: Context, state: State, self: Connection): void => {
  if (self.state === "CLOSED") return Lifecycle.remove(ctx, state, self)
  if (resets(self)) Emit.abort(ctx, self)
  Lifecycle.end(ctx, state, { ...self, holder: "nobody" }, Reason.connectionAborted)
}

/** Text that has come and was not read, or can't be any more: the peer must not think that it was (rfc: 9293 §3.6.1 SHLD-3, RFC 2525 §2.17). */
const hasUnread = (self: Connection): boolean => ReceiveBuffer.ready(self.buffer) > 0 && !self.rcv.discards

/** Nobody reads any more what has come and, by the knob, is no reason for a reset. */
const withoutUnread = (ctx: Context, self: Connection): Connection => hasUnread(self) ? deaf(ctx, self) : self

/** Those who wait in a connection that its program closes. */
const dismiss = (ctx: Context, self: Connection): Connection => {
  if (self.parked === Parked.none) return self
  Lifecycle.endParked(ctx, self, Reason.closed)
  return { ...self, parked: Parked.none }
}

/** CLOSE: the program lets go, and reads no more (rfc: 9293 §3.6.1 MAY-1); the connection goes on by itself until both directions are closed. */
export const close = (ctx: Context, state: State, ticket: Ticket, connection: Connection): void => {
  const linger = connection.config.linger
  const self: Connection = { ...dismiss(ctx, connection), holder: "nobody" }
  switch (self.state) {
    case "CLOSED":
      ctx.reply(ticket, undefined)
      return Lifecycle.remove(ctx, state, self)
    case "LISTEN":
    case "SYN-SENT":
      // What has left with the SYN was written to a connection that seemed to be open (RFC 7413 §4.2.2): it is delivered to the end.
      if (self.fastOpen === "sent" && linger !== 0) {
        return Finish.event(ctx, state, lingering(ctx, withFin(ctx, self), ticket, linger))
      }
      ctx.reply(ticket, undefined)
      return Lifecycle.end(ctx, state, self, Reason.closed)
    case "TIME-WAIT":
      ctx.reply(ticket, undefined)
      return TimeWait.compact(ctx, state, self, self.deadlines.slow.closing)
    case "SYN-RECEIVED":
    case "ESTABLISHED":
    case "FIN-WAIT-1":
    case "FIN-WAIT-2":
    case "CLOSE-WAIT":
    case "CLOSING":
    case "LAST-ACK":
      if ((hasUnread(self) && ctx.config.tcp.resetsUnread) || linger === 0) {
        ctx.reply(ticket, undefined)
        return letGo(ctx, state, self)
      }
      return Finish.event(
        ctx,
        state,
        limit(ctx, lingering(ctx, withFin(ctx, withoutUnread(ctx, self)), ticket, linger))
      )
  }
}

/** The close's ticket waits for the peer's acknowledgement if the program lingers, and is answered at once otherwise. */
const lingering = (
  ctx: Context,
  self: Connection,
  ticket: Ticket,
  linger: Time.Span | undefined
): Connection => {
  if (linger === undefined || Lifecycle.isDrained(self) || !ctx.park(ticket, { owner: "Tcp", id: self.id })) {
    ctx.reply(ticket, undefined)
    return self
  }
  const waiters = Fifo.push(self.parked.waiters, { ticket, until: "linger" as const })
  const waiting = { ...self, parked: Parked.withWaiters(self.parked, waiters) }
  return Deadlines.withSlow(waiting, "linger", Time.plus(ctx.at, linger))
}

/** Nobody is there to wait for the peer's FIN for ever (FIN-WAIT-2 of an orphan, as deployed stacks limit it). */
const limit = (ctx: Context, self: Connection): Connection =>
  self.state === "FIN-WAIT-2"
    ? Deadlines.withSlow(self, "closing", Time.plus(ctx.at, self.config.finWait2Timeout))
    : self

/** The linger time is over: what is not acknowledged by now is lost, and the program hears of it. */
export const lingerTimeout = (ctx: Context, state: State, self: Connection): void => {
  Emit.abort(ctx, self)
  Lifecycle.end(ctx, state, self, Reason.timedOut("linger"))
}
