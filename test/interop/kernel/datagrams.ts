/**
 * Sends datagrams to an echo service from the kernel's side, one after the other, each of the size given and with bytes of its own.
 *
 *     datagrams.ts ADDRESS PORT SIZE…
 *
 * Prints `{ "echoed": N, "failures": […] }`. A connected socket, so that an ICMP error comes back as a failure.
 */
/* oxlint-disable no-await-in-loop -- One after the other is what this is about. */
import { createSocket } from "node:dgram"
import { once } from "node:events"

const [address, port, ...sizes] = process.argv.slice(2)
const failures: Array<string> = []
let echoed = 0

const socket = createSocket("udp4")
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
