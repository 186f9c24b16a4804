/**
 * One seed decides what a network of layers does: requests of HTTP and questions of DNS go over the wire alike in each run, though Node and Effect number, date and
 * end them by chance elsewhere.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Dns from "effect/net/Dns"
import * as NetstackDns from "../../layers/NetstackDns.ts"
import * as NetstackHttpClient from "../../layers/NetstackHttpClient.ts"
import * as NetstackHttpServer from "../../layers/NetstackHttpServer.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as DnsZone from "../services/DnsZone.ts"

const routes = HttpRouter.add("GET", "/", HttpServerResponse.text("x".repeat(5000)))

const serving = Layer.build(
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NetstackHttpServer.layer({ port: 80 }))
  )
)

const ask = Effect.flatMap(HttpClient.get("http://10.0.0.1/"), (response) => Effect.as(response.text, response.headers))

const faults = { delay: "10 millis", jitter: "5 millis", rate: 1e6, loss: 0.05 } as const

const traceOf = <E, R>(program: Effect.Effect<unknown, E, R>, seed = 5) =>
  TestNetwork.run(
    Effect.andThen(program, Effect.map(TestNetwork.TestNetwork, ({ trace }) => trace)),
    { faults, seed, trace: "frames" }
  )

const clients = {
  "undici": NetstackHttpClient.layerUndici(),
  "node:http": NetstackHttpClient.layerNodeHttp()
}

describe("A seed", () => {
  for (const [name, client] of Object.entries(clients)) {
    it.effect(`gives the same frames for the same requests, by ${name}`, () =>
      Effect.gen(function*() {
        const program = Effect.scoped(Effect.gen(function*() {
          yield* serving
          const asked = Effect.forEach(Array.from({ length: 30 }), () => ask, { concurrency: 8 })
          yield* TestNetwork.on("remote")(Effect.provide(asked, client, { local: true }))
        }))
        const [first, second, other] = [yield* traceOf(program), yield* traceOf(program), yield* traceOf(program, 6)]
        assert.isAbove(first.count, 200)
        assert.strictEqual(second.hash, first.hash)
        assert.notStrictEqual(other.hash, first.hash)
      }))
  }

  it.effect("gives answers the date of the virtual clock", () =>
    Effect.gen(function*() {
      const program = Effect.scoped(Effect.gen(function*() {
        yield* serving
        yield* Effect.sleep("1 hour")
        return yield* TestNetwork.on("remote")(Effect.provide(ask, clients.undici, { local: true }))
      }))
      const headers = yield* TestNetwork.run(program, { faults: { delay: "10 millis" } })
      assert.strictEqual(headers["date"], "Thu, 01 Jan 1970 01:00:00 GMT")
    }))

  it.effect("gives the same numbers and ports to the same questions of DNS", () =>
    Effect.gen(function*() {
      const program = Effect.scoped(Effect.gen(function*() {
        yield* TestNetwork.on("remote")(DnsZone.serve())
        const lookup = Effect.flatMap(Dns.Dns, (dns) => dns.lookup("www.test"))
        yield* Effect.provide(lookup, NetstackDns.layer({ nameServers: ["10.0.0.2"] }), { local: true })
      }))
      const [first, second, other] = [yield* traceOf(program), yield* traceOf(program), yield* traceOf(program, 6)]
      assert.strictEqual(second.hash, first.hash)
      assert.notStrictEqual(other.hash, first.hash)
    }))
})
