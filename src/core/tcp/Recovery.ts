/**
 * The phases of a sender (RFC 5681 §3.2 §4.3, RFC 6582, RFC 6675, RFC 6298 §5) and how much may leave in each.
 *
 *              losses found: by time, by SACKs, by the third duplicate
 *      ┌──────┐ ───────────────────────────────────▶ ┌──────┐
 *      │ open │ ◀────── everything sent before ────── │ fast │
 *      └──────┘         is acknowledged               └──────┘
 *         │ ▲                                            │
 *         │ ╰──────────────┐     retransmission timeout  │
 *         ╰─────────────▶ ┌─────────┐ ◀──────────────────╯
 *                         │ timeout │
 *                         └─────────┘
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as DeliveryRate from "./DeliveryRate.ts"
import * as Ecn from "./Ecn.ts"
import * as Frto from "./Frto.ts"
import * as Loss from "./Loss.ts"
import * as MtuProbe from "./MtuProbe.ts"
import * as Prr from "./Prr.ts"
import * as Rack from "./Rack.ts"
import * as Rtt from "./Rtt.ts"
import * as Scoreboard from "./Scoreboard.ts"
import type { SendQueue } from "./SendQueue.ts"
import * as TailLossProbe from "./TailLossProbe.ts"
import * as Timestamps from "./Timestamps.ts"
import * as Undo from "./Undo.ts"

export interface Recovery {
  readonly phase: "open" | "fast" | "timeout"
  /** RecoveryPoint (RFC 6675 §2), `recover` (RFC 6582 §3.2): what was sent when the phase began ends here. */
  readonly recover: Sequence.Sequence
  /** There was such a phase. */
  readonly hasRecovered: boolean
  /** Duplicate ACKs in a row (RFC 5681 §2). */
  readonly duplicates: number
  /** How fast recovery is spread over its round trip; only in fast recovery, and only if the controller leaves that to it. */
  readonly prr: Prr.Prr | undefined
  /** Bytes that it lets out still in answer to the last ACK. */
  readonly budget: number
  /** Times the timer has fired since the peer's last progress: its backoff. */
  readonly timeouts: number
  /** Timeouts in the connection's life, and duplicates that the peer has reported. */
  readonly totalTimeouts: number
  /** Timeouts in a row are one period: how many there were, since when the present one lasts, and how long the others did. */
  readonly timeoutPeriods: number
  readonly timeoutSince: Time.Instant
  readonly timeoutTime: Time.Span
  readonly dsacks: number
  /** Window probes since the peer was heard last. */
  readonly probes: number
  /** When to look for losses again if no ACK comes before (RACK's reordering timer). */
  readonly lookAgain: Time.Instant
  /** Of the bytes lost in the connection's life, those that the controller has heard of. */
  readonly lostTold: number
  /** What could show that the last recovery was for nothing. */
  readonly undo: Undo.Undo | undefined
  /** When this is acknowledged nothing will show it any more. */
  readonly undoUntil: Sequence.Sequence
  /** The test of a timeout that may have come too early. */
  readonly frto: Frto.Frto
}

/** Nothing was ever lost; shared by all connections of which that is true. */
export const initial: Recovery = Object.freeze({
  phase: "open",
  recover: 0,
  hasRecovered: false,
  duplicates: 0,
  prr: undefined,
  budget: 0,
  timeouts: 0,
  totalTimeouts: 0,
  timeoutPeriods: 0,
  timeoutSince: Time.never,
  timeoutTime: Time.zero,
  dsacks: 0,
  probes: 0,
  lookAgain: Time.never,
  lostTold: 0,
  undo: undefined,
  undoUntil: 0,
  frto: Frto.off
})

/** An open connection begins anew, but its handshake's timeouts count. */
export const afterHandshake = (timeouts: number): Recovery =>
  timeouts === 0 ? initial : { ...initial, totalTimeouts: timeouts, timeoutPeriods: 1 }

/** Whether losses are found by time (RFC 8985); it needs SACK. */
export const usesRack = (self: Connection): boolean => self.agreed.sack && self.config.rack

/** Bytes in the network (pipe), less what duplicates say has left it (RFC 5681 §3.2 step 4 says the same by inflating the window). */
export const pipe = (self: Connection): number =>
  Math.max(0, Scoreboard.pipe(self.board) - Connections.duplicateBytes(self))

/** Bytes that the network takes now. */
export const allowance = (self: Connection): number => {
  if (self.recovery.prr !== undefined) return self.recovery.budget
  const flight = pipe(self)
  const left = Control.window(self.control) - flight
  // A window that is no multiple of the segment must not keep an idle connection from sending one.
  return flight === 0 ? Math.max(left, self.snd.mss) : left
}

/** Something has left: out of the budget of a recovery that has one. */
export const spent = (self: Recovery, bytes: number): Recovery =>
  self.prr === undefined
    ? self
    : { ...self, prr: Prr.onSent(self.prr, bytes), budget: Math.max(0, self.budget - bytes) }

/**
 * Segments have left again, from `start` on: what could show that they need not have. A timestamp only where the next ACK answers them: behind SND.UNA others may be on
 * their way from a recovery before (RFC 3522 asks for the retransmit of the oldest).
 */
export const repeated = (
  ctx: Context,
  self: Connection,
  start: Sequence.Sequence,
  segments: number,
  size: number
): Recovery => {
  const { recovery } = self
  const { undo } = recovery
  if (undo === undefined || recovery.phase === "open") return spent(recovery, size)
  const isOldest = self.agreed.timestamps && start === self.snd.una
  const stamp = isOldest ? Timestamps.value(self.stamps.offset, ctx.at) : undefined
  return spent({ ...recovery, undo: Undo.retransmitted(undo, segments, stamp) }, size)
}

/** Set between transmissions of one instant. */
const nudge = Time.micros(0.001)

/**
 * The time of a transmission: now, but behind the one before. Many leave at one instant, since a batch of events has one time, and RACK must know their order
 * (RFC 8985 §6.2 step 2 compares times first).
 */
export const departure = (ctx: Context, self: Connection): Time.Instant =>
  Time.latest(ctx.at, Time.plus(self.snd.lastAt, nudge))

/** Takes note of text that has left for the first time (rfc: 8985 §6.1 MUST: with its time), `size` bytes up to `end` in packets of `segment`; `queue` has been read for it. */
export const sent = (
  ctx: Context,
  self: Connection,
  queue: SendQueue,
  end: Sequence.Sequence,
  size: number,
  segment: number,
  smallEnd: Sequence.Sequence
): Connection => {
  const at = departure(ctx, self)
  const [rate, stamp] = DeliveryRate.send(self.rate, at, Scoreboard.pipe(self.board), size)
  return {
    ...self,
    queue,
    rate,
    board: Scoreboard.sent(self.board, end, segment, stamp),
    recovery: spent(self.recovery, size),
    snd: { ...self.snd, nxt: end, lastAt: at, smallEnd }
  }
}

/** Takes note of what was found lost, for the account of delivery and for controllers that weigh each loss. */
export const withLosses = (ctx: Context, self: Connection, losses: Loss.Losses): Connection => {
  if (losses.bytes === 0) return losses.board === self.board ? self : { ...self, board: losses.board }
  const rate = DeliveryRate.lose(self.rate, losses.bytes)
  const noted = { ...self, board: losses.board, rate, mtu: MtuProbe.afterLosses(ctx, self.mtu, losses.runs) }
  const { controller } = self.control
  if (controller.onLost === undefined) return noted
  let { state } = self.control
  let totalLost = self.rate.lost
  for (const run of losses.runs) {
    const bytes = Sequence.distance(run.start, run.end)
    totalLost += bytes
    state = controller.onLost(state, { now: ctx.at, bytes, stamp: run.stamp, totalLost })
  }
  return { ...noted, control: Control.moved(self.control, state) }
}

/** Marks whether the program, and not the window, was what ended a burst: then the window has not been proven (RFC 7661). */
export const limitedBy = (self: Connection, waiting: number): Connection => {
  // Nothing was ever sent: nothing of it can have been limited.
  if (self.snd.lastAt === 0) return self
  const isAppLimited = waiting === 0 && allowance(self) > 0
  if (isAppLimited === self.snd.isAppLimited) return self
  const rate = isAppLimited ? DeliveryRate.appLimited(self.rate, Scoreboard.pipe(self.board)) : self.rate
  return { ...self, rate, snd: { ...self.snd, isAppLimited } }
}

/**
 * Notes in slow start how much of the window a burst has used: the window may come to twice that, which outlasts the ACKs of the burst, though less and less
 * is on its way with each (RFC 7661 §4.3).
 */
export const withUse = (self: Connection, hasSent: boolean): Connection => {
  const { control, snd } = self
  if (control.controller.ssthresh(control.state) <= Control.window(control)) return self
  const isUsedUp = allowance(self) < snd.mss
  if (!hasSent && !isUsedUp) return self
  const out = isUsedUp ? Infinity : Connections.inFlight(self)
  const isOfBurst = Sequence.before(snd.una, snd.mostOutUntil)
  if (isOfBurst && !isUsedUp && out <= snd.mostOut) return self
  return { ...self, snd: { ...snd, mostOut: out, mostOutUntil: snd.nxt } }
}

/** Before sending after a pause: the window is no longer proven (rfc: 5681 §4.1 SHOULD). */
export const afterIdle = (ctx: Context, self: Connection): Connection => {
  if (!self.config.slowStartAfterIdle || self.snd.nxt !== self.snd.una || self.snd.lastAt === 0) return self
  const idleFor = Time.between(self.snd.lastAt, ctx.at)
  const rto = Rtt.rtoOf(self.rtt, self.config)
  if (idleFor <= rto) return self
  const { controller, state } = self.control
  return { ...self, control: Control.moved(self.control, controller.onIdle(state, { now: ctx.at, idleFor, rto })) }
}

/** Something counts as lost that did not before: fast recovery begins (rfc: 9293 §3.8.2 MUST-19, RFC 5681 §3.2 step 2, RFC 6675 §5, RFC 6937 §3). */
const enterFast = (ctx: Context, self: Connection): Connection => {
  ctx.count(Counter.index.tcpFastRetransmits)
  ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event: "recovery", detail: Connections.inFlight(self) })
  const { controller, state } = self.control
  const loss = { now: ctx.at, flightSize: Loss.flightToCut(self) }
  const control = Control.moved(self.control, controller.onLoss(state, loss))
  const target = controller.governsRecovery ? undefined : controller.ssthresh(control.state)
  return {
    ...self,
    control,
    ecn: Ecn.afterLoss(self),
    recovery: {
      ...self.recovery,
      phase: "fast",
      recover: self.snd.nxt,
      hasRecovered: true,
      prr: target === undefined ? undefined : Prr.enter(target, Scoreboard.flightSize(self.board)),
      budget: 0,
      undo: Undo.begin(self.snd.una, self.snd.nxt)
    },
    tail: TailLossProbe.reset(self.tail)
  }
}

/** Losses begin fast recovery, unless all that was lost is a probe of the path MTU; `before` is the search before the event. */
export const answerLoss = (ctx: Context, self: Connection, before: MtuProbe.MtuProbe): Connection =>
  self.recovery.phase !== "open" || Scoreboard.lostBytes(self.board) === 0 || MtuProbe.hasFailed(before, self.mtu)
    ? self
    : enterFast(ctx, self)

/** Everything that was sent when the phase began is acknowledged. */
export const leave = (ctx: Context, self: Connection): Connection => {
  const { controller, state } = self.control
  const control = self.recovery.phase === "fast"
    ? Control.moved(self.control, controller.onRecoveryExit(state, ctx.at))
    : self.control
  return {
    ...self,
    control,
    recovery: {
      ...self.recovery,
      phase: "open",
      duplicates: 0,
      prr: undefined,
      budget: 0,
      frto: Frto.off,
      // Reports of duplicates come within a round trip of what was sent twice.
      undoUntil: self.snd.nxt
    }
  }
}

/** The peer has made progress: backoff and patience begin anew, and a period of timeouts is over. */
export const afterProgress = (ctx: Context, self: Recovery): Recovery => {
  if (self.timeouts === 0 && self.probes === 0) return self
  const ended = self.timeoutSince === Time.never ? Time.zero : Time.between(self.timeoutSince, ctx.at)
  return {
    ...self,
    timeouts: 0,
    probes: 0,
    timeoutSince: Time.never,
    timeoutTime: Time.add(self.timeoutTime, ended)
  }
}

/** What RACK wants to know beside its own state. */
export const surroundings = (ctx: Context, self: Connection): Rack.Surroundings => ({
  now: ctx.at,
  minRtt: Rtt.minimum(self.rtt),
  srtt: self.rtt.srtt,
  isRecovering: self.recovery.phase !== "open",
  threshold: self.config.reordering
})

/** The retransmission timer has fired, which a notice tells each time (rfc: 9293 §3.8.3 SHLD-9, 6298 §5.4 to §5.6, 5681 §3.1): the window is one segment. What is lost by it, `Spurious.ts` decides. */
export const onTimeout = (ctx: Context, self: Connection): Connection => {
  ctx.count(Counter.index.tcpTimeouts)
  ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event: "timeout", detail: self.recovery.timeouts + 1 })
  const { controller, state } = self.control
  const isRepeated = self.recovery.timeouts > 0
  const timeout = { now: ctx.at, flightSize: Loss.flightToCut(self), isRepeated }
  return {
    ...self,
    rtt: Rtt.backedOff(self.rtt, self.config),
    control: Control.moved(self.control, controller.onTimeout(state, timeout)),
    ecn: Ecn.afterLoss(self),
    recovery: {
      ...self.recovery,
      phase: "timeout",
      recover: self.snd.nxt,
      hasRecovered: true,
      duplicates: 0,
      prr: undefined,
      budget: 0,
      timeouts: self.recovery.timeouts + 1,
      totalTimeouts: self.recovery.totalTimeouts + 1,
      timeoutPeriods: self.recovery.timeoutPeriods + (isRepeated ? 0 : 1),
      timeoutSince: isRepeated ? self.recovery.timeoutSince : ctx.at,
      lookAgain: Time.never,
      undo: isRepeated ? self.recovery.undo : Undo.begin(self.snd.una, self.snd.nxt)
    },
    tail: TailLossProbe.reset(self.tail)
  }
}
