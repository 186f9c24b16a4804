/**
 * What IGMP and MLD say alike, so that one machine can serve both (RFC 3376 §4, RFC 3810 §5).
 *
 * `A` is the family's address. Times are in the units that the names tell; the compressed forms on the wire are the codecs'.
 */

/** What a record says of its group (RFC 3376 §4.2.12, RFC 3810 §5.2.12). */
export const RecordType = {
  modeIsInclude: 1,
  modeIsExclude: 2,
  changeToInclude: 3,
  changeToExclude: 4,
  allowNewSources: 5,
  blockOldSources: 6
} as const

export interface GroupRecord<A> {
  /** One of {@link RecordType}; others are to be ignored. */
  readonly type: number
  readonly group: A
  readonly sources: ReadonlyArray<A>
}

export type Message<A> =
  | {
    readonly _tag: "Query"
    /** Of the querier: IGMP 1 to 3, MLD 1 and 2. */
    readonly version: number
    /** Hosts answer within this time; 0 in IGMPv1, which knows none. */
    readonly maximumResponseMillis: number
    /** Unspecified when it asks for all groups. */
    readonly group: A
    /** Routers don't change their timers for it. Of the newest version only, as is what follows. */
    readonly suppress: boolean
    /** The querier's robustness variable, 0 to 7; 0 when it does not say. */
    readonly robustness: number
    readonly queryIntervalSeconds: number
    readonly sources: ReadonlyArray<A>
  }
  /** Membership as older versions report it: one group, any source. */
  | { readonly _tag: "Report"; readonly version: number; readonly group: A }
  /** Leave group, or listener done. */
  | { readonly _tag: "Leave"; readonly group: A }
  /** The report of the newest version. */
  | { readonly _tag: "Records"; readonly records: ReadonlyArray<GroupRecord<A>> }

/**
 * A number in a code of `bits` bits (RFC 3376 §4.1.1, RFC 3810 §5.1.3): as it is below half the range, else as a floating
 * point number.
 *
 *     | 1 | exponent, 3 bits | mantissa |      (mantissa | hidden bit) << (exponent + 3)
 */
export const fromCode = (code: number, bits: 8 | 16): number => {
  const mantissaBits = bits - 4
  if (code >>> (bits - 1) === 0) return code
  const mantissa = code & ((1 << mantissaBits) - 1)
  return (mantissa | (1 << mantissaBits)) << (((code >>> mantissaBits) & 7) + 3)
}

/** The code of the largest number that it can say and that is not above `value`. */
export const toCode = (value: number, bits: 8 | 16): number => {
  const mantissaBits = bits - 4
  if (value < 1 << (bits - 1)) return value
  for (let exponent = 0; exponent < 8; exponent++) {
    const mantissa = value >>> (exponent + 3)
    if (mantissa < 2 << mantissaBits) {
      return (1 << (bits - 1)) | (exponent << mantissaBits) | (mantissa & ((1 << mantissaBits) - 1))
    }
  }
  return (1 << bits) - 1
}
