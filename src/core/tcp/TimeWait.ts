/**
 * TIME-WAIT (RFC 9293 §3.3.2, §3.6.1) in a small record: it acknowledges what the peer repeats, keeps old segments from being taken for new ones,
 * and gives way to a new connection that is known to be newer (RFC 6191).
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import * as TcpOptions from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import * as Alarm from "../Timer.ts"
import * as Challenge from "./Challenge.ts"
import type { Config } from "./Config.ts"
import type { Connection } from "./Connection.ts"
import * as ConnectionOf from "./Connection.ts"
import * as Emit from "./Emit.ts"
import * as Lookup from "./Lookup.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import * as Segment from "./Segment.ts"
import type { State, TimeWait } from "./State.ts"
import * as Timestamps from "./Timestamps.ts"

/** Moves the neighbours in the order of entering past a record that leaves it. */
const leaveOrder = (ctx: Context, state: State, self: TimeWait): void => {
  const older = state.entries.get(self.older)
  const newer = state.entries.get(self.newer)
  if (older?._tag === "TimeWait") ctx.put(state.entries, older.id, { ...older, newer: self.newer })
  else ctx.set(state.oldestTimeWait, self.newer)
  if (newer?._tag === "TimeWait") ctx.put(state.entries, newer.id, { ...newer, older: self.older })
  else ctx.set(state.newestTimeWait, self.older)
}

/** Ends TIME-WAIT. */
export const remove = (ctx: Context, state: State, self: TimeWait): void => {
  leaveOrder(ctx, state, self)
  Lookup.unlink(ctx, state, state.entries.get(self.id) ?? self)
  ctx.remove(state.entries, self.id)
  ctx.set(state.timeWaits, state.timeWaits.value - 1)
}

/** The bound `tcpTimeWait`: the connection longest in TIME-WAIT goes. */
const evict = (ctx: Context, state: State): void => {
  if (state.timeWaits.value < ctx.config.limits.tcpTimeWait) return
  const oldest = state.entries.get(state.oldestTimeWait.value)
  if (oldest?._tag === "TimeWait") remove(ctx, state, oldest)
}

/** Replaces a connection that nobody holds; the record keeps its id and its place in the index. */
export const compact = (ctx: Context, state: State, self: Connection, until: Time.Instant): void => {
  evict(ctx, state)
  if (self.buffer.held > 0) ctx.discharge("tcpReceive", self.buffer.held)
  ReceiveBuffer.letGo(self.buffer, ctx)
  if (self.queue.held > 0) ctx.discharge("tcpSend", self.queue.held)
  const newest = state.newestTimeWait.value
  const { stamps } = self
  const record: TimeWait = {
    _tag: "TimeWait",
    id: self.id,
    // The eviction may have taken the record that came next in the chain.
    next: state.entries.get(self.id)?.next ?? self.next,
    tuple: self.tuple,
    path: self.path,
    config: self.config,
    sndNxt: self.snd.nxt,
    rcvNxt: self.rcv.nxt,
    window: Math.min(0xffff, ConnectionOf.receiveWindow(self) >>> self.agreed.receiveScale),
    timestamps: self.agreed.timestamps,
    offset: stamps.offset,
    recent: stamps.recent,
    recentAt: stamps.recentAt,
    challengedAt: self.rcv.challengedAt,
    timer: Alarm.arm(ctx, { _tag: "Tcp", key: self.id }, self.timer, until),
    older: newest,
    newer: 0
  }
  const last = state.entries.get(newest)
  if (last?._tag === "TimeWait") ctx.put(state.entries, newest, { ...last, newer: self.id })
  else ctx.set(state.oldestTimeWait, self.id)
  ctx.set(state.newestTimeWait, self.id)
  ctx.set(state.connections, state.connections.value - 1)
  ctx.set(state.timeWaits, state.timeWaits.value + 1)
  ctx.put(state.entries, self.id, record)
}

const acknowledge = (ctx: Context, self: TimeWait): void => {
  Emit.bare(ctx, self.tuple, self.path, self.config, {
    seq: self.sndNxt,
    ack: self.rcvNxt,
    flags: Tcp.ACK,
    window: self.window,
    options: self.timestamps
      ? TcpOptions.timestamps(Timestamps.value(self.offset, ctx.at), self.recent)
      : TcpOptions.none
  })
}

/**
 * Whether a SYN is from a connection later than this one: a newer timestamp, or without timestamps a number behind all that was received (RFC 6191
 * §2, RFC 1122 §4.2.2.13).
 */
// rfc: 9293 §3.6.1 MAY-2 SHLD-4, 6191 §2 SHOULD
export const isNewer = (
  segment: Segment.Segment,
  timestamps: boolean,
  recent: number,
  rcvNxt: Sequence.Sequence
): boolean => {
  const value = segment.options.timestampValue
  if (timestamps && value !== undefined && Sequence.after(value, recent)) return true
  return (!timestamps || value === undefined || value === recent) && Sequence.after(segment.seq, rcvNxt)
}

/** What a segment means to a connection in TIME-WAIT. */
export type Verdict = "reopen" | "closed" | "restart" | "acknowledge" | "drop"

/** What a connection in TIME-WAIT still knows. */
export interface Waiting {
  readonly timestamps: boolean
  readonly recent: number
  readonly sndNxt: Sequence.Sequence
  readonly rcvNxt: Sequence.Sequence
  /** As the peer knows it, in octets. */
  readonly window: number
}

const isRepeatedFin = (segment: Segment.Segment, { rcvNxt }: Waiting): boolean =>
  Segment.has(segment, Tcp.FIN) && Segment.textEnd(segment) === Sequence.add(rcvNxt, -1)

/** Judges a segment by its flags first, as FreeBSD does. */
const judgeByFlags = (segment: Segment.Segment, self: Waiting): Verdict => {
  const { flags } = segment
  const isNewSyn = (flags & (Tcp.SYN | Tcp.ACK)) === Tcp.SYN &&
    isNewer(segment, self.timestamps, self.recent, self.rcvNxt)
  if (isNewSyn) return "reopen"
  if ((flags & Tcp.ACK) === 0) return "drop"
  if (isRepeatedFin(segment, self)) return "restart"
  const isDue = flags === Tcp.ACK && segment.seq === self.rcvNxt && segment.ack === self.sndNxt &&
    Segment.length(segment) === 0
  return isDue ? "drop" : "acknowledge"
}

/**
 * Judges a segment (RFC 9293 §3.10.7.4 for TIME-WAIT): a newer SYN reopens, an exact RST ends, a repeated FIN is acknowledged and starts the time
 * anew, anything else that is not acceptable is acknowledged.
 */
export const judge = (segment: Segment.Segment, self: Waiting, config: Config): Verdict => {
  const { rcvNxt } = self
  if (Segment.has(segment, Tcp.RST)) {
    return segment.seq === rcvNxt && !config.timeWaitBearsResets ? "closed" : "drop"
  }
  if (config.timeWaitNeedsAck) return judgeByFlags(segment, self)
  if (Segment.has(segment, Tcp.SYN)) {
    return !Segment.has(segment, Tcp.ACK | Tcp.FIN) && isNewer(segment, self.timestamps, self.recent, rcvNxt)
      ? "reopen"
      : "acknowledge"
  }
  if (isRepeatedFin(segment, self)) return "restart"
  if (Segment.length(segment) > 0) return "acknowledge"
  return Segment.isAcceptable(segment, rcvNxt, Sequence.add(rcvNxt, self.window)) ? "drop" : "acknowledge"
}

/** Tells where we are: at once for text, which its sender repeats by a timer, and else so often as other connections do (RFC 5961 §7). */
const answer = (ctx: Context, state: State, self: TimeWait, segment: Segment.Segment): void => {
  if (Segment.length(segment) > 0 && !Segment.has(segment, Tcp.SYN)) return acknowledge(ctx, self)
  if (!Challenge.isDue(ctx, self.challengedAt)) return
  ctx.put(state.entries, self.id, { ...self, challengedAt: ctx.at })
  acknowledge(ctx, self)
}

/** A segment for a compact record; answers whether a listener may have it. */
export const arrives = (ctx: Context, state: State, self: TimeWait, segment: Segment.Segment): "done" | "reopen" => {
  const verdict = judge(segment, self, ctx.config.tcp)
  switch (verdict) {
    case "reopen":
      return "reopen"
    case "closed":
      remove(ctx, state, self)
      return "done"
    case "restart": {
      acknowledge(ctx, self)
      const timer = Alarm.arm(ctx, { _tag: "Tcp", key: self.id }, self.timer, Time.plus(ctx.at, self.config.timeWait))
      ctx.put(state.entries, self.id, { ...self, timer })
      return "done"
    }
    case "acknowledge":
      answer(ctx, state, self, segment)
      ctx.drop("TcpTimeWait", segment.packet.link)
      return "done"
    case "drop":
      ctx.drop("TcpTimeWait", segment.packet.link)
      return "done"
  }
}

/** An alarm rang: the time may be over. */
export const alarm = (ctx: Context, state: State, self: TimeWait, due: Time.Instant): void => {
  const { armed, isDue } = Alarm.fired(ctx, { _tag: "Tcp", key: self.id }, self.timer, due)
  if (isDue) remove(ctx, state, self)
  else ctx.put(state.entries, self.id, { ...self, timer: armed })
}
