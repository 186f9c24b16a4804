/**
 * A host in two shards on the device of `Machine.ts`. Says `ready` once both serve and have asked the kernel, answers each line on its input
 * with what it sees, and ends with status 1 when a shard dies.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createInterface } from "node:readline"
import * as Sharded from "../../../layers/Sharded.ts"
import { device, prefixLength, stackAddress } from "../Machine.ts"

const [kernelPort = "0", offload = ""] = process.argv.slice(2)
const shards = 2

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

const seen = ({ connections, each, interfaces }: Sharded.View) =>
  Effect.gen(function*() {
    const all = yield* connections
    const [counted, links] = yield* Effect.all([each, interfaces])
    return {
      established: counted.map((_, shard) =>
        all.filter((one) => one.shard === shard && one.state === "ESTABLISHED").length
      ),
      opened: counted.map(({ counters }) => counters.tcpPassiveOpens),
      handedOver: links.find(({ name }) => name === device)?.lost["handedOver"] ?? 0
    }
  })

const main = Effect.gen(function*() {
  const view = yield* Sharded.make({
    shards,
    device: { name: device, vnetHeader: offload === "offload" },
    stack: { ipv4: `${stackAddress}/${prefixLength}` },
    program: new URL("./shardProgram.ts", import.meta.url),
    input: { kernelPort: Number(kernelPort) }
  })
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  createInterface({ input: process.stdin }).on("line", () => runFork(Effect.map(seen(view), print)))
  // Two words of each shard.
  const told = yield* Stream.runCollect(Stream.take(view.said, 2 * shards))
  print(told.map(({ shard, value }) => [shard, value]))
  process.stdout.write("ready\n")
  return yield* view.failure
})

Effect.runPromise(Effect.scoped(main)).catch((error: unknown) => {
  const { _tag, shard } = error as Sharded.ShardFailed
  process.stdout.write(`${_tag} of shard ${shard}\n`)
  process.exitCode = 1
  process.stdin.destroy()
})
