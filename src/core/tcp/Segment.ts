/**
 * A received segment as the checks of RFC 9293 §3.10.7 speak of it: SEG.SEQ, SEG.ACK, SEG.LEN, SEG.WND, and where its text lies.
 *
 *        SEG.SEQ                                   SEG.SEQ + SEG.LEN
 *           │ SYN │ text                      │ FIN │
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Options } from "../../wire/TcpOptions.ts"
import type { Packet } from "../Ip.ts"

export interface Segment {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly seq: Sequence.Sequence
  readonly ack: Sequence.Sequence
  readonly flags: number
  /** As it stands in the header, not scaled. */
  readonly window: number
  readonly options: Options
  /** The urgent pointer, from SEG.SEQ on; of use with URG only. */
  readonly urgent: number
  /** The text: `packet.bytes[start..end)`, borrowed. */
  readonly start: number
  readonly end: number
  readonly packet: Packet
}

export const make = (header: Tcp.Header, packet: Packet): Segment => ({
  sourcePort: header.sourcePort,
  destinationPort: header.destinationPort,
  seq: header.sequence,
  ack: header.acknowledgment,
  flags: header.flags,
  window: header.window,
  options: header.options,
  urgent: header.urgentPointer,
  start: header.payloadStart,
  end: header.payloadEnd,
  packet
})

export const has = (self: Segment, flag: number): boolean => (self.flags & flag) !== 0

export const textLength = (self: Segment): number => self.end - self.start

/** SEG.LEN: the text, and one each for SYN and FIN. */
export const length = (self: Segment): number =>
  self.end - self.start + ((self.flags & Tcp.SYN) >>> 1) + (self.flags & Tcp.FIN)

/** The first number of the text. */
export const textStart = (self: Segment): Sequence.Sequence =>
  (self.flags & Tcp.SYN) === 0 ? self.seq : Sequence.add(self.seq, 1)

/** Behind the text; the number of the FIN if there is one. */
export const textEnd = (self: Segment): Sequence.Sequence => Sequence.add(textStart(self), self.end - self.start)

/**
 * The four acceptability tests (RFC 9293 §3.10.7.4, table 6), against the window `nxt ≤ … < edge`.
 *
 *                nxt            edge
 *      ───────────┼──────────────┼───────
 *            [=======)                      its last number is in the window
 *                      [=====)              its first number is
 *       [=======)                  [====)   neither: not acceptable
 *
 * A segment that begins on the right edge is taken too, and all its text cut off later: so the ACKs and windows of a peer that has filled the window
 * are heard (the special allowance of rfc: 9293 §3.10.7.4 MUST-66 for a zero window, which deployed stacks extend to this).
 */
export const isAcceptable = (self: Segment, nxt: Sequence.Sequence, edge: Sequence.Sequence): boolean => {
  const seq = self.seq
  if (seq === nxt || seq === edge || Sequence.between(nxt, seq, edge)) return true
  const size = length(self)
  if (size === 0 || Sequence.after(seq, nxt)) return false
  // It begins before the window: its last number must be in it, or behind all of it.
  return nxt !== edge && Sequence.after(Sequence.add(seq, size), nxt)
}

/** The same without what lies before `nxt` (RFC 9293 §3.10.7.4: only the new parts are processed). */
export const trimFront = (self: Segment, nxt: Sequence.Sequence): Segment => {
  const old = Sequence.distance(self.seq, nxt)
  if (old <= 0) return self
  const syn = (self.flags & Tcp.SYN) >>> 1
  const start = Math.min(self.end, self.start + old - syn)
  const urgent = Math.max(0, self.urgent - old)
  const isAllOld = old >= length(self)
  const flags = self.flags & ~(isAllOld ? Tcp.SYN | Tcp.FIN : Tcp.SYN)
  return { ...self, seq: nxt, flags, urgent, start }
}

/**
 * The same without the text at or behind `edge`, and without a FIN behind such text. A FIN that stands on the edge itself stays: it needs no room, so that a window that
 * is just filled, or closed, is no reason to refuse it, as deployed stacks find too: its sender would ask for ever whether the window has opened for it (RFC 9293 §3.4
 * counts its number against the window).
 */
export const trimBack = (self: Segment, edge: Sequence.Sequence): Segment => {
  const over = Sequence.distance(edge, textEnd(self))
  if (over <= 0) return self
  return { ...self, flags: self.flags & ~Tcp.FIN, end: self.start + Math.max(0, textLength(self) - over) }
}
