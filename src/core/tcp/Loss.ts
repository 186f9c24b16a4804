/**
 * Which of the sent data counts as lost, and what is to be sent again (RFC 6675 §4 IsLost and NextSeg, RFC 8985 §6.2 step 5 and §6.3, RFC 6298 §5.4).
 *
 * Who decides when to look is the connection: an ACK with new SACKs, a timer. These take a scoreboard and answer it with more runs
 * marked; a run that is marked has no copy in the network any more until it is sent again.
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Runs from "./Runs.ts"
import * as Scoreboard from "./Scoreboard.ts"

/** What was newly found lost. */
export interface Losses {
  readonly board: Scoreboard.Scoreboard
  /** The runs as they were before. */
  readonly runs: ReadonlyArray<Runs.Run>
  readonly bytes: number
}

const noRuns: ReadonlyArray<Runs.Run> = Object.freeze([])

const none = (board: Scoreboard.Scoreboard): Losses => ({ board, runs: noRuns, bytes: 0 })

/** Marks the runs of the tree within `[from, to)` that are in the network and accepted. */
const mark = (
  self: Scoreboard.Scoreboard,
  from: Sequence.Sequence,
  to: Sequence.Sequence,
  wants: Runs.Wants,
  accepts: (run: Runs.Run) => boolean
): Losses => {
  if (self.tree === undefined) return none(self)
  const lost: Array<Runs.Run> = []
  let bytes = 0
  const tree = Runs.rewrite(self.tree, from, to, wants, (run) => {
    if (run.sacked || run.copies === 0 || !accepts(run)) return run
    const start = Sequence.later(run.start, from)
    const end = Sequence.earlier(run.end, to)
    const within = Runs.piece(run, start, end)
    lost.push(within)
    bytes += Runs.length(within)
    return Runs.replaced(run, start, end, { ...within, copies: 0 })
  })
  return lost.length === 0 ? none(self) : { board: { ...self, tree }, runs: lost, bytes }
}

/** How much was selectively acknowledged from some place to the end, gathered from the right. */
interface Above {
  bytes: number
  islands: number
  /** The leftmost run so far is selectively acknowledged. */
  isSacked: boolean
}

const adds = (above: Above, bytes: number, islands: number, startsSacked: boolean, endsSacked: boolean): void => {
  above.bytes += bytes
  above.islands += islands - (endsSacked && above.isSacked ? 1 : 0)
  above.isSacked = startsSacked
}

/**
 * Where IsLost ends (RFC 6675 §4): what is not acknowledged before it is lost, since `threshold` separate stretches or more than
 * `bytes` bytes were acknowledged behind. Undefined when nothing is.
 */
const lostBefore = (node: Runs.Node, threshold: number, bytes: number, above: Above): Sequence.Sequence | undefined => {
  const isEnough = (islands: number, sacked: number): boolean => islands >= threshold || sacked > bytes
  const islandsWith = above.islands + node.islands - (node.endsSacked && above.isSacked ? 1 : 0)
  if (!isEnough(islandsWith, above.bytes + node.sacked)) {
    adds(above, node.sacked, node.islands, node.startsSacked, node.endsSacked)
    return undefined
  }
  for (let i = node.children.length - 1; i >= 0; i--) {
    const found = lostBefore(node.children[i]!, threshold, bytes, above)
    if (found !== undefined) return found
  }
  for (let i = node.runs.length - 1; i >= 0; i--) {
    const run = node.runs[i]!
    adds(above, run.sacked ? Runs.length(run) : 0, run.sacked ? 1 : 0, run.sacked, run.sacked)
    if (run.sacked && isEnough(above.islands, above.bytes)) return run.start
  }
  return undefined
}

const hasOriginals = (node: Runs.Node): boolean => node.originals > 0
const isOriginal = (run: Runs.Run): boolean => run.transmissions === 1
const inNetwork = (node: Runs.Node): boolean => node.flight > 0
const all = (): boolean => true

/**
 * IsLost (rfc: 6675 §4): marks what `threshold` separate acknowledged stretches, or more than `threshold - 1` segments of acknowledged bytes, lie
 * behind of. It says nothing of retransmissions; RACK does.
 */
export const byCount = (self: Scoreboard.Scoreboard, threshold: number, mss: number): Losses => {
  if (self.tree === undefined || self.tree.sacked === 0 || self.tree.originals === 0) return none(self)
  const before = lostBefore(self.tree, threshold, (threshold - 1) * mss, { bytes: 0, islands: 0, isSacked: false })
  return before === undefined ? none(self) : mark(self, self.tree.start, before, hasOriginals, isOriginal)
}

/** RACK.segment: what was delivered that had been sent last (RFC 8985 §5.3). */
export interface Delivered {
  readonly xmitTs: Time.Instant
  readonly endSeq: Sequence.Sequence
}

const isSentBefore = (run: Runs.Run, than: Delivered): boolean =>
  run.stamp.sentAt < than.xmitTs || (run.stamp.sentAt === than.xmitTs && Sequence.before(run.end, than.endSeq))

/** Whether a node may hold runs in the network that were sent before. Whole flights leave at one instant, so ties are cut short too. */
const mayBeSentBefore = (node: Runs.Node, than: Delivered): boolean =>
  node.earliest < than.xmitTs || (node.earliest === than.xmitTs && Sequence.before(node.start, than.endSeq))

/** How long to wait for what was sent: then it is due. */
export interface Patience {
  readonly now: Time.Instant
  /** RACK.rtt and the reordering window. */
  readonly span: Time.Span
}

/** Computed as the time to look again is, so that what is looked for then is found, whatever rounding does. */
const isDue = (sentAt: Time.Instant, patience: Patience): boolean => Time.plus(sentAt, patience.span) <= patience.now

/**
 * rfc: 8985 §6.2 step 5: marks what was sent before {@link Delivered} and is due. Answers when the last of what was sent before
 * it, but is not due yet, was sent; undefined when there is none.
 */
export const byTime = (
  self: Scoreboard.Scoreboard,
  delivered: Delivered,
  patience: Patience
): { readonly losses: Losses; readonly waiting: Time.Instant | undefined } => {
  const board = disturbWhile(self, (run) => isSentBefore(run, delivered))
  const tree = board.tree
  if (tree === undefined || !mayBeSentBefore(tree, delivered)) return { losses: none(board), waiting: undefined }
  const losses = mark(
    board,
    tree.start,
    tree.end,
    (node) => isDue(node.earliest, patience) && mayBeSentBefore(node, delivered),
    (run) => isDue(run.stamp.sentAt, patience) && isSentBefore(run, delivered)
  )
  return { losses, waiting: latestBefore(losses.board.tree!, delivered) }
}

/** Moves the first runs of the queue into the tree, as long as they are accepted. */
const disturbWhile = (self: Scoreboard.Scoreboard, accepts: (run: Runs.Run) => boolean): Scoreboard.Scoreboard => {
  let end: Sequence.Sequence | undefined = undefined
  for (let i = self.head; i < self.tail && accepts(self.queue[i]!); i++) end = self.queue[i]!.end
  return end === undefined ? self : Scoreboard.disturb(self, end)
}

/** When the last of the runs in the network that were sent before `delivered` was sent. */
const latestBefore = (node: Runs.Node, delivered: Delivered): Time.Instant | undefined => {
  if (!mayBeSentBefore(node, delivered)) return undefined
  if (node.latest < delivered.xmitTs) return node.latest
  let latest: Time.Instant | undefined = undefined
  for (const child of node.children) {
    const found = latestBefore(child, delivered)
    if (found === delivered.xmitTs) return found
    if (found !== undefined && (latest === undefined || found > latest)) latest = found
  }
  for (const run of node.runs) {
    if (run.sacked || run.copies === 0 || !isSentBefore(run, delivered)) continue
    if (latest === undefined || run.stamp.sentAt > latest) latest = run.stamp.sentAt
  }
  return latest
}

const both = (a: Losses, b: Losses): Losses =>
  a.bytes === 0
    ? b
    : b.bytes === 0
    ? { ...a, board: b.board }
    : { board: b.board, runs: [...a.runs, ...b.runs], bytes: a.bytes + b.bytes }

/** rfc: 8985 §6.3: at a retransmission timeout the first segment, and everything that is due. */
export const onTimeout = (self: Scoreboard.Scoreboard, patience: Patience): Losses => {
  const first = Scoreboard.firstSegment(self)
  if (first === undefined) return none(self)
  const head = until(self, first.end)
  const isOld = (run: Runs.Run): boolean => isDue(run.stamp.sentAt, patience)
  const old = disturbWhile(head.board, isOld)
  return both(head, mark(old, old.una, old.border, (node) => isDue(node.earliest, patience), isOld))
}

/** rfc: 6298 §5.4, RFC 5681 §3.1: at a timeout without RACK everything counts as lost. */
export const everything = (self: Scoreboard.Scoreboard): Losses => until(self, self.nxt)

/** Marks `[una, end)`: all that a recovery knows that has no SACK (RFC 5681 §3.2, RFC 6582). */
export const until = (self: Scoreboard.Scoreboard, end: Sequence.Sequence): Losses => {
  const board = Scoreboard.disturb(self, end)
  return mark(board, board.una, end, inNetwork, all)
}

const hasLost = (node: Runs.Node): boolean => node.lost > 0
const isLost = (run: Runs.Run): boolean => !run.sacked && run.copies === 0

/** What counts as lost was not: it is in the network after all. */
export const undo = (self: Scoreboard.Scoreboard): Scoreboard.Scoreboard => {
  if (self.tree === undefined || self.tree.lost === 0) return self
  const tree = Runs.rewrite(
    self.tree,
    self.tree.start,
    self.tree.end,
    hasLost,
    (run) => isLost(run) ? { ...run, copies: 1 } : run
  )
  return { ...self, tree }
}

/** The receiver holds what lies at `una` and yet does not acknowledge it: it has thrown away what it reported (RFC 2018 §8). */
export const isReneged = (self: Scoreboard.Scoreboard): boolean => self.tree !== undefined && self.tree.startsSacked

const hasSacked = (node: Runs.Node): boolean => node.sacked > 0

/** rfc: 2018 §8 SHOULD, 6675 §5.1: forgets the SACKs; what they covered counts as lost. */
export const forgetSacks = (self: Scoreboard.Scoreboard): Scoreboard.Scoreboard => {
  if (self.tree === undefined || self.tree.sacked === 0) return self
  const tree = Runs.rewrite(
    self.tree,
    self.tree.start,
    self.tree.end,
    hasSacked,
    (run) => run.sacked ? { ...run, sacked: false, copies: 0 } : run
  )
  return { ...self, tree, fack: self.una }
}

const firstLost = (self: Scoreboard.Scoreboard): Runs.Run | undefined =>
  self.tree === undefined || self.tree.lost === 0 ? undefined : Runs.find(self.tree, hasLost, isLost)

/**
 * FlightSize as a response to congestion needs it (RFC 5681 §3.1, equation 4): what was outstanding when that which is lost, or else the oldest, was sent. What is
 * outstanding when the loss is noticed may be the tail of a window alone, and a window of two segments no measure of the path. Nor is it more than the window: what each
 * duplicate let out before the loss was certain does not count (rfc: 5681 §3.2 MUST: limited transmit), be it that it had a SACK or, without, is one of `duplicates` bytes.
 */
export const flightSize = (self: Scoreboard.Scoreboard, duplicates: number): number => {
  const run = firstLost(self) ?? Scoreboard.first(self)
  const outstanding = Scoreboard.flightSize(self) - Scoreboard.sackedBytes(self) - duplicates
  return Math.max(outstanding, run === undefined ? 0 : run.stamp.inFlight)
}

/** The first stretch that counts as lost, up to `most` bytes of it (RFC 6675 §4, NextSeg rule 1). */
export const nextLost = (self: Scoreboard.Scoreboard, most: number): Scoreboard.Range | undefined => {
  const { tree } = self
  const first = firstLost(self)
  if (tree === undefined || first === undefined) return undefined
  let end = first.end
  while (Sequence.distance(first.start, end) < most && Sequence.before(end, self.border)) {
    const following = Runs.at(tree, end)!
    if (!isLost(following)) break
    end = following.end
  }
  return { start: first.start, end: Sequence.earlier(end, Sequence.add(first.start, most)) }
}

/**
 * The first stretch that was sent once, is in the network as far as is known, and lies before something that was selectively acknowledged: what may be
 * sent again when there is nothing better to send (RFC 6675 §4, NextSeg rule 3).
 */
export const nextSuspect = (self: Scoreboard.Scoreboard, most: number): Scoreboard.Range | undefined => {
  if (self.tree === undefined || self.tree.sacked === 0) return undefined
  const run = Runs.find(self.tree, hasOriginals, (run) => isOriginal(run) && !run.sacked && run.copies > 0)
  return run === undefined || !Sequence.before(run.start, self.fack)
    ? undefined
    : { start: run.start, end: Sequence.earlier(run.end, Sequence.add(run.start, most)) }
}

/** FlightSize for a controller that is to cut its window. */
export const flightToCut = (self: Connection): number =>
  Control.cutFrom(self.control, self.config, flightSize(self.board, Connections.duplicateBytes(self)))
