/**
 * What looks into a stack from outside: tracing and metrics. Nothing does unless a layer provides the reference {@link Probe}
 * (`layers/Telemetry.ts`); a stack without one takes the same path as ever.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { Config } from "../core/Config.ts"
import type { Ticket } from "../core/Request.ts"
import type { Observer } from "./Core.ts"

/** Numbers in classes, for a histogram: how many were at most each bound, and how many above the last. */
export interface Classes {
  readonly bounds: ReadonlyArray<number>
  /** One more than there are bounds. */
  readonly counts: ReadonlyArray<number>
  readonly sum: number
  readonly min: number
  readonly max: number
}

/** A probe in one stack. */
export interface Attached {
  /** Sees every batch. Called under the permit: it must not wait, nor resume anybody. */
  readonly observe: Observer
  /** The connection that the request of this ticket makes belongs below this span. */
  readonly claim: (ticket: Ticket, span: Tracer.AnySpan) => void
  /** The request has been answered: if it has made no connection by now, it never will. */
  readonly disclaim: (ticket: Ticket) => void
  /** The span of a connection that lives. */
  readonly spanOf: (connection: number) => Tracer.Span | undefined
  /** Whether the stack's metrics go into the program's registry. */
  readonly wantsMetrics: boolean
  /** Events of each batch, and how long it took in seconds. */
  readonly batchSizes: () => Classes
  readonly stepTimes: () => Classes
}

export interface Probe {
  /** Looks into a stack that is being made, until its scope closes. */
  readonly attach: (config: Config) => Effect.Effect<Attached, never, Scope.Scope>
}

export const Probe = Context.Reference<Probe | undefined>("effect-netstack/Probe", { defaultValue: () => undefined })

/** Both observers as one, or the only one there is. */
export const both = (first: Observer | undefined, second: Observer | undefined): Observer | undefined => {
  if (first === undefined || second === undefined) return first ?? second
  return (at, outputs, events) => {
    first(at, outputs, events)
    second(at, outputs, events)
  }
}
