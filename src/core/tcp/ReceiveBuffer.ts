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
import type { Slab } from "../../wire/Frame.ts"
import * as Piece from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as RangeSet from "../data/RangeSet.ts"
import * as ReceiveBlock from "./ReceiveBlock.ts"

const { largest } = ReceiveBlock

export interface ReceiveBuffer {
  /** The first byte that nobody has read. */
  readonly read: Sequence.Sequence
  /** Behind the last byte in order: RCV.NXT, unless a FIN was counted. */
  readonly nxt: Sequence.Sequence
  readonly head: ReceiveBlock.Block | undefined
  readonly tail: ReceiveBlock.Block | undefined
  /** The block in which `nxt` lies, or the last one. */
  readonly current: ReceiveBlock.Block | undefined
  /** What has arrived behind a gap. */
  readonly ahead: RangeSet.RangeSet
  /** Memory of all blocks, as charged. */
  readonly held: number
  /** The last reader has copied what it got, so that text need not be copied for it. */
  readonly isCopied: boolean
}

export const empty = (nxt: Sequence.Sequence): ReceiveBuffer => ({
  read: nxt,
  nxt,
  head: undefined,
  tail: undefined,
  current: undefined,
  ahead: RangeSet.empty,
  held: 0,
  isCopied: false
})

/** Bytes ready to be read. */
export const ready = (self: ReceiveBuffer): number => Sequence.distance(self.read, self.nxt)

/** Bytes of the stream that a block has room for: up to the next block, which may begin before its memory ends. */
const roomOf = (self: ReceiveBuffer, block: ReceiveBlock.Block): number =>
  block === self.tail ? block.room : Sequence.distance(block.from, block.next!.from)

/** Where the blocks end. */
const covered = (self: ReceiveBuffer): Sequence.Sequence =>
  self.tail === undefined ? self.nxt : Sequence.add(self.tail.from, self.tail.room)

/** Memory that the numbers from `start` up to `end` need beside what is held; what a budget is asked for before {@link append} or {@link insert}. */
export const needed = (
  self: ReceiveBuffer,
  start: Sequence.Sequence,
  end: Sequence.Sequence,
  isLent: boolean
): number => {
  if (isLent && isWhole(self, start, Sequence.distance(start, end))) return largest
  const missing = Sequence.distance(covered(self), end)
  return missing <= 0 ? 0 : roomFor(self, missing)
}

/** Whether text becomes a block of its own. What room is left before it stays so. */
const isWhole = (self: ReceiveBuffer, start: Sequence.Sequence, length: number): boolean =>
  self.isCopied && length >= ReceiveBlock.wholeFrom && length <= largest && start === self.nxt &&
  RangeSet.isEmpty(self.ahead)

/** Room of what is allocated to hold `missing` more bytes: small at first, doubling with the traffic, so that an idle connection costs nothing. */
const roomFor = (self: ReceiveBuffer, missing: number): number => {
  const grown = self.tail === undefined || self.tail.isWhole ? missing : Math.max(missing, self.tail.room * 2)
  const first = Math.min(Math.max(grown, ReceiveBlock.smallest), largest)
  return missing <= first ? first : first + Math.ceil((missing - first) / largest) * largest
}

/** The buffer with blocks up to `end`; as much memory as {@link needed} told. */
const extend = (self: ReceiveBuffer, end: Sequence.Sequence, memory: ReceiveBlock.Memory): ReceiveBuffer => {
  let from = covered(self)
  const missing = Sequence.distance(from, end)
  if (missing <= 0) return self
  let left = roomFor(self, missing)
  let { current, head, tail } = self
  const held = self.held + left
  while (left > 0) {
    const room = left > largest ? left - Math.floor((left - 1) / largest) * largest : left
    const block = ReceiveBlock.empty(from, room, memory)
    if (tail !== undefined) tail.next = block
    head ??= block
    current ??= block
    tail = block
    from = Sequence.add(from, room)
    left -= room
  }
  return { ...self, head, tail, current, held }
}

/** Copies the bytes to the places of the numbers from `seq` on, which the blocks from `block` on cover; answers the block reached. */
const copyTo = (
  self: ReceiveBuffer,
  block: ReceiveBlock.Block,
  seq: Sequence.Sequence,
  bytes: Uint8Array,
  start: number,
  end: number
): ReceiveBlock.Block => {
  let reached = block
  let at = seq
  let from = start
  while (from < end) {
    let offset = Sequence.distance(reached.from, at)
    while (offset >= roomOf(self, reached)) {
      reached = reached.next!
      offset = Sequence.distance(reached.from, at)
    }
    const count = Math.min(roomOf(self, reached) - offset, end - from)
    Piece.copyRange(bytes, from, from + count, reached.bytes, reached.at + offset)
    from += count
    at = Sequence.add(at, count)
  }
  return reached
}

/** Puts a block of text in order behind the last. */
const attach = (self: ReceiveBuffer, block: ReceiveBlock.Block): ReceiveBuffer => {
  if (self.tail !== undefined) self.tail.next = block
  return {
    read: self.read,
    nxt: Sequence.add(self.nxt, block.room),
    head: self.head ?? block,
    tail: block,
    current: block,
    ahead: self.ahead,
    held: self.held + block.cost,
    isCopied: self.isCopied
  }
}

/** Takes text that begins at `nxt`, with what waited right behind it. */
export const append = (
  self: ReceiveBuffer,
  bytes: Uint8Array,
  start: number,
  end: number,
  memory: ReceiveBlock.Memory = ReceiveBlock.freshMemory,
  isLent = false,
  slab?: Slab
): ReceiveBuffer => {
  const stop = Sequence.add(self.nxt, end - start)
  if (isLent && isWhole(self, self.nxt, end - start)) {
    return attach(self, ReceiveBlock.whole(self.nxt, bytes, start, end, memory, slab))
  }
  if (!RangeSet.isEmpty(self.ahead)) return close(insert(self, self.nxt, bytes, start, end, memory))
  const grown = extend(self, stop, memory)
  const current = copyTo(grown, grown.current!, self.nxt, bytes, start, end)
  return {
    read: grown.read,
    nxt: stop,
    head: grown.head,
    tail: grown.tail,
    current,
    ahead: grown.ahead,
    held: grown.held,
    isCopied: grown.isCopied
  }
}

/** Takes text from `seq` on, at or behind `nxt`; bytes that are there already keep their first content. */
export const insert = (
  self: ReceiveBuffer,
  seq: Sequence.Sequence,
  bytes: Uint8Array,
  start: number,
  end: number,
  memory: ReceiveBlock.Memory = ReceiveBlock.freshMemory
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
    block = copyTo(grown, block, at, bytes, from, from + Sequence.distance(at, gapEnd))
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
  while (current !== self.tail && Sequence.distance(current.from, nxt) >= roomOf(self, current)) current = current.next!
  return { ...self, nxt, current, ahead: RangeSet.trim(self.ahead, nxt) }
}

/**
 * Puts up to `max` bytes that are ready into `pieces`. The reader keeps them, unless it `copies`: then they are views, and the memory that is put into `spent` may be
 * used again once it has copied them.
 */
export const read = (
  self: ReceiveBuffer,
  max: number,
  pieces: Array<Piece.Piece>,
  spent: Array<Uint8Array | Slab>,
  copies: boolean
): ReceiveBuffer => {
  let left = Math.min(max, ready(self))
  if (left <= 0) return self
  let head = self.head!
  let at = self.read
  let held = self.held
  while (left > 0) {
    const offset = Sequence.distance(head.from, at)
    const room = roomOf(self, head)
    if (offset >= room) {
      held -= head.cost
      ReceiveBlock.leave(head, spent)
      head = head.next!
      continue
    }
    const count = Math.min(room - offset, left)
    pieces.push(ReceiveBlock.piece(head, offset, count, copies))
    at = Sequence.add(at, count)
    left -= count
  }
  return { ...afterRead(self, at, head, held, spent), isCopied: copies }
}

/** Lets blocks go that nothing more can be read from or written to. */
const afterRead = (
  self: ReceiveBuffer,
  read: Sequence.Sequence,
  reached: ReceiveBlock.Block,
  reachedHeld: number,
  spent: Array<Uint8Array | Slab>
): ReceiveBuffer => {
  let head = reached
  let held = reachedHeld
  while (head !== self.tail && Sequence.distance(head.from, read) >= roomOf(self, head)) {
    held -= head.cost
    ReceiveBlock.leave(head, spent)
    head = head.next!
  }
  if (head === self.tail && Sequence.distance(head.from, read) >= roomOf(self, head)) {
    ReceiveBlock.leave(head, spent)
    return { ...empty(read), nxt: self.nxt }
  }
  const current = Sequence.before(self.current!.from, head.from) ? head : self.current
  return { ...self, read, head, current, held }
}

/** What was received in slabs that are kept is let go with all that is unread. */
export const letGo = (self: ReceiveBuffer, memory: Pick<ReceiveBlock.Memory, "spend">): void => {
  for (let block = self.head; block !== undefined; block = block === self.tail ? undefined : block.next) {
    if (block.slab !== undefined) memory.spend(block.slab)
  }
}

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
    const block: ReceiveBlock.Block = {
      bytes: piece.bytes,
      at: piece.start,
      from: read,
      room,
      cost: isPaid ? room : 0,
      isWhole: true,
      isOwn: false,
      slab: undefined,
      isKept: true,
      next: head
    }
    head = block
    tail ??= block
    current ??= block
    held += block.cost
  }
  return { ...self, read, head, tail, current, held }
}

/** Cuts the part that has been read off the first block, so that blocks in front of it leave no hole. */
const cutHead = (self: ReceiveBuffer): ReceiveBuffer => {
  const { head, read, tail } = self
  if (head === undefined || head.from === read) return self
  const offset = Sequence.distance(head.from, read)
  const rest: ReceiveBlock.Block = {
    bytes: head.bytes,
    at: head.at + offset,
    from: read,
    room: roomOf(self, head) - offset,
    cost: head.cost,
    isWhole: head.isWhole,
    isOwn: head.isOwn,
    slab: head.slab,
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
