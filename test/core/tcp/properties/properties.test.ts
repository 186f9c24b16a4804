import { assert, describe, it } from "@effect/vitest"
import { run } from "./World.ts"

/** A longer run is `npm run properties`. */
const runs = 500
const total = { sent: 0, received: 0, ended: 0 }

const all = (first: number): void => {
  for (let seed = first; seed < first + runs; seed++) {
    try {
      const { ended, received, sent } = run(seed)
      total.sent += sent
      total.received += received
      total.ended += ended
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
  }
}

describe("Random programs on a random network (RFC 9293)", () => {
  for (const first of [1, 1 + runs, 1 + 2 * runs, 1 + 3 * runs]) {
    it(`read a prefix of what was written; records stay sound and bounded, all requests end, nothing is left: seeds from ${first}`, () => {
      all(first)
    })
  }
  it("get most of it through, and many streams whole", () => {
    assert.isAbove(total.received, total.sent / 5)
    assert.isAbove(total.ended, runs)
  })
})
