/**
 * The shape of the tree: no import cycles, names that say something, nothing left half done.
 */
import { importsOf } from "./imports.ts"
import {
  inFolder,
  memberOf,
  nameOf,
  type Node,
  type Rule,
  type Source,
  type Violation,
  violation,
  walk
} from "./Source.ts"

/** The files that a file needs when it runs; types vanish before that. */
const valueEdges = (source: Source): ReadonlyArray<string> =>
  importsOf(source).flatMap(({ file, typeOnly }) => file === undefined || typeOnly ? [] : [file])

/** The shortest way from a file back to itself. */
const cycleThrough = (
  start: string,
  edges: ReadonlyMap<string, ReadonlyArray<string>>
): ReadonlyArray<string> | undefined => {
  const cameFrom = new Map<string, string>()
  const queue = [start]
  for (const at of queue) {
    for (const next of edges.get(at) ?? []) {
      if (cameFrom.has(next)) continue
      cameFrom.set(next, at)
      queue.push(next)
    }
  }
  if (!cameFrom.has(start)) return undefined
  const path = [start]
  for (let at = cameFrom.get(start)!; at !== start; at = cameFrom.get(at)!) path.unshift(at)
  return [start, ...path]
}

export const cycles: Rule = {
  name: "no file of src or layers imports itself by a detour",
  check: (sources) => {
    const shipped = sources.filter(({ path }) => inFolder(path, "src") || inFolder(path, "layers"))
    const edges = new Map(shipped.map((source) => [source.path, valueEdges(source)]))
    return shipped.flatMap(({ path }) => {
      const cycle = cycleThrough(path, edges)
      return cycle === undefined ? [] : [{ path, line: 1, message: `imports itself: ${cycle.join(" → ")}` }]
    })
  },
  faults: [
    { "src/core/A.ts": `import * as A from "./A.ts"` },
    { "src/core/A.ts": `import * as B from "./B.ts"`, "src/core/B.ts": `import { type T, a } from "./A.ts"` },
    {
      "src/core/A.ts": `export * from "./tcp/B.ts"`,
      "src/core/tcp/B.ts": `import * as C from "../C.ts"`,
      "src/core/C.ts": `import "./A.ts"`
    }
  ],
  clean: [
    { "src/core/A.ts": `import * as B from "./B.ts"`, "src/core/B.ts": `import type { A } from "./A.ts"` },
    { "src/core/A.ts": `import * as B from "./B.ts"`, "src/core/B.ts": `import { type A } from "./A.ts"` },
    {
      "src/core/A.ts": `import * as B from "./B.ts"\nimport * as C from "./C.ts"`,
      "src/core/B.ts": `import "./C.ts"`,
      "src/core/C.ts": ""
    }
  ]
}

/** Names for a place where anything may be put. */
const emptyWords = new Set([
  "common",
  "helper",
  "helpers",
  "impl",
  "manager",
  "managers",
  "misc",
  "shared",
  "stuff",
  "util",
  "utilities",
  "utils"
])

const words = (stem: string): ReadonlyArray<string> =>
  stem.split(/(?<=[a-z0-9])(?=[A-Z])|[-_.]/).map((word) => word.toLowerCase())

const checkName = (path: string): ReadonlyArray<Violation> => {
  const parts = path.split("/")
  const stem = parts.at(-1)!.replace(/(\.test)?\.ts$/, "")
  const empty = [...parts.slice(0, -1), stem].flatMap(words).filter((word) => emptyWords.has(word))
  return [
    ...empty.map((word) => ({ path, line: 1, message: `"${word}" names no content` })),
    ...(/^[A-Za-z][A-Za-z0-9]*$/.test(stem)
      ? []
      : [{ path, line: 1, message: "a file's name is PascalCase or camelCase" }]),
    ...parts.slice(0, -1).filter((folder) => !/^[a-z][A-Za-z0-9]*$/.test(folder))
      .map((folder) => ({ path, line: 1, message: `the folder's name ${folder} is not camelCase` }))
  ]
}

export const names: Rule = {
  name: "files and folders have names that say what they hold",
  check: (sources) => sources.flatMap(({ path }) => checkName(path)),
  faults: [
    { "src/core/utils.ts": "" },
    { "src/core/tcp/TcpHelpers.ts": "" },
    { "src/common/X.ts": "" },
    { "src/workers/ConnectionManager.ts": "" },
    { "src/link/linkImpl.ts": "" },
    { "test/misc.test.ts": "" },
    { "src/core/send-queue.ts": "" },
    { "src/core/send_queue.ts": "" },
    { "src/Core/Send.ts": "" }
  ],
  clean: [
    { "src/core/tcp/SendQueue.ts": "" },
    { "src/workers/runBatch.ts": "" },
    { "test/core/tcp/congestion/NewReno.test.ts": "" },
    { "src/core/Community.ts": "" }
  ]
}

const unfinished = /\b(TODO|FIXME|XXX|HACK)\b/
const heldBack = new Set(["only", "skip", "todo", "skipIf", "runIf"])
const testFunctions = new Set(["describe", "it", "test", "layer"])

/** Whether a member hangs on a test function, directly or by another member: `it.skip`, `it.effect.only`. */
const hangsOnTest = (node: Node): boolean => {
  const object = node["object"] as Node
  if (object.type === "MemberExpression") return hangsOnTest(object)
  return testFunctions.has(nameOf(object) ?? "")
}

const checkFinished = (source: Source): ReadonlyArray<Violation> => {
  const found = source.comments
    .filter(({ value }) => unfinished.test(value))
    .map((comment) => violation(source, comment, "a comment says that something is left to do"))
  walk(source.program, (node) => {
    const member = memberOf(node)
    if (member !== undefined && heldBack.has(member) && hangsOnTest(node)) {
      found.push(violation(source, node, `a test is held back by .${member}`))
    }
  })
  return found
}

export const finished: Rule = {
  name: "nothing is left half done: no marks in comments, no test held back",
  check: (sources) => sources.flatMap(checkFinished),
  faults: [
    { "src/core/X.ts": `// TODO: more` },
    { "src/core/X.ts": `/** FIXME */ export {}` },
    { "test/core/x.test.ts": `it.skip("x", () => {})` },
    { "test/core/x.test.ts": `it.effect.only("x", () => {})` },
    { "test/core/x.test.ts": `describe.todo("x")` },
    { "test/core/x.test.ts": `it.effect.skipIf(true)("x", () => {})` }
  ],
  clean: [
    { "src/core/X.ts": `export const text = "TODO"` },
    { "test/core/x.test.ts": `it("x", () => list.skip(1))` }
  ]
}

const isTag = (node: unknown): boolean => {
  const member = node as Node
  return memberOf(member) === "_tag"
}

const checkSwitches = (source: Source): ReadonlyArray<Violation> => {
  const found: Array<Violation> = []
  walk(source.program, (node) => {
    if (node.type !== "SwitchStatement" || !isTag(node["discriminant"])) return
    const open = (node["cases"] as ReadonlyArray<Node>).find((branch) => branch["test"] === null)
    if (open !== undefined) found.push(violation(source, open, "a switch over a tag has no default: name every case"))
  })
  return found
}

export const switches: Rule = {
  name: "a switch over a tag names every case",
  check: (sources) => sources.filter(({ path }) => inFolder(path, "src")).flatMap(checkSwitches),
  faults: [{
    "src/core/X.ts": `export const f = (s: S) => { switch (s._tag) { case "A": return 1; default: return 2 } }`
  }],
  clean: [
    { "src/core/X.ts": `export const f = (s: S) => { switch (s._tag) { case "A": return 1; case "B": return 2 } }` },
    { "src/core/X.ts": `export const f = (n: number) => { switch (n) { case 1: return 1; default: return 2 } }` }
  ]
}
