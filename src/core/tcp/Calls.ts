/**
 * The requests about one connection: read, write and wait (RFC 9293 §3.10.2, §3.10.3).
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as Chronograph from "./Chronograph.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Finish from "./Finish.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Parked from "./Parked.ts"
import * as Receive from "./Receive.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import type { TcpAwait, TcpRead, TcpWrite } from "./Requests.ts"
import * as SendQueue from "./SendQueue.ts"
import type { State } from "./State.ts"
import * as Write from "./Write.ts"

/** Parks a ticket in the connection; fails it when too many wait already. */
const isParked = (ctx: Context, self: Connection, ticket: Ticket): boolean => {
  if (ctx.park(ticket, { owner: "Tcp", id: self.id })) return true
  ctx.fail(ticket, Reason.limitReached("parkedRequests"))
  return false
}

/** The most that one read goes on for: half of the sequence numbers are ahead. */
const longestRead = 0x4000_0000

/** The connection has failed, and all that came before is read. */
const isSpent = (self: Connection): boolean =>
  self.state === "CLOSED" && self.error !== undefined && ReceiveBuffer.ready(self.buffer) === 0

/** RECEIVE (RFC 9293 §3.10.3): what there is, at once; else the end, the reason of the end, or a place in the queue. */
export const read = (ctx: Context, state: State, ticket: Ticket, self: Connection, request: TcpRead): void => {
  if (!(request.max > 0)) return ctx.fail(ticket, Reason.invalidArgument("a read takes at least one byte"))
  if (isSpent(self)) return ctx.fail(ticket, self.error!)
  // What is left of a connection that has failed comes in one answer: the next one is why.
  const goesOn = request.block && request.goesOn === true && self.state !== "CLOSED"
  if (!goesOn && Fifo.isEmpty(self.parked.readers)) {
    const answer = Receive.read(ctx, self, request.max, request.copies === true)
    if (answer !== undefined) {
      ctx.reply(ticket, answer.received)
      return afterRead(ctx, state, self, answer.self)
    }
  }
  if (!request.block) return ctx.fail(ticket, Reason.wouldBlock)
  if (!isParked(ctx, self, ticket)) return
  const until = goesOn ? Sequence.add(self.buffer.read, Math.min(request.max, longestRead)) : undefined
  const reader = { ticket, max: request.max, copies: request.copies === true, until }
  const parked = Parked.withReaders(self.parked, Fifo.push(self.parked.readers, reader))
  const waiting: Connection = { ...self, parked }
  if (goesOn) afterRead(ctx, state, self, Receive.serveReaders(ctx, waiting))
  else ctx.put(state.entries, self.id, waiting)
}

/** Reading may open the window by a worthwhile step; nothing else can follow from it. */
const afterRead = (ctx: Context, state: State, before: Connection, after: Connection): void => {
  if (after === before) return
  if (!Connections.canReceive(after.state)) return ctx.put(state.entries, after.id, after)
  const updated = Receive.updateWindow(ctx, after)
  if (updated.ack.due === "now") Finish.event(ctx, state, updated)
  else ctx.put(state.entries, after.id, updated)
}

/** SEND (RFC 9293 §3.10.2). */
export const write = (ctx: Context, state: State, ticket: Ticket, self: Connection, request: TcpWrite): void => {
  const { bytes, end, owned, start } = request
  const endOfRecord = request.endOfRecord === true
  if (!(start >= 0 && start <= end && end <= bytes.length)) return ctx.fail(ticket, Reason.invalidArgument("range"))
  if (!Connections.canSend(self)) return ctx.fail(ticket, self.error ?? Reason.closed)
  if (start === end) return ctx.reply(ticket, 0)
  const before = SendQueue.length(self.queue)
  const some = Fifo.isEmpty(self.parked.writers) ? Write.some(ctx, self, bytes, start, end, owned) : self
  const at = start + SendQueue.length(some.queue) - before
  const taken = at === end && endOfRecord ? { ...some, queue: SendQueue.endRecord(some.queue) } : some
  const written = request.urgent === true ? Write.urgent(taken, request.block ? end - at : 0) : taken
  if (at === end || (!request.block && at > start)) {
    ctx.reply(ticket, at - start)
    return Finish.event(ctx, state, at === end ? written : Chronograph.full(written))
  }
  if (!request.block) {
    ctx.put(state.entries, self.id, Chronograph.full(self))
    return ctx.fail(ticket, Reason.wouldBlock)
  }
  // A write that fails has written nothing: what was taken of it is given back.
  if (!isParked(ctx, self, ticket)) return ctx.discharge("tcpSend", written.queue.held - self.queue.held)
  const writers = Fifo.push(written.parked.writers, { ticket, bytes, start, at, end, owned, endOfRecord })
  Finish.event(ctx, state, { ...written, parked: Parked.withWriters(written.parked, writers) })
}

const isMet = (self: Connection, until: TcpAwait["until"]): boolean => {
  switch (until) {
    case "established":
      return !Connections.isOpening(self.state)
    case "drained":
      // As for those who waited when it ended in good order, even if a reset came for the last FIN.
      return self.state === "CLOSED" || (Lifecycle.isDrained(self) && !Connections.isOpening(self.state))
    case "closed":
      return self.state === "CLOSED" || self.state === "TIME-WAIT"
  }
}

/** Waits for a condition; a connection that has failed fails all but the wait for its end. */
export const wait = (ctx: Context, state: State, ticket: Ticket, self: Connection, request: TcpAwait): void => {
  if (self.state === "CLOSED" && self.error !== undefined && request.until !== "closed") {
    return ctx.fail(ticket, self.error)
  }
  if (isMet(self, request.until)) return ctx.reply(ticket, undefined)
  if (!isParked(ctx, self, ticket)) return
  const waiters = Fifo.push(self.parked.waiters, { ticket, until: request.until })
  ctx.put(state.entries, self.id, { ...self, parked: Parked.withWaiters(self.parked, waiters) })
}
