/**
 * Text and FIN of a segment (RFC 9293 §3.10.7.4, seventh and eighth check), and reading them: what arrives is taken once, acknowledged by
 * the policy, and handed to whoever reads.
 */
import * as Piece from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import type { Context, Spent } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Fifo from "../data/Fifo.ts"
import * as RangeSet from "../data/RangeSet.ts"
import * as AckPolicy from "./AckPolicy.ts"
import type { Connection } from "./Connection.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Parked from "./Parked.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import type { Received } from "./Requests.ts"
import * as Segment from "./Segment.ts"
import * as Tuning from "./Tuning.ts"
import * as Window from "./Window.ts"

/** Asks the budget for the memory that the text needs. */
const isPaid = (ctx: Context, self: Connection, segment: Segment.Segment): boolean => {
  const needed = ReceiveBuffer.needed(self.buffer, segment.seq, Segment.textEnd(segment), ctx.isLent)
  return needed === 0 || ctx.charge("tcpReceive", needed)
}

/** There is no memory for the text: it is dropped, and the peer keeps it for now. */
const unpaid = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  ctx.drop("MemoryBudget", segment.packet.link)
  return { ...self, ack: AckPolicy.now(self.ack) }
}

/** Pays back the memory that a change of the buffer has let go. */
const withBuffer = (ctx: Context, self: Connection, buffer: ReceiveBuffer.ReceiveBuffer): Connection => {
  const freed = self.buffer.held - buffer.held
  if (freed > 0) ctx.discharge("tcpReceive", freed)
  return { ...self, buffer }
}

/** What a full segment of the peer carries, judged by the largest seen, or by what we send where every second segment counts. */
const fullSize = (self: Connection, segment: Segment.Segment): number =>
  self.config.acksPairs
    ? self.snd.mss
    : Math.max(self.rcv.mss, segment.packet.segmentSize || Segment.textLength(segment))

/** The policy before the first text is taken: how many ACKs may be quick depends on the window. */
const begun = (self: Connection, full: number): AckPolicy.AckPolicy =>
  self.rcv.bytes === 0 ? AckPolicy.begun(self.ack, Sequence.distance(self.rcv.nxt, self.rcv.edge), full) : self.ack

/** The first stretch of the segment's text that is here already, ahead of the gap (RFC 2883 §4.2). */
const presentAhead = (self: Connection, segment: Segment.Segment): { left: number; right: number } | undefined => {
  if (!self.agreed.sack || !self.config.dsack) return undefined
  const end = Segment.textEnd(segment)
  const left = RangeSet.has(self.buffer.ahead, segment.seq)
    ? segment.seq
    : RangeSet.nextStart(self.buffer.ahead, segment.seq, end)
  const range = RangeSet.containing(self.buffer.ahead, left)
  return range === undefined || !Sequence.before(left, end)
    ? undefined
    : { left, right: Sequence.earlier(range.end, end) }
}

/** Text that begins at RCV.NXT. */
const inOrder = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  if (!isPaid(ctx, self, segment)) return unpaid(ctx, self, segment)
  const before = self.rcv.nxt
  const wasGap = !RangeSet.isEmpty(self.buffer.ahead)
  const { bytes, slab } = segment.packet
  const buffer = ReceiveBuffer.append(self.buffer, bytes, segment.start, segment.end, ctx, ctx.isLent, slab)
  const taken = Sequence.distance(before, buffer.nxt)
  const full = fullSize(self, segment)
  const received = AckPolicy.received(begun(self, full), taken, full, wasGap, self.config)
  // Text beyond the window leaves none: its sender has nothing to gain from an ACK before the program has read.
  const isBeyond = Sequence.after(buffer.nxt, self.rcv.edge)
  const present = wasGap ? presentAhead(self, segment) : undefined
  const policy = present !== undefined
    ? AckPolicy.duplicate(received, present)
    : isBeyond && !wasGap
    ? AckPolicy.later(received)
    : received
  ctx.count(Counter.index.tcpBytesReceived, taken)
  return {
    ...self,
    buffer,
    ack: wasGap && RangeSet.isEmpty(buffer.ahead) ? AckPolicy.closed(policy) : policy,
    rcv: {
      ...self.rcv,
      nxt: buffer.nxt,
      // Text may have been taken that reaches beyond the window.
      edge: Sequence.later(self.rcv.edge, buffer.nxt),
      mss: full,
      bytes: self.rcv.bytes + taken
    }
  }
}

/** Text ahead of a gap is kept for later, while there is room for one more range (rfc: 9293 §3.10.7.4 SHLD-31 MAY-13). */
const ahead = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  ctx.count(Counter.index.tcpOutOfOrder)
  const present = presentAhead(self, segment)
  const end = Segment.textEnd(segment)
  const before = self.buffer.ahead
  const after = RangeSet.add(before, segment.seq, end)
  if (RangeSet.count(after) > Math.max(RangeSet.count(before), ctx.config.limits.tcpOutOfOrderRanges)) {
    ctx.drop("TcpReassemblyFull", segment.packet.link)
    return { ...self, ack: AckPolicy.now(self.ack) }
  }
  if (!isPaid(ctx, self, segment)) return unpaid(ctx, self, segment)
  const buffer = after === before
    ? self.buffer
    : ReceiveBuffer.insert(self.buffer, segment.seq, segment.packet.bytes, segment.start, segment.end, ctx)
  const range = RangeSet.containing(buffer.ahead, segment.seq)
  const policy = AckPolicy.ahead(self.ack, range?.start ?? segment.seq, self.config)
  return Tuning.afterGap({
    ...self,
    buffer,
    ack: present === undefined ? policy : AckPolicy.duplicate(policy, present),
    rcv: { ...self.rcv, aheadSegments: self.rcv.aheadSegments + 1 }
  })
}

/** Counts text as received that nobody wants any more (`shutdown` of the reading side). */
const discard = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  if (segment.seq !== self.rcv.nxt) return { ...self, ack: AckPolicy.now(self.ack) }
  const end = Segment.textEnd(segment)
  // What was reported as received ahead never comes again: the gap before it closes here as elsewhere.
  const waiting = RangeSet.containing(self.buffer.ahead, end)
  const nxt = waiting?.end ?? end
  const buffer = { ...ReceiveBuffer.empty(nxt), ahead: RangeSet.trim(self.buffer.ahead, nxt) }
  return {
    ...withBuffer(ctx, self, buffer),
    ack: AckPolicy.received(self.ack, Segment.textLength(segment), fullSize(self, segment), false, self.config),
    rcv: {
      ...self.rcv,
      nxt,
      edge: Sequence.later(self.rcv.edge, nxt),
      bytes: self.rcv.bytes + Sequence.distance(self.rcv.nxt, nxt)
    }
  }
}

/** Takes the text of a segment that begins at or behind RCV.NXT and ends in the window. */
export const text = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  if (Segment.textLength(segment) === 0) return self
  if (self.rcv.discards) return discard(ctx, self, segment)
  return segment.seq === self.rcv.nxt ? inOrder(ctx, self, segment) : ahead(ctx, self, segment)
}

/** The next answer for a reader of up to `max` bytes; `undefined` when there is nothing to say yet. */
export const read = (
  ctx: Context,
  self: Connection,
  max: number,
  copies: boolean
): { readonly self: Connection; readonly received: Received } | undefined => {
  if (ReceiveBuffer.ready(self.buffer) > 0) {
    const pieces: Array<Piece.Piece> = []
    const spent: Array<Spent> = []
    const buffer = ReceiveBuffer.read(self.buffer, max, pieces, spent, copies)
    const length = Sequence.distance(self.buffer.read, buffer.read)
    return { self: withBuffer(ctx, self, buffer), received: { pieces, length, end: false, spent } }
  }
  return isAtEnd(self) ? { self, received: Lifecycle.endOfStream } : undefined
}

/** There will be no more bytes: the peer has closed its direction, or the program has. */
export const isAtEnd = (self: Connection): boolean => self.rcv.ended || self.rcv.isShut || self.state === "CLOSED"

/** Hands what has arrived to those who wait for it, in the order in which they came. */
export const serveReaders = (ctx: Context, self: Connection): Connection => {
  let readers = self.parked.readers
  if (Fifo.isEmpty(readers)) return self
  let served = self
  for (;;) {
    const reader = Fifo.head(readers)
    if (reader === undefined) break
    const { until } = reader
    // Others that came before may have read what was counted for this one.
    const most = until === undefined ? reader.max : Math.max(1, Sequence.distance(served.buffer.read, until))
    const answer = read(ctx, served, most, reader.copies)
    if (answer === undefined) break
    served = answer.self
    if (until !== undefined && !answer.received.end && Sequence.before(served.buffer.read, until)) {
      ctx.replyPart(reader.ticket, answer.received)
      continue
    }
    readers = Fifo.shift(readers)
    Lifecycle.answer(ctx, reader.ticket, answer.received)
  }
  return readers === self.parked.readers
    ? served
    : { ...served, parked: Parked.withReaders(served.parked, readers) }
}

/** Nothing is left to read: the ACK need not wait for more of it. */
const drained = (self: Connection): Connection => {
  if (ReceiveBuffer.ready(self.buffer) > 0) return self
  const ack = AckPolicy.drained(self.ack, self.config)
  return ack === self.ack ? self : { ...self, ack }
}

/** After reading: tells the peer of a window that has opened by a worthwhile step. */
export const updateWindow = (ctx: Context, self: Connection): Connection => {
  if (self.rcv.ended) return self
  const tuned = drained(Tuning.afterRead(ctx, self))
  return Window.isUpdateDue(tuned) ? { ...tuned, ack: AckPolicy.now(tuned.ack) } : tuned
}

/**
 * Bytes come back that a reader was sent and never got. If the budget is full meanwhile they are kept unpaid, since they can't be had again; where
 * nobody will read any more they are not kept at all.
 */
export const unread = (ctx: Context, self: Connection, received: Received, copies: boolean): Connection => {
  if (received.length === 0 || self.rcv.discards) return self
  const isPaid = ctx.charge("tcpReceive", received.length)
  // What was only lent to be copied is in memory that may be used again.
  const pieces = copies ? received.pieces.map((piece) => Piece.make(Piece.copy(piece))) : received.pieces
  return { ...self, buffer: ReceiveBuffer.unread(self.buffer, pieces, isPaid) }
}
