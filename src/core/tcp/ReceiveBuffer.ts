/**
 * The bytes that have arrived and nobody has read, in order or ahead of a gap, by sequence number (RFC 9293 §3.10.7.4, seventh check).
 *
 *      read                 nxt                                 edge of the window
 *        │ head ──▶ block ──▶ │ block ──▶ … ──▶ tail              │
 *        ▼                    ▼                                   ▼
 *        [ ready to be read   │ gap │ ahead │ gap │ ahead │       ]
 *
 * Blocks cover the numbers without holes and every byte lies at its place from the start, so closing a gap moves a number and no data.
 * A byte that has arrived is never written again: what came first wins, whatever a later segment says. A record sees the bytes between its
 * `read` and `nxt`, and `ahead` names the others; so an older record is still right after a rollback, and a reader may keep its views.
 */
import * as Piece from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as RangeSet from "../data/RangeSet.ts"

interface Block {
  readonly bytes: Uint8Array
  readonly at: number
  readonly from: Sequence.Sequence
  readonly room: number
  next: Block | undefined
}

export interface ReceiveBuffer {
  /** The first byte that nobody has read. */
  readonly read: Sequence.Sequence
  /** Behind the last byte in order: RCV.NXT, unless a FIN was counted. */
  readonly nxt: Sequence.Sequence
  readonly head: Block | undefined
  readonly tail: Block | undefined
  /** The block in which `nxt` lies, or the last one. */
  readonly current: Block | undefined
  /** What has arrived behind a gap. */
  readonly ahead: RangeSet.RangeSet
  /** Memory of all blocks, as charged. */
  readonly held: number
}
