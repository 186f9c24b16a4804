import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Config from "../../src/core/Config.ts"
import * as Entropy from "../../src/core/Entropy.ts"
import type { Event } from "../../src/core/Event.ts"
import { noTicket } from "../../src/core/Request.ts"
import * as State from "../../src/core/State.ts"
import * as Bell from "../../src/workers/Bell.ts"
import * as Core from "../../src/workers/Core.ts"

const harmless: Event = { _tag: "Request", ticket: noTicket, request: { _tag: "Abandoned", abandoned: 1 } }

const makeCore = (outbox: Partial<Core.Outbox>, observer?: Core.Observer) =>
  Effect.map(Clock.Clock, (clock) =>
    Core.make({
      state: State.make(Config.defaults, Entropy.derive(new Uint8Array(16))),
      clock,
      outbox: { append: () => {}, flush: () => {}, ...outbox },
      pending: () => [],
      recorder: undefined,
      observer
    }))

describe("Core.run", () => {
  it.effect("gives the permit back when somebody throws under it, and says so", () =>
    Effect.gen(function*() {
      const core = yield* makeCore({}, () => {
        throw new Error("the observer's fault")
      })
      const exit = yield* Effect.exit(core.run([harmless]))
      assert.isTrue(Exit.hasDies(exit))
      assert.strictEqual(yield* core.read(() => "read"), "read")
    }))

  it.effect("flushes when the permit is back: a batch may be run inside", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      let hasRunInner = false
      const core: Core.Core = yield* makeCore({
        flush: () => {
          order.push("flush")
          if (hasRunInner) return
          hasRunInner = true
          Effect.runFork(core.run([harmless], () => order.push("inner")))
        }
      })
      yield* core.run([harmless], () => order.push("outer"))
      assert.deepStrictEqual(order, ["outer", "flush", "inner", "flush"])
    }))
})

describe("Bell", () => {
  it.effect("wakes who waits inside the call, and nobody who has been interrupted", () =>
    Effect.gen(function*() {
      const bell = Bell.make()
      bell.ring()
      const done = Deferred.makeUnsafe<void>()
      const waiting = Effect.runFork(Effect.andThen(bell.rung, Deferred.succeed(done, undefined)))
      assert.isUndefined(waiting.pollUnsafe())
      bell.ring()
      assert.isDefined(waiting.pollUnsafe())
      const gone = Effect.runFork(bell.rung)
      yield* Fiber.interrupt(gone)
      bell.ring()
      assert.isTrue(Exit.hasInterrupts(gone.pollUnsafe()!))
      yield* Deferred.await(done)
    }))
})
