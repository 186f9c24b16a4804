/**
 * The state of a stack and the one way in: one `Ref`, one `Semaphore` of one permit, one function that runs a batch.
 *
 * ```
 *   a worker's batch ─▶ permit ─▶ at := clock ─▶ runBatch ─▶ outputs appended to queues ─▶ permit back ─▶ flush
 *                       └──────────────────── synchronous, nothing waits ─────────────┘
 * ```
 *
 * Outputs are appended while the permit is held, so frames leave in commit order; nobody is resumed and nothing is written
 * until it is given back, so no I/O happens under it and no reply is seen before the state it speaks of.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as MutableRef from "effect/MutableRef"
import * as Ref from "effect/Ref"
import * as Semaphore from "effect/Semaphore"
import type { Spent } from "../core/Context.ts"
import type { Event } from "../core/Event.ts"
import type { Output } from "../core/Output.ts"
import type { State } from "../core/State.ts"
import * as Time from "../core/Time.ts"
import type { Recorder } from "./Recording.ts"
import { runBatch, Step } from "./runBatch.ts"

/** Where the outputs of a batch go. */
export interface Outbox {
  /** Appends an output to the queue of the worker that acts on it. Called under the permit: it must not wait, nor resume anybody. */
  readonly append: (output: Output) => void
  /** Lets the workers run that got something. Called without the permit. */
  readonly flush: () => void
}

export interface Options {
  readonly state: State
  readonly clock: Clock.Clock
  readonly outbox: Outbox
  /** What the shell itself has to tell the core before the next batch: what transmit workers have sent. */
  readonly pending: () => ReadonlyArray<Event>
  readonly recorder: Recorder | undefined
  readonly observer: Observer | undefined
}

/** Sees every batch and what it emitted, in commit order. Called under the permit: it does not wait and keeps nothing borrowed. */
export type Observer = (at: Time.Instant, outputs: ReadonlyArray<Output>, events: ReadonlyArray<Event>) => void

export interface Core {
  /**
   * Runs a batch under the permit and lets the workers run that got something. `done` is called after the step, under the permit.
   * For callers that can't be interrupted meanwhile: `Semaphore.withPermit`, which gives the permit back for those who can, takes three times
   * the operations, and there are three batches in a request.
   */
  readonly run: (events: ReadonlyArray<Event>, done?: () => void) => Effect.Effect<void>
  /** Reads the state under the permit. `select` copies what it returns: no live table leaves it. */
  readonly read: <A>(select: (state: State) => A) => Effect.Effect<A>
  /** Takes memory for received text back that a reader has copied from. */
  readonly giveBack: (spent: ReadonlyArray<Spent>) => void
  /** The time of an event that happens now. */
  readonly now: () => Time.Instant
}

/** The clock's monotonic time as the core has it. */
export const instantOf = (clock: Clock.Clock): Time.Instant =>
  Time.instantOf(Math.round(Number(clock.monotonicTimeNanosUnsafe()) / 1000))

export const make = (options: Options): Core => {
  const { clock, observer, outbox, pending, recorder } = options
  const ref = Ref.makeUnsafe(options.state)
  // The workbench holds the same state: it lends the journal and the outbox to each batch, and knows nothing of its own.
  const step = new Step(options.state)
  const permit = Semaphore.makeUnsafe(1)
  let latest = Time.instantOf(0)

  const now = (): Time.Instant => {
    latest = Time.latest(latest, instantOf(clock))
    return latest
  }
  const commit = (events: ReadonlyArray<Event>): void => {
    const told = pending()
    const batch = told.length === 0 ? events : [...told, ...events]
    if (batch.length === 0) return
    const at = now()
    recorder?.(at, batch)
    const outputs = runBatch(step, at, batch)
    observer?.(at, outputs, batch)
    for (const output of outputs) outbox.append(output)
  }
  const take = permit.take(1)
  const release = permit.release(1)
  const releaseAndFlush = Effect.map(release, outbox.flush)
  const run: Core["run"] = (events, done) =>
    Effect.flatMap(take, () => {
      try {
        commit(events)
        done?.()
        MutableRef.set(ref.ref, step.state)
        return releaseAndFlush
      } catch (defect) {
        return Effect.andThen(release, Effect.die(defect))
      }
    })
  return {
    now,
    giveBack: (spent) => step.giveBack(spent),
    run,
    read: (select) => permit.withPermit(Effect.map(Ref.get(ref), select))
  }
}
