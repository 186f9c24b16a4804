import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const programOf = (path: string): string => fileURLToPath(new URL(`../../bench/${path}`, import.meta.url))

const runOf = (program: string) => (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" })
  return { status, stderr, stdout }
}

const run = runOf(programOf("run.ts"))
const compare = runOf(programOf("compare/run.ts"))

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

  it("ends in silence when its reader has seen enough", () => {
    const line = `"${process.execPath}" "${programOf("run.ts")}" --list | true; echo "\${PIPESTATUS[0]}"`
    const { stderr, stdout } = spawnSync("bash", ["-c", line], { encoding: "utf8" })
    assert.deepStrictEqual([stdout, stderr], ["0\n", ""])
  })
})

describe("npm run bench:compare", () => {
  it("explains its options and names its peers when it is asked", () => {
    const { status, stderr, stdout } = compare("--help")
    assert.deepStrictEqual([status, stderr], [0, ""])
    assert.match(stdout, /^npm run bench:compare -- (.|\n)*\n {2}--runs N (.|\n)*\nthis stack\n(.|\n)*slirp4netns/)
  })

  it("answers arguments that it can't use in one line", () => {
    assert.deepStrictEqual(compare("--nope"), {
      status: 2,
      stderr: "compare: Unknown option '--nope'; --help shows what there is\n",
      stdout: ""
    })
    assert.deepStrictEqual(compare("--runs", "0"), {
      status: 2,
      stderr: "compare: --runs is a whole number above 0, and not 0\n",
      stdout: ""
    })
  })
})
