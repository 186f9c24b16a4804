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
  /** What was charged for it; nothing for bytes that came back while the budget was used up. */
  readonly cost: number
  /** Somebody holds views of the memory for good, or another block lies in it: it is never used again. Never taken back, so a rollback need not. */
  isKept: boolean
  next: Block | undefined
}

/** Where blocks of {@link largestBlock} bytes come from; what they hold does not matter. */
export interface Memory {
  readonly block: (size: 65_536) => Uint8Array
}

const freshMemory: Memory = { block: (size) => new Uint8Array(size) }

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

/** An array of at most 64 bytes lies in the heap of the engine itself, which costs a tenth of one outside. */
const smallestBlock = 64
export const largestBlock = 65_536

export const empty = (nxt: Sequence.Sequence): ReceiveBuffer => ({
  read: nxt,
  nxt,
  head: undefined,
  tail: undefined,
  current: undefined,
  ahead: RangeSet.empty,
  held: 0
})

/** Bytes ready to be read. */
export const ready = (self: ReceiveBuffer): number => Sequence.distance(self.read, self.nxt)

/** Where the blocks end. */
const covered = (self: ReceiveBuffer): Sequence.Sequence =>
  self.tail === undefined ? self.nxt : Sequence.add(self.tail.from, self.tail.room)

/** Memory that the numbers up to `end` need beside what is held; what a budget is asked for before {@link insert}. */
export const needed = (self: ReceiveBuffer, end: Sequence.Sequence): number => {
  const from = covered(self)
  const missing = Sequence.distance(from, end)
  return missing <= 0 ? 0 : roomFor(self, missing)
}

/** Room of what is allocated to hold `missing` more bytes: small at first, doubling with the traffic, so that an idle connection costs nothing. */
const roomFor = (self: ReceiveBuffer, missing: number): number => {
  const grown = self.tail === undefined ? missing : Math.max(missing, self.tail.room * 2)
  const first = Math.min(Math.max(grown, smallestBlock), largestBlock)
  return missing <= first ? first : first + Math.ceil((missing - first) / largestBlock) * largestBlock
}

/** The buffer with blocks up to `end`; as much memory as {@link needed} told. */
const extend = (self: ReceiveBuffer, end: Sequence.Sequence, memory: Memory): ReceiveBuffer => {
  let from = covered(self)
  const missing = Sequence.distance(from, end)
  if (missing <= 0) return self
  let left = roomFor(self, missing)
  let { current, head, tail } = self
  const held = self.held + left
  while (left > 0) {
    const room = left > largestBlock ? left - Math.floor((left - 1) / largestBlock) * largestBlock : left
    const bytes = room === largestBlock ? memory.block(largestBlock) : new Uint8Array(room)
    const block: Block = { bytes, at: 0, from, room, cost: room, isKept: false, next: undefined }
    if (tail !== undefined) tail.next = block
    head ??= block
    current ??= block
    tail = block
    from = Sequence.add(from, room)
    left -= room
  }
  return { read: self.read, nxt: self.nxt, head, tail, current, ahead: self.ahead, held }
}

/** Copies the bytes to the places of the numbers from `seq` on, which the blocks from `block` on cover; answers the block reached. */
const copyTo = (
  block: Block,
  seq: Sequence.Sequence,
  bytes: Uint8Array,
  start: number,
  end: number
): Block => {
  let reached = block
  let at = seq
  let from = start
  while (from < end) {
    let offset = Sequence.distance(reached.from, at)
    while (offset >= reached.room) {
      reached = reached.next!
      offset = Sequence.distance(reached.from, at)
    }
    const count = Math.min(reached.room - offset, end - from)
    Piece.copyRange(bytes, from, from + count, reached.bytes, reached.at + offset)
    from += count
    at = Sequence.add(at, count)
  }
  return reached
}

/** Takes text that begins at `nxt`, with what waited right behind it. */
export const append = (
  self: ReceiveBuffer,
  bytes: Uint8Array,
  start: number,
  end: number,
  memory: Memory = freshMemory
): ReceiveBuffer => {
  const stop = Sequence.add(self.nxt, end - start)
  if (!RangeSet.isEmpty(self.ahead)) return close(insert(self, self.nxt, bytes, start, end, memory))
  const grown = extend(self, stop, memory)
  const current = copyTo(grown.current!, self.nxt, bytes, start, end)
  return {
    read: grown.read,
    nxt: stop,
    head: grown.head,
    tail: grown.tail,
    current,
    ahead: grown.ahead,
    held: grown.held
  }
}

/** Takes text from `seq` on, at or behind `nxt`; bytes that are there already keep their first content. */
export const insert = (
  self: ReceiveBuffer,
  seq: Sequence.Sequence,
  bytes: Uint8Array,
  start: number,
  end: number,
  memory: Memory = freshMemory
): ReceiveBuffer => {
  const stop = Sequence.add(seq, end - start)
  const grown = extend(self, stop, memory)
  let block = grown.current!
  let at = seq
  while (at !== stop) {
    const present = RangeSet.containing(self.ahead, at)
    if (present !== undefined) {
      at = Sequence.earlier(present.end, stop)
      continue
    }
    const gapEnd = RangeSet.nextStart(self.ahead, at, stop)
    const from = start + Sequence.distance(seq, at)
    block = copyTo(block, at, bytes, from, from + Sequence.distance(at, gapEnd))
    at = gapEnd
  }
  return { ...grown, ahead: RangeSet.add(grown.ahead, seq, stop) }
}

/** Moves `nxt` over what has become contiguous. */
const close = (self: ReceiveBuffer): ReceiveBuffer => {
  const first = RangeSet.first(self.ahead)
  if (first === undefined || first.start !== self.nxt) return self
  let current = self.current!
  const nxt = first.end
  while (current !== self.tail && Sequence.distance(current.from, nxt) >= current.room) current = current.next!
  return { ...self, nxt, current, ahead: RangeSet.trim(self.ahead, nxt) }
}

/** A block of which nothing is left to read: its memory is spent, unless somebody keeps it. */
const leave = (block: Block, spent: Array<Uint8Array> | undefined): void => {
  if (spent !== undefined && !block.isKept && block.room === largestBlock) spent.push(block.bytes)
}

/**
 * Puts views of up to `max` bytes that are ready into `pieces`. The reader keeps them, unless it gives `spent`: then it copies them, and the memory that is put
 * there may be used again once it has.
 */
export const read = (
  self: ReceiveBuffer,
  max: number,
  pieces: Array<Piece.Piece>,
  spent?: Array<Uint8Array>
): ReceiveBuffer => {
  let left = Math.min(max, ready(self))
  if (left <= 0) return self
  let head = self.head!
  let at = self.read
  let held = self.held
  while (left > 0) {
    const offset = Sequence.distance(head.from, at)
    if (offset >= head.room) {
      held -= head.cost
      leave(head, spent)
      head = head.next!
      continue
    }
    if (spent === undefined) head.isKept = true
    const count = Math.min(head.room - offset, left)
    pieces.push({ bytes: head.bytes, start: head.at + offset, end: head.at + offset + count })
    at = Sequence.add(at, count)
    left -= count
  }
  return afterRead(self, at, head, held, spent)
}

/** Lets blocks go that nothing more can be read from or written to. */
const afterRead = (
  self: ReceiveBuffer,
  read: Sequence.Sequence,
  reached: Block,
  reachedHeld: number,
  spent: Array<Uint8Array> | undefined
): ReceiveBuffer => {
  let head = reached
  let held = reachedHeld
  while (head !== self.tail && Sequence.distance(head.from, read) >= head.room) {
    held -= head.cost
    leave(head, spent)
    head = head.next!
  }
  if (head === self.tail && Sequence.distance(head.from, read) >= head.room) {
    leave(head, spent)
    return { ...empty(read), nxt: self.nxt }
  }
  const current = Sequence.before(self.current!.from, head.from) ? head : self.current
  return { read, nxt: self.nxt, head, tail: self.tail, current, ahead: self.ahead, held }
}

/** Drops what is ready without reading it, for a program that no longer wants it. */
export const discard = (self: ReceiveBuffer): ReceiveBuffer => read(self, ready(self), [])

/** Lets the free room of the last block go when nothing waits in it. */
export const trim = (self: ReceiveBuffer): ReceiveBuffer =>
  self.read === self.nxt && RangeSet.isEmpty(self.ahead) ? empty(self.nxt) : self

/** Puts pieces that were read back in front; they are numbered backwards from the first byte there is. `isPaid` tells whether their lengths were charged. */
export const unread = (self: ReceiveBuffer, pieces: ReadonlyArray<Piece.Piece>, isPaid: boolean): ReceiveBuffer => {
  let { current, head, held, read, tail } = cutHead(self)
  for (let i = pieces.length - 1; i >= 0; i--) {
    const piece = pieces[i]!
    const room = Piece.size(piece)
    read = Sequence.add(read, -room)
    const block: Block = {
      bytes: piece.bytes,
      at: piece.start,
      from: read,
      room,
      cost: isPaid ? room : 0,
      isKept: true,
      next: head
    }
    head = block
    tail ??= block
    current ??= block
    held += block.cost
  }
  return { read, nxt: self.nxt, head, tail, current, ahead: self.ahead, held }
}

/** Cuts the part that has been read off the first block, so that blocks in front of it leave no hole. */
const cutHead = (self: ReceiveBuffer): ReceiveBuffer => {
  const { head, read, tail } = self
  if (head === undefined || head.from === read) return self
  const offset = Sequence.distance(head.from, read)
  const rest: Block = {
    bytes: head.bytes,
    at: head.at + offset,
    from: read,
    room: head.room - offset,
    cost: head.cost,
    isKept: true,
    next: head === tail ? undefined : head.next
  }
  return {
    ...self,
    head: rest,
    tail: tail === head ? rest : tail,
    current: self.current === head ? rest : self.current
  }
}
