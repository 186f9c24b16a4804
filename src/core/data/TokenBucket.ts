/**
 * A rate with a burst: tokens come at a steady pace up to a limit, and each thing done takes one (RFC 4443 §2.4 (f) names it).
 */
import * as Time from "../Time.ts"

export interface TokenBucket {
  /** Tokens at the time `at`, with their fraction. */
  readonly tokens: number
  readonly at: Time.Instant
}

export interface Rate {
  readonly perSecond: number
  /** Tokens that a long pause saves up. */
  readonly burst: number
}

/** A full bucket. */
export const make = (rate: Rate): TokenBucket => ({ tokens: rate.burst, at: Time.instantOf(0) })

const second = Time.seconds(1)

/** The bucket with one token less, or `undefined` if it has none. */
export const take = (self: TokenBucket, rate: Rate, at: Time.Instant): TokenBucket | undefined => {
  const grown = self.tokens + Math.max(0, Time.between(self.at, at)) / second * rate.perSecond
  const tokens = Math.min(rate.burst, grown)
  return tokens < 1 ? undefined : { tokens: tokens - 1, at: Time.latest(self.at, at) }
}
