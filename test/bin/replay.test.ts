import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Pcapng from "../../src/wire/Pcapng.ts"

const program = fileURLToPath(new URL("../../bin/netstack.ts", import.meta.url))

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `netstack replay` with something typed into it. */
const replay = (args: ReadonlyArray<string>, typed = ""): Effect.Effect<Ran> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, [program, "replay", ...args])
    const texts = { stdout: "", stderr: "" }
    for (const name of ["stdout", "stderr"] as const) child[name].on("data", (chunk) => texts[name] += chunk)
    child.on("close", (status) => resume(Effect.succeed({ status, ...texts })))
    child.stdin.end(typed)
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** A recording of a connect that is refused, in a folder that goes when the test ends. */
const recorded = Effect.gen(function*() {
  const folder = mkdtempSync(join(tmpdir(), "netstack-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
  const lines: Array<string> = []
  const topology = Topology.pair({}, { local: { record: (line) => void lines.push(line) } })
  yield* TestNetwork.run(Effect.exit(Tcp.connect("10.0.0.2:9")), { topology })
  const path = join(folder, "local.recording")
  writeFileSync(path, lines.join(""))
  return { folder, path }
})

describe("netstack replay", () => {
  it.live("shows each event with its frames, answers and changes", () =>
    Effect.gen(function*() {
      const { path } = yield* recorded
      const { status, stderr, stdout } = yield* replay([path])
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.match(stdout, /^#1 0\.000000 s {2}request 1: AttachLink/)
      assert.match(stdout, /eth0 → ARP who has 10\.0\.0\.2\? tell 10\.0\.0\.1/)
      assert.match(stdout, /#\d+ .* request \d+: TcpConnect \{ remote: 10\.0\.0\.2, remotePort: 9,/)
      assert.match(stdout, / {4}~ tcp\.entries\[\d+\]: absent → Connection \{/)
      assert.match(stdout, /#\d+ .* eth0 ← 10\.0\.0\.2:9 > .* R\. .*\n(?: .*\n)* {4}reply \d+ failed: \w*Refused/)
    }))

  it.live("says of a recording that was cut that its last line is left out", () =>
    Effect.gen(function*() {
      const { path } = yield* recorded
      writeFileSync(path, readFileSync(path, "utf8").slice(0, -5))
      const { status, stderr, stdout } = yield* replay([path, "--no-changes"])
      assert.deepStrictEqual([status, stderr], [
        0,
        `netstack: ${path} is cut: its last line is incomplete, and left out\n`
      ])
      assert.match(stdout, /^#1 /)
    }))

  it.live("says that there is nothing behind the last event", () =>
    Effect.gen(function*() {
      const { path } = yield* recorded
      const { status, stderr, stdout } = yield* replay([path, "--from", "9999"])
      assert.deepStrictEqual([status, stdout], [2, ""])
      assert.match(stderr, /^netstack: there is no event 9999: the recording has \d+\n$/)
    }))

  it.live("shows a part, without changes if these are not wanted", () =>
    Effect.gen(function*() {
      const { path } = yield* recorded
      const { stdout } = yield* replay([path, "--from", "2", "--to", "3", "--no-changes"])
      assert.deepStrictEqual(stdout.match(/^#\d+/gm), ["#2", "#3"])
      assert.notMatch(stdout, /~/)
    }))

  it.live("goes on when it is told to: by one, to a number, not at all", () =>
    Effect.gen(function*() {
      const { path } = yield* recorded
      const { status, stdout } = yield* replay([path, "--step"], "\n5\nq\n")
      assert.strictEqual(status, 0)
      assert.deepStrictEqual(stdout.match(/#\d+ /g), ["#1 ", "#2 ", "#5 "])
    }))

  it.live("writes a capture", () =>
    Effect.gen(function*() {
      const { folder, path } = yield* recorded
      const file = join(folder, "local.pcapng")
      assert.strictEqual((yield* replay([path, "--pcapng", file])).status, 0)
      const capture = Pcapng.read(readFileSync(file))
      if (Malformed.isMalformed(capture)) return assert.fail(capture.detail)
      assert.deepStrictEqual(capture.interfaces.map(({ name }) => name), ["eth0"])
      assert.isAtLeast(capture.packets.length, 6)
    }))

  it.live("says in one line what is no recording", () =>
    Effect.gen(function*() {
      const { folder } = yield* recorded
      const path = join(folder, "other")
      writeFileSync(path, "something else\n")
      const { status, stderr } = yield* replay([path])
      assert.strictEqual(status, 2)
      assert.match(stderr, /^netstack: .*other: line 1 of the recording: no header of a recording of version 1\n$/)
      assert.strictEqual((yield* replay([join(folder, "none")])).status, 2)
    }))
})
