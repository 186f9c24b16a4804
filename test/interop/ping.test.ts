/**
 * ICMP echo as the `ping` of the system asks for it (RFC 792, RFC 1122 §3.2.2.6), and the fragments of long ones (RFC 791 §3.2).
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Counters from "./Counters.ts"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

suite("ping", ["ping", "tcpdump"], () => {
  it.live("answers every one of five", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("ping plain")
      yield* Machine.up(machine)
      const { stdout } = yield* machine.namespace.succeed("ping", ["-c", "5", "-i", "0.3", Machine.stackAddress])
      assert.match(stdout, /5 packets transmitted, 5 received, 0% packet loss/)
      assert.notInclude(stdout, "DUP!")
    }))

  it.live("answers ten thousand in a flood without losing one", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("ping flood")
      yield* Machine.up(machine)
      const { stdout } = yield* machine.namespace.succeed("ping", ["-f", "-q", "-c", "10000", Machine.stackAddress])
      assert.match(stdout, /10000 packets transmitted, 10000 received, 0% packet loss/)
    }))

  it.live("answers 20,000 bytes, which are fragments both ways", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("ping fragmented")
      yield* Machine.up(machine)
      const before = yield* Counters.read(machine.namespace)
      const args = ["-c", "20", "-i", "0.1", "-s", "20000", Machine.stackAddress]
      const { stdout } = yield* machine.namespace.succeed("ping", args)
      const after = yield* Counters.read(machine.namespace)
      assert.match(stdout, /20 received, 0% packet loss/)
      // 20,008 bytes of ICMP in pieces of 1480 are fourteen fragments.
      assert.strictEqual(after["Ip.FragCreates"]! - before["Ip.FragCreates"]!, 20 * 14)
      assert.strictEqual(after["Ip.ReasmOKs"]! - before["Ip.ReasmOKs"]!, 20)
    }))

  it.live("answers at the edges: nothing at all, the last unfragmented size, one more, the longest packet", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("ping sizes")
      yield* Machine.up(machine)
      for (const size of [0, 1, 1471, 1472, 1473, 2952, 2953, 65_506, 65_507]) {
        const args = ["-c", "2", "-i", "0.3", "-s", String(size), Machine.stackAddress]
        const { stdout } = yield* machine.namespace.succeed("ping", args)
        assert.match(stdout, /2 received, 0% packet loss/, `${size} bytes`)
      }
    }))

  it.live("`netstack ping` hears the kernel's answers", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("ping the kernel")
      const running = yield* Machine.netstack(machine, ["ping", ...Machine.onWire, Machine.kernelAddress])
      for (const sequence of [1, 2, 3]) yield* running.line(new RegExp(`${Machine.kernelAddress}.*seq=${sequence}`))
    }))
})
