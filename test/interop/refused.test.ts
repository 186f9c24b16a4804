/**
 * How each side hears that the other does not want to talk, or not any more: refusals and resets, seen by the programs.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const { kernelAddress, stackAddress } = Machine

suite("refused", ["nc", "curl", "socat", "tcpdump"], () => {
  it.live("a port of the stack without a listener refuses curl (RFC 9293 §3.10.7.1)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("refused by the stack")
      yield* Machine.program(machine, "driver")
      const curl = yield* machine.namespace.run("curl", ["-sS", `http://${stackAddress}:81/`])
      assert.strictEqual(curl.status, 7, curl.stderr)
    }))

  it.live("a port of the kernel without a listener refuses the stack (RFC 9293 §3.10.7.3)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("refused by the kernel")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write(`c connect ${kernelAddress} 81\n`)
      yield* driver.line(/^c failed ConnectionRefused$/)
    }))

  it.live("an address where nobody is is unreachable in a few seconds", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("refused unreachable")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write(`c connect 10.99.0.66 81\n`)
      yield* driver.line(/^c failed Unreachable$/, "30 seconds")
    }))

  it.live("the stack connects to the kernel, and both read and write to the end", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("refused no more")
      const server = yield* machine.namespace.start("nc", ["-n", "-v", "-l", "-N", kernelAddress, "4000"])
      yield* server.line(/Listening/)
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write(`c connect ${kernelAddress} 4000\n`)
      yield* driver.line(/^c connected$/)
      yield* server.write("hello")
      yield* driver.write("c read\n")
      yield* driver.line(/^c read 5$/)
      yield* driver.write("c write 5\n")
      yield* driver.line(/^c wrote 5$/)
      yield* driver.write("c end\n")
      yield* driver.line(/^c ended$/)
      const { stdout } = yield* server.ended()
      assert.strictEqual(stdout, "aaaaa")
    }))

  it.live("the kernel resets and the stack's read fails with ConnectionReset", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("refused reset by the kernel")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write("l listen 4000\n")
      yield* driver.line(/^l listening$/)
      yield* driver.write("c accept l\n")
      const reset = yield* machine.namespace.start(
        process.execPath,
        Machine.kernelCommand("resets", ["reset", stackAddress, 4000])
      )
      yield* reset.line(/^connected$/)
      yield* driver.line(/^c accepted$/)
      yield* driver.write("c read\n")
      yield* reset.write("go\n")
      yield* driver.line(/^c failed ConnectionReset$/)
      yield* driver.write("c write 1\n")
      yield* driver.line(/^c failed (ConnectionReset|Closed)$/)
    }))

  it.live("the stack aborts and the kernel's program hears ECONNRESET", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("refused reset by the stack")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write("l listen 4000\n")
      yield* driver.line(/^l listening$/)
      yield* driver.write("c accept l\n")
      const client = yield* machine.namespace.start(
        process.execPath,
        Machine.kernelCommand("resets", ["listen", stackAddress, 4000])
      )
      yield* client.line(/^connected$/)
      yield* driver.line(/^c accepted$/)
      yield* driver.write("c abort\n")
      yield* driver.line(/^c aborted$/)
      yield* client.line(/^error ECONNRESET$/)
    }))

  it.live("a close with unread data resets (RFC 2525 §2.17), one without ends in good order", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("refused unread")
      const driver = yield* Machine.program(machine, "driver")
      yield* driver.write("l listen 4000\n")
      yield* driver.line(/^l listening$/)
      yield* driver.write("c accept l\n")
      const client = yield* machine.namespace.start(
        process.execPath,
        Machine.kernelCommand("resets", ["talk", stackAddress, 4000])
      )
      yield* driver.line(/^c accepted$/)
      yield* client.line(/^connected$/)
      yield* driver.write("c read 1\n")
      yield* driver.line(/^c read 1$/)
      yield* driver.write("c close\n")
      yield* client.line(/^error ECONNRESET$/)

      yield* driver.write("d accept l\n")
      const other = yield* machine.namespace.start(
        process.execPath,
        Machine.kernelCommand("resets", ["listen", stackAddress, 4000])
      )
      yield* driver.line(/^d accepted$/)
      yield* driver.write("d close\n")
      yield* other.line(/^end$/)
    }))
})
