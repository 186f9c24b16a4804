/**
 * A persistent sequence of runs: stretches of sent data that share one fate. The scoreboard keeps here what something has happened to.
 *
 * It is a tree with up to 32 entries a node whose nodes sum up what is below them, so that "the first lost byte", "how much is in flight" or "is anything
 * here old enough to be lost" are answered without a walk, and a change copies one path. All leaves are equally deep, and the
 * runs cover one stretch of sequence space without a gap.
 *
 *                     ┌──────────── flight, lost, sacked, earliest … ────────────┐
 *               ┌─────┴─────┐              ┌─────┴─────┐               ┌─────────┴──┐
 *     una ──▶ [run)[run)[run)  …         [run)[run)[run)             [run)[run)[run)  ──▶ end
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Time from "../Time.ts"
import type { Stamp } from "./DeliveryRate.ts"

export interface Run {
  readonly start: Sequence.Sequence
  readonly end: Sequence.Sequence
  /** Segments begin at `anchor` plus multiples of `segment` bytes; there are `segments` of them, in part or whole. */
  readonly anchor: Sequence.Sequence
  readonly segment: number
  readonly segments: number
  /** The last transmission. */
  readonly stamp: Stamp
  /** How often it was sent. */
  readonly transmissions: number
  /** How many copies are thought to be in the network: none when it counts as lost, two when it was sent again without being lost. */
  readonly copies: number
  readonly sacked: boolean
}

export interface Node {
  /** 0 for a leaf, which has runs; others have children. */
  readonly level: number
  readonly runs: ReadonlyArray<Run>
  readonly children: ReadonlyArray<Node>
  readonly start: Sequence.Sequence
  readonly end: Sequence.Sequence
  /** Bytes in the network: unsacked ones, times their copies. */
  readonly flight: number
  /** Bytes that count as lost and wait to be sent again. */
  readonly lost: number
  /** Unsacked bytes in the network that were sent only once. */
  readonly originals: number
  /** Bytes, segments and separate stretches that were selectively acknowledged. */
  readonly sacked: number
  readonly sackedSegments: number
  readonly islands: number
  readonly startsSacked: boolean
  readonly endsSacked: boolean
  /** When the unsacked runs in the network were sent; infinite when there are none. */
  readonly earliest: Time.Instant
  readonly latest: Time.Instant
}

const fanout = 32
/** Nodes that were split are left with room to grow. */
const filled = 24
/** Neighbours that together have no more are joined. */
const sparse = 16

const noRuns: ReadonlyArray<Run> = Object.freeze([])
const noNodes: ReadonlyArray<Node> = Object.freeze([])
const longAgo: Time.Instant = Time.instantOf(-Infinity)

export const length = (run: Run): number => Sequence.distance(run.start, run.end)

/** A node that is being made: its sums are gathered from left to right. */
type Draft = { -readonly [K in keyof Node]: Node[K] }

const draft = (
  level: number,
  runs: ReadonlyArray<Run>,
  children: ReadonlyArray<Node>,
  first: Run | Node,
  last: Run | Node
): Draft => ({
  level,
  runs,
  children,
  start: first.start,
  end: last.end,
  flight: 0,
  lost: 0,
  originals: 0,
  sacked: 0,
  sackedSegments: 0,
  islands: 0,
  startsSacked: false,
  endsSacked: false,
  earliest: Time.never,
  latest: longAgo
})

const addRun = (sums: Draft, run: Run): void => {
  const bytes = length(run)
  if (run.sacked) {
    sums.sacked += bytes
    sums.sackedSegments += run.segments
    if (!sums.endsSacked) sums.islands += 1
  } else if (run.copies === 0) {
    sums.lost += bytes
  } else {
    sums.flight += bytes * run.copies
    if (run.transmissions === 1) sums.originals += bytes
    sums.earliest = Time.earliest(sums.earliest, run.stamp.sentAt)
    sums.latest = Time.latest(sums.latest, run.stamp.sentAt)
  }
  sums.endsSacked = run.sacked
}

const addNode = (sums: Draft, node: Node): void => {
  sums.flight += node.flight
  sums.lost += node.lost
  sums.originals += node.originals
  sums.sacked += node.sacked
  sums.sackedSegments += node.sackedSegments
  sums.islands += node.islands - (sums.endsSacked && node.startsSacked ? 1 : 0)
  sums.earliest = Time.earliest(sums.earliest, node.earliest)
  sums.latest = Time.latest(sums.latest, node.latest)
  sums.endsSacked = node.endsSacked
}

const leaf = (runs: ReadonlyArray<Run>): Node => {
  const node = draft(0, runs, noNodes, runs[0]!, runs[runs.length - 1]!)
  node.startsSacked = runs[0]!.sacked
  for (const run of runs) addRun(node, run)
  return node
}

const branch = (children: ReadonlyArray<Node>): Node => {
  const first = children[0]!
  const node = draft(first.level + 1, noRuns, children, first, children[children.length - 1]!)
  node.startsSacked = first.startsSacked
  for (const child of children) addNode(node, child)
  return node
}

/** Cuts a list into nodes of at most {@link fanout} entries. */
const pack = <A>(entries: ReadonlyArray<A>, make: (entries: ReadonlyArray<A>) => Node): ReadonlyArray<Node> => {
  if (entries.length === 0) return noNodes
  if (entries.length <= fanout) return [make(entries)]
  const parts = Math.ceil(entries.length / filled)
  const nodes: Array<Node> = []
  for (let i = 0; i < parts; i++) {
    const from = Math.floor(i * entries.length / parts)
    nodes.push(make(entries.slice(from, Math.floor((i + 1) * entries.length / parts))))
  }
  return nodes
}

/** Whether two neighbours have one fate for good: both sacked, or parts of one retransmission. */
const isAlike = (a: Run, b: Run): boolean =>
  a.sacked
    ? b.sacked
    : !b.sacked && a.stamp === b.stamp && a.anchor === b.anchor && a.copies === b.copies &&
      a.transmissions === b.transmissions && a.segment === b.segment

const join = (a: Run, b: Run): Run => {
  const segments = a.sacked ? a.segments + b.segments : segmentsOf(a, a.start, b.end)
  const stamp = b.stamp.sentAt > a.stamp.sentAt ? b.stamp : a.stamp
  return { ...a, end: b.end, segments, stamp, transmissions: Math.max(a.transmissions, b.transmissions) }
}

/** How many segments of a run `[start, end)` touches. */
const segmentsOf = (run: Omit<Run, "segments">, start: Sequence.Sequence, end: Sequence.Sequence): number => {
  const first = Math.floor(Sequence.distance(run.anchor, start) / run.segment)
  return Math.ceil(Sequence.distance(run.anchor, end) / run.segment) - first
}

/** A run with its segments counted. */
export const whole = (run: Omit<Run, "segments">): Run => ({
  start: run.start,
  end: run.end,
  anchor: run.anchor,
  segment: run.segment,
  segments: segmentsOf(run, run.start, run.end),
  stamp: run.stamp,
  transmissions: run.transmissions,
  copies: run.copies,
  sacked: run.sacked
})

/** A part of a run. Joined sacked runs no longer know their segments' borders, so theirs are estimated. */
export const piece = (run: Run, start: Sequence.Sequence, end: Sequence.Sequence): Run => {
  if (start === run.start && end === run.end) return run
  const segments = run.sacked
    ? Math.max(1, Math.min(run.segments, Math.ceil(Sequence.distance(start, end) / run.segment)))
    : segmentsOf(run, start, end)
  return { ...run, start, end, segments }
}

/** Puts a run at the end of a list, joined with its neighbour if they are alike. */
const push = (out: Array<Run>, run: Run): void => {
  const before = out.length === 0 ? undefined : out[out.length - 1]!
  if (before !== undefined && isAlike(before, run)) out[out.length - 1] = join(before, run)
  else out.push(run)
}

const runCount = (node: Node): number => node.level === 0 ? node.runs.length : node.children.length

const concat = (a: Node, b: Node): Node => {
  if (a.level > 0) return branch([...a.children, ...b.children])
  const runs = a.runs.slice()
  for (const run of b.runs) push(runs, run)
  return leaf(runs)
}

/** Puts a node at the end of a list, joined with its neighbour if both are sparse. */
const pushNode = (out: Array<Node>, node: Node): void => {
  const before = out.length === 0 ? undefined : out[out.length - 1]!
  if (before !== undefined && runCount(before) + runCount(node) <= sparse) out[out.length - 1] = concat(before, node)
  else out.push(node)
}

/** A tree of nodes of one level; undefined for none. */
const root = (nodes: ReadonlyArray<Node>): Node | undefined => {
  let level = nodes
  while (level.length > 1) level = pack(level, branch)
  let top = level[0]
  while (top !== undefined && top.level > 0 && top.children.length === 1) top = top.children[0]
  return top
}

/** What becomes of a run: itself, another in its place, or several in order; an empty list takes it away. */
export type Change = (run: Run) => Run | ReadonlyArray<Run>

/** A run of which `[start, end)` has become `by`. */
export const replaced = (
  run: Run,
  start: Sequence.Sequence,
  end: Sequence.Sequence,
  by: Run
): Run | ReadonlyArray<Run> => {
  if (start === run.start && end === run.end) return by
  const pieces: Array<Run> = []
  if (start !== run.start) pieces.push(piece(run, run.start, start))
  pieces.push(by)
  if (end !== run.end) pieces.push(piece(run, end, run.end))
  return pieces
}

/** Whether a node may hold a run that the change touches; a node that does not is left as it is. */
export type Wants = (node: Node) => boolean

const rewriteLeaf = (
  node: Node,
  from: Sequence.Sequence,
  to: Sequence.Sequence,
  change: Change
): Node | ReadonlyArray<Node> => {
  const { runs } = node
  // A copy is made at the first difference.
  let out: Array<Run> | undefined = undefined
  for (let i = 0; i < runs.length; i++) {
    const run = runs[i]!
    const isTouched = Sequence.after(run.end, from) && Sequence.before(run.start, to)
    const next = isTouched ? change(run) : run
    if (next === run && out === undefined) continue
    out ??= runs.slice(0, i)
    if ("start" in next) push(out, next)
    else for (const piece of next) push(out, piece)
  }
  return out === undefined ? node : pack(out, leaf)
}

const rewriteNode = (
  node: Node,
  from: Sequence.Sequence,
  to: Sequence.Sequence,
  wants: Wants,
  change: Change
): Node | ReadonlyArray<Node> => {
  if (node.level === 0) return rewriteLeaf(node, from, to, change)
  const { children } = node
  let out: Array<Node> | undefined = undefined
  for (let i = 0; i < children.length; i++) {
    const child = children[i]!
    const isTouched = Sequence.after(child.end, from) && Sequence.before(child.start, to) && wants(child)
    const next = isTouched ? rewriteNode(child, from, to, wants, change) : child
    if (next === child && out === undefined) continue
    out ??= children.slice(0, i)
    if ("level" in next) pushNode(out, next)
    else for (const part of next) pushNode(out, part)
  }
  return out === undefined ? node : pack(out, branch)
}

/** The tree with `change` applied, in order, to each run that overlaps `[from, to)`; the same tree if that changed nothing. */
export const rewrite = (
  self: Node,
  from: Sequence.Sequence,
  to: Sequence.Sequence,
  wants: Wants,
  change: Change
): Node | undefined => {
  if (!Sequence.before(from, to) || !wants(self)) return self
  const next = rewriteNode(self, from, to, wants, change)
  return "level" in next ? next : root(next)
}

const appendTo = (node: Node, runs: ReadonlyArray<Run>): ReadonlyArray<Node> => {
  if (node.level === 0) {
    const out = node.runs.slice()
    for (const run of runs) push(out, run)
    return pack(out, leaf)
  }
  return pack([...node.children.slice(0, -1), ...appendTo(node.children[node.children.length - 1]!, runs)], branch)
}

/** The tree with runs put behind its end. */
export const append = (self: Node | undefined, runs: ReadonlyArray<Run>): Node | undefined =>
  root(self === undefined ? pack(runs, leaf) : appendTo(self, runs))

/** The first run, from the left, of those that the test accepts, looking only into nodes that may have one. */
export const find = (self: Node, wants: Wants, accepts: (run: Run) => boolean): Run | undefined => {
  if (!wants(self)) return undefined
  if (self.level === 0) return self.runs.find(accepts)
  for (const child of self.children) {
    const found = find(child, wants, accepts)
    if (found !== undefined) return found
  }
  return undefined
}

/** The run that holds `at`. */
export const at = (self: Node, at: Sequence.Sequence): Run | undefined =>
  find(
    self,
    (node) => Sequence.after(node.end, at) && !Sequence.after(node.start, at),
    (run) => Sequence.after(run.end, at)
  )

export const last = (self: Node): Run => {
  let node = self
  while (node.level > 0) node = node.children[node.children.length - 1]!
  return node.runs[node.runs.length - 1]!
}

export const first = (self: Node): Run => {
  let node = self
  while (node.level > 0) node = node.children[0]!
  return node.runs[0]!
}

/** Puts every run into `out`, in order. */
export const collect = (self: Node, out: Array<Run>): void => {
  if (self.level === 0) out.push(...self.runs)
  else for (const child of self.children) collect(child, out)
}
