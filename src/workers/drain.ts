/**
 * The last seconds of a stack: what programs have written to connections that they have let go is still delivered, as the
 * kernel would after the program has ended; what can't be delivered in time is reset, so that no peer waits for a stack that
 * is gone.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Info, StateName } from "../core/tcp/Info.ts"
import type { Stack } from "./Stack.ts"

/** States in which something of ours is still to be acknowledged: data, or the FIN. */
const closing: ReadonlySet<StateName> = new Set<StateName>(["FIN-WAIT-1", "CLOSING", "LAST-ACK"])

const isUndelivered = ({ inFlight, state, unsent }: Info): boolean => closing.has(state) || inFlight + unsent > 0

const awaitDelivery = (stack: Stack) => ({ connection }: Info): Effect.Effect<void> =>
  Effect.ignore(stack.ask({ _tag: "TcpAwait", connection, until: "drained" }))

const reset = (stack: Stack) => ({ connection, state }: Info): Effect.Effect<void> =>
  state === "TIME-WAIT" ? Effect.void : Effect.ignore(stack.ask({ _tag: "TcpAbort", connection }))

/** Waits until everything written is acknowledged, at most `timeout`, then resets every connection that is left. */
export const drain = (stack: Stack, timeout: Duration.Input): Effect.Effect<void> =>
  Effect.gen(function*() {
    const list = stack.ask({ _tag: "TcpList" })
    const undelivered = (yield* list).filter(isUndelivered)
    if (undelivered.length > 0) {
      const delivered = Effect.forEach(undelivered, awaitDelivery(stack), { concurrency: "unbounded", discard: true })
      yield* Effect.timeoutOption(Effect.interruptible(delivered), timeout)
    }
    yield* Effect.forEach(yield* list, reset(stack), { discard: true })
  }).pipe(Effect.ignore)
