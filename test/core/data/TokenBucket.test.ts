import { assert, describe, it } from "@effect/vitest"
import * as TokenBucket from "../../../src/core/data/TokenBucket.ts"
import * as Time from "../../../src/core/Time.ts"

const rate: TokenBucket.Rate = { perSecond: 10, burst: 3 }

/** How many tokens can be taken at once at a time. */
const drain = (
  self: TokenBucket.TokenBucket,
  at: Time.Instant
): { readonly taken: number; readonly self: TokenBucket.TokenBucket } => {
  let taken = 0
  let current = self
  for (let next = TokenBucket.take(current, rate, at); next !== undefined; next = TokenBucket.take(current, rate, at)) {
    current = next
    taken++
  }
  return { taken, self: current }
}

describe("TokenBucket", () => {
  it("gives its burst at once, and then one token per interval (rfc: 4443 §2.4)", () => {
    const first = drain(TokenBucket.make(rate), Time.instantOf(0))
    assert.strictEqual(first.taken, 3)
    assert.strictEqual(drain(first.self, Time.instantOf(99_999)).taken, 0)
    const second = drain(first.self, Time.instantOf(100_000))
    assert.strictEqual(second.taken, 1)
    assert.strictEqual(drain(second.self, Time.instantOf(350_000)).taken, 2)
  })

  it("saves no more than its burst", () => {
    const empty = drain(TokenBucket.make(rate), Time.instantOf(0)).self
    assert.strictEqual(drain(empty, Time.instantOf(3_600_000_000)).taken, 3)
  })

  it("never gives more than rate times time plus burst", () => {
    let self = TokenBucket.make(rate)
    let taken = 0
    for (let at = 0; at <= 10_000_000; at += 7_919) {
      const drained = drain(self, Time.instantOf(at))
      self = drained.self
      taken += drained.taken
      assert.isAtMost(taken, 3 + at / 100_000 + 1e-6)
    }
    assert.isAtLeast(taken, 101)
  })

  it("takes nothing from a clock that seems to stand still", () => {
    const empty = drain(TokenBucket.make(rate), Time.instantOf(1_000_000)).self
    assert.strictEqual(drain(empty, Time.instantOf(500_000)).taken, 0)
  })
})
