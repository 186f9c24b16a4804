import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../../bench/run.ts", import.meta.url))

const run = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" })
  return { status, stderr, stdout }
}

describe("npm run bench", () => {
  it("explains its options and rows when it is asked", () => {
    const { status, stderr, stdout } = run("--help")
    assert.deepStrictEqual([status, stderr], [0, ""])
    assert.match(stdout, /^npm run bench -- (.|\n)*\n {2}--runs N (.|\n)*\ntap-send {2,}\S/)
  })

  it("answers an option that it does not know in one line", () => {
    assert.deepStrictEqual(run("--nope"), {
      status: 2,
      stderr: "bench: Unknown option '--nope'; --help shows what there is\n",
      stdout: ""
    })
  })
})
