import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Event } from "../../src/core/Event.ts"
import * as Time from "../../src/core/Time.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"
import * as Core from "../../src/workers/Core.ts"
import * as Timers from "../../src/workers/Timers.ts"

const timer = { _tag: "Tcp", kind: "Retransmission", id: 1 } as never

describe("Timers", () => {
  it.effect("ring for deadlines between two ticks of the core's clock, and do not spin until then", () =>
    VirtualTime.run(
      Effect.gen(function*() {
        const clock = yield* Clock.clockWith(Effect.succeed)
        const timers = yield* Timers.make(clock)
        const rung = yield* Deferred.make<ReadonlyArray<Event>>()
        const now = () => Core.instantOf(clock)
        const core: Core.Core = {
          now,
          run: (events) => Effect.asVoid(Deferred.succeed(rung, events)),
          giveBack: () => {},
          read: () => Effect.never
        }
        yield* Effect.forkScoped(timers.worker(core))
        const due = Time.instantOf(1000.00001)
        timers.set({ _tag: "SetTimer", timer, at: due })
        timers.flush()
        assert.deepStrictEqual(yield* Deferred.await(rung), [{ _tag: "Timer", timer, due }])
        assert.strictEqual(now(), Time.instantOf(1001))
      }),
      { mostAtOnce: 1000 }
    ))
})
