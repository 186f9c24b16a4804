/**
 * Servers as they come with Debian, and the clients that Node's users have for them, on a `NodeDuplex` of the stack.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const { kernelAddress } = Machine

/** Runs the client to its end, and gives what it printed. */
const client = (machine: Machine.Machine, kind: "redis" | "mqtt") =>
  Effect.map(
    machine.namespace.succeed(
      process.execPath,
      [fileURLToPath(new URL("programs/servers.ts", import.meta.url)), kind, kernelAddress],
      { log: join(machine.folder, "client.log") }
    ),
    ({ stdout }) => stdout.trim().split("\n")
  )

suite("servers", ["mosquitto", "redis-server", "tcpdump"], () => {
  it.live("ioredis speaks with redis-server: values, megabytes, pipelines and subscriptions", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("redis")
      const options = ["--bind", kernelAddress, "--protected-mode", "no", "--save", "", "--dir", machine.folder]
      const server = yield* machine.namespace.start("redis-server", options)
      yield* server.line(/Ready to accept connections/)
      assert.deepStrictEqual(yield* client(machine, "redis"), [
        "get hello",
        "large true",
        "count 1000",
        "news it works",
        "done"
      ])
    }))

  it.live("mqtt speaks with mosquitto: subscriptions and messages of every quality of service", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("mqtt")
      const file = join(machine.folder, "mosquitto.conf")
      writeFileSync(file, `listener 1883 ${kernelAddress}\nallow_anonymous true\npersistence false\nuser root\n`)
      const server = yield* machine.namespace.start("mosquitto", ["-v", "-c", file])
      yield* server.line(/mosquitto version .* running/)
      assert.deepStrictEqual(yield* client(machine, "mqtt"), ["stack/0 10, stack/1 1000, stack/2 100000", "done"])
    }))
})
