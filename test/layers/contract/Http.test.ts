/**
 * What every `HttpServer` and `HttpClient` of Node do, on Node's network and on the stack.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import type * as Net from "node:net"
import * as Certificate from "../Certificate.ts"
import { bytes, pattern } from "../Events.ts"
import * as HttpApp from "../HttpApp.ts"
import { environments, portOf } from "./Environments.ts"

const http = process.getBuiltinModule("node:http")
const http2 = process.getBuiltinModule("node:http2")

const concat = (chunks: ReadonlyArray<Uint8Array>) => Buffer.concat(chunks)

for (const [name, environment] of Object.entries(environments)) {
  /** The service, and the base of its URLs. */
  const serving = Effect.gen(function*() {
    const world = yield* environment
    const context = yield* Layer.build(world.httpServer)
    yield* Effect.provideContext(HttpApp.serve, context)
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    return { ...world, base: `${world.serverHost}:${portOf(address)}` }
  })

  for (const client of ["undici", "node:http"] as const) {
    /** Runs what a client does with a service that is there. */
    const talking = <A, E>(use: (url: string) => Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>) =>
      Effect.gen(function*() {
        const { base, httpClients } = yield* serving
        return yield* Effect.scoped(use(`http://${base}`)).pipe(Effect.provide(httpClients[client]))
      })

    describe(`HTTP on ${name}, by ${client}`, () => {
      it.live("gets a resource, and learns that there is none", () =>
        Effect.gen(function*() {
          const answers = yield* talking((url) =>
            Effect.gen(function*() {
              const hello = yield* HttpClient.get(`${url}/hello`)
              const missing = yield* HttpClient.get(`${url}/missing`)
              const head = yield* HttpClient.head(`${url}/hello`)
              return [yield* hello.text, missing.status, head.status, yield* head.text]
            })
          )
          assert.deepStrictEqual(answers, ["hello", 404, 200, ""])
        }))

      it.live("gets a large resource whole", () =>
        Effect.gen(function*() {
          const body = yield* talking((url) =>
            Effect.flatMap(HttpClient.get(`${url}/large`), (response) => response.arrayBuffer)
          )
          assert.strictEqual(Buffer.compare(Buffer.from(body), HttpApp.largeBody), 0)
        }))

      it.live("gets a streamed resource, chunk by chunk", () =>
        Effect.gen(function*() {
          const chunks = yield* talking((url) =>
            Effect.flatMap(HttpClient.get(`${url}/stream`), (response) => Stream.runCollect(response.stream))
          )
          assert.strictEqual(concat(chunks).toString().trimEnd().split("\n").length, HttpApp.streamedChunks)
        }))

      it.live("sends a body of known length, and a streamed one", () =>
        Effect.gen(function*() {
          const data = pattern(700_000)
          const streamed = HttpBody.stream(Stream.make(data, data), "application/octet-stream")
          const sizes = yield* talking((url) =>
            Effect.gen(function*() {
              const whole = yield* HttpClient.post(`${url}/echo`, { body: HttpBody.uint8Array(data) })
              const first = Buffer.from(yield* whole.arrayBuffer)
              const chunked = yield* HttpClient.post(`${url}/echo`, { body: streamed })
              const second = Buffer.from(yield* chunked.arrayBuffer)
              return [Buffer.compare(first, data), Buffer.compare(second, concat([data, data]))]
            })
          )
          assert.deepStrictEqual(sizes, [0, 0])
        }))

      it.live("answers many requests at once", () =>
        Effect.gen(function*() {
          const answers = yield* talking((url) =>
            Effect.forEach(
              Array.from({ length: 50 }),
              () => Effect.flatMap(HttpClient.get(`${url}/hello`), (response) => response.text),
              { concurrency: "unbounded" }
            )
          )
          assert.deepStrictEqual([...new Set(answers)], ["hello"])
        }))

      it.live("fails a response that breaks off", () =>
        Effect.gen(function*() {
          const exit = yield* talking((url) =>
            Effect.exit(Effect.flatMap(HttpClient.get(`${url}/broken`), (response) => response.text))
          )
          assert.isTrue(Exit.isFailure(exit))
        }))

      it.live("fails where nobody listens, with the system's code", () =>
        Effect.gen(function*() {
          const { httpClients, serverHost, socketServer } = yield* environment
          const port = yield* Effect.scoped(Effect.map(socketServer, ({ address }) => portOf(address)))
          const { reason } = yield* Effect.flip(HttpClient.get(`http://${serverHost}:${port}/`)).pipe(
            Effect.provide(httpClients[client])
          )
          assert.strictEqual(reason._tag, "TransportError")
          assert.strictEqual((reason.cause as NodeJS.ErrnoException).code, "ECONNREFUSED")
        }))

      it.live("closes idle connections in good order when it is over", () =>
        Effect.gen(function*() {
          const { httpClients, listen, serverHost } = yield* environment
          const seen: Array<string> = []
          const server = http.createServer((_, response) => void response.end("hello"))
          server.on("clientError", (error: NodeJS.ErrnoException) => seen.push(`clientError ${error.code}`))
          const closing = yield* Deferred.make<void>()
          server.on("connection", (socket) => {
            socket.on("error", (error: NodeJS.ErrnoException) => seen.push(`error ${error.code}`))
            socket.on("close", (hadError) => {
              seen.push(`close ${hadError}`)
              Deferred.doneUnsafe(closing, Effect.void)
            })
          })
          const url = `http://${serverHost}:${yield* listen(server)}/`
          const asking = Effect.flatMap(HttpClient.get(url), (response) => response.text)
          assert.strictEqual(yield* Effect.provide(asking, httpClients[client]), "hello")
          yield* Deferred.await(closing)
          assert.deepStrictEqual(seen, ["close false"])
        }))

      it.live("finishes a request before the server closes", () =>
        Effect.gen(function*() {
          const { httpClients, httpServer, serverHost } = yield* environment
          const scope = yield* Scope.make()
          const context = yield* Scope.provide(Layer.build(httpServer), scope)
          const isIn = yield* Deferred.make<void>()
          const mayGo = yield* Deferred.make<void>()
          const app = Effect.gen(function*() {
            yield* Deferred.succeed(isIn, undefined)
            yield* Deferred.await(mayGo)
            return HttpServerResponse.text("done", { headers: { connection: "close" } })
          })
          yield* Scope.provide(Effect.provideContext(HttpServer.serveEffect(app), context), scope)
          const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
          const request = HttpClientRequest.get(`http://${serverHost}:${portOf(address)}/`)
          const asking = yield* Effect.flatMap(HttpClient.execute(request), (response) => response.text).pipe(
            Effect.provide(httpClients[client]),
            Effect.forkChild
          )
          yield* Deferred.await(isIn)
          const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
          yield* Effect.yieldNow
          assert.isUndefined(closing.pollUnsafe())
          yield* Deferred.succeed(mayGo, undefined)
          assert.strictEqual(yield* Fiber.join(asking), "done")
          yield* Fiber.join(closing)
        }))
    })
  }

  /** The service over TLS, what it proves itself by, and the base of its URLs. */
  const servingSecurely = Effect.gen(function*() {
    const world = yield* environment
    const certificate = Certificate.make("netstack.test", world.serverHost)
    const context = yield* Layer.build(world.httpsServer(certificate))
    yield* Effect.provideContext(HttpApp.serve, context)
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    return { ...world, ca: certificate.cert, base: `${world.serverHost}:${portOf(address)}` }
  })

  for (const client of ["undici", "node:http"] as const) {
    describe(`HTTPS on ${name}, by ${client}`, () => {
      it.live("carries resources and bodies", () =>
        Effect.gen(function*() {
          const { base, ca, httpsClients } = yield* servingSecurely
          const talk = Effect.gen(function*() {
            const hello = yield* HttpClient.get(`https://${base}/hello`)
            assert.strictEqual(yield* hello.text, "hello")
            const large = yield* HttpClient.get(`https://${base}/large`)
            assert.strictEqual(Buffer.compare(Buffer.from(yield* large.arrayBuffer), HttpApp.largeBody), 0)
            const data = pattern(300_000)
            const echo = yield* HttpClient.post(`https://${base}/echo`, { body: HttpBody.uint8Array(data) })
            assert.strictEqual(Buffer.compare(Buffer.from(yield* echo.arrayBuffer), data), 0)
          })
          yield* Effect.provide(talk, httpsClients(ca)[client])
        }))

      it.live("believes no certificate that it does not know", () =>
        Effect.gen(function*() {
          const { base, httpClients } = yield* servingSecurely
          const { reason } = yield* Effect.flip(HttpClient.get(`https://${base}/hello`)).pipe(
            Effect.provide(httpClients[client])
          )
          assert.strictEqual(reason._tag, "TransportError")
          assert.strictEqual((reason.cause as NodeJS.ErrnoException).code, "DEPTH_ZERO_SELF_SIGNED_CERT")
        }))
    })
  }

  describe(`WebSockets over TLS on ${name}`, () => {
    it.live("carry messages both ways", () =>
      Effect.gen(function*() {
        const { base, ca, secureWebSockets } = yield* servingSecurely
        const context = yield* Layer.build(secureWebSockets(ca))
        const socket = yield* Effect.provideContext(Socket.makeWebSocket(`wss://${base}/socket`), context)
        const { pull } = yield* socket.reader
        const { write } = yield* socket.writer
        yield* write("secret")
        assert.deepStrictEqual(yield* pull, ["SECRET"])
      }))
  })

  describe(`HTTPS on ${name}, by undici`, () => {
    it.live("speaks HTTP/2 where both may (RFC 7301), and HTTP/1.1 otherwise", () =>
      Effect.gen(function*() {
        const { listen, serverHost, trusting } = yield* environment
        const { cert, key } = Certificate.make("netstack.test", serverHost)
        const server = http2.createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
          response.end(request.httpVersion)
        })
        const port = yield* listen(server as unknown as Net.Server)
        const ask = Effect.flatMap(HttpClient.get(`https://${serverHost}:${port}/`), (response) => response.text)
        assert.deepStrictEqual(yield* Effect.provide(Effect.all([ask, ask]), trusting(cert, true)), ["2.0", "2.0"])
        assert.strictEqual(yield* Effect.provide(ask, trusting(cert, false)), "1.1")
      }))
  })

  describe(`WebSockets on ${name}`, () => {
    const connected = Effect.gen(function*() {
      const { base, webSockets } = yield* serving
      const context = yield* Layer.build(webSockets)
      const socket = yield* Effect.provideContext(Socket.makeWebSocket(`ws://${base}/socket`), context)
      const reader = yield* socket.reader
      return { reader, writer: yield* socket.writer }
    })

    it.live("carry messages both ways", () =>
      Effect.gen(function*() {
        const { reader, writer } = yield* connected
        for (const message of ["one", "two", "three"]) {
          yield* writer.write(message)
          assert.deepStrictEqual(yield* reader.pull, [message.toUpperCase()])
        }
        const long = "x".repeat(200_000)
        yield* writer.write(long)
        assert.deepStrictEqual(yield* reader.pull, [long.toUpperCase()])
      }))

    it.live("close with their code", () =>
      Effect.gen(function*() {
        const { reader, writer } = yield* connected
        yield* writer.write(new Socket.CloseEvent(4000, "enough"))
        const { reason } = yield* Effect.flip(reader.pull)
        assert.deepInclude(reason, { _tag: "SocketCloseError", code: 4000 })
      }))

    it.live("fail to open at a path that is none", () =>
      Effect.gen(function*() {
        const { base, webSockets } = yield* serving
        const context = yield* Layer.build(webSockets)
        const socket = yield* Effect.provideContext(Socket.makeWebSocket(`ws://${base}/hello`), context)
        const exit = yield* Effect.exit(Effect.scoped(socket.reader))
        assert.isTrue(Exit.isFailure(exit))
      }))
  })

  describe(`HTTP on ${name}, in the raw`, () => {
    /** What the server says to these octets, to the end of the connection. */
    const say = (lines: ReadonlyArray<string>) =>
      Effect.gen(function*() {
        const { base, socket } = yield* serving
        const raw = yield* socket(Number(base.split(":")[1]))
        return yield* Effect.scoped(Effect.gen(function*() {
          const { pull } = yield* raw.reader
          const { write } = yield* raw.writer
          yield* write(bytes(`${lines.join("\r\n")}\r\n\r\n`))
          const chunks: Array<string> = []
          for (;;) {
            const pulled = yield* Effect.exit(pull)
            if (Exit.isFailure(pulled)) return chunks.join("")
            chunks.push(...pulled.value.map((chunk) => Buffer.from(chunk as Uint8Array).toString()))
          }
        }))
      })

    it.live("answers requests in a row on one connection, in their order", () =>
      Effect.gen(function*() {
        const answer = yield* say([
          "GET /hello HTTP/1.1",
          "Host: x",
          "",
          "GET /missing HTTP/1.1",
          "Host: x",
          "Connection: close"
        ])
        assert.deepStrictEqual(answer.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 404"])
      }))

    it.live("refuses what is no request, and closes", () =>
      Effect.gen(function*() {
        assert.match(yield* say(["this is no request"]), /^HTTP\/1\.1 400 /)
      }))
  })
}
