/** A collector of OpenTelemetry on the kernel's side: prints its URL, then each span that it decodes as a line of JSON. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Collector from "../../layers/telemetry/Collector.ts"

const program = Effect.gen(function*() {
  const collector = yield* Collector.make
  yield* Console.log(collector.url)
  let printed = 0
  for (;;) {
    for (const { attributes, events, kind, name } of collector.spans.slice(printed)) {
      yield* Console.log(JSON.stringify({ name, kind, attributes, events: events.map((event) => event.name) }))
    }
    printed = collector.spans.length
    for (const fault of collector.faults) yield* Console.log(`fault ${fault}`)
    yield* Effect.sleep("50 millis")
  }
})

NodeRuntime.runMain(Effect.scoped(program))
