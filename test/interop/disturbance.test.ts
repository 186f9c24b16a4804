/**
 * What happens to a wire in the middle of a transfer: the kernel forgets its neighbour, the link goes down and comes back. The
 * transfer takes longer and loses nothing.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import type { Namespace } from "./Namespace.ts"
import * as Pattern from "./Pattern.ts"
import type { ProcessError } from "./Process.ts"
import { suite } from "./Requirements.ts"

const total = 100_000_000

/** Does something at each of some sixteenths of a transfer, of which the last one is surely before its end. */
const transfer = (
  title: string,
  direction: "download" | "upload",
  disturb: (namespace: Namespace) => Effect.Effect<unknown, ProcessError>
) =>
  Effect.gen(function*() {
    const machine = yield* Machine.make(title)
    yield* Machine.program(machine, "files")
    const args = Machine.kernelCommand("transfer", [direction, Machine.stackAddress, 80, total])
    const client = yield* machine.namespace.start(process.execPath, args)
    for (const step of [2, 5, 8, 12]) {
      yield* client.line(new RegExp(`^at ${step}$`))
      yield* disturb(machine.namespace)
    }
    yield* client.write("go\n")
    const { status, stdout } = yield* client.ended("2 minutes")
    assert.strictEqual(status, 0, client.printed())
    const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as unknown
    assert.deepStrictEqual(result, { bytes: total, sha256: Pattern.sha256(total) })
  })

const flushNeighbours = (namespace: Namespace) => namespace.succeed("ip", ["neigh", "flush", "dev", Machine.device])

const bounceLink = (namespace: Namespace) =>
  Effect.gen(function*() {
    yield* namespace.succeed("ip", ["link", "set", Machine.device, "down"])
    yield* namespace.succeed("ip", ["link", "set", Machine.device, "up"])
  })

suite("disturbance", ["tcpdump"], () => {
  for (const direction of ["download", "upload"] as const) {
    it.live(`the kernel's neighbour entries are flushed in mid-${direction}`, () =>
      transfer(`disturbance neighbours ${direction}`, direction, flushNeighbours))

    it.live(`the link goes down and up in mid-${direction}`, () =>
      transfer(`disturbance link ${direction}`, direction, bounceLink))
  }
})
