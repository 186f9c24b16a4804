/**
 * An Effect `HttpServer` on the stack: `/` says who asks, `/large` is a megabyte.
 */
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as NetstackHttpServer from "../../../layers/NetstackHttpServer.ts"
import { run } from "./onTap.ts"

const app = Effect.gen(function*() {
  const { remoteAddress, url } = yield* HttpServerRequest.HttpServerRequest
  return url === "/large"
    ? HttpServerResponse.uint8Array(new Uint8Array(1 << 20).fill(0x61))
    : HttpServerResponse.text(`hello, ${Option.getOrElse(remoteAddress, () => "whoever you are")}\n`)
})

run(Effect.gen(function*() {
  yield* Layer.build(
    Layer.provide(Layer.effectDiscard(HttpServer.serveEffect(app)), NetstackHttpServer.layerServer({ port: 80 }))
  )
  process.stdout.write("ready\n")
  return yield* Effect.never
}))
