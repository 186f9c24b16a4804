/**
 * A segment for an active opener that has sent its SYN (RFC 9293 §3.10.7.3): the checks in their order.
 *
 *     ACK of our SYN and SYN ──▶ ESTABLISHED       SYN alone ──▶ SYN-RECEIVED (simultaneous open)       ACK and RST ──▶ refused
 */
import * as Sequence from "../../../wire/Sequence.ts"
import * as Tcp from "../../../wire/Tcp.ts"
import type { Context } from "../../Context.ts"
import * as Counter from "../../Counter.ts"
import * as Reason from "../../Reason.ts"
import * as AckPolicy from "../AckPolicy.ts"
import type { Connection } from "../Connection.ts"
import * as Control from "../Control.ts"
import * as Ecn from "../Ecn.ts"
import * as Emit from "../Emit.ts"
import * as Establish from "../Establish.ts"
import * as FastOpen from "../FastOpen.ts"
import * as Finish from "../Finish.ts"
import * as Handshake from "../Handshake.ts"
import * as Lifecycle from "../Lifecycle.ts"
import * as Options from "../Options.ts"
import * as ReceiveBuffer from "../ReceiveBuffer.ts"
import * as Segment from "../Segment.ts"
import type { State } from "../State.ts"
import * as TailLossProbe from "../TailLossProbe.ts"
import * as Timestamps from "../Timestamps.ts"
import * as UserTimeoutOption from "../UserTimeoutOption.ts"
import * as Text from "./Text.ts"

/** First check: an ACK of anything but our SYN gets a reset. True if processing goes on. */
const checkAck = (ctx: Context, self: Connection, segment: Segment.Segment): boolean => {
  if (!Segment.has(segment, Tcp.ACK)) return true
  const { snd } = self
  const echo = segment.options.timestampEcho
  // RFC 7323 §3.2 lets an echo that we can't have sent be taken for an old duplicate.
  const isOurs = echo === undefined || !self.config.timestamps ||
    Timestamps.roundTrip(self.stamps, echo, ctx.at) !== undefined || echo === 0
  if (Sequence.after(segment.ack, snd.iss) && !Sequence.after(segment.ack, snd.nxt) && isOurs) return true
  Emit.reset(ctx, segment)
  ctx.drop(Sequence.after(segment.ack, snd.nxt) ? "TcpAckTooNew" : "TcpAckTooOld", segment.packet.link)
  return false
}

/** Second check: a RST that acknowledges our SYN refuses the connection; any other may be from anybody. */
const checkReset = (ctx: Context, state: State, self: Connection, segment: Segment.Segment): boolean => {
  if (!Segment.has(segment, Tcp.RST)) return true
  if (!Segment.has(segment, Tcp.ACK)) {
    ctx.drop("TcpBadReset", segment.packet.link)
    return false
  }
  ctx.count(Counter.index.tcpResetsReceived)
  ctx.count(Counter.index.tcpAttemptFails)
  Lifecycle.end(ctx, state, self, Reason.connectionRefused)
  return false
}

/** What the peer's SYN tells: its numbers, its window, its options. */
const introduced = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  const agreed = Options.agree(self.config, segment)
  const peerMss = Options.peerMss(self.path, segment.options)
  const mss = Options.sendMss(self.path, peerMss, agreed.timestamps, self.config)
  const nxt = Sequence.add(segment.seq, 1)
  const offered = Sequence.distance(self.rcv.nxt, self.rcv.edge)
  const { options } = segment
  return {
    ...self,
    agreed,
    ecn: Ecn.introduced(self.config, self.ecn, agreed.ecn, segment, self.recovery.timeouts),
    snd: {
      ...self.snd,
      peerMss,
      mss,
      // rfc: 7323 §2.2 MUST: the window of a SYN is never scaled.
      wnd: segment.window,
      maxWnd: segment.window,
      wl1: segment.seq,
      wl2: segment.ack
    },
    rcv: {
      ...self.rcv,
      irs: segment.seq,
      nxt,
      edge: Sequence.add(nxt, offered),
      size: Options.receiveSize(self.config, mss, agreed.timestamps),
      lastAt: ctx.at,
      textAt: ctx.at,
      segments: self.rcv.segments + 1
    },
    buffer: ReceiveBuffer.empty(nxt),
    stamps: agreed.timestamps
      ? { ...self.stamps, recent: options.timestampValue!, recentAt: ctx.at, lastAck: nxt }
      : self.stamps,
    control: Control.afterHandshake(self.config, mss, ctx.at, self.recovery.timeouts)
  }
}

/** A SYN that acknowledges ours: established. Its text, if any, is processed from the sixth check on. */
const established = (ctx: Context, state: State, self: Connection, segment: Segment.Segment): void => {
  const rtt = Handshake.measured(ctx, self, segment)
  FastOpen.answered(ctx, state, self, segment)
  const tail = rtt.srtt === undefined ? self.tail : TailLossProbe.sampled(self.tail)
  const acknowledged: Connection = { ...self, rtt, tail, ack: AckPolicy.now(self.ack) }
  const open = Establish.enter(ctx, state, acknowledged, segment.ack)
  const rest = Segment.trimBack(Segment.trimFront(segment, open.rcv.nxt), open.rcv.edge)
  const next = Text.check(ctx, state, open, rest)
  if (next !== undefined) Finish.event(ctx, state, next)
}

/** A SYN alone: both sides have opened at once (RFC 9293 §3.5, figure 8). rfc: 9293 §3.5 MUST-10 */
const simultaneous = (ctx: Context, state: State, self: Connection): void => {
  const received = Lifecycle.become(ctx, self, "SYN-RECEIVED")
  Handshake.synAck(ctx, received)
  Finish.event(ctx, state, Handshake.retryAt(ctx, received, 0))
}

export const arrives = (ctx: Context, state: State, self: Connection, segment: Segment.Segment): void => {
  if (!checkAck(ctx, self, segment)) return
  if (!checkReset(ctx, state, self, segment)) return
  // Third check, of security and compartment: nobody has them. Fourth, the SYN; fifth, nothing else is of use.
  if (!Segment.has(segment, Tcp.SYN)) return ctx.drop("TcpNoAck", segment.packet.link)
  const next = UserTimeoutOption.heard(ctx, introduced(ctx, self, segment), segment.options.userTimeout)
  if (Segment.has(segment, Tcp.ACK)) established(ctx, state, next, segment)
  else simultaneous(ctx, state, next)
}
