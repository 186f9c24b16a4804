/**
 * The program dies without a word and another takes its place at once, as after a crash.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

suite("restart", ["ping", "nc", "tcpdump"], () => {
  it.live("killed and started again at once, it answers; what was open before is reset (RFC 9293 §3.5.1)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("restart")
      const before = yield* Machine.up(machine, ["echo:7"])
      const open = yield* machine.namespace.start("nc", [Machine.stackAddress, "7"])
      yield* open.write("before\n")
      yield* open.line(/^before$/)

      yield* before.signal("SIGKILL")
      yield* before.ended()
      yield* Machine.up(machine, ["echo:7"])

      const ping = yield* machine.namespace.succeed("ping", ["-c", "3", "-i", "0.3", Machine.stackAddress])
      assert.match(ping.stdout, /3 received/)
      yield* open.write("after\n")
      const ended = yield* open.ended()
      assert.notInclude(ended.stdout, "after")
      const again = yield* machine.namespace.succeed("nc", ["-N", Machine.stackAddress, "7"], { input: "again\n" })
      assert.strictEqual(again.stdout, "again\n")
    }))

  it.live("ended by SIGINT it says goodbye to those it talks to and leaves with status 0", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("restart interrupted")
      const stack = yield* Machine.up(machine, ["echo:7"])
      const open = yield* machine.namespace.start("nc", [Machine.stackAddress, "7"])
      yield* open.write("before\n")
      yield* open.line(/^before$/)
      yield* stack.signal("SIGINT")
      const { signal, status } = yield* stack.ended("20 seconds")
      assert.deepStrictEqual([status, signal], [0, null])
      // The connection ends for the other side too, by FIN or by RST, and does not hang.
      yield* open.ended("20 seconds")
    }))
})
