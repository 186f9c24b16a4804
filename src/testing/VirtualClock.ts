/**
 * A clock that stands still until it is told to go on to the next sleeper, whom it wakes in the call. Sleepers of one time are
 * woken in the order in which they went to sleep.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Heap } from "../link/Heap.ts"

interface Sleeper {
  readonly resume: (effect: Effect.Effect<void>) => void
  /** Interrupted: nobody is to be woken. */
  isGone: boolean
}

const nanosPerMilli = 1e6

/** Sleepers that are gone are taken out of the heap when they are more than this many, and most of it. */
const leastSweep = 1024

export class VirtualClock implements Clock.Clock {
  /** Nanoseconds since the start. */
  private nanos = 0
  private readonly startNanos: bigint
  private readonly startMillis: number
  private sleepers: Heap<Sleeper> = new Heap()
  private gone = 0

  /** `startMillis` is the wall time of the start. */
  constructor(startMillis: number) {
    this.startMillis = startMillis
    this.startNanos = BigInt(Math.round(startMillis * nanosPerMilli))
  }

  /** Time since the start, in milliseconds. */
  get elapsed(): number {
    return this.nanos / nanosPerMilli
  }

  currentTimeMillisUnsafe(): number {
    return this.startMillis + this.nanos / nanosPerMilli
  }

  currentTimeNanosUnsafe(): bigint {
    return this.startNanos + BigInt(this.nanos)
  }

  monotonicTimeNanosUnsafe(): bigint {
    return BigInt(this.nanos)
  }

  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const span = Math.round(Duration.toMillis(duration) * nanosPerMilli)
    if (span <= 0) return Effect.yieldNow
    if (span === Infinity) return Effect.never
    return Effect.callback((resume) => {
      const sleeper: Sleeper = { resume, isGone: false }
      this.sleepers.put(this.nanos + span, sleeper)
      return Effect.sync(() => this.forget(sleeper))
    })
  }

  private forget(sleeper: Sleeper): void {
    sleeper.isGone = true
    this.gone++
    if (this.gone < leastSweep || this.gone < this.sleepers.size / 2) return
    this.sleepers = this.sleepers.filter(({ isGone }) => !isGone)
    this.gone = 0
  }

  /** When the next sleeper is to be woken, in milliseconds since the start; `Infinity` if nobody sleeps. */
  get next(): number {
    while (this.sleepers.first?.isGone === true) {
      this.sleepers.take()
      this.gone--
    }
    return this.sleepers.earliest / nanosPerMilli
  }

  /** Goes on to the next sleeper and wakes it; false if nobody sleeps. */
  advance(): boolean {
    if (this.next === Infinity) return false
    this.nanos = this.sleepers.earliest
    this.sleepers.take()!.resume(Effect.void)
    return true
  }
}
