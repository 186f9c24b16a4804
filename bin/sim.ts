/**
 * `netstack sim`: runs a scenario in the simulator and draws what its connections did.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { basename, extname, join } from "node:path"
import * as Scenario from "../src/testing/Scenario.ts"
import * as measures from "../src/testing/scenario/measures.ts"
import * as Run from "../src/testing/scenario/Run.ts"
import { TopologyError } from "../src/testing/TopologyError.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"

interface Options {
  readonly scenario: string
  readonly seed: Option.Option<number>
  readonly out: Option.Option<string>
  readonly measures: boolean
}

const failed = (message: string): Exit.CommandFailure => new Exit.CommandFailure({ message })

const read = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => Effect.flatMap(files.readFileString(path), Scenario.parse)).pipe(
    Effect.mapError((error) => Exit.badInput(`${path}: ${error.message}`))
  )

const start = (scenario: Scenario.Scenario, seed: Option.Option<number>) =>
  Effect.try({
    try: () => new Run.Running(scenario, Option.isSome(seed) ? { seed: seed.value } : {}),
    catch: (error) => {
      if (error instanceof TopologyError || error instanceof Scenario.ScenarioError) {
        return Exit.badInput(error.message)
      }
      throw error
    }
  })

/** The run is cut into so many parts, between which its progress is shown and it can be interrupted. */
const parts = 100

/** `[######------]  50 %   5.0 s of 10.0 s   12345 events` */
const line = ({ duration, elapsed, simulation }: Run.Running): string => {
  const share = Math.min(1, elapsed / duration)
  const filled = Math.round(share * 30)
  const percent = String(Math.floor(share * 100)).padStart(3)
  const bar = "#".repeat(filled) + "-".repeat(30 - filled)
  return `[${bar}] ${percent} %   ${elapsed.toFixed(1)} s of ${duration.toFixed(1)} s   ${simulation.events} events`
}

/** Lets a run go to its end; on a terminal a line shows how far it is. */
const goOn = (running: Run.Running): Effect.Effect<void> =>
  Effect.gen(function*() {
    const isShown = process.stdout.isTTY
    for (let goes = true; goes;) {
      goes = running.advance(running.duration / parts)
      if (isShown) process.stdout.write(`\r${line(running)}\x1b[K`)
      // Lets Ctrl-C through.
      yield* Effect.sleep(0)
    }
    if (isShown) process.stdout.write("\r\x1b[K")
  })

const missing =
  "pictures want two packages that are not installed: npm install @observablehq/plot linkedom, or leave them out by --out none"

/** Drawing needs packages that the stack itself does without. */
const drawing = Effect.tryPromise({
  try: () => import("./plots/report.ts"),
  catch: (error) => {
    const isMissing = (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND"
    return isMissing ? Exit.badInput(missing) : failed(String(error))
  }
})

const write = (folder: string, outcome: Run.Outcome, command: string) =>
  Effect.gen(function*() {
    const { files } = yield* drawing
    const system = yield* FileSystem.FileSystem
    yield* system.makeDirectory(folder, { recursive: true })
    const all = files(outcome, command)
    for (const { name, text } of all) yield* system.writeFileString(join(folder, name), text)
    yield* Console.log(`${join(folder, "index.html")}: ${all.length - 1} pictures`)
  }).pipe(Effect.mapError((error) => error instanceof Exit.CommandFailure ? error : failed(error.message)))

const showMeasures = (outcome: Run.Outcome): Effect.Effect<void> =>
  Effect.forEach(
    Object.entries(outcome.measures).filter(([, value]) => value !== 0),
    ([name, value]) => Console.log(`  ${name.padEnd(40)} ${measures.format(value)}`),
    { discard: true }
  )

const sim = (options: Options) =>
  Effect.gen(function*() {
    const { out, scenario: path } = options
    const scenario = yield* read(path)
    const running = yield* start(scenario, options.seed)
    yield* Console.log(`${scenario.title}: ${running.duration} s, seed ${running.seed}`)
    yield* goOn(running)
    const { outcome } = running
    yield* Console.log(`  ${outcome.headline}`)
    if (options.measures) yield* showMeasures(outcome)
    const folder = Option.getOrElse(out, () => `${basename(path, extname(path))}-report`)
    for (const line of outcome.unmet) yield* Console.log(`  not as expected: ${line}`)
    if (folder !== "none") yield* write(folder, outcome, `netstack sim ${path} --seed ${outcome.seed}`)
    if (outcome.unmet.length > 0) return yield* failed(outcome.unmet.join("; "))
  })

export const command = Command.make("sim", {
  scenario: Argument.String("scenario").pipe(
    Argument.withDescription("A YAML or JSON file with a scenario, or with a topology alone; examples/sim has twelve")
  ),
  seed: Arguments.numberFlag("seed", 0, 0x7fff_ffff).pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("Everything random follows from it; the scenario's, or 1, by default"),
    Flag.optional
  ),
  out: Flag.String("out").pipe(
    Flag.withAlias("o"),
    Flag.withMetavar("FOLDER"),
    Flag.withDescription("Where the report and its pictures go; NAME-report by default, 'none' for no report"),
    Flag.optional
  ),
  measures: Flag.Boolean("measures").pipe(
    Flag.withDescription("Lists everything that was measured and is not 0"),
    Flag.withDefault(false)
  )
}, sim).pipe(
  Command.withDescription(
    "Run a scenario in virtual time and draw it: time and sequence numbers, windows, round trips, throughput and queues of each " +
      "connection, as SVG and in one HTML page. Ends with status 1 if something is not as the scenario expects, and 2 if it can't be run."
  ),
  Command.withExamples([
    {
      command: "netstack sim examples/sim/fast-retransmit.yaml",
      description: "fast-retransmit-report/index.html shows it"
    },
    { command: "netstack sim network.yaml --seed 7 --measures --out none", description: "Numbers alone" }
  ])
)
