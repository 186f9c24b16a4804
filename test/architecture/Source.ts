/**
 * The tree as the architecture rules see it: every TypeScript file with its syntax tree, and the small helpers to walk one.
 */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { parseSync } from "rolldown/utils"

/** A node of the syntax tree (ESTree with TypeScript's additions); a rule reads the fields that its `type` promises. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

export interface Comment {
  readonly value: string
  readonly start: number
  readonly end: number
}

/** One file: its path from the root of the repository with forward slashes, its text and what the parser made of it. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly program: Node
  readonly comments: ReadonlyArray<Comment>
}

/** What breaks a rule, and where. */
export interface Violation {
  readonly path: string
  readonly line: number
  readonly message: string
}

/**
 * A rule over the tree. `faults` are trees that it must object to and `clean` ones that look alike and must pass; the test
 * runs both, so that a rule that cannot fail, or that cries wolf, does not go unseen.
 */
export interface Rule {
  readonly name: string
  readonly check: (sources: ReadonlyArray<Source>) => ReadonlyArray<Violation>
  readonly faults: ReadonlyArray<Planted>
  readonly clean: ReadonlyArray<Planted>
  /** The files that the rule's lists of exceptions name; they must exist. */
  readonly excepted?: ReadonlyArray<string>
}

/** A tree in memory: paths to texts. */
export type Planted = Readonly<Record<string, string>>

export const parse = (path: string, text: string): Source => {
  const { comments, errors, program } = parseSync(path, text, { preserveParens: false })
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]!.message}`)
  return { path, text, program: program as unknown as Node, comments }
}

export const parseAll = (tree: Planted): ReadonlyArray<Source> =>
  Object.entries(tree).map(([path, text]) => parse(path, text))

/** The folders that the rules hold for. */
export const folders = ["src", "layers", "bin", "examples", "bench", "scripts", "test"] as const

const filesUnder = (root: string, folder: string): ReadonlyArray<string> => {
  if (statSync(join(root, folder), { throwIfNoEntry: false }) === undefined) return []
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) return filesUnder(root, path)
      return entry.name.endsWith(".ts") ? [path] : []
    })
    .toSorted()
}

export const readTree = (root: string): ReadonlyArray<Source> =>
  folders.flatMap((folder) => filesUnder(root, folder)).map((path) =>
    parse(path, readFileSync(join(root, path), "utf8"))
  )

export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string"

const children = (node: Node): ReadonlyArray<Node> =>
  Object.values(node).flatMap((value) => Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [])

/** Visits every node, outer before inner; `ancestors` runs from the program to the parent. */
export const walk = (root: Node, visit: (node: Node, ancestors: ReadonlyArray<Node>) => void): void => {
  const path: Array<Node> = []
  const descend = (node: Node): void => {
    visit(node, path)
    path.push(node)
    for (const child of children(node)) descend(child)
    path.pop()
  }
  descend(root)
}

/** The line of an offset, counted from 1. */
export const lineAt = (source: Source, offset: number): number => {
  let line = 1
  for (let i = source.text.indexOf("\n"); i !== -1 && i < offset; i = source.text.indexOf("\n", i + 1)) line++
  return line
}

export const violation = (source: Source, at: { readonly start: number }, message: string): Violation => ({
  path: source.path,
  line: lineAt(source, at.start),
  message
})

const functions = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"])

export const isFunction = (node: Node): boolean => functions.has(node.type)

export const inFolder = (path: string, folder: string): boolean => path.startsWith(`${folder}/`)

/** The parts of the tree that are pure by law. */
export const isPure = (path: string): boolean => inFolder(path, "src/wire") || inFolder(path, "src/core")

/** The name of an identifier node, or nothing. */
export const nameOf = (node: unknown): string | undefined =>
  isNode(node) && node.type === "Identifier" ? node["name"] as string : undefined

/** `Math.random` → `random`; nothing for a computed member. */
export const memberOf = (node: Node): string | undefined =>
  node.type === "MemberExpression" && node["computed"] === false ? nameOf(node["property"]) : undefined
