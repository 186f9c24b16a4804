/**
 * One direction of a connection ends while the other goes on (RFC 9293 §3.6), with the tools that people use for it.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const { stackAddress } = Machine

/** Sends a file of noise, ends, and compares what comes back with it. */
const roundTrip = (client: string): string =>
  `head -c 5000000 /dev/urandom > "$0/sent" && ${client} < "$0/sent" > "$0/heard" && cmp "$0/sent" "$0/heard"`

suite("half-close", ["nc", "socat", "tcpdump"], () => {
  it.live("nc -N sends five megabytes and its FIN, and hears all of them afterwards", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("half-close nc")
      yield* Machine.up(machine, ["echo:7"])
      const script = roundTrip(`nc -N ${stackAddress} 7`)
      yield* machine.namespace.succeed("bash", ["-c", script, machine.folder])
    }))

  it.live("socat sends five megabytes and its FIN, and hears all of them afterwards", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("half-close socat")
      yield* Machine.up(machine, ["echo:7"])
      const script = roundTrip(`socat -t 20 - TCP4:${stackAddress}:7`)
      yield* machine.namespace.succeed("bash", ["-c", script, machine.folder])
    }))

  it.live("a FIN with nothing before it is answered by a FIN", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("half-close empty")
      yield* Machine.up(machine, ["echo:7", "discard:9"])
      for (const port of ["7", "9"]) {
        const { stdout } = yield* machine.namespace.succeed("nc", ["-N", stackAddress, port], { input: "" })
        assert.strictEqual(stdout, "")
      }
    }))

  it.live("a client that goes away in the middle of chargen gets what it took, and the next one is served", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("half-close chargen")
      yield* Machine.up(machine, ["chargen:19"])
      const script = `nc ${stackAddress} 19 </dev/null | head -c 1000000 | wc -c`
      for (const client of ["first", "next"]) {
        const { stdout } = yield* machine.namespace.succeed("bash", ["-c", script])
        assert.strictEqual(stdout.trim(), "1000000", client)
      }
    }))
})
