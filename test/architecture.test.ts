/**
 * Holds the laws of `docs/architecture.md` over every TypeScript file of the tree, and each rule over trees with planted faults.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { budgets } from "./architecture/budgets.ts"
import { imports } from "./architecture/imports.ts"
import { globals, moduleState, throwing } from "./architecture/purity.ts"
import { cycles, finished, names, switches } from "./architecture/shape.ts"
import { folders, inFolder, parseAll, readTree, type Rule } from "./architecture/Source.ts"

const rules: ReadonlyArray<Rule> = [
  imports,
  globals,
  throwing,
  moduleState,
  budgets,
  cycles,
  names,
  finished,
  switches
]

const root = fileURLToPath(new URL("..", import.meta.url))
const tree = readTree(root)

describe("the tree", () => {
  it("is read whole: every folder that ships or tests something holds files", () => {
    const filled = folders.filter((folder) => tree.some(({ path }) => inFolder(path, folder)))
    assert.includeMembers(filled, ["src", "layers", "bin", "examples", "bench", "test"])
  })

  it("has no folder of the core that the linter does not know as a sibling of the others", () => {
    const linter = readFileSync(join(root, ".oxlintrc.json"), "utf8")
    const known = /"\^\\\\.\\\\.\/\(([a-z0-9|]+)\)\/"/.exec(linter)![1]!.split("|")
    const found = tree.flatMap(({ path }) => /^src\/core\/([^/]+)\//.exec(path)?.[1] ?? [])
    assert.includeMembers([...known, "data"], found)
  })

  it("has every file that a list of exceptions names", () => {
    const paths = new Set(tree.map(({ path }) => path))
    assert.deepStrictEqual(rules.flatMap(({ excepted = [] }) => excepted).filter((path) => !paths.has(path)), [])
  })

  for (const rule of rules) {
    it(rule.name, () => {
      const found = rule.check(tree).map(({ line, message, path }) => `${path}:${line} ${message}`)
      assert.strictEqual(found.join("\n"), "")
    })
  }
})

describe("the rules", () => {
  for (const rule of rules) {
    it(`finds each planted fault: ${rule.name}`, () => {
      assert.isAbove(rule.faults.length, 0)
      for (const fault of rule.faults) assert.isAbove(rule.check(parseAll(fault)).length, 0, JSON.stringify(fault))
    })

    it(`lets pass what only looks alike: ${rule.name}`, () => {
      assert.isAbove(rule.clean.length, 0)
      for (const clean of rule.clean) assert.deepStrictEqual(rule.check(parseAll(clean)), [], JSON.stringify(clean))
    })
  }
})
