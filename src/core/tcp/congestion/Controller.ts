/**
 * What a congestion controller is: a record of pure functions over a state of its own (RFC 5681, RFC 5033's spirit).
 *
 * A controller sees only windows and ACKs, never a segment or a connection. It decides how many bytes may be in flight and, if
 * it likes, how fast they may leave. Which bytes those are, what is lost and how a recovery is spread over a round trip (RFC
 * 6937) is the connection's business. To add one: one file that exports a `controller`, and one line in `known.ts` (docs/congestion.md).
 *
 *     start ─▶ onAck ─▶ onAck ─▶ onLoss ─▶ onAck (recovery: "fast") ─▶ onRecoveryExit ─▶ onAck ─▶ …
 *                        │         └▶ undo, when the loss turns out to be none
 *                        └▶ onTimeout ─▶ onAck (recovery: "timeout") ─▶ onAck ─▶ …
 */
import type { Instant, Span } from "../../Time.ts"
import type * as DeliveryRate from "../DeliveryRate.ts"

export interface Start {
  readonly now: Instant
  /** SMSS, in bytes. */
  readonly mss: number
  /** Bytes; see {@link initialWindow}. */
  readonly initialWindow: number
  /**
   * The most segments by which one ACK may open the window in slow start (L of RFC 3465 §2.3 and RFC 9406 §4.3). No limit if it is not
   * given: receivers that merge segments acknowledge dozens at once, and two for each such ACK would be no exponential growth at all.
   */
  readonly slowStartLimit?: number
  /** The same after a timeout, where RFC 3465 §2.3 has one segment; one if it is not given. */
  readonly slowStartLimitAfterTimeout?: number
  /** A pause takes the window down by halves, one for each timeout that it lasts (RFC 2861 §3.1), and not at once. */
  readonly pausesHalve?: boolean
}

/** An ACK that reports something new. */
export interface AckSample {
  readonly now: Instant
  /** Bytes by which SND.UNA moved. */
  readonly bytesAcked: number
  /** Bytes newly acknowledged, cumulatively or selectively; each byte counts once in its life. */
  readonly bytesDelivered: number
  /** Bytes found lost since the last ACK. */
  readonly bytesLost: number
  /** Pipe before and after this ACK (RFC 6675 §4). */
  readonly bytesInFlight: number
  readonly bytesInFlightAfter: number
  /** This ACK's measurement, if Karn's rule allows one (RFC 6298 §3). */
  readonly rtt: Span | undefined
  readonly srtt: Span | undefined
  readonly minRtt: Span | undefined
  /** Something other than the congestion window limited what was in flight: the program, or the peer's window. */
  readonly isAppLimited: boolean
  /** The most that was on its way in the burst that this ACK may belong to; Infinity if it used the whole window. Kept in slow start only. */
  readonly mostInFlight: number
  /** It tells of congestion marks: the window does not grow by it (RFC 3168 §6.1.2). */
  readonly isMarked: boolean
  /** `timeout`: after a retransmission timeout, until everything sent before it is acknowledged. */
  readonly recovery: "none" | "fast" | "timeout"
  readonly rate: DeliveryRate.Sample
}

/** A congestion event, as it is when it is noticed. */
export interface CongestionEvent {
  readonly now: Instant
  /** FlightSize (RFC 5681 §2): SND.NXT - SND.UNA, without what limited transmit sent (§3.2 step 2). */
  readonly flightSize: number
}

/** A retransmission timeout. */
export interface Timeout extends CongestionEvent {
  /** The segment had timed out before (RFC 5681 §3.1: then ssthresh is held constant). */
  readonly isRepeated: boolean
}

/** A transmission found lost, for controllers that weigh losses one by one. */
export interface Lost {
  readonly now: Instant
  readonly bytes: number
  readonly stamp: DeliveryRate.Stamp
  /** Bytes lost in the connection's life, with these. */
  readonly totalLost: number
}

/** Data is about to be sent after a pause. */
export interface Idle {
  readonly now: Instant
  /** Since data was last sent. */
  readonly idleFor: Span
  readonly rto: Span
}

/** `S` is the controller's own state, a readonly record. */
export interface Controller<S> {
  readonly name: string
  readonly start: (params: Start) => S
  readonly onAck: (self: S, ack: AckSample) => S
  /** Fast recovery begins: the window afterwards is the one to come out with. Once per recovery. */
  readonly onLoss: (self: S, loss: CongestionEvent) => S
  readonly onTimeout: (self: S, timeout: Timeout) => S
  /** The peer echoed congestion marks (RFC 3168 §6.1.2). At most once per round trip. */
  readonly onEcn: (self: S, mark: CongestionEvent) => S
  readonly onRecoveryExit: (self: S, now: Instant) => S
  /** The last loss or timeout was none: put back what it changed. */
  readonly undo: (self: S, now: Instant) => S
  /** The connection has sent nothing for longer than the RTO (RFC 5681 §4.1); only called where `slowStartAfterIdle` is on. */
  readonly onIdle: (self: S, idle: Idle) => S
  /** SMSS has changed (RFC 5681 §3.1). */
  readonly onMss: (self: S, mss: number) => S
  /** A transmission was found lost. */
  readonly onLost?: (self: S, lost: Lost) => S
  /** cwnd, in bytes. */
  readonly window: (self: S) => number
  /** In bytes; infinite before the first congestion. */
  readonly ssthresh: (self: S) => number
  /** Bytes per second; undefined when nothing is known yet. */
  readonly pacingRate: (self: S) => number | undefined
  /** Whether it needs pacing, whatever the connection prefers. */
  readonly needsPacing: boolean
  /** Its window and its pace hold in fast recovery as at other times. Without it proportional rate reduction (RFC 6937) leads from the pipe to {@link ssthresh}. */
  readonly governsRecovery?: true
}

/** Bytes of `segments` segments to begin with; for ten it is RFC 6928 §2: at most 14,600 bytes, unless two segments are more. */
export const initialWindow = (mss: number, segments: number): number =>
  Math.min(segments * mss, Math.max(2 * mss, segments * 1460))

/** The initial window of old (RFC 3390 §1, RFC 5681 §3.1), for paths that could not take the new. */
export const conservativeWindow = (mss: number): number => (mss > 2190 ? 2 : mss > 1095 ? 3 : 4) * mss

/**
 * A pace for controllers that think in windows: twice the window in a round trip while it doubles, a fifth more than the window
 * otherwise, so that the pace never is what holds growth back (the figures of deployed stacks).
 */
export const pace = (window: number, ssthresh: number, srtt: Span | undefined): number | undefined =>
  srtt === undefined || srtt <= 0 ? undefined : window * (window < ssthresh ? 2 : 1.2) * 1_000_000 / srtt
