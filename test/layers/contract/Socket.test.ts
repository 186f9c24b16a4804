/**
 * What every `Socket` and `SocketServer` does, on Node's network and on the stack.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import * as Stream from "effect/Stream"
import * as Certificate from "../Certificate.ts"
import { pattern, settle, text } from "../Events.ts"
import { environments, portOf } from "./Environments.ts"

const reasonOf = <A, R>(self: Effect.Effect<A, Socket.SocketError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

/** The reason's tag, or the code of a close. */
const outcome = <A, R>(self: Effect.Effect<A, Socket.SocketError, R>) =>
  Effect.map(reasonOf(self), (reason) => reason._tag === "SocketCloseError" ? reason.code : reason._tag)

const textOf = (chunks: ReadonlyArray<Uint8Array | string>): string =>
  chunks.map((chunk) => typeof chunk === "string" ? chunk : text(chunk)).join("")

/** Reads to the end, whatever the chunks. */
const readToEnd = (pull: Socket.Reader["pull"]) =>
  Effect.gen(function*() {
    const chunks: Array<Uint8Array | string> = []
    for (;;) {
      const pulled = yield* Effect.exit(pull)
      if (Exit.isFailure(pulled)) return { data: chunks, end: yield* outcome(Effect.failCause(pulled.cause)) }
      chunks.push(...pulled.value)
    }
  })

const sizeOf = (chunks: ReadonlyArray<Uint8Array | string>): number =>
  chunks.reduce((size, chunk) => size + chunk.length, 0)

/** Both ends of a socket, as the handler and the client have them, open until the test ends. */
interface Ends {
  readonly reader: Socket.Reader
  readonly writer: Socket.Writer
}

const open = (socket: Socket.Socket): Effect.Effect<Ends, Socket.SocketError, Scope.Scope> =>
  Effect.all({ reader: socket.reader, writer: socket.writer })

const upTo = (
  service: SocketServer.SocketServer["Service"],
  handler: (socket: Socket.Socket) => Effect.Effect<unknown, unknown>
) => Effect.forkScoped(service.run(handler), { startImmediately: true })

for (const [name, environment] of Object.entries(environments)) {
  /** A server whose first connection is handed to the test, and a client that is not open yet. */
  const prepared = Effect.gen(function*() {
    const { clientHost, socket, socketServer } = yield* environment
    const service = yield* socketServer
    const accepted = yield* Deferred.make<Ends, Socket.SocketError>()
    yield* upTo(service, (far) => Effect.scoped(Effect.andThen(Deferred.complete(accepted, open(far)), Effect.never)))
    return { clientHost, service, client: yield* socket(portOf(service.address)), far: Deferred.await(accepted) }
  })

  describe(`Socket on ${name}`, () => {
    it.live("carries bytes and strings both ways", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const near = yield* open(client)
        yield* near.writer.write("question")
        const server = yield* far
        assert.strictEqual(textOf(yield* server.reader.pull), "question")
        yield* server.writer.writeAll(["an", Uint8Array.of(115), "wer"])
        let answer = ""
        while (answer.length < 6) answer += textOf(yield* near.reader.pull)
        assert.strictEqual(answer, "answer")
      }))

    it.live("lets a writer wait for the reader", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const writer = yield* client.writer
        const writing = yield* Effect.forkChild(writer.write("early"), { startImmediately: true })
        assert.isUndefined(writing.pollUnsafe())
        yield* client.reader
        yield* Fiber.join(writing)
        assert.strictEqual(textOf(yield* (yield* far).reader.pull), "early")
      }))

    it.live("ends with code 1000 when the peer has ended, and reads what came before", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const { reader } = yield* open(client)
        const server = yield* far
        yield* server.writer.write("last words")
        yield* server.writer.write(new Socket.CloseEvent())
        const { data, end } = yield* readToEnd(reader.pull)
        assert.strictEqual(textOf(data), "last words")
        assert.strictEqual(end, 1000)
        assert.strictEqual(yield* outcome(reader.pull), 1000)
      }))

    it.live("half-closes when the writer's scope closes, and reads on", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const reader = yield* client.reader
        yield* Effect.scoped(Effect.flatMap(client.writer, ({ write }) => write("all of it")))
        const server = yield* far
        const { data, end } = yield* readToEnd(server.reader.pull)
        assert.strictEqual(textOf(data), "all of it")
        assert.strictEqual(end, 1000)
        yield* server.writer.write("answer")
        assert.strictEqual(textOf(yield* reader.pull), "answer")
      }))

    it.live("fails a waiting pull with code 1006 when the reader's scope closes, and the peer sees the end", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const scope = yield* Scope.make()
        const reader = yield* Scope.provide(client.reader, scope)
        const pulling = yield* Effect.forkChild(outcome(reader.pull), { startImmediately: true })
        const server = yield* far
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* Fiber.join(pulling), 1006)
        assert.strictEqual((yield* readToEnd(server.reader.pull)).end, 1000)
      }))

    it.live("loses nothing when a pull is interrupted", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const { reader } = yield* open(client)
        const server = yield* far
        let received = 0
        const sending = yield* Effect.forkChild(
          Effect.andThen(server.writer.write(new Uint8Array(2_000_000)), server.writer.write(new Socket.CloseEvent()))
        )
        for (let i = 0; i < 50; i++) {
          const pulling = yield* Effect.forkChild(
            Effect.map(reader.pull, (chunks) => void (received += sizeOf(chunks)))
          )
          for (let hops = i % 4; hops > 0; hops--) yield* Effect.yieldNow
          yield* Fiber.interrupt(pulling)
        }
        received += sizeOf((yield* readToEnd(reader.pull)).data)
        yield* Fiber.join(sending)
        assert.strictEqual(received, 2_000_000)
      }))

    it.live("closes by a close event: the own pulls fail with an error for codes beyond 1000", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const { reader, writer } = yield* open(client)
        const server = yield* far
        const pulling = yield* Effect.forkChild(outcome(reader.pull), { startImmediately: true })
        yield* writer.write(new Socket.CloseEvent(4001))
        assert.strictEqual(yield* Fiber.join(pulling), "SocketReadError")
        assert.strictEqual((yield* readToEnd(server.reader.pull)).end, 1000)
      }))

    it.live("tells of a peer that closes on unread data by a read error (RFC 2525 §2.17)", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const { reader, writer } = yield* open(client)
        const server = yield* far
        const writing = yield* Effect.forkChild(Effect.exit(writer.write(new Uint8Array(30_000_000))))
        yield* settle
        yield* server.writer.write(new Socket.CloseEvent())
        assert.strictEqual((yield* readToEnd(reader.pull)).end, "SocketReadError")
        assert.isTrue(Exit.isFailure(yield* Fiber.join(writing)))
      }))

    it.live("fails to open where nobody listens", () =>
      Effect.gen(function*() {
        const { socket, socketServer } = yield* environment
        const port = yield* Effect.scoped(Effect.map(socketServer, ({ address }) => portOf(address)))
        const reason = yield* Effect.scoped(reasonOf((yield* socket(port)).reader))
        assert.strictEqual(reason._tag, "SocketOpenError")
      }))

    it.live("opens again after it was closed", () =>
      Effect.gen(function*() {
        const { socket, socketServer } = yield* environment
        const service = yield* socketServer
        const greet = (far: Socket.Socket) =>
          Effect.scoped(Effect.flatMap(open(far), ({ writer }) => writer.write("hello")))
        yield* upTo(service, greet)
        const client = yield* socket(portOf(service.address))
        const greeting = Effect.scoped(Effect.flatMap(client.reader, ({ pull }) => Effect.map(pull, textOf)))
        for (let i = 0; i < 3; i++) assert.strictEqual(yield* greeting, "hello")
      }))

    it.live("holds back a fast writer until the reader reads", () =>
      Effect.gen(function*() {
        const { client, far } = yield* prepared
        const { writer } = yield* open(client)
        const server = yield* far
        const data = pattern(200_000)
        const isWritten = { value: false }
        yield* Effect.forkScoped(Effect.gen(function*() {
          for (let i = 0; i < 150; i++) yield* writer.write(data)
          isWritten.value = true
          yield* writer.write(new Socket.CloseEvent())
        }))
        yield* settle
        assert.isFalse(isWritten.value)
        assert.strictEqual(sizeOf((yield* readToEnd(server.reader.pull)).data), 30_000_000)
      }), 60_000)

    it.live("is a channel", () =>
      Effect.gen(function*() {
        const { socket, socketServer } = yield* environment
        const service = yield* socketServer
        yield* upTo(service, (far) =>
          Effect.scoped(Effect.gen(function*() {
            const { reader, writer } = yield* open(far)
            while (true) yield* writer.writeAll(yield* reader.pull)
          })))
        const client = yield* socket(portOf(service.address))
        const data = pattern(300_000)
        const echoed = yield* Stream.make(data).pipe(
          Stream.pipeThroughChannel(Socket.toChannel(client)),
          Stream.catchReason("SocketError", "SocketCloseError", () => Stream.empty),
          Stream.runCollect
        )
        assert.strictEqual(Buffer.compare(Buffer.concat(echoed), data), 0)
      }))

    it.live("upgrades to TLS", () =>
      Effect.gen(function*() {
        const { cert, key } = Certificate.make("netstack.test")
        const { client, far } = yield* prepared
        const near = yield* open(client)
        const server = yield* far
        yield* near.writer.write("STARTTLS")
        yield* server.reader.pull
        yield* Effect.all([
          server.reader.upgrade({ key: Redacted.make(key), cert }),
          near.reader.upgrade({ ca: cert, servername: "netstack.test" })
        ], { concurrency: 2 })
        yield* near.writer.write("secret")
        assert.strictEqual(textOf(yield* server.reader.pull), "secret")
        assert.strictEqual(yield* outcome(near.reader.upgrade()), "SocketUpgradeError")
      }))
  })

  describe(`SocketServer on ${name}`, () => {
    it.live("knows its address, and hands each connection to a handler of its own", () =>
      Effect.gen(function*() {
        const { serverHost, socket, socketServer } = yield* environment
        const service = yield* socketServer
        assert.strictEqual(String(service.address), `${serverHost}:${portOf(service.address)}`)
        yield* upTo(service, (far) =>
          Effect.scoped(Effect.gen(function*() {
            const { reader, writer } = yield* open(far)
            yield* writer.write(textOf(yield* reader.pull).toUpperCase())
          })))
        const ask = (question: string) =>
          Effect.scoped(Effect.gen(function*() {
            const { reader, writer } = yield* open(yield* socket(portOf(service.address)))
            yield* writer.write(question)
            return textOf((yield* readToEnd(reader.pull)).data)
          }))
        const answers = yield* Effect.forEach(["a", "b", "c", "d"], ask, { concurrency: 4 })
        assert.deepStrictEqual(answers, ["A", "B", "C", "D"])
      }))

    it.live("goes on when a handler fails or dies", () =>
      Effect.gen(function*() {
        const { socket, socketServer } = yield* environment
        const service = yield* socketServer
        let calls = 0
        yield* upTo(service, (far) =>
          Effect.andThen(
            Effect.scoped(far.reader),
            Effect.suspend(() => ++calls % 2 === 0 ? Effect.die("of it") : Effect.fail("why"))
          ))
        for (let i = 0; i < 4; i++) {
          const client = yield* socket(portOf(service.address))
          yield* Effect.scoped(Effect.flatMap(client.reader, ({ pull }) => readToEnd(pull)))
        }
        assert.strictEqual(calls, 4)
      }))

    it.live("keeps connections that come before it runs", () =>
      Effect.gen(function*() {
        const { socket, socketServer } = yield* environment
        const service = yield* socketServer
        const near = yield* open(yield* socket(portOf(service.address)))
        yield* near.writer.write("early")
        yield* settle
        const heard = yield* Deferred.make<string, Socket.SocketError>()
        yield* upTo(service, (far) =>
          Effect.scoped(Deferred.complete(
            heard,
            Effect.flatMap(far.reader, ({ pull }) => Effect.map(pull, textOf))
          )))
        assert.strictEqual(yield* Deferred.await(heard), "early")
      }))

    it.live("closes the connections of its handlers when it is interrupted, and can run again", () =>
      Effect.gen(function*() {
        const { socket, socketServer } = yield* environment
        const service = yield* socketServer
        const client = yield* socket(portOf(service.address))
        for (let i = 0; i < 2; i++) {
          const isOpen = yield* Deferred.make<void>()
          const hold = (far: Socket.Socket) =>
            Effect.scoped(Effect.andThen(far.reader, Effect.andThen(Deferred.succeed(isOpen, undefined), Effect.never)))
          const running = yield* upTo(service, hold)
          yield* Effect.scoped(Effect.gen(function*() {
            const { pull } = yield* client.reader
            yield* Deferred.await(isOpen)
            yield* Fiber.interrupt(running)
            assert.strictEqual((yield* readToEnd(pull)).end, 1000)
          }))
        }
      }))
  })
}
