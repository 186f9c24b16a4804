import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as NetstackSocket from "../../layers/NetstackSocket.ts"
import * as NetstackSocketServer from "../../layers/NetstackSocketServer.ts"
import { Netstack } from "../../src/sockets/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import { addressOne, addressTwo, on, pair } from "../workers/Hosts.ts"
import * as Certificate from "./Certificate.ts"
import { bytes, pattern, text } from "./Events.ts"

const server = `${addressTwo}:80`

/** A socket on the first stack, and a listener on the second. */
const prepared = (options: NetstackSocket.Options = {}) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    const listener = yield* on(two)(Tcp.listen({ port: 80 }))
    return { one, two, listener, socket: yield* on(one)(NetstackSocket.make(server, options)) }
  })

const reasonOf = <A, R>(self: Effect.Effect<A, Socket.SocketError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

/** The reason with its code, in one word. */
const outcome = <A, R>(self: Effect.Effect<A, Socket.SocketError, R>) =>
  Effect.map(reasonOf(self), (reason) => reason._tag === "SocketCloseError" ? reason.code : reason._tag)

const textOf = (chunks: ReadonlyArray<Uint8Array | string>): string =>
  chunks.map((chunk) => typeof chunk === "string" ? chunk : text(chunk)).join("")

describe("NetstackSocket", () => {
  it.effect("dials when its reader is acquired, not before, and again for the next one", () =>
    Effect.gen(function*() {
      const { one, socket } = yield* prepared()
      assert.deepStrictEqual(yield* on(one)(Network.connections), [])
      for (let i = 0; i < 2; i++) {
        yield* Effect.scoped(Effect.gen(function*() {
          yield* socket.reader
          assert.strictEqual((yield* on(one)(Network.connections)).length, 1)
        }))
        yield* TestClock.adjust("2 minutes")
      }
    }))

  it.effect("lets a writer wait for the reader", () =>
    Effect.gen(function*() {
      const { listener, socket } = yield* prepared()
      const writer = yield* socket.writer
      const writing = yield* Effect.forkChild(writer.writeAll(["early ", bytes("words")]), { startImmediately: true })
      assert.isUndefined(writing.pollUnsafe())
      yield* socket.reader
      yield* Fiber.join(writing)
      const far = yield* listener.accept
      assert.strictEqual(text((yield* far.read())[0]!), "early words")
    }))

  it.effect("pulls what comes, and fails with code 1000 at the end, as often as it is asked", () =>
    Effect.gen(function*() {
      const { listener, socket } = yield* prepared()
      const reader = yield* socket.reader
      const far = yield* listener.accept
      yield* far.write(bytes("hello"))
      yield* far.end
      assert.strictEqual(textOf(yield* reader.pull), "hello")
      assert.strictEqual(yield* outcome(reader.pull), 1000)
      assert.strictEqual(yield* outcome(reader.pull), 1000)
    }))

  it.effect("fails a waiting pull, and any later one, when the reader's scope closes", () =>
    Effect.gen(function*() {
      const { listener, socket } = yield* prepared()
      const scope = yield* Scope.make()
      const reader = yield* Scope.provide(socket.reader, scope)
      const pulling = yield* Effect.forkChild(outcome(reader.pull), { startImmediately: true })
      const far = yield* listener.accept
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(pulling), 1006)
      assert.strictEqual(yield* outcome(reader.pull), 1006)
      assert.deepStrictEqual(yield* far.read(), [])
    }))

  it.effect("half-closes when the writer's scope closes, and reads on", () =>
    Effect.gen(function*() {
      const { listener, socket } = yield* prepared()
      const reader = yield* socket.reader
      yield* Effect.scoped(Effect.flatMap(socket.writer, ({ write }) => write("question")))
      const far = yield* listener.accept
      assert.strictEqual(text(yield* far.readAll), "question")
      yield* far.write(bytes("answer"))
      assert.strictEqual(textOf(yield* reader.pull), "answer")
    }))

  it.effect("closes by a close event: pulls fail with its code, or with an error for others than 1000", () =>
    Effect.gen(function*() {
      for (const [code, expected] of [[1000, 1000], [4001, "SocketReadError"]] as const) {
        const { listener, socket } = yield* prepared()
        const reader = yield* socket.reader
        const writer = yield* socket.writer
        const pulling = yield* Effect.forkChild(outcome(reader.pull), { startImmediately: true })
        yield* writer.write("bye")
        yield* writer.write(new Socket.CloseEvent(code))
        assert.strictEqual(yield* Fiber.join(pulling), expected)
        assert.strictEqual(yield* outcome(writer.write("too late")), "SocketWriteError")
        const far = yield* listener.accept
        assert.strictEqual(text(yield* far.readAll), "bye")
      }
    }))

  it.effect("tells of a reset by a read error that carries the stack's own", () =>
    Effect.gen(function*() {
      const { listener, socket } = yield* prepared()
      const reader = yield* socket.reader
      yield* (yield* listener.accept).abort
      const reason = yield* reasonOf(reader.pull)
      assert.strictEqual(reason._tag, "SocketReadError")
      if (reason._tag === "SocketReadError") assert.instanceOf(reason.cause, Tcp.TcpError)
    }))

  it.effect("fails to open with a typed error, and in time", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const opening = (to: string, options?: NetstackSocket.Options) =>
        Effect.flatMap(on(one)(NetstackSocket.make(to, options)), ({ reader }) => Effect.scoped(reasonOf(reader)))
      const refused = yield* opening(`${addressTwo}:81`)
      assert.deepInclude(refused, { _tag: "SocketOpenError", kind: "Unknown" })
      assert.strictEqual(
        refused.message,
        `An error occurred during Open: connect ${addressTwo}:81: connection refused`
      )
      yield* on(one)(Network.setNeighbor(1, "10.0.0.77", "02:00:00:00:00:77"))
      const late = yield* Effect.forkChild(opening("10.0.0.77:80", { openTimeout: "1 second" }))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(late), { _tag: "SocketOpenError", kind: "Timeout" })
      assert.deepStrictEqual(yield* on(one)(Network.connections), [])
    }))

  it.effect("is a channel and a stream, as every socket", () =>
    Effect.gen(function*() {
      const { listener, socket } = yield* prepared()
      const data = pattern(200_000)
      yield* Effect.forkScoped(Effect.flatMap(listener.accept, (far) => Stream.run(far.stream, far.sink)))
      const echoed = yield* Stream.make(data).pipe(
        Stream.pipeThroughChannel(Socket.toChannel(socket)),
        Stream.catchReason("SocketError", "SocketCloseError", () => Stream.empty),
        Stream.runCollect
      )
      assert.strictEqual(Buffer.compare(Buffer.concat(echoed), data), 0)
    }))
})

/** Answers each chunk with itself in capitals, to the end. */
const shout = (socket: Socket.Socket) =>
  Effect.scoped(Effect.gen(function*() {
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    while (true) yield* write(textOf(yield* pull).toUpperCase())
  }))

const ask = (question: string) =>
  Effect.scoped(Effect.gen(function*() {
    const socket = yield* NetstackSocket.make(server)
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    yield* write(question)
    return textOf(yield* pull)
  }))

describe("NetstackSocketServer", () => {
  it.effect("runs a handler for each connection, and survives one that fails", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const service = yield* on(two)(NetstackSocketServer.make({ port: 80 }))
      assert.strictEqual(service.address.toString(), "0.0.0.0:80")
      yield* Effect.forkScoped(service.run((socket) => Effect.andThen(shout(socket), Effect.fail("why"))))
      assert.deepStrictEqual(
        yield* Effect.forEach(["a", "b", "c"], (question) => on(one)(ask(question)), { concurrency: 3 }),
        ["A", "B", "C"]
      )
    }))

  it.effect("tells a handler who its peer is", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const peer = yield* Deferred.make<string>()
      const service = yield* on(two)(NetstackSocketServer.make({ port: 80 }))
      const handler = Effect.flatMap(
        Effect.serviceOption(NetstackSocketServer.Connection),
        (connection) => Deferred.succeed(peer, connection._tag === "None" ? "" : connection.value.remote.toString())
      )
      yield* Effect.forkScoped(service.run(() => handler))
      const connection = yield* on(one)(Tcp.connect(server))
      assert.strictEqual(yield* Deferred.await(peer), connection.local.toString())
    }))

  it.effect("keeps early connections for the handler that comes", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const service = yield* on(two)(NetstackSocketServer.make({ port: 80 }))
      const asking = yield* Effect.forkChild(on(one)(ask("early")))
      yield* TestClock.adjust("1 second")
      yield* Effect.forkScoped(service.run(shout))
      assert.strictEqual(yield* Fiber.join(asking), "EARLY")
    }))

  it.effect("closes the connection with its reader, with the handler if that had none, and with the server", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const service = yield* on(two)(NetstackSocketServer.make({ port: 80 }))
      const running = yield* Effect.forkScoped(service.run(() => Effect.void))
      assert.deepStrictEqual(yield* (yield* on(one)(Tcp.connect(server))).read(), [])
      yield* Fiber.interrupt(running)
      const again = yield* Effect.forkScoped(
        service.run((socket) => Effect.scoped(Effect.andThen(socket.reader, Effect.never)))
      )
      const connection = yield* on(one)(Tcp.connect(server))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(again)
      assert.deepStrictEqual(yield* connection.read(), [])
    }))

  it.effect("hands a connection to one reader only", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const seen = yield* Deferred.make<unknown, unknown>()
      const service = yield* on(two)(NetstackSocketServer.make({ port: 80 }))
      yield* Effect.forkScoped(service.run((socket) =>
        Effect.andThen(Effect.scoped(socket.reader), Deferred.complete(seen, Effect.scoped(outcome(socket.reader))))
      ))
      yield* on(one)(Tcp.connect(server))
      assert.strictEqual(yield* Deferred.await(seen), 1000)
    }))

  it.effect("fails with a typed error when its port is taken, or its stack ends", () =>
    Effect.gen(function*() {
      const { two } = yield* pair()
      const scope = yield* Scope.make()
      const service = yield* Scope.provide(on(two)(NetstackSocketServer.make({ port: 80 })), scope)
      const taken = yield* Effect.flip(on(two)(NetstackSocketServer.make({ port: 80 })))
      assert.strictEqual(taken.reason._tag, "SocketServerOpenError")
      assert.strictEqual(taken.message, "Open: listen [::]:80: address in use")
      const running = yield* Effect.forkChild(Effect.flip(service.run(shout)), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(running)).reason._tag, "SocketServerUnknownError")
    }))

  it.effect("is a layer, beside that of a client", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const Server = Layer.effectDiscard(
        Effect.gen(function*() {
          const { run } = yield* SocketServer.SocketServer
          yield* Effect.forkScoped(run(shout), { startImmediately: true })
        })
      ).pipe(
        Layer.provide(NetstackSocketServer.layer({ port: 80, address: addressTwo })),
        Layer.provide(Layer.succeed(Netstack, two))
      )
      const Client = NetstackSocket.layer(server, { localAddress: addressOne }).pipe(
        Layer.provide(Layer.succeed(Netstack, one))
      )
      const answer = Effect.scoped(Effect.gen(function*() {
        const socket = yield* Socket.Socket
        const { pull } = yield* socket.reader
        const { write } = yield* socket.writer
        yield* write("layers")
        return textOf(yield* pull)
      }))
      assert.strictEqual(yield* Effect.provide(answer, Layer.merge(Server, Client)), "LAYERS")
    }))
})

const { cert, key } = Certificate.make("netstack.test", addressTwo)
const serverTls: Socket.TlsUpgradeOptions = { key: Redacted.make(key), cert }
const clientTls: Socket.TlsUpgradeOptions = { ca: cert, servername: "netstack.test" }

/** Says in clear that TLS comes, then shouts over TLS. */
const startTls = (socket: Socket.Socket) =>
  Effect.scoped(Effect.gen(function*() {
    const { pull, upgrade } = yield* socket.reader
    const { write } = yield* socket.writer
    yield* pull
    yield* write("go ahead")
    yield* upgrade(serverTls)
    while (true) yield* write(textOf(yield* pull).toUpperCase())
  }))

describe("TLS over NetstackSocket", () => {
  const upgraded = (options: Socket.TlsUpgradeOptions) =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const service = yield* on(two)(NetstackSocketServer.make({ port: 80 }))
      yield* Effect.forkScoped(service.run(startTls))
      const socket = yield* on(one)(NetstackSocket.make(server))
      const { pull, upgrade } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write("STARTTLS")
      assert.strictEqual(textOf(yield* pull), "go ahead")
      return { pull, write, upgrade, upgrading: upgrade(options) }
    })

  it.live("upgrades a connection in the middle, and is verified", () =>
    Effect.gen(function*() {
      const { pull, upgrade, upgrading, write } = yield* upgraded(clientTls)
      yield* upgrading
      yield* write("secret")
      assert.strictEqual(textOf(yield* pull), "SECRET")
      assert.strictEqual(yield* outcome(upgrade()), "SocketUpgradeError")
    }))

  it.live("fails the upgrade when the certificate is not trusted, and closes", () =>
    Effect.gen(function*() {
      const { pull, upgrading } = yield* upgraded({ servername: "netstack.test" })
      const reason = yield* reasonOf(upgrading)
      assert.strictEqual(reason._tag, "SocketUpgradeError")
      assert.strictEqual(yield* outcome(pull), "SocketUpgradeError")
    }))

  it.live("refuses an upgrade while a pull waits, or without what a server needs", () =>
    Effect.gen(function*() {
      const { pull, upgrade } = yield* upgraded(clientTls)
      yield* Effect.forkScoped(Effect.exit(pull), { startImmediately: true })
      assert.strictEqual(yield* outcome(upgrade(clientTls)), "SocketUpgradeError")
      const incomplete = yield* upgraded(clientTls)
      assert.strictEqual(yield* outcome(incomplete.upgrade({ cert })), "SocketUpgradeError")
      assert.strictEqual(
        yield* outcome(incomplete.upgrade({ cert: "none", key: Redacted.make("none") })),
        "SocketUpgradeError"
      )
      yield* incomplete.upgrading
      yield* incomplete.write("none the worse")
      assert.strictEqual(textOf(yield* incomplete.pull), "NONE THE WORSE")
    }))

  it.live("speaks it from the first byte, and loses nothing at the end", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const data = pattern(2_000_000)
      const received = yield* Deferred.make<number, unknown>()
      const service = yield* on(two)(NetstackSocketServer.make({ port: 80, tls: serverTls }))
      yield* Effect.forkScoped(service.run((socket) => {
        const sizes = Stream.map(Socket.toStream(socket), (chunk) => chunk.length).pipe(
          Stream.catchReason("SocketError", "SocketCloseError", () => Stream.empty)
        )
        return Deferred.complete(received, Stream.runSum(sizes))
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        const socket = yield* on(one)(NetstackSocket.make(server, { tls: clientTls }))
        const { write } = yield* socket.writer
        const writing = yield* Effect.forkChild(write(data), { startImmediately: true })
        yield* socket.reader
        yield* Fiber.join(writing)
      }))
      assert.strictEqual(yield* Deferred.await(received), data.length)
    }))
})
