/**
 * The bytes that a program has written and the peer has not acknowledged, by sequence number (RFC 9293 §3.8.6 "send buffer").
 *
 *       start             cursor                  end
 *         │  head ──▶ block ──▶ block ──▶ tail     │
 *         ▼                                        ▼
 *         [ sent, not acknowledged │ not sent yet  ]  free room of the tail block
 *
 * Blocks are append-only: a copied write goes into the free room of the tail block, then into new blocks that grow with the
 * traffic; an owned write is a block of its own. A record sees the bytes between its `start` and `end` and nothing else, so an older
 * record is still right after a rollback, and what a `Transmit` points at never changes: the memory of a block is used again once its bytes are acknowledged,
 * have left the link's queue, and were sent no second time, of which the queue might still hold a segment.
 *
 * A program may end a record with a write (POSIX `MSG_EOR`). TCP keeps no boundaries (RFC 9293 §3.9.1.2), but no segment reaches across the end of a
 * record: so its last byte is never delayed or stamped together with bytes of the next one.
 */
import * as Piece from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Blocks from "../data/Blocks.ts"
import * as Fifo from "../data/Fifo.ts"

/** A stretch of the stream: `bytes[at]` is the byte with the number `from`. */
interface Block {
  readonly bytes: Uint8Array
  readonly at: number
  readonly from: Sequence.Sequence
  /** Bytes that the block can hold, from `at` on. */
  readonly room: number
  /** The memory is the stack's own, and no byte of it was sent twice. Never set again, so a rollback need not. */
  isReusable: boolean
  /** The block behind this one, unless this is the tail of the record that reads it. */
  next: Block | undefined
}

export interface SendQueue {
  /** The first byte held: the oldest not acknowledged. */
  readonly start: Sequence.Sequence
  /** Behind the last byte. */
  readonly end: Sequence.Sequence
  readonly head: Block | undefined
  readonly tail: Block | undefined
  /** The block that was read last; reading goes on from there. */
  readonly cursor: Block | undefined
  /** Memory of all blocks, as charged. */
  readonly held: number
  /** Where records end, oldest first; each has a byte at least, so there are fewer than bytes. */
  readonly records: Fifo.Fifo<Sequence.Sequence>
}

/** Where blocks come from, and where they go. */
export interface Memory {
  readonly block: (size: Blocks.Size) => Uint8Array
  readonly spend: (block: Uint8Array) => void
}

/** An array of at most 64 bytes lies in the heap of the engine itself, which costs a tenth of one outside. */
const smallestBlock = 64

/** Owned writes below this are copied: a block each would cost more than the copy. */
const ownedLimit = 4096

export const empty = (start: Sequence.Sequence): SendQueue => ({
  start,
  end: start,
  head: undefined,
  tail: undefined,
  cursor: undefined,
  held: 0,
  records: Fifo.empty()
})

/** Bytes held, sent or not. */
export const length = (self: SendQueue): number => Sequence.distance(self.start, self.end)

const append = (self: SendQueue, block: Block, added: number): SendQueue => {
  if (self.tail !== undefined) self.tail.next = block
  return {
    start: self.start,
    end: Sequence.add(self.end, added),
    head: self.head ?? block,
    tail: block,
    cursor: self.cursor ?? block,
    held: self.held + block.room,
    records: self.records
  }
}

/** A block for the first of `wanted` bytes: of a size that they fill, or larger where the queue holds twice as much. */
const blockFor = (self: SendQueue, wanted: number, memory: Memory): Block => {
  const { end: from, tail } = self
  if (tail === undefined && wanted <= smallestBlock) {
    return {
      bytes: new Uint8Array(smallestBlock),
      at: 0,
      from,
      room: smallestBlock,
      isReusable: false,
      next: undefined
    }
  }
  const room = Blocks.sizeFor(Math.max(wanted, self.held >>> 1))
  return { bytes: memory.block(room), at: 0, from, room, isReusable: true, next: undefined }
}

const copyIn = (
  self: SendQueue,
  bytes: Uint8Array,
  start: number,
  end: number,
  memory: Memory
): SendQueue => {
  let queue = self
  let at = start
  const tail = queue.tail
  if (tail !== undefined) {
    const used = Sequence.distance(tail.from, queue.end)
    const count = Math.min(tail.room - used, end - at)
    if (count > 0) {
      Piece.copyRange(bytes, at, at + count, tail.bytes, tail.at + used)
      at += count
      queue = { ...queue, end: Sequence.add(queue.end, count) }
    }
  }
  while (at < end) {
    const block = blockFor(queue, end - at, memory)
    const count = Math.min(block.room, end - at)
    Piece.copyRange(bytes, at, at + count, block.bytes, 0)
    at += count
    queue = append(queue, block, count)
  }
  return queue
}

/** Appends `bytes[start..end)`; without a copy when they are `owned` and worth it. */
export const write = (
  self: SendQueue,
  bytes: Uint8Array,
  start: number,
  end: number,
  owned: boolean,
  memory: Memory
): SendQueue => {
  if (!owned || end - start < ownedLimit) return copyIn(self, bytes, start, end, memory)
  // A tail block with free room ends here: numbers of the next block follow the last byte, not the room.
  const block = { bytes, at: start, from: self.end, room: end - start, isReusable: false, next: undefined }
  return append(self, block, end - start)
}

/** What has been written ends a record. */
export const endRecord = (self: SendQueue): SendQueue => {
  const last = Fifo.get(self.records, Fifo.size(self.records) - 1)
  return self.end === self.start || last === self.end
    ? self
    : { ...self, records: Fifo.push(self.records, self.end) }
}

/** The first of the records that end behind `from`, by its place; their number if there is none. */
const recordBehind = ({ records }: SendQueue, from: Sequence.Sequence): number => {
  let low = 0
  let high = Fifo.size(records)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Sequence.after(Fifo.get(records, middle)!, from)) high = middle
    else low = middle + 1
  }
  return low
}

/** Bytes from `from` on that one segment may hold, `count` at most: those of its record. */
export const inRecord = (self: SendQueue, from: Sequence.Sequence, count: number): number => {
  if (Fifo.isEmpty(self.records)) return count
  const end = Fifo.get(self.records, recordBehind(self, from))
  return end === undefined ? count : Math.min(count, Sequence.distance(from, end))
}

/** Whether a record ends with the byte before `end`. */
export const isRecordEnd = (self: SendQueue, end: Sequence.Sequence): boolean =>
  !Fifo.isEmpty(self.records) && Fifo.get(self.records, recordBehind(self, Sequence.add(end, -1))) === end

const recordsFrom = (self: SendQueue, una: Sequence.Sequence): Fifo.Fifo<Sequence.Sequence> =>
  Fifo.isEmpty(self.records) ? self.records : Fifo.drop(self.records, recordBehind(self, una))

/** The memory of a block is used again if all its bytes, up to `end`, have left before `left`. */
const leave = (block: Block, end: Sequence.Sequence, left: Sequence.Sequence, memory: Memory | undefined): void => {
  if (memory !== undefined && block.isReusable && !Sequence.after(end, left)) memory.spend(block.bytes)
}

/** Where a block's bytes end. */
const endOf = (self: SendQueue, block: Block): Sequence.Sequence => block === self.tail ? self.end : block.next!.from

/**
 * Forgets everything before `una`; blocks wholly acknowledged are let go. All that is before `left` has left the link's queue, if it was sent once: a peer may
 * acknowledge what it has not got.
 */
export const acknowledge = (
  self: SendQueue,
  una: Sequence.Sequence,
  left: Sequence.Sequence = self.start,
  memory?: Memory
): SendQueue => {
  if (!Sequence.after(una, self.start)) return self
  let head = self.head!
  let held = self.held
  let cursor = self.cursor
  while (!Sequence.after(endOf(self, head), una)) {
    leave(head, endOf(self, head), left, memory)
    if (head === self.tail) return empty(self.end)
    if (cursor === head) cursor = head.next
    held -= head.room
    head = head.next!
  }
  return { start: una, end: self.end, head, tail: self.tail, cursor, held, records: recordsFrom(self, una) }
}

/** The block that holds the byte `from`, which lies in the queue. */
const find = (self: SendQueue, from: Sequence.Sequence): Block => {
  const cursor = self.cursor!
  let block = Sequence.beforeOrEqual(cursor.from, from) ? cursor : self.head!
  while (block !== self.tail && !Sequence.after(block.next!.from, from)) block = block.next!
  return block
}

/**
 * Puts the views of `count` bytes from `from` on into `pieces`; all of them lie in the queue. `isFirst` says that these bytes were never read before. Answers the
 * queue with its cursor moved there.
 */
export const read = (
  self: SendQueue,
  from: Sequence.Sequence,
  count: number,
  pieces: Array<Piece.Piece>,
  isFirst: boolean
): SendQueue => {
  if (count === 0) return self
  let block = find(self, from)
  let at = from
  let left = count
  for (;;) {
    const last = block === self.tail
    if (!isFirst) block.isReusable = false
    const used = Sequence.distance(block.from, endOf(self, block))
    const skipped = Sequence.distance(block.from, at)
    const taken = Math.min(used - skipped, left)
    pieces.push({ bytes: block.bytes, start: block.at + skipped, end: block.at + skipped + taken })
    left -= taken
    if (left === 0 || last) return block === self.cursor ? self : { ...self, cursor: block }
    at = Sequence.add(at, taken)
    block = block.next!
  }
}
