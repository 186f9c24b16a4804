/**
 * Fetches one resource over HTTP/1.1 (RFC 9112) on a connection of its own.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Destination from "../sockets/Destination.ts"
import type { Netstack } from "../sockets/Netstack.ts"
import * as Tcp from "../sockets/Tcp.ts"
import * as ByteReader from "./ByteReader.ts"
import * as Http from "./Http.ts"

/** The server does not speak HTTP/1.x as we do. */
export class HttpGetError extends Schema.TaggedError<HttpGetError>()("HttpGetError", { detail: Schema.String }) {
  override get message(): string {
    return this.detail
  }
}

type Failures = Tcp.TcpError | ByteReader.InputError | HttpGetError

export interface HttpResponse {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  /** Bytes of the body, if the server told. */
  readonly length: number | undefined
  readonly body: Stream.Stream<Uint8Array, Failures>
}

const lineLimit = 8192
const encoder = new TextEncoder()

const malformed = (detail: string): Effect.Effect<never, HttpGetError> => Effect.fail(new HttpGetError({ detail }))

type Pull = Effect.Effect<readonly [Uint8Array], Failures | Cause.Done>

/** Exactly `length` bytes, in pieces. */
const counted = (reader: ByteReader.ByteReader, length: number): Pull => {
  let left = length
  return Effect.suspend((): Pull => {
    if (left === 0) return Cause.done()
    return Effect.flatMap(reader.some, (bytes): Pull => {
      if (bytes === undefined) return malformed("the server ended before the body did")
      const part = bytes.subarray(0, left)
      left -= part.length
      return Effect.succeed([part])
    })
  })
}

const toTheEnd = (reader: ByteReader.ByteReader): Pull =>
  Effect.flatMap(reader.some, (bytes): Pull => bytes === undefined ? Cause.done() : Effect.succeed([bytes]))

/** RFC 9112 §7.1: the size in hexadecimal, the chunk, a line end; a chunk of size 0 ends the body. */
const chunked = (reader: ByteReader.ByteReader): Pull =>
  Effect.gen(function*() {
    const line = (yield* reader.line(lineLimit)) ?? ""
    const size = Number.parseInt(line, 16)
    if (Number.isNaN(size) || size < 0) return yield* malformed("malformed chunk")
    if (size === 0) {
      yield* Http.readHeaders(reader)
      return yield* Cause.done()
    }
    const chunk = (yield* reader.exactly(size)).slice()
    yield* reader.line(2)
    return [chunk] as const
  })

const readResponse = (reader: ByteReader.ByteReader): Effect.Effect<HttpResponse, Failures> =>
  Effect.gen(function*() {
    const [version, status] = ((yield* reader.line(lineLimit)) ?? "").split(" ")
    if (version === undefined || !/^HTTP\/1\.[01]$/.test(version) || status === undefined || !/^\d{3}$/.test(status)) {
      return yield* malformed("the server does not speak HTTP/1.1")
    }
    const headers = yield* Http.readHeaders(reader)
    if (headers === undefined) return yield* malformed("malformed header fields")
    const told = headers.get("content-length")
    const length = told !== undefined && /^\d+$/.test(told) ? Number(told) : undefined
    const isChunked = headers.get("transfer-encoding")?.toLowerCase() === "chunked"
    const pull = isChunked ? chunked(reader) : length === undefined ? toTheEnd(reader) : counted(reader, length)
    const body = Stream.fromPull(Effect.succeed(pull))
    return { status: Number(status), headers, length: isChunked ? undefined : length, body }
  })

/** Sends the request and reads the response up to its body, which lasts as long as the scope. */
export const get = (
  to: Destination.Input,
  host: string,
  target: string
): Effect.Effect<HttpResponse, Failures, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    const connection = yield* Tcp.connect(to)
    const lines = [`GET ${target} HTTP/1.1`, `Host: ${host}`, "User-Agent: netstack", "Connection: close", "", ""]
    yield* connection.writeOwned(encoder.encode(lines.join("\r\n")))
    return yield* readResponse(ByteReader.make(connection))
  })
