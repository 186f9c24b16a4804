import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { gunzipSync } from "node:zlib"
import * as WebStreams from "../../layers/WebStreams.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import { addressTwo, on, pair } from "../workers/Hosts.ts"
import { bytes, pattern, text } from "./Events.ts"

/** The near end of a connection as web streams, the far end as it is. */
const connected = Effect.gen(function*() {
  const { one, two } = yield* pair()
  const listener = yield* on(two)(Tcp.listen({ port: 80 }))
  const near = yield* on(one)(Tcp.connect(`${addressTwo}:80`))
  return { near, far: yield* listener.accept, ...(yield* WebStreams.make(near)) }
})

const attempt = <A>(run: () => Promise<A>) => Effect.tryPromise(run)

const readAll = (readable: WebStreams.WebStreams["readable"]) =>
  attempt(async () => {
    const chunks: Array<Uint8Array> = []
    for await (const chunk of readable) chunks.push(chunk)
    return Buffer.concat(chunks)
  })

describe("WebStreams", () => {
  it.live("carry data both ways to the end of each", () =>
    Effect.gen(function*() {
      const { far, readable, writable } = yield* connected
      const writer = writable.getWriter()
      yield* attempt(() => writer.write(bytes("question")))
      yield* attempt(() => writer.close())
      assert.strictEqual(text(yield* far.readAll), "question")
      yield* far.write(bytes("answer"))
      yield* far.end
      assert.strictEqual(text(yield* readAll(readable)), "answer")
    }))

  it.live("fit with the streams of the platform", () =>
    Effect.gen(function*() {
      const { far, readable, writable } = yield* connected
      const data = pattern(500_000)
      const packed = yield* Effect.forkChild(far.readAll)
      yield* attempt(() =>
        new Blob([data as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip")).pipeTo(writable)
      )
      assert.strictEqual(Buffer.compare(gunzipSync(yield* Fiber.join(packed)), data), 0)
      yield* far.end
      assert.strictEqual((yield* readAll(readable)).length, 0)
    }))

  it.live("fill buffers that the reader brings, to the end", () =>
    Effect.gen(function*() {
      const { far, readable } = yield* connected
      const reader = readable.getReader({ mode: "byob" })
      const read = (length: number) => attempt(() => reader.read(new Uint8Array(length)))
      const first = yield* Effect.forkChild(read(3), { startImmediately: true })
      yield* far.write(bytes("hello"))
      assert.strictEqual(text((yield* Fiber.join(first)).value!), "hel")
      assert.strictEqual(text((yield* read(10)).value!), "lo")
      const last = yield* Effect.forkChild(read(10), { startImmediately: true })
      yield* far.end
      assert.isTrue((yield* Fiber.join(last)).done)
    }))

  it.live("hold back: nothing is read before somebody asks, and a write waits for room", () =>
    Effect.gen(function*() {
      const { far, near, readable, writable } = yield* connected
      yield* far.write(new Uint8Array(200_000))
      yield* far.drained
      assert.strictEqual((yield* near.info).unread, 200_000)
      const writer = writable.getWriter()
      let isWritten = false
      const writing = attempt(() => writer.write(new Uint8Array(20_000_000)).then(() => isWritten = true))
      const written = yield* Effect.forkChild(writing, { startImmediately: true })
      yield* far.read()
      assert.isFalse(isWritten)
      yield* Effect.forkChild(far.readAll)
      yield* Fiber.join(written)
      yield* attempt(() => readable.cancel())
      assert.strictEqual((yield* near.info).unread, 0)
    }))

  it.live("reset the connection when the writer aborts, and fail when the peer does", () =>
    Effect.gen(function*() {
      const first = yield* connected
      yield* attempt(() => first.writable.abort())
      assert.strictEqual((yield* Effect.flip(first.far.read())).reason._tag, "ConnectionReset")
      const second = yield* connected
      yield* second.far.abort
      const error = yield* Effect.flip(readAll(second.readable))
      assert.strictEqual((error.cause as NodeJS.ErrnoException).code, "ECONNRESET")
    }))

  it.live("end what waits with their scope", () =>
    Effect.gen(function*() {
      const { near } = yield* connected
      const scope = yield* Scope.make()
      const { readable } = yield* Scope.provide(WebStreams.make(near), scope)
      const reading = yield* Effect.forkChild(Effect.flip(readAll(readable)), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(((yield* Fiber.join(reading)).cause as NodeJS.ErrnoException).code, "ECONNABORTED")
    }))
})
