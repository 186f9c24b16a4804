/**
 * A client on the kernel's side that tells how its connection ends.
 *
 *     resets.ts listen|talk|reset ADDRESS PORT
 *
 * It prints `connected`, then `end` for the far side's FIN or `error CODE`. `talk` says a thousand bytes first; `reset` waits for
 * a line on its input and resets.
 */
import { once } from "node:events"
import { connect } from "node:net"
import { createInterface } from "node:readline"

const [mode, address, port] = process.argv.slice(2)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const socket = connect({ host: address!, port: Number(port) })
socket.on("error", (error: NodeJS.ErrnoException) => say(`error ${error.code}`))
socket.on("end", () => say("end"))
await once(socket, "connect")
say("connected")
socket.resume()

if (mode === "talk") socket.write(Buffer.alloc(1000))
if (mode === "reset") {
  const input = createInterface({ input: process.stdin })
  await once(input, "line")
  socket.resetAndDestroy()
  input.close()
}
