/**
 * Repairing losses (RFC 5681 §3.2, RFC 6582, RFC 6675, RFC 6298 §5): what an ACK tells the scoreboard, when that means a loss, and how much may
 * leave in each phase.
 *
 *              third duplicate, or SACKs that say so
 *      ┌──────┐ ───────────────────────────────────▶ ┌──────┐
 *      │ open │ ◀────── everything sent before ────── │ fast │
 *      └──────┘         is acknowledged               └──────┘
 *         │ ▲                                            │
 *         │ ╰──────────────┐     retransmission timeout  │
 *         ╰─────────────▶ ┌─────────┐ ◀──────────────────╯
 *                         │ timeout │
 *                         └─────────┘
 */
import type { Piece } from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { SackBlock } from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Family from "../Family.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as DeliveryRate from "./DeliveryRate.ts"
import * as Emit from "./Emit.ts"
import * as Loss from "./Loss.ts"
import * as Prr from "./Prr.ts"
import * as Rtt from "./Rtt.ts"
import * as Scoreboard from "./Scoreboard.ts"
import type * as Segment from "./Segment.ts"
import * as SendQueue from "./SendQueue.ts"
import * as Timestamps from "./Timestamps.ts"

export interface Recovery {
  readonly phase: "open" | "fast" | "timeout"
  /** RecoveryPoint (RFC 6675 §2), `recover` (RFC 6582 §3.2): what was sent when the phase began ends here. */
  readonly recover: Sequence.Sequence
  /** Duplicate ACKs in a row (RFC 5681 §2). */
  readonly duplicates: number
  /** How fast recovery is spread over its round trip; only in fast recovery. */
  readonly prr: Prr.Prr | undefined
  /** Bytes that it lets out still in answer to the last ACK. */
  readonly budget: number
  /** Times the timer has fired since the peer's last progress: its backoff. */
  readonly timeouts: number
  /** Window probes since the peer was heard last. */
  readonly probes: number
  /** Sending stopped because the program had no more, not because the window was full. */
  readonly isAppLimited: boolean
}

export const make = (first: Sequence.Sequence): Recovery => ({
  phase: "open",
  recover: first,
  duplicates: 0,
  prr: undefined,
  budget: 0,
  timeouts: 0,
  probes: 0,
  isAppLimited: false
})

/**
 * Bytes in the network (pipe). Without SACK a duplicate ACK says that one segment has left it, though not which (RFC 5681 §3.2 step 4 says the same by
 * inflating the window).
 */
const pipe = (self: Connection): number => {
  const sent = Scoreboard.pipe(self.board)
  return self.agreed.sack ? sent : Math.max(0, sent - self.recovery.duplicates * self.snd.mss)
}

/** Bytes that the network takes now. */
export const allowance = (self: Connection): number => {
  if (self.recovery.phase === "fast") return self.recovery.budget
  const flight = pipe(self)
  const left = Control.window(self.control) - flight
  // A window that is no multiple of the segment must not keep an idle connection from sending one.
  return flight === 0 ? Math.max(left, self.snd.mss) : left
}

/** Something has left: in fast recovery out of its budget. */
const spent = (self: Recovery, bytes: number): Recovery =>
  self.prr === undefined
    ? self
    : { ...self, prr: Prr.onSent(self.prr, bytes), budget: Math.max(0, self.budget - bytes) }

/** Takes note of text that has left for the first time. */
export const sent = (
  ctx: Context,
  self: Connection,
  start: Sequence.Sequence,
  end: Sequence.Sequence
): Connection => {
  const size = Sequence.distance(start, end)
  const [rate, stamp] = DeliveryRate.send(self.rate, ctx.at, Scoreboard.pipe(self.board), size)
  const board = Scoreboard.sent(self.board, end, self.snd.mss, stamp)
  return { ...self, rate, board, recovery: spent(self.recovery, size) }
}

/** Marks whether the program, and not the window, was what ended a burst: then the window has not been proven (RFC 7661). */
export const limitedBy = (self: Connection, waiting: number): Connection => {
  const isAppLimited = waiting === 0 && allowance(self) > 0
  const rate = isAppLimited ? DeliveryRate.appLimited(self.rate, Scoreboard.pipe(self.board)) : self.rate
  return isAppLimited === self.recovery.isAppLimited
    ? self
    : { ...self, rate, recovery: { ...self.recovery, isAppLimited } }
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

/** The longest text of one retransmission. */
const largest = (self: Connection): number => {
  const { path, snd } = self
  const headers = (path.version === 4 ? Family.v4 : Family.v6).headerLength + Tcp.maximumHeaderLength
  const room = path.maxSegmentBytes - headers
  return room < 2 * snd.mss ? snd.mss : room - room % snd.mss
}

/** Sends `[start, end)` again, or as much of it as one segment holds. */
export const again = (
  ctx: Context,
  self: Connection,
  start: Sequence.Sequence,
  end: Sequence.Sequence,
  mss: number
): Connection => {
  const textEnd = Sequence.earlier(Sequence.earlier(end, self.queue.end), Sequence.add(start, largest(self)))
  const length = Sequence.distance(start, textEnd)
  const withFin = self.snd.fin && Sequence.after(end, self.queue.end) && textEnd === self.queue.end
  const sentEnd = withFin ? Sequence.add(textEnd, 1) : textEnd
  const pieces: Array<Piece> = []
  const queue = SendQueue.read(self.queue, start, length, pieces)
  const flags = (withFin ? Tcp.FIN : 0) | (textEnd === self.queue.end && length > 0 ? Tcp.PSH : 0)
  const emitted = Emit.segment(ctx, self, start, flags, pieces, length, mss)
  const [rate, stamp] = DeliveryRate.send(self.rate, ctx.at, Scoreboard.pipe(self.board), length)
  const segments = Math.max(1, Math.ceil(length / mss))
  ctx.count(Counter.index.tcpSegmentsRetransmitted, segments)
  return {
    ...emitted,
    queue,
    rate,
    board: Scoreboard.retransmitted(self.board, start, sentEnd, mss, stamp),
    recovery: spent(self.recovery, Sequence.distance(start, sentEnd)),
    snd: {
      ...emitted.snd,
      lastAt: ctx.at,
      retransmittedSegments: self.snd.retransmittedSegments + segments,
      retransmittedBytes: self.snd.retransmittedBytes + length
    }
  }
}

/** Sends again what counts as lost, oldest first, as far as the window goes (RFC 6675 §5 step C). */
export const retransmit = (ctx: Context, connection: Connection): Connection => {
  if (Scoreboard.lostBytes(connection.board) === 0) return connection
  let self = connection
  const mss = Emit.segmentSize(self)
  for (;;) {
    const allowed = Math.min(allowance(self), self.config.transmitCreditBytes - self.snd.credit)
    if (allowed <= 0) return self
    const lost = Loss.nextLost(self.board, Math.max(mss, allowed - allowed % mss))
    // A part of a segment is not worth the exception: the budget of the next ACKs makes it whole.
    if (lost === undefined || allowed < Math.min(mss, Sequence.distance(lost.start, lost.end))) return self
    self = again(ctx, self, lost.start, lost.end, mss)
  }
}

/** Something counts as lost that did not before: fast recovery begins (RFC 5681 §3.2 step 2, RFC 6675 §5, RFC 6937 §3). */
const enterFast = (ctx: Context, self: Connection): Connection => {
  ctx.count(Counter.index.tcpFastRetransmits)
  ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event: "recovery", detail: Connections.inFlight(self) })
  const { controller, state } = self.control
  const flightSize = Scoreboard.flightSize(self.board)
  const control = Control.moved(self.control, controller.onLoss(state, { now: ctx.at, flightSize }))
  const prr = Prr.enter(controller.ssthresh(control.state), flightSize)
  return { ...self, control, recovery: { ...self.recovery, phase: "fast", recover: self.snd.nxt, prr, budget: 0 } }
}

/** Everything that was sent when the phase began is acknowledged. */
const leave = (ctx: Context, self: Connection): Connection => {
  const { controller, state } = self.control
  const control = self.recovery.phase === "fast"
    ? Control.moved(self.control, controller.onRecoveryExit(state, ctx.at))
    : self.control
  return { ...self, control, recovery: { ...self.recovery, phase: "open", duplicates: 0, prr: undefined, budget: 0 } }
}

/** The round-trip measurement of an ACK: by its timestamp (RFC 7323 §4.1), else by when the oldest of what it covers was sent. */
const measured = (
  ctx: Context,
  self: Connection,
  segment: Segment.Segment,
  update: Scoreboard.Update
): Time.Span | undefined => {
  if (update.sampled !== undefined) return Time.between(update.sampled, ctx.at)
  const echo = segment.options.timestampEcho
  if (!self.agreed.timestamps || echo === undefined || echo === 0 || update.acked === 0) return undefined
  return Timestamps.roundTrip(self.stamps, echo, ctx.at)
}

/** How far the window of the ACK's samples is spread (RFC 7323 Appendix G). */
const samplesPerRound = (self: Connection): number => Math.ceil(Connections.inFlight(self) / (2 * self.snd.mss))

/** What the ACK means for the controller. */
const tellController = (
  ctx: Context,
  self: Connection,
  update: Scoreboard.Update,
  rtt: Time.Span | undefined,
  before: number,
  lost: number
): Connection => {
  const minRtt = Rtt.minimum(self.rtt)
  const [rate, sample] = DeliveryRate.deliver(self.rate, update.delivered, update.newest?.stamp, ctx.at, minRtt)
  const { controller, state } = self.control
  const { phase } = self.recovery
  const next = controller.onAck(state, {
    now: ctx.at,
    bytesAcked: update.acked,
    bytesDelivered: update.delivered,
    bytesLost: lost,
    bytesInFlight: before,
    bytesInFlightAfter: pipe(self),
    rtt,
    srtt: self.rtt.srtt,
    minRtt,
    isAppLimited: self.recovery.isAppLimited,
    recovery: phase === "open" ? "none" : phase,
    rate: sample
  })
  return { ...self, rate, control: Control.moved(self.control, next) }
}

/** Counts duplicates, and takes back what a cumulative ACK explains (RFC 6582 §3.2: deflation by partial ACKs). */
const withDuplicates = (self: Connection, update: Scoreboard.Update, isDuplicate: boolean): Connection => {
  const { duplicates, phase } = self.recovery
  let next = duplicates
  if (update.acked > 0) {
    next = phase === "fast" ? Math.max(0, duplicates + 1 - Math.ceil(update.acked / self.snd.mss)) : 0
  } else if (isDuplicate) next = duplicates + 1
  return next === duplicates ? self : { ...self, recovery: { ...self.recovery, duplicates: next } }
}

/** Marks what has to be taken for lost now. */
const detect = (self: Connection, update: Scoreboard.Update): Connection => {
  const { config, recovery } = self
  const isThird = recovery.phase === "open" && recovery.duplicates >= config.reordering
  if (self.agreed.sack) {
    const board = Loss.byCount(self.board, config.reordering, self.snd.mss).board
    // RFC 6675 §5 step 4.3: the first segment goes again with the third duplicate, whatever the SACKs say.
    return withBoard(self, isThird && Scoreboard.lostBytes(board) === 0 ? firstLost(board) : board)
  }
  // rfc: 6582 §3.2 step 2: only for a loss after the last recovery's data; step 3: a partial ACK names the next loss.
  const isNewLoss = isThird && Sequence.afterOrEqual(self.snd.una, recovery.recover)
  const isPartial = recovery.phase === "fast" && update.acked > 0
  return isNewLoss || isPartial ? withBoard(self, firstLost(self.board)) : self
}

const firstLost = (board: Scoreboard.Scoreboard): Scoreboard.Scoreboard => {
  const segment = Scoreboard.firstSegment(board)
  return segment === undefined ? board : Loss.until(board, segment.end).board
}

const withBoard = (self: Connection, board: Scoreboard.Scoreboard): Connection =>
  board === self.board ? self : { ...self, board }

/** DeliveredData (RFC 6937 §2); without SACK each duplicate ACK stands for a segment, which a later cumulative ACK covers again. */
const deliveredBy = (self: Connection, update: Scoreboard.Update, duplicates: number): number => {
  if (self.agreed.sack) return update.delivered
  const { mss } = self.snd
  return update.acked === 0 ? mss : Math.max(0, update.acked - duplicates * mss)
}

/** What the ACK lets out in fast recovery (RFC 6937 §3). */
const withBudget = (self: Connection, update: Scoreboard.Update, delivered: number, newlyLost: number): Connection => {
  const { recovery } = self
  if (recovery.prr === undefined) return self
  const { prr, sndCnt } = Prr.onAck(recovery.prr, {
    delivered,
    pipe: pipe(self),
    mss: self.snd.mss,
    isProgress: update.acked > 0 && newlyLost === 0
  })
  return { ...self, recovery: { ...recovery, prr, budget: sndCnt } }
}

/** Decides on phases: whether the ACK ends one, shows losses, or begins one. */
const judge = (
  ctx: Context,
  connection: Connection,
  update: Scoreboard.Update,
  una: Sequence.Sequence,
  isDuplicate: boolean
): Connection => {
  const duplicates = connection.recovery.duplicates
  const counted = withDuplicates(connection, update, isDuplicate)
  const isOver = counted.recovery.phase !== "open" && Sequence.afterOrEqual(una, counted.recovery.recover)
  let self = isOver ? leave(ctx, counted) : counted
  const isTelling = isDuplicate || update.sacked > 0 || self.recovery.phase === "fast"
  if (!isTelling || Connections.inFlight(self) === 0) return self
  const before = Scoreboard.lostBytes(self.board)
  self = detect(self, update)
  if (self.recovery.phase === "open" && Scoreboard.lostBytes(self.board) > 0) self = enterFast(ctx, self)
  return withBudget(self, update, deliveredBy(self, update, duplicates), Scoreboard.lostBytes(self.board) - before)
}

const noBlocks: ReadonlyArray<SackBlock> = Object.freeze([])

/** An acceptable ACK (RFC 9293 §3.10.7.4, fifth check) that covers up to `una`; SND.UNA and the queue are moved already. */
export const onAck = (
  ctx: Context,
  connection: Connection,
  segment: Segment.Segment,
  una: Sequence.Sequence,
  isDuplicate: boolean
): Connection => {
  const before = pipe(connection)
  const blocks = connection.agreed.sack ? segment.options.sackBlocks : noBlocks
  const update = Scoreboard.update(connection.board, una, blocks)
  const rtt = measured(ctx, connection, segment, update)
  const estimate = rtt === undefined
    ? connection.rtt
    : Rtt.sample(connection.rtt, rtt, ctx.at, connection.config, samplesPerRound(connection))
  const noted: Connection = { ...connection, board: update.board, rtt: estimate }
  const self = judge(ctx, noted, update, una, isDuplicate)
  return update.delivered > 0
    ? tellController(ctx, self, update, rtt, before, Scoreboard.lostBytes(self.board))
    : self
}

/** The retransmission timer has fired (rfc: 6298 §5.4 to §5.6, 5681 §3.1): all is taken for lost, the window is one segment. */
export const onTimeout = (ctx: Context, self: Connection): Connection => {
  ctx.count(Counter.index.tcpTimeouts)
  ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event: "timeout", detail: self.recovery.timeouts + 1 })
  const { controller, state } = self.control
  const isRepeated = self.recovery.timeouts > 0
  const timeout = { now: ctx.at, flightSize: Scoreboard.flightSize(self.board), isRepeated }
  return {
    ...self,
    board: Loss.everything(Loss.isReneged(self.board) ? Loss.forgetSacks(self.board) : self.board).board,
    rtt: Rtt.backedOff(self.rtt, self.config),
    control: Control.moved(self.control, controller.onTimeout(state, timeout)),
    recovery: {
      phase: "timeout",
      recover: self.snd.nxt,
      duplicates: 0,
      prr: undefined,
      budget: 0,
      timeouts: self.recovery.timeouts + 1,
      probes: 0,
      isAppLimited: false
    }
  }
}
