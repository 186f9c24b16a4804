/**
 * Datagrams from the kernel's side.
 *
 *     datagrams.ts echo ADDRESS PORT SIZE…    sends them to an echo service, one after the other
 *     datagrams.ts serve ADDRESS PORT         is one
 *
 * `echo` prints `{ "echoed": N, "failures": […] }`: its socket is connected, so that an ICMP error is a failure. `serve` prints
 * `listening`, then `heard SIZE` for each.
 */
/* oxlint-disable no-await-in-loop -- One after the other is what this is about. */
import { createSocket } from "node:dgram"
import { once } from "node:events"

const [mode, address, port, ...sizes] = process.argv.slice(2)
const socket = createSocket("udp4")

const echo = async (): Promise<void> => {
  const failures: Array<string> = []
  let echoed = 0
  const connected = once(socket, "connect")
  socket.connect(Number(port), address)
  await connected
  for (const [number, size] of sizes.map(Number).entries()) {
    const sent = Uint8Array.from({ length: size }, (_, i) => i * 31 + number)
    const answer = once(socket, "message", { signal: AbortSignal.timeout(5000) }) as Promise<[Buffer]>
    try {
      socket.send(sent)
      const [received] = await answer
      if (received.equals(sent)) echoed += 1
      else failures.push(`${size} bytes came back as ${received.length} others`)
    } catch (error) {
      failures.push(`${size} bytes: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
    }
  }
  socket.close()
  process.stdout.write(`${JSON.stringify({ echoed, failures })}\n`)
}

const serve = (): void => {
  socket.on("message", (bytes, from) => {
    process.stdout.write(`heard ${bytes.length}\n`)
    socket.send(bytes, from.port, from.address)
  })
  socket.bind(Number(port), address, () => process.stdout.write("listening\n"))
}

if (mode === "echo") await echo()
else serve()
