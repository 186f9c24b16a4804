/**
 * The service of `kernel/bulk.ts`: answers the lines "get BYTES" and "put BYTES", one a connection.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import type { TcpConnection } from "../../../src/sockets/TcpConnection.ts"
import * as Pattern from "../Pattern.ts"

const line = (connection: TcpConnection) =>
  Effect.gen(function*() {
    let all = Buffer.alloc(0)
    for (;;) {
      all = Buffer.concat([all, ...yield* connection.read()])
      const end = all.indexOf("\n")
      if (end >= 0) return [all.toString("latin1", 0, end), all.subarray(end + 1)] as const
    }
  })

const take = (connection: TcpConnection, bytes: number, first: Uint8Array) =>
  Effect.gen(function*() {
    const hash = createHash("sha256").update(first)
    for (let left = bytes - first.length; left > 0;) {
      const chunks = yield* connection.read()
      if (chunks.length === 0) break
      for (const chunk of chunks) {
        hash.update(chunk)
        left -= chunk.length
      }
    }
    yield* connection.write(Buffer.from(`${hash.digest("hex")}\n`))
  })

export const handle = (connection: TcpConnection) =>
  Effect.gen(function*() {
    const [request, rest] = yield* line(connection)
    const [verb, bytes] = request.split(" ")
    if (verb === "get") { for (const part of Pattern.parts(Number(bytes))) yield* connection.writeOwned(part) }
    else yield* take(connection, Number(bytes), rest)
    yield* connection.end
  })
