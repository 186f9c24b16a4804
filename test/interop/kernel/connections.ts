/**
 * Opens connections to an echo service from the kernel's side, each with words of its own that must come back.
 *
 *     connections.ts sequential|parallel ADDRESS PORT COUNT
 *
 * In parallel they are all open before the first word is said. Prints `{ "echoed": N, "failures": […] }`.
 */
/* oxlint-disable no-await-in-loop -- One after the other is what this is about. */
import { once } from "node:events"
import { connect, type Socket } from "node:net"

const [mode, address, port, count] = process.argv.slice(2)
const failures: Array<string> = []
let echoed = 0

const open = async (): Promise<Socket> => {
  const socket = connect({ host: address!, port: Number(port), allowHalfOpen: true })
  await once(socket, "connect")
  return socket
}

/** Says the words, ends, and listens to the end. */
const converse = async (socket: Socket, words: string): Promise<void> => {
  socket.setEncoding("utf8")
  socket.end(words)
  let heard = ""
  for await (const part of socket) heard += part
  if (heard === words) echoed += 1
  else failures.push(`said ${words}, heard ${heard}`)
}

const attempt = async (run: () => Promise<void>): Promise<void> => {
  try {
    await run()
  } catch (error) {
    failures.push(String(error))
  }
}

const numbers = Array.from({ length: Number(count) }, (_, i) => i)

if (mode === "sequential") {
  for (const i of numbers) await attempt(async () => converse(await open(), `connection ${i}`))
} else {
  const sockets = await Promise.allSettled(numbers.map(open))
  await Promise.all(sockets.map((settled, i) =>
    attempt(() =>
      settled.status === "fulfilled"
        ? converse(settled.value, `connection ${i}`)
        : Promise.reject(settled.reason as Error)
    )
  ))
}

process.stdout.write(`${JSON.stringify({ echoed, failures: failures.slice(0, 10) })}\n`)
