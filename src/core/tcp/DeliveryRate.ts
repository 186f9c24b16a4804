/**
 * How fast the network delivers: a sample of the delivery rate with every ACK (draft-ietf-ccwg-bbr, "Delivery Rate Samples", from
 * knowledge; the text is not among our sources).
 *
 * Each transmission carries a {@link Stamp}: what had been delivered when it left. When it is delivered itself, what
 * has been delivered since, over the longer of the two intervals in which that was sent and acknowledged, is the rate. So neither a
 * burst of sending nor a burst of ACKs is taken for bandwidth.
 *
 *     sending   ──┬─────────┬───────────▶      send interval = sentAt - firstSentAt of the stamp
 *                 └first    └this
 *     delivery  ────┬────────────┬──────▶      ACK interval = now - deliveredAt of the stamp
 *                   └before      └this
 *
 * It also counts round trips: one ends when a transmission is delivered that left after the last had ended.
 */
import * as Time from "../Time.ts"

/** What one transmission remembers of the moment it left. Pieces of one transmission share it. */
export interface Stamp {
  readonly sentAt: Time.Instant
  /** Bytes delivered in the connection's life when it left, and when the last of them was reported. */
  readonly delivered: number
  readonly deliveredAt: Time.Instant
  /** When the first transmission of the interval left. */
  readonly firstSentAt: Time.Instant
  /** Bytes in flight with this transmission. */
  readonly inFlight: number
  /** Bytes lost in the connection's life when it left. */
  readonly lost: number
  readonly isAppLimited: boolean
}

export interface DeliveryRate {
  /** Bytes delivered and lost so far. */
  readonly delivered: number
  readonly lost: number
  readonly deliveredAt: Time.Instant
  readonly firstSentAt: Time.Instant
  /** Samples count as limited by the program until so many bytes are delivered; 0 when it is not the limit. */
  readonly appLimitedUntil: number
  readonly rounds: number
  /** A stamp with so many bytes delivered begins the next round trip. */
  readonly nextRound: number
  /** The last sample's rate, in bytes per second, and whether the program was the limit then. */
  readonly latest: number | undefined
  readonly isLatestAppLimited: boolean
}

/** What an ACK says about the path. */
export interface Sample {
  /** Bytes per second; undefined when the interval was too short to tell, or nothing was delivered. */
  readonly rate: number | undefined
  readonly isAppLimited: boolean
  readonly isRoundStart: boolean
  /** Round trips so far. */
  readonly rounds: number
  /** Bytes delivered between the departure and the delivery of the newest transmission that this ACK reports. */
  readonly delivered: number
  /** Bytes lost in the same time. */
  readonly lost: number
  /** Bytes in flight when that transmission left, itself included. */
  readonly inFlightAtSend: number
}

/** Nothing was ever sent; shared by all connections of which that is true. The first transmission sets the times. */
export const initial: DeliveryRate = Object.freeze({
  delivered: 0,
  lost: 0,
  deliveredAt: Time.instantOf(0),
  firstSentAt: Time.instantOf(0),
  appLimitedUntil: 0,
  rounds: 0,
  nextRound: 0,
  latest: undefined,
  isLatestAppLimited: false
})

/** Data is about to leave: the stamp of the transmission. `inFlight` is what is in flight without it. */
export const send = (
  self: DeliveryRate,
  now: Time.Instant,
  inFlight: number,
  size: number
): readonly [DeliveryRate, Stamp] => {
  // Nothing in flight means that the intervals begin here: idle time is not a rate.
  const from = inFlight === 0 ? { ...self, firstSentAt: now, deliveredAt: now } : self
  return [from, {
    sentAt: now,
    delivered: from.delivered,
    deliveredAt: from.deliveredAt,
    firstSentAt: from.firstSentAt,
    inFlight: inFlight + size,
    lost: from.lost,
    isAppLimited: from.appLimitedUntil > 0
  }]
}

/** The program had nothing to send although the window was open: what is in flight now must not be taken for the path's rate. */
export const appLimited = (self: DeliveryRate, inFlight: number): DeliveryRate => ({
  ...self,
  appLimitedUntil: Math.max(1, self.delivered + inFlight)
})

/** Bytes were found lost. */
export const lose = (self: DeliveryRate, bytes: number): DeliveryRate =>
  bytes === 0 ? self : { ...self, lost: self.lost + bytes }

const bytesPerSecond = (bytes: number, interval: Time.Span): number => bytes * 1_000_000 / interval

/** Of an ACK that answers nothing whose departure is known. */
const noSample = (self: DeliveryRate): Sample => ({
  rate: undefined,
  isAppLimited: self.appLimitedUntil > 0,
  isRoundStart: false,
  rounds: self.rounds,
  delivered: 0,
  lost: 0,
  inFlightAtSend: 0
})

/**
 * An ACK delivered `bytes`; `newest` is the stamp of the transmission among them that left last.
 * Intervals below `minRtt` are an artefact of merged ACKs and give no rate.
 */
export const deliver = (
  self: DeliveryRate,
  bytes: number,
  newest: Stamp | undefined,
  now: Time.Instant,
  minRtt: Time.Span | undefined
): readonly [DeliveryRate, Sample] => {
  const delivered = self.delivered + bytes
  const appLimitedUntil = delivered > self.appLimitedUntil ? 0 : self.appLimitedUntil
  if (newest === undefined) return [{ ...self, delivered, appLimitedUntil }, noSample(self)]
  const isRoundStart = newest.delivered >= self.nextRound
  const rounds = isRoundStart ? self.rounds + 1 : self.rounds
  const interval = Time.max(
    Time.between(newest.firstSentAt, newest.sentAt),
    Time.between(newest.deliveredAt, now)
  )
  const isReliable = interval > 0 && interval >= (minRtt ?? 0)
  const rate = isReliable ? bytesPerSecond(delivered - newest.delivered, interval) : undefined
  return [{
    delivered,
    lost: self.lost,
    deliveredAt: now,
    firstSentAt: newest.sentAt,
    appLimitedUntil,
    rounds,
    nextRound: isRoundStart ? delivered : self.nextRound,
    latest: rate ?? self.latest,
    isLatestAppLimited: rate === undefined ? self.isLatestAppLimited : newest.isAppLimited
  }, {
    rate,
    isAppLimited: newest.isAppLimited,
    isRoundStart,
    rounds,
    delivered: delivered - newest.delivered,
    lost: self.lost - newest.lost,
    inFlightAtSend: newest.inFlight
  }]
}
