/**
 * An hour of two hosts with twenty connections on a lossy link, each of which asks something now and then: as running stacks in virtual time,
 * and in the simulator. `bench/rows/Simulate.ts` tells how long it takes.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Conversation from "../../bench/Conversation.ts"
import * as Expect from "../../src/testing/Expect.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"

const seed = 11

describe("An hour of twenty connections on a lossy link", () => {
  it.effect("goes by as running stacks in virtual time, and every question is answered", () =>
    TestNetwork.run(
      Effect.gen(function*() {
        const answered = yield* Conversation.program
        assert.strictEqual(answered, Conversation.connections * Conversation.questions)
        assert.isAtLeast(yield* Clock.currentTimeMillis, 3_600_000)
        const wire = yield* TestNetwork.link("wire")
        assert.isAbove(wire.statistics("forth").lost + wire.statistics("back").lost, 50)
        yield* Expect.network.counters("remote", { tcpSegmentsRetransmitted: (n) => n > 20, tcpAttemptFails: 0 })
      }),
      { faults: Conversation.wire, seed }
    ))

  it("goes by in the simulator, the same way each time", () => {
    const first = Conversation.simulate(seed)
    assert.strictEqual(first.answered, Conversation.connections * Conversation.questions)
    assert.isAtLeast(first.simulation.elapsed, 3600 * 1e6)
    assert.strictEqual(Conversation.simulate(seed).simulation.trace.hash, first.simulation.trace.hash)
  })
})
