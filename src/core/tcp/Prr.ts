/**
 * Proportional rate reduction: how much each ACK of a recovery lets out, so that the window comes down evenly over a round trip and ends where the controller
 * wants it (RFC 6937).
 *
 *     pipe > ssthresh     in proportion: of every RecoverFS bytes delivered, ssthresh are sent
 *     pipe ≤ ssthresh     what was delivered is replaced, and beyond that at most a segment an ACK, up to ssthresh
 *
 * Losses that bring the pipe below the target do not silence the sender, and no ACK ever lets out a burst.
 */

export interface Prr {
  /** The window to end with. */
  readonly ssthresh: number
  /** RecoverFS: FlightSize when the recovery began. */
  readonly recoverFs: number
  /** prr_delivered and prr_out: bytes delivered and sent since. */
  readonly delivered: number
  readonly out: number
}

/** What an ACK during recovery says. */
export interface Ack {
  /** DeliveredData (§2). */
  readonly delivered: number
  /** After the ACK and what it showed to be lost. */
  readonly pipe: number
  readonly mss: number
  /** SND.UNA moved and nothing more was found lost: the recovery works, so it may send more (PRR-SSRB); otherwise no more than what arrived (PRR-CRB). */
  readonly isProgress: boolean
}

export const enter = (ssthresh: number, flightSize: number): Prr => ({
  ssthresh,
  recoverFs: Math.max(flightSize, 1),
  delivered: 0,
  out: 0
})

/** The limit of §3 while the pipe is not above the target. */
const bound = (self: Prr, ack: Ack): number => {
  const limit = ack.isProgress
    ? Math.max(self.delivered - self.out, ack.delivered) + ack.mss
    : Math.max(self.delivered - self.out, 0)
  return Math.min(self.ssthresh - ack.pipe, limit)
}

/** The rule's CEIL is to whole segments, the unit of its examples: half a segment's turn would come an ACK late. */
const proportion = (self: Prr, mss: number): number =>
  Math.ceil(self.delivered * self.ssthresh / self.recoverFs / mss) * mss

/** SndCnt: how many bytes may be sent in answer to this ACK; at least a segment until something was sent, for that is the fast retransmission. */
export const onAck = (self: Prr, ack: Ack): { readonly prr: Prr; readonly sndCnt: number } => {
  const prr = ack.delivered === 0 ? self : { ...self, delivered: self.delivered + ack.delivered }
  const sndCnt = ack.pipe > prr.ssthresh
    ? proportion(prr, ack.mss) - prr.out
    : bound(prr, ack)
  // A controller's threshold may have fractions of a byte, which nothing that is sent or written has.
  return { prr, sndCnt: Math.max(Math.floor(sndCnt), prr.out === 0 ? ack.mss : 0) }
}

/** Something was sent, new or again. */
export const onSent = (self: Prr, bytes: number): Prr => ({ ...self, out: self.out + bytes })
