import { assert, describe, it } from "@effect/vitest"
import * as Random from "../../src/link/Random.ts"

const words = (random: Random.Random, count: number) => Array.from({ length: count }, () => random.word())

describe("Random", () => {
  it("repeats itself for the same seed and stream, and for no other", () => {
    const first = words(Random.make(1, 2, 3), 100)
    assert.deepStrictEqual(words(Random.make(1, 2, 3), 100), first)
    for (const [seed, stream, substream] of [[2, 2, 3], [1, 3, 3], [1, 2, 4]] as const) {
      const other = new Set(words(Random.make(seed, stream, substream), 100))
      assert.isBelow(first.filter((word) => other.has(word)).length, 2)
    }
  })

  it("gives words that stay what they are, on any machine", () => {
    assert.deepStrictEqual(words(Random.make(0, 0, 0), 3), [4_216_505_632, 947_923_937, 2_491_578_854])
  })

  it("spreads numbers evenly, also for the smallest seeds", () => {
    for (let seed = 0; seed < 10; seed++) {
      const random = Random.make(seed, 0, 0)
      const cells = new Array<number>(16).fill(0)
      for (let i = 0; i < 16_000; i++) cells[Math.floor(random.unit() * 16)]! += 1
      for (const cell of cells) assert.isTrue(cell > 850 && cell < 1150, `${seed}: ${cells}`)
    }
  })

  it("takes a chance as often as its probability says, and draws nothing at 0", () => {
    const random = Random.make(5, 0, 0)
    let hits = 0
    for (let i = 0; i < 10_000; i++) if (random.chance(0.3)) hits += 1
    assert.isTrue(hits > 2850 && hits < 3150, String(hits))
    const twin = Random.make(6, 0, 0)
    const other = Random.make(6, 0, 0)
    assert.isFalse(twin.chance(0))
    assert.strictEqual(twin.word(), other.word())
  })
})
