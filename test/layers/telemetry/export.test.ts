import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { assert, describe, it } from "@effect/vitest"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto"
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  PeriodicExportingMetricReader
} from "@opentelemetry/sdk-metrics"
import { SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Otlp from "effect/observability/Otlp"
import { Flusher } from "effect/observability/OtlpExporter"
import { readFileSync } from "node:fs"
import * as Telemetry from "../../../layers/Telemetry.ts"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import * as TestNetwork from "../../../src/testing/TestNetwork.ts"
import { addressTwo, on, pair } from "../../workers/Hosts.ts"
import * as Collector from "./Collector.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A visit to a server that greets, and a connect where nobody listens. */
const program = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: 80 })
  yield* Effect.forkScoped(listener.serve((connection) => connection.write(bytes("hello"))))
  yield* TestNetwork.on("remote")(
    Effect.gen(function*() {
      const connection = yield* Tcp.connect("10.0.0.1:80")
      yield* connection.readAll
      yield* Effect.exit(Tcp.connect("10.0.0.1:81"))
    }).pipe(Effect.scoped, Effect.withSpan("visit"), Effect.tap(() => Effect.sleep("1 minute")))
  )
}).pipe(Effect.scoped)

const run = TestNetwork.run(program, { seed: 1, faults: { delay: "10 millis" } }).pipe(
  Effect.provide(Telemetry.layer())
)

/** What any exporter must have brought to the collector. */
const check = ({ faults, spans }: Collector.Collector) => {
  assert.deepStrictEqual(faults, [])
  const opened = (port: number) => {
    const found = spans.filter(({ attributes, name }) =>
      name === "TCP connection" && attributes["server.port"] === port
    )
    assert.strictEqual(found.length, 1, `connections to port ${port}`)
    return found[0]!
  }
  const visit = spans.find(({ name }) => name === "visit")!
  const connection = opened(80)
  const connects = spans.filter(({ name }) => name === "Tcp.connect")
  const connect = connects.find(({ spanId }) => spanId === connection.parentSpanId)!
  assert.deepStrictEqual([connect.traceId, connect.parentSpanId], [visit.traceId, visit.spanId])
  assert.strictEqual(connection.resource["service.name"], "lab")
  assert.strictEqual(connection.kind, 3)
  assert.strictEqual(connection.attributes["network.transport"], "tcp")
  assert.strictEqual(connection.attributes["netstack.tcp.bytes_received"], 5)
  assert.deepStrictEqual(
    connection.events.map(({ name }) => name),
    ["established", "first-byte-received", "close-wait", "last-ack"]
  )
  assert.isTrue(connection.nanos[1] > connection.nanos[0])
  const refused = opened(81)
  assert.deepStrictEqual([refused.attributes["error.type"], refused.status], ["ConnectionRefused", 2])
  const served = spans.find(({ kind, name }) => name === "TCP connection" && kind === 2)!
  const accept = spans.find(({ name, spanId }) => name === "Tcp.accept" && served.links.includes(spanId))!
  assert.deepStrictEqual(accept.links, [served.spanId])
}

/** Every metric that the docs tell of, by name. */
const documented = (() => {
  const page = readFileSync(new URL("../../../docs/observe.md", import.meta.url), "utf8")
  const rows = page.slice(page.indexOf("| metric ")).split("\n").filter((line) => line.startsWith("| `netstack."))
  return rows.flatMap((row) => [...row.split(" | ")[0]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)).toSorted()
})()

const alone = Effect.provideServiceEffect(Metric.MetricRegistry, Effect.sync((): Metric.MetricRegistry => new Map()))

/** Two stacks, of which one has sent a thousand bytes to the other; they are there for as long as the scope. */
const conversation = Effect.gen(function*() {
  const { one, two } = yield* Effect.provide(pair(), Telemetry.layer())
  const listener = yield* on(two)(Tcp.listen({ port: 80 }))
  const connection = yield* on(one)(Tcp.connect(`${addressTwo}:80`))
  yield* listener.accept
  yield* connection.write(new Uint8Array(1000))
  yield* connection.drained
})

const otlp = { json: Otlp.layerJson, protobuf: Otlp.layerProtobuf }
const types = { json: "application/json", protobuf: "application/x-protobuf" }

describe("What a collector gets", () => {
  for (const encoding of ["json", "protobuf"] as const) {
    const exporter = (collector: Collector.Collector) =>
      otlp[encoding]({ baseUrl: collector.url, resource: { serviceName: "lab" } }).pipe(
        Layer.provideMerge(FetchHttpClient.layer)
      )

    it.live(`are the spans, from effect/observability as ${encoding}`, () =>
      Effect.gen(function*() {
        const collector = yield* Collector.make
        yield* Effect.provide(run, exporter(collector))
        check(collector)
        assert.include(collector.types, types[encoding])
      }).pipe(alone))

    it.live(`are the metrics, from effect/observability as ${encoding}`, () =>
      Effect.gen(function*() {
        const collector = yield* Collector.make
        const observed = Effect.gen(function*() {
          yield* conversation
          yield* (yield* Flusher).flush
        })
        yield* Effect.scoped(Effect.provide(observed, exporter(collector)))
        assert.deepStrictEqual(collector.faults, [])
        const found = (name: string, attributes: Record<string, unknown> = {}) =>
          collector.points.find((point) =>
            point.name === name && Object.entries(attributes).every(([key, value]) => point.attributes[key] === value)
          )!
        const received = found("netstack.tcp.io", { "network.io.direction": "receive" })
        assert.deepInclude(received, { type: "sum", unit: "By" })
        const established = found("netstack.tcp.connections", { "netstack.tcp.state": "ESTABLISHED" })
        assert.deepInclude(established, { type: "gauge", value: 1 })
        assert.strictEqual(found("netstack.drops", { "netstack.drop.reason": "TcpPaws" }).value, 0)
        const rtt = found("netstack.tcp.rtt")
        assert.deepInclude(rtt, { type: "histogram", unit: "s" })
        assert.isAbove(rtt.value, 0)
        assert.isAbove(found("netstack.batch.size").value, 3)
      }).pipe(alone))
  }

  it.live("are the spans, from @effect/opentelemetry with OpenTelemetry's own exporter", () =>
    Effect.gen(function*() {
      const collector = yield* Collector.make
      const sdk = NodeSdk.layer(() => ({
        resource: { serviceName: "lab" },
        spanProcessor: new SimpleSpanProcessor(new OTLPTraceExporter({ url: `${collector.url}/v1/traces` }))
      }))
      yield* Effect.provide(run, sdk)
      check(collector)
      assert.include(collector.types, "application/x-protobuf")
    }).pipe(alone))

  it.live("are the metrics, from @effect/opentelemetry through a reader of OpenTelemetry's own", () =>
    Effect.gen(function*() {
      const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
      const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
      const sdk = NodeSdk.layer(() => ({ resource: { serviceName: "lab" }, metricReader: reader }))
      const observed = Effect.andThen(conversation, Effect.promise(() => reader.forceFlush()))
      yield* Effect.scoped(Effect.provide(observed, sdk))
      const [read] = exporter.getMetrics()
      assert.strictEqual(read!.resource.attributes["service.name"], "lab")
      const metrics = read!.scopeMetrics.flatMap(({ metrics }) => metrics)
      assert.deepStrictEqual(metrics.map(({ descriptor }) => descriptor.name).toSorted(), documented)
      const found = (name: string, attributes: Record<string, unknown> = {}) => {
        const { dataPointType, dataPoints, descriptor } = metrics.find(({ descriptor }) => descriptor.name === name)!
        const point = dataPoints.find((each) =>
          Object.entries(attributes).every(([key, value]) => each.attributes[key] === value)
        )!
        return { type: dataPointType, unit: descriptor.unit, value: point.value }
      }
      const received = found("netstack.tcp.io", { "network.io.direction": "receive" })
      assert.deepStrictEqual(received, { type: DataPointType.SUM, unit: "By", value: 1000 })
      const established = found("netstack.tcp.connections", { "netstack.tcp.state": "ESTABLISHED" })
      assert.deepInclude(established, { type: DataPointType.GAUGE, value: 1 })
      assert.strictEqual(found("netstack.drops", { "netstack.drop.reason": "TcpPaws" }).value, 0)
      const rtt = found("netstack.tcp.rtt")
      assert.deepInclude(rtt, { type: DataPointType.HISTOGRAM, unit: "s" })
      assert.isAbove((rtt.value as { readonly count: number }).count, 0)
    }).pipe(alone))
})
