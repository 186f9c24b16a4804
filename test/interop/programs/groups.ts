/**
 * A program on the stack that belongs to groups of both families, tells what comes to them, and sends to one that it is told.
 *
 *     GROUP heard TEXT from ADDRESS
 *     say GROUP TEXT (a line of its input)
 */
import * as Effect from "effect/Effect"
import { createInterface } from "node:readline"
import type { Netstack } from "../../../src/sockets/Netstack.ts"
import * as Udp from "../../../src/sockets/Udp.ts"
import { run } from "./onTap.ts"

const port = 7000

const listen = (family: "IPv4" | "IPv6", group: string) =>
  Effect.gen(function*() {
    const socket = yield* Udp.bind({ port, family })
    yield* socket.join(group, { link: 1 })
    const hear = Effect.map(socket.receive, ({ bytes, source }) => {
      process.stdout.write(`${group} heard ${Buffer.from(bytes).toString()} from ${source.address}\n`)
    })
    yield* Effect.forkScoped(Effect.forever(hear))
    return socket
  })

run(
  Effect.gen(function*() {
    const sockets = { 4: yield* listen("IPv4", "239.7.7.7"), 6: yield* listen("IPv6", "ff15::7777") }
    const runFork = Effect.runForkWith(yield* Effect.context<Netstack>())
    createInterface({ input: process.stdin }).on("line", (line) => {
      const [, group = "", text = ""] = line.split(" ")
      const socket = sockets[group.includes(":") ? 6 : 4]
      void runFork(socket.send(Buffer.from(text), { host: group, port }))
    })
    process.stdout.write("ready\n")
    return yield* Effect.never
  }),
  { addresses: ["2001:db8:99::2/64"] }
)
