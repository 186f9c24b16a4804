/**
 * Sending again (RFC 6298 §5.4, RFC 6675 §5): what counts as lost goes out before anything new.
 */
import type { Piece } from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as DeliveryRate from "./DeliveryRate.ts"
import * as Emit from "./Emit.ts"
import * as Loss from "./Loss.ts"
import * as Pace from "./Pace.ts"
import * as Recovery from "./Recovery.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as SendQueue from "./SendQueue.ts"

/**
 * What the peer's window takes from `start` on. What lies beyond a window that was taken back waits (rfc: 9293 §3.8.6 SHLD-17), but for the oldest, which goes again whole
 * while the window is closed: somebody has to ask.
 */
const room = ({ snd }: Connection, start: Sequence.Sequence): number => {
  const left = snd.wnd - Sequence.distance(snd.una, start)
  return left <= 0 && start === snd.una ? Infinity : left
}

/** Sends `[start, end)` again, or as much of it as one segment and the peer's window hold. */
export const again = (
  ctx: Context,
  self: Connection,
  start: Sequence.Sequence,
  end: Sequence.Sequence,
  mss: number
): Connection => {
  const most = Sequence.add(start, SendQueue.inRecord(self.queue, start, Emit.largestText(self, mss)))
  const whole = Sequence.distance(start, Sequence.earlier(Sequence.earlier(end, self.queue.end), most))
  const left = room(self, start)
  const length = left > 0 ? Math.min(whole, left) : whole
  const textEnd = Sequence.add(start, length)
  const isLast = textEnd === self.queue.end
  const withFin = self.snd.fin && isLast && Sequence.after(end, textEnd)
  const pieces: Array<Piece> = []
  const queue = SendQueue.read(self.queue, start, length, pieces, false)
  const isPushed = isLast || SendQueue.isRecordEnd(queue, textEnd)
  const flags = (withFin ? Tcp.FIN : 0) | (isPushed && length > 0 ? Tcp.PSH : 0)
  const emitted = Emit.segment(ctx, { ...self, queue }, start, flags, pieces, length, mss, false)
  return noted(ctx, emitted, start, withFin ? Sequence.add(textEnd, 1) : textEnd, mss)
}

/** Takes note of what has left again. */
const noted = (
  ctx: Context,
  self: Connection,
  start: Sequence.Sequence,
  end: Sequence.Sequence,
  mss: number
): Connection => {
  const size = Sequence.distance(start, end)
  const segments = Math.max(1, Math.ceil(size / mss))
  const at = Recovery.departure(ctx, self)
  const [rate, stamp] = DeliveryRate.send(self.rate, at, Scoreboard.pipe(self.board), size)
  ctx.count(Counter.index.tcpSegmentsRetransmitted, segments)
  return {
    ...self,
    rate,
    board: Scoreboard.retransmitted(self.board, start, end, mss, stamp),
    recovery: Recovery.repeated(ctx, self, start, segments, size),
    snd: {
      ...self.snd,
      lastAt: at,
      retransmittedSegments: self.snd.retransmittedSegments + segments,
      retransmittedBytes: self.snd.retransmittedBytes + size
    }
  }
}

/** Sends what counts as lost, oldest first, as far as the window goes (RFC 6675 §5 step C). */
export const lost = (ctx: Context, connection: Connection): Connection => {
  if (Scoreboard.lostBytes(connection.board) === 0) return connection
  let self = connection
  const mss = Emit.segmentSize(ctx, self)
  while (!Pace.isHeld(ctx, self)) {
    const allowed = Math.min(Recovery.allowance(self), Connections.creditLeft(self, mss))
    if (allowed <= 0) return self
    const range = Loss.nextLost(self.board, Math.max(mss, allowed - allowed % mss))
    // A part of a segment is not worth an exception: the next ACKs make the allowance whole.
    if (range === undefined || allowed < Math.min(mss, Sequence.distance(range.start, range.end))) return self
    if (room(self, range.start) <= 0) return self
    self = Pace.sent(ctx, again(ctx, self, range.start, range.end, mss), Sequence.distance(range.start, range.end))
  }
  return self
}

/**
 * Nothing counts as lost and nothing new waits, but the window would take more: what was sent once and has been overtaken goes again, so that ACKs go on coming
 * (rfc: 6675 §4 SHOULD, NextSeg rule 3). Where losses are found by time there is no need for guesses.
 */
export const suspects = (ctx: Context, connection: Connection): Connection => {
  if (connection.recovery.phase !== "fast" || !connection.agreed.sack || Recovery.usesRack(connection)) {
    return connection
  }
  let self = connection
  const mss = Emit.segmentSize(ctx, self)
  while (Math.min(Recovery.allowance(self), Connections.creditLeft(self, mss)) >= mss) {
    const range = Loss.nextSuspect(self.board, mss)
    if (range === undefined) return self
    self = again(ctx, self, range.start, range.end, mss)
  }
  return self
}
