/**
 * What the pure folders, wire and core, must not do: read the world, wait, throw, or keep state in a module.
 */
import {
  isFunction,
  isNode,
  isPure,
  memberOf,
  nameOf,
  type Node,
  type Rule,
  type Source,
  type Violation,
  violation,
  walk
} from "./Source.ts"

/** Globals that read or touch what is not an argument: time, chance, the process, the event loop, the collector. */
const forbiddenGlobals = new Set([
  "Atomics",
  "Buffer",
  "Bun",
  "Date",
  "Deno",
  "FinalizationRegistry",
  "Function",
  "Promise",
  "SharedArrayBuffer",
  "WeakRef",
  "clearImmediate",
  "clearInterval",
  "clearTimeout",
  "console",
  "crypto",
  "eval",
  "fetch",
  "global",
  "globalThis",
  "navigator",
  "performance",
  "process",
  "queueMicrotask",
  "require",
  "self",
  "setImmediate",
  "setInterval",
  "setTimeout",
  "window"
])

/** Whether an identifier is only a label: a member's name, a key, or a part of a type. */
const isLabel = (node: Node, ancestors: ReadonlyArray<Node>): boolean => {
  const parent = ancestors.at(-1)
  if (parent === undefined) return false
  if (parent.type === "MemberExpression") return parent["property"] === node && parent["computed"] === false
  if (parent["key"] === node && parent["computed"] === false) return parent["shorthand"] !== true
  return ancestors.some(({ type }) => type.startsWith("TS") && !valueTypes.has(type))
}

/** TypeScript's wrappers whose operand is a value. */
const valueTypes = new Set([
  "TSAsExpression",
  "TSSatisfiesExpression",
  "TSNonNullExpression",
  "TSInstantiationExpression"
])

/** The names that a pattern or a declaration binds. */
const boundNames = (pattern: unknown): ReadonlyArray<string> => {
  if (!isNode(pattern)) return []
  switch (pattern.type) {
    case "Identifier":
      return [pattern["name"] as string]
    case "AssignmentPattern":
      return boundNames(pattern["left"])
    case "RestElement":
      return boundNames(pattern["argument"])
    case "ArrayPattern":
      return (pattern["elements"] as ReadonlyArray<unknown>).flatMap(boundNames)
    case "ObjectPattern":
      return (pattern["properties"] as ReadonlyArray<Node>).flatMap((property) =>
        boundNames(property["value"] ?? property)
      )
    default:
      return []
  }
}

/** The variable declarations of the module itself, exported or not. */
const moduleDeclarations = (program: Node): ReadonlyArray<Node> =>
  (program["body"] as ReadonlyArray<Node>)
    .map((statement) => isNode(statement["declaration"]) ? statement["declaration"] : statement)
    .filter(({ type }) => type === "VariableDeclaration")

const declarators = (declaration: Node): ReadonlyArray<Node> => declaration["declarations"] as ReadonlyArray<Node>

const moduleNames = (program: Node): ReadonlyArray<string> =>
  moduleDeclarations(program).flatMap(declarators).flatMap((declarator) => boundNames(declarator["id"]))

/** Whether a function around the node has a parameter or a local variable of that name. */
const isLocal = (name: string, ancestors: ReadonlyArray<Node>): boolean =>
  ancestors.some((ancestor) => {
    if (!isFunction(ancestor)) return false
    if ((ancestor["params"] as ReadonlyArray<unknown>).flatMap(boundNames).includes(name)) return true
    let bound = false
    walk(ancestor, (node) => {
      if (node.type === "VariableDeclarator" && boundNames(node["id"]).includes(name)) bound = true
    })
    return bound
  })

const globalOf = (node: Node, ancestors: ReadonlyArray<Node>): string | undefined => {
  const name = nameOf(node)
  if (name === undefined || isLabel(node, ancestors) || isLocal(name, ancestors)) return undefined
  if (forbiddenGlobals.has(name)) return moduleNames(ancestors[0]!).includes(name) ? undefined : name
  // Only `Math.something`: a bare `Math` could hand `random` on under another name.
  const parent = ancestors.at(-1)!
  const member = memberOf(parent)
  return name === "Math" && (member === undefined || member === "random") ? "Math.random" : undefined
}

const inPure = (visit: (source: Source) => ReadonlyArray<Violation>): Rule["check"] => (sources) =>
  sources.filter(({ path }) => isPure(path)).flatMap(visit)

/** Collects one message per node that `judge` objects to. */
const each = (judge: (node: Node, ancestors: ReadonlyArray<Node>) => string | undefined) =>
  inPure((source) => {
    const found: Array<Violation> = []
    walk(source.program, (node, ancestors) => {
      const message = judge(node, ancestors)
      if (message !== undefined) found.push(violation(source, node, message))
    })
    return found
  })

export const globals: Rule = {
  name: "wire and core read nothing but their arguments, and never wait",
  check: each((node, ancestors) => {
    if (node["async"] === true || node.type === "AwaitExpression") return "is asynchronous; the core runs to its end"
    if (node.type === "MetaProperty" && nameOf(node["meta"]) === "import") return "reads import.meta"
    const name = globalOf(node, ancestors)
    return name === undefined ? undefined : `uses the global ${name}`
  }),
  faults: [
    "Date.now()",
    "new Date()",
    "performance.now()",
    "Math.random()",
    "Math[name]()",
    "const { random } = Math",
    "const m = Math",
    "setTimeout(f, 1)",
    "setInterval(f, 1)",
    "setImmediate(f)",
    "queueMicrotask(f)",
    "console.log(1)",
    "process.env",
    "crypto.getRandomValues(b)",
    "globalThis.setTimeout(f, 1)",
    "const { now } = Date",
    "const g = { console }",
    "const g = { [process.pid]: 1 }",
    "(Date as any).now()",
    "const f = async () => 1",
    "await f()",
    "Promise.resolve(1)",
    "import.meta.url",
    "f(Date)"
  ].flatMap((code) => [{ "src/core/X.ts": `export {}; ${code}` }, { "src/wire/X.ts": `export {}; ${code}` }]),
  clean: [
    { "src/core/X.ts": `export const f = (timer: Timer) => Math.max(timer.Date, timer.process(1))` },
    { "src/core/X.ts": `export interface X { readonly console: string; readonly at: Date }` },
    { "src/core/X.ts": `export const f = (process: () => void) => process()` },
    {
      "src/core/X.ts":
        `export const window = (self: Cubic) => self.cwnd; export const w = (self: Cubic) => window(self)`
    },
    { "src/core/X.ts": `export const x = { console: 1, process() { return 2 } }` },
    { "layers/X.ts": `export const x = Date.now()` }
  ]
}

/**
 * Where a pure folder may throw, by file: nothing that a peer or a program sends may lead there.
 */
const mayThrow: ReadonlySet<string> = new Set<string>([])

const throwsIn = (source: Source): ReadonlyArray<Violation> => {
  const found: Array<Violation> = []
  walk(source.program, (node) => {
    if (node.type === "ThrowStatement") {
      found.push(violation(source, node, "throws; return a verdict or emit a drop instead"))
    }
  })
  return found
}

export const throwing: Rule = {
  name: "wire and core throw nowhere but where a list says so",
  check: (sources) => [
    ...inPure((source) => mayThrow.has(source.path) ? [] : throwsIn(source))(sources),
    ...sources.filter((source) => mayThrow.has(source.path) && throwsIn(source).length === 0)
      .map(({ path }) => ({ path, line: 1, message: "is on the list of files that may throw, and throws nothing" }))
  ],
  faults: [
    { "src/core/X.ts": `export const f = () => { throw new Error("no") }` },
    { "src/wire/X.ts": `export function f(n: number) { if (n > 1) throw n; return n }` }
  ],
  clean: [
    { "src/core/X.ts": `export const f = () => "throw new Error()"` },
    { "layers/X.ts": `export const f = () => { throw new Error("yes") }` }
  ],
  excepted: [...mayThrow]
}

const mutators = new Set([
  "add",
  "clear",
  "copyWithin",
  "delete",
  "fill",
  "pop",
  "push",
  "reverse",
  "set",
  "shift",
  "sort",
  "splice",
  "unshift"
])
const isMutator = (name: string | undefined): boolean =>
  name !== undefined && (mutators.has(name) || /^set(Big|Int|Uint|Float)/.test(name))

/** The name at the root of `a.b[c]`. */
const rootOf = (node: unknown): string | undefined => {
  if (!isNode(node)) return undefined
  if (node.type === "MemberExpression") return rootOf(node["object"])
  return valueTypes.has(node.type) ? rootOf(node["expression"]) : nameOf(node)
}

/** The name of what a node writes into, if it writes into anything that it reaches by name. */
const writtenBy = (node: Node): string | undefined => {
  switch (node.type) {
    case "AssignmentExpression":
      return rootOf(node["left"])
    case "UpdateExpression":
      return rootOf(node["argument"])
    case "UnaryExpression":
      return node["operator"] === "delete" ? rootOf(node["argument"]) : undefined
    case "CallExpression": {
      const callee = node["callee"] as Node
      return isMutator(memberOf(callee)) ? rootOf(callee["object"]) : undefined
    }
    default:
      return undefined
  }
}

const buffers = /^(ArrayBuffer|DataView|(Big)?(Int|Uint|Float)\d+(Clamped)?Array)$/

/** `new Uint8Array(n)`: memory that has no use but to be written; `new Uint8Array(0)` and one made from values are data. */
const isScratch = (init: unknown): boolean => {
  if (!isNode(init) || init.type !== "NewExpression" || !buffers.test(nameOf(init["callee"]) ?? "")) return false
  const size = (init["arguments"] as ReadonlyArray<Node>)[0]
  return size !== undefined && size.type !== "ArrayExpression" && size["value"] !== 0
}

const mutableIn = (source: Source): ReadonlyArray<Violation> => {
  const names = new Set(moduleNames(source.program))
  const found: Array<Violation> = []
  for (const declaration of moduleDeclarations(source.program)) {
    if (declaration["kind"] !== "const" && declaration["declare"] !== true) {
      found.push(
        violation(source, declaration, `holds module state: a ${String(declaration["kind"])} at the top level`)
      )
    }
    for (const declarator of declarators(declaration)) {
      if (isScratch(declarator["init"])) found.push(violation(source, declarator, "holds scratch memory in the module"))
    }
  }
  walk(source.program, (node, ancestors) => {
    const name = writtenBy(node)
    if (name === undefined || !names.has(name) || isLocal(name, ancestors)) return
    found.push(violation(source, node, `writes into ${name}, which belongs to the module`))
  })
  return found
}

export const moduleState: Rule = {
  name: "wire and core keep no state in a module",
  check: inPure(mutableIn),
  faults: [
    { "src/core/X.ts": `let next = 1` },
    { "src/core/X.ts": `export let next = 1` },
    { "src/wire/X.ts": `var next` },
    { "src/core/X.ts": `const cache = new Map<string, number>(); export const f = (k: string) => cache.set(k, 1)` },
    { "src/core/X.ts": `const seen: Array<number> = []; export const f = () => seen.push(1)` },
    { "src/core/X.ts": `const last = { at: 0 }; export const f = (at: number) => { last.at = at }` },
    { "src/core/X.ts": `const last = { at: 0 }; export const f = () => { last.at++ }` },
    { "src/core/X.ts": `const last: any = { at: 0 }; export const f = () => { delete last.at }` },
    { "src/wire/X.ts": `const scratch = new Uint8Array(16)` },
    { "src/wire/X.ts": `const view = new DataView(buffer)` },
    { "src/wire/X.ts": `const table = Uint8Array.of(1, 2); export const f = (i: number) => { table[i] = 0 }` },
    { "src/wire/X.ts": `const a = [1]; export const f = () => { (a as Array<number>)[0]++ }` }
  ],
  clean: [
    { "src/core/X.ts": `export const limits = [1, 2, 3] as const; export const f = (i: number) => limits[i]` },
    { "src/core/X.ts": `const names = new Set(["a"]); export const f = (n: string) => names.has(n)` },
    { "src/core/X.ts": `const empty = new Uint8Array(0); export const table = new Int32Array([1, 2])` },
    { "src/core/X.ts": `const table = [1]; export const f = (table: Map<number, number>) => table.set(1, table.size)` },
    {
      "src/core/X.ts":
        `export const f = () => { let n = 0; const seen = new Set<number>(); seen.add(n++); return seen }`
    },
    { "src/workers/X.ts": `let next = 1; export const f = () => next++` }
  ]
}
