/**
 * Run by a test: uses a stack with connections, timers and a delayed wire, closes it, and prints what still keeps the process
 * alive. Then the process has to end by itself.
 */
import * as Effect from "effect/Effect"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import { addressTwo, on, pair } from "./Hosts.ts"

const program = Effect.gen(function*() {
  const { one, two } = yield* pair({ latency: "1 millis" })
  const listener = yield* on(two)(Tcp.listen({ port: 80 }))
  yield* Effect.forkScoped(listener.serve((connection) => connection.readAll))
  const connection = yield* on(one)(Tcp.connect(`${addressTwo}:80`, { options: { keepAlive: true } }))
  yield* connection.write(new Uint8Array(1000))
  yield* Effect.forkScoped(on(one)(Ping.ping("10.0.0.77", { timeout: "1 hour" })))
  yield* on(one)(Ping.ping(addressTwo))
}).pipe(Effect.scoped)

await Effect.runPromise(program)
await new Promise((resolve) => setImmediate(resolve))
const timers = process.getActiveResourcesInfo().filter((resource) => resource === "Timeout" || resource === "Immediate")
process.stdout.write(JSON.stringify(timers))
