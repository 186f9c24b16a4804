/** What `programs/extensions.ts` tells at its end. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Machine from "./Machine.ts"
import type * as Process from "./Process.ts"
import type { Seen } from "./programs/marker.ts"

export interface Told {
  readonly sent: Seen
  readonly received: Seen
  readonly connections: ReadonlyArray<{
    readonly ecnUse: string
    readonly hadTextInSyn: boolean
    readonly marksReceived: number
    readonly marksTold: number
    readonly congestionWindow: number
    readonly sendMss: number
  }>
  readonly heard: ReadonlyArray<string>
}

export interface Marks {
  readonly sent?: number
  readonly received?: number
}

export interface Running {
  /** Ends the program; what it and the router before it have seen. */
  readonly end: Effect.Effect<Told, Process.ProcessError>
}

/** Starts the program with knobs of TCP, and waits until it is ready. */
export const start = (
  machine: Machine.Machine,
  verb: "serve" | "ask",
  knobs: object,
  marks: Marks = {},
  args: ReadonlyArray<string | number> = []
): Effect.Effect<Running, Process.ProcessError, Scope.Scope> =>
  Effect.gen(function*() {
    const all = [verb, JSON.stringify(knobs), JSON.stringify(marks), ...args]
    const running = yield* Machine.start(machine, "extensions", all)
    yield* running.line(/^ready$/, "30 seconds")
    return {
      end: Effect.gen(function*() {
        yield* running.endInput
        const [, told] = yield* running.line(/^told (.*)$/)
        return JSON.parse(told!) as Told
      })
    }
  })
