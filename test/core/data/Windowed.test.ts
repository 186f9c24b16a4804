import { assert, describe, it } from "@effect/vitest"
import * as Windowed from "../../../src/core/data/Windowed.ts"
import * as Seeded from "../Seeded.ts"

const window = 100

describe("Windowed", () => {
  it("holds the extreme of at least the last half window and of no more than the last whole one", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = Seeded.make(seed)
      const all: Array<{ readonly at: number; readonly value: number }> = []
      let least = Windowed.emptyMinimum
      let most = Windowed.emptyMaximum
      let at = 0
      for (let i = 0; i < 400; i++) {
        at += random.below(random.below(20) === 0 ? 150 : 12)
        const value = random.below(1000)
        all.push({ at, value })
        least = Windowed.minimum(least, value, at, window)
        most = Windowed.maximum(most, value, at, window)
        const within = (length: number) => all.filter((entry) => entry.at > at - length).map((entry) => entry.value)
        assert.isAtMost(least.value, Math.min(...within(window / 2)))
        assert.isAtLeast(least.value, Math.min(...within(window + 1)))
        assert.isAtLeast(most.value, Math.max(...within(window / 2)))
        assert.isAtMost(most.value, Math.max(...within(window + 1)))
      }
    }
  })

  it("says that nothing was measured", () => {
    assert.strictEqual(Windowed.emptyMinimum.value, Infinity)
    assert.strictEqual(Windowed.emptyMaximum.value, 0)
  })

  it("forgets everything after a pause of a whole window", () => {
    const before = Windowed.minimum(Windowed.minimum(Windowed.emptyMinimum, 5, 0, window), 7, 60, window)
    assert.strictEqual(before.value, 5)
    assert.strictEqual(Windowed.minimum(before, 9, 160, window).value, 9)
  })
})
