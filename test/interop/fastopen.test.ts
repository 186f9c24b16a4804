/**
 * TCP Fast Open with the kernel (RFC 7413), both ways: the first connection brings the cookie, those after it bring text with their SYN.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Counters from "./Counters.ts"
import * as Extensions from "./Extensions.ts"
import * as Machine from "./Machine.ts"
import * as Namespace from "./Namespace.ts"
import { suite } from "./Requirements.ts"

const times = 3
const script = Machine.kernelScriptPath("fastOpen.py")

/** A kernel that is client and server of Fast Open. */
const kernel = (title: string) =>
  Effect.gen(function*() {
    const machine = yield* Machine.make(title)
    yield* Namespace.setKernel(machine.namespace, "net.ipv4.tcp_fastopen", "3")
    return machine
  })

suite("fastopen", ["tcpdump", "sysctl", "python3"], () => {
  it.live("the stack takes the text of the kernel's SYNs, once the kernel has its cookie (rfc: 7413 §4.2.2)", () =>
    Effect.gen(function*() {
      const machine = yield* kernel("fastopen of the kernel")
      const stack = yield* Extensions.start(machine, "serve", { fastOpen: "server" })
      const { stdout } = yield* machine.namespace.succeed("python3", [
        script,
        "ask",
        Machine.stackAddress,
        "7",
        `${times}`
      ])
      const counted = yield* Counters.read(machine.namespace)
      const { connections } = yield* stack.end
      assert.deepStrictEqual(JSON.parse(stdout), [1, 2, 3])
      assert.deepStrictEqual(connections.map(({ hadTextInSyn }) => hadTextInSyn), [false, true, true])
      assert.strictEqual(counted["TcpExt.TCPFastOpenActive"], times - 1)
      assert.strictEqual(counted["TcpExt.TCPFastOpenActiveFail"], 0)
    }))

  it.live("the kernel takes the text of the stack's SYNs, once the stack has its cookie (rfc: 7413 §4.2.2)", () =>
    Effect.gen(function*() {
      const machine = yield* kernel("fastopen of the stack")
      const server = yield* machine.namespace.start("python3", [script, "serve", "9000", `${times}`])
      yield* server.line(/^ready$/)
      const stack = yield* Extensions.start(machine, "ask", { fastOpen: "client" }, {}, [9000, times])
      const counted = yield* Counters.read(machine.namespace)
      const { connections, heard } = yield* stack.end
      assert.deepStrictEqual(heard, ["HELLO 0", "HELLO 1", "HELLO 2"])
      assert.deepStrictEqual(connections.map(({ hadTextInSyn }) => hadTextInSyn), [false, true, true])
      assert.strictEqual(counted["TcpExt.TCPFastOpenPassive"], times - 1)
      assert.strictEqual(counted["TcpExt.TCPFastOpenPassiveFail"], 0)
    }))
})
