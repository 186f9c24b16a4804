/**
 * What leaves now (RFC 9293 §3.8.6.2.1, §3.7.4): text that was never sent, in as few and as large segments as the windows allow.
 *
 *     the least of   SND.UNA + SND.WND - SND.NXT    what the peer takes
 *                    cwnd - pipe                    what the network takes
 *                    the rest of the credit         what the link's queue takes
 *
 * One segment may be many packets long: it is cut by its MSS where it leaves the stack. A last piece shorter than that waits while it may
 * grow (Nagle's algorithm, silly window avoidance, cork).
 */
import type { Piece } from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Context } from "../Context.ts"
import { noPieces } from "../Ip.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Ecn from "./Ecn.ts"
import * as Emit from "./Emit.ts"
import * as LossTimer from "./LossTimer.ts"
import * as MtuProbe from "./MtuProbe.ts"
import * as Pace from "./Pace.ts"
import * as Recovery from "./Recovery.ts"
import * as Retransmit from "./Retransmit.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as SendQueue from "./SendQueue.ts"
import * as Deadlines from "./Timer.ts"

/** A corked program's last short segment leaves after this all the same, as in deployed stacks. */
const corkLimit = Time.millis(200)

/** What the peer's window leaves; nothing new goes behind its edge, even if that was further before (rfc: 9293 §3.8.6 SHLD-15). */
const windowLeft = (self: Connection): number => self.snd.wnd - Sequence.distance(self.snd.una, self.snd.nxt)

/** A segment shorter than a full one is on its way. */
const hasSmallOut = ({ snd }: Connection): boolean => Sequence.after(snd.smallEnd, snd.una)

/**
 * Whether a segment shorter than the MSS may leave (RFC 9293 §3.8.6.2.1; D is what waits, U what the windows allow).
 */
// rfc: 9293 §3.8.6.2.1 MUST-38, §3.7.4 SHLD-7
const mayBeShort = (
  ctx: Context,
  self: Connection,
  length: number,
  record: number,
  waiting: number
): boolean => {
  const isIdle = self.snd.nxt === self.snd.una
  // The override timeout: the peer's window has stayed too small for too long.
  if (isIdle && self.recovery.timeouts > 0) return true
  // A record ends here and something waits behind it: this segment never grows.
  if (length === record && record < waiting) return true
  // All that there is: at once if nothing is on its way, else only without Nagle's algorithm. A FIN behind it never grows.
  if (length === waiting) {
    if (self.snd.fin) return true
    // A cork that has held for its time lets go whatever else is on its way.
    if (self.config.cork) return self.deadlines.slow.cork <= ctx.at
    return self.config.noDelay || isIdle || (ctx.config.tcp.nagle === "small" && !hasSmallOut(self))
  }
  // Half of the largest window the peer has ever offered is as good as its buffer will give.
  return isIdle && length >= self.snd.maxWnd / 2
}

/** The length of the next segment's text; 0 when it has to wait (rfc: 9293 §3.9.1.2 SHLD-27 SHLD-28: as long as may be). */
const nextLength = (ctx: Context, self: Connection, mss: number, waiting: number): number => {
  const allowed = Math.min(windowLeft(self), Recovery.allowance(self), Connections.creditLeft(self, mss))
  const record = SendQueue.inRecord(self.queue, self.snd.nxt, waiting)
  const length = Math.floor(Math.min(record, allowed, Emit.largestText(self, mss), Pace.burst(self)))
  if (length <= 0) return 0
  if (length >= mss) {
    const whole = length - length % mss
    // A short end goes with the rest if it might leave alone.
    return length === record && length !== whole && mayBeShort(ctx, self, length, record, waiting) ? length : whole
  }
  return mayBeShort(ctx, self, length, record, waiting) ? length : 0
}

/** Sends the text from SND.NXT on, `length` bytes of it, and a FIN behind the last of all. */
const fresh = (ctx: Context, self: Connection, length: number, mss: number): Connection => {
  const seq = self.snd.nxt
  const end = Sequence.add(seq, length)
  const isLast = end === self.queue.end
  const withFin = isLast && self.snd.fin
  const pieces: Array<Piece> = []
  const queue = SendQueue.read(self.queue, seq, length, pieces, true)
  // rfc: 9293 §3.9.1.2 MUST-60 MUST-61: PSH when nothing waits behind, or nothing of the same record.
  const isPushed = isLast || SendQueue.isRecordEnd(queue, end)
  const flags = isPushed ? (withFin ? Tcp.FIN | Tcp.PSH : Tcp.PSH) : 0
  const sent = Ecn.told(Emit.segment(ctx, self, seq, flags | Ecn.freshFlags(self), pieces, length, mss, true))
  const smallEnd = length % mss === 0 ? self.snd.smallEnd : end
  return afterSend(ctx, sent, queue, seq, withFin ? Sequence.add(end, 1) : end, mss, smallEnd)
}

/** A FIN alone: everything before it has left. */
const fin = (ctx: Context, self: Connection): Connection => {
  const seq = self.snd.nxt
  const sent = Emit.segment(ctx, self, seq, Tcp.FIN, noPieces, 0, self.snd.mss, false)
  return afterSend(ctx, sent, self.queue, seq, Sequence.add(seq, 1), self.snd.mss, self.snd.smallEnd)
}

const afterSend = (
  ctx: Context,
  self: Connection,
  queue: SendQueue.SendQueue,
  start: Sequence.Sequence,
  end: Sequence.Sequence,
  mss: number,
  smallEnd: Sequence.Sequence
): Connection => LossTimer.sent(ctx, Recovery.sent(ctx, self, queue, end, Sequence.distance(start, end), mss, smallEnd))

/** One new segment, as a probe, whatever the network's window says; `undefined` when there is none or the peer's window has no room. */
export const one = (ctx: Context, self: Connection): Connection | undefined => {
  const mss = Emit.segmentSize(ctx, self)
  const allowed = Math.min(Connections.unsent(self), windowLeft(self), mss)
  const length = SendQueue.inRecord(self.queue, self.snd.nxt, allowed)
  return length > 0 ? fresh(ctx, self, length, mss) : undefined
}

/**
 * Text waits for company: a corked program's is let go after a while. What could not leave even then, for want of a window, waits as
 * long again: a deadline that has passed would ring without end.
 */
const corked = (ctx: Context, self: Connection, waiting: number): Connection => {
  if (!self.config.cork || waiting === 0) return Deadlines.withSlow(self, "cork", Time.never)
  const { cork } = self.deadlines.slow
  return cork === Time.never || cork <= ctx.at
    ? Deadlines.withSlow(self, "cork", Time.plus(ctx.at, corkLimit))
    : self
}

/** A segment larger than is known to come through, where a search for the path MTU is on (RFC 4821 §7.3). */
const probeMtu = (ctx: Context, self: Connection, waiting: number): Connection => {
  if (!self.mtu.isOn) return self
  const allowed = Math.min(windowLeft(self), Recovery.allowance(self))
  const most = MtuProbe.nextProbe(ctx, self, waiting, allowed)
  if (most === 0) return self
  // What else there is to tell takes its room in the probe as in any other segment.
  const length = most - self.snd.mss + Emit.segmentSize(ctx, self)
  if (SendQueue.inRecord(self.queue, self.snd.nxt, length) < length) return self
  const start = self.snd.nxt
  const sent = fresh(ctx, self, length, length)
  return MtuProbe.sent(sent, start, sent.snd.nxt)
}

/** Whether the connection is one that sends text at all. */
const mayPush = (self: Connection): boolean =>
  self.state === "ESTABLISHED" || self.state === "CLOSE-WAIT" || self.state === "FIN-WAIT-1" ||
  self.state === "CLOSING" || self.state === "LAST-ACK" || (self.state === "SYN-RECEIVED" && needNotWait(self))

/**
 * Before the handshake's end a server sends whose client has shown its cookie (rfc: 7413 §4.2.2), and the FIN leaves of a program that has written nothing
 * (rfc: 9293 §3.10.4).
 */
const needNotWait = (self: Connection): boolean =>
  self.fastOpen === "accepted" || (self.fastOpen !== "sent" && self.snd.fin && Connections.unsent(self) === 0)

/** Whether something waits to be sent, or to be sent again. */
export const isPending = (self: Connection): boolean =>
  Connections.unsent(self) > 0 || Connections.finUnsent(self) || Scoreboard.lostBytes(self.board) > 0

/** Sends all that may leave now: what was lost first, then what is new. */
export const push = (ctx: Context, connection: Connection): Connection => {
  if (!mayPush(connection)) return connection
  let self = Retransmit.lost(ctx, connection)
  let waiting = Connections.unsent(self)
  if (waiting === 0 && !Connections.finUnsent(self)) {
    return Recovery.limitedBy(Deadlines.withSlow(Retransmit.suspects(ctx, self), "cork", Time.never), waiting)
  }
  self = Recovery.afterIdle(ctx, self)
  self = probeMtu(ctx, self, waiting)
  waiting = Connections.unsent(self)
  const mss = Emit.segmentSize(ctx, self)
  while (waiting > 0 && !Pace.isHeld(ctx, self)) {
    const length = nextLength(ctx, self, mss, waiting)
    if (length === 0) break
    self = Pace.sent(ctx, fresh(ctx, self, length, mss), length)
    waiting = Connections.unsent(self)
  }
  if (waiting === 0 && Connections.finUnsent(self) && windowLeft(self) > 0) self = fin(ctx, self)
  self = Recovery.withUse(corked(ctx, self, waiting), self.snd.nxt !== connection.snd.nxt)
  return LossTimer.persist(ctx, Recovery.limitedBy(self, waiting))
}
