import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as SystemError from "../../layers/SystemError.ts"
import type { Netstack } from "../../src/sockets/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Readings from "../../src/workers/Readings.ts"
import * as Family from "../core/family.ts"
import { addressOne, addressTwo, hostTwo, on, pair } from "../workers/Hosts.ts"

/** Addresses of the network that no host has. */
const nobody = Family.choose("10.0.0.77", "[2001:db8::77]")
const nobodyElse = Family.choose("10.0.0.78", "[2001:db8::78]")

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff)

/** Two stacks with a listener on the second, and a connection between them. */
const connected = (
  options: Tcp.ListenOptions & { readonly connect?: Tcp.ConnectOptions } = {}
) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    const listener = yield* on(two)(Tcp.listen({ port: 80, ...options }))
    const client = yield* on(one)(Tcp.connect(`${hostTwo}:80`, options.connect ?? {}))
    const server = yield* listener.accept
    return { one, two, listener, client, server }
  })

/** Lets what was sent last arrive. */
const settle = TestClock.adjust("1 millis")

const reasonOf = <A, R>(self: Effect.Effect<A, Tcp.TcpError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

describe("Tcp.connect and Tcp.listen", () => {
  it.effect("know both ends", () =>
    Effect.gen(function*() {
      const { client, listener, server } = yield* connected()
      assert.strictEqual(client.remote.toString(), `${hostTwo}:80`)
      assert.strictEqual(server.local.toString(), `${hostTwo}:80`)
      assert.strictEqual(server.remote.toString(), client.local.toString())
      assert.strictEqual(client.local.address.toString(), addressOne)
      assert.strictEqual(listener.address.toString(), "0.0.0.0:80")
    }))

  it.effect("carry bytes both ways, and each direction ends by itself", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      yield* client.write(bytes("question"))
      yield* client.end
      assert.strictEqual(text(yield* server.readAll), "question")
      yield* server.write(bytes("answer"))
      yield* server.end
      assert.strictEqual(text(yield* client.readAll), "answer")
      assert.deepStrictEqual(yield* client.read(), [])
    }))

  it.effect("take an address as text, as parts and as a value", () =>
    Effect.gen(function*() {
      const { client, one, listener } = yield* connected()
      for (const to of [{ host: addressTwo, port: 80 }, client.remote, `${hostTwo}:80`]) {
        const another = yield* on(one)(Tcp.connect(to))
        assert.strictEqual(another.remote.toString(), client.remote.toString())
        yield* listener.accept
      }
    }))

  it.effect("fail with ConnectionRefused where nobody listens", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const recovered = yield* on(one)(Tcp.connect(`${hostTwo}:81`)).pipe(
        Effect.as("connected"),
        Effect.catchReason("TcpError", "ConnectionRefused", () => Effect.succeed("refused"))
      )
      assert.strictEqual(recovered, "refused")
    }))

  it.effect("fail with Unreachable where no neighbour answers, and with TimedOut after the time given", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const unreachable = yield* Effect.forkChild(reasonOf(on(one)(Tcp.connect(`${nobody}:80`))))
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual((yield* Fiber.join(unreachable))._tag, "Unreachable")
      const impatient = yield* Effect.forkChild(
        reasonOf(on(one)(Tcp.connect(`${nobodyElse}:80`, { options: { connectTimeout: "500 millis" } })))
      )
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* Fiber.join(impatient))._tag, "TimedOut")
    }))

  it.effect("say what is wrong with their arguments", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const failures: ReadonlyArray<Effect.Effect<unknown, Tcp.TcpError, Netstack | Scope.Scope>> = [
        Tcp.connect("no port"),
        Tcp.connect(`${hostTwo}:80`, { localAddress: "10.0.0" }),
        Tcp.connect(`${hostTwo}:80`, { localPort: 70_000 }),
        Tcp.listen({ port: -1 })
      ]
      for (const failure of failures) {
        assert.strictEqual((yield* reasonOf(on(one)(Effect.asVoid(failure))))._tag, "InvalidArgument")
      }
      assert.strictEqual((yield* reasonOf(on(one)(Tcp.listen({ address: "10.9.9.9" }))))._tag, "AddressNotAvailable")
      assert.strictEqual((yield* reasonOf(on(one)(Tcp.connect("example.org:80"))))._tag, "NameNotResolved")
    }))

  it.effect("fail with AddressInUse on a port that is listened on", () =>
    Effect.gen(function*() {
      const { two } = yield* connected()
      assert.strictEqual((yield* reasonOf(on(two)(Tcp.listen({ port: 80 }))))._tag, "AddressInUse")
    }))

  it.effect("name the address that a listener or a connection failed at", () =>
    Effect.gen(function*() {
      const { one, two } = yield* connected()
      const taken = yield* Effect.flip(on(two)(Tcp.listen({ port: 80 })))
      assert.strictEqual(taken.message, "listen [::]:80: address in use")
      assert.deepStrictEqual(taken.local, { host: "::", port: 80 })
      const system = SystemError.of(taken)
      assert.strictEqual(system.message, "listen EADDRINUSE: address already in use :::80")
      assert.deepInclude(system, { code: "EADDRINUSE", syscall: "listen", address: "::", port: 80 })
      const refused = yield* Effect.flip(on(one)(Tcp.connect(`${hostTwo}:9`)))
      assert.strictEqual(refused.message, `connect ${hostTwo}:9: connection refused`)
      assert.strictEqual(SystemError.of(refused).message, `connect ECONNREFUSED ${hostTwo}:9`)
      assert.strictEqual(refused.remote?.port, 9)
    }))
})

describe("TcpConnection", () => {
  it.effect("writes as fast as the peer reads and no faster", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      const data = pattern(3_000_000)
      const writing = yield* Effect.forkChild(Effect.andThen(client.write(data), client.end))
      yield* TestClock.adjust("1 second")
      assert.isUndefined(writing.pollUnsafe())
      const read = yield* Effect.forkChild(server.readAll)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(writing)
      assert.isTrue(Buffer.compare(yield* Fiber.join(read), data) === 0)
    }))

  it.effect("reads into memory of the program, and what was read otherwise stays as it was", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      const data = pattern(3_000_000)
      const writing = yield* Effect.forkChild(Effect.andThen(client.write(data), client.end))
      const reading = yield* Effect.forkChild(Effect.gen(function*() {
        // Chunks are kept, copies are overwritten by the next: whatever memory is used again must not be a chunk's.
        const parts: Array<{ readonly at: number; readonly chunk: Uint8Array }> = []
        const into = new Uint8Array(100_000)
        let at = 0
        for (let turn = 0;; turn++) {
          const isCopied = turn % 4 !== 0
          const length = isCopied ? yield* server.readInto(into) : 0
          const chunks = isCopied ? [into.slice(0, length)] : yield* server.read(100_000)
          if (chunks.every((chunk) => chunk.length === 0)) return { at, parts }
          for (const chunk of chunks) {
            parts.push({ at, chunk })
            at += chunk.length
          }
        }
      }))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(writing)
      const { at, parts } = yield* Fiber.join(reading)
      assert.strictEqual(at, data.length)
      for (const part of parts) {
        const sent = data.subarray(part.at, part.at + part.chunk.length)
        assert.strictEqual(Buffer.compare(part.chunk, sent), 0, `at ${part.at}`)
      }
    }))

  it.effect("gives no memory back that a read which was interrupted has left in its connection", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      const data = pattern(2_000_000)
      const interrupted = yield* Effect.forkChild(server.readInto(new Uint8Array(50_000)))
      const writing = yield* Effect.forkChild(Effect.andThen(client.write(data), client.end))
      yield* TestClock.adjust("1 milli")
      yield* Fiber.interrupt(interrupted)
      const taken = Exit.isSuccess(yield* Fiber.await(interrupted)) ? 50_000 : 0
      const first = yield* server.read(70_000)
      const into = new Uint8Array(80_000)
      const rest: Array<Uint8Array> = []
      const reading = yield* Effect.forkChild(Effect.gen(function*() {
        for (;;) {
          const length = yield* server.readInto(into)
          if (length === 0) return
          rest.push(into.slice(0, length))
        }
      }))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(writing)
      yield* Fiber.join(reading)
      const all = Buffer.concat([...first, ...rest])
      assert.isTrue(all.equals(data.subarray(data.length - all.length)))
      assert.isAtLeast(all.length, data.length - taken)
    }))

  it.effect("copies what it writes, unless the bytes are handed over", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      const data = bytes("first")
      yield* client.write(data)
      data.set(bytes("XXXXX"))
      yield* client.writeOwned(bytes("second"))
      yield* client.end
      assert.strictEqual(text(yield* server.readAll), "firstsecond")
    }))

  it.effect("reads no more than it is asked to, and nothing without waiting when nothing is there", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      assert.isTrue(Option.isNone(yield* server.tryRead()))
      yield* client.write(bytes("abcdef"))
      const first = yield* server.read(2)
      assert.strictEqual(first.map(text).join(""), "ab")
      const rest = Option.getOrThrow(yield* server.tryRead())
      assert.strictEqual(rest.map(text).join(""), "cdef")
      yield* client.end
      yield* settle
      assert.deepStrictEqual(yield* server.tryRead(), Option.some([]))
    }))

  it.effect("writes what fits without waiting", () =>
    Effect.gen(function*() {
      const { client } = yield* connected({
        connect: { options: { sendBuffer: 10_000, sendBufferLimit: 10_000 } },
        options: { receiveBuffer: 10_000, receiveBufferLimit: 10_000 }
      })
      let total = 0
      for (let taken = -1; taken !== 0; total += taken) taken = yield* client.tryWrite(new Uint8Array(3000))
      assert.isAtLeast(total, 10_000)
      assert.isAtMost(total, 40_000)
    }))

  it.effect("is a stream and a sink", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      yield* Effect.forkChild(Stream.run(server.stream, server.sink))
      const lines = Stream.make("one ", "two ", "three").pipe(Stream.map(bytes))
      yield* Stream.run(lines, client.sink)
      const echoed = yield* Stream.runCollect(client.stream)
      assert.strictEqual(echoed.map(text).join(""), "one two three")
    }))

  it.effect("is reset by abort, which both sides hear of", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      const reading = yield* Effect.forkChild(reasonOf(client.read()))
      yield* Effect.yieldNow
      yield* client.abort
      assert.include(["ConnectionAborted", "Closed"], (yield* Fiber.join(reading))._tag)
      assert.strictEqual((yield* reasonOf(server.read()))._tag, "ConnectionReset")
    }))

  it.effect("tells when everything is acknowledged, and when all is over", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected()
      yield* client.write(bytes("data"))
      const drained = yield* Effect.forkChild(client.drained)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(drained)
      assert.strictEqual((yield* client.info).bytesAcked, 4)
      yield* client.end
      yield* server.readAll
      yield* server.end
      const closed = yield* Effect.forkChild(client.closed)
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(closed)
    }))

  it.effect("tells what the stack knows of it", () =>
    Effect.gen(function*() {
      const { client, one } = yield* connected()
      const info = yield* client.info
      assert.strictEqual(info.state, "ESTABLISHED")
      assert.strictEqual(info.local.toString(), client.local.toString())
      assert.isTrue(info.sack)
      const listed = yield* on(one)(Network.connections)
      assert.deepStrictEqual(listed.map(({ connection }) => connection), [client.id])
    }))

  it.effect("interrupted in a call, goes on", () =>
    Effect.gen(function*() {
      const { client, one, server } = yield* connected()
      const reading = yield* Effect.forkChild(client.read())
      yield* Effect.yieldNow
      yield* Fiber.interrupt(reading)
      assert.strictEqual(yield* one.read(Readings.parkedRequests), 0)
      yield* server.write(bytes("still here"))
      const [chunk] = yield* client.read()
      assert.strictEqual(text(chunk!), "still here")
    }))
})

/** What the far side of a connection sees when the scope that holds it ends in this way. */
const seenAfter = (exit: Exit.Exit<void, string>, closePolicy?: "orderly" | "abort") =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    const listener = yield* on(two)(Tcp.listen({ port: 80 }))
    const scope = yield* Scope.make()
    const options = closePolicy === undefined ? {} : { closePolicy }
    const connecting = on(one)(Tcp.connect(`${hostTwo}:80`, options))
    const client = yield* Scope.provide(connecting, scope)
    const server = yield* listener.accept
    yield* client.write(bytes("last words"))
    yield* Scope.close(scope, exit)
    return yield* Effect.exit(server.readAll)
  })

describe("the scope of a connection", () => {
  const interrupted: Exit.Exit<never, never> = Exit.failCause(Cause.interrupt(1))

  it.effect("closes it in good order when it succeeds", () =>
    Effect.gen(function*() {
      const seen = yield* seenAfter(Exit.void)
      assert.deepStrictEqual(Exit.map(seen, text), Exit.succeed("last words"))
    }))

  it.effect("resets it when it fails or is interrupted, so that nobody takes a part for the whole", () =>
    Effect.gen(function*() {
      assert.isTrue(Exit.isFailure(yield* seenAfter(Exit.fail("something"))))
      assert.isTrue(Exit.isFailure(yield* seenAfter(interrupted)))
    }))

  it.effect("does as it is told otherwise", () =>
    Effect.gen(function*() {
      assert.isTrue(Exit.isSuccess(yield* seenAfter(Exit.fail("something"), "orderly")))
      assert.isTrue(Exit.isFailure(yield* seenAfter(Exit.void, "abort")))
    }))

  it.effect("has nothing left to do for a connection that was closed before", () =>
    Effect.gen(function*() {
      const { client, one, server } = yield* connected()
      yield* client.close
      yield* client.abort
      yield* server.close
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* on(one)(Network.connections), [])
    }))
})

describe("TcpListener", () => {
  it.effect("gives connections as a stream, which ends with it", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const ports = yield* Effect.forkChild(
        Stream.runCollect(Stream.map(listener.connections, ({ remote }) => remote.port))
      )
      const first = yield* on(one)(Tcp.connect(`${hostTwo}:80`))
      const second = yield* on(one)(Tcp.connect(`${hostTwo}:80`))
      yield* settle
      yield* listener.close
      assert.deepStrictEqual(yield* Fiber.join(ports), [first.local.port, second.local.port])
    }))

  it.effect("waits for nobody when it is told not to", () =>
    Effect.gen(function*() {
      const { listener, one } = yield* connected()
      assert.isTrue(Option.isNone(yield* listener.tryAccept))
      const client = yield* on(one)(Tcp.connect(`${hostTwo}:80`))
      yield* settle
      const server = Option.getOrThrow(yield* listener.tryAccept)
      assert.strictEqual(server.remote.port, client.local.port)
    }))

  it.effect("closed, fails who waits in accept with Closed", () =>
    Effect.gen(function*() {
      const { two } = yield* pair()
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const waiting = yield* Effect.forkChild(reasonOf(Effect.scoped(listener.accept)))
      yield* Effect.yieldNow
      yield* listener.close
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "Closed")
    }))

  it.effect("serves each connection in a fiber of its own, and closes it when the handler ends", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      yield* Effect.forkChild(
        listener.serve((connection) =>
          Effect.flatMap(connection.readAll, (data) => connection.write(bytes(text(data).toUpperCase())))
        )
      )
      const ask = (question: string) =>
        Effect.scoped(Effect.gen(function*() {
          const connection = yield* on(one)(Tcp.connect(`${hostTwo}:80`))
          yield* connection.write(bytes(question))
          yield* connection.end
          return text(yield* connection.readAll)
        }))
      const answers = yield* Effect.forEach(["a", "b", "c", "d"], ask, { concurrency: 4 })
      assert.deepStrictEqual(answers, ["A", "B", "C", "D"])
    }))

  it.effect("serves on when a handler fails: its connection is reset", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const calls = yield* Ref.make(0)
      yield* Effect.forkChild(listener.serve((connection) =>
        Effect.gen(function*() {
          yield* connection.read()
          yield* Ref.update(calls, (n) => n + 1)
          return yield* new Tcp.TcpError({ operation: "read", reason: (yield* reasonOf(connection.read(0)))! })
        })
      ))
      for (let i = 0; i < 2; i++) {
        const connection = yield* on(one)(Tcp.connect(`${hostTwo}:80`))
        yield* connection.write(bytes("x"))
        assert.strictEqual((yield* reasonOf(connection.read()))._tag, "ConnectionReset")
      }
      assert.strictEqual(yield* Ref.get(calls), 2)
    }))

  it.effect("handles no more connections at once than it is told to", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const gate = yield* Deferred.make<void>()
      const busy = yield* Ref.make(0)
      const handler = () => Effect.andThen(Ref.updateAndGet(busy, (n) => n + 1), Deferred.await(gate))
      yield* Effect.forkChild(listener.serve(handler, { concurrency: 2 }))
      for (let i = 0; i < 5; i++) yield* on(one)(Tcp.connect(`${hostTwo}:80`))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Ref.get(busy), 2)
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Ref.get(busy), 5)
    }))

  it.effect("interrupted while it serves, ends its handlers and leaves no connection", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const serving = yield* Effect.forkChild(listener.serve(() => Effect.never))
      const clients = []
      for (let i = 0; i < 3; i++) clients.push(yield* on(one)(Tcp.connect(`${hostTwo}:80`)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(serving)
      for (const client of clients) assert.strictEqual((yield* reasonOf(client.read()))._tag, "ConnectionReset")
      assert.deepStrictEqual(yield* on(two)(Network.connections), [])
      assert.strictEqual(yield* two.read(Readings.parkedRequests), 0)
    }))
})
