import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Watch from "../../bin/watch.ts"
import { overLoopback } from "../services/overLoopback.ts"
import { addressTwo } from "../workers/Hosts.ts"

const program = fileURLToPath(new URL("../../bin/netstack.ts", import.meta.url))

const watch = (args: ReadonlyArray<string>) =>
  Effect.callback<{ readonly status: number; readonly stdout: string; readonly stderr: string }>((resume) => {
    const child = execFile(
      process.execPath,
      [program, "watch", ...args],
      (error, stdout, stderr) =>
        resume(Effect.succeed({ status: error === null ? 0 : Number(error.code), stdout, stderr }))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("netstack watch", () => {
  it.live("shows a running stack as text where there is no terminal", () =>
    Effect.gen(function*() {
      const { asked, url } = yield* overLoopback
      const { status, stderr, stdout } = yield* watch([url, "--interval", "0.05", "--count", "2"])
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.strictEqual(stdout.match(/^INTERFACES$/gm)?.length, 2)
      assert.match(stdout, new RegExp(`^memory1 +up +ethernet .*1500 +${addressTwo}/24 \\(preferred\\)`, "m"))
      assert.match(stdout, /^in .*B\/s/m)
      assert.notInclude(stdout, "\x1b")
      assert.strictEqual(asked.count, 3)
    }))

  it.live("says in one line that nobody answers, or that it is no stack", () =>
    Effect.gen(function*() {
      const { url } = yield* overLoopback
      const { port } = new URL(url)
      const closed = yield* watch([`http://127.0.0.1:1/`])
      assert.strictEqual(closed.status, 1)
      assert.match(closed.stderr, /^netstack: 127\.0\.0\.1:1: .+\n$/)
      const wrong = yield* watch([`ftp://127.0.0.1:${port}/`])
      assert.strictEqual(wrong.status, 2)
      assert.match(wrong.stderr, /a URL such as/)
    }))
})

describe("the lines of a view", () => {
  const view = {
    headline: "in 1 B/s",
    tables: [
      { title: "Drops", head: ["reason", "#packets"], rows: [["TcpPaws", "1"], ["TcpChecksum", "100"]] },
      { title: "Routes", head: ["to"], rows: [] }
    ]
  }

  it("stand under each other, numbers to the right", () => {
    assert.deepStrictEqual(Watch.lines(view, { columns: 80, rows: 24 }), [
      "in 1 B/s",
      "",
      "DROPS",
      "reason       packets",
      "TcpPaws            1",
      "TcpChecksum      100",
      "",
      "ROUTES",
      "none"
    ])
  })

  it("fit the terminal, and tell what does not", () => {
    const lines = Watch.lines(view, { columns: 10, rows: 5 })
    assert.deepStrictEqual(lines, ["in 1 B/s", "", "DROPS", "reason   …", "… 5 more lines"])
  })
})
