/**
 * F-RTO: was a retransmission timeout for nothing? (RFC 5682)
 *
 * After the timeout only the first segment is sent again. If the next ACK moves on, new data is sent instead of old; if then an ACK
 * covers what was sent before the timeout and not again, its original has arrived, and the network was only slow.
 *
 *              new ACK: send new data            data of before the timeout is acknowledged
 *     waiting ────────────────────────▶ testing ─────────────────────────────────▶ spurious
 *        │ anything that tells nothing             │ a duplicate, or news of the new data only
 *        ╰──────────────▶ conventional ◀───────────╯
 */
import * as Sequence from "../../wire/Sequence.ts"

export interface Frto {
  /** Steps 2 and 3 of §2.1 and §3.1. */
  readonly step: "off" | "waiting" | "testing"
  /** Where the segment ends that was sent again at the timeout. */
  readonly retransmitted: Sequence.Sequence
  /** `recover`, RecoveryPoint: the highest number that was sent before new data. */
  readonly recover: Sequence.Sequence
}

export const off: Frto = Object.freeze({ step: "off", retransmitted: 0, recover: 0 })

/**
 * What to do after an ACK. `SendNew`: send up to two new segments; if there are none, give the test up ({@link off}) and go on conventionally.
 * `Conventional`: everything outstanding counts as lost, and the window is at most so many segments.
 */
export type Verdict =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "SendNew" }
  | { readonly _tag: "Conventional"; readonly segments: number }
  | { readonly _tag: "Spurious" }

const nothing: Verdict = Object.freeze({ _tag: "Nothing" })
const sendNew: Verdict = Object.freeze({ _tag: "SendNew" })
const spurious: Verdict = Object.freeze({ _tag: "Spurious" })
const conventional = (segments: number): Verdict => ({ _tag: "Conventional", segments })

/** An ACK, with what the scoreboard says of it. */
export interface Ack {
  /** SND.UNA and SND.NXT after it. */
  readonly una: Sequence.Sequence
  readonly nxt: Sequence.Sequence
  /** SND.UNA moved. */
  readonly isNew: boolean
  readonly isDuplicate: boolean
  /** Bytes that it is the first to acknowledge, in either way. */
  readonly delivered: number
  /** One past the highest byte acknowledged in either way. */
  readonly fack: Sequence.Sequence
  /** SACK is in use (§3.1). */
  readonly hasSack: boolean
}

/**
 * Step 1: the timer has expired, and the segment up to `retransmitted` goes again. `isRecovering`: an earlier recovery is not over
 * yet, whose retransmissions would speak for themselves (§2.1 step 1, §3.1).
 */
export const start = (retransmitted: Sequence.Sequence, nxt: Sequence.Sequence, isRecovering: boolean): Frto =>
  isRecovering ? off : { step: "waiting", retransmitted, recover: nxt }

interface Answer {
  readonly frto: Frto
  readonly verdict: Verdict
}

const end = (verdict: Verdict): Answer => ({ frto: off, verdict })

/** Step 2 of both forms. */
const whileWaiting = (self: Frto, ack: Ack): Answer => {
  if (!ack.isNew) {
    // With SACK a duplicate says no more than that something arrived: the answer to the retransmission is still to come.
    return ack.isDuplicate && !ack.hasSack ? end(conventional(2)) : { frto: self, verdict: nothing }
  }
  const coversAll = !Sequence.before(ack.una, ack.nxt)
  // A part of the retransmission proves nothing: a receiver could make it up (§2.2).
  const isPart = Sequence.before(ack.una, self.retransmitted)
  if (coversAll || isPart) return end(conventional(2))
  return { frto: { ...self, step: "testing", recover: ack.nxt }, verdict: sendNew }
}

/** Step 3: without SACK any progress is proof; with it, only progress below the recovery point. */
const whileTesting = (self: Frto, ack: Ack): Answer => {
  if (!ack.isNew && !ack.isDuplicate && ack.delivered === 0) return { frto: self, verdict: nothing }
  if (!ack.hasSack) return end(ack.isNew ? spurious : conventional(3))
  const isBeyond = Sequence.after(ack.fack, self.recover)
  return end(ack.delivered > 0 && !isBeyond ? spurious : conventional(3))
}

// rfc: 5682 §2.1 MUST, §3.1 MUST
/** Steps 2 and 3. */
export const onAck = (self: Frto, ack: Ack): Answer => {
  switch (self.step) {
    case "off":
      return { frto: self, verdict: nothing }
    case "waiting":
      return whileWaiting(self, ack)
    case "testing":
      return whileTesting(self, ack)
  }
}
