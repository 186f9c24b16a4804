/**
 * Initial sequence numbers that nobody outside can guess (RFC 6528 §3), and the offset of a connection's timestamps (RFC 7323 §5.4).
 *
 *     ISN = M + F(local address, local port, remote address, remote port, key)
 *
 * M counts every 4 µs, so the numbers of successive connections between the same two sockets go up, and a new one does not
 * overlap with what is left of the old (RFC 9293 §3.4.1). F differs from tuple to tuple without a pattern.
 */
import * as SipHash from "../data/SipHash.ts"
import type { Instant } from "../Time.ts"
import * as FourTuple from "./FourTuple.ts"

const forSequence = 1
const forTimestamps = 2

/** RFC 9293 §3.4.1: the clock of initial sequence numbers ticks about every 4 µs. */
const microsecondsPerTick = 4

// rfc: 9293 §3.4.1 MUST-8 MUST-9 SHLD-1, 6528 §3 SHOULD
/** The first sequence number of a connection that is opened now. */
export const generate = (key: SipHash.Key, now: Instant, tuple: FourTuple.FourTuple): number =>
  (Math.floor(now / microsecondsPerTick) + SipHash.hashWords(key, FourTuple.words(forSequence, tuple)).low) | 0

/**
 * What is added to the clock of a connection's timestamps. The same two sockets always get the same, so that timestamps go up
 * from one connection to the next (RFC 6191 §2); no two tuples show the same clock, or for how long the host has been up.
 */
export const timestampOffset = (key: SipHash.Key, tuple: FourTuple.FourTuple): number =>
  SipHash.hashWords(key, FourTuple.words(forTimestamps, tuple)).low
