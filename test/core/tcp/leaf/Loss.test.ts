import { assert, describe, it } from "@effect/vitest"
import type { Stamp } from "../../../../src/core/tcp/DeliveryRate.ts"
import * as Loss from "../../../../src/core/tcp/Loss.ts"
import * as Scoreboard from "../../../../src/core/tcp/Scoreboard.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as Seeded from "../../Seeded.ts"

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

const flight = (segments: number): Scoreboard.Scoreboard => {
  let self = Scoreboard.make(0)
  for (let i = 1; i <= segments; i++) self = Scoreboard.sent(self, i * mss, mss, stamp(i))
  return self
}

const sacked = (
  self: Scoreboard.Scoreboard,
  ...blocks: ReadonlyArray<readonly [number, number]>
): Scoreboard.Scoreboard => Scoreboard.update(self, self.una, blocks.map(([left, right]) => ({ left, right }))).board

/** RFC 6675 §4 to the letter, octet by octet, for a sender that repairs by NextSeg's first rule alone. */
class ByTheLetter {
  highAck = 0
  highData = 0
  highRxt = 0
  readonly sacked = new Set<number>()

  isLost(octet: number): boolean {
    let bytes = 0
    let sequences = 0
    for (let i = octet + 1; i < this.highData; i++) {
      if (!this.sacked.has(i)) continue
      bytes += 1
      if (!this.sacked.has(i - 1)) sequences += 1
    }
    return sequences >= 3 || bytes > 2 * mss
  }

  setPipe(): number {
    let pipe = 0
    for (let octet = this.highAck; octet < this.highData; octet++) {
      if (this.sacked.has(octet)) continue
      if (!this.isLost(octet)) pipe += 1
      if (octet < this.highRxt) pipe += 1
    }
    return pipe
  }

  /** Rule 1: the smallest octet behind HighRxt and before the highest SACK that is lost. */
  nextSeg(): Scoreboard.Range | undefined {
    const highest = Math.max(-1, ...this.sacked)
    for (let octet = Math.max(this.highAck, this.highRxt); octet < highest; octet++) {
      if (this.sacked.has(octet) || !this.isLost(octet)) continue
      let end = octet
      while (end < octet + mss && end < this.highData && !this.sacked.has(end) && this.isLost(end)) end += 1
      return { start: octet, end }
    }
    return undefined
  }
}

describe("Loss", () => {
  it("counts by separate stretches and by bytes (rfc: 6675 §4 IsLost)", () => {
    const lost = (board: Scoreboard.Scoreboard): number => Loss.byCount(board, 3, mss).bytes
    assert.strictEqual(lost(sacked(flight(9), [10, 30])), 0)
    assert.strictEqual(lost(sacked(flight(9), [10, 40])), 10)
    // Three stretches of less than three segments of bytes, each a segment that is short.
    let short = Scoreboard.make(0)
    for (let i = 1; i <= 8; i++) short = Scoreboard.sent(short, i * 3, mss, stamp(i))
    assert.strictEqual(lost(sacked(short, [3, 6], [9, 12])), 0)
    assert.strictEqual(lost(sacked(short, [3, 6], [9, 12], [15, 18])), 3)
    // The second hole has only two behind it.
    assert.deepStrictEqual(
      Loss.byCount(sacked(flight(9), [10, 20], [30, 40], [50, 60]), 3, mss).runs.map((run) => run.start),
      [0]
    )
  })

  it("gives the RFC's pipe and next segment at every step of random recoveries (rfc: 6675 §4 SetPipe, NextSeg)", () => {
    for (let seed = 1; seed <= 120; seed++) {
      const random = Seeded.make(seed)
      const segments = 4 + random.below(20)
      let board = flight(segments)
      const letter = new ByTheLetter()
      letter.highData = segments * mss
      for (let step = 0; step < 40 && letter.highAck < letter.highData; step++) {
        const at = random.below(segments) * mss
        if (at >= letter.highAck && random.chance(0.6)) {
          for (let i = at; i < at + mss; i++) letter.sacked.add(i)
          board = sacked(board, [at, at + mss])
        } else if (random.chance(0.1)) {
          letter.highAck = Math.max(letter.highAck, at)
          for (const octet of letter.sacked) if (octet < letter.highAck) letter.sacked.delete(octet)
          board = Scoreboard.update(board, letter.highAck).board
        }
        board = Loss.byCount(board, 3, mss).board
        assert.strictEqual(Scoreboard.pipe(board), letter.setPipe(), `seed ${seed}, step ${step}`)
        const next = Loss.nextLost(board, mss)
        assert.deepStrictEqual(next, letter.nextSeg(), `seed ${seed}, step ${step}`)
        if (next === undefined || random.chance(0.5)) continue
        board = Scoreboard.retransmitted(board, next.start, next.end, mss, stamp(1000 + step))
        letter.highRxt = next.end
        assert.strictEqual(Scoreboard.pipe(board), letter.setPipe())
      }
    }
  })

  it("joins what is lost side by side into what is sent again", () => {
    const lost = Loss.everything(sacked(flight(6), [30, 40])).board
    assert.deepStrictEqual(Loss.nextLost(lost, 25), { start: 0, end: 25 })
    assert.deepStrictEqual(Loss.nextLost(lost, 1000), { start: 0, end: 30 })
    const rest = Scoreboard.retransmitted(lost, 0, 25, mss, stamp(9))
    assert.deepStrictEqual(Loss.nextLost(rest, 1000), { start: 25, end: 30 })
  })

  it("names what may be sent again when there is nothing better (rfc: 6675 §4 NextSeg rule 3)", () => {
    assert.isUndefined(Loss.nextSuspect(flight(5), mss))
    const some = sacked(flight(5), [30, 40])
    assert.deepStrictEqual(Loss.nextSuspect(some, mss), { start: 0, end: 10 })
    const again = Scoreboard.retransmitted(some, 0, 30, mss, stamp(9))
    assert.isUndefined(Loss.nextSuspect(again, mss))
    assert.strictEqual(Scoreboard.pipe(again), 70)
  })

  it("puts what was taken for lost back into the network", () => {
    const lost = Loss.everything(flight(4)).board
    const again = Scoreboard.retransmitted(lost, 0, 10, mss, stamp(9))
    assert.strictEqual(Scoreboard.pipe(again), 10)
    assert.strictEqual(Scoreboard.pipe(Loss.undo(again)), 40)
    assert.isUndefined(Loss.nextLost(Loss.undo(again), mss))
    assert.strictEqual(Loss.undo(flight(2)).nxt, 20)
  })

  it("finds that a receiver has thrown away what it reported, and believes it no more (rfc: 2018 §8 SHOULD, 6675 §5.1)", () => {
    const board = sacked(flight(5), [10, 30])
    assert.isFalse(Loss.isReneged(board))
    const reneged = Scoreboard.update(board, 10).board
    assert.isTrue(Loss.isReneged(reneged))
    const forgotten = Loss.forgetSacks(reneged)
    assert.deepStrictEqual([Scoreboard.sackedBytes(forgotten), Scoreboard.lostBytes(forgotten)], [0, 20])
    assert.isFalse(Loss.isReneged(forgotten))
    assert.deepStrictEqual(Loss.nextLost(forgotten, 1000), { start: 10, end: 30 })
  })

  it("takes everything, or the beginning, for lost (rfc: 6298 §5.4, 6582 §3.2)", () => {
    const all = Loss.everything(sacked(flight(5), [20, 30]))
    assert.deepStrictEqual([all.bytes, Scoreboard.pipe(all.board), Scoreboard.sackedBytes(all.board)], [40, 0, 10])
    const first = Loss.until(flight(5), 10)
    assert.deepStrictEqual([first.bytes, Scoreboard.pipe(first.board)], [10, 40])
    assert.strictEqual(Loss.everything(Scoreboard.make(7)).bytes, 0)
  })
})
