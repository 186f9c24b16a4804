import { assert, describe, it } from "@effect/vitest"
import type { Stamp } from "../../../../src/core/tcp/DeliveryRate.ts"
import * as Loss from "../../../../src/core/tcp/Loss.ts"
import * as Scoreboard from "../../../../src/core/tcp/Scoreboard.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as Sequence from "../../../../src/wire/Sequence.ts"
import * as Seeded from "../../Seeded.ts"
import { Twin } from "./ScoreboardTwin.ts"

const mss = 10

const stamp = (at: number): Stamp => ({
  sentAt: Time.instantOf(at),
  delivered: 0,
  deliveredAt: Time.instantOf(0),
  firstSentAt: Time.instantOf(0),
  inFlight: 0,
  lost: 0,
  isAppLimited: false
})

/** `count` segments sent one by one at times 1, 2, …, from sequence number 0. */
const flight = (count: number, size = mss): Scoreboard.Scoreboard => {
  let self = Scoreboard.make(0)
  for (let i = 1; i <= count; i++) self = Scoreboard.sent(self, i * size, size, stamp(i))
  return self
}

const blocks = (...pairs: ReadonlyArray<readonly [number, number]>) => pairs.map(([left, right]) => ({ left, right }))

/** The board after an ACK. */
const after = (
  self: Scoreboard.Scoreboard,
  una: number,
  ...pairs: ReadonlyArray<readonly [number, number]>
): Scoreboard.Scoreboard => Scoreboard.update(self, una, blocks(...pairs)).board

const retransmit = (self: Scoreboard.Scoreboard, start: number, end: number, at: number): Scoreboard.Scoreboard =>
  Scoreboard.retransmitted(self, start, end, mss, stamp(at))

describe("Scoreboard", () => {
  it("counts what is in flight and lets go what is acknowledged", () => {
    const sent = flight(5)
    assert.deepStrictEqual([Scoreboard.flightSize(sent), Scoreboard.pipe(sent)], [50, 50])
    const told = Scoreboard.update(sent, 25)
    assert.deepStrictEqual([told.acked, told.delivered, told.sacked], [25, 25, 0])
    assert.deepStrictEqual([Scoreboard.flightSize(told.board), Scoreboard.pipe(told.board)], [25, 25])
    assert.deepStrictEqual(Scoreboard.firstSegment(told.board), { start: 25, end: 30 })
    const rest = Scoreboard.update(told.board, 50)
    assert.strictEqual(Scoreboard.pipe(rest.board), 0)
    assert.isUndefined(Scoreboard.first(rest.board))
    assert.isUndefined(Scoreboard.lastSegment(rest.board))
  })

  it("takes selectively acknowledged bytes out of the pipe and keeps them until they are acknowledged (rfc: 6675 §4, 2018 §8 MUST)", () => {
    const told = Scoreboard.update(flight(10), 0, blocks([30, 50], [70, 80]))
    assert.deepStrictEqual([told.acked, told.delivered, told.sacked], [0, 30, 30])
    assert.deepStrictEqual(
      [Scoreboard.pipe(told.board), Scoreboard.sackedBytes(told.board), Scoreboard.sackedSegments(told.board)],
      [70, 30, 3]
    )
    assert.strictEqual(told.board.fack, 80)
    const again = Scoreboard.update(told.board, 0, blocks([30, 50], [70, 80]))
    assert.deepStrictEqual([again.delivered, again.sacked], [0, 0])
    const acked = Scoreboard.update(told.board, 50)
    assert.deepStrictEqual([acked.acked, acked.delivered], [50, 30])
  })

  it("marks whole segments only, within a super-segment too", () => {
    const sent = Scoreboard.sent(Scoreboard.make(0), 64, mss, stamp(1))
    const told = Scoreboard.update(sent, 0, blocks([13, 48]))
    assert.strictEqual(told.sacked, 20)
    assert.deepStrictEqual(
      Scoreboard.runs(told.board).map((run) => [run.start, run.end, run.sacked, run.segments]),
      [[0, 20, false, 2], [20, 40, true, 2], [40, 64, false, 3]]
    )
    // The last segment is short, and whole all the same.
    assert.strictEqual(Scoreboard.update(sent, 0, blocks([55, 64])).sacked, 4)
  })

  it("refuses blocks that name nothing outstanding (RFC 2018 §4)", () => {
    const told = Scoreboard.update(
      after(flight(5), 20),
      20,
      blocks([40, 50], [50, 60], [45, 51], [30, 30], [40, 30], [0, 10])
    )
    assert.deepStrictEqual([told.sacked, told.invalidBlocks, told.duplicate], [10, 5, undefined])
    assert.strictEqual(Scoreboard.update(after(flight(5), 20), 20, blocks([10, 40])).sacked, 20)
  })

  it("tells a duplicate from news (rfc: 2883 §4)", () => {
    const sent = after(flight(10), 20)
    assert.deepStrictEqual(Scoreboard.update(sent, 20, blocks([10, 20])).duplicate, { start: 10, end: 20 })
    assert.deepStrictEqual(Scoreboard.update(sent, 40, blocks([30, 40])).duplicate, { start: 30, end: 40 })
    const inSecond = Scoreboard.update(sent, 20, blocks([50, 60], [40, 80]))
    assert.deepStrictEqual([inSecond.duplicate, inSecond.sacked], [{ start: 50, end: 60 }, 40])
    assert.isUndefined(Scoreboard.update(sent, 20, blocks([40, 50], [60, 70])).duplicate)
  })

  it("takes round-trip samples by Karn's rule (rfc: 6298 §3 MUST)", () => {
    const sent = flight(6)
    assert.strictEqual(Scoreboard.update(sent, 30).sampled, 1)
    assert.strictEqual(Scoreboard.update(sent, 0, blocks([30, 50])).sampled, 4)
    const again = retransmit(Loss.until(sent, 10).board, 0, 10, 9)
    const both = Scoreboard.update(again, 20)
    assert.isUndefined(both.sampled)
    assert.isTrue(both.hasOriginal)
    assert.isUndefined(Scoreboard.update(again, 10).sampled)
    assert.isFalse(Scoreboard.update(again, 10).hasOriginal)
    assert.strictEqual(Scoreboard.update(again, 0, blocks([20, 30])).sampled, 3)
  })

  it("finds the newest transmission, without retransmissions that are too recent (rfc: 8985 §6.2 step 2)", () => {
    const again = retransmit(Loss.until(flight(6), 10).board, 0, 10, 9)
    const newest = (credible: number) => Scoreboard.update(again, 30, [], Time.instantOf(credible)).newest
    assert.deepStrictEqual([newest(9)?.stamp.sentAt, newest(9)?.end], [9, 10])
    assert.deepStrictEqual([newest(8)?.stamp.sentAt, newest(8)?.end], [3, 30])
    assert.isUndefined(Scoreboard.update(again, 10, [], Time.instantOf(8)).newest)
  })

  it("sees reordering: what was sent once arrives behind what came after it (rfc: 8985 §6.2 step 3)", () => {
    const gap = Scoreboard.update(flight(6), 0, blocks([20, 30]))
    assert.isFalse(gap.isReordered)
    assert.isFalse(Scoreboard.update(gap.board, 0, blocks([20, 50])).isReordered)
    assert.isTrue(Scoreboard.update(gap.board, 0, blocks([10, 30])).isReordered)
    assert.isTrue(Scoreboard.update(gap.board, 30).isReordered)
    const repaired = retransmit(Loss.until(gap.board, 20).board, 0, 20, 9)
    assert.isFalse(Scoreboard.update(repaired, 30).isReordered)
    // One ACK that fills no gap of an earlier one shows none.
    assert.isFalse(Scoreboard.update(flight(6), 10, blocks([40, 50], [20, 30])).isReordered)
  })

  it("counts a retransmission, and twice what was not lost (rfc: 6675 §4 SetPipe)", () => {
    const lost = Loss.byCount(after(flight(10), 0, [20, 50]), 3, mss)
    assert.deepStrictEqual([lost.bytes, Scoreboard.lostBytes(lost.board), Scoreboard.pipe(lost.board)], [20, 20, 50])
    const again = retransmit(lost.board, 0, 10, 20)
    assert.deepStrictEqual([Scoreboard.lostBytes(again), Scoreboard.pipe(again)], [10, 60])
    const probe = retransmit(flight(3), 20, 30, 9)
    assert.strictEqual(Scoreboard.pipe(probe), 40)
  })

  it("names the last segment, for probes (rfc: 8985 §7.3)", () => {
    const sent = Scoreboard.sent(flight(2), 53, mss, stamp(3))
    assert.deepStrictEqual(Scoreboard.lastSegment(sent), { start: 50, end: 53 })
    assert.deepStrictEqual(Scoreboard.lastSegment(after(sent, 51)), { start: 51, end: 53 })
    assert.deepStrictEqual(Scoreboard.lastSegment(after(sent, 0, [20, 40])), { start: 50, end: 53 })
  })

  it("keeps no more of the past than a bounded part of what is outstanding", () => {
    let self = flight(3000)
    self = after(self, Sequence.add(self.una, 29_990))
    for (let i = 0; i < 100; i++) {
      self = Scoreboard.sent(self, Sequence.add(self.nxt, mss), mss, stamp(i))
      self = after(self, Sequence.add(self.una, mss))
    }
    assert.isAtMost(self.queue.length, 70)
    const drained = after(flight(3000), 30_000)
    assert.isAtMost(drained.queue.length, 0)
  })
})

/** The scoreboard and its twin, taken through the same actions. */
interface Pair {
  readonly board: Scoreboard.Scoreboard
  readonly twin: Twin
  readonly now: number
}

const maxWindow = 500

/** One seed's run: what happens, and the comparison after it. */
class Run {
  readonly random: Seeded.Seeded
  readonly iss: number
  pair: Pair

  constructor(seed: number) {
    this.random = Seeded.make(seed)
    this.iss = this.random.pick([0, -200, 0x7fff_ff00, 123_456_789])
    this.pair = { board: Scoreboard.make(this.iss), twin: new Twin(), now: 1 }
  }

  private seq(offset: number): number {
    return Sequence.add(this.iss, offset)
  }

  private offset(seq: number): number {
    return Sequence.distance(this.iss, seq)
  }

  private set(board: Scoreboard.Scoreboard): void {
    this.pair = { ...this.pair, board }
  }

  private send(): void {
    const { board, now, twin } = this.pair
    const size = Math.min(this.random.pick([1, 4, mss, mss, 3 * mss, 80, 75]), maxWindow - (twin.nxt - twin.una))
    if (size <= 0) return
    twin.sent(size, mss, now)
    this.set(Scoreboard.sent(board, this.seq(twin.nxt), mss, stamp(now)))
  }

  /** A place in what is outstanding, mostly between segments. */
  private place(): number {
    const { twin } = this.pair
    const segments = twin.segments()
    if (segments.length === 0) return twin.una
    const segment = this.random.pick(segments)
    return this.random.chance(0.8)
      ? this.random.pick([segment.start, segment.end])
      : segment.start + this.random.below(9)
  }

  private ack(): void {
    const { board, now, twin } = this.pair
    const una = this.random.chance(0.5) ? Math.min(this.place(), twin.nxt) : twin.una
    const credible = this.random.chance(0.5) ? Infinity : now - this.random.below(30)
    const chosen: Array<{ readonly start: number; readonly end: number }> = []
    for (let i = this.random.below(4); i > 0; i--) {
      const [a, b] = [this.place(), this.place()]
      const block = { start: Math.min(a, b), end: Math.min(twin.nxt, Math.max(a, b)) }
      // D-SACK and invalid blocks have tables of their own.
      if (block.start < block.end && block.start >= una && !(i === 1 && block.end <= una)) chosen.push(block)
    }
    const isDuplicate = chosen.length > 1 && chosen[0]!.start >= chosen[1]!.start && chosen[0]!.end <= chosen[1]!.end
    const told = Scoreboard.update(
      board,
      this.seq(una),
      chosen.map(({ end, start }) => ({ left: this.seq(start), right: this.seq(end) })),
      Time.instantOf(credible)
    )
    const expected = twin.update(una, isDuplicate ? chosen.slice(1) : chosen, credible)
    const { newest, ...rest } = told
    assert.deepStrictEqual(
      {
        acked: rest.acked,
        delivered: rest.delivered,
        sacked: rest.sacked,
        newest: newest === undefined
          ? undefined
          : { sentAt: newest.stamp.sentAt as number, end: this.offset(newest.end) },
        sampled: rest.sampled as number | undefined,
        hasOriginal: rest.hasOriginal,
        isReordered: rest.isReordered
      },
      expected
    )
    assert.strictEqual(told.duplicate !== undefined, isDuplicate)
    assert.strictEqual(told.invalidBlocks, 0)
    this.set(told.board)
  }

  private resend(): void {
    const { board, now, twin } = this.pair
    const most = this.random.pick([mss, 2 * mss, 25, 100])
    const next = Loss.nextLost(board, most)
    assert.deepStrictEqual(
      next && { start: this.offset(next.start), end: this.offset(next.end) },
      twin.nextLost(most)
    )
    const range = next ?? (this.random.chance(0.3) ? Scoreboard.lastSegment(board) : undefined)
    if (range === undefined) return
    twin.retransmitted(this.offset(range.start), this.offset(range.end), mss, now)
    this.set(Scoreboard.retransmitted(board, range.start, range.end, mss, stamp(now)))
  }

  private countLosses(): void {
    const { board, twin } = this.pair
    const threshold = 1 + this.random.below(4)
    const lost = Loss.byCount(board, threshold, mss)
    const judged = twin.clone()
    const expected = twin.mark((byte, at) => byte.transmissions === 1 && judged.isLost(at, threshold, mss))
    assert.strictEqual(lost.bytes, expected)
    this.set(lost.board)
  }

  private timeLosses(): void {
    const { board, now, twin } = this.pair
    const delivered = { xmitTs: Time.instantOf(now - this.random.below(20)), endSeq: this.seq(this.place()) }
    const span = this.random.below(40)
    const deadline = now - span
    const end = this.offset(delivered.endSeq)
    /** Whole runs are compared; their ends break ties (RFC 8985 §6.2 step 2). */
    const runEnds = new Map<number, number>()
    for (const run of Scoreboard.runs(board)) {
      for (let i = this.offset(run.start); i < this.offset(run.end); i++) runEnds.set(i, this.offset(run.end))
    }
    const isBefore = (sentAt: number, at: number): boolean =>
      sentAt < delivered.xmitTs || (sentAt === delivered.xmitTs && runEnds.get(at)! < end)
    const { losses, waiting } = Loss.byTime(board, delivered, { now: Time.instantOf(now), span: Time.micros(span) })
    assert.strictEqual(losses.bytes, twin.mark((byte, at) => byte.sentAt <= deadline && isBefore(byte.sentAt, at)))
    let latest: number | undefined = undefined
    for (let i = twin.una; i < twin.nxt; i++) {
      const byte = twin.bytes[i]!
      if (!byte.sacked && byte.copies > 0 && isBefore(byte.sentAt, i)) latest = Math.max(latest ?? 0, byte.sentAt)
    }
    assert.strictEqual(waiting as number | undefined, latest)
    this.set(losses.board)
  }

  private timeout(): void {
    const { board, now, twin } = this.pair
    if (this.random.chance(0.3)) {
      this.set(Loss.everything(board).board)
      twin.mark(() => true)
      return
    }
    if (Loss.isReneged(board)) return
    const span = this.random.below(60)
    const deadline = now - span
    const first = twin.segments()[0]?.end ?? 0
    const lost = Loss.onTimeout(board, { now: Time.instantOf(now), span: Time.micros(span) })
    assert.strictEqual(lost.bytes, twin.mark((byte, at) => byte.sentAt <= deadline || at < first))
    this.set(lost.board)
  }

  private rarely(): void {
    const { board, twin } = this.pair
    if (this.random.chance(0.5)) {
      twin.undo()
      return this.set(Loss.undo(board))
    }
    const forgotten = Loss.forgetSacks(board)
    // Joined runs have forgotten when they were sent and where their segments began: the twin takes that over.
    for (const run of Scoreboard.runs(forgotten)) {
      for (let i = this.offset(run.start); i < this.offset(run.end); i++) {
        if (!twin.bytes[i]!.sacked) continue
        twin.bytes[i] = {
          sentAt: run.stamp.sentAt,
          transmissions: run.transmissions,
          copies: 0,
          sacked: true,
          anchor: this.offset(run.anchor),
          segment: run.segment
        }
      }
    }
    twin.forgetSacks()
    this.set(forgotten)
  }

  act(): void {
    this.pair = { ...this.pair, now: this.pair.now + this.random.below(4) }
    const choice = this.random.below(20)
    if (choice < 6) this.send()
    else if (choice < 12) this.ack()
    else if (choice < 15) this.resend()
    else if (choice < 17) this.countLosses()
    else if (choice < 18) this.timeLosses()
    else if (choice < 19) this.timeout()
    else if (this.random.chance(0.3)) this.rarely()
  }

  compare(): void {
    const { board, twin } = this.pair
    assert.deepStrictEqual(
      {
        una: this.offset(board.una),
        nxt: this.offset(board.nxt),
        fack: this.offset(board.fack),
        pipe: Scoreboard.pipe(board),
        lost: Scoreboard.lostBytes(board),
        sacked: Scoreboard.sackedBytes(board)
      },
      { una: twin.una, nxt: twin.nxt, fack: twin.fack, pipe: twin.pipe, lost: twin.lost, sacked: twin.sacked }
    )
    let at = board.una
    let runs = 0
    for (const run of Scoreboard.runs(board)) {
      assert.strictEqual(run.start, at)
      assert.isAbove(Sequence.distance(run.start, run.end), 0)
      at = run.end
      runs += 1
    }
    assert.strictEqual(at, board.nxt)
    assert.isAtMost(runs, twin.segments().length)
  }

  /** Takes everything back to an earlier version, as a rolled back event does. */
  rollback(to: Pair): void {
    this.pair = { ...to, twin: to.twin.clone() }
  }

  keep(): Pair {
    return { ...this.pair, twin: this.pair.twin.clone() }
  }
}

describe("Scoreboard and its twin", () => {
  it("agree byte by byte over random actions, and every version stays as it was", () => {
    for (let seed = 1; seed <= 150; seed++) {
      const run = new Run(seed)
      let kept = run.keep()
      let keptRuns = Scoreboard.runs(kept.board)
      for (let i = 0; i < 120; i++) {
        run.act()
        run.compare()
        if (i % 10 !== 9) continue
        assert.deepStrictEqual(Scoreboard.runs(kept.board), keptRuns)
        if (run.random.chance(0.3)) run.rollback(kept)
        kept = run.keep()
        keptRuns = Scoreboard.runs(kept.board)
      }
    }
  })
})

describe("Scoreboard of a large window", () => {
  it("sums up its thousands of runs as they say themselves, through SACKs, losses and repairs", () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = Seeded.make(seed)
      const iss = random.pick([0, 0x7fff_ff00])
      let self = Scoreboard.make(iss)
      for (let step = 0; step < 400; step++) {
        const outstanding = Scoreboard.flightSize(self) / mss
        for (let i = outstanding; i < 3000 && i < outstanding + 60; i++) {
          self = Scoreboard.sent(self, Sequence.add(self.nxt, mss), mss, stamp(step))
        }
        const from = random.below(Scoreboard.flightSize(self) / mss)
        const left = Sequence.add(self.una, from * mss)
        const right = Sequence.add(left, (1 + random.below(random.pick([2, 200]))) * mss)
        const una = random.chance(0.3) ? Sequence.add(self.una, random.below(20) * mss) : self.una
        self = Scoreboard.update(self, una, [{ left, right: Sequence.earlier(right, self.nxt) }]).board
        if (random.chance(0.3)) self = Loss.byCount(self, 3, mss).board
        const next = random.chance(0.5) ? Loss.nextLost(self, 5 * mss) : undefined
        if (next !== undefined) self = Scoreboard.retransmitted(self, next.start, next.end, mss, stamp(step))
        if (step % 10 === 0) assertSums(self)
      }
    }
  })
})

/** The sums of the whole against those of the runs. */
const assertSums = (self: Scoreboard.Scoreboard): void => {
  let [pipe, lost, sacked, segments] = [0, 0, 0, 0]
  let at = self.una
  let firstLost: number | undefined = undefined
  for (const run of Scoreboard.runs(self)) {
    const bytes = Sequence.distance(run.start, run.end)
    assert.strictEqual(run.start, at)
    at = run.end
    if (run.sacked) [sacked, segments] = [sacked + bytes, segments + run.segments]
    else if (run.copies === 0) [lost, firstLost] = [lost + bytes, firstLost ?? run.start]
    else pipe += bytes * run.copies
  }
  assert.strictEqual(at, self.nxt)
  assert.deepStrictEqual(
    [Scoreboard.pipe(self), Scoreboard.lostBytes(self), Scoreboard.sackedBytes(self), Scoreboard.sackedSegments(self)],
    [pipe, lost, sacked, segments]
  )
  assert.strictEqual(Loss.nextLost(self, mss)?.start, firstLost)
}
