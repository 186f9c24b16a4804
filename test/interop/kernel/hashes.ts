/**
 * Sends the bytes of `Pattern.ts` through several connections at once to an echo service, and hashes what comes back.
 *
 *     hashes.ts ADDRESS PORT CONNECTIONS BYTES
 *
 * Prints `{ "hashes": { H: N } }`: how many connections got bytes of which SHA-256.
 */
import { createHash } from "node:crypto"
import { once } from "node:events"
import { connect } from "node:net"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import * as Pattern from "../Pattern.ts"

const [address, port, connections, size] = process.argv.slice(2)

const through = async (): Promise<string> => {
  const socket = connect({ host: address!, port: Number(port), allowHalfOpen: true })
  const hash = createHash("sha256")
  const sent = pipeline(Readable.from(Pattern.parts(Number(size))), socket)
  const heard = once(socket, "end")
  socket.on("data", (bytes: Buffer) => hash.update(bytes))
  await Promise.all([sent, heard])
  return hash.digest("hex")
}

const hashes: Record<string, number> = {}
for (const hash of await Promise.all(Array.from({ length: Number(connections) }, through))) {
  hashes[hash] = (hashes[hash] ?? 0) + 1
}
process.stdout.write(`${JSON.stringify({ hashes })}\n`)
