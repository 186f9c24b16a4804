/**
 * What an ACK tells the sender (RFC 9293 §3.10.7.4, fifth check): a round-trip time, what has arrived, what is lost, and by all that how fast to go on.
 *
 *     ACK ─▶ scoreboard ─▶ round trip ─▶ losses (RACK, or counts) ─▶ phase ─▶ controller
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { SackBlock } from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import type { Connection, Snd } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as DeliveryRate from "./DeliveryRate.ts"
import * as Ecn from "./Ecn.ts"
import * as Loss from "./Loss.ts"
import * as Prr from "./Prr.ts"
import * as Rack from "./Rack.ts"
import * as Recovery from "./Recovery.ts"
import * as Rtt from "./Rtt.ts"
import * as Scoreboard from "./Scoreboard.ts"
import type * as Segment from "./Segment.ts"
import * as Spurious from "./Spurious.ts"
import * as TailLossProbe from "./TailLossProbe.ts"
import * as Timestamps from "./Timestamps.ts"

/** The round-trip measurement of an ACK: by when the oldest of what it covers was sent, else by its timestamp (RFC 7323 §4.1). */
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

/** How many samples a window gives (RFC 7323 Appendix G). */
const samplesPerRound = (snd: Snd): number => Math.ceil(Sequence.distance(snd.una, snd.nxt) / (2 * snd.mss))

/** Takes the measurement into the estimate, if there is one. */
const withSample = (ctx: Context, self: Connection, rtt: Time.Span | undefined): Connection => {
  if (rtt === undefined) return self
  return {
    ...self,
    rtt: Rtt.sample(self.rtt, rtt, ctx.at, self.config, samplesPerRound(self.snd)),
    tail: TailLossProbe.sampled(self.tail)
  }
}

/** What the ACK means for the controller. */
const tellController = (
  ctx: Context,
  self: Connection,
  update: Scoreboard.Update,
  rtt: Time.Span | undefined,
  before: number,
  acked: number,
  isMarked: boolean
): Connection => {
  const minRtt = Rtt.minimum(self.rtt)
  const [rate, sample] = DeliveryRate.deliver(self.rate, update.delivered, update.newest?.stamp, ctx.at, minRtt)
  const { lostTold, phase } = self.recovery
  const control = Control.onAck(self.control, {
    now: ctx.at,
    bytesAcked: acked,
    bytesDelivered: update.delivered,
    bytesLost: rate.lost - lostTold,
    bytesInFlight: before,
    bytesInFlightAfter: Recovery.pipe(self),
    rtt,
    srtt: self.rtt.srtt,
    minRtt,
    isAppLimited: self.snd.isAppLimited,
    mostInFlight: self.snd.mostOut,
    isMarked,
    recovery: phase === "open" ? "none" : phase,
    rate: sample
  })
  const recovery = rate.lost === lostTold ? self.recovery : { ...self.recovery, lostTold: rate.lost }
  return { ...self, rate, recovery, control }
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

/** The first segment: what a third duplicate ACK, or a partial ACK, without SACK speaks of. */
const firstLost = (ctx: Context, self: Connection): Connection => {
  const segment = Scoreboard.firstSegment(self.board)
  return segment === undefined ? self : Recovery.withLosses(ctx, self, Loss.until(self.board, segment.end))
}

/** Losses by time (rfc: 8985 §6.2), with the time at which to look again. */
const byTime = (ctx: Context, self: Connection): Connection => {
  const { losses, lookAgain } = Rack.detect(self.rack, self.board, Recovery.surroundings(ctx, self))
  const noted = Recovery.withLosses(ctx, self, losses)
  const at = lookAgain ?? Time.never
  return at === noted.recovery.lookAgain ? noted : { ...noted, recovery: { ...noted.recovery, lookAgain: at } }
}

/** Losses by counts: of SACKs (RFC 6675 §4), or of duplicates (RFC 5681 §3.2, RFC 6582 §3.2). */
const byCount = (ctx: Context, self: Connection, update: Scoreboard.Update): Connection => {
  const { config, recovery } = self
  const isThird = recovery.phase === "open" && recovery.duplicates >= config.reordering
  if (self.agreed.sack) {
    const noted = Recovery.withLosses(ctx, self, Loss.byCount(self.board, config.reordering, self.snd.mss))
    // RFC 6675 §5 step 4.3: the first segment goes again with the third duplicate, whatever the SACKs say.
    return isThird && Scoreboard.lostBytes(noted.board) === 0 ? firstLost(ctx, noted) : noted
  }
  // rfc: 6582 §3.2 step 2: only for a loss after the last recovery's data; step 3: a partial ACK names the next loss.
  const isNewLoss = isThird && (!recovery.hasRecovered || Sequence.afterOrEqual(self.snd.una, recovery.recover))
  const isPartial = recovery.phase === "fast" && update.acked > 0
  return isNewLoss || isPartial ? firstLost(ctx, self) : self
}

/** DeliveredData (RFC 6937 §2); without SACK each duplicate ACK stands for a segment, which a later cumulative ACK covers again. */
const deliveredBy = (self: Connection, update: Scoreboard.Update, duplicates: number): number => {
  if (self.agreed.sack) return update.delivered
  const { mss } = self.snd
  if (update.acked === 0) return mss
  // What fills the hole was delivered in any case; the rest may be what the duplicates stood for.
  return Math.max(Math.min(mss, update.acked), update.acked - duplicates * mss)
}

/** What the ACK lets out in fast recovery (RFC 6937 §3). */
const withBudget = (self: Connection, update: Scoreboard.Update, delivered: number, newlyLost: number): Connection => {
  const { recovery } = self
  if (recovery.prr === undefined) return self
  const { prr, sndCnt } = Prr.onAck(recovery.prr, {
    delivered,
    pipe: Recovery.pipe(self),
    mss: self.snd.mss,
    isProgress: update.acked > 0 && newlyLost <= 0
  })
  return { ...self, recovery: { ...recovery, prr, budget: sndCnt } }
}

/** RACK's account of the ACK (rfc: 8985 §6.2 steps 2 to 4), and the tail loss probe's (§7.4). */
const withRack = (
  ctx: Context,
  self: Connection,
  update: Scoreboard.Update,
  una: Sequence.Sequence,
  isDuplicate: boolean,
  endsRecovery: boolean
): Connection => {
  const delivered = Rack.deliver(self.rack, update, ctx.at)
  const rack = Rack.adapt(delivered, self.board, update.duplicate !== undefined, endsRecovery)
  const answer = self.tail.endSeq === undefined ? undefined : TailLossProbe.onAck(self.tail, {
    ack: una,
    duplicate: update.duplicate,
    isBareDuplicate: isDuplicate && update.sacked === 0 && update.duplicate === undefined
  })
  const tail = answer?.probe ?? self.tail
  const noted: Connection = rack === self.rack && tail === self.tail ? self : { ...self, rack, tail }
  return answer?.repairedLoss === true ? repaired(ctx, noted, self.tail.flight) : noted
}

/** The probe has repaired a loss of a window of `flight` bytes that nobody else saw: the window answers to it all the same (rfc: 8985 §7.4 MUST). */
const repaired = (ctx: Context, self: Connection, flight: number): Connection => {
  const { controller, state } = self.control
  const flightSize = Math.max(flight, Scoreboard.flightSize(self.board))
  const lost = controller.onLoss(state, {
    now: ctx.at,
    flightSize: Control.cutFrom(self.control, self.config, flightSize)
  })
  const control = Control.moved(self.control, controller.onRecoveryExit(lost, ctx.at))
  return { ...self, control, ecn: Ecn.afterLoss(self) }
}

const withDsack = (self: Connection, update: Scoreboard.Update): Connection =>
  update.duplicate === undefined
    ? self
    : { ...self, recovery: { ...self.recovery, dsacks: self.recovery.dsacks + 1 } }

/** Decides on phases: whether the ACK ends one, shows losses, or begins one. */
const judge = (
  ctx: Context,
  connection: Connection,
  segment: Segment.Segment,
  update: Scoreboard.Update,
  una: Sequence.Sequence,
  isDuplicate: boolean
): Connection => {
  const { duplicates, phase, recover } = connection.recovery
  const isOver = phase !== "open" && Sequence.afterOrEqual(una, recover)
  let self = withDuplicates(connection, update, isDuplicate)
  if (Recovery.usesRack(self)) self = withRack(ctx, self, update, una, isDuplicate, isOver)
  self = Spurious.onAck(ctx, self, segment, update, isDuplicate)
  if (isOver && self.recovery.phase !== "open") self = Recovery.leave(ctx, self)
  const isTelling = isDuplicate || self.board.tree !== undefined || self.recovery.phase === "fast"
  if (!isTelling || Connections.inFlight(self) === 0 || Spurious.isTesting(self)) {
    return self.recovery.lookAgain === Time.never
      ? self
      : { ...self, recovery: { ...self.recovery, lookAgain: Time.never } }
  }
  const before = Scoreboard.lostBytes(self.board)
  self = Recovery.usesRack(self) ? byTime(ctx, self) : byCount(ctx, self, update)
  self = Recovery.answerLoss(ctx, self, connection.mtu)
  return withBudget(self, update, deliveredBy(self, update, duplicates), Scoreboard.lostBytes(self.board) - before)
}

const noBlocks: ReadonlyArray<SackBlock> = Object.freeze([])

/** Until when a retransmission may have been sent to be what the ACK answers (RFC 8985 §6.2 step 2): by the least round trip, and by the timestamp that it echoes. */
const credible = (ctx: Context, self: Connection): Time.Instant => Rack.credible(ctx.at, Rtt.minimum(self.rtt))

const answered = (ctx: Context, self: Connection, segment: Segment.Segment): Time.Instant => {
  const echo = segment.options.timestampEcho
  if (!self.agreed.timestamps || echo === undefined || echo === 0) return Time.never
  return Timestamps.sentUntil(self.stamps, echo, ctx.at) ?? Time.never
}

/** RFC 2018 says nothing of a FIN: some receivers count it in their blocks, some do not. Where text came, the FIN of its segment came too. */
const withFin = (self: Connection, blocks: ReadonlyArray<SackBlock>): ReadonlyArray<SackBlock> => {
  const { board, queue, snd } = self
  if (!snd.fin || snd.nxt === queue.end || !blocks.some(({ right }) => right === queue.end)) return blocks
  const last = Scoreboard.lastSegment(board)
  if (last === undefined || !Sequence.before(last.start, queue.end)) return blocks
  return blocks.map(({ left, right }) => ({ left, right: right === queue.end ? snd.nxt : right }))
}

/** An acceptable ACK that covers up to `una`; SND.UNA and the queue are moved already. */
export const onAck = (
  ctx: Context,
  connection: Connection,
  segment: Segment.Segment,
  una: Sequence.Sequence,
  isDuplicate: boolean,
  isMarked: boolean
): Connection => {
  const before = Recovery.pipe(connection)
  const blocks = connection.agreed.sack ? withFin(connection, segment.options.sackBlocks) : noBlocks
  const isCalm = connection.board.tree === undefined && blocks.length === 0
  const update = isCalm
    ? Scoreboard.update(connection.board, una)
    : Scoreboard.update(connection.board, una, blocks, credible(ctx, connection), answered(ctx, connection, segment))
  const rtt = measured(ctx, connection, segment, update)
  const noted = withSample(ctx, { ...connection, board: update.board }, rtt)
  const self = withDsack(judge(ctx, noted, segment, update, una, isDuplicate), update)
  if (update.delivered === 0) return self
  // The ACK that ends a fast recovery covers at once what has arrived all the time: the window opens by what is news.
  const endsFast = connection.recovery.phase === "fast" && self.recovery.phase === "open"
  const news = deliveredBy(self, update, connection.recovery.duplicates)
  const acked = endsFast ? Math.min(update.acked, news) : update.acked
  return tellController(ctx, self, update, rtt, before, acked, isMarked)
}

/** Whether an ACK can say nothing but that text has arrived: nothing is lost, probed or tested, and nothing was selectively acknowledged. */
export const isCalm = (self: Connection, segment: Segment.Segment): boolean => {
  const { recovery } = self
  return self.board.tree === undefined && recovery.phase === "open" && recovery.duplicates === 0 &&
    self.rack.dsackRound === undefined && recovery.undo === undefined && recovery.lookAgain === Time.never &&
    self.tail.endSeq === undefined &&
    segment.options.sackBlocks.length === 0 && self.rate.lost === recovery.lostTold
}

/** The usual ACK, of new text and of nothing else ({@link isCalm}): what {@link onAck} does then, in one copy of the record. */
export const onCalmAck = (
  ctx: Context,
  self: Connection,
  segment: Segment.Segment,
  snd: Connection["snd"],
  queue: Connection["queue"]
): Connection => {
  const update = Scoreboard.update(self.board, snd.una)
  const rtt = measured(ctx, self, segment, update)
  const estimate = rtt === undefined ? self.rtt : Rtt.sample(self.rtt, rtt, ctx.at, self.config, samplesPerRound(snd))
  const minRtt = Rtt.minimum(estimate)
  const [rate, sample] = DeliveryRate.deliver(self.rate, update.delivered, update.newest?.stamp, ctx.at, minRtt)
  const control = Control.onAck(self.control, {
    now: ctx.at,
    bytesAcked: update.acked,
    bytesDelivered: update.delivered,
    bytesLost: 0,
    bytesInFlight: Scoreboard.pipe(self.board),
    bytesInFlightAfter: Scoreboard.pipe(update.board),
    rtt,
    srtt: estimate.srtt,
    minRtt,
    isAppLimited: snd.isAppLimited,
    mostInFlight: snd.mostOut,
    isMarked: false,
    recovery: "none",
    rate: sample
  })
  return {
    ...self,
    snd,
    queue,
    board: update.board,
    rtt: estimate,
    rate,
    control,
    rack: Recovery.usesRack(self) ? Rack.deliver(self.rack, update, ctx.at) : self.rack,
    tail: rtt === undefined ? self.tail : TailLossProbe.sampled(self.tail)
  }
}

/** RACK's reordering timer has fired: what waited for it is lost now (rfc: 8985 §6.3). */
export const lookAgain = (ctx: Context, connection: Connection): Connection => {
  const before = Scoreboard.lostBytes(connection.board)
  let self = byTime(ctx, connection)
  if (Scoreboard.lostBytes(self.board) <= before) return self
  self = Recovery.answerLoss(ctx, self, connection.mtu)
  const { recovery } = self
  if (recovery.prr === undefined) return self
  const { prr, sndCnt } = Prr.onAck(recovery.prr, {
    delivered: 0,
    pipe: Recovery.pipe(self),
    mss: self.snd.mss,
    isProgress: false
  })
  return { ...self, recovery: { ...recovery, prr, budget: sndCnt } }
}
