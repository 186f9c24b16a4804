/**
 * The trace of one connection over a line that loses one packet in fifty, in virtual time: `node examples/trace.ts`
 */
import { Effect, Option, Tracer } from "effect"
import * as Telemetry from "../layers/Telemetry.ts"
import { Tcp } from "../src/index.ts"
import { TestNetwork } from "../src/testing/index.ts"

/** Keeps the spans instead of sending them anywhere; `Otlp.layerJson` sends them to a collector. */
const spans: Array<Tracer.NativeSpan> = []
const tracer = Tracer.make({
  span: (options) => {
    const span = new Tracer.NativeSpan(options)
    spans.push(span)
    return span
  }
})

/** A span with what stands below it, each line with its time. */
const print = (span: Tracer.NativeSpan, indent: string, origin: bigint): void => {
  const line = (time: bigint, text: string) =>
    console.log(`${(Number(time - origin) / 1e6).toFixed(1).padStart(8)} ms  ${indent}${text}`)
  const linked = spans.find(({ spanId }) => spanId === span.links[0]?.span.spanId)
  line(span.startTime, `${span.name}${linked === undefined ? "" : ` ↔ ${linked.name}`}`)
  for (const [name, time, attributes] of span.events) line(time, `  · ${name} ${Object.values(attributes).join(" ")}`)
  for (const child of spans.filter(({ parent }) => Option.getOrUndefined(parent) === span)) {
    print(child, `${indent}  `, origin)
  }
}

/** Reads what comes, and answers with its length. */
const count = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: 9 })
  yield* Effect.forkScoped(listener.serve((connection) =>
    Effect.withSpan(
      Effect.flatMap(connection.readAll, ({ length }) => connection.write(new TextEncoder().encode(`${length}`))),
      "count"
    )
  ))
})

const upload = Effect.gen(function*() {
  const connection = yield* Tcp.connect("10.0.0.1:9")
  yield* connection.write(new Uint8Array(100_000))
  yield* connection.end
  return new TextDecoder().decode(yield* connection.readAll)
}).pipe(Effect.scoped, Effect.withSpan("upload"))

const whole = Effect.tap(upload, () => Effect.sleep("1 second"))
const program = Effect.scoped(Effect.andThen(count, TestNetwork.on("remote")(whole)))
const traced = TestNetwork.run(program, { faults: { delay: "10 millis", loss: 0.02 }, seed: 5 }).pipe(
  Effect.provide(Telemetry.layer()),
  Effect.withTracer(tracer)
)

console.log(`${await Effect.runPromise(traced)} bytes arrived`)
for (const span of spans) if (Option.isNone(span.parent)) print(span, "", spans[0]!.startTime)
