/**
 * Runs a program in virtual time: as fast as it can, with a clock that jumps from one sleep to the next when all fibers wait.
 *
 * ```
 *   run all tasks ─▶ none left ─▶ is the program done? ─▶ wake the next sleeper ─▶ run all tasks ─▶ …
 *                                                      └▶ nobody sleeps: a deadlock
 * ```
 *
 * The clock and the scheduler are those of Effect's context, so a program has the same layers as live. Unlike `TestClock`, nobody
 * has to move the time, it is known exactly when all fibers wait, and no task goes through the event loop: what the program does
 * depends on nothing but itself and the seed.
 *
 * What waits for the world outside (a promise, a Node stream) is not seen; {@link Options.turns} lets such code take part. The layers
 * of this package that stand on Node's streams (HTTP, TLS, WebSockets, `NodeDuplex`, `WebStreams`) see to it by themselves.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { EventLoop } from "../workers/EventLoop.ts"
import { seededTracer } from "./seededTracer.ts"
import { VirtualClock } from "./VirtualClock.ts"
import { VirtualScheduler } from "./VirtualScheduler.ts"

export interface Options {
  /** Wall time of the start, in milliseconds since 1970; 0 if absent. */
  readonly startAt?: number
  /** Seeds Effect's `Random`; the random numbers of the context if absent. */
  readonly seed?: number | string
  /**
   * How often the real event loop turns before the time goes on, so that promises and streams inside can finish. If absent, 0 until
   * a layer of this package that stands on Node's streams joins in, and 20 from then on. With 0 a program that waits for a
   * promise is taken for a deadlock.
   */
  readonly turns?: number
  /**
   * Tasks at one instant that are taken for a {@link Livelock}; two million if absent, which takes seconds. One that lasts until its fiber has to
   * yield counts for two hundred.
   */
  readonly mostAtOnce?: number
  /** Virtual time after which a program that is not done fails with {@link Overtime}; 365 days if absent. */
  readonly limit?: Duration.Input
}

/** A fiber that waits. */
export interface Waiting {
  readonly id: number
  /**
   * The names of the spans and of the `Effect.fn` functions that it is in, innermost first; empty if it has none. Those of fibers
   * that work for a stack begin with `netstack `.
   */
  readonly within: ReadonlyArray<string>
}

const describe = ({ id, within }: Waiting): string =>
  within.length === 0 ? `#${id} without a name` : `#${id} in ${within.join(" < ")}`

const isOfStack = ({ within }: Waiting): boolean => within.at(-1)?.startsWith("netstack ") === true

/** Fibers that stacks always have, each kind once, with its number. */
const describeWorkers = (workers: ReadonlyArray<Waiting>): ReadonlyArray<string> => {
  const kinds = new Map<string, number>()
  for (const { within } of workers) kinds.set(within.at(-1)!, (kinds.get(within.at(-1)!) ?? 0) + 1)
  return [...kinds].map(([name, count]) => count === 1 ? name : `${count} × ${name}`)
}

/** Fibers of a program that a message names; of hundreds the others are of the same kinds. */
const mostNamed = 20

/** The program's own fibers come first: it is one of them that does not go on. */
const describeAll = (waiting: ReadonlyArray<Waiting>): string => {
  const own = waiting.filter((each) => !isOfStack(each))
  return [
    ...own.slice(0, mostNamed).map(describe),
    ...(own.length > mostNamed ? [`and ${own.length - mostNamed} more`] : []),
    ...describeWorkers(waiting.filter(isOfStack))
  ].join("; ")
}

/** All fibers wait and none sleeps: nothing can ever happen again. */
export class Deadlock extends Data.TaggedError("Deadlock")<{
  /** Virtual time since the start. */
  readonly after: Duration.Duration
  readonly waiting: ReadonlyArray<Waiting>
  /** How often the event loop had its turn before. */
  readonly turns: number
}> {
  override get message(): string {
    const told = `after ${Duration.format(this.after)} everything waits and nothing sleeps: ${
      describeAll(this.waiting)
    }`
    return this.turns > 0
      ? told
      : `${told}. If one of them waits for a promise or for a stream of Node, give the option "turns": 20`
  }
}

/** Fibers kept each other busy so long without letting the time go on that they are taken to do so for ever. */
export class Livelock extends Data.TaggedError("Livelock")<{
  readonly after: Duration.Duration
  readonly busy: ReadonlyArray<Waiting>
}> {
  override get message(): string {
    return `after ${Duration.format(this.after)} the fibers do not come to rest: ${describeAll(this.busy)}`
  }
}

/** The program goes on longer than it may: one that sleeps again and again never ends, and is no deadlock. */
export class Overtime extends Data.TaggedError("Overtime")<{
  readonly after: Duration.Duration
  readonly waiting: ReadonlyArray<Waiting>
}> {
  override get message(): string {
    return `after ${Duration.format(this.after)} the program goes on, longer than its "limit": ${
      describeAll(this.waiting)
    }`
  }
}

const defaultMostAtOnce = 2_000_000

const defaultLimit = Duration.days(365)

/** A request and its answer pass several streams, each of which takes a turn or two. */
const turnsOfStreams = 20

/** Tasks after which the caller's own runtime gets its turn, so that a run can be interrupted and the timers of a test runner fire. */
const tasksOfTurn = 20_000

/** What Effect puts behind the name of a function for the frame of its definition. */
const definition = " (definition)"

const withinOf = (fiber: Fiber.Fiber<unknown, unknown>): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (let frame = fiber.cache.stackFrame; frame !== undefined; frame = frame.parent) names.push(frame.name)
  const { span } = fiber.cache
  if (span?._tag === "Span" && !names.includes(span.name)) names.unshift(span.name)
  return names.filter((name) => !name.endsWith(definition))
}

/** Why a program that doesn't end by itself is ended. */
export type Failure = Deadlock | Livelock | Overtime

/** A program that runs in virtual time. */
class Run<A, E, R> {
  private readonly clock: VirtualClock
  private readonly scheduler = new VirtualScheduler()
  private readonly fiber: Fiber.Fiber<A, E>
  private turns: number
  private readonly mostAtOnce: number
  private readonly limit: number
  private turned = 0
  private atOnce = 0
  /** Work since the caller's runtime had its turn. */
  private sinceTurn = 0

  constructor(effect: Effect.Effect<A, E, R>, context: Context.Context<R>, options: Options) {
    this.clock = new VirtualClock(options.startAt ?? 0)
    this.turns = options.turns ?? 0
    this.mostAtOnce = options.mostAtOnce ?? defaultMostAtOnce
    this.limit = Duration.toMillis(options.limit ?? defaultLimit)
    const joined = () => {
      if (options.turns === undefined) this.turns = turnsOfStreams
    }
    const inside = context.pipe(
      Context.add(Clock.Clock, this.clock),
      Context.add(Scheduler.Scheduler, this.scheduler),
      Context.add(EventLoop, { joined })
    )
    this.fiber = Effect.runForkWith(inside)(effect)
  }

  /** Runs to the end, with a turn for the caller's runtime from time to time. */
  readonly toEnd: Effect.Effect<A, E | Failure> = Effect.suspend(() => {
    for (;;) {
      const ran = this.scheduler.drain(tasksOfTurn)
      this.atOnce += ran
      this.sinceTurn += 1 + ran
      if (!this.scheduler.isIdle) return this.atOnce > this.mostAtOnce ? this.end(this.livelock()) : this.turn
      const exit = this.fiber.pollUnsafe()
      if (exit !== undefined) return exit
      if (ran > 0) this.turned = 0
      if (this.turned < this.turns) {
        this.turned++
        return this.turn
      }
      if (this.sinceTurn >= tasksOfTurn) return this.turn
      this.turned = 0
      this.atOnce = 0
      if (this.clock.next > this.limit && this.clock.next !== Infinity) return this.end(this.overtime())
      if (!this.clock.advance()) return this.end(this.deadlock())
    }
  })

  private readonly turn: Effect.Effect<A, E | Failure> = Effect.suspend(() => {
    this.sinceTurn = 0
    return Effect.andThen(Effect.yieldNow, this.toEnd)
  })

  private get after(): Duration.Duration {
    return Duration.millis(this.clock.elapsed)
  }

  private get waiting(): ReadonlyArray<Waiting> {
    return this.scheduler.fibers.map((fiber) => {
      const within = withinOf(fiber)
      return { id: fiber.id, within: within.length === 0 && fiber === this.fiber ? ["the program"] : within }
    })
  }

  private deadlock(): Deadlock {
    return new Deadlock({ after: this.after, waiting: this.waiting, turns: this.turns })
  }

  private livelock(): Livelock {
    return new Livelock({ after: this.after, busy: this.waiting })
  }

  private overtime(): Overtime {
    return new Overtime({ after: this.after, waiting: this.waiting })
  }

  /** Ends the program, so that what it holds is released, and fails. */
  private end(error: Failure): Effect.Effect<never, Failure> {
    this.interrupt()
    return Effect.fail(error)
  }

  /** Interrupts the program and runs its finalizers, as far as they come. */
  readonly interrupt = (): Exit.Exit<A, E> | undefined => {
    this.fiber.interruptUnsafe()
    for (let count = this.scheduler.drain(tasksOfTurn); this.fiber.pollUnsafe() === undefined;) {
      // As while it runs, no time passes before everything has come to rest.
      if (count > this.mostAtOnce || this.scheduler.isIdle && !this.clock.advance()) break
      count += 1 + this.scheduler.drain(tasksOfTurn)
    }
    return this.fiber.pollUnsafe()
  }
}

/** The seed decides what `Random` gives, and the numbers of spans where the program has no tracer of its own. */
const seeded = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  seed: string | number,
  tracer: Tracer.Tracer
): Effect.Effect<A, E, R> => {
  const random = Random.withSeed(effect, seed)
  return tracer === Tracer.nativeTracer
    ? Effect.provideService(random, Tracer.Tracer, seededTracer(typeof seed === "number" ? seed : Hash.string(seed)))
    : random
}

/**
 * Runs a program in virtual time, with a scope of its own. Fails with what the program fails with, or with {@link Deadlock},
 * {@link Livelock} or {@link Overtime}; then its finalizers have run.
 *
 * @example
 * ```ts
 * it.effect("gives up after an hour", () =>
 *   VirtualTime.run(Effect.gen(function*() {
 *     const error = yield* Effect.flip(Effect.timeout(Effect.never, "1 hour"))
 *     assert.strictEqual(error._tag, "TimeoutError")
 *   })))
 * ```
 */
export const run = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: Options = {}
): Effect.Effect<A, E | Failure, Exclude<R, Scope.Scope>> =>
  Effect.contextWith((context: Context.Context<Exclude<R, Scope.Scope>>) => {
    const scoped = Effect.scoped(effect)
    const started = new Run(
      options.seed === undefined ? scoped : seeded(scoped, options.seed, Context.get(context, Tracer.Tracer)),
      context,
      options
    )
    return Effect.onInterrupt(started.toEnd, () => Effect.sync(started.interrupt))
  })
