/**
 * What was measured before: `history.jsonl`, a line for each run that was told to be kept, with the commit, the machine and the medians. The
 * smoke run compares its ratios with the last line that was kept by a smoke run.
 */
import { execFileSync } from "node:child_process"
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { arch, availableParallelism, cpus, release } from "node:os"
import { fileURLToPath } from "node:url"
import * as Row from "./Row.ts"

const path = fileURLToPath(new URL("history.jsonl", import.meta.url))

/** A figure's median, and that of its ratios where it is compared with something of the same run. */
export interface Kept {
  readonly median: number
  readonly unit: string
  readonly ratio?: number
}

export interface Entry {
  readonly at: string
  readonly commit: string
  readonly machine: string
  readonly isSmoke: boolean
  readonly runs: number
  /** By row and name: `tap-send: stack → kernel`. */
  readonly figures: Readonly<Record<string, Kept>>
}

export type Measured = ReadonlyArray<readonly [row: string, figures: ReadonlyArray<Row.Figure>]>

export const keyOf = (row: string, { name }: Row.Figure): string => `${row}: ${name}`

const rounded = (value: number): number => Number(value.toPrecision(4))

const kept = (figure: Row.Figure): Kept => {
  const ratio = Row.ratio(figure)
  const median = rounded(Row.median(figure.values))
  return { median, unit: figure.unit, ...(ratio === undefined ? {} : { ratio: rounded(ratio) }) }
}

const machine = (): string =>
  `${cpus()[0]?.model ?? arch()}, ${availableParallelism()} cores, Linux ${release()}, Node ${process.versions.node}`

/** The commit, with a plus if the tree has more than it. */
const commit = (): string => {
  const folder = fileURLToPath(new URL("..", import.meta.url))
  const git = (...args: ReadonlyArray<string>) => execFileSync("git", args, { cwd: folder, encoding: "utf8" }).trim()
  try {
    const isChanged = git("status", "--porcelain", "--untracked-files=no") !== ""
    return git("rev-parse", "--short", "HEAD") + (isChanged ? "+" : "")
  } catch {
    return "unknown"
  }
}

/** Adds a line for a run. */
export const append = (measured: Measured, { isSmoke, runs }: Pick<Entry, "isSmoke" | "runs">): void => {
  const figures = measured.flatMap(([row, found]) => found.map((figure) => [keyOf(row, figure), kept(figure)] as const))
  const entry: Entry = {
    at: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    isSmoke,
    runs,
    figures: Object.fromEntries(figures)
  }
  appendFileSync(path, `${JSON.stringify(entry)}\n`)
}

/** The last smoke run that was kept. */
export const lastSmoke = (): Entry | undefined => {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").filter((line) => line !== "") : []
  return lines.map((line) => JSON.parse(line) as Entry).findLast(({ isSmoke }) => isSmoke)
}
