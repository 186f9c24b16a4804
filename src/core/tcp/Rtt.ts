/**
 * The round-trip time and the retransmission timeout that follows from it (RFC 6298, RFC 7323 §4 and Appendix G).
 *
 *     first sample R       srtt = R                         rttvar = R/2
 *     each further R'      rttvar += (|srtt - R'| - rttvar) / 4, then srtt += (R' - srtt) / 8
 *     rto = srtt + max(G, 4·rttvar), within [minRto, maxRto]; doubled for each timeout until the next sample
 *
 * Which ACKs give a sample is Karn's rule, and the scoreboard's business (`Scoreboard.Update.sampled`).
 */
import * as Windowed from "../data/Windowed.ts"
import * as Time from "../Time.ts"

export interface Config {
  /** The timeout before there is a sample (RFC 6298 §2.1: 1 s). */
  readonly initialRto: Time.Span
  /** RFC 6298 §2.4 asks for 1 s; deployed stacks have 200 ms. */
  readonly minRto: Time.Span
  /** At least 60 s (RFC 6298 §2.5). */
  readonly maxRto: Time.Span
  /**
   * G, the least that the variance adds to the timeout; `minRto` if it is not given. A coarse clock needs it, and there is none here, but so does a
   * peer that delays an ACK now and then on a path so steady that the variance has died away.
   */
  readonly granularity?: Time.Span
  /** Added to what is measured and doubled; nothing if it is not given. */
  readonly rtoSlop?: Time.Span
}

/** For how long the least round-trip time is remembered (RFC 8985 §6.2 step 1). */
const minimumWindow: Time.Span = Time.seconds(300)

/** After a lost SYN, the timeout with which data begins (RFC 6298 §5.7). */
export const afterLostSyn: Time.Span = Time.seconds(3)

export interface Rtt {
  /** Smoothed; undefined until the first sample. */
  readonly srtt: Time.Span | undefined
  readonly rttvar: Time.Span
  /** Without backoff; {@link rtoOf} is what timers are set to. */
  readonly rto: Time.Span
  /** Timeouts since the last sample. */
  readonly backoff: number
  readonly samples: number
  /** The last sample. */
  readonly latest: Time.Span | undefined
  readonly window: Windowed.Windowed
}

export const make = (config: Config): Rtt => ({
  srtt: undefined,
  rttvar: Time.zero,
  rto: Time.clamp(config.initialRto, config.minRto, config.maxRto),
  backoff: 0,
  samples: 0,
  latest: undefined,
  window: Windowed.emptyMinimum
})

/**
 * Takes a measurement, which also ends the backoff (RFC 6298 §5, last notes).
 *
 * `expected` is the number of samples that a window of data gives. More than one per round trip would shorten the estimator's memory, so its gains
 * are divided by it (RFC 7323 Appendix G): `ceil(flight / (2·SMSS))`.
 */
export const sample = (self: Rtt, rtt: Time.Span, now: Time.Instant, config: Config, expected = 1): Rtt => {
  const measured = Time.max(rtt, Time.zero)
  const gain = 1 / Math.max(1, expected)
  // rfc: 6298 §2.2 MUST, §2.3 MUST: rttvar first, from the smoothed time before this sample.
  const rttvar = self.srtt === undefined
    ? measured / 2
    : self.rttvar + (Math.abs(self.srtt - measured) - self.rttvar) * gain / 4
  const srtt = self.srtt === undefined ? measured : self.srtt + (measured - self.srtt) * gain / 8
  return {
    srtt: Time.micros(srtt),
    rttvar: Time.micros(rttvar),
    // rfc: 6298 §2.3 MUST, §2.4 SHOULD, §2.5 MAY
    rto: Time.clamp(
      Time.micros(srtt + Math.max(config.granularity ?? config.minRto, 4 * rttvar)),
      config.minRto,
      config.maxRto
    ),
    backoff: 0,
    samples: self.samples + 1,
    latest: measured,
    window: Windowed.minimum(self.window, measured, now, minimumWindow)
  }
}

/** A timeout of so long a time, doubled so often; the slop comes on top where there is a measurement or was a timeout. */
export const patience = (wait: Time.Span, backoff: number, isMeasured: boolean, config: Config): Time.Span => {
  const slop = isMeasured || backoff > 0 ? config.rtoSlop ?? Time.zero : Time.zero
  return Time.min(Time.add(Time.scale(wait, 2 ** backoff), slop), config.maxRto)
}

/** The timeout to arm: doubled for each timeout since the last sample, up to the maximum (rfc: 6298 §5.5 MUST). */
export const rtoOf = (self: Rtt, config: Config): Time.Span =>
  patience(self.rto, self.backoff, self.samples > 0, config)

/** A timer has expired. */
export const backedOff = (self: Rtt, config: Config): Rtt =>
  rtoOf(self, config) >= config.maxRto ? self : { ...self, backoff: self.backoff + 1 }

/** Ends the backoff without a sample: the timeout was spurious. */
export const withoutBackoff = (self: Rtt): Rtt => self.backoff === 0 ? self : { ...self, backoff: 0 }

/**
 * The handshake is over and a SYN or its ACK had to be sent again: unless timestamps gave a sample all the same, data begins
 * with three seconds (rfc: 6298 §5.7 MUST).
 */
export const begin = (self: Rtt, config: Config): Rtt =>
  self.samples > 0 || self.backoff === 0
    ? self
    : { ...self, backoff: 0, rto: Time.clamp(Time.max(self.rto, afterLostSyn), config.minRto, config.maxRto) }

/** Forgets the path but not the timeout: after several timeouts the smoothed values are likely bogus (RFC 6298 §5, last paragraph, MAY). */
export const forget = (self: Rtt): Rtt => ({
  ...self,
  srtt: undefined,
  rttvar: Time.zero,
  window: Windowed.emptyMinimum
})

/** The least round-trip time of late; undefined until the first sample. */
export const minimum = (self: Rtt): Time.Span | undefined =>
  self.window.value === Infinity ? undefined : Time.micros(self.window.value)
