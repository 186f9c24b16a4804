import { assert, describe, it } from "@effect/vitest"
import * as RangeSet from "../../../src/core/data/RangeSet.ts"
import * as Sequence from "../../../src/wire/Sequence.ts"
import * as Seeded from "../Seeded.ts"

const of = (...ranges: ReadonlyArray<readonly [number, number]>): RangeSet.RangeSet =>
  ranges.reduce((self, [start, end]) => RangeSet.add(self, start, end), RangeSet.empty)

const pairs = (self: RangeSet.RangeSet): Array<readonly [number, number]> =>
  self.ranges.map((range) => [range.start, range.end] as const)

/** The same set as a boolean for each of `room` numbers from `base` on. */
class Twin {
  readonly base: number
  readonly present: Array<boolean>

  constructor(base: number, room: number) {
    this.base = base
    this.present = new Array<boolean>(room).fill(false)
  }

  put(from: number, to: number, value: boolean): void {
    for (let i = from; i < to; i++) this.present[i] = value
  }

  /** The ranges as offsets. */
  ranges(): Array<readonly [number, number]> {
    const found: Array<readonly [number, number]> = []
    let start = -1
    for (let i = 0; i <= this.present.length; i++) {
      if (this.present[i] === true && start < 0) start = i
      if (this.present[i] !== true && start >= 0) {
        found.push([start, i])
        start = -1
      }
    }
    return found
  }
}

describe("RangeSet", () => {
  it("joins what overlaps or touches, and nothing else", () => {
    assert.deepStrictEqual(pairs(of([10, 20], [30, 40])), [[10, 20], [30, 40]])
    assert.deepStrictEqual(pairs(of([10, 20], [20, 30])), [[10, 30]])
    assert.deepStrictEqual(pairs(of([20, 30], [10, 20])), [[10, 30]])
    assert.deepStrictEqual(pairs(of([10, 20], [21, 30])), [[10, 20], [21, 30]])
    assert.deepStrictEqual(pairs(of([10, 20], [30, 40], [50, 60], [15, 55])), [[10, 60]])
    assert.deepStrictEqual(pairs(of([30, 40], [10, 20], [50, 60])), [[10, 20], [30, 40], [50, 60]])
  })

  it("ignores empty and reversed ranges", () => {
    assert.strictEqual(of([10, 10]), RangeSet.empty)
    assert.strictEqual(of([10, 5]), RangeSet.empty)
    const some = of([10, 20])
    assert.strictEqual(RangeSet.remove(some, 15, 15), some)
  })

  it("answers the same value when nothing changes", () => {
    const some = of([10, 20], [30, 40])
    assert.strictEqual(RangeSet.add(some, 12, 18), some)
    assert.strictEqual(RangeSet.add(some, 30, 40), some)
    assert.strictEqual(RangeSet.remove(some, 20, 30), some)
    assert.strictEqual(RangeSet.trim(some, 5), some)
  })

  it("works across the wrap of sequence numbers", () => {
    const base = 0x7fff_fff0
    const around = of([base, Sequence.add(base, 32)], [Sequence.add(base, 40), Sequence.add(base, 60)])
    assert.strictEqual(around.total, 52)
    assert.isTrue(RangeSet.has(around, Sequence.add(base, 31)))
    assert.isFalse(RangeSet.has(around, Sequence.add(base, 32)))
    assert.isTrue(RangeSet.covers(around, base, -0x8000_0000))
    assert.deepStrictEqual(pairs(RangeSet.trim(around, Sequence.add(base, 20))), [
      [Sequence.add(base, 20), Sequence.add(base, 32)],
      [Sequence.add(base, 40), Sequence.add(base, 60)]
    ])
  })

  it("agrees with a boolean for each number, over random actions", () => {
    const room = 300
    for (let seed = 1; seed <= 60; seed++) {
      const random = Seeded.make(seed)
      const base = random.pick([0, 1000, -150, 0x7fff_ff80, -0x8000_0000])
      const twin = new Twin(base, room)
      const seq = (offset: number): number => Sequence.add(base, offset)
      let self = RangeSet.empty
      for (let i = 0; i < 150; i++) {
        const from = random.below(room)
        const to = Math.min(room, from + random.below(random.pick([3, 20, 80])))
        switch (random.below(8)) {
          case 0:
            self = RangeSet.remove(self, seq(from), seq(to))
            twin.put(from, to, false)
            break
          case 1:
            if (!random.chance(0.2)) break
            self = RangeSet.trim(self, seq(from))
            twin.put(0, from, false)
            break
          default:
            self = RangeSet.add(self, seq(from), seq(to))
            twin.put(from, to, true)
        }
        assert.deepStrictEqual(pairs(self), twin.ranges().map(([a, b]) => [seq(a), seq(b)] as const))
        assert.strictEqual(self.total, twin.present.filter((present) => present).length)
        const at = random.below(room)
        const range = twin.ranges().find(([a, b]) => a <= at && at < b)
        assert.deepStrictEqual(
          RangeSet.containing(self, seq(at)),
          range === undefined ? undefined : { start: seq(range[0]), end: seq(range[1]) }
        )
        const stop = at + random.below(room)
        const next = twin.ranges().find(([a]) => a > at)
        assert.strictEqual(
          RangeSet.nextStart(self, seq(at), seq(stop)),
          seq(next === undefined ? stop : Math.min(next[0], stop))
        )
        assert.strictEqual(
          RangeSet.covers(self, seq(from), seq(to)),
          twin.present.slice(from, to).every((present) => present)
        )
      }
      assert.deepStrictEqual(RangeSet.first(self), self.ranges[0])
      assert.deepStrictEqual(RangeSet.last(self), self.ranges.at(-1))
      assert.strictEqual(RangeSet.count(self), self.ranges.length)
    }
  })
})
