/**
 * What the receive buffer is made of: stretches of the stream, in memory of the stack or in the place at which they were received.
 *
 *     room for text that comes:   [ copied │ copied │     ]      of a size that doubles with the traffic
 *     one segment's whole text:   [ copied or in its slab ]      long, in order, and for a reader who copies it
 */
import type { Slab } from "../../wire/Frame.ts"
import * as Piece from "../../wire/Piece.ts"
import type * as Sequence from "../../wire/Sequence.ts"

/** `bytes[at]` is the byte with the number `from`. */
export interface Block {
  readonly bytes: Uint8Array
  readonly at: number
  readonly from: Sequence.Sequence
  readonly room: number
  /** What was charged for it; nothing for bytes that came back while the budget was used up. */
  readonly cost: number
  /** It holds one segment's text and has no room for more. */
  readonly isWhole: boolean
  /** The memory is the stack's own, which may be used again. */
  readonly isOwn: boolean
  /** What the bytes lie in, if they are in the place at which they were received. */
  readonly slab: Slab | undefined
  /** Somebody holds views of the memory for good, or another block lies in it: it is never used again. Never taken back, so a rollback need not. */
  isKept: boolean
  next: Block | undefined
}

/** Where blocks of {@link largest} bytes come from, whose content does not matter, and who hears of slabs that are kept, and of what is spent unread. */
export interface Memory {
  readonly block: (size: 65_536) => Uint8Array
  readonly keep: (slab: Slab) => void
  readonly spend: (memory: Slab) => void
}

export const freshMemory: Memory = { block: (size) => new Uint8Array(size), keep: () => {}, spend: () => {} }

/** An array of at most 64 bytes lies in the heap of the engine itself, which costs a tenth of one outside. */
export const smallest = 64
export const largest = 65_536

/**
 * Text of this length in one segment is a block of its own, and stays where it was received while its link can spare the memory: a copy less (row `offload-receive`).
 * It is charged as a largest block, so that no peer holds more than twice what it has sent; the slab around it is bounded by its pool.
 */
export const wholeFrom = largest / 2

/** Room for text. */
export const empty = (from: Sequence.Sequence, room: number, memory: Memory): Block => {
  const isOwn = room === largest
  return {
    bytes: isOwn ? memory.block(largest) : new Uint8Array(room),
    at: 0,
    from,
    room,
    cost: room,
    isWhole: false,
    isOwn,
    slab: undefined,
    isKept: false,
    next: undefined
  }
}

/** The text `bytes[start..end)` of a segment: as it lies there if `slab` may be kept, or a copy. */
export const whole = (
  from: Sequence.Sequence,
  bytes: Uint8Array,
  start: number,
  end: number,
  memory: Memory,
  slab: Slab | undefined
): Block => {
  const given = { from, room: end - start, cost: largest, isWhole: true, isKept: false, next: undefined }
  if (slab?.mayKeep?.() === true) {
    memory.keep(slab)
    return { bytes, at: start, ...given, isOwn: false, slab }
  }
  const copy = memory.block(largest)
  Piece.copyRange(bytes, start, end, copy, 0)
  return { bytes: copy, at: 0, ...given, isOwn: true, slab: undefined }
}

/** Nothing is left to read: the memory is spent, unless somebody keeps it. */
export const leave = (self: Block, spent: Array<Uint8Array | Slab>): void => {
  if (self.slab !== undefined) spent.push(self.slab)
  else if (self.isOwn && !self.isKept) spent.push(self.bytes)
}

/** The next bytes for a reader: views, but of a slab only for who copies them. */
export const piece = (self: Block, offset: number, count: number, copies: boolean): Piece.Piece => {
  const start = self.at + offset
  const view = { bytes: self.bytes, start, end: start + count }
  if (copies) return view
  if (self.slab !== undefined) return Piece.make(Piece.copy(view))
  self.isKept = true
  return view
}
