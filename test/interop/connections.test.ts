/**
 * Many TCP connections, one after the other and all at once.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

suite("connections", ["tcpdump"], () => {
  it.live("two thousand, one after the other, each hear their own words and end", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("connections sequential")
      yield* Machine.up(machine, ["echo:7"])
      const result = yield* Machine.kernelScript(machine, "connections", ["sequential", Machine.stackAddress, 7, 2000])
      assert.deepStrictEqual(result, { echoed: 2000, failures: [] })
    }))

  it.live("five hundred at once each hear their own words and end", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("connections parallel")
      yield* Machine.up(machine, ["echo:7"])
      const result = yield* Machine.kernelScript(machine, "connections", ["parallel", Machine.stackAddress, 7, 500])
      assert.deepStrictEqual(result, { echoed: 500, failures: [] })
    }))

  it.live("two thousand that the stack closes first leave room for the next ones (RFC 9293 §3.6.1)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("connections closed by the stack")
      yield* Machine.up(machine, ["daytime:13"])
      const script = `for i in $(seq 2000); do nc ${Machine.stackAddress} 13 </dev/null || exit 1; done`
      const { stdout } = yield* machine.namespace.succeed("bash", ["-c", script], { limit: "2 minutes" })
      assert.strictEqual(stdout.split("\n").filter((line) => line.trim() !== "").length, 2000)
    }))
})
