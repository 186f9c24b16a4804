/**
 * The programs that stand in the documentation, and what becomes of them when they are compiled and run.
 *
 * Every block fenced as `ts` is a whole program that must compile against the sources; one fenced as `ts run` must also run
 * to its end with exit status 0. What is only a fragment is fenced as `text`.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** A program in a document; `line` is that of its first line of code. */
export interface Program {
  readonly document: string
  readonly line: number
  readonly code: string
  readonly runs: boolean
}

/** What went wrong with a program, in words that lead to its place in the document. */
export interface Failure {
  readonly document: string
  readonly message: string
}

const fence = /^```ts( run)?\n([\s\S]*?)^```$/gm

export const extract = (document: string, text: string): ReadonlyArray<Program> =>
  Array.from(text.matchAll(fence), (match) => ({
    document,
    line: text.slice(0, match.index).split("\n").length + 1,
    code: match[2]!,
    runs: match[1] !== undefined
  }))

const documentsUnder = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return documentsUnder(path)
    return entry.name.endsWith(".md") ? [path] : []
  })

/** Every document that is for readers, by its path from the root. */
export const documents = (): ReadonlyArray<
  string
> => ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...documentsUnder("docs")]

export const read = (document: string): string => readFileSync(join(root, document), "utf8")

const fileOf = ({ document, line }: Program): string => `${document.replaceAll(/[^A-Za-z0-9]/g, "_")}_${line}.ts`

/** A folder inside the repository, so that packages and the package's own name resolve as they do for its sources. */
const inWorkspace = <A>(programs: ReadonlyArray<Program>, use: (folder: string) => A): A => {
  mkdirSync(join(root, ".tmp"), { recursive: true })
  const folder = mkdtempSync(join(root, ".tmp", "docs-"))
  try {
    for (const program of programs) {
      // Blank lines above the code make its line numbers those of the document.
      writeFileSync(join(folder, fileOf(program)), "\n".repeat(program.line - 1) + program.code)
    }
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const compile = (folder: string): string => {
  const config = {
    extends: "../../tsconfig.json",
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: ["."]
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc")
  return spawnSync(process.execPath, [compiler, "--pretty", "false", "--project", folder], {
    encoding: "utf8",
    cwd: folder
  }).stdout
}

/** The programs that do not compile, each with the compiler's lines. */
export const compileErrors = (programs: ReadonlyArray<Program>): ReadonlyArray<Failure> => {
  if (programs.length === 0) return []
  const lines = inWorkspace(programs, compile).split("\n")
  return programs.flatMap((program) => {
    const own = lines.filter((line) => line.includes(`${fileOf(program)}(`))
    return own.map((line) => ({ document: program.document, message: line.slice(line.indexOf("(")) }))
  })
}

/** The programs marked to run that do not end well within the time. */
export const runErrors = (programs: ReadonlyArray<Program>): ReadonlyArray<Failure> =>
  inWorkspace(programs, (folder) =>
    programs.filter(({ runs }) => runs).flatMap((program) => {
      const run = spawnSync(process.execPath, ["--conditions=@effect-netstack/source", fileOf(program)], {
        cwd: folder,
        encoding: "utf8",
        timeout: 20_000
      })
      return run.status === 0
        ? []
        : [{ document: program.document, message: `(${program.line}) ${run.signal ?? run.stderr}` }]
    }))
