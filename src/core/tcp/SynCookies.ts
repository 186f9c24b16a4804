/**
 * SYN cookies: a half-open connection that is remembered by the peer instead of by us (RFC 4987 §3.6 and Appendix A).
 *
 *     cookie = IRS + F(tuple) + count·2^24 + (G(count, IRS, tuple) + index of the MSS·2^21) mod 2^24
 *
 * `count` goes up every 64 seconds, so the numbers of one tuple go up as those of RFC 6528 do, at nearly the same pace, and a cookie is good for one to
 * two minutes. The ACK that ends the handshake brings IRS and the cookie back; what is left after F and `count` are taken off must be G and an
 * index, which a guess hits once in 2^28 times. Indices lie far apart, or an ACK of a few bytes that a connection sent before it was aborted would be
 * another cookie, and what comes next would not begin where the peer believes.
 *
 * A stack that wants that has five bits for SACK and scaling behind the index (`cookiesKeepOptions`), which a guess need not hit: once in 2^23 times.
 *
 * Otherwise the options go into the low bits of the timestamp that the peer echoes:
 *
 *     TSval  …………………………………………………… E S W W W W       ECN, SACK, window scale (15: none)
 */
import * as SipHash from "../data/SipHash.ts"
import * as Time from "../Time.ts"
import * as FourTuple from "./FourTuple.ts"

/** What a peer may have offered, in ascending order; the last that is not more is kept. The first is below any that makes sense. */
const segmentSizes: ReadonlyArray<number> = Object.freeze([64, 536, 1220, 1360, 1400, 1440, 1460, 8960])

const period = Time.seconds(64)
/** Periods for which a cookie is good, the one it was made in included. */
const lifetime = 2

const forBase = 3
const forCookie = 4
const countShift = 24
const indexShift = 21
const low24 = 0xff_ffff
const optionsShift = 16
const low5 = 0x1f

const countAt = (now: Time.Instant): number => Math.floor(now / period)

const base = (key: SipHash.Key, tuple: FourTuple.FourTuple): number =>
  SipHash.hashWords(key, FourTuple.words(forBase, tuple)).low

const proof = (key: SipHash.Key, tuple: FourTuple.FourTuple, irs: number, count: number): number =>
  SipHash.hashWords(key, [...FourTuple.words(forCookie, tuple), irs, count | 0]).low

const indexOf = (mss: number): number => {
  let index = 0
  while (index + 1 < segmentSizes.length && segmentSizes[index + 1]! <= mss) index += 1
  return index
}

/** The initial sequence number of a SYN-ACK that nothing is kept of. `irs` is the SYN's number, `mss` what the peer offered; `options` if it is to keep some. */
export const make = (
  key: SipHash.Key,
  now: Time.Instant,
  tuple: FourTuple.FourTuple,
  irs: number,
  mss: number,
  options?: Options
): number => {
  const count = countAt(now)
  const kept = options === undefined ? 0 : encoded(options) & low5
  const low = (proof(key, tuple, irs, count) + (indexOf(mss) << indexShift) + (kept << optionsShift)) & low24
  return (irs + base(key, tuple) + (count << countShift) + low) | 0
}

/**
 * The MSS that a cookie was made with; undefined if it is none of ours, or too old. `irs` is the ACK's SEG.SEQ - 1, `cookie` its SEG.ACK - 1.
 */
export const check = (
  key: SipHash.Key,
  now: Time.Instant,
  tuple: FourTuple.FourTuple,
  irs: number,
  cookie: number
): number | undefined => {
  const kept = keptIn(key, now, tuple, irs, cookie)
  if (kept === undefined) return undefined
  const index = kept >>> indexShift
  return kept === index << indexShift ? segmentSizes[index] : undefined
}

/** The same for a cookie that keeps options. */
export const checkWithOptions = (
  key: SipHash.Key,
  now: Time.Instant,
  tuple: FourTuple.FourTuple,
  irs: number,
  cookie: number
): { readonly mss: number; readonly options: Options } | undefined => {
  const kept = keptIn(key, now, tuple, irs, cookie)
  if (kept === undefined || (kept & ((1 << optionsShift) - 1)) !== 0) return undefined
  return { mss: segmentSizes[kept >>> indexShift]!, options: options((kept >>> optionsShift) & low5) }
}

/** What is left of a cookie of the last periods without what only we can have added. */
const keptIn = (
  key: SipHash.Key,
  now: Time.Instant,
  tuple: FourTuple.FourTuple,
  irs: number,
  cookie: number
): number | undefined => {
  const rest = (cookie - irs - base(key, tuple)) | 0
  const age = (countAt(now) - (rest >>> countShift)) & 0xff
  return age >= lifetime ? undefined : (rest - proof(key, tuple, irs, countAt(now) - age)) & low24
}

/** The options of a SYN that a cookie keeps. */
export interface Options {
  /** The peer's shift (RFC 7323 §2.2), if it offered scaling. */
  readonly windowScale: number | undefined
  readonly sack: boolean
  readonly ecn: boolean
}

const bits = 6
const mask = (1 << bits) - 1
const noScale = 15
const sackBit = 16
const ecnBit = 32

const encoded = (options: Options): number =>
  (options.windowScale === undefined ? noScale : Math.min(options.windowScale, noScale - 1)) |
  (options.sack ? sackBit : 0) | (options.ecn ? ecnBit : 0)

/** The timestamp of the SYN-ACK: at most 63 ticks before `value`, what it would be without a cookie, so that later ones are not older. */
export const timestamp = (value: number, options: Options): number => {
  const candidate = (value & ~mask) | encoded(options)
  return ((value - candidate) | 0) < 0 ? (candidate - (mask + 1)) | 0 : candidate
}

/** The options in an echoed timestamp (without the connection's offset, if one was added after {@link timestamp}). */
export const options = (echo: number): Options => {
  const scale = echo & noScale
  return {
    windowScale: scale === noScale ? undefined : scale,
    sack: (echo & sackBit) !== 0,
    ecn: (echo & ecnBit) !== 0
  }
}
