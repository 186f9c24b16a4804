import { assert, describe, it } from "@effect/vitest"
import { run } from "./Actors.ts"

/** `TCP_FAULT_RUNS=100000` makes it a long one; `TCP_FAULT_SEED` begins elsewhere. */
const runs = Number(process.env["TCP_FAULT_RUNS"] ?? 100)
const first = Number(process.env["TCP_FAULT_SEED"] ?? 1)

const all = (faults: number): void => {
  let sent = 0
  let received = 0
  for (let seed = first; seed < first + runs; seed++) {
    try {
      const result = run(seed, faults)
      sent += result.sent
      received += result.received
    } catch (cause) {
      throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
  }
  assert.isAbove(received, sent / 100)
}

describe("Random programs on a random network (RFC 9293)", () => {
  it("bytes are a prefix of what was written, records stay sound, every request ends and nothing is left, without faults", () => {
    all(0)
  })
  it("the same with few faults", () => {
    all(0.05)
  })
  it("the same with up to 30 % of each fault", () => {
    all(0.3)
  })
})
