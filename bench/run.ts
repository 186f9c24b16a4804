/**
 * Runs the benchmarks and prints one table.
 *
 *     node bench/run.ts [ROW…] [--all] [--runs N] [--scale N] [--json FILE] [--record]
 *     node bench/run.ts --smoke [--record]
 *     node bench/run.ts --list | --help
 *
 * A ROW is the name of a row or the beginning of several names; without one it is the rows of the goals. Each row is measured by a Node of its own, so that no row
 * meets the heap and the compiled code that another left. `bench/README.md` says what each number means.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Arguments from "./Arguments.ts"
import * as History from "./History.ts"
import * as Row from "./Row.ts"
import { rows as codec } from "./rows/Codec.ts"
import { rows as collections } from "./rows/Collections.ts"
import { rows as forward } from "./rows/Forward.ts"
import { rows as http } from "./rows/Http.ts"
import { rows as idle } from "./rows/Idle.ts"
import { rows as memory } from "./rows/Memory.ts"
import { rows as relay } from "./rows/Relay.ts"
import { rows as scale } from "./rows/Scale.ts"
import { rows as shards } from "./rows/Shards.ts"
import { rows as shell } from "./rows/Shell.ts"
import { rows as simulate } from "./rows/Simulate.ts"
import { rows as step } from "./rows/Step.ts"
import { rows as tracing } from "./rows/Tracing.ts"
import { rows as udp } from "./rows/Udp.ts"
import { rows as wire } from "./rows/Wire.ts"
import * as Smoke from "./Smoke.ts"

const rows: ReadonlyArray<Row.Row> = [
  ...codec,
  ...step,
  ...shell,
  ...memory,
  ...udp,
  ...wire,
  ...collections,
  ...http,
  ...idle,
  ...scale,
  ...shards,
  ...relay,
  ...forward,
  ...simulate,
  ...tracing
]

/** The rows of the table of goals (docs/performance.md). */
const goals: ReadonlySet<string> = new Set([
  "offload-receive",
  "offload-send",
  "tap-receive",
  "tap-send",
  "memory-bulk",
  "memory-offload",
  "memory-streams",
  "tap-latency",
  "tap-connects",
  "scale-idle",
  "scale-parallel",
  "idle",
  "idle-core",
  "forward",
  "collections"
])

/** Marks the line of a measuring Node's output that holds its figures. */
const mark = "figures: "

const usage = `npm run bench -- [ROW…] [OPTION…]

A ROW is the name of a row or the beginning of several names; without one it is the rows of the goals.

  --all        every row
  --runs N     runs of each row; 5 by default
  --scale N    the Nth part of the work, to see whether all of it runs; 1 by default
  --json FILE  writes the figures to a file as well
  --smoke      a few rows, briefly: whether any has collapsed since the last record
  --record     adds the figures to bench/history.jsonl
  --list       the names of the rows
  --help       this, and the names of the rows
`

const name = "bench"

const fail = (line: string): never => Arguments.fail(name, line)

const { positionals, values: flags } = Arguments.read(name, {
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "5" },
    scale: { type: "string", default: "1" },
    json: { type: "string" },
    all: { type: "boolean", default: false },
    smoke: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
    measure: { type: "string" }
  }
})

const positive = (option: string, text: string): number => Arguments.positive(name, option, text)

Arguments.mayBeCutOff()

const settings: Row.Settings = { runs: positive("runs", flags.runs), scale: positive("scale", flags.scale) }

/** Measures a row in a Node of its own. */
const measure = (row: Row.Row, { runs, scale }: Row.Settings): ReadonlyArray<Row.Figure> | undefined => {
  const args = [
    ...row.flags ?? [],
    fileURLToPath(import.meta.url),
    "--measure",
    row.name,
    "--runs",
    String(runs),
    "--scale",
    String(scale)
  ]
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  const line = stdout.split("\n").find((text) => text.startsWith(mark))
  return status === 0 && line !== undefined
    ? JSON.parse(line.slice(mark.length)) as ReadonlyArray<Row.Figure>
    : undefined
}

const chosen = (): ReadonlyArray<Row.Row> => {
  const unknown = positionals.find((name) => !rows.some((row) => row.name.startsWith(name)))
  if (unknown !== undefined) fail(`no row is called ${unknown}; --list shows their names`)
  if (flags.all) return rows
  if (positionals.length === 0) return rows.filter(({ name }) => goals.has(name))
  return rows.filter((row) => positionals.some((name) => row.name.startsWith(name)))
}

const runAll = (): void => {
  const measured: Array<readonly [string, ReadonlyArray<Row.Figure>]> = []
  const failed: Array<string> = []
  for (const row of chosen()) {
    process.stderr.write(`${row.name}: ${row.about}\n`)
    const figures = measure(row, settings)
    if (figures === undefined) failed.push(row.name)
    else measured.push([row.name, figures])
  }
  process.stdout.write(`${Row.table(measured)}\n`)
  if (flags.json !== undefined) {
    writeFileSync(flags.json, JSON.stringify({ settings, rows: Object.fromEntries(measured) }))
  }
  if (flags.record) History.append(measured, { isSmoke: false, runs: settings.runs })
  if (failed.length > 0) process.stderr.write(`bench: could not measure ${failed.join(", ")}\n`)
  process.exitCode = failed.length > 0 ? 1 : 0
}

/** A row of the smoke run: its best figures, and what is wrong with them. What goes on record is the best of all tries, since that is what it is compared with. */
const smokeRow = (name: string, scale: number, record: History.Entry | undefined) => {
  const row = rows.find((each) => each.name === name) ?? fail(`no row is called ${name}`)
  let best: ReadonlyArray<Row.Figure> | undefined
  let wrong: ReadonlyArray<string> = [`${name} could not be measured`]
  for (let attempt = 1; attempt <= Smoke.tries && (flags.record || wrong.length > 0); attempt++) {
    const figures = measure(row, { runs: 1, scale })
    if (figures === undefined) continue
    best = Smoke.better(best, figures)
    wrong = Smoke.collapsed(name, best, record)
  }
  return { name, figures: best ?? [], wrong }
}

const smoke = (): void => {
  const record = flags.record ? undefined : History.lastSmoke()
  if (record === undefined && !flags.record) fail("there is no record of a smoke run; --smoke --record makes one")
  const found = Smoke.rows.map(([name, scale]) => smokeRow(name, scale, record))
  const measured = found.map(({ figures, name }) => [name, figures] as const)
  process.stdout.write(`${Row.table(measured)}\n`)
  if (flags.record) History.append(measured, { isSmoke: true, runs: 1 })
  const wrong = found.flatMap((each) => each.wrong).concat(Smoke.unmeasured(measured, record))
  for (const line of wrong) process.stderr.write(`bench: ${line}\n`)
  process.exitCode = wrong.length > 0 ? 1 : 0
}

if (flags.help || flags.list) {
  if (flags.help) process.stdout.write(`${usage}\n`)
  for (const { about, name } of rows) process.stdout.write(`${name.padEnd(16)}${about}\n`)
} else if (flags.measure !== undefined) {
  const row = rows.find(({ name }) => name === flags.measure) ?? fail(`no row is called ${flags.measure}`)
  const measured = await Effect.runPromise(Effect.result(row.measure(settings)))
  if (Result.isFailure(measured)) {
    fail(measured.failure instanceof Error ? measured.failure.message.trim() : String(measured.failure))
  } else process.stdout.write(`${mark}${JSON.stringify(measured.success)}\n`)
} else if (flags.smoke) {
  smoke()
} else {
  runAll()
}
