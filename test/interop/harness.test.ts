/**
 * The harness itself: namespaces come and go, commands run inside, nothing outlives its scope.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import * as Namespace from "./Namespace.ts"
import * as Process from "./Process.ts"
import { suite } from "./Requirements.ts"

/** Whether a process runs; one that has ended and only waits for its parent to hear of it does not. */
const isRunning = (pid: number | undefined): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

suite("harness", ["ping"], () => {
  it.live("a namespace has nothing of the machine's and is gone with its scope", () =>
    Effect.gen(function*() {
      const name = yield* Effect.scoped(Effect.gen(function*() {
        const namespace = yield* Namespace.make
        const links = yield* namespace.succeed("ip", ["-br", "link"])
        assert.match(links.stdout, /^lo\s[^\n]*\n$/)
        yield* Namespace.addTap(namespace, { address: "10.99.0.1/24" })
        const address = yield* namespace.succeed("ip", ["-br", "address", "show", "tap0"])
        assert.include(address.stdout, "10.99.0.1/24")
        return namespace.name
      }))
      const names = yield* Process.succeed("ip", ["netns", "list"])
      assert.notInclude(names.stdout, name)
    }))

  it.live("a cable carries pings between two kernels", () =>
    Effect.gen(function*() {
      const left = yield* Namespace.make
      const right = yield* Namespace.make
      yield* Namespace.addCable(
        { namespace: left, device: "eth0", address: "10.99.0.1/24" },
        { namespace: right, device: "eth0", address: "10.99.0.2/24" }
      )
      const ping = yield* left.succeed("ping", ["-c", "3", "-i", "0.3", "10.99.0.2"])
      assert.include(ping.stdout, " 0% packet loss")
    }))

  it.live("a program that runs when its scope closes is killed with what it started", () =>
    Effect.gen(function*() {
      const pids = yield* Effect.scoped(Effect.gen(function*() {
        const running = yield* Process.start("sh", ["-c", "cat & echo started $!; wait"])
        const [, inner] = yield* running.line(/^started (\d+)$/)
        return [running.pid, Number(inner)]
      }))
      for (const pid of pids) assert.isFalse(isRunning(pid), `${pid} is still there`)
    }))

  it.live("waiting for a line that does not come fails with what was printed", () =>
    Effect.gen(function*() {
      const running = yield* Process.start("sh", ["-c", "echo one; echo two >&2"])
      const failure = yield* Effect.flip(running.line(/^three$/))
      assert.include(failure.message, "ended without a line like /^three$/")
      assert.include(failure.message, "one")
      assert.include(failure.message, "two")
    }))

  it.live("a program that does not exist is a failure, not a crash", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(Process.run("no-such-program", []))
      assert.include(failure.message, "ENOENT")
    }))
})
