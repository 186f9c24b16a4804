/**
 * Measures other stacks beside this one and prints a table: `npm run bench:compare [-- --runs N] [--scale N]`.
 *
 * Every peer has its turn in every repetition, so that a machine that slows down slows all of them; the table shows medians, and how many
 * times as much this stack does of the same turn, without offload. `bench/README.md` says what is compared with what.
 */
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"
import * as Row from "../Row.ts"
import * as Wires from "../Wires.ts"
import * as Peers from "./Peers.ts"

interface Column {
  readonly command: Exclude<Wires.Command, `parallel-${string}`>
  readonly title: string
  /** That of bulk data is the peer's. */
  readonly count?: number
  /** Part of the count that goes first, so that an engine that compiles has settled. */
  readonly warmUp: number
  readonly of: (report: Wires.Report) => number
}

const megabytesPerSecond = ({ bytes, nanos }: Wires.Report): number => bytes / nanos * 1e3
const perSecond = ({ count, nanos }: Wires.Report): number => count / nanos * 1e9

const columns: ReadonlyArray<Column> = [
  { command: "send", title: "kernel → stack, MB/s", warmUp: 0.4, of: megabytesPerSecond },
  { command: "receive", title: "stack → kernel, MB/s", warmUp: 0.4, of: megabytesPerSecond },
  { command: "latency", title: "requests /s", count: 10_000, warmUp: 2, of: perSecond },
  { command: "connects", title: "connections /s", count: 1000, warmUp: 4, of: perSecond }
]

const { values: flags } = parseArgs({
  options: { runs: { type: "string", default: "3" }, scale: { type: "string", default: "1" } }
})
const [runs, scale] = [Number(flags.runs), Number(flags.scale)]
if (!(Number.isInteger(runs) && runs > 0 && scale > 0)) {
  process.stderr.write("compare: --runs and --scale are numbers above 0\n")
  process.exit(2)
}

/** What one peer makes of each column; undefined where it failed. */
type Turn = ReadonlyArray<number | undefined>

const turn = (peer: Peers.Peer) =>
  Effect.forEach(
    columns,
    ({ command, count = peer.bytes ?? Peers.bulk, of, warmUp }) =>
      Effect.scoped(Effect.gen(function*() {
        const wire = yield* peer.make
        yield* Wires.settle(wire, command, Math.ceil(count / scale), warmUp)
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

warn()
await Effect.runPromise(program)
warn()
