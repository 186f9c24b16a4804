/**
 * The service of `kernel/bulk.ts` on the stack.
 *
 *     bulk.ts DEVICE IPV4/LENGTH PORT CONGESTION
 */
import * as Effect from "effect/Effect"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import { handle } from "./bulkService.ts"
import { run } from "./onTap.ts"

const [device = "tap0", address = "10.99.0.2/24", port = "7", congestionControl = "cubic"] = process.argv.slice(2)

const program = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: Number(port), closePolicy: "orderly", options: { congestionControl } })
  process.stdout.write("ready\n")
  return yield* listener.serve(handle)
})

run(program, { ipv4: address as `${string}/${number}` }, device)
