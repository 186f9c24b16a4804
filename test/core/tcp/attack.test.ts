import { assert, describe, it } from "@effect/vitest"
import * as Attack from "./attack/Attack.ts"

/** A longer attack is `npm run attack`. */
const packets = 20_000
const syns = 100_000

describe("A blind attacker (RFC 5961, RFC 5927, RFC 4987)", () => {
  it("who knows both ends and guesses numbers ends no connection, puts no byte into it, and grows no memory", () => {
    const { challenges, challengesAllowed, defects, entries, isIntact, memory, segments, states } = Attack.blind(
      packets,
      7
    )
    assert.deepStrictEqual(states, ["ESTABLISHED", "ESTABLISHED"])
    assert.isTrue(isIntact)
    assert.deepStrictEqual([entries, memory, defects], [1, 0, 0])
    assert.strictEqual(segments[1], segments[0])
    // RFC 5961 §7: the answers are limited.
    assert.isAtMost(challenges, challengesAllowed)
  })
  it("who floods a listener with SYNs takes a bounded part of the memory, and real clients come through", () => {
    const { accepted, clients, defects, halfOpen, isAlive, limit, memory, parked, parkedLimit } = Attack.flood(syns, 3)
    assert.deepStrictEqual([accepted, clients], [syns / 1000, syns / 1000])
    assert.strictEqual(halfOpen, limit)
    assert.isTrue(isAlive)
    // One connection has just been read from.
    assert.isBelow(memory, 1000)
    assert.isAtMost(parked, parkedLimit)
    assert.strictEqual(defects, 0)
  })
})
