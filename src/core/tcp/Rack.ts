/**
 * RACK: loss by time. What was sent before something that has been delivered, and has not come through a reordering window later, is lost (RFC 8985 §6).
 *
 *     sent ──a──b──c──────────────────▶         c is delivered: a and b were sent before it
 *                     ╲
 *     ACK  ────────────c──┬────────┬──▶         a and b are lost when their round trip
 *                         now      now + reo_wnd   and the reordering window are over
 *
 * Retransmissions are transmissions like all others here, so a lost one is found lost too.
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Time from "../Time.ts"
import * as Loss from "./Loss.ts"
import * as Scoreboard from "./Scoreboard.ts"

export interface Rack {
  /** RACK.segment: of all that was delivered, what was sent last (§5.3). */
  readonly xmitTs: Time.Instant
  readonly endSeq: Sequence.Sequence
  readonly rtt: Time.Span
  readonly reorderingSeen: boolean
  /** SND.NXT when the last D-SACK came; until it is acknowledged another counts for the same round trip. */
  readonly dsackRound: Sequence.Sequence | undefined
  readonly reoWndMult: number
  /** Recoveries without a D-SACK until the window falls back. */
  readonly reoWndPersist: number
}

/** What the reordering window depends on beside {@link Rack}. */
export interface Surroundings {
  readonly now: Time.Instant
  readonly minRtt: Time.Span | undefined
  readonly srtt: Time.Span | undefined
  /** In fast or RTO recovery. */
  readonly isRecovering: boolean
  /** DupThresh (RFC 6675 §2). */
  readonly threshold: number
}

/** §6.2 step 4: an enlarged window lasts for so many recoveries. */
const persistence = 16

const longAgo: Time.Instant = Time.instantOf(-Infinity)

export const initial: Rack = Object.freeze({
  xmitTs: longAgo,
  endSeq: 0,
  rtt: Time.zero,
  reorderingSeen: false,
  dsackRound: undefined,
  reoWndMult: 1,
  reoWndPersist: persistence
})

/** A short segment may be so much faster than the full ones of which the least round trip is known. */
const shortestTrip = 7 / 8

/** The latest a retransmission may have been sent to be what an ACK answers (rfc: 8985 §6.2 step 2): the least round trip ago. For `Scoreboard.update`. */
export const credible = (now: Time.Instant, minRtt: Time.Span | undefined): Time.Instant =>
  Time.minus(now, Time.scale(minRtt ?? Time.zero, shortestTrip))

/** Steps 2 and 3: what an ACK says of the newest delivered transmission, and of reordering. */
export const deliver = (self: Rack, update: Scoreboard.Update, now: Time.Instant): Rack => {
  const { newest } = update
  const reorderingSeen = self.reorderingSeen || update.isReordered
  if (newest === undefined) return reorderingSeen === self.reorderingSeen ? self : { ...self, reorderingSeen }
  const sentAt = newest.stamp.sentAt
  const isNewer = sentAt > self.xmitTs || (sentAt === self.xmitTs && Sequence.after(newest.end, self.endSeq))
  return {
    ...self,
    xmitTs: isNewer ? sentAt : self.xmitTs,
    endSeq: isNewer ? newest.end : self.endSeq,
    rtt: Time.between(sentAt, now),
    reorderingSeen
  }
}

/** Data that was sent once has been delivered behind data sent after it, as something else than an ACK's order has shown. */
export const overtaken = (self: Rack): Rack => self.reorderingSeen ? self : { ...self, reorderingSeen: true }

/** Step 4: the window grows with each round trip in which something arrived twice, and falls back after 16 recoveries in which nothing did. */
export const adapt = (self: Rack, board: Scoreboard.Scoreboard, hasDsack: boolean, endsRecovery: boolean): Rack => {
  const isOver = self.dsackRound !== undefined && !Sequence.before(board.una, self.dsackRound)
  const dsackRound = isOver ? undefined : self.dsackRound
  if (dsackRound === undefined && hasDsack) {
    return { ...self, dsackRound: board.nxt, reoWndMult: self.reoWndMult + 1, reoWndPersist: persistence }
  }
  if (!endsRecovery) return dsackRound === self.dsackRound ? self : { ...self, dsackRound }
  const reoWndPersist = self.reoWndPersist - 1
  return { ...self, dsackRound, reoWndPersist, reoWndMult: reoWndPersist <= 0 ? 1 : self.reoWndMult }
}

/** RACK.reo_wnd (§6.2 step 4, §3.3.2): none while no reordering was seen and the loss is as good as certain. */
export const reorderingWindow = (self: Rack, board: Scoreboard.Scoreboard, around: Surroundings): Time.Span => {
  const isCertain = around.isRecovering || Scoreboard.sackedSegments(board) >= around.threshold
  if (around.minRtt === undefined || (!self.reorderingSeen && isCertain)) return Time.zero
  // rfc: 8985 §3.3.2 MUST: bounded, by SRTT.
  return Time.min(Time.scale(around.minRtt, self.reoWndMult / 4), around.srtt ?? around.minRtt)
}

/** What step 5 finds. */
export interface Detection {
  readonly losses: Loss.Losses
  /** When to look again if no ACK comes before; undefined when nothing waits. */
  readonly lookAgain: Time.Instant | undefined
}

/** Until when what was sent is waited for. */
const patienceOf = (self: Rack, board: Scoreboard.Scoreboard, around: Surroundings): Loss.Patience => ({
  now: around.now,
  span: Time.add(self.rtt, reorderingWindow(self, board, around))
})

/** Step 5, RACK_detect_loss: after an ACK, and when {@link Detection.lookAgain} comes. */
export const detect = (self: Rack, board: Scoreboard.Scoreboard, around: Surroundings): Detection => {
  const patience = patienceOf(self, board, around)
  const { losses, waiting } = Loss.byTime(board, self, patience)
  return { losses, lookAgain: waiting === undefined ? undefined : Time.plus(waiting, patience.span) }
}

/** rfc: 8985 §6.3: at a retransmission timeout, the first segment and whatever was sent so long ago that it should have come. */
export const timeout = (self: Rack, board: Scoreboard.Scoreboard, around: Surroundings): Loss.Losses =>
  Loss.onTimeout(board, patienceOf(self, board, around))
