/**
 * How long things may get: files by their lines, functions by the lines of code that are their own.
 */
import {
  inFolder,
  isFunction,
  lineAt,
  memberOf,
  nameOf,
  type Node,
  type Rule,
  type Source,
  type Violation,
  walk
} from "./Source.ts"

const fileBudget = 400
const functionBudget = 40

/** Examples are read in one sitting; tests are lists, of which a reader looks for one entry. */
const fileBudgetOf = (path: string): number =>
  inFolder(path, "examples") ? 60 : inFolder(path, "test") ? 600 : fileBudget

/**
 * What may be longer, with its budget and the reason: `path` for a file, `path#function` for a function. An entry that is
 * no longer needed is a violation too.
 */
const exceptions: Readonly<Record<string, { readonly lines: number; readonly because: string }>> = {
  "src/core/Protocols.ts#onRequest": { lines: 80, because: "an exhaustive switch over all requests" },
  "src/core/Protocols.ts#onReturned": { lines: 80, because: "an exhaustive switch over all requests" }
}

/** The lines of a file that hold code: neither blank nor all comment. */
const codeLines = (source: Source): ReadonlySet<number> => {
  const characters = Array.from({ length: source.text.length }, (_, i) => source.text[i]!)
  for (const { end, start } of source.comments) {
    for (let i = start; i < end; i++) if (characters[i] !== "\n") characters[i] = " "
  }
  const lines = characters.join("").split("\n")
  return new Set(lines.flatMap((line, i) => line.trim() === "" ? [] : [i + 1]))
}

const isEffectFunction = (call: Node): boolean => {
  const callee = call["callee"] as Node
  if (callee.type === "CallExpression") return isEffectFunction(callee)
  return nameOf(callee["object"]) === "Effect" && ["fn", "fnUntraced", "gen"].includes(memberOf(callee) ?? "")
}

/**
 * The name of a function that a reader can take in by itself: `const f = …`, `f: …`, `f() {}`, and the generator inside
 * `const f = Effect.fn("f")(function*() {})`. A callback has none.
 */
const ownNameOf = (node: Node, ancestors: ReadonlyArray<Node>): string | undefined => {
  const declared = nameOf(node["id"])
  const parent = ancestors.at(-1)
  if (declared !== undefined || parent === undefined) return declared
  if (parent.type === "CallExpression" && isEffectFunction(parent)) return ownNameOf(parent, ancestors.slice(0, -1))
  if (parent.type === "VariableDeclarator") return nameOf(parent["id"])
  return parent["value"] === node ? nameOf(parent["key"]) : undefined
}

interface Measured {
  readonly name: string
  readonly line: number
  readonly lines: number
}

/** Every function with the lines of code that are its own: those of a named function inside it count for that one. */
const measure = (source: Source): ReadonlyArray<Measured> => {
  const code = codeLines(source)
  const measured: Array<{ name: string; line: number; own: Set<number> }> = []
  const around = new Map<Node, Set<number>>()
  walk(source.program, (node, ancestors) => {
    if (!isFunction(node)) return
    const line = lineAt(source, node.start)
    const own = new Set<number>()
    for (let i = line; i <= lineAt(source, node.end); i++) if (code.has(i)) own.add(i)
    const name = ownNameOf(node, ancestors)
    if (name !== undefined) {
      for (const outer of ancestors) for (const i of own) if (i !== line) around.get(outer)?.delete(i)
    }
    around.set(node, own)
    measured.push({ name: name ?? "anonymous", line, own })
  })
  return measured.map(({ line, name, own }) => ({ name, line, lines: own.size }))
}

const overBudget = (key: string, lines: number, budget: number, at: { path: string; line: number }, what: string) => {
  const exception = exceptions[key]
  if (lines <= (exception?.lines ?? budget)) {
    if (exception === undefined || lines > budget) return []
    return [{ ...at, message: `${what} fits the budget; take it from the exceptions` }]
  }
  return [{ ...at, message: `${what} has ${lines} lines, over its budget of ${exception?.lines ?? budget}` }]
}

const checkFile = (source: Source): ReadonlyArray<Violation> => {
  const lines = source.text.split("\n").length - (source.text.endsWith("\n") ? 1 : 0)
  return overBudget(source.path, lines, fileBudgetOf(source.path), { path: source.path, line: 1 }, "the file")
}

/** A function that an exception names and the file no longer has. */
const checkStale = (source: Source): ReadonlyArray<Violation> => {
  const names = new Set(measure(source).map(({ name }) => `${source.path}#${name}`))
  return Object.keys(exceptions)
    .filter((key) => key.startsWith(`${source.path}#`) && !names.has(key))
    .map((key) => ({ path: source.path, line: 1, message: `${key} is on the list of exceptions and does not exist` }))
}

const checkFunctions = (source: Source): ReadonlyArray<Violation> =>
  inFolder(source.path, "test")
    ? [] // The body of a `describe` is a list of tests.
    : measure(source).flatMap(({ line, lines, name }) =>
      overBudget(`${source.path}#${name}`, lines, functionBudget, { path: source.path, line }, name)
    )

const repeat = (line: string, times: number): string => Array.from({ length: times }, () => line).join("\n")
const body = (lines: number): string => `{\n${repeat("  f()", lines - 2)}\n}`

export const budgets: Rule = {
  name: `a file has at most ${fileBudget} lines, a function ${functionBudget}`,
  check: (sources) =>
    sources.flatMap((source) => [
      ...checkFile(source),
      ...checkFunctions(source),
      ...checkStale(source)
    ]),
  faults: [
    { "src/core/X.ts": repeat("// a line", fileBudget + 1) },
    { "test/core/x.test.ts": repeat("f()", 601) },
    { "examples/x.ts": repeat("f()", 61) },
    { "src/core/X.ts": `export const f = () => ${body(functionBudget + 1)}` },
    { "layers/X.ts": `export function f() ${body(functionBudget + 1)}` },
    { "src/link/X.ts": `class X { f() ${body(functionBudget + 1)} }` },
    { "src/link/X.ts": `export const f = Effect.gen(function*() ${body(functionBudget + 1)})` },
    { "src/link/X.ts": `export const f = () => {\n each(() => ${body(functionBudget)})\n}` }
  ],
  clean: [
    { "src/core/X.ts": `${repeat("// a line", fileBudget)}\n` },
    { "src/core/X.ts": `export const f = () => ${body(functionBudget)}` },
    { "src/core/X.ts": `export const f = () => {\n${repeat("  // why", 60)}\n}` },
    {
      "src/link/X.ts": `export const f = () => {\n const g = () => ${body(functionBudget)}\n return { h() ${
        body(30)
      } }\n}`
    },
    {
      "src/link/X.ts": `const f = Effect.gen(function*() {\n const g = Effect.fn("g")(function*() ${
        body(functionBudget)
      })\n return g\n${repeat(" f()", 36)}})`
    },
    { "test/core/x.test.ts": `describe("x", () => ${body(500)})` }
  ],
  excepted: Object.keys(exceptions).map((key) => key.split("#")[0]!)
}
