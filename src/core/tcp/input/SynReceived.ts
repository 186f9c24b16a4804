/**
 * A segment for a half-open connection (RFC 9293 §3.10.7.4 for SYN-RECEIVED after a passive open): the checks in their order, up to the ACK
 * that completes the handshake.
 */
import * as Sequence from "../../../wire/Sequence.ts"
import * as Tcp from "../../../wire/Tcp.ts"
import * as TcpOptions from "../../../wire/TcpOptions.ts"
import type { Context } from "../../Context.ts"
import * as Counter from "../../Counter.ts"
import * as Challenge from "../Challenge.ts"
import * as EcnHandshake from "../EcnHandshake.ts"
import * as Emit from "../Emit.ts"
import * as Listener from "../Listener.ts"
import * as Segment from "../Segment.ts"
import type { HalfOpen, State } from "../State.ts"
import * as Timestamps from "../Timestamps.ts"
import * as Closed from "./Closed.ts"
import * as Synchronized from "./Synchronized.ts"

const acknowledge = (ctx: Context, self: HalfOpen): void => {
  Emit.bare(ctx, self.tuple, self.path, ctx.config.tcp, {
    seq: Sequence.add(self.iss, 1),
    ack: Sequence.add(self.irs, 1),
    flags: Tcp.ACK,
    window: self.offered >>> self.agreed.receiveScale,
    options: self.agreed.timestamps
      ? TcpOptions.timestamps(Timestamps.value(self.offset, ctx.at), self.recent)
      : TcpOptions.none
  })
}

/** Answers what is not acceptable, as far as the allowances go (RFC 5961 §7). */
const challenge = (ctx: Context, state: State, self: HalfOpen): void => {
  if (!Challenge.isDue(ctx, self.challengedAt) || !Challenge.isAllowed(ctx, state)) return
  ctx.put(state.entries, self.id, { ...self, challengedAt: ctx.at })
  acknowledge(ctx, self)
}

/** A segment from before: PAWS works from the first segment on (RFC 7323 §5.3). */
const isOld = (self: HalfOpen, segment: Segment.Segment): boolean =>
  self.agreed.timestamps && segment.options.timestampValue !== undefined &&
  Sequence.before(segment.options.timestampValue, self.recent)

/** A SYN that comes again offers what it did. */
const mayLackTimestamp = (ctx: Context, self: HalfOpen, segment: Segment.Segment): boolean =>
  ctx.config.tcp.bearsMissingTimestamps || Segment.has(segment, Tcp.SYN) ||
  !Timestamps.isMissing(self.agreed.timestamps, segment.options, Segment.has(segment, Tcp.RST))

/** The SYN again, or another where those count for the same: the SYN/ACK was lost. */
const isRepeated = (ctx: Context, self: HalfOpen, segment: Segment.Segment): boolean =>
  Segment.has(segment, Tcp.SYN) && !Segment.has(segment, Tcp.ACK) && !Segment.has(segment, Tcp.RST) &&
  (segment.seq === self.irs || ctx.config.tcp.otherSyn === "repeats") && !isOld(self, segment)

/** The SYN/ACK goes out again as it was, with the newer timestamp. */
const repeat = (ctx: Context, state: State, self: HalfOpen, segment: Segment.Segment): void => {
  if (!Challenge.isDue(ctx, self.challengedAt)) return
  const config = state.listeners.get(self.listener)?.config ?? ctx.config.tcp
  const agreed = EcnHandshake.repeated(self.agreed, segment)
  const recent = segment.options.timestampValue ?? self.recent
  const again = Listener.waitAgain(ctx, { ...self, agreed, recent, challengedAt: ctx.at }, config)
  ctx.put(state.entries, self.id, again)
  Listener.synAck(ctx, again, config, false)
}

/** First check: the sequence number. True if processing goes on. */
const checkSequence = (ctx: Context, state: State, self: HalfOpen, segment: Segment.Segment): boolean => {
  const nxt = Sequence.add(self.irs, 1)
  const edge = Sequence.add(nxt, self.offered)
  if (!mayLackTimestamp(ctx, self, segment)) {
    ctx.drop("TcpPaws", segment.packet.link)
    return false
  }
  if (isRepeated(ctx, self, segment)) {
    repeat(ctx, state, self, segment)
    return false
  }
  if (Segment.isAcceptable(segment, nxt, edge) && !isOld(self, segment)) return true
  if (Segment.has(segment, Tcp.RST)) {
    ctx.drop("TcpBadReset", segment.packet.link)
    return false
  }
  // What acknowledges something else than our SYN is of no connection that there is (rfc: 9293 §3.5.2, group 2), wherever its text would be.
  if (Segment.has(segment, Tcp.ACK) && !checkAck(ctx, segment, self)) return false
  challenge(ctx, state, self)
  ctx.drop("TcpNotAcceptable", segment.packet.link)
  return false
}

/** Back to LISTEN (rfc: 4022 §3, tcpAttemptFails). */
const failed = (ctx: Context, state: State, self: HalfOpen): void => {
  ctx.count(Counter.index.tcpAttemptFails)
  Listener.forget(ctx, state, self)
}

/** Second check: a RST returns to LISTEN, if its number is exact (RFC 5961 §3.2). */
const checkReset = (ctx: Context, state: State, self: HalfOpen, segment: Segment.Segment): boolean => {
  if (!Segment.has(segment, Tcp.RST)) return true
  if (segment.seq === Sequence.add(self.irs, 1)) {
    ctx.count(Counter.index.tcpResetsReceived)
    failed(ctx, state, self)
  } else challenge(ctx, state, self)
  ctx.drop("TcpBadReset", segment.packet.link)
  return false
}

/** Fourth check: another SYN in the window returns to LISTEN after a passive open; it is answered as nobody's where its sender is to hear of that. */
const checkSyn = (ctx: Context, state: State, self: HalfOpen, segment: Segment.Segment): boolean => {
  if (!Segment.has(segment, Tcp.SYN)) return true
  failed(ctx, state, self)
  if (ctx.config.tcp.otherSyn === "resets") Emit.reset(ctx, segment)
  ctx.drop("TcpUnexpectedSyn", segment.packet.link)
  return false
}

/** Fifth check: the ACK of our SYN. */
const checkAck = (ctx: Context, segment: Segment.Segment, self: HalfOpen): boolean => {
  const { link } = segment.packet
  if (!Segment.has(segment, Tcp.ACK)) {
    ctx.drop("TcpNoAck", link)
    return false
  }
  if (segment.ack === Sequence.add(self.iss, 1)) return true
  Emit.reset(ctx, segment)
  ctx.drop(Sequence.before(segment.ack, self.iss) ? "TcpAckTooOld" : "TcpAckTooNew", link)
  return false
}

export const arrives = (ctx: Context, state: State, self: HalfOpen, segment: Segment.Segment): void => {
  const listener = state.listeners.get(self.listener)
  // With the listener its half-open connections are closed (rfc: 9293 §3.10.4).
  if (listener === undefined) {
    Listener.forget(ctx, state, self)
    return Closed.arrives(ctx, segment)
  }
  if (!checkSequence(ctx, state, self, segment)) return
  if (!checkReset(ctx, state, self, segment)) return
  if (!checkSyn(ctx, state, self, segment)) return
  if (!checkAck(ctx, segment, self)) return
  if (Listener.isDeferring(self, listener, segment)) {
    return ctx.put(state.entries, self.id, { ...self, isDeferred: true })
  }
  const isTooMany = state.connections.value >= ctx.config.limits.tcpConnections
  if (isTooMany || Listener.isFull(listener)) {
    ctx.drop(isTooMany ? "TcpConnectionLimit" : "TcpBacklogFull", segment.packet.link)
    return overflow(ctx, state, self, listener.config.abortOnOverflow, segment)
  }
  Synchronized.arrives(ctx, state, Listener.promote(ctx, state, self, listener, segment), segment)
}

/** Nobody has accepted for too long: the ACK is ignored, so the peer thinks it was lost, or the connection is reset if the listener wants that. */
const overflow = (
  ctx: Context,
  state: State,
  self: HalfOpen,
  isAborting: boolean,
  segment: Segment.Segment
): void => {
  if (!isAborting) return
  Listener.forget(ctx, state, self)
  Emit.reset(ctx, segment)
}
