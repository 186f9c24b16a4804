/**
 * The fifth check of a segment (RFC 9293 §3.10.7.4): its ACK, which is what moves the sending side.
 *
 *     SND.UNA - MAX.SND.WND        SND.UNA               SND.NXT
 *     too old ──┼── duplicate or old ──┼──── new ────────────┼── too new
 *      (challenge)                                              (challenge)
 */
import * as Sequence from "../../../wire/Sequence.ts"
import type { Context } from "../../Context.ts"
import * as Time from "../../Time.ts"
import * as Challenge from "../Challenge.ts"
import type { Connection } from "../Connection.ts"
import * as Connections from "../Connection.ts"
import * as Ecn from "../Ecn.ts"
import * as Emit from "../Emit.ts"
import * as Establish from "../Establish.ts"
import * as Feedback from "../Feedback.ts"
import * as Finish from "../Finish.ts"
import * as Lifecycle from "../Lifecycle.ts"
import * as LossTimer from "../LossTimer.ts"
import * as MtuProbe from "../MtuProbe.ts"
import * as Recovery from "../Recovery.ts"
import * as Rtt from "../Rtt.ts"
import * as Scoreboard from "../Scoreboard.ts"
import * as Segment from "../Segment.ts"
import * as SendQueue from "../SendQueue.ts"
import type { State } from "../State.ts"
import * as TailLossProbe from "../TailLossProbe.ts"
import * as Deadlines from "../Timer.ts"
import * as Timestamps from "../Timestamps.ts"
import * as UserTimeout from "../UserTimeout.ts"

/** A server that has trusted its client knows nothing of the way yet; what the client echoes is the timestamp of the SYN/ACK (RFC 7323 §4.1). */
const measured = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  const echo = segment.options.timestampEcho
  if (self.fastOpen !== "accepted" || !self.agreed.timestamps || echo === undefined || echo === 0) return self
  const span = Timestamps.roundTrip(self.stamps, echo, ctx.at)
  if (span === undefined) return self
  return { ...self, rtt: Rtt.sample(self.rtt, span, ctx.at, self.config) }
}

/** SYN-RECEIVED: the ACK of our SYN establishes; any other gets a reset. */
const checkHandshake = (
  ctx: Context,
  state: State,
  self: Connection,
  segment: Segment.Segment
): Connection | undefined => {
  if (self.state !== "SYN-RECEIVED") return self
  if (Sequence.after(segment.ack, self.snd.iss) && !Sequence.after(segment.ack, self.snd.nxt)) {
    const wnd = segment.window << self.agreed.sendScale
    const snd = { ...self.snd, wnd, maxWnd: Math.max(wnd, self.snd.maxWnd), wl1: segment.seq, wl2: segment.ack }
    const ecn = Ecn.completed(self.ecn, self.agreed.ecn, segment, self.recovery.timeouts)
    // What has left since the SYN/ACK is acknowledged like anything else.
    const una = self.fastOpen === "sent" ? segment.ack : Sequence.add(self.snd.iss, 1)
    return Establish.enter(ctx, state, { ...measured(ctx, self, segment), snd, ecn }, una)
  }
  Emit.reset(ctx, segment)
  ctx.drop(Sequence.after(segment.ack, self.snd.nxt) ? "TcpAckTooNew" : "TcpAckTooOld", segment.packet.link)
  ctx.put(state.entries, self.id, self)
  return undefined
}

/** Whether the ACK is of what was sent, and not far below what is outstanding: by no more than a window, nor than has been acknowledged. */
export const isCredible = ({ snd }: Connection, segment: Segment.Segment): boolean =>
  !Sequence.after(segment.ack, snd.nxt) &&
  !Sequence.before(segment.ack, Sequence.add(snd.una, -Math.min(snd.maxWnd, snd.acked)))

/**
 * The peer has taken the octet of a window probe, which counts as sent from now on; as sent twice, since nobody knows which of several probes this answers (Karn's
 * rule, RFC 6298 §3).
 */
const withProbe = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  const { recovery, snd } = self
  const isTaken = recovery.probes > 0 && ctx.config.tcp.probesWithText && Connections.unsent(self) > 0 &&
    segment.ack === Sequence.add(snd.nxt, 1)
  if (!isTaken) return self
  const sent = Recovery.sent(ctx, self, self.queue, segment.ack, 1, 1, self.snd.smallEnd)
  const { stamp } = Scoreboard.first(sent.board)!
  return { ...sent, board: Scoreboard.retransmitted(sent.board, snd.nxt, segment.ack, 1, stamp) }
}

/** An ACK of what was never sent, or far below what is outstanding, may be an attack (rfc: 5961 §5.2 MUST, 9293 §3.10.7.4 MAY-12). */
const checkRange = (
  ctx: Context,
  state: State,
  self: Connection,
  segment: Segment.Segment
): Connection | undefined => {
  if (isCredible(self, segment)) return self
  const isTooNew = Sequence.after(segment.ack, self.snd.nxt)
  ctx.drop(isTooNew ? "TcpAckTooNew" : "TcpAckTooOld", segment.packet.link)
  const isSilent = isTooNew && self.state === "ESTABLISHED" && !ctx.config.tcp.answersUnsentAcks
  Finish.event(ctx, state, isSilent ? self : Challenge.send(ctx, state, self))
  return undefined
}

/**
 * Whether the segment is no older than the one that told the window last (RFC 9293 §3.10.7.4). One that acknowledges more was sent later, though a
 * retransmission has an old number, and one that acknowledges less was sent before: its window would reach too far from the present SND.UNA.
 */
const tellsWindow = ({ snd }: Connection, segment: Segment.Segment): boolean =>
  segment.ack === snd.una
    ? Sequence.before(snd.wl1, segment.seq) || (snd.wl1 === segment.seq && !Sequence.after(snd.wl2, segment.ack))
    : Sequence.after(segment.ack, snd.una)

/** No text, no FIN, the same ACK and the same window. */
const isRepeated = (self: Connection, segment: Segment.Segment, wnd: number): boolean =>
  segment.ack === self.snd.una && Segment.length(segment) === 0 && wnd === self.snd.wnd

/** RFC 5681 §2: with outstanding data. */
const isDuplicate = (self: Connection, segment: Segment.Segment, wnd: number): boolean =>
  Connections.inFlight(self) > 0 && isRepeated(self, segment, wnd)

/** Nothing is on its way: an ACK that comes again may still say that a tail loss probe came beside what it repeated (rfc: 8985 §7.4). */
const heardTwice = (self: Connection, isRepeated: boolean): Connection => {
  const tail = isRepeated ? TailLossProbe.reset(self.tail) : self.tail
  return tail === self.tail ? self : { ...self, tail }
}

/** SND.WND, SND.WL1, SND.WL2 and SND.UNA as the segment tells. */
const advanced = (self: Connection, segment: Segment.Segment, una: Sequence.Sequence): Connection["snd"] => {
  const { snd } = self
  const isWindow = tellsWindow(self, segment)
  const wnd = isWindow ? segment.window << self.agreed.sendScale : snd.wnd
  if (wnd === snd.wnd && una === snd.una && snd.wl1 === segment.seq && snd.wl2 === segment.ack) return snd
  return {
    ...snd,
    una,
    wnd,
    maxWnd: Math.max(wnd, snd.maxWnd),
    hasUrgent: snd.hasUrgent && Sequence.after(snd.up, una),
    wl1: isWindow ? segment.seq : snd.wl1,
    wl2: isWindow ? segment.ack : snd.wl2,
    acked: snd.acked + Sequence.distance(snd.una, una)
  }
}

/** Memory of acknowledged text is given back. */
const released = (ctx: Context, self: Connection, una: Sequence.Sequence): SendQueue.SendQueue => {
  // What still waits in the link's queue are the last bytes that were sent, unless they were sent again.
  const left = Sequence.add(Sequence.earlier(self.snd.nxt, self.queue.end), -self.snd.credit)
  const queue = SendQueue.acknowledge(self.queue, Sequence.earlier(una, self.queue.end), left, ctx)
  if (queue.held < self.queue.held) ctx.discharge("tcpSend", self.queue.held - queue.held)
  return queue
}

/** The peer has been heard and has made progress: backoff and patience begin anew. */
const progress = (ctx: Context, self: Connection): Connection => {
  const { path, recovery } = self
  ctx.links.confirm(ctx, path.link, path.nextHop)
  const resumed = Recovery.afterProgress(ctx, recovery)
  const fresh = resumed === recovery ? self : { ...self, recovery: resumed }
  return UserTimeout.progress(LossTimer.acknowledged(ctx, MtuProbe.onAck(ctx, fresh)))
}

/** A window that opens ends the probing of a closed one. */
const heardWindow = (self: Connection, before: number): Connection => {
  const { recovery, snd } = self
  if (recovery.probes === 0) return self
  const isOpened = snd.wnd > before
  return { ...self, recovery: { ...recovery, probes: 0, timeouts: isOpened ? 0 : recovery.timeouts } }
}

/** What the ACK does in every state from ESTABLISHED on. */
const apply = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  const { snd } = self
  const una = Sequence.later(snd.una, segment.ack)
  const wnd = segment.window << self.agreed.sendScale
  const duplicate = isDuplicate(self, segment, wnd)
  const before = snd.wnd
  const isNew = una !== snd.una
  const sent = advanced(self, segment, una)
  const queue = isNew ? released(ctx, self, una) : self.queue
  if (isNew && self.agreed.ecn === "off" && Feedback.isCalm(self, segment)) {
    return progress(ctx, Feedback.onCalmAck(ctx, self, segment, sent, queue))
  }
  const moved: Connection = { ...self, snd: sent, queue }
  // Nothing is on its way, so only a report of duplicates can still say something of what was.
  const isOver = !isNew && Connections.inFlight(self) === 0
  const marked = Ecn.acknowledged(ctx, moved, segment, isOver)
  if (isOver && segment.options.sackBlocks.length === 0) {
    return heardWindow(heardTwice(marked, isRepeated(self, segment, wnd)), before)
  }
  const judged = Feedback.onAck(ctx, marked, segment, una, duplicate, Ecn.hasTold(moved, marked, segment))
  return isNew ? progress(ctx, judged) : LossTimer.noted(ctx, heardWindow(judged, before))
}

/** What follows from our FIN being acknowledged, by state. `undefined` when the connection is no more. */
const afterFin = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  if (!Connections.finAcked(self)) return self
  switch (self.state) {
    case "FIN-WAIT-1": {
      const waiting = Lifecycle.become(ctx, self, "FIN-WAIT-2")
      return waiting.holder === "nobody"
        ? Deadlines.withSlow(waiting, "closing", Time.plus(ctx.at, self.config.finWait2Timeout))
        : waiting
    }
    case "CLOSING":
      // The FIN that came again brought this ACK: it is answered as well.
      Lifecycle.enterTimeWait(ctx, state, self.ack.due === "now" ? Emit.ack(ctx, self) : self)
      return undefined
    case "LAST-ACK":
      Lifecycle.end(ctx, state, self, undefined)
      return undefined
    case "CLOSED":
    case "LISTEN":
    case "SYN-SENT":
    case "SYN-RECEIVED":
    case "ESTABLISHED":
    case "FIN-WAIT-2":
    case "CLOSE-WAIT":
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
  let self = checkHandshake(ctx, state, connection, segment)
  if (self === undefined) return undefined
  self = checkRange(ctx, state, withProbe(ctx, self, segment), segment)
  if (self === undefined) return undefined
  return afterFin(ctx, state, apply(ctx, self, segment))
}
