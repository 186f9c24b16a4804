/**
 * What garbage collection takes of the time in which a stack moves bulk data over TAP, and its longest pause.
 */
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import type * as Process from "../../test/interop/Process.ts"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Wires from "../Wires.ts"

const observer = fileURLToPath(new URL("../programs/collections.ts", import.meta.url))
const flags = ["--import", observer]

/** What the program prints when it is asked. */
interface Collected {
  readonly milliseconds: number
  readonly longest: number
}

const directions = { send: "kernel → stack", receive: "stack → kernel" } as const
const bytes = { plain: 1_000_000_000, offload: 4_000_000_000 } as const

/** The program's count since the question before, which was the one with the number before. */
const collected = ({ server }: Wires.Wire, question: number): Effect.Effect<Collected, Process.ProcessError> =>
  Effect.andThen(
    server.signal("SIGUSR2"),
    Effect.map(
      server.line(new RegExp(`^collections ${question}: (.*)$`)),
      ([, text]) => JSON.parse(text!) as Collected
    )
  )

const measure = (mode: keyof typeof bytes, command: keyof typeof directions, scale: number) =>
  Effect.scoped(Effect.gen(function*() {
    const wire = yield* Wires.tap(flags, [mode === "offload" ? "--offload" : "--no-offload"])
    const count = Math.ceil(bytes[mode] / scale)
    yield* Wires.settle(wire, command, count, 1 / 4)
    yield* collected(wire, 1)
    const { nanos } = yield* Wires.measure(wire, command, count)
    const { longest, milliseconds } = yield* collected(wire, 2)
    return { longest, share: milliseconds / (nanos / 1e6) * 100 }
  }))

const figures = (mode: keyof typeof bytes, command: keyof typeof directions, { runs, scale }: Settings) =>
  Effect.map(Effect.replicateEffect(measure(mode, command, scale), runs), (found): ReadonlyArray<Figure> => {
    const name = `${directions[command]}, ${mode === "offload" ? "with offload" : "without offload"}`
    return [
      { name: `${name}: of the time`, unit: "%", values: found.map(({ share }) => share), goal: { atMost: 3 } },
      { name: `${name}: longest`, unit: "ms", values: found.map(({ longest }) => longest), goal: { atMost: 10 } }
    ]
  })

export const rows: ReadonlyArray<Row> = [{
  name: "collections",
  about: "garbage collection of a stack that moves bulk data over TAP",
  measure: (settings) =>
    Effect.map(
      Effect.all([
        figures("plain", "send", settings),
        figures("plain", "receive", settings),
        figures("offload", "send", settings),
        figures("offload", "receive", settings)
      ]),
      (all) => all.flat()
    )
}]
