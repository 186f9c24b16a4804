/**
 * Traces and metrics of stacks, for the tracer and the metrics registry that the program has: Effect's own OTLP exporter
 * (`effect/observability`), `@effect/opentelemetry`, or any other.
 *
 * ```
 *   OTLP, OpenTelemetry's SDK …                 Tracer.Tracer, Metric.MetricRegistry: of the program
 *        ▲            ▲
 *      spans       metrics
 *        │            │  read when exported
 *   notices of the core, batches of the workers ◀── Telemetry.layer ── Netstack.layer
 * ```
 *
 * @example
 * ```ts
 * const Live = App.pipe(
 *   Layer.provide(Netstack.layer({ ipv4: "10.0.0.2/24" })),
 *   Layer.provide(Telemetry.layer()),
 *   Layer.provide(Otlp.layerJson({ baseUrl: "http://127.0.0.1:4318", resource: { serviceName: "app" } }))
 * )
 * ```
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import type { Instant } from "../src/core/Time.ts"
import * as Probe from "../src/workers/Probe.ts"
import { Batches } from "./TelemetryBatches.ts"
import { Connections } from "./TelemetryConnections.ts"

export interface Options {
  /** Tells this stack from others: the attribute `netstack.name` of its spans. */
  readonly name?: string
  /** A span for each TCP connection; on if absent. Nothing is if the program has switched tracing off (`References.TracerEnabled`). */
  readonly connections?: boolean
  /** Most events of a connection's span; the rest is counted in the attribute `netstack.events.dropped`. 128 if absent. */
  readonly eventLimit?: number
  /** One batch of the workers out of so many has a span; 1000 if absent, 0 for none. */
  readonly batchSample?: number
  /** Each packet of such a batch is an event of its span; off if absent. */
  readonly packets?: boolean
  /** The stack's metrics go into the registry of the program; on if absent. */
  readonly metrics?: boolean
}

const defaultEventLimit = 128
const defaultBatchSample = 1000

const attach = (options: Options): Probe.Probe["attach"] => () =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const isEnabled = yield* References.TracerEnabled
    const tracer = yield* Effect.tracer
    // Spans have the wall's time, the core the time since some beginning.
    const offset = clock.currentTimeNanosUnsafe() - clock.monotonicTimeNanosUnsafe()
    const nanosOf = (at: Instant): bigint => BigInt(Math.round(at * 1000)) + offset
    const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1000
    const attributes = options.name === undefined ? {} : { "netstack.name": options.name }
    const { batchSample: sample = defaultBatchSample, eventLimit = defaultEventLimit, packets = false } = options
    const batches = new Batches({ tracer, nanosOf, now, attributes, packets, sample: isEnabled ? sample : 0 })
    const connections = new Connections({ tracer, nanosOf, attributes, eventLimit })
    const isTraced = isEnabled && options.connections !== false
    yield* Effect.addFinalizer(() => Effect.sync(() => connections.close(now() as Instant)))
    const attached: Probe.Attached = {
      observe: (at, outputs, events) => {
        batches.ran(at, events, outputs)
        if (!isTraced) return
        for (const output of outputs) if (output._tag === "Notice") connections.changed(at, output.change)
      },
      claim: (ticket, span) => connections.claim(ticket, span),
      disclaim: (ticket) => connections.disclaim(ticket),
      spanOf: (connection) => connections.spanOf(connection),
      wantsMetrics: options.metrics !== false,
      batchSizes: batches.batchSizes,
      stepTimes: batches.stepTimes
    }
    return attached
  })

/**
 * Looks into every stack that is made above it. The tracer, the clock and the registry of metrics are those around the stack, so the layer of the exporter
 * belongs below.
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.succeed(Probe.Probe)({ attach: attach(options) })
