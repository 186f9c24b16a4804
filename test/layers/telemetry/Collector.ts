/**
 * A stand-in for a collector of OpenTelemetry: an HTTP server on loopback that takes OTLP as JSON or protobuf, decodes what is sent, and keeps it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { decode, type Message } from "./Protobuf.ts"

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
  readonly nanos: readonly [start: bigint, end: bigint]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }>
  readonly links: ReadonlyArray<string>
  /** 0 unset, 1 well, 2 an error. */
  readonly status: number
  readonly resource: Readonly<Record<string, unknown>>
}

/** One series. */
export interface Point {
  readonly name: string
  readonly unit: string
  readonly type: "sum" | "gauge" | "histogram"
  readonly attributes: Readonly<Record<string, unknown>>
  /** Of a histogram: how many. */
  readonly value: number
}

export interface Collector {
  readonly url: string
  readonly spans: ReadonlyArray<Span>
  readonly points: ReadonlyArray<Point>
  /** Content types of requests, and what could not be understood. */
  readonly types: ReadonlySet<string>
  readonly faults: ReadonlyArray<string>
}

const anyValue: Message = {
  1: ["stringValue", "text"],
  2: ["boolValue", "bool"],
  3: ["intValue", "varint"],
  4: ["doubleValue", "double"]
}
const keyValue: Message = { 1: ["key", "text"], 2: ["value", anyValue] }
const resource: Message = { 1: ["attributes", keyValue, "repeated"] }
const event: Message = { 1: ["timeUnixNano", "fixed64"], 2: ["name", "text"], 3: ["attributes", keyValue, "repeated"] }
const link: Message = { 1: ["traceId", "hex"], 2: ["spanId", "hex"], 4: ["attributes", keyValue, "repeated"] }
const span: Message = {
  1: ["traceId", "hex"],
  2: ["spanId", "hex"],
  4: ["parentSpanId", "hex"],
  5: ["name", "text"],
  6: ["kind", "varint"],
  7: ["startTimeUnixNano", "fixed64"],
  8: ["endTimeUnixNano", "fixed64"],
  9: ["attributes", keyValue, "repeated"],
  11: ["events", event, "repeated"],
  13: ["links", link, "repeated"],
  15: ["status", { 2: ["message", "text"], 3: ["code", "varint"] }]
}
const traces: Message = {
  1: [
    "resourceSpans",
    { 1: ["resource", resource], 2: ["scopeSpans", { 2: ["spans", span, "repeated"] }, "repeated"] },
    "repeated"
  ]
}
const number: Message = { 4: ["asDouble", "double"], 6: ["asInt", "fixed64"], 7: ["attributes", keyValue, "repeated"] }
const histogram: Message = {
  4: ["count", "fixed64"],
  5: ["sum", "double"],
  6: ["bucketCounts", "fixed64s"],
  7: ["explicitBounds", "doubles"],
  9: ["attributes", keyValue, "repeated"]
}
const metric: Message = {
  1: ["name", "text"],
  3: ["unit", "text"],
  5: ["gauge", { 1: ["dataPoints", number, "repeated"] }],
  7: ["sum", { 1: ["dataPoints", number, "repeated"] }],
  9: ["histogram", { 1: ["dataPoints", histogram, "repeated"] }]
}
const metrics: Message = {
  1: ["resourceMetrics", {
    1: ["resource", resource],
    2: ["scopeMetrics", { 2: ["metrics", metric, "repeated"] }, "repeated"]
  }, "repeated"]
}

/** What both encodings have become: records by the names of OTLP's JSON. */
type Json = any

const attributesOf = (pairs: ReadonlyArray<Json> = []): Record<string, unknown> =>
  Object.fromEntries(pairs.map(({ key, value = {} }) => {
    const { boolValue, doubleValue, intValue, stringValue } = value
    return [key, stringValue ?? boolValue ?? doubleValue ?? (intValue === undefined ? undefined : Number(intValue))]
  }))

const spanOf = (self: Json, resource: Span["resource"]): Span => {
  if (!/^[0-9a-f]{32}$/.test(self.traceId) || !/^[0-9a-f]{16}$/.test(self.spanId)) {
    throw new Error(`ids of ${self.name}`)
  }
  return {
    traceId: self.traceId,
    spanId: self.spanId,
    parentSpanId: self.parentSpanId ?? "",
    name: self.name,
    kind: Number(self.kind),
    nanos: [BigInt(self.startTimeUnixNano), BigInt(self.endTimeUnixNano)],
    attributes: attributesOf(self.attributes),
    events: (self.events ?? []).map((event: Json) => ({
      name: event.name,
      attributes: attributesOf(event.attributes)
    })),
    links: (self.links ?? []).map((link: Json) => link.spanId),
    status: Number(self.status?.code ?? 0),
    resource
  }
}

const spansOf = (body: Json): ReadonlyArray<Span> =>
  body.resourceSpans.flatMap((group: Json) =>
    group.scopeSpans.flatMap((scope: Json) =>
      scope.spans.map((one: Json) => spanOf(one, attributesOf(group.resource?.attributes)))
    )
  )

const pointsOf = (body: Json): ReadonlyArray<Point> =>
  body.resourceMetrics.flatMap((group: Json) => group.scopeMetrics.flatMap((scope: Json) => scope.metrics)).flatMap(
    (self: Json) => {
      const type = (["sum", "gauge", "histogram"] as const).find((name) => self[name] !== undefined)
      if (type === undefined) throw new Error(`the metric ${self.name}`)
      return self[type].dataPoints.map((point: Json): Point => ({
        name: self.name,
        unit: self.unit ?? "",
        type,
        attributes: attributesOf(point.attributes),
        value: Number(point.asDouble ?? point.asInt ?? point.count ?? 0)
      }))
    }
  )

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

class Server implements Collector {
  url = ""
  readonly spans: Array<Span> = []
  readonly points: Array<Point> = []
  readonly types = new Set<string>()
  readonly faults: Array<string> = []

  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    void bodyOf(request).then((body) => this.take(request, body)).catch((error: unknown) => {
      this.faults.push(String(error))
    }).then(() => response.setHeader("content-type", "application/json").end("{}"))
  }

  private take({ headers, url }: IncomingMessage, body: Buffer): void {
    const type = headers["content-type"] ?? ""
    this.types.add(type)
    const decoded = (table: Message): Json =>
      type === "application/json" ? JSON.parse(body.toString()) : decode(body, table)
    if (url === "/v1/traces") this.spans.push(...spansOf(decoded(traces)))
    else if (url === "/v1/metrics") this.points.push(...pointsOf(decoded(metrics)))
    else if (url !== "/v1/logs") this.faults.push(`a request to ${url}`)
  }
}

/** Listens on a free port of loopback until the scope closes. */
export const make: Effect.Effect<Collector, never, Scope.Scope> = Effect.gen(function*() {
  const self = new Server()
  const server = createServer(self.answer)
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  self.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return self
})
