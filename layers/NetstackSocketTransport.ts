/**
 * What a socket speaks through once it is open: the connection itself, or TLS on top of it.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import type * as Tcp from "../src/sockets/Tcp.ts"
import type { TcpConnection } from "../src/sockets/TcpConnection.ts"
import { withCause } from "./withCause.ts"

export type Chunk = Uint8Array | string
export type Chunks = NonEmptyReadonlyArray<Chunk>

export interface Transport {
  /** Waits for data; fails at the peer's end with `SocketCloseError` 1000. */
  readonly pull: Effect.Effect<Chunks, Socket.SocketError>
  readonly write: (chunk: Chunk) => Effect.Effect<void, Socket.SocketError>
  readonly writeAll: (chunks: Chunks) => Effect.Effect<void, Socket.SocketError>
  /** Ends this direction. */
  readonly end: Effect.Effect<void>
  /** Closes both directions. */
  readonly close: Effect.Effect<void>
}

/** The codes of WebSocket's closes (RFC 6455 §7.4.1), which `Socket` uses for every transport. */
export const normal = 1000
export const abnormal = 1006

export const closed = (code: number): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketCloseError({ code }) })

export const readFailed = (cause: unknown): Socket.SocketError =>
  new Socket.SocketError({ reason: withCause(new Socket.SocketReadError({ cause })) })

export const writeFailed = (cause: unknown): Socket.SocketError =>
  new Socket.SocketError({ reason: withCause(new Socket.SocketWriteError({ cause })) })

export const openFailed = (cause: unknown, kind: "Unknown" | "Timeout" = "Unknown"): Socket.SocketError =>
  new Socket.SocketError({ reason: withCause(new Socket.SocketOpenError({ kind, cause })) })

export const upgradeFailed = (cause: unknown): Socket.SocketError =>
  new Socket.SocketError({ reason: withCause(new Socket.SocketUpgradeError({ cause })) })

/** A connection that this side has closed, as against one that was lost. */
const isOwnEnd = ({ reason }: Tcp.TcpError): boolean => reason._tag === "Closed" || reason._tag === "NotConnected"

const readError = (error: Tcp.TcpError): Socket.SocketError => isOwnEnd(error) ? closed(abnormal) : readFailed(error)

const encoder = new TextEncoder()

/** One array of all chunks, so that they share segments; it belongs to nobody else. */
const join = (chunks: Chunks): Uint8Array => {
  const parts = chunks.map((chunk) => typeof chunk === "string" ? encoder.encode(chunk) : chunk)
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** The connection as it is. */
export const plain = (connection: TcpConnection): Transport => {
  const read = Effect.mapError(connection.read(), readError)
  const write = (chunk: Chunk) =>
    Effect.mapError(
      typeof chunk === "string" ? connection.writeOwned(encoder.encode(chunk)) : connection.write(chunk),
      writeFailed
    )
  return {
    pull: Effect.flatMap(read, (chunks) => {
      const [first, ...rest] = chunks
      return first === undefined ? Effect.fail(closed(normal)) : Effect.succeed([first, ...rest] as const)
    }),
    write,
    writeAll: (chunks) =>
      chunks.length === 1
        ? write(chunks[0])
        : Effect.suspend(() => Effect.mapError(connection.writeOwned(join(chunks)), writeFailed)),
    end: Effect.ignore(connection.end),
    close: connection.close
  }
}

/** A transport that is being made: who uses it waits until it is there. */
export const pending = (made: Deferred.Deferred<Transport, Socket.SocketError>): Transport => {
  const transport = Deferred.await(made)
  return {
    pull: Effect.flatMap(transport, ({ pull }) => pull),
    write: (chunk) => Effect.flatMap(transport, ({ write }) => write(chunk)),
    writeAll: (chunks) => Effect.flatMap(transport, ({ writeAll }) => writeAll(chunks)),
    end: Effect.ignore(Effect.flatMap(transport, ({ end }) => end)),
    close: Effect.ignore(Effect.flatMap(transport, ({ close }) => close))
  }
}

/** Before there is a connection. */
export const none: Transport = {
  pull: Effect.fail(closed(abnormal)),
  write: () => Effect.fail(closed(abnormal)),
  writeAll: () => Effect.fail(closed(abnormal)),
  end: Effect.void,
  close: Effect.void
}
