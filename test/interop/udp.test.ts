/**
 * Datagrams between the kernel and the stack, from none to the longest (RFC 768), and what each hears when nobody is there.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const { kernelAddress, stackAddress } = Machine

/** At the edges of a packet, of two, and of what UDP can carry. */
const sizes = [0, 1, 100, 1471, 1472, 1473, 2952, 2953, 9000, 65_506, 65_507]

suite("udp", ["nc", "tcpdump", "python3"], () => {
  it.live("datagrams of every size come back as they were, in fragments where they must (RFC 791 §3.2)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("udp echo")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write("u echo 7\n")
      yield* driver.line(/^u echoes$/)
      const result = yield* Machine.kernelScript(machine, "datagrams", ["echo", stackAddress, 7, ...sizes])
      assert.deepStrictEqual(result, { echoed: sizes.length, failures: [] })
    }))

  it.live("the stack sends first, every size, and the kernel's program hears it", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("udp out")
      const server = yield* machine.namespace.start(
        process.execPath,
        Machine.kernelCommand("datagrams", ["serve", kernelAddress, 5000])
      )
      yield* server.line(/^listening$/)
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write(`u dial ${kernelAddress} 5000\n`)
      yield* driver.line(/^u dialled$/)
      for (const size of sizes) {
        yield* driver.write(`u send ${size}\n`)
        yield* server.line(new RegExp(`^heard ${size}$`))
        yield* driver.write("u receive\n")
        yield* driver.line(new RegExp(`^u received ${size}$`))
      }
    }))

  it.live("one byte more than fits is refused with a reason", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("udp too large")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write(`u dial ${kernelAddress} 5000\n`)
      yield* driver.line(/^u dialled$/)
      yield* driver.write("u send 65508\n")
      yield* driver.line(/^u failed MessageTooLarge$/)
    }))

  it.live("datagrams that the kernel has not cut come apart, and those of one call travel as one (UDP_SEGMENT)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("udp trains")
      const [count, size] = [40, 1200]
      const stack = yield* Machine.start(machine, "trains", [5001, count])
      yield* stack.line(/^ready$/, "30 seconds")
      const script = Machine.kernelScriptPath("segments.py")
      const { stdout } = yield* machine.namespace.succeed("python3", [
        script,
        stackAddress,
        "5001",
        `${count}`,
        `${size}`
      ])
      assert.strictEqual(Number(stdout), count)
      const seen = JSON.parse((yield* stack.line(/^\{.*\}$/))[0]) as Record<string, number>
      assert.deepInclude(seen, { udpReceived: count, udpSent: count })
      // Neighbour discovery and what the kernel says by itself are among the frames.
      assert.isBelow(seen["framesReceived"]!, count / 2)
      assert.isBelow(seen["ipSent"]!, count / 2)
    }))

  it.live("a port of the stack without a socket tells the kernel's program so (RFC 1122 §4.1.3.1)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("udp refused by the stack")
      yield* Machine.program(machine, "driver")
      const result = yield* Machine.kernelScript(machine, "datagrams", ["echo", stackAddress, 9, 10])
      assert.deepStrictEqual(result, { echoed: 0, failures: ["10 bytes: ECONNREFUSED"] })
    }))

  it.live("a port of the kernel without a socket fails the stack's next call (RFC 1122 §4.1.3.3)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("udp refused by the kernel")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write(`u dial ${kernelAddress} 5000\n`)
      yield* driver.line(/^u dialled$/)
      yield* driver.write("u send 10\n")
      yield* driver.line(/^u sent 10$/)
      yield* driver.write("u receive\n")
      yield* driver.line(/^u failed ConnectionRefused$/)
    }))

  it.live("`nc -u` talks with the stack", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("udp nc")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write("u echo 7\n")
      yield* driver.line(/^u echoes$/)
      const nc = yield* machine.namespace.start("nc", ["-u", stackAddress, "7"])
      yield* nc.write("hello\n")
      yield* nc.line(/^hello$/)
    }))
})
