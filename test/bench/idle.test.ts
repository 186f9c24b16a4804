import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../../bench/run.ts", import.meta.url))

/** Octets of heap and buffers; the goal is two thousand, and the collector leaves some dozens now and then. */
const mostInCore = 2048

describe("A silent connection", () => {
  it("costs no more than two kilobytes in the core, among ten thousand", () => {
    // A Node of its own, so that nothing else is counted; a tenth of 100,000.
    const args = ["--expose-gc", program, "--measure", "idle-core", "--runs", "1", "--scale", "10"]
    const { stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
    assert.strictEqual(stderr, "")
    const figures = JSON.parse(stdout.replace("figures: ", "")) as ReadonlyArray<
      { readonly values: ReadonlyArray<number> }
    >
    const [each] = figures[1]!.values
    assert.isAbove(each!, 500)
    assert.isBelow(each!, mostInCore)
  })
})
