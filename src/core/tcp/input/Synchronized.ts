/**
 * A segment for a connection whose numbers both sides know (RFC 9293 §3.10.7.4): the eight checks in their order, one function each. Every check
 * hands the connection on, or has finished with the segment and answers `undefined`.
 *
 *     sequence ▶ RST ▶ (security) ▶ SYN ▶ ACK ▶ URG ▶ text ▶ FIN
 *
 * The third check is of RFC 793's security and compartment, which nobody has (RFC 9293 §3.10.7.4 keeps the number).
 */
import * as Sequence from "../../../wire/Sequence.ts"
import * as Tcp from "../../../wire/Tcp.ts"
import type { Context } from "../../Context.ts"
import * as Counter from "../../Counter.ts"
import * as Reason from "../../Reason.ts"
import * as Time from "../../Time.ts"
import * as AckPolicy from "../AckPolicy.ts"
import * as Challenge from "../Challenge.ts"
import type { Connection } from "../Connection.ts"
import * as Ecn from "../Ecn.ts"
import * as Emit from "../Emit.ts"
import * as Finish from "../Finish.ts"
import * as Handshake from "../Handshake.ts"
import * as Lifecycle from "../Lifecycle.ts"
import * as ReceiveBuffer from "../ReceiveBuffer.ts"
import * as Rtt from "../Rtt.ts"
import * as Segment from "../Segment.ts"
import type { State } from "../State.ts"
import * as Deadlines from "../Timer.ts"
import * as Timestamps from "../Timestamps.ts"
import * as TimeWait from "../TimeWait.ts"
import * as Tuning from "../Tuning.ts"
import * as UserTimeoutOption from "../UserTimeoutOption.ts"
import * as Ack from "./Ack.ts"
import * as Text from "./Text.ts"

/** Ends the processing of a segment that was not wanted: the connection stays as it is but for its answer. */
const refuse = (
  ctx: Context,
  state: State,
  self: Connection,
  segment: Segment.Segment,
  reason: "TcpNotAcceptable" | "TcpPaws" | "TcpUnexpectedSyn" | "TcpBadReset" | "TcpNoAck"
): undefined => {
  ctx.drop(reason, segment.packet.link)
  Finish.event(ctx, state, self)
}

/** Numbers that were received before, those of text or of a FIN, to be reported as a duplicate (RFC 2883 §4.1). */
const duplicateOf = (
  ctx: Context,
  self: Connection,
  segment: Segment.Segment
): { left: number; right: number } | undefined => {
  if (!self.agreed.sack || !self.config.dsack || Segment.length(segment) === 0) return undefined
  const left = Segment.textStart(segment)
  const fin = ctx.config.tcp.reportsFins ? segment.flags & Tcp.FIN : 0
  const end = Sequence.add(Segment.textEnd(segment), fin)
  const right = Sequence.earlier(end, self.rcv.nxt)
  return Sequence.before(left, right) ? { left, right } : undefined
}

/**
 * The answer to a segment that is not acceptable: an ACK, at once for text (the peer is repeating itself), otherwise out of the
 * allowance for challenges, so that two confused ends do not answer each other for ever.
 */
const answerUnacceptable = (ctx: Context, state: State, self: Connection, segment: Segment.Segment): Connection => {
  if (Segment.has(segment, Tcp.RST)) return self
  if (Segment.length(segment) > 0 && !Segment.has(segment, Tcp.SYN)) {
    return Ecn.repeated({ ...self, ack: AckPolicy.duplicate(self.ack, duplicateOf(ctx, self, segment)) }, segment)
  }
  return Challenge.send(ctx, state, Ecn.reintroduced(self, segment))
}

/**
 * Whether text that reaches beyond the window is refused as a whole. Where that is the stack's way, what is beyond belongs to the peer still, but a program that has read
 * all there was has room for it: then it is taken as a whole, at most the largest packet more than was offered.
 */
const isOverlong = (ctx: Context, self: Connection, segment: Segment.Segment): boolean =>
  !ctx.config.tcp.trimsText && !Segment.has(segment, Tcp.RST) &&
  Sequence.after(Segment.textEnd(segment), self.rcv.edge) && ReceiveBuffer.ready(self.buffer) > 0

/**
 * Whether all that a segment brings was there before, and yet its ACK says something new: it was sent again, and later than what came last. Deployed stacks take the ACK (RFC
 * 9293 §3.10.7.4 would drop it with the rest), so that the ends of a close that cross each other need not wait for a timer.
 */
const acknowledgesMore = ({ rcv, snd }: Connection, segment: Segment.Segment): boolean => {
  const size = Segment.length(segment)
  return size > 0 && !Segment.has(segment, Tcp.SYN) && !Segment.has(segment, Tcp.RST) &&
    Segment.has(segment, Tcp.ACK) && !Sequence.after(Sequence.add(segment.seq, size), rcv.nxt) &&
    Sequence.after(segment.ack, snd.una) && !Sequence.after(segment.ack, snd.nxt)
}

/** First check, of timestamps and numbers: is the segment young, and in the window? */
// rfc: 9293 §3.10.7.4, 7323 §5.3 R1
const checkSequence = (
  ctx: Context,
  state: State,
  self: Connection,
  segment: Segment.Segment
): Connection | undefined => {
  const isReset = Segment.has(segment, Tcp.RST)
  const isMissing = Timestamps.isMissing(self.agreed.timestamps, segment.options, isReset)
  if (isMissing && !ctx.config.tcp.bearsMissingTimestamps) return refuse(ctx, state, self, segment, "TcpPaws")
  if (
    self.agreed.timestamps && !isReset &&
    Timestamps.isOld(self.stamps, segment.options, ctx.at)
  ) {
    ctx.count(Counter.index.tcpPawsRejected)
    return refuse(ctx, state, answerUnacceptable(ctx, state, self, segment), segment, "TcpPaws")
  }
  if (Segment.isAcceptable(segment, self.rcv.nxt, self.rcv.edge) && !isOverlong(ctx, self, segment)) return self
  if (acknowledgesMore(self, segment)) return Ecn.repeated(self, segment)
  return refuse(ctx, state, answerUnacceptable(ctx, state, self, segment), segment, "TcpNotAcceptable")
}

/** What the user hears of a reset, by the state in which it came. */
const resetReason = (self: Connection): Reason.Reason | undefined => {
  if (self.state === "SYN-RECEIVED" && self.listener === 0) return Reason.connectionRefused
  return self.state === "CLOSING" || self.state === "LAST-ACK" || self.state === "TIME-WAIT"
    ? undefined
    : Reason.connectionReset
}

/** Second check, the RST bit: only an exact number resets, another in the window is challenged. It may have text. */
// rfc: 9293 §3.5.2 SHLD-2, 5961 §3.2 MUST
const checkReset = (
  ctx: Context,
  state: State,
  self: Connection,
  segment: Segment.Segment
): Connection | undefined => {
  if (!Segment.has(segment, Tcp.RST)) return self
  if (segment.seq !== self.rcv.nxt) {
    return refuse(ctx, state, Challenge.send(ctx, state, self), segment, "TcpBadReset")
  }
  ctx.count(Counter.index.tcpResetsReceived)
  ctx.count(
    self.state === "ESTABLISHED" || self.state === "CLOSE-WAIT"
      ? Counter.index.tcpEstablishedResets
      : Counter.index.tcpAttemptFails
  )
  Lifecycle.end(ctx, state, self, resetReason(self))
  return undefined
}

/** Fourth check, the SYN bit: whatever its number, a SYN is challenged (rfc: 5961 §4.2 MUST). */
const checkSyn = (
  ctx: Context,
  state: State,
  self: Connection,
  segment: Segment.Segment
): Connection | undefined => {
  if (!Segment.has(segment, Tcp.SYN)) return self
  const challenged = Challenge.send(ctx, state, Ecn.reintroduced(self, segment))
  return refuse(ctx, state, challenged, segment, "TcpUnexpectedSyn")
}

/** The SYN/ACK of a simultaneous open (RFC 9293 §3.5, figure 8): its SYN is known, its ACK completes the handshake. */
const isSimultaneous = (self: Connection, segment: Segment.Segment): boolean =>
  self.state === "SYN-RECEIVED" && segment.seq === self.rcv.irs && Segment.has(segment, Tcp.SYN) &&
  Segment.has(segment, Tcp.ACK) && !Segment.has(segment, Tcp.RST) &&
  Sequence.after(segment.ack, self.snd.iss) && !Sequence.after(segment.ack, self.snd.nxt)

/** The peer's SYN again, while ours waits to be acknowledged. */
const isRepeatedSyn = (self: Connection, segment: Segment.Segment): boolean =>
  self.state === "SYN-RECEIVED" && segment.seq === self.rcv.irs && Segment.has(segment, Tcp.SYN) &&
  !Segment.has(segment, Tcp.ACK) && !Segment.has(segment, Tcp.RST)

/** The segment without what lies outside of the window, and the connection that knows of it. */
const trimmed = (ctx: Context, self: Connection, segment: Segment.Segment): Segment.Segment => {
  const fresh = Segment.trimFront(segment, self.rcv.nxt)
  return ctx.config.tcp.trimsText ? Segment.trimBack(fresh, self.rcv.edge) : fresh
}

/** A part of the segment was old or did not fit: the peer should know where we are. */
const afterTrim = (ctx: Context, self: Connection, segment: Segment.Segment, kept: Segment.Segment): Connection =>
  kept === segment || Segment.length(segment) === 0
    ? self
    : { ...self, ack: AckPolicy.duplicate(self.ack, duplicateOf(ctx, self, segment)) }

/** A segment of this connection was heard, whatever it says: the peer lives, and its timestamp may be the next to echo. */
const heard = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  const { rcv, stamps } = self
  const hasText = Segment.textLength(segment) > 0
  return {
    ...self,
    rcv: {
      ...rcv,
      lastAt: ctx.at,
      textAt: hasText ? ctx.at : rcv.textAt,
      segments: rcv.segments + 1,
      textSegments: hasText ? rcv.textSegments + 1 : rcv.textSegments
    },
    // What can't be an ACK of ours must not decide which segments are too old from now on.
    stamps: self.agreed.timestamps && Ack.isCredible(self, segment)
      ? Timestamps.update(stamps, segment.options, segment.seq, ctx.at)
      : stamps,
    ack: hasText && Time.between(rcv.textAt, ctx.at) > Rtt.rtoOf(self.rtt, self.config)
      ? AckPolicy.resumed(self.ack, self.config)
      : self.ack,
    tuning: hasText ? Tuning.heard(ctx, self, segment) : self.tuning
  }
}

/** From the fifth check on, for a segment whose numbers are good. */
export const accepted = (ctx: Context, state: State, connection: Connection, segment: Segment.Segment): void => {
  const kept = trimmed(ctx, connection, segment)
  let self: Connection | undefined = Ecn.received(
    afterTrim(ctx, heard(ctx, connection, kept), segment, kept),
    segment,
    kept
  )
  if (!Segment.has(kept, Tcp.ACK)) {
    refuse(ctx, state, self, kept, "TcpNoAck")
    return
  }
  if (kept.options.userTimeout !== undefined) self = UserTimeoutOption.heard(ctx, self, kept.options.userTimeout)
  self = Ack.check(ctx, state, self, kept)
  if (self === undefined) return
  self = Text.check(ctx, state, self, kept)
  if (self === undefined) return
  Finish.event(ctx, state, self)
}

/** A segment for a connection in TIME-WAIT that a program still holds. True when a listener may have it. */
const inTimeWait = (ctx: Context, state: State, self: Connection, segment: Segment.Segment): boolean => {
  const { rcv, stamps } = self
  const waiting: TimeWait.Waiting = {
    timestamps: self.agreed.timestamps,
    recent: stamps.recent,
    sndNxt: self.snd.nxt,
    rcvNxt: rcv.nxt,
    window: Sequence.distance(rcv.nxt, rcv.edge)
  }
  const verdict = TimeWait.judge(segment, waiting, ctx.config.tcp)
  switch (verdict) {
    case "reopen":
      Lifecycle.end(ctx, state, self, undefined)
      return true
    case "closed":
      Lifecycle.end(ctx, state, self, undefined)
      return false
    case "restart": {
      const until = Time.plus(ctx.at, self.config.timeWait)
      Finish.event(ctx, state, Deadlines.withSlow(Emit.ack(ctx, self), "closing", until))
      return false
    }
    case "acknowledge":
      refuse(ctx, state, Emit.ack(ctx, self), segment, "TcpNotAcceptable")
      return false
    case "drop":
      refuse(ctx, state, self, segment, "TcpNotAcceptable")
      return false
  }
}

/** True when the segment is a SYN that ends TIME-WAIT, and a listener may have it. */
export const arrives = (ctx: Context, state: State, connection: Connection, segment: Segment.Segment): boolean => {
  if (connection.state === "TIME-WAIT") return inTimeWait(ctx, state, connection, segment)
  if (isSimultaneous(connection, segment)) {
    accepted(ctx, state, connection, segment)
    return false
  }
  if (isRepeatedSyn(connection, segment)) {
    // Our SYN/ACK was lost: it goes out again.
    Handshake.synAck(ctx, connection)
    refuse(ctx, state, connection, segment, "TcpUnexpectedSyn")
    return false
  }
  let self = checkSequence(ctx, state, connection, segment)
  if (self === undefined) return false
  self = checkReset(ctx, state, self, segment)
  if (self === undefined) return false
  self = checkSyn(ctx, state, self, segment)
  if (self === undefined) return false
  accepted(ctx, state, self, segment)
  return false
}
