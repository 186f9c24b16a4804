/**
 * The sender's one account of what it has sent and what it knows about it (RFC 6675 §3 and §4, RFC 8985 §5.2, RFC 2018, RFC 2883).
 *
 *      una                    border                                nxt
 *       │  tree: something has  │  queue: sent once, in order, and    │
 *       │  happened to these    │  nothing is known of it yet         │
 *     ──┴───────────────────────┴─────────────────────────────────────┴──▶
 *
 * While nothing is lost or reordered there is only the queue: sending appends, ACKs move its head, both O(1). A SACK, a loss or a
 * retransmission moves what lies before it into the tree (`Runs.ts`), once for each run, where everything is O(log n).
 *
 * A run is what one call sent: up to 64 KiB that the link cuts into segments. It is split when a part of it has another fate, always between
 * segments, so that a peer cannot make more runs than there are segments.
 *
 * The record is immutable. Its versions share the queue's array, which is only ever appended to, and each sees of it what its own counters
 * say; a version that is not the newest copies what it sees before it appends.
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { SackBlock } from "../../wire/TcpOptions.ts"
import * as Time from "../Time.ts"
import type { Stamp } from "./DeliveryRate.ts"
import * as Runs from "./Runs.ts"

export interface Scoreboard {
  /** HighACK: everything before it is acknowledged. */
  readonly una: Sequence.Sequence
  /** HighData: everything before it was sent. */
  readonly nxt: Sequence.Sequence
  /** RACK.fack: one past the highest byte that was acknowledged in either way. */
  readonly fack: Sequence.Sequence
  readonly border: Sequence.Sequence
  readonly tree: Runs.Node | undefined
  /** `queue[head..tail)`; the first of them is visible from `border` on. */
  readonly queue: Array<Runs.Run>
  readonly head: number
  readonly tail: number
}

export interface Range {
  readonly start: Sequence.Sequence
  readonly end: Sequence.Sequence
}

/** What an ACK told. */
export interface Update {
  readonly board: Scoreboard
  /** Bytes by which SND.UNA moved. */
  readonly acked: number
  /** DeliveredData (RFC 6937 §2): bytes that this ACK is the first to acknowledge, in either way. */
  readonly delivered: number
  /** Of these, bytes that it selectively acknowledged. More than none makes it a duplicate ACK by RFC 6675 §2. */
  readonly sacked: number
  /** Of the newly acknowledged runs the one sent last; retransmissions that this ACK is not believed to answer left out (RFC 8985 §6.2 step 2). */
  readonly newest: Runs.Run | undefined
  /** When the oldest of them was sent: what a round-trip sample is taken from; undefined where Karn's rule allows none (RFC 6298 §3). */
  readonly sampled: Time.Instant | undefined
  /** It newly acknowledged data that was sent only once (RFC 5682 §2.1 step 3b asks for it). */
  readonly hasOriginal: boolean
  /** Data that was sent only once arrived behind data sent after it (RFC 8985 §6.2 step 3). */
  readonly isReordered: boolean
  /** A D-SACK block: data that arrived twice (RFC 2883 §4). */
  readonly duplicate: Range | undefined
  /** Blocks that name nothing that was sent and is not yet acknowledged. */
  readonly invalidBlocks: number
}

/** Nothing was sent; shared, and so never appended to. */
const empty: Array<Runs.Run> = []

export const make = (iss: Sequence.Sequence): Scoreboard => ({
  una: iss,
  nxt: iss,
  fack: iss,
  border: iss,
  tree: undefined,
  queue: empty,
  head: 0,
  tail: 0
})

/** FlightSize (RFC 5681 §2): sent and not cumulatively acknowledged. */
export const flightSize = (self: Scoreboard): number => Sequence.distance(self.una, self.nxt)

/** Pipe (RFC 6675 §4): bytes that are thought to be in the network. */
export const pipe = (self: Scoreboard): number =>
  Sequence.distance(self.border, self.nxt) + (self.tree === undefined ? 0 : self.tree.flight)

/** Bytes that count as lost and were not sent again since. */
export const lostBytes = (self: Scoreboard): number => self.tree === undefined ? 0 : self.tree.lost

/** Bytes in the network that were sent more than once. Walks over all that something has happened to: for display. */
export const sentAgain = (self: Scoreboard): number => {
  if (self.tree === undefined) return 0
  const all: Array<Runs.Run> = []
  Runs.collect(self.tree, all)
  return all.reduce((sum, run) => run.transmissions > 1 && run.copies > 0 ? sum + Runs.length(run) : sum, 0)
}

export const sackedBytes = (self: Scoreboard): number => self.tree === undefined ? 0 : self.tree.sacked

/** RACK.segs_sacked. */
export const sackedSegments = (self: Scoreboard): number => self.tree === undefined ? 0 : self.tree.sackedSegments

/** The run that begins at `una`, as far as it is outstanding; undefined when everything is acknowledged. */
export const first = (self: Scoreboard): Runs.Run | undefined => {
  if (self.tree !== undefined) return Runs.first(self.tree)
  const run = self.queue[self.head]
  return self.head === self.tail || run === undefined ? undefined : Runs.piece(run, self.border, run.end)
}

/** The run that ends at `nxt`. */
const last = (self: Scoreboard): Runs.Run | undefined =>
  self.head < self.tail
    ? self.queue[self.tail - 1]
    : self.tree === undefined
    ? undefined
    : Runs.last(self.tree)

/** The segment at `una`. */
export const firstSegment = (self: Scoreboard): Range | undefined => {
  const run = first(self)
  return run === undefined ? undefined : { start: run.start, end: borderFrom(run, Sequence.add(run.start, 1)) }
}

/** The segment that ends at `nxt`: what a tail loss probe or a rescue sends again (RFC 8985 §7.3, RFC 6675 §4 NextSeg rule 4). */
export const lastSegment = (self: Scoreboard): Range | undefined => {
  const run = last(self)
  if (run === undefined) return undefined
  const start = borderUntil(run, Sequence.add(run.end, -1))
  return { start: Sequence.later(start, self.una), end: run.end }
}

/** Every outstanding run in order, for inspection. */
export const runs = (self: Scoreboard): Array<Runs.Run> => {
  const all: Array<Runs.Run> = []
  if (self.tree !== undefined) Runs.collect(self.tree, all)
  for (let i = self.head; i < self.tail; i++) {
    const run = self.queue[i]!
    all.push(i === self.head ? Runs.piece(run, self.border, run.end) : run)
  }
  return all
}

/** Room that dead entries may take in the queue before what lives is copied. */
const slack = 32

/** Notes that `[nxt, end)` leaves in segments of `segment` bytes. */
export const sent = (self: Scoreboard, end: Sequence.Sequence, segment: number, stamp: Stamp): Scoreboard => {
  const start = self.nxt
  const run = Runs.whole({ start, end, anchor: start, segment, stamp, transmissions: 1, copies: 1, sacked: false })
  const { head, tail } = self
  if (self.queue !== empty && tail === self.queue.length && head <= slack + (tail - head)) {
    self.queue.push(run)
    return { ...self, nxt: end, tail: tail + 1 }
  }
  const queue = self.queue.slice(head, tail)
  queue.push(run)
  return { ...self, nxt: end, queue, head: 0, tail: tail - head + 1 }
}

const hasUnsacked = (node: Runs.Node): boolean => node.sacked < Sequence.distance(node.start, node.end)

/** Notes that what is not selectively acknowledged of `[start, end)` leaves again. */
export const retransmitted = (
  self: Scoreboard,
  start: Sequence.Sequence,
  end: Sequence.Sequence,
  segment: number,
  stamp: Stamp
): Scoreboard => {
  const disturbed = disturb(self, end)
  if (disturbed.tree === undefined) return self
  const tree = Runs.rewrite(disturbed.tree, start, end, hasUnsacked, (run) => {
    if (run.sacked) return run
    const from = Sequence.later(run.start, start)
    const to = Sequence.earlier(run.end, end)
    const transmissions = run.transmissions + 1
    const copies = run.copies + 1
    const again = { start: from, end: to, anchor: start, segment, stamp, transmissions, copies, sacked: false }
    return Runs.replaced(run, from, to, Runs.whole(again))
  })
  return { ...disturbed, tree }
}

/** What an ACK's processing gathers; it lives no longer than that. */
interface Gathering {
  /** Retransmissions sent later than this are not believed to be what the ACK answers. */
  readonly credible: Time.Instant
  /** The same for those that it acknowledges cumulatively. */
  readonly answered: Time.Instant
  delivered: number
  sacked: number
  fack: Sequence.Sequence
  newest: Runs.Run | undefined
  /** Send times of the oldest runs that were sent once, among the cumulatively and the selectively acknowledged. */
  ackedOldest: Time.Instant
  sackedOldest: Time.Instant
  ackedRetransmission: boolean
  isReordered: boolean
}

const gathering = (fack: Sequence.Sequence, credible: Time.Instant, answered: Time.Instant): Gathering => ({
  credible,
  answered,
  delivered: 0,
  sacked: 0,
  fack,
  newest: undefined,
  ackedOldest: Time.never,
  sackedOldest: Time.never,
  ackedRetransmission: false,
  isReordered: false
})

/** RACK_sent_after (RFC 8985 §6.2 step 2). */
const isSentAfter = (a: Runs.Run, b: Runs.Run): boolean =>
  a.stamp.sentAt > b.stamp.sentAt || (a.stamp.sentAt === b.stamp.sentAt && Sequence.after(a.end, b.end))

/** Takes note of a run that is acknowledged for the first time. Runs come in the order of their numbers. */
const gather = (into: Gathering, run: Runs.Run, isSack: boolean): void => {
  const bytes = Runs.length(run)
  into.delivered += bytes
  if (isSack) into.sacked += bytes
  const sentAt = run.stamp.sentAt
  if (run.transmissions > 1) {
    if (!isSack) into.ackedRetransmission = true
    // A receiver echoes the timestamp of what it took in order, not of what it selectively acknowledges.
    if (sentAt > into.credible || (!isSack && sentAt > into.answered)) return noteHighest(into, run)
  } else {
    if (isSack) into.sackedOldest = Time.earliest(into.sackedOldest, sentAt)
    else into.ackedOldest = Time.earliest(into.ackedOldest, sentAt)
    // rfc: 8985 §6.2 step 3
    if (Sequence.before(run.end, into.fack)) into.isReordered = true
  }
  if (into.newest === undefined || isSentAfter(run, into.newest)) into.newest = run
  noteHighest(into, run)
}

const noteHighest = (into: Gathering, run: Runs.Run): void => {
  into.fack = Sequence.later(into.fack, run.end)
}

/** Moves the head of the queue to `una`. */
const acknowledgeQueue = (self: Scoreboard, una: Sequence.Sequence, into: Gathering): Scoreboard => {
  let head = self.head
  let border = self.border
  while (head < self.tail && Sequence.before(border, una)) {
    const run = self.queue[head]!
    const end = Sequence.earlier(run.end, una)
    gather(into, Runs.piece(run, border, end), false)
    border = end
    if (end === run.end) head += 1
  }
  // An idle connection does not keep what it once sent.
  return head === self.tail && head > slack
    ? { ...self, una, border, fack: into.fack, queue: empty, head: 0, tail: 0 }
    : { ...self, una, border, fack: into.fack, head }
}

const always = (): boolean => true
const gone: ReadonlyArray<Runs.Run> = Object.freeze([])

/** Takes what lies before `una` out of the tree. */
const acknowledgeTree = (self: Scoreboard, una: Sequence.Sequence, into: Gathering): Scoreboard => {
  const tree = self.tree
  if (tree === undefined) return self
  const rest = Runs.rewrite(tree, tree.start, una, always, (run) => {
    const end = Sequence.earlier(run.end, una)
    if (!run.sacked) gather(into, Runs.piece(run, run.start, end), false)
    return end === run.end ? gone : Runs.piece(run, end, run.end)
  })
  return { ...self, tree: rest }
}

/** Moves the queue's runs that begin before `to` into the tree; for what is about to change them. */
export const disturb = (self: Scoreboard, to: Sequence.Sequence): Scoreboard => {
  let head = self.head
  let border = self.border
  const moved: Array<Runs.Run> = []
  while (head < self.tail && Sequence.before(border, to)) {
    const run = self.queue[head]!
    moved.push(Runs.piece(run, border, run.end))
    border = run.end
    head += 1
  }
  return moved.length === 0 ? self : { ...self, border, head, tree: Runs.append(self.tree, moved) }
}

/** The first border between segments of a run that is not before `at`. */
const borderFrom = (run: Runs.Run, at: Sequence.Sequence): Sequence.Sequence => {
  const whole = Math.ceil(Sequence.distance(run.anchor, at) / run.segment) * run.segment
  return Sequence.earlier(Sequence.add(run.anchor, whole), run.end)
}

/** The last border between segments of a run that is not behind `at`. */
const borderUntil = (run: Runs.Run, at: Sequence.Sequence): Sequence.Sequence => {
  const whole = Math.floor(Sequence.distance(run.anchor, at) / run.segment) * run.segment
  return Sequence.later(Sequence.add(run.anchor, whole), run.start)
}

/** Marks the whole segments within a block (RFC 6675 §4, Update). Parts of segments are left: their receiver will name them whole, or not at all. */
const sackBlock = (self: Scoreboard, block: Range, into: Gathering): Scoreboard => {
  const disturbed = disturb(self, block.end)
  const tree = Runs.rewrite(disturbed.tree!, block.start, block.end, hasUnsacked, (run) => {
    const start = Sequence.after(block.start, run.start) ? borderFrom(run, block.start) : run.start
    const end = Sequence.before(block.end, run.end) ? borderUntil(run, block.end) : run.end
    if (run.sacked || !Sequence.before(start, end)) return run
    const within = Runs.piece(run, start, end)
    gather(into, within, true)
    return Runs.replaced(run, start, end, { ...within, copies: 0, sacked: true })
  })
  return { ...disturbed, tree }
}

const isWithin = (inner: Range, outer: Range): boolean =>
  !Sequence.before(inner.start, outer.start) && !Sequence.after(inner.end, outer.end)

/** RFC 2883 §4: the first block tells of a duplicate if it lies before the ACK, or within the second block. */
const duplicateOf = (una: Sequence.Sequence, blocks: ReadonlyArray<SackBlock>): Range | undefined => {
  const first = blocks[0]
  if (first === undefined || !Sequence.before(first.left, first.right)) return undefined
  const range = { start: first.left, end: first.right }
  if (!Sequence.after(range.end, una)) return range
  const second = blocks[1]
  return second !== undefined && isWithin(range, { start: second.left, end: second.right }) ? range : undefined
}

/** The blocks that can be believed, in the order of their numbers; without what is acknowledged already. */
const credibleBlocks = (self: Scoreboard, blocks: ReadonlyArray<SackBlock>): Array<Range> => {
  const ranges: Array<Range> = []
  for (const { left, right } of blocks) {
    const isSent = Sequence.before(left, right) && !Sequence.after(right, self.nxt)
    // Old blocks may be far away, so that they only seem to lie ahead: both ends must.
    if (!isSent || !Sequence.after(right, self.una)) continue
    let at = ranges.length
    while (at > 0 && Sequence.before(left, ranges[at - 1]!.start)) at -= 1
    ranges.splice(at, 0, { start: Sequence.later(left, self.una), end: right })
  }
  return ranges
}

/** Karn's rule (rfc: 6298 §3 MUST): an ACK that covers a retransmission measures nothing. */
const sampledFrom = (gathered: Gathering): Time.Instant | undefined => {
  if (gathered.ackedRetransmission) return undefined
  if (gathered.ackedOldest !== Time.never) return gathered.ackedOldest
  return gathered.sackedOldest !== Time.never ? gathered.sackedOldest : undefined
}

const noBlocks: ReadonlyArray<SackBlock> = Object.freeze([])

/**
 * Update (RFC 6675 §4): an acceptable ACK with its SACK blocks, a D-SACK first.
 *
 * `credible` is the latest time at which a retransmission may have been sent to be what this ACK answers: the least round trip ago; `answered` is what the
 * echoed timestamp says of it (RFC 8985 §6.2 step 2). Retransmissions sent later than that are acknowledged like all others, but tell nothing of time.
 */
export const update = (
  self: Scoreboard,
  una: Sequence.Sequence,
  blocks: ReadonlyArray<SackBlock> = noBlocks,
  credible: Time.Instant = Time.never,
  answered: Time.Instant = Time.never
): Update => {
  const into = gathering(Sequence.later(self.fack, self.una), credible, answered)
  const moves = Sequence.after(una, self.una) && !Sequence.after(una, self.nxt)
  let board = moves ? acknowledgeQueue(acknowledgeTree(self, una, into), una, into) : self
  let duplicate: Range | undefined = undefined
  let invalidBlocks = 0
  if (blocks.length > 0) {
    duplicate = duplicateOf(board.una, blocks)
    const ranges = credibleBlocks(board, duplicate === undefined ? blocks : blocks.slice(1))
    invalidBlocks = blocks.length - ranges.length - (duplicate === undefined ? 0 : 1)
    for (const range of ranges) board = sackBlock(board, range, into)
  }
  return {
    board: board === self || board.fack === into.fack ? board : { ...board, fack: into.fack },
    acked: Sequence.distance(self.una, board.una),
    delivered: into.delivered,
    sacked: into.sacked,
    newest: into.newest,
    sampled: sampledFrom(into),
    hasOriginal: into.ackedOldest !== Time.never || into.sackedOldest !== Time.never,
    isReordered: into.isReordered,
    duplicate,
    invalidBlocks
  }
}
