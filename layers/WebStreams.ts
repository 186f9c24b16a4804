/**
 * A TCP connection of the stack as a pair of web streams (WHATWG Streams), for code that speaks those.
 *
 * ```
 *   readable   ◀── connection.read, when somebody asks        cancel ──▶ what comes from now on is discarded
 *   writable   ──▶ connection.write, one chunk at a time      close  ──▶ FIN      abort ──▶ reset
 * ```
 *
 * @example
 * ```ts
 * const { readable, writable } = yield* WebStreams.make(connection)
 * yield* Effect.promise(() => readable.pipeThrough(new DecompressionStream("gzip")).pipeTo(sink))
 * ```
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { ReadableStream, WritableStream } from "node:stream/web"
import type { TcpConnection } from "../src/sockets/TcpConnection.ts"
import { TcpError } from "../src/sockets/TcpError.ts"
import { EventLoop } from "../src/workers/EventLoop.ts"
import * as SystemError from "./SystemError.ts"

export interface WebStreams {
  /** A stream of octets: readers may bring their own buffers. */
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

/** Octets that are read ahead at most. */
const readAhead = 64 * 1024

/** Runs an effect for a stream, which takes promises and Node's errors. */
type Run = <A>(effect: Effect.Effect<A, TcpError>) => Promise<A>

const errorOf = (cause: Cause.Cause<TcpError>): Error => {
  if (Cause.hasInterruptsOnly(cause)) return SystemError.make("ECONNABORTED", "read")
  const error = Cause.squash(cause)
  return error instanceof TcpError ? SystemError.of(error) : error as Error
}

/** What is still running when the scope closes is interrupted. */
const runnerIn = (context: Context.Context<Scope.Scope>): Run => {
  const fork = Effect.runForkWith(context)
  Context.get(context, EventLoop).joined()
  const running = new Set<Fiber.Fiber<unknown, unknown>>()
  fork(Scope.addFinalizer(
    Context.get(context, Scope.Scope),
    Effect.sync(() => {
      for (const fiber of running) fiber.interruptUnsafe()
    })
  ))
  return <A>(effect: Effect.Effect<A, TcpError>) =>
    new Promise<A>((resolve, reject) => {
      const fiber = fork(effect)
      running.add(fiber)
      fiber.addObserver((exit) => {
        running.delete(fiber)
        if (Exit.isSuccess(exit)) resolve(exit.value)
        else reject(errorOf(exit.cause))
      })
    })
}

const readableOf = (connection: TcpConnection, run: Run): ReadableStream<Uint8Array> =>
  new ReadableStream({
    type: "bytes",
    pull: async (controller) => {
      const chunks = await run(connection.read(readAhead))
      // A byte stream takes the buffers themselves over, and these are the connection's.
      for (const chunk of chunks) controller.enqueue(chunk.slice())
      if (chunks.length > 0) return
      controller.close()
      // A reader that waits with its own buffer hears of the end only so.
      controller.byobRequest?.respond(0)
    },
    cancel: () => run(Effect.ignore(connection.stopReading))
  })

const writableOf = (connection: TcpConnection, run: Run): WritableStream<Uint8Array> =>
  new WritableStream<Uint8Array>({
    write: (chunk) => run(connection.write(chunk)),
    close: () => run(connection.end),
    abort: () => run(connection.abort)
  })

/** Both directions of a connection, which stays its scope's to close. */
export const make = (connection: TcpConnection): Effect.Effect<WebStreams, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const run = runnerIn(context)
    return Effect.succeed({ readable: readableOf(connection, run), writable: writableOf(connection, run) })
  })
