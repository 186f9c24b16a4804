/**
 * Tail loss probes: when an ACK is overdue, one segment more, so that its ACK tells what was lost (RFC 8985 §7).
 *
 *      data sent, or new data acknowledged                  PTO expires
 *     ────────────────────────────────────▶ wait 2·SRTT ──────────────▶ probe ──▶ wait for the RTO
 *
 * A probe that sends old data again may repair the only loss there was, and then no other sign of it is left; {@link onAck} finds that out.
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Time from "../Time.ts"
import type { Range } from "./Scoreboard.ts"

export interface TailLossProbe {
  /** TLP.end_seq: SND.NXT when the outstanding probe was sent. */
  readonly endSeq: Sequence.Sequence | undefined
  /** TLP.is_retrans: the probe sent old data again. */
  readonly isRetrans: boolean
  /** There was a round-trip sample since the last probe, or since the start. */
  readonly hasSample: boolean
  /** FlightSize that a response to a loss which the probe repairs is to be measured by, in bytes. */
  readonly flight: number
}

export const initial: TailLossProbe = Object.freeze({
  endSeq: undefined,
  isRetrans: false,
  hasSample: false,
  flight: 0
})

/** Timers are no finer than this, nor are the ACKs of those who batch: what deployed stacks add to very short timeouts. */
const leeway = Time.millis(2)

/** Without an SRTT (§7.2). */
const withoutSrtt = Time.seconds(1)

/**
 * TLP_calc_PTO (rfc: 8985 §7.2 SHOULD): when to probe. `isOneSegment`: the flight is one segment, whose ACK the receiver may delay by
 * `maxAckDelay`. `rtoAt` is when the RTO would expire; undefined means that it is not armed.
 */
export const probeAt = (
  now: Time.Instant,
  srtt: Time.Span | undefined,
  isOneSegment: boolean,
  maxAckDelay: Time.Span,
  rtoAt: Time.Instant
): Time.Instant => {
  if (srtt === undefined) return Time.earliest(Time.plus(now, withoutSrtt), rtoAt)
  const pto = Time.add(Time.scale(srtt, 2), isOneSegment ? Time.max(maxAckDelay, leeway) : leeway)
  return Time.earliest(Time.plus(now, pto), rtoAt)
}

/** rfc: 8985 §7.3 MUST: one probe at a time, and a round-trip sample between two. */
export const mayProbe = (self: TailLossProbe): boolean => self.endSeq === undefined && self.hasSample

/** A probe was sent; `nxt` is SND.NXT with it, `flight` what was in flight when the text that it asks about was sent. */
export const probed = (nxt: Sequence.Sequence, isRetrans: boolean, flight: number): TailLossProbe => ({
  endSeq: nxt,
  isRetrans,
  hasSample: false,
  flight
})

/** Nothing was ever probed and a sample was taken: where every connection is after its handshake; shared by them. */
const ready: TailLossProbe = Object.freeze({ ...initial, hasSample: true })

/** A round-trip sample was taken. */
export const sampled = (self: TailLossProbe): TailLossProbe => {
  if (self.hasSample) return self
  return self === initial ? ready : { ...self, hasSample: true }
}

/** TLP_init (§7.1): recovery has begun, which needs no probe. */
export const reset = (self: TailLossProbe): TailLossProbe =>
  self.endSeq === undefined ? self : { ...self, endSeq: undefined, isRetrans: false }

export interface Ack {
  /** SEG.ACK */
  readonly ack: Sequence.Sequence
  /** What its D-SACK tells of. */
  readonly duplicate: Range | undefined
  /** A duplicate ACK without any SACK option. */
  readonly isBareDuplicate: boolean
}

/** TLP_process_ack (§7.4.2). `repairedLoss` asks for the response to a loss: the probe has repaired one that nobody else saw. */
export const onAck = (
  self: TailLossProbe,
  ack: Ack
): { readonly probe: TailLossProbe; readonly repairedLoss: boolean } => {
  if (self.endSeq === undefined || Sequence.before(ack.ack, self.endSeq)) return { probe: self, repairedLoss: false }
  if (!self.isRetrans || ack.duplicate?.end === self.endSeq) return { probe: reset(self), repairedLoss: false }
  if (Sequence.after(ack.ack, self.endSeq)) return { probe: reset(self), repairedLoss: true }
  return { probe: ack.isBareDuplicate ? reset(self) : self, repairedLoss: false }
}
