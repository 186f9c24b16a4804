/**
 * The name of a fiber that works for a stack, for whoever asks what a fiber is: a deadlock in virtual time, a cause, a debugger. It costs nothing while the fiber runs, and is no span.
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"

export const named = <A, E, R>(name: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(work, References.CurrentStackFrame, {
    name: `netstack ${name}`,
    stack: () => undefined,
    parent: undefined
  })
