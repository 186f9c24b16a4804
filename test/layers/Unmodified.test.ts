/**
 * `examples/prices`: a service and its tests, neither of which knows the network, on Node's network and on stacks in virtual time over lines that
 * lose packets. The service has a bug that only losses bring to light.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Checks from "../../examples/prices/checks.ts"
import * as Service from "../../examples/prices/service.ts"
import * as NetstackHttpClient from "../../layers/NetstackHttpClient.ts"
import * as NetstackHttpServer from "../../layers/NetstackHttpServer.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import { portOf } from "./contract/Environments.ts"

const http = process.getBuiltinModule("node:http")

type Served = Layer.Layer<never, never, HttpServer.HttpServer | HttpClient.HttpClient>

/** Starts a server with its routes, and answers its port. */
const start = (
  served: Served,
  server: Layer.Layer<HttpServer.HttpServer, unknown>,
  client: Layer.Layer<HttpClient.HttpClient>
) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(served.pipe(Layer.provideMerge(Layer.fresh(server)), Layer.provide(client)))
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    return portOf(address)
  })

const quiet = { disableLogger: true, disableListenLog: true } as const
const shop: Served = HttpRouter.serve(Service.shop, quiet)
const service = (url: string, patience: Service.Patience): Served =>
  HttpRouter.serve(Service.routes(url, patience), quiet)

type Check = (url: string) => Effect.Effect<unknown, unknown, HttpClient.HttpClient>

/** The service and the shop on the kernel's loopback. */
const onNode = (patience: Service.Patience, check: Check) =>
  Effect.gen(function*() {
    const host = "127.0.0.1"
    const server = NodeHttpServer.layerServer(() => http.createServer(), { port: 0, host })
    const client = NodeHttpClient.layerUndici
    const shopPort = yield* start(shop, server, client)
    const port = yield* start(service(`http://${host}:${shopPort}`, patience), server, client)
    yield* Effect.provide(check(`http://${host}:${port}`), client)
  }).pipe(Effect.scoped, Effect.exit)

/** The same, each on a host of its own; the customers are where the shop is. */
const onStacks = (patience: Service.Patience, check: Check, loss: number, seed = 1) =>
  Effect.gen(function*() {
    const here = Layer.succeed(Netstack.Netstack, yield* TestNetwork.stack("local"))
    const there = Layer.succeed(Netstack.Netstack, yield* TestNetwork.stack("remote"))
    const server = NetstackHttpServer.layerServer({ port: 80 })
    const client = NetstackHttpClient.layer()
    yield* start(shop, Layer.provide(server, there), Layer.provide(client, there))
    yield* start(service("http://10.0.0.2", patience), Layer.provide(server, here), Layer.provide(client, here))
    yield* Effect.provide(check("http://10.0.0.1"), Layer.provide(client, there))
  }).pipe(
    Effect.scoped,
    (program) => TestNetwork.run(program, { faults: { delay: "10 millis", loss }, seed }),
    Effect.exit
  )

/** What is lost decides whether a bug shows: one run finds it or not, several do. */
const seeds = [1, 2, 3, 4, 5, 6]

const succeeded = (exit: Exit.Exit<unknown, unknown>) => assert.isTrue(Exit.isSuccess(exit), String(exit))

describe("a service that knows nothing of the network", () => {
  it.live("passes its tests on Node's network, with its bug", () =>
    Effect.gen(function*() {
      succeeded(yield* onNode(Service.impatient, Checks.addsTax))
      succeeded(yield* onNode(Service.impatient, Checks.servesEverybody))
    }))

  it.live("passes them on the stack as well, where nothing is lost", () =>
    Effect.gen(function*() {
      succeeded(yield* onStacks(Service.impatient, Checks.addsTax, 0))
      succeeded(yield* onStacks(Service.impatient, Checks.servesEverybody, 0))
    }))

  it.live("shows its bug where packets are lost", () =>
    Effect.gen(function*() {
      const exits = yield* Effect.forEach(
        seeds,
        (seed) => onStacks(Service.impatient, Checks.servesEverybody, 0.05, seed)
      )
      const failures = exits.filter(Exit.isFailure)
      assert.isNotEmpty(failures)
      for (const failure of failures) assert.include(String(failure), "the shop does not answer")
    }))

  it.live("passes them there too once it is mended", () =>
    Effect.gen(function*() {
      for (const seed of seeds) {
        succeeded(yield* onStacks(Service.patient, Checks.addsTax, 0.05, seed))
        succeeded(yield* onStacks(Service.patient, Checks.servesEverybody, 0.05, seed))
      }
      succeeded(yield* onNode(Service.patient, Checks.servesEverybody))
    }))
})
