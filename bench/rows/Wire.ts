/**
 * The stack over TAP against a kernel over veth, both measured by the same client on the same cores, in turns.
 */
import * as Effect from "effect/Effect"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Wires from "../Wires.ts"

/** What is made of a client's report. */
export interface Reading {
  readonly name: string
  readonly unit: string
  readonly of: (report: Wires.Report) => number
  /** It stands for itself, and is not compared with the kernel's. */
  readonly isAbsolute?: boolean
}

const megabytesPerSecond: Reading["of"] = ({ bytes, nanos }) => bytes / nanos * 1e3
const perSecond: Reading["of"] = ({ count, nanos }) => count / nanos * 1e9

/**
 * What a measurement is preceded by, in parts of it: an engine that compiles while it runs, on the one core that the server has, takes that long to settle (some
 * thirty thousand connections, eighty thousand requests, some gigabytes).
 */
export const warmUp: { readonly [K in Wires.Command]: number } = {
  send: 4,
  receive: 4,
  latency: 4,
  connects: 10,
  "parallel-send": 1,
  "parallel-receive": 1
}

/** Measures on each wire in turns, `runs` times; each turn has wires of its own, so that none inherits what another left. */
const inTurns = (
  settings: Settings,
  wires: ReadonlyArray<ReturnType<typeof Wires.veth>>,
  command: Wires.Command,
  count: number
) =>
  Effect.map(
    Effect.replicateEffect(
      Effect.forEach(wires, (wire) =>
        Effect.scoped(Effect.flatMap(wire, (made) =>
          Effect.andThen(
            Wires.settle(made, command, count, warmUp[command]),
            Wires.measure(made, command, count)
          )))),
      settings.runs
    ),
    (turns) => wires.map((_, i) => turns.map((turn) => turn[i]!))
  )

const compare = (
  command: Wires.Command,
  count: number,
  readings: ReadonlyArray<Reading>,
  goals: Readonly<Record<string, NonNullable<Figure["goal"]>>>,
  offloads = false,
  further: ReadonlyArray<string> = []
): Row["measure"] =>
(settings) =>
  Effect.map(
    inTurns(
      settings,
      [Wires.tap([], [offloads ? "--offload" : "--no-offload", ...further]), Wires.veth(offloads)],
      command,
      Math.ceil(count / settings.scale)
    ),
    ([stack, kernel]) =>
      readings.map(({ isAbsolute = false, name, of, unit }): Figure => {
        const goal = goals[name]
        const against = { name: offloads ? "veth, offloads on" : "veth, offloads off", values: kernel!.map(of) }
        return {
          name,
          unit,
          values: stack!.map(of),
          ...(isAbsolute ? {} : { against }),
          ...(goal === undefined ? {} : { goal })
        }
      })
  )

const baseline = (settings: Settings, command: Wires.Command, count: number, readings: ReadonlyArray<Reading>) =>
  Effect.map(
    inTurns(settings, [Wires.veth(true), Wires.veth(false)], command, Math.ceil(count / settings.scale)),
    ([on, off]) =>
      readings.map(({ name, of, unit }): Figure => ({
        name,
        unit,
        values: on!.map(of),
        against: { name: "offloads off", values: off!.map(of) }
      }))
  )

const bulkBytes = 1_000_000_000
const requests = 20_000
const connections = 3000

const rate = (name: string): Reading => ({ name, unit: "MB/s", of: megabytesPerSecond })
/** How long the slow ones take, by what the usual one takes. */
const tail = "99th of 100 / median"

const latencyReadings: ReadonlyArray<Reading> = [
  { name: "requests", unit: "/s", of: perSecond },
  { name: "round trip, median", unit: "µs", of: ({ p50 }) => p50 / 1000 },
  { name: "round trip, 99th of 100", unit: "µs", of: ({ p99 }) => p99 / 1000 },
  { name: tail, unit: "", of: ({ p50, p99 }) => p99 / p50, isAbsolute: true }
]
const connectReadings: ReadonlyArray<Reading> = [{ name: "connections", unit: "/s", of: perSecond }]

export const rows: ReadonlyArray<Row> = [
  {
    name: "kernel",
    about: "the yardstick: kernel to kernel over veth, with segmentation offloads against without",
    measure: (settings) =>
      Effect.map(
        Effect.all([
          baseline(settings, "send", bulkBytes, [rate("bulk")]),
          baseline(settings, "latency", requests, latencyReadings),
          baseline(settings, "connects", connections, connectReadings)
        ]),
        (figures) => figures.flat()
      )
  },
  {
    name: "tap-receive",
    about: "bulk from the kernel to the stack over TAP, without offload",
    measure: compare("send", bulkBytes, [rate("kernel → stack")], { "kernel → stack": { atLeast: 0.7 } })
  },
  {
    name: "tap-send",
    about: "bulk from the stack to the kernel over TAP, without offload",
    measure: compare("receive", bulkBytes, [rate("stack → kernel")], { "stack → kernel": { atLeast: 0.45 } })
  },
  {
    name: "offload-receive",
    about: "bulk from the kernel to the stack over TAP, with segmentation offload on both",
    measure: compare("send", 4 * bulkBytes, [rate("kernel → stack")], { "kernel → stack": { atLeast: 1 } }, true)
  },
  {
    name: "offload-send",
    about: "bulk from the stack to the kernel over TAP, with segmentation offload on both",
    measure: compare("receive", 4 * bulkBytes, [rate("stack → kernel")], { "stack → kernel": { atLeast: 0.7 } }, true)
  },
  {
    name: "tap-latency",
    about: "one byte to the echo service and back, one request at a time",
    measure: compare("latency", requests, latencyReadings, { requests: { atLeast: 0.85 }, [tail]: { atMost: 3 } })
  },
  {
    name: "spin-latency",
    about: "the same with --spin 200: the stack stays awake between frames",
    measure: compare("latency", requests, latencyReadings, {}, false, ["--spin", "200"])
  },
  {
    name: "tap-connects",
    about: "connect, one byte there and back, close, one after the other",
    measure: compare("connects", connections, connectReadings, { connections: { atLeast: 0.7 } })
  }
]
