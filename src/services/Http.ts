/**
 * As much of HTTP/1.1 (RFC 9112) as a small site and a download need: requests without body, responses of a known length or
 * to the end of the connection, several requests on one connection.
 */
import * as Effect from "effect/Effect"
import type { Netstack } from "../sockets/Netstack.ts"
import type { TcpConnection } from "../sockets/TcpConnection.ts"
import type { TcpError } from "../sockets/TcpError.ts"
import * as ByteReader from "./ByteReader.ts"
import type { Service } from "./Service.ts"

export interface Request {
  readonly method: string
  /** The path with its query, as it was sent. */
  readonly target: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
}

export interface Response {
  readonly status: number
  readonly contentType: string
  readonly body: Uint8Array
}

export type Handler = (request: Request) => Effect.Effect<Response, never, Netstack>

const lineLimit = 8192
const headerLimit = 100
/** A connection that asks nothing for so long is closed. */
const idleTimeout = "30 seconds"

const encoder = new TextEncoder()
const phrases: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  411: "Length Required",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported"
}

export const text = (status: number, body: string, contentType = "text/plain; charset=utf-8"): Response => ({
  status,
  contentType,
  body: encoder.encode(body)
})

const isFieldName = (name: string): boolean => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)

/** Header fields to the empty line; nothing when they are malformed or too many. */
export const readHeaders = (
  reader: ByteReader.ByteReader
): Effect.Effect<ReadonlyMap<string, string> | undefined, TcpError | ByteReader.InputError> =>
  Effect.gen(function*() {
    const headers = new Map<string, string>()
    for (let count = 0; count < headerLimit; count++) {
      const line = yield* reader.line(lineLimit)
      if (line === undefined || line === "") return headers
      const colon = line.indexOf(":")
      const name = line.slice(0, colon).toLowerCase()
      // RFC 9112 §5.1: no blank before the colon; §5.2: a folded line is refused.
      if (colon < 1 || !isFieldName(name)) return undefined
      const value = line.slice(colon + 1).trim()
      const before = headers.get(name)
      headers.set(name, before === undefined ? value : `${before}, ${value}`)
    }
    return undefined
  })

/** The next request, a response that refuses it, or nothing at the end of the connection. */
const readRequest = (
  reader: ByteReader.ByteReader
): Effect.Effect<Request | Response | undefined, TcpError | ByteReader.InputError> =>
  Effect.gen(function*() {
    const line = yield* reader.line(lineLimit)
    if (line === undefined) return undefined
    const [method, target, version, ...rest] = line.split(" ")
    if (method === undefined || target === undefined || version === undefined || rest.length > 0) {
      return text(400, "malformed request line\n")
    }
    if (!/^HTTP\/1\.[01]$/.test(version)) return text(505, "HTTP/1.1 is spoken here\n")
    const headers = yield* readHeaders(reader)
    if (headers === undefined) return text(431, "malformed or too many header fields\n")
    const length = headers.get("content-length") ?? "0"
    if (headers.has("transfer-encoding") || length !== "0") {
      return text(411, "requests with a body are not taken here\n")
    }
    const keepAlive = version === "HTTP/1.1" ? "keep-alive" : "close"
    return { method, target, headers: new Map([["connection", keepAlive], ...headers]) }
  })

const write = (connection: TcpConnection, response: Response, withBody: boolean, isLast: boolean) => {
  const { body, contentType, status } = response
  const head = [
    `HTTP/1.1 ${status} ${phrases[status] ?? "Unknown"}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${body.length}`,
    `Connection: ${isLast ? "close" : "keep-alive"}`,
    "",
    ""
  ]
  const headBytes = encoder.encode(head.join("\r\n"))
  const whole = new Uint8Array(headBytes.length + (withBody ? body.length : 0))
  whole.set(headBytes)
  if (withBody) whole.set(body, headBytes.length)
  return connection.writeOwned(whole)
}

const answer = (handler: Handler, request: Request): Effect.Effect<Response, never, Netstack> =>
  request.method === "GET" || request.method === "HEAD"
    ? handler(request)
    : Effect.succeed(text(405, "only GET and HEAD\n"))

const isRequest = (value: Request | Response): value is Request => "method" in value

/** Answers requests on a connection until either side has enough. */
export const service = (handler: Handler): Service => ({
  name: "http",
  connection: (connection) =>
    Effect.gen(function*() {
      const reader = ByteReader.make(connection)
      for (;;) {
        const next = yield* Effect.timeoutOption(readRequest(reader), idleTimeout)
        const request = next._tag === "None" ? undefined : next.value
        if (request === undefined) return
        if (!isRequest(request)) {
          yield* write(connection, request, true, true)
          return yield* connection.end
        }
        const isLast = request.headers.get("connection")?.toLowerCase() === "close"
        yield* write(connection, yield* answer(handler, request), request.method !== "HEAD", isLast)
        if (isLast) return yield* connection.end
      }
    })
})
