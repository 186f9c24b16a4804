/**
 * The test that runs now, and the command that runs it again, as far as the runner tells: Vitest and Jest both keep their state under one
 * symbol of the global object. Of tests that run at the same time (`it.concurrent`) they tell the one that was started last.
 */

export interface RunningTest {
  /** With the names of what it stands in, joined by ` > `. */
  readonly name: string
  /** The file, from the current folder on if it is inside. */
  readonly path: string | undefined
}

interface Globals {
  readonly process?: { readonly cwd?: () => string; readonly env?: Readonly<Record<string, string | undefined>> }
  readonly [key: symbol]:
    | { readonly state?: { readonly currentTestName?: unknown; readonly testPath?: unknown } }
    | undefined
}

const globals = globalThis as Globals

const runnersState = Symbol.for("$$jest-matchers-object")

const relative = (path: string): string => {
  const folder = globals.process?.cwd?.()
  return folder !== undefined && path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path
}

/** `undefined` outside of a test, and in runners that do not tell. */
export const current = (): RunningTest | undefined => {
  const { currentTestName, testPath } = globals[runnersState]?.state ?? {}
  if (typeof currentTestName !== "string" || currentTestName === "") return undefined
  return { name: currentTestName, path: typeof testPath === "string" ? relative(testPath) : undefined }
}

/** Text for a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** As a pattern that matches the text itself. */
const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")

/** The command that runs a test again with a seed. */
export const command = (test: RunningTest | undefined, seed: number): string => {
  const environment = `NETSTACK_SEED=${seed}`
  if (test?.path === undefined) return `${environment}, and the same test`
  // Vitest 5 looks for the pattern in the very name that it tells, and so does Jest; another test's may only begin or end like this one.
  const pattern = `^${literally(test.name)}$`
  const runner = globals.process?.env?.["VITEST"] === undefined ? "npx jest" : "npx vitest run"
  return `${environment} ${runner} ${test.path} -t ${quoted(pattern)}`
}

/** The seed of the environment, `NETSTACK_SEED`; 1 if it has none. */
export const environmentSeed = (): number => {
  const seed = Number(globals.process?.env?.["NETSTACK_SEED"] ?? 1)
  return Number.isInteger(seed) ? seed : 1
}
