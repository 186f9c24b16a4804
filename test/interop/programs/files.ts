/**
 * A web server on the stack for transfers: gives the bytes of `Pattern.ts` and takes what is put, answering with its hash.
 *
 *     GET /BYTES     the first BYTES bytes of the pattern
 *     PUT /          200, with the SHA-256 of the body
 *
 * It knows of HTTP/1.1 (RFC 9112) what curl and Node's client say: one request per connection, bodies by Content-Length,
 * `Expect: 100-continue` (RFC 9110 §10.1.1).
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../../src/sockets/TcpConnection.ts"
import * as Pattern from "../Pattern.ts"
import { run } from "./onTap.ts"

const port = 80
const mostHeadBytes = 16 * 1024
const ascii = (text: string): Uint8Array => Buffer.from(text, "latin1")

interface Request {
  readonly method: string
  readonly path: string
  readonly length: number
  readonly expectsContinue: boolean
  /** What of the body came along with the head. */
  readonly rest: Uint8Array
}

const parse = (head: string, rest: Uint8Array): Request => {
  const [method = "", path = ""] = head.split(" ", 2)
  return {
    method,
    path,
    length: Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0),
    expectsContinue: /^expect: *100-continue/im.test(head),
    rest
  }
}

const readRequest = (connection: TcpConnection) =>
  Effect.gen(function*() {
    let seen = Buffer.alloc(0)
    while (seen.length < mostHeadBytes) {
      const end = seen.indexOf("\r\n\r\n")
      if (end >= 0) return parse(seen.toString("latin1", 0, end), seen.subarray(end + 4))
      const chunks = yield* connection.read()
      if (chunks.length === 0) break
      seen = Buffer.concat([seen, ...chunks])
    }
    return undefined
  })

const give = (connection: TcpConnection, total: number) =>
  Effect.gen(function*() {
    yield* connection.write(ascii(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\nConnection: close\r\n\r\n`))
    for (const part of Pattern.parts(total)) yield* connection.writeOwned(part)
  })

const take = (connection: TcpConnection, request: Request) =>
  Effect.gen(function*() {
    if (request.expectsContinue) yield* connection.write(ascii("HTTP/1.1 100 Continue\r\n\r\n"))
    const hash = createHash("sha256").update(request.rest)
    let left = request.length - request.rest.length
    while (left > 0) {
      const chunks = yield* connection.read()
      if (chunks.length === 0) return
      for (const chunk of chunks) {
        hash.update(chunk)
        left -= chunk.length
      }
    }
    const body = `${hash.digest("hex")}\n`
    yield* connection.write(
      ascii(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
    )
  })

const handle = (connection: TcpConnection) =>
  Effect.gen(function*() {
    const request = yield* readRequest(connection)
    if (request === undefined) return
    if (request.method === "GET") yield* give(connection, Number(request.path.slice(1)))
    else if (request.method === "PUT") yield* take(connection, request)
    else {yield* connection.write(
        ascii("HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
      )}
    yield* connection.end
  })

run(
  Effect.gen(function*() {
    const listener = yield* Tcp.listen({ port, closePolicy: "orderly" })
    process.stdout.write("ready\n")
    return yield* listener.serve(handle)
  }),
  { addresses: ["2001:db8:99::2/64"] }
)
