import { assert, describe, it } from "@effect/vitest"
import * as Jitter from "../../src/link/Jitter.ts"
import * as Random from "../../src/link/Random.ts"

const count = 40_000

/** Shares of one law, in ascending order. */
const shares = (distribution: Jitter.Distribution): ReadonlyArray<number> => {
  const random = Random.make(1, 2, 3)
  return Array.from({ length: count }, () => Jitter.draw(distribution, random)).toSorted((a, b) => a - b)
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length
const quantile = (values: ReadonlyArray<number>, share: number): number => values[Math.floor(share * values.length)]!

describe("Jitter", () => {
  it("has the quantiles of its laws", () => {
    // By their distribution functions: u; the normal law's table; −ln(1 − p); (1 − p)^(−1/2) − 1.
    const expected: Readonly<Record<Jitter.Distribution, readonly [number, number, number]>> = {
      uniform: [0.1, 0.5, 0.9],
      normal: [1 - 1.2816 / 3, 1, 1 + 1.2816 / 3],
      exponential: [-Math.log(0.9), Math.LN2, Math.LN10],
      pareto: [0.0541, 0.4142, 2.1623]
    }
    for (const distribution of Jitter.distributions) {
      const drawn = shares(distribution)
      const found = [0.1, 0.5, 0.9].map((share) => quantile(drawn, share))
      for (const [i, value] of found.entries()) {
        assert.closeTo(
          value,
          expected[distribution][i]!,
          0.03 * Math.max(1, value),
          `${distribution} ${found.join(" ")}`
        )
      }
    }
  })

  it("has the means of its laws, and nothing below 0", () => {
    for (const distribution of Jitter.distributions) {
      const drawn = shares(distribution)
      assert.isAtLeast(drawn[0]!, 0)
      // A heavy tail does not come close to its mean.
      if (distribution !== "pareto") {
        assert.closeTo(mean(drawn), distribution === "uniform" ? 0.5 : 1, 0.02, distribution)
      }
    }
  })

  it("has a tail where the law has one", () => {
    const latest = (distribution: Jitter.Distribution) => shares(distribution).at(-1)!
    assert.isBelow(latest("uniform"), 1)
    assert.isAtMost(latest("normal"), 2)
    assert.isAbove(latest("exponential"), 8)
    assert.isAbove(latest("pareto"), 50)
  })
})
