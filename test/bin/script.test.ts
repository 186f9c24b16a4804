import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as Command from "../../bin/script.ts"
import * as Script from "../../src/testing/Script.ts"

const program = fileURLToPath(new URL("../../bin/netstack.ts", import.meta.url))
const corpus = fileURLToPath(new URL("../scripts/listen", import.meta.url))

const passing = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3"
const failing = "0 close(5) = 0"
const skipped = `${passing}\n+0 splice(3, 0, 4, 0, 1, 0) = 1\n`
const invalid = "now socket() = 3"

const ran = (file: string, text: string): Command.Ran => ({ file, outcome: Script.run(text) })

interface Result {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

const run = (args: ReadonlyArray<string>): Effect.Effect<Result> =>
  Effect.callback((resume) => {
    const child = execFile(process.execPath, [program, "script", ...args], (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1
      resume(Effect.succeed({ status, stdout, stderr }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Files in a directory of their own, which goes with the scope. */
const written = (files: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const directory = fs.mkdtempSync(path.join(tmpdir(), "scripts-"))
      for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), text)
      return directory
    }),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
  )

describe("netstack script", () => {
  it("exits with 0 if all pass, 1 if some fail, 2 if some could not be run", () => {
    const [a, b, c, d] = [ran("a", passing), ran("b", failing), ran("c", skipped), ran("d", invalid)]
    assert.strictEqual(Command.statusOf([a]), 0)
    assert.strictEqual(Command.statusOf([a, b, c, d]), 1)
    assert.strictEqual(Command.statusOf([a, c]), 2)
    assert.strictEqual(Command.statusOf([a, d]), 2)
    assert.strictEqual(
      Command.summary([a, b, c, d]),
      "4 scripts: 1 passed, 1 failed, 1 skipped, 1 can't be read"
    )
  })

  it("lists what was left out with how often and where, the most frequent first", () => {
    const left = "0 `tc qdisc show`\n"
    assert.deepStrictEqual(Command.skips([ran("a", skipped), ran("b", left), ran("c", `\n${left}`)]), [
      "     2  command: tc qdisc show  (b:1)",
      "     1  skipped: splicing without a socket and a pipe  (a:2)"
    ])
  })

  it.live("runs a directory, and files with options of the official program", () =>
    Effect.gen(function*() {
      const all = yield* run(["--quiet", corpus])
      assert.deepStrictEqual([all.status, all.stderr], [0, ""])
      assert.match(all.stdout, /^\n\d\d scripts: (\d\d) passed, 0 failed, 0 skipped, 0 can't be read\n$/)
      const one = yield* run(["--ip_version=ipv6", "--non_fatal=packet", "--verbose", `${corpus}/syn.pkt`])
      assert.strictEqual(one.status, 0)
      assert.match(one.stdout, /^left out: --non_fatal/)
      assert.match(one.stdout, /> S\. 0:0\(0\) ack 1 <mss 1460> +> S\. 0:0\(0\) ack 1 win 64240 <mss 1460>/)
    }))

  it.live("could run nothing of a directory without scripts, and takes no option that is no number", () =>
    Effect.gen(function*() {
      const directory = yield* written({ "notes.txt": "" })
      const empty = yield* run([directory])
      const reason = `netstack: no files that end in .pkt below ${directory}\n`
      assert.deepStrictEqual(empty, { status: 2, stdout: "", stderr: reason })
      const wrong = yield* run(["--mtu=abc", `${corpus}/syn.pkt`])
      assert.deepStrictEqual([wrong.status, wrong.stdout], [2, ""])
      assert.match(wrong.stderr, /^netstack script: .*--mtu: "abc".*a number.*\n$/)
    }))

  it.live("says what differs, and ends with the status", () =>
    Effect.gen(function*() {
      const directory = yield* written({ "a.pkt": passing, "b.pkt": failing, "c.pkt": invalid, "d.txt": failing })
      const all = yield* run([directory])
      assert.deepStrictEqual([all.status, all.stderr], [1, "netstack: some scripts failed\n"])
      assert.include(all.stdout, "failed at line 1: result of close: expected 0, got -1 EBADF")
      assert.match(all.stdout, /3 scripts: 1 passed, 1 failed, 0 skipped, 1 can't be read/)
      const unread = yield* run([`${directory}/a.pkt`, `${directory}/c.pkt`])
      assert.deepStrictEqual([unread.status, unread.stderr], [2, "netstack: some scripts could not be run\n"])
      const missing = yield* run([`${directory}/none.pkt`])
      assert.strictEqual(missing.status, 2)
    }).pipe(Effect.scoped))
})
