/**
 * The window that we offer (RFC 9293 §3.8.6.2.2, RFC 7323 §2): how far the peer may send, told without silly steps, never taken back.
 *
 *       read          RCV.NXT                       edge        read + size
 *         │ unread text  │  offered and free          │ not offered │
 *         ├──────────────┴────────────────────────────┴─────────────┤
 *         ╰───────────────────── the buffer ────────────────────────╯
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Connection } from "./Connection.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"

const largestField = 0xffff

/** What is offered at most: where that was less than the buffer at first, it stays so until the buffer grows. */
const size = ({ rcv, config }: Connection): number =>
  config.windowSteps === "segments" ? Math.min(rcv.size, rcv.first) : rcv.size

/** Free room of the buffer, counted from RCV.NXT. */
const free = (self: Connection): number => Math.max(0, size(self) - ReceiveBuffer.ready(self.buffer))

/**
 * How far the right edge would move if it were told now. It moves by a worthwhile step or not at all: a full segment, or half of the buffer
 * if that is less.
 */
// rfc: 9293 §3.8.6.2.2 MUST-39
export const step = (self: Connection): number => {
  // What the field can't say is no step: without scaling a buffer may be larger than any window.
  const room = Math.min(self.rcv.discards ? self.rcv.size : free(self), largestField << self.agreed.receiveScale)
  const moved = Sequence.distance(self.rcv.edge, Sequence.add(self.rcv.nxt, room))
  return moved >= Math.min(self.rcv.size >>> 1, self.rcv.mss) ? moved : 0
}

/** All that is free, but for what is too little to speak of, and never less than was offered: how windows open by quarters. */
const whole = (self: Connection): number => {
  const { edge, nxt, size } = self.rcv
  const room = self.rcv.discards ? size : free(self)
  const worthwhile = room < size / 4 && room < self.snd.mss ? 0 : room
  return Math.max(worthwhile, Sequence.distance(nxt, edge))
}

/** The window field of the next segment, scaled; nothing makes it open but a program that reads (rfc: 9293 §3.8.6.1 MAY-8). */
export const field = (self: Connection): number => {
  const scale = self.agreed.receiveScale
  if (self.config.windowSteps === "quarters") return Math.min(largestField, whole(self) >>> scale)
  const window = Sequence.distance(self.rcv.nxt, self.rcv.edge) + step(self)
  const unit = 1 << scale
  // Rounding down would take back a part of a unit that was offered (RFC 7323 §2.4): round up, unless there is no memory for it.
  const up = (window + unit - 1) >>> scale
  const isUpFree = up << scale <= self.rcv.size - ReceiveBuffer.ready(self.buffer) + unit || self.rcv.discards
  return Math.min(largestField, isUpFree ? up : window >>> scale)
}

/** The right edge once `field` was told; it never goes back (rfc: 9293 §3.8.6 SHLD-14). */
export const edgeAfter = (self: Connection, field: number): Sequence.Sequence =>
  Sequence.later(self.rcv.edge, Sequence.add(self.rcv.nxt, field << self.agreed.receiveScale))

/**
 * Reading has freed so much that the peer should be told without waiting for a segment: the window at least doubles, as in deployed stacks. Before that the peer has
 * half of it to send in, and the ACK of what it sends tells the rest.
 */
// rfc: 9293 §3.8.6.2.2 MUST-39
export const isUpdateDue = (self: Connection): boolean => {
  if (self.config.windowSteps === "quarters") return isQuarterFreed(self)
  const moved = step(self)
  if (moved === 0) return false
  const offered = Sequence.distance(self.rcv.nxt, self.rcv.edge)
  // What our SYN could say without scaling is enough to begin with: the first segment that leaves says the rest.
  if (self.snd.segments === 0 && offered >= largestField >>> 1) return false
  return moved >= offered || offered < self.rcv.mss
}

/** Two segments at least, and a quarter of the buffer unless it is small or nearly full; or half of it in any case. An ACK that waits for company tells the rest. */
const isQuarterFreed = (self: Connection): boolean => {
  if (self.ack.due === "delayed") return false
  const { size } = self.rcv
  const room = Math.min(free(self), largestField << self.agreed.receiveScale)
  const moved = Sequence.distance(self.rcv.edge, Sequence.add(self.rcv.nxt, room))
  const mss = self.snd.mss
  return moved >= 2 * mss && (moved >= size / 4 || room <= size / 8 || size <= 8 * mss) || 2 * moved >= size
}
