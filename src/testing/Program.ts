/**
 * Programs on the hosts of a simulation: generators that wait for answers and for time, without fibers.
 *
 * ```ts
 * simulation.program("server", "remote", function*(self) {
 *   const { listener } = yield* self.ask({ _tag: "TcpListen", … })
 *   const { connection } = yield* self.ask({ _tag: "TcpAccept", listener, block: true })
 *   yield* self.sleep(Time.seconds(1))
 * })
 * ```
 */
import * as Data from "effect/Data"
import type { Reason } from "../core/Reason.ts"
import type { Request } from "../core/Request.ts"
import * as Time from "../core/Time.ts"
import type { Answered, Asked } from "../workers/Requests.ts"
import type { Host } from "./Host.ts"

/** A request of a program that could not be met. A program may catch it. */
export class RequestFailed extends Data.TaggedError("RequestFailed")<{
  readonly request: Request["_tag"]
  readonly reason: Reason
}> {
  override get message(): string {
    return `${this.request}: ${this.reason._tag}`
  }
}

/** What a program waits for. */
export interface Wait {
  readonly what: string
  readonly isOver: () => boolean
}

/** Part of a program that answers an `A`: `yield*` it. */
export type Part<A> = Generator<Wait, A, void>

/** What a program holds. */
export interface Self {
  readonly host: Host
  /** Asks the host's core, and waits for the answer. Throws {@link RequestFailed}. */
  readonly ask: <Tag extends Request["_tag"]>(request: Asked<Tag>) => Part<Answered<Tag>>
  readonly sleep: (span: Time.Span) => Part<void>
  /** Waits until something is so; it is looked at whenever something has happened to the host. */
  readonly until: (what: string, isOver: () => boolean) => Part<void>
}

export type Body<A> = (self: Self) => Part<A>

const ask = (host: Host): Self["ask"] =>
  function*(request) {
    const { outcome } = host.request(request)
    if (outcome()._tag === "Pending") yield { what: request._tag, isOver: () => outcome()._tag !== "Pending" }
    const met = outcome()
    if (met._tag === "Failed") throw new RequestFailed({ request: request._tag, reason: met.reason })
    if (met._tag === "Pending") throw new Error(`${request._tag} was resumed before its answer`)
    return met.value
  }

const until: Self["until"] = function*(what, isOver) {
  if (!isOver()) yield { what, isOver }
}

/** What a program needs beside its host: somebody who looks at it again at a time. */
export const selfOf = (host: Host, wakeAt: (at: Time.Instant) => void): Self => ({
  host,
  ask: ask(host),
  until,
  sleep: function*(span) {
    const due = Time.plus(host.now, span)
    wakeAt(due)
    yield { what: "sleep", isOver: () => host.now >= due }
  }
})

/** A running program. */
export class Process<A> {
  readonly name: string
  private readonly generator: Part<A>
  private waiting: Wait | undefined = { what: "start", isOver: () => true }
  private outcome: { readonly value: A } | undefined

  constructor(name: string, generator: Part<A>) {
    this.name = name
    this.generator = generator
  }

  get isDone(): boolean {
    return this.outcome !== undefined
  }

  /** What it waits for; `undefined` when it is done or has failed. */
  get waitsFor(): string | undefined {
    return this.waiting?.what
  }

  /** What the program answered. Throws if it is not done. */
  get value(): A {
    if (this.outcome === undefined) throw new Error(`program ${this.name} is not done: ${this.waitsFor ?? "it failed"}`)
    return this.outcome.value
  }

  /** Goes on as far as it can; true if it did at all. What the program throws is thrown. */
  resume(): boolean {
    let moved = false
    while (this.waiting?.isOver() === true) {
      moved = true
      this.waiting = undefined
      const step = this.generator.next()
      if (step.done === true) this.outcome = { value: step.value }
      else this.waiting = step.value
    }
    return moved
  }
}
