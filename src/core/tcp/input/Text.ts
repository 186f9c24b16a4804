/**
 * The sixth to eighth check of a segment (RFC 9293 §3.10.7.4): URG, text and FIN.
 *
 * Urgent data is text like any other and stays in line, as RFC 6093 §6 advises, since the pointer means different bytes to different stacks. Where it ends
 * is told by a notice, and by `Info.urgent`.
 */
import * as Sequence from "../../../wire/Sequence.ts"
import * as Tcp from "../../../wire/Tcp.ts"
import type { Context } from "../../Context.ts"
import * as RangeSet from "../../data/RangeSet.ts"
import * as Reason from "../../Reason.ts"
import * as AckPolicy from "../AckPolicy.ts"
import type { Connection } from "../Connection.ts"
import * as ConnectionOf from "../Connection.ts"
import * as Emit from "../Emit.ts"
import * as Lifecycle from "../Lifecycle.ts"
import * as Receive from "../Receive.ts"
import * as Segment from "../Segment.ts"
import type { State } from "../State.ts"

/**
 * Sixth check: the peer announces urgent data up to its pointer, which the program hears of once while it lasts.
 */
// rfc: 9293 §3.8.5 MUST-30 MUST-31 MUST-32 MUST-33 MUST-62
const checkUrgent = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  if (!Segment.has(segment, Tcp.URG) || !ConnectionOf.canReceive(self.state)) return self
  const { buffer, rcv } = self
  const up = Sequence.add(segment.seq, segment.urgent)
  if (!Sequence.after(up, buffer.read) || (rcv.hasUrgent && !Sequence.after(up, rcv.up))) return self
  const isUrgent = rcv.hasUrgent && Sequence.after(rcv.up, buffer.read)
  if (!isUrgent) {
    const detail = Sequence.distance(buffer.read, up)
    ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event: "urgent", detail })
  }
  return { ...self, rcv: { ...rcv, up, hasUrgent: true } }
}

/**
 * Text that nobody will ever read: the program has let go, or has shut both directions (rfc: 9293 §3.6.1 SHLD-3, RFC 2525 §2.17). One that has shut the reading
 * side alone may still have something to say.
 */
const isUnwanted = (ctx: Context, self: Connection, segment: Segment.Segment): boolean =>
  (Segment.textLength(segment) > 0 || missesText(ctx, self, segment)) &&
  (self.holder === "nobody" || (self.rcv.isShut && self.state !== "ESTABLISHED"))

/** Before a FIN that came ahead of its turn there was text, which is as unwanted as if it had come. */
const missesText = (ctx: Context, self: Connection, segment: Segment.Segment): boolean =>
  ctx.config.tcp.resetsUnread && (self.state === "FIN-WAIT-1" || self.state === "FIN-WAIT-2") &&
  Segment.has(segment, Tcp.FIN) && Sequence.after(Segment.textEnd(segment), self.rcv.nxt)

/** Seventh check: the text. */
const checkText = (
  ctx: Context,
  state: State,
  self: Connection,
  segment: Segment.Segment
): Connection | undefined => {
  if (!ConnectionOf.canReceive(self.state)) {
    // A FIN has been received: nothing can follow it.
    if (Segment.textLength(segment) > 0) ctx.drop("TcpAfterClose", segment.packet.link)
    return self
  }
  if (isUnwanted(ctx, self, segment)) {
    Emit.reset(ctx, segment)
    ctx.drop("TcpAfterClose", segment.packet.link)
    Lifecycle.end(ctx, state, self, self.holder === "nobody" ? Reason.connectionAborted : Reason.connectionReset)
    return undefined
  }
  return Receive.text(ctx, self, segment)
}

/** Where the FIN stands, if it is RCV.NXT's turn now. */
const isFinDue = (self: Connection, segment: Segment.Segment): boolean =>
  (Segment.has(segment, Tcp.FIN) && Segment.textEnd(segment) === self.rcv.nxt) ||
  (self.rcv.hasFinAhead && self.rcv.finAhead === self.rcv.nxt)

/** A FIN that came ahead of a gap is remembered: its segment may never come again once its text was reported. */
const remembered = (self: Connection, segment: Segment.Segment): Connection => {
  if (!Segment.has(segment, Tcp.FIN) || self.rcv.hasFinAhead) return self
  const finAhead = Segment.textEnd(segment)
  if (!Sequence.after(finAhead, self.rcv.nxt)) return self
  return { ...self, rcv: { ...self.rcv, finAhead, hasFinAhead: true }, ack: AckPolicy.now(self.ack) }
}

/** The ACK of a FIN: at once, or, where the stack does so, after the time in which a program may close as well and say both. */
const ackOfFin = (ctx: Context, self: Connection, wasGap: boolean): AckPolicy.AckPolicy =>
  ctx.config.tcp.delaysFins && !wasGap
    ? AckPolicy.ended(self.ack, self.rcv.mss, self.rcv.bytes > 0, self.rcv.nxt === self.rcv.edge)
    : AckPolicy.now(self.ack)

/** The peer's FIN is taken: RCV.NXT goes over it. */
const finTaken = (ctx: Context, self: Connection, wasGap: boolean): Connection => {
  const nxt = Sequence.add(self.rcv.nxt, 1)
  return {
    ...self,
    rcv: { ...self.rcv, nxt, edge: Sequence.later(self.rcv.edge, nxt), ended: true, hasFinAhead: false },
    ack: ackOfFin(ctx, self, wasGap)
  }
}

/** Eighth check: the FIN. */
const checkFin = (
  ctx: Context,
  state: State,
  self: Connection,
  segment: Segment.Segment,
  wasGap: boolean
): Connection | undefined => {
  if (self.rcv.ended || !isFinDue(self, segment)) return self.rcv.ended ? self : remembered(self, segment)
  const taken = finTaken(ctx, self, wasGap)
  switch (taken.state) {
    case "SYN-RECEIVED":
    case "ESTABLISHED":
      return Lifecycle.become(ctx, taken, "CLOSE-WAIT")
    case "FIN-WAIT-1":
      if (!ConnectionOf.finAcked(taken)) return Lifecycle.become(ctx, taken, "CLOSING")
      Lifecycle.enterTimeWait(ctx, state, Emit.ack(ctx, Receive.serveReaders(ctx, taken)))
      return undefined
    case "FIN-WAIT-2":
      Lifecycle.enterTimeWait(ctx, state, Emit.ack(ctx, Receive.serveReaders(ctx, taken)))
      return undefined
    case "CLOSED":
    case "LISTEN":
    case "SYN-SENT":
    case "CLOSE-WAIT":
    case "CLOSING":
    case "LAST-ACK":
    case "TIME-WAIT":
      return self
  }
}

export const check = (
  ctx: Context,
  state: State,
  connection: Connection,
  segment: Segment.Segment
): Connection | undefined => {
  const self = checkText(ctx, state, checkUrgent(ctx, connection, segment), segment)
  const wasGap = connection.rcv.hasFinAhead || !RangeSet.isEmpty(connection.buffer.ahead)
  return self === undefined ? undefined : checkFin(ctx, state, self, segment, wasGap)
}
