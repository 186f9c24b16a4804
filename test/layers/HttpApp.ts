/**
 * A small HTTP service, written against Effect's tags alone, and what its clients do.
 */
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { bytes, pattern } from "./Events.ts"

export const largeBody = pattern(1 << 20)
export const streamedChunks = 1000

/** Sends every message back in capitals. */
const shout = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  const socket = yield* request.upgrade
  yield* Effect.scoped(Effect.gen(function*() {
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    while (true) for (const message of yield* pull) yield* write(String(message).toUpperCase())
  })).pipe(Effect.catchTag("SocketError", () => Effect.void))
  return HttpServerResponse.empty()
})

const chunks = Stream.map(Stream.range(1, streamedChunks), (i) => bytes(`${i}\n`))

/** `/hello`, `/echo`, `/large`, `/stream`, `/broken` (ends in the middle), `/never` and `/socket` (a WebSocket). */
export const app = Effect.gen(function*() {
  const request = yield* HttpServerRequest.HttpServerRequest
  switch (request.url) {
    case "/hello":
      return HttpServerResponse.text("hello", { headers: { "x-peer": String(request.remoteAddress) } })
    case "/echo":
      return HttpServerResponse.stream(request.stream)
    case "/large":
      return HttpServerResponse.uint8Array(largeBody)
    case "/stream":
      return HttpServerResponse.stream(chunks)
    case "/broken":
      return HttpServerResponse.stream(Stream.concat(chunks, Stream.die("broken")))
    case "/never":
      return yield* Effect.never
    case "/socket":
      return yield* shout
    default:
      return HttpServerResponse.empty({ status: 404 })
  }
})

/** Serves it on whatever server the program has. */
export const serve: Effect.Effect<void, never, HttpServer.HttpServer | Scope.Scope> = HttpServer.serveEffect(app)
