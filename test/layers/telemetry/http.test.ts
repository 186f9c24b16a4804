/** The spans of HTTP requests and of the connections that they came by. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as NetstackHttpClient from "../../../layers/NetstackHttpClient.ts"
import * as NetstackHttpServer from "../../../layers/NetstackHttpServer.ts"
import * as Telemetry from "../../../layers/Telemetry.ts"
import { Netstack } from "../../../src/sockets/Netstack.ts"
import { addressTwo, on, pair } from "../../workers/Hosts.ts"
import * as Certificate from "../Certificate.ts"
import * as HttpApp from "../HttpApp.ts"
import { Spans } from "./Spans.ts"

/** Asks twice over one connection, and gives the spans. */
const asked = (scheme: "http" | "https") =>
  Effect.gen(function*() {
    const spans = new Spans()
    const { cert, key } = Certificate.make("netstack.test", addressTwo)
    const options = scheme === "https" ? { tls: { key, cert } } : {}
    const conversation = Effect.gen(function*() {
      const { one, two } = yield* pair()
      const server = yield* on(two)(NetstackHttpServer.make({ port: 80, ...options }))
      yield* Effect.provideService(HttpApp.serve, HttpServer.HttpServer, server)
      const get = Effect.flatMap(HttpClient.get(`${scheme}://${addressTwo}:80/hello`), (response) => response.text)
      const client = NetstackHttpClient.layerNodeHttp({ tls: { ca: cert } })
      const twice = Effect.all([Effect.scoped(get), Effect.scoped(get)])
      return yield* Effect.provide(twice, Layer.provideMerge(client, Layer.succeed(Netstack, one)))
    })
    const texts = yield* Effect.scoped(conversation).pipe(
      Effect.provide(Telemetry.layer()),
      Effect.withTracer(spans.tracer)
    )
    assert.deepStrictEqual(texts, ["hello", "hello"])
    return spans
  })

describe("NetstackHttpServer with telemetry", () => {
  for (const scheme of ["http", "https"] as const) {
    it.live(`links the span of each request to that of its connection (${scheme})`, () =>
      Effect.gen(function*() {
        const spans = yield* asked(scheme)
        const connections = spans.named("TCP connection").filter(({ kind }) => kind === "server")
        const requests = spans.all.filter(({ kind, name }) => kind === "server" && name !== "TCP connection")
        assert.lengthOf(requests, 2, spans.all.map(({ kind, name }) => `${kind} ${name}`).join(", "))
        const linked = requests.map(({ links }) => links.map(({ span }) => span.spanId))
        // The client keeps a plain connection for the second request.
        if (scheme === "http") assert.lengthOf(connections, 1)
        const [first, last] = [connections.at(0)!, connections.at(-1)!]
        assert.deepStrictEqual(linked, [[first.spanId], [last.spanId]])
        assert.notStrictEqual(requests[0]!.traceId, first.traceId)
      }))
  }
})
