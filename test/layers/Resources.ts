/**
 * What a process holds of the machine around it, in numbers that are equal before and after whatever leaves nothing: descriptors, threads,
 * network interfaces, and what Node waits for.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { existsSync, readdirSync } from "node:fs"

type Count = Readonly<Record<string, number>>

/** Entries of a folder of Linux's; nothing elsewhere. */
const entries = (folder: string): number => existsSync(folder) ? readdirSync(folder).length : 0

const held = (): Count => {
  const count: Record<string, number> = {
    descriptors: entries("/proc/self/fd"),
    threads: entries("/proc/self/task"),
    interfaces: entries("/sys/class/net")
  }
  // Timers are those of whoever watches, too.
  for (const kind of process.getActiveResourcesInfo()) {
    if (kind !== "Timeout" && kind !== "Immediate") count[kind] = (count[kind] ?? 0) + 1
  }
  return count
}

/** Files that are closed already are done with a little later. */
const isBusy = (): boolean => process.getActiveResourcesInfo().some((kind) => /^(CloseReq|FSReq)/.test(kind))

const counted: Effect.Effect<Count> = Effect.map(
  Effect.whileLoop({ while: isBusy, body: () => Effect.yieldNow, step: () => {} }),
  held
)

export interface Cycle<E> {
  /** Opens a layer, uses it, and closes it, with a scope of its own. */
  readonly run: Effect.Effect<unknown, E, Scope.Scope>
  /** Every other cycle is interrupted within so many milliseconds. */
  readonly within: number
  readonly times: number
}

export interface Report {
  readonly before: Count
  readonly after: Count
  readonly done: number
  readonly interrupted: number
}

/** Cycles before the count, for what is made once: threads for files, say. */
const warmUp = 4

/** Runs a layer's cycles in the time of the wall. The places of interruption are spread evenly, so that all of them come about. */
export const measure = <E>({ run, times, within }: Cycle<E>): Effect.Effect<Report, E> =>
  Effect.gen(function*() {
    const ended = { done: 0, interrupted: 0 }
    let before: Count = {}
    for (let i = -warmUp; i < times; i++) {
      if (i === 0) before = yield* counted
      const fiber = yield* Effect.forkChild(Effect.scoped(run), { startImmediately: true })
      if (i % 2 !== 0) {
        yield* Effect.sleep(within * Math.abs(i) / times)
        yield* Fiber.interrupt(fiber)
      }
      const exit = yield* Fiber.await(fiber)
      if (exit._tag === "Failure" && i % 2 === 0) return yield* Effect.failCause(exit.cause)
      if (i >= 0) ended[exit._tag === "Success" ? "done" : "interrupted"]++
    }
    return { before, after: yield* counted, ...ended }
  })
