/**
 * Nothing is left of layers on devices that were opened and closed, nor of those that were interrupted: descriptors, threads, interfaces.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Resources from "../layers/Resources.ts"
import * as Machine from "./Machine.ts"
import * as Namespace from "./Namespace.ts"
import { suite } from "./Requirements.ts"

/** A long run sets NETSTACK_CYCLES to 10000, of which threads, which take half a second to start, have one in fifty. */
const asked = Number(process.env["NETSTACK_CYCLES"] ?? 200)

const layers = [
  { name: "Tap", times: asked, queues: "one" },
  { name: "Tun", times: asked, queues: "one" },
  { name: "Sharded", times: Math.max(8, Math.round(asked / 50)), queues: "several" }
] as const

suite("nothing is left", [], () => {
  for (const { name, queues, times } of layers) {
    it.live(`of ${name}, opened and closed, and interrupted`, () =>
      Effect.gen(function*() {
        const folder = yield* Machine.artifacts(`leftovers ${name}`)
        const namespace = yield* Namespace.make
        const address = `${Machine.kernelAddress}/${Machine.prefixLength}`
        yield* Namespace.addTap(namespace, { name: Machine.device, address, queues })
        const running = yield* Machine.start({ namespace, folder }, "cycles", [name, times])
        const [line] = yield* running.line(/^\{".*\}$/, "1 hour")
        const { after, before, done, interrupted } = JSON.parse(line) as Resources.Report
        assert.deepStrictEqual(after, before)
        assert.isAtLeast(done, times / 2)
        assert.isAbove(interrupted, 0)
      }), 3_600_000)
  }
})
