/**
 * The scenarios of `examples/sim`: each file is read, run, and does what its headline says.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Scenario from "../../src/testing/Scenario.ts"
import * as Run from "../../src/testing/scenario/Run.ts"

const folder = fileURLToPath(new URL("../../examples/sim/", import.meta.url))
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"))
const read = (name: string) => Scenario.parse(readFileSync(`${folder}${name}`, "utf8"))

describe("The scenarios", () => {
  it("are twelve", () => {
    assert.strictEqual(files.length, 12)
  })

  for (const name of files) {
    it.effect(`${name.replace(".yaml", "")} goes as it says`, () =>
      Effect.gen(function*() {
        const scenario = yield* read(name)
        const outcome = Run.run(scenario)
        assert.deepStrictEqual(outcome.unmet, [], outcome.headline)
        assert.isAbove(Object.keys(scenario.expect).length, 1)
        // Every measure that the headline names exists.
        assert.notMatch(outcome.headline, /[{}]/)
      }))
  }

  it.effect("go the same way with the same seed, byte for byte, and another way with another", () =>
    Effect.gen(function*() {
      const scenario = yield* read("reordering.yaml")
      const trace = (seed: number) => Run.run(scenario, { seed }).trace
      assert.strictEqual(trace(5), trace(5))
      assert.notStrictEqual(trace(5), trace(6))
    }))
})
