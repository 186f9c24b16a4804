/**
 * What ICMP remembers: how many errors it may still send.
 */
import type { Config } from "../Config.ts"
import * as TokenBucket from "../data/TokenBucket.ts"
import { Cell } from "../Journal.ts"

export interface State {
  readonly errors: Cell<TokenBucket.TokenBucket>
}

/** rfc: 1812 §4.3.2.8, 4443 §2.4 (f) */
export const errorRate = (config: Config): TokenBucket.Rate => ({
  perSecond: config.limits.icmpErrorsPerSecond,
  burst: config.limits.icmpErrorBurst
})

export const make = (config: Config): State => ({
  errors: new Cell("icmp.errors", TokenBucket.make(errorRate(config)))
})
