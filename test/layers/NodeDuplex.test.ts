import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { finished, pipeline } from "node:stream/promises"
import * as NodeDuplex from "../../layers/NodeDuplex.ts"
import type * as SystemError from "../../layers/SystemError.ts"
import type * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"
import { addressOne, addressTwo, on, pair } from "../workers/Hosts.ts"
import { bytes, errorCode, event, pattern, readToEnd, settle, text, writeTo } from "./Events.ts"

/** Two stacks, the near end of a connection as a stream and the far end as it is. */
const connected = (options: NodeDuplex.DialOptions = {}, wire: MemoryLink.Options = {}) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair(wire)
    const listener = yield* on(two)(Tcp.listen({ port: 80 }))
    const duplex = yield* on(one)(NodeDuplex.connect(`${addressTwo}:80`, options))
    const far = yield* listener.accept
    return { one, two, listener, duplex, far }
  })

const reasonOf = <A, R>(self: Effect.Effect<A, Tcp.TcpError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason._tag)

const bufferLimit = 64 * 1024

describe("NodeDuplex", () => {
  it.live("carries data both ways and knows both ends", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected()
      assert.strictEqual(duplex.remoteAddress, addressTwo)
      assert.strictEqual(duplex.remotePort, 80)
      assert.strictEqual(duplex.remoteFamily, "IPv4")
      assert.deepStrictEqual(duplex.address(), { address: addressOne, port: far.remote.port, family: "IPv4" })
      assert.strictEqual(duplex.readyState, "open")
      duplex.end("question")
      assert.strictEqual(text(yield* far.readAll), "question")
      yield* far.write(bytes("answer"))
      yield* far.end
      assert.strictEqual(text(yield* readToEnd(duplex)), "answer")
      assert.strictEqual(duplex.bytesWritten, 8)
      assert.strictEqual(duplex.bytesRead, 6)
    }))

  it.live("passes large data on unchanged through a pipeline", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected({ allowHalfOpen: true })
      const data = pattern(3_000_000)
      const echo = yield* NodeDuplex.make(far, { allowHalfOpen: true })
      yield* Effect.forkScoped(Effect.promise(() => pipeline(echo, echo)))
      const reading = yield* Effect.forkScoped(readToEnd(duplex))
      for (let at = 0; at < data.length; at += 100_000) duplex.write(data.subarray(at, at + 100_000))
      duplex.end()
      const back = yield* Fiber.join(reading)
      assert.strictEqual(Buffer.compare(back, data), 0)
    }))

  it.live("joins what was written while corked into one write", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected()
      const before = (yield* far.info).segmentsReceived
      duplex.cork()
      for (const part of ["a", "b", "c", "d"]) duplex.write(part)
      duplex.uncork()
      assert.strictEqual(text((yield* far.read())[0]!), "abcd")
      assert.strictEqual((yield* far.info).segmentsReceived, before + 1)
    }))

  it.live("writes text in each of Node's encodings, alone and joined with bytes", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected()
      duplex.write("é", "latin1")
      duplex.cork()
      duplex.write("é")
      duplex.write("YQ==\n \n", "base64")
      duplex.write(Buffer.from("b"))
      duplex.write("63 no more", "hex")
      duplex.write("d", "utf16le")
      duplex.end()
      assert.deepStrictEqual(Buffer.from(yield* far.readAll).toString("latin1"), "\xe9\xc3\xa9abcd\0")
    }))

  it.live("keeps no more than its buffer of what nobody reads, and the peer waits", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected({ highWaterMark: bufferLimit })
      const data = pattern(20_000_000)
      const writing = yield* Effect.forkScoped(far.write(data))
      yield* settle
      assert.isUndefined(writing.pollUnsafe())
      assert.isAtMost(duplex.readableLength, 2 * bufferLimit)
      yield* Effect.forkScoped(Effect.andThen(Fiber.join(writing), far.end))
      assert.strictEqual(Buffer.compare(yield* readToEnd(duplex), data), 0)
    }))

  it.live("waits with a write until a slow peer has room for it", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected()
      let isWritten = false
      assert.isFalse(duplex.write(new Uint8Array(20_000_000), () => isWritten = true))
      const drained = yield* Effect.forkScoped(event(duplex, "drain"))
      yield* settle
      assert.isFalse(isWritten)
      duplex.end()
      assert.strictEqual((yield* far.readAll).length, 20_000_000)
      assert.isTrue(isWritten)
      yield* Fiber.interrupt(drained)
    }))

  it.live("ends with its peer unless it may stay half open", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected()
      duplex.resume()
      yield* far.end
      assert.deepStrictEqual(yield* far.read(), [])
      const open = yield* connected({ allowHalfOpen: true })
      yield* open.far.end
      yield* readToEnd(open.duplex.resume())
      assert.strictEqual(open.duplex.readyState, "writeOnly")
      open.duplex.end("still here")
      assert.strictEqual(text(yield* open.far.readAll), "still here")
    }))

  it.live("closes in good order by destroySoon and destroy, and resets with an error if it is told to", () =>
    Effect.gen(function*() {
      const first = yield* connected()
      first.duplex.write("last words")
      first.duplex.destroySoon()
      assert.strictEqual(text(yield* first.far.readAll), "last words")

      const second = yield* connected()
      second.duplex.destroy()
      assert.deepStrictEqual(yield* second.far.read(), [])

      const third = yield* connected()
      const failed = yield* Effect.forkScoped(event<Error>(third.duplex, "error"), { startImmediately: true })
      third.duplex.destroy(new Error("no more"))
      assert.strictEqual((yield* Fiber.join(failed)).message, "no more")
      assert.deepStrictEqual(yield* third.far.read(), [])

      const fourth = yield* connected()
      fourth.duplex.resetAndDestroy()
      assert.strictEqual(yield* reasonOf(fourth.far.read()), "ConnectionReset")

      const fifth = yield* connected({ closePolicy: "byExit" })
      fifth.duplex.on("error", () => {})
      fifth.duplex.destroy(new Error("no more"))
      assert.strictEqual(yield* reasonOf(fifth.far.read()), "ConnectionReset")
    }))

  it.live("fails like a net.Socket when the peer resets", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected()
      const code = yield* Effect.forkScoped(event<NodeJS.ErrnoException>(duplex, "error"), { startImmediately: true })
      yield* far.abort
      const error = yield* Fiber.join(code)
      assert.deepInclude(error, { code: "ECONNRESET", syscall: "read", message: "read ECONNRESET" })
      assert.isBelow(error.errno!, 0)
      assert.instanceOf(error.cause, Tcp.TcpError)
      const write = yield* Effect.flip(writeTo(duplex, bytes("x")))
      assert.strictEqual((write as NodeJS.ErrnoException).code, "ERR_STREAM_DESTROYED")
    }))
})

describe("NodeDuplex.dialer", () => {
  it.live("gives a stream at once, and writes what waits when it is connected", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair({ latency: "1 millis" })
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const dial = yield* on(one)(NodeDuplex.dialer)
      const duplex = dial({ host: addressTwo, port: 80 })
      assert.deepInclude(duplex, { connecting: true, pending: true, readyState: "opening" })
      assert.deepStrictEqual(duplex.address(), {})
      duplex.end("early")
      yield* event(duplex, "ready")
      assert.deepInclude(duplex, { connecting: false, pending: false })
      const far = yield* listener.accept
      assert.strictEqual(text(yield* far.readAll), "early")
    }))

  it.live("tells of a connection that is there at once when its caller has had time to listen", () =>
    VirtualTime.run(Effect.gen(function*() {
      const { one, two } = yield* pair()
      yield* on(two)(Tcp.listen({ port: 80 }))
      const dial = yield* on(one)(NodeDuplex.dialer)
      const duplex = dial({ host: addressTwo, port: 80 })
      assert.isTrue(duplex.connecting)
      yield* event(duplex, "connect")
      assert.isFalse(duplex.connecting)
    })))

  it.live("tells by an error with Node's code why it could not connect", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const dial = yield* on(one)(NodeDuplex.dialer)
      const failing = (...args: Parameters<NodeDuplex.Dial>) =>
        Effect.suspend(() => event<NodeJS.ErrnoException>(dial(...args), "error"))
      const refused = yield* failing({ host: addressTwo, port: 81 })
      const { address, code, port, syscall } = refused as SystemError.SystemError
      assert.deepStrictEqual([syscall, code, address, port], ["connect", "ECONNREFUSED", addressTwo, 81])
      assert.strictEqual(refused.message, `connect ECONNREFUSED ${addressTwo}:81`)
      assert.strictEqual((yield* failing("192.0.2.1:80")).code, "ENETUNREACH")
      const nowhere = (yield* failing("nowhere.example:80")) as SystemError.SystemError
      assert.deepInclude(nowhere, {
        code: "ENOTFOUND",
        errno: -3008,
        syscall: "getaddrinfo",
        hostname: "nowhere.example"
      })
      assert.strictEqual(nowhere.message, "getaddrinfo ENOTFOUND nowhere.example")
      assert.strictEqual((yield* failing("10.0.0.2:80", { localAddress: "10.9.9.9" })).code, "EADDRNOTAVAIL")
      assert.strictEqual((yield* failing("not a destination")).code, "EINVAL")
    }))

  it.effect("gives up when nobody answers (RFC 9293 §3.8.3)", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      yield* on(one)(Network.setNeighbor(1, "10.0.0.77", "02:00:00:00:00:77"))
      const dial = yield* on(one)(NodeDuplex.dialer)
      const code = yield* Effect.forkChild(
        errorCode(dial({ host: "10.0.0.77", port: 80 }, { options: { connectTimeout: "3 seconds" } })),
        { startImmediately: true }
      )
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(code), "ETIMEDOUT")
    }))

  it.live("forgets a connection that is destroyed before it is there", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair({ latency: "5 millis" })
      yield* on(two)(Tcp.listen({ port: 80 }))
      const dial = yield* on(one)(NodeDuplex.dialer)
      const duplex = dial({ host: addressTwo, port: 80 })
      const written = yield* Effect.forkScoped(Effect.flip(writeTo(duplex, bytes("x"))), { startImmediately: true })
      duplex.destroy()
      yield* Effect.promise(() => finished(duplex).catch(() => {}))
      assert.strictEqual(((yield* Fiber.join(written)) as NodeJS.ErrnoException).code, "ERR_SOCKET_CLOSED")
      assert.deepStrictEqual(yield* on(one)(Network.connections), [])
    }))

  it.live("closes its streams with its scope, in good order, or as the scope ends", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const seen = (exit: Exit.Exit<void, string>, options?: NodeDuplex.DialOptions) =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          const dial = yield* Scope.provide(on(one)(NodeDuplex.dialer), scope)
          const duplex = dial({ host: addressTwo, port: 80 }, options)
          yield* event(duplex, "connect")
          const far = yield* listener.accept
          yield* Scope.close(scope, exit)
          assert.isTrue(duplex.closed)
          assert.strictEqual(yield* errorCode(dial({ host: addressTwo, port: 80 })), "ECANCELED")
          return yield* Effect.exit(far.read())
        })
      assert.deepStrictEqual(yield* seen(Exit.void), Exit.succeed([]))
      assert.deepStrictEqual(yield* seen(Exit.fail("why")), Exit.succeed([]))
      assert.deepStrictEqual(yield* seen(Exit.void, { closePolicy: "byExit" }), Exit.succeed([]))
      assert.isTrue(Exit.isFailure(yield* seen(Exit.fail("why"), { closePolicy: "byExit" })))
    }))
})

describe("the options of a NodeDuplex", () => {
  it.effect("switch Nagle's algorithm off (RFC 9293 §3.7.4)", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair({ latency: "50 millis" })
      yield* on(two)(Tcp.listen({ port: 80 }))
      const connecting = yield* Effect.forkChild(on(one)(Tcp.connect(`${addressTwo}:80`)))
      yield* TestClock.adjust("30 seconds")
      const connection = yield* Fiber.join(connecting)
      const duplex = yield* NodeDuplex.make(connection)
      const unsentAfter = (text: string) =>
        Effect.andThen(writeTo(duplex, bytes(text)), Effect.map(connection.info, ({ unsent }) => unsent))
      assert.strictEqual(yield* unsentAfter("a"), 0)
      assert.strictEqual(yield* unsentAfter("b"), 1)
      duplex.setNoDelay()
      assert.strictEqual(yield* unsentAfter("c"), 0)
    }))

  it.effect("switch probes of a silent peer on (RFC 9293 §3.8.4)", () =>
    Effect.gen(function*() {
      const { duplex, one } = yield* connected()
      const sent = Effect.map(on(one)(Network.connections), ([connection]) => connection!.segmentsSent)
      const before = yield* sent
      duplex.setKeepAlive(true, 1000)
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* sent, before)
      yield* TestClock.adjust("2 millis")
      assert.strictEqual(yield* sent, before + 1)
    }))

  it.effect("tell of silence, again after each traffic", () =>
    Effect.gen(function*() {
      const { duplex, far } = yield* connected()
      let timeouts = 0
      duplex.on("timeout", () => timeouts++)
      duplex.on("error", () => {})
      duplex.resume().setTimeout(1000)
      yield* TestClock.adjust("600 millis")
      yield* far.write(bytes("x"))
      yield* TestClock.adjust("600 millis")
      assert.strictEqual(timeouts, 0)
      yield* TestClock.adjust("400 millis")
      assert.strictEqual(timeouts, 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(timeouts, 1)
      yield* writeTo(duplex, bytes("y"))
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(timeouts, 2)
      duplex.setTimeout(0)
      yield* writeTo(duplex, bytes("z"))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(timeouts, 2)
    }))
})
