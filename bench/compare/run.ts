/**
 * Measures other stacks beside this one and prints a table.
 *
 *     node bench/compare/run.ts [--runs N] [--scale N]
 *     node bench/compare/run.ts --list | --help
 *
 * Every peer has its turn in every repetition, so that a machine that slows down slows all of them; the table shows medians, and how many
 * times as much this stack does of the same turn, without offload. `bench/README.md` says what is compared with what.
 */
import * as Effect from "effect/Effect"
import * as Arguments from "../Arguments.ts"
import * as Row from "../Row.ts"
import { warmUp } from "../rows/Wire.ts"
import * as Wires from "../Wires.ts"
import * as Peers from "./Peers.ts"

interface Column {
  readonly command: Exclude<Wires.Command, `parallel-${string}`>
  readonly title: string
  /** That of bulk data is the peer's. */
  readonly count?: number
  readonly of: (report: Wires.Report) => number
}

const megabytesPerSecond = ({ bytes, nanos }: Wires.Report): number => bytes / nanos * 1e3
const perSecond = ({ count, nanos }: Wires.Report): number => count / nanos * 1e9

const columns: ReadonlyArray<Column> = [
  { command: "send", title: "kernel → stack, MB/s", of: megabytesPerSecond },
  { command: "receive", title: "stack → kernel, MB/s", of: megabytesPerSecond },
  { command: "latency", title: "requests /s", count: 20_000, of: perSecond },
  { command: "connects", title: "connections /s", count: 3000, of: perSecond }
]

const usage = `npm run bench:compare -- [OPTION…]

  --runs N     turns of each stack; 3 by default
  --scale N    the Nth part of the work, to see whether all of it runs; 1 by default
  --list       the stacks, and how to get those that are not there
  --help       this, and the stacks
`

const name = "compare"

const { values: flags } = Arguments.read(name, {
  options: {
    runs: { type: "string", default: "3" },
    scale: { type: "string", default: "1" },
    list: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false }
  }
})

Arguments.mayBeCutOff()

const runs = Arguments.positive(name, "runs", flags.runs)
const scale = Arguments.positive(name, "scale", flags.scale)

/** What one peer makes of each column; undefined where it failed. */
type Turn = ReadonlyArray<number | undefined>

const turn = (peer: Peers.Peer) =>
  Effect.forEach(
    columns,
    ({ command, count = peer.bytes ?? Peers.bulk, of }) =>
      Effect.scoped(Effect.gen(function*() {
        const wire = yield* peer.make
        yield* Wires.settle(wire, command, Math.ceil(count / scale), warmUp[command])
        return of(yield* Wires.measure(wire, command, Math.ceil(count / scale)))
      })).pipe(
        Effect.catch((error) =>
          Effect.sync(() => {
            process.stderr.write(`compare: ${peer.name}, ${command}: ${error.message.trim().split("\n").at(-1)}\n`)
            return undefined
          })
        )
      )
  )

const digits = (value: number): string => value >= 100 ? String(Math.round(value)) : value.toPrecision(2)

/** `537 (×1.3)`: what it does, and how many times as much this stack did in the same turn. */
const cell = (column: number, turns: ReadonlyArray<Turn>, ours: ReadonlyArray<Turn>): string => {
  const pairs = turns.flatMap((each, i) => {
    const [value, own] = [each[column], ours[i]?.[column]]
    return value === undefined || own === undefined ? [] : [{ value, ratio: own / value }]
  })
  if (pairs.length === 0) return "failed"
  const ratio = Row.median(pairs.map((pair) => pair.ratio))
  return `${digits(Row.median(pairs.map(({ value }) => value)))} (×${ratio.toPrecision(2)})`
}

const program = Effect.gen(function*() {
  const present = Peers.all.filter(({ missing }) => missing === undefined)
  const found = yield* Effect.replicateEffect(Effect.forEach(present, turn), runs)
  const of = (peer: Peers.Peer): ReadonlyArray<Turn> => found.map((turns) => turns[present.indexOf(peer)]!)
  const cells = (peer: Peers.Peer) => columns.map((_, column) => cell(column, of(peer), of(Peers.ours)))
  const rows = present.map((peer) => [peer.name].concat(cells(peer)))
  const lines = [["peer (× is this stack's rate by the peer's)", ...columns.map(({ title }) => title)], ...rows]
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  for (const line of lines) {
    process.stdout.write(`${line.map((text, i) => text.padEnd(widths[i]!)).join("  ").trimEnd()}\n`)
  }
})

const absent = Peers.all.filter(({ missing }) => missing !== undefined)
const warn = (): void => {
  for (const { missing, name } of absent) process.stderr.write(`!!! NOT MEASURED: ${name}. To have it: ${missing}\n`)
}

if (flags.help || flags.list) {
  if (flags.help) process.stdout.write(`${usage}\n`)
  for (const { missing, name } of Peers.all) {
    process.stdout.write(`${name}${missing === undefined ? "" : ` (not there: ${missing})`}\n`)
  }
} else {
  warn()
  await Effect.runPromise(program)
  warn()
}
