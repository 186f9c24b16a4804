import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { makeWebSocket } from "effect/socket/Socket"
import { TestClock } from "effect/testing"
import type { Server, Socket } from "node:net"
import * as NetstackHttpClient from "../../layers/NetstackHttpClient.ts"
import * as NetstackHttpServer from "../../layers/NetstackHttpServer.ts"
import * as NetstackNodeServer from "../../layers/NetstackNodeServer.ts"
import * as NodeDuplex from "../../layers/NodeDuplex.ts"
import { Netstack } from "../../src/sockets/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import type { Stack } from "../../src/workers/Stack.ts"
import { addressOne, addressTwo, on, pair } from "../workers/Hosts.ts"
import * as Certificate from "./Certificate.ts"
import { bytes, event, settle, text } from "./Events.ts"
import * as HttpApp from "./HttpApp.ts"

const net = process.getBuiltinModule("node:net")
const tls = process.getBuiltinModule("node:tls")
const http = process.getBuiltinModule("node:http")

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException | undefined)?.code

const of = (stack: Stack) => Layer.succeed(Netstack, stack)

const clients = {
  undici: NetstackHttpClient.layerUndici,
  "node:http": NetstackHttpClient.layerNodeHttp
}

/** The service on the second stack. */
const serving = (options: Partial<NetstackHttpServer.Options> = {}) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    const server = yield* on(two)(NetstackHttpServer.make({ port: 80, ...options }))
    yield* Effect.provideService(HttpApp.serve, HttpServer.HttpServer, server)
    return { one, two, server }
  })

const getText = (url: string) => Effect.scoped(Effect.flatMap(HttpClient.get(url), (response) => response.text))

describe("NetstackHttpServer and NetstackHttpClient", () => {
  it.live("know their addresses", () =>
    Effect.gen(function*() {
      const { one, server } = yield* serving()
      assert.strictEqual(String(server.address), "0.0.0.0:80")
      const response = HttpClient.get(`http://${addressTwo}/hello`).pipe(
        Effect.map(({ headers }) => headers["x-peer"]),
        Effect.provide(Layer.provideMerge(NetstackHttpClient.layer(), of(one)))
      )
      assert.include(yield* response, addressOne)
    }))

  for (const [name, client] of Object.entries(clients)) {
    it.live(`speak HTTPS, verified, and refuse whom they can't verify (${name})`, () =>
      Effect.gen(function*() {
        const { cert, key } = Certificate.make("netstack.test", addressTwo)
        const { one } = yield* serving({ tls: { key, cert }, port: 443 })
        const ask = (options: NetstackHttpClient.ConnectOptions) =>
          getText(`https://${addressTwo}/hello`).pipe(Effect.provide(Layer.provideMerge(client(options), of(one))))
        assert.strictEqual(yield* ask({ tls: { ca: cert } }), "hello")
        const { reason } = yield* Effect.flip(ask({}))
        assert.strictEqual(reason._tag, "TransportError")
      }))

    it.effect(`give up a far side that is silent while they connect (${name})`, () =>
      Effect.gen(function*() {
        const { one, two } = yield* pair()
        yield* on(two)(Tcp.listen({ port: 443 }))
        const asking = yield* getText(`https://${addressTwo}/`).pipe(
          Effect.flip,
          Effect.provide(Layer.provideMerge(client({ connectTimeout: "3 seconds" }), of(one))),
          Effect.forkChild
        )
        while (asking.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
        const { reason } = yield* Fiber.join(asking)
        assert.strictEqual(reason._tag, "TransportError")
        assert.strictEqual(codeOf(reason.cause), "ETIMEDOUT")
      }))

    it.live(`use one connection for many requests (${name})`, () =>
      Effect.gen(function*() {
        const { one, two } = yield* serving()
        const asking = Effect.forEach(
          Array.from({ length: 100 }),
          () => getText(`http://${addressTwo}/hello`),
          { discard: true }
        )
        const used = Effect.andThen(asking, on(two)(Network.connections))
        const connections = yield* used.pipe(Effect.provide(Layer.provideMerge(client(), of(one))))
        // undici opens another one while the first is not yet known to be free.
        assert.isAtMost(connections.length, 5)
      }))
  }

  it.live("carry WebSockets over TLS too", () =>
    Effect.gen(function*() {
      const { cert, key } = Certificate.make("netstack.test", addressTwo)
      const { one } = yield* serving({ tls: { key, cert }, port: 443 })
      const answer = yield* Effect.scoped(Effect.gen(function*() {
        const socket = yield* makeWebSocket(`wss://${addressTwo}/socket`)
        const { pull } = yield* socket.reader
        const { write } = yield* socket.writer
        yield* write("hello")
        return (yield* pull)[0]
      })).pipe(
        Effect.provide(Layer.provideMerge(NetstackHttpClient.layerWebSocketConstructor({ tls: { ca: cert } }), of(one)))
      )
      assert.strictEqual(answer, "HELLO")
    }))

  it.live("are layers, with configuration from the program's provider", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const Server = Layer.effectDiscard(HttpApp.serve).pipe(
        Layer.provide(NetstackHttpServer.layerConfig({ port: Config.Int("PORT") })),
        Layer.provide(of(two)),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ PORT: 8080 })))
      )
      const asking = getText(`http://${addressTwo}:8080/hello`)
      const Client = Layer.provide(NetstackHttpClient.layer(), of(one))
      assert.strictEqual(yield* Effect.provide(asking, Layer.merge(Server, Client)), "hello")
    }))

  it.live("fail with a typed error when the port is taken", () =>
    Effect.gen(function*() {
      const { two } = yield* serving()
      const error = yield* Effect.flip(Effect.scoped(on(two)(NetstackHttpServer.make({ port: 80 }))))
      assert.strictEqual(error._tag, "ServeError")
      assert.strictEqual((error.cause as NodeJS.ErrnoException).code, "EADDRINUSE")
      assert.include(Cause.pretty(Cause.fail(error)), "ServeError: listen EADDRINUSE: address already in use :::80")
    }))

  it.live("answer a malformed request before they close", () =>
    Effect.gen(function*() {
      const { one } = yield* serving()
      const connection = yield* on(one)(Tcp.connect(`${addressTwo}:80`))
      yield* connection.write(bytes("no request\r\n\r\n"))
      assert.match(text(yield* connection.readAll), /^HTTP\/1\.1 400 /)
    }))

  it.live("close idle connections with their scope, and free the port", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(on(two)(NetstackHttpServer.make({ port: 80 })), scope)
      yield* Scope.provide(Effect.provideService(HttpApp.serve, HttpServer.HttpServer, server), scope)
      const connection = yield* on(one)(Tcp.connect(`${addressTwo}:80`))
      yield* connection.write(bytes("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"))
      yield* connection.read()
      // Idle is a connection when the server is done with the response, a moment after its last octet.
      yield* settle
      yield* Scope.close(scope, Exit.void)
      yield* connection.readAll
      yield* connection.close
      yield* on(two)(Tcp.listen({ port: 80 }))
    }))
})

/** A server of Node on the second stack. */
const attached = <S extends Server>(server: S, options?: NetstackNodeServer.Options) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    yield* on(two)(NetstackNodeServer.attach(server, options))
    return { one, two, server, connect: on(one)(Tcp.connect(`${addressTwo}:80`)) }
  })

describe("NetstackNodeServer", () => {
  it.live("lets a net.Server listen, in each way to say where", () =>
    Effect.gen(function*() {
      for (const args of [[80], [80, addressTwo], [{ port: 80, host: addressTwo, backlog: 5 }]]) {
        const { connect, server } = yield* attached(net.createServer((socket) => socket.pipe(socket)))
        assert.isNull(server.address())
        assert.isFalse(server.listening)
        server.listen(...args as [number])
        yield* event(server, "listening")
        assert.isTrue(server.listening)
        assert.deepInclude(server.address() as object, { port: 80, family: "IPv4" })
        const connection = yield* connect
        yield* connection.write(bytes("echo"))
        yield* connection.end
        assert.strictEqual(text(yield* connection.readAll), "echo")
      }
    }))

  it.live("behaves as Node's own when it is listened to twice, or closed when it does not run", () =>
    Effect.gen(function*() {
      const { server } = yield* attached(net.createServer())
      const closing = Effect.callback<unknown>((resume) => {
        server.close((error) => resume(Effect.succeed(error)))
      })
      assert.strictEqual(codeOf(yield* closing), "ERR_SERVER_NOT_RUNNING")
      server.listen(80)
      yield* event(server, "listening")
      try {
        server.listen(81)
        assert.fail("it listens twice")
      } catch (error) {
        assert.strictEqual(codeOf(error), "ERR_SERVER_ALREADY_LISTEN")
      }
      assert.isUndefined(yield* closing)
    }))

  it.live("closes when its last connection has ended, and counts them", () =>
    Effect.gen(function*() {
      const { connect, server } = yield* attached(net.createServer())
      server.listen(80)
      const connection = yield* connect
      yield* event(server, "connection")
      const count = Effect.callback<number>((resume) => {
        server.getConnections((_, count) => resume(Effect.succeed(count)))
      })
      assert.strictEqual(yield* count, 1)
      let isClosed = false
      server.close(() => isClosed = true)
      assert.isFalse(server.listening)
      assert.strictEqual((yield* Effect.flip(connect)).reason._tag, "ConnectionRefused")
      assert.isFalse(isClosed)
      const closed = yield* Effect.forkChild(event(server, "close"), { startImmediately: true })
      yield* connection.close
      yield* Fiber.join(closed)
      assert.isTrue(isClosed)
    }))

  it.live("turns away connections beyond maxConnections", () =>
    Effect.gen(function*() {
      const { connect, server } = yield* attached(net.createServer())
      server.maxConnections = 1
      server.listen(80)
      yield* connect
      yield* event(server, "connection")
      const second = yield* connect
      yield* event(server, "drop")
      assert.deepStrictEqual(yield* second.read(), [])
    }))

  it.live("tells by an error why it can't listen", () =>
    Effect.gen(function*() {
      const { server, two } = yield* attached(net.createServer())
      yield* on(two)(Tcp.listen({ port: 80 }))
      server.listen(80)
      assert.strictEqual(codeOf(yield* event(server, "error")), "EADDRINUSE")
      server.listen({ port: 81, host: "10.9.9.9" })
      assert.strictEqual(codeOf(yield* event(server, "error")), "EADDRNOTAVAIL")
    }))

  it.live("closes when its stack ends, by an error only if somebody listens for one", () =>
    Effect.gen(function*() {
      for (const isHeard of [false, true]) {
        const scope = yield* Scope.make()
        const { two } = yield* Scope.provide(pair(), scope)
        const server = yield* on(two)(NetstackNodeServer.attach(http.createServer()))
        const errors: Array<unknown> = []
        if (isHeard) server.on("error", (error) => errors.push(codeOf(error)))
        server.listen(80)
        yield* event(server, "listening")
        const closed = yield* Effect.forkChild(event(server, "close"), { startImmediately: true })
        yield* Scope.close(scope, Exit.void)
        yield* Fiber.join(closed)
        assert.deepStrictEqual(errors, isHeard ? ["ENETDOWN"] : [])
      }
    }))

  it.live("lets a tls.Server listen", () =>
    Effect.gen(function*() {
      const { cert, key } = Certificate.make("netstack.test", addressTwo)
      const { one, server } = yield* attached(tls.createServer({ key, cert }, (socket) => socket.end("secret")))
      server.listen(443)
      yield* event(server, "listening")
      const socket = yield* on(one)(NodeDuplex.connect(`${addressTwo}:443`))
      const chunk = yield* event<Buffer>(
        tls.connect({ socket: socket as unknown as Socket, servername: "netstack.test", ca: cert }),
        "data"
      )
      assert.strictEqual(chunk.toString(), "secret")
    }))

  it.live("ends its server with its scope, connections and all", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const scope = yield* Scope.make()
      const server = http.createServer((_, response) => response.write("and more"))
      yield* Scope.provide(on(two)(NetstackNodeServer.attach(server)), scope)
      server.listen(80)
      const connection = yield* on(one)(Tcp.connect(`${addressTwo}:80`))
      yield* connection.write(bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
      yield* connection.read()
      const closed = yield* Effect.forkChild(event(server, "close"), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(closed)
      yield* connection.readAll
    }))
})
