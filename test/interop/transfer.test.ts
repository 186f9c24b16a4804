/**
 * Two hundred megabytes through one connection, each way, with the bytes compared by their hash.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Machine from "./Machine.ts"
import * as Pattern from "./Pattern.ts"
import { suite } from "./Requirements.ts"

const total = 200_000_000
const urls = [["IPv4", `http://${Machine.stackAddress}`], ["IPv6", "http://[2001:db8:99::2]"]] as const

const machineOf = (title: string) =>
  Effect.tap(
    Machine.make(title),
    ({ namespace }) =>
      namespace.succeed("ip", ["-6", "address", "add", "2001:db8:99::1/64", "dev", Machine.device, "nodad"])
  )

suite("transfer", ["curl", "sha256sum", "tcpdump"], () => {
  for (const [name, url] of urls) {
    it.live(`curl gets 200 MB from the stack as they are, over ${name}`, () =>
      Effect.gen(function*() {
        const machine = yield* machineOf(`transfer download ${name}`)
        yield* Machine.program(machine, "files")
        const script = `set -o pipefail; curl -g -sSf '${url}/${total}' | sha256sum`
        const { stdout } = yield* machine.namespace.succeed("bash", ["-c", script], { limit: "2 minutes" })
        assert.strictEqual(stdout.split(" ")[0], Pattern.sha256(total))
      }))

    it.live(`curl puts 200 MB to the stack as they are, over ${name}`, () =>
      Effect.gen(function*() {
        const machine = yield* machineOf(`transfer upload ${name}`)
        yield* Machine.program(machine, "files")
        const file = join(machine.folder, "noise")
        const put = `curl -g -sSf -T "$0" '${url}/'`
        const script = `head -c ${total} /dev/urandom > "$0" && sha256sum < "$0" && ${put}; rm -f "$0"`
        const { stdout } = yield* machine.namespace.succeed("bash", ["-c", script, file], { limit: "2 minutes" })
        const [sent, received] = stdout.split("\n").map((line) => line.split(" ")[0])
        assert.strictEqual(received, sent)
      }))
  }

  it.live("both ways at once, and several at a time", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("transfer both ways")
      yield* Machine.program(machine, "files")
      const size = 30_000_000
      const scripts = [0, 1, 2].flatMap(() => [["download"], ["upload"]]).map(([direction]) =>
        Effect.gen(function*() {
          const args = Machine.kernelCommand("transfer", [direction!, Machine.stackAddress, 80, size])
          const client = yield* machine.namespace.start(process.execPath, args)
          yield* client.write("go\n")
          const { stdout } = yield* client.ended("2 minutes")
          return JSON.parse(stdout.trim().split("\n").at(-1)!) as unknown
        })
      )
      const results = yield* Effect.all(scripts, { concurrency: "unbounded" })
      const expected = { bytes: size, sha256: Pattern.sha256(size) }
      assert.deepStrictEqual(results, results.map(() => expected))
    }))
})
