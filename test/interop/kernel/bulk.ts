/**
 * Moves the bytes of `Pattern.ts` through one connection of the kernel's, with a congestion control of one's choice.
 *
 *     bulk.ts serve PORT CONGESTION                       answers the lines "get BYTES" and "put BYTES", one a connection; says ready
 *     bulk.ts get|put ADDRESS PORT BYTES CONGESTION       prints { "bytes": N, "sha256": H, "millis": T }
 *
 * What is got is hashed here, what is put by the far side, which answers with the hash; the time is from the request to the last byte got,
 * or to the answer.
 */
import koffi from "koffi"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import * as Pattern from "../Pattern.ts"

/** <netinet/tcp.h> */
const IPPROTO_TCP = 6
const TCP_CONGESTION = 13

const setsockopt = koffi.load(null).func("setsockopt", "int", ["int", "int", "int", "str", "uint32_t"])

const congest = (socket: Socket, name: string): void => {
  // oxlint-disable-next-line no-underscore-dangle -- Node tells the descriptor of a socket nowhere else.
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, name.length) !== 0) {
    throw new Error(`the kernel has no congestion control named ${name}`)
  }
}

const send = async (socket: Socket, bytes: number): Promise<void> => {
  for (const part of Pattern.parts(bytes)) {
    // oxlint-disable-next-line no-await-in-loop -- Each part waits for room.
    if (!socket.write(part)) await once(socket, "drain")
  }
}

/** Takes so many bytes, and hands back their hash. */
const receive = (socket: Socket, bytes: number, first: Uint8Array): Promise<string> =>
  new Promise((resolve, reject) => {
    const hash = createHash("sha256").update(first)
    let left = bytes - first.length
    const take = (part: Uint8Array): void => {
      hash.update(part)
      left -= part.length
      if (left <= 0) resolve(hash.digest("hex"))
    }
    if (left <= 0) return resolve(hash.digest("hex"))
    socket.on("data", take).on("close", () => reject(new Error(`${left} bytes are missing`)))
    socket.resume()
  })

/** The line that a connection begins with, and what came behind it. */
const line = (socket: Socket): Promise<readonly [string, Uint8Array]> =>
  new Promise((resolve) => {
    let all = Buffer.alloc(0)
    const take = (part: Uint8Array): void => {
      all = Buffer.concat([all, part])
      const end = all.indexOf("\n")
      if (end < 0) return
      socket.off("data", take).pause()
      resolve([all.toString("latin1", 0, end), all.subarray(end + 1)])
    }
    socket.on("data", take)
  })

const serve = (port: number, congestion: string): void => {
  createServer(async (socket) => {
    congest(socket, congestion)
    const [request, rest] = await line(socket)
    const [verb, bytes] = request.split(" ")
    if (verb === "get") await send(socket, Number(bytes))
    else socket.write(`${await receive(socket, Number(bytes), rest)}\n`)
    socket.end()
  }).listen(port, () => process.stdout.write("ready\n"))
}

const transfer = async (verb: string, host: string, port: number, bytes: number, congestion: string): Promise<void> => {
  const socket = connect({ host, port })
  await once(socket, "connect")
  congest(socket, congestion)
  const from = performance.now()
  socket.write(`${verb} ${bytes}\n`)
  if (verb === "put") await send(socket, bytes)
  const sha256 = verb === "get" ? await receive(socket, bytes, new Uint8Array(0)) : (await line(socket))[0]
  const millis = performance.now() - from
  socket.destroy()
  process.stdout.write(`${JSON.stringify({ bytes, sha256, millis })}\n`)
}

const [verb = "", ...args] = process.argv.slice(2)
if (verb === "serve") serve(Number(args[0]), args[1]!)
else await transfer(verb, args[0]!, Number(args[1]), Number(args[2]), args[3]!)
