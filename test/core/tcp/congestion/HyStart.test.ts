import { assert, describe, it } from "@effect/vitest"
import * as HyStart from "../../../../src/core/tcp/congestion/HyStart.ts"
import * as Time from "../../../../src/core/Time.ts"

const ms = Time.millis

/** A round of ten samples. */
const round = (self: HyStart.HyStart, rtt: number, samples = 10): HyStart.HyStart => {
  let next = self
  for (let i = 0; i < samples; i++) next = HyStart.onAck(next, ms(rtt), i === 0)
  return next
}

const rounds = (rtts: ReadonlyArray<number>): HyStart.HyStart =>
  rtts.reduce((self, rtt) => round(self, rtt), HyStart.initial)

describe("HyStart", () => {
  it("stays in slow start while the round-trip time does not grow", () => {
    assert.strictEqual(rounds([100, 100, 99, 105, 101]).phase, "slowStart")
    assert.strictEqual(HyStart.divisor(rounds([100, 100])), 1)
  })

  it("slows down when a round's least exceeds the last by an eighth, within 4 to 16 ms (RFC 9406 §4.2)", () => {
    const table: ReadonlyArray<readonly [number, number, string]> = [
      [100, 112.4, "slowStart"],
      [100, 112.6, "conservative"],
      [10, 13.9, "slowStart"],
      [10, 14, "conservative"],
      [400, 415, "slowStart"],
      [400, 416, "conservative"]
    ]
    table.forEach(([last, next, phase]) =>
      assert.strictEqual(rounds([last, next]).phase, phase, `${last} then ${next}`)
    )
    assert.strictEqual(HyStart.divisor(rounds([100, 120])), 4)
  })

  it("judges no round by fewer than eight samples", () => {
    assert.strictEqual(round(rounds([100]), 200, 7).phase, "slowStart")
    assert.strictEqual(round(rounds([100]), 200, 8).phase, "conservative")
  })

  it("judges no round by one that had no sample", () => {
    const silent = HyStart.onAck(rounds([100]), undefined, true)
    assert.strictEqual(round(silent, 300).phase, "slowStart")
  })

  it("goes back to slow start when the growth was noise", () => {
    const back = rounds([100, 120, 110])
    assert.strictEqual(back.phase, "slowStart")
    assert.strictEqual(back.baseline, Infinity)
  })

  it("ends slow start after five rounds, the one in which it slowed down included", () => {
    const slowed = rounds([100, 120])
    let self = slowed
    for (let i = 0; i < 4; i++) self = round(self, 121)
    assert.strictEqual(self.phase, "conservative")
    assert.strictEqual(HyStart.onAck(self, ms(121), true), HyStart.done)
    assert.strictEqual(HyStart.onAck(HyStart.done, ms(1), true), HyStart.done)
  })
})
