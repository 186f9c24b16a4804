/**
 * Congestion marks with the kernel (RFC 3168, RFC 9768), both ways, behind a router of the test's own that marks packets.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import * as Counters from "./Counters.ts"
import * as Extensions from "./Extensions.ts"
import * as Machine from "./Machine.ts"
import * as Namespace from "./Namespace.ts"
import * as Pattern from "./Pattern.ts"
import { suite } from "./Requirements.ts"

const total = 3_000_000
const sha256 = Pattern.sha256(total)

/** A kernel that treats marks as the given `tcp_ecn` says, and has counted what came. */
const kernel = (title: string, tcpEcn: number) =>
  Effect.gen(function*() {
    const machine = yield* Machine.make(title)
    yield* Namespace.setKernel(machine.namespace, "net.ipv4.tcp_ecn", String(tcpEcn))
    return machine
  })

/** Moves bytes between the kernel, which opens, and the stack. */
const moved = (machine: Machine.Machine, verb: "get" | "put") =>
  Machine.kernelScript(machine, "bulk", [verb, Machine.stackAddress, 7, total, "cubic"])

const asksActively = 1
const agrees = 2
const asksAccurately = 3

const release = (): string => readFileSync("/proc/sys/kernel/osrelease", "utf8").trim()

/** Whether this kernel takes the setting, asked in a namespace of nobody's. */
const hasAccurate = (): boolean =>
  spawnSync("unshare", ["--net", "sysctl", "-q", "-w", `net.ipv4.tcp_ecn=${asksAccurately}`]).status === 0

suite("ecn", ["tcpdump", "sysctl", "unshare"], () => {
  it.live("text of the stack's is marked, the kernel echoes, and the window comes down and says so (rfc: 3168 §6.1.2)", () =>
    Effect.gen(function*() {
      const machine = yield* kernel("ecn sent by the stack", asksActively)
      const stack = yield* Extensions.start(machine, "serve", { ecn: "passive" }, { sent: 100 })
      const report = yield* moved(machine, "get")
      const counted = yield* Counters.read(machine.namespace)
      const { connections, received, sent } = yield* stack.end
      assert.strictEqual((report as { readonly sha256: string }).sha256, sha256)
      assert.strictEqual(connections[0]!.ecnUse, "classic")
      assert.isAtLeast(sent.marked, 10)
      assert.strictEqual(counted["IpExt.InCEPkts"], sent.marked)
      assert.isAtLeast(counted["IpExt.InECT0Pkts"]!, sent.capable - sent.marked)
      assert.isAtLeast(received.echoes, sent.answers)
      // One answer for a window of marks, and an end to the echo by each.
      assert.isAtLeast(sent.answers, 1)
      assert.isAtMost(sent.answers, sent.marked)
    }))

  it.live("text of the kernel's is marked, the stack echoes until the kernel answers (rfc: 3168 §6.1.3)", () =>
    Effect.gen(function*() {
      const machine = yield* kernel("ecn sent by the kernel", asksActively)
      const stack = yield* Extensions.start(machine, "serve", { ecn: "passive" }, { received: 100 })
      const report = yield* moved(machine, "put")
      const { received, sent } = yield* stack.end
      assert.strictEqual((report as { readonly sha256: string }).sha256, sha256)
      assert.isAtLeast(received.marked, 10)
      assert.isAtLeast(sent.echoes, received.answers)
      assert.isAtLeast(received.answers, 1)
    }))

  it.live("the stack asks, for classic marks or for accurate ones, and gets what the kernel has", () =>
    Effect.gen(function*() {
      const machine = yield* kernel("ecn asked by the stack", agrees)
      const script = Machine.kernelScriptPath("fastOpen.py")
      for (const ecn of ["active", "accurate"]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const server = yield* machine.namespace.start("python3", [script, "serve", "9000", "1"])
          yield* server.line(/^ready$/)
          const stack = yield* Extensions.start(machine, "ask", { ecn }, {}, [9000, 1])
          const { connections, heard, sent } = yield* stack.end
          assert.deepStrictEqual(heard, ["HELLO 0"])
          assert.strictEqual(connections[0]!.ecnUse, "classic", ecn)
          assert.isAtLeast(sent.capable, 1)
        }))
      }
    }))

  it.live("a kernel without marks gets none", () =>
    Effect.gen(function*() {
      const machine = yield* kernel("ecn off", 0)
      const stack = yield* Extensions.start(machine, "serve", { ecn: "accurate" })
      yield* moved(machine, "get")
      const { connections, sent } = yield* stack.end
      assert.strictEqual(connections[0]!.ecnUse, "off")
      assert.strictEqual(sent.capable, 0)
    }))

  it.live("a kernel that has accurate marks tells each of them (RFC 9768 §3.2)", (context) => {
    if (!hasAccurate()) return context.skip(`this kernel, ${release()}, negotiates no accurate marks`)
    return Effect.gen(function*() {
      const machine = yield* kernel("ecn accurate", asksAccurately)
      const stack = yield* Extensions.start(machine, "serve", { ecn: "accurate" }, { sent: 100, received: 100 })
      yield* moved(machine, "get")
      yield* moved(machine, "put")
      const { connections, received, sent } = yield* stack.end
      assert.deepStrictEqual(connections.map(({ ecnUse }) => ecnUse), ["accurate", "accurate"])
      const sum = (name: "marksTold" | "marksReceived") => connections.reduce((all, each) => all + each[name], 0)
      assert.strictEqual(sum("marksReceived"), received.marked)
      assert.isAtLeast(sum("marksTold"), Math.floor(sent.marked / 2))
    })
  })
})
