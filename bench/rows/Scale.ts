/**
 * What many cost one: requests beside ten thousand idle connections, bulk over sixteen connections at once, and a segment, a route and
 * an alarm among a hundred thousand others.
 */
import * as Effect from "effect/Effect"
import * as Time from "../../src/core/Time.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Alarms from "../../src/workers/Alarms.ts"
import { Bare, link } from "../Bare.ts"
import * as Crowd from "../Crowd.ts"
import * as Frames from "../frames.ts"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Wires from "../Wires.ts"
import * as Step from "./Step.ts"

const idleConnections = 10_000
const requests = 20_000
const parallel = 16
/** What goes before bulk over many connections. */
const warmUpBytes = 1_000_000_000

const inTurns = <A, E>(settings: Settings, turn: Effect.Effect<A, E>) => Effect.replicateEffect(turn, settings.runs)

/** Requests one at a time on a fresh stack with so many idle connections. */
const requestsBeside = (idle: number, count: number) =>
  Effect.scoped(Effect.gen(function*() {
    const wire = yield* Wires.tap()
    if (idle > 0) yield* Wires.holdIdle(wire, idle)
    yield* Wires.settle(wire, "latency", count, 2)
    const report = yield* Wires.measure(wire, "latency", count)
    return report.count / report.nanos * 1e9
  }))

const besideIdle = (settings: Settings) => {
  const idle = Math.ceil(idleConnections / settings.scale)
  const count = Math.ceil(requests / settings.scale)
  return Effect.map(
    inTurns(settings, Effect.all([requestsBeside(idle, count), requestsBeside(0, count)])),
    (turns): Figure => ({
      name: `requests beside ${idle} idle connections`,
      unit: "/s",
      values: turns.map(([beside]) => beside),
      against: { name: "none", values: turns.map(([, alone]) => alone) },
      goal: { atLeast: 0.95 }
    })
  )
}

/** Bulk over one connection and over many at once, on one wire. */
const together = (command: "parallel-send" | "parallel-receive") =>
  Effect.scoped(Effect.flatMap(Wires.tap(), (wire) =>
    Effect.andThen(
      Effect.andThen(
        Wires.settle(wire, command === "parallel-send" ? "send" : "receive", warmUpBytes, 1),
        Wires.measure(wire, command, parallel)
      ),
      Effect.all([Wires.measure(wire, command, parallel), Wires.measure(wire, command, 1)])
    )))

const megabytesPerSecond = ({ bytes, nanos }: Wires.Report): number => bytes / nanos * 1e3

const bulkTogether = (settings: Settings, command: "parallel-send" | "parallel-receive", way: string) =>
  Effect.map(inTurns(settings, together(command)), (turns): ReadonlyArray<Figure> => [
    {
      name: `${parallel} bulk connections, ${way}`,
      unit: "MB/s",
      values: turns.map(([many]) => megabytesPerSecond(many)),
      against: { name: "one", values: turns.map(([, one]) => megabytesPerSecond(one)) },
      goal: { atLeast: 0.9 }
    },
    {
      name: `Jain's index of them, ${way}`,
      unit: "",
      values: turns.map(([many]) => many.fairness),
      goal: { atLeast: 0.9 }
    }
  ])

const nanosOf = (count: number, run: () => void): number => {
  const begin = process.hrtime.bigint()
  for (let i = 0; i < count; i++) run()
  return Number(process.hrtime.bigint() - begin) / count
}

/** Looks up ways in a stack with so many routes. */
const lookup = (count: number, rounds: number): number => {
  const bare = new Bare(Frames.stack.mac, Frames.stack.address)
  Crowd.routes(bare, count)
  let i = 0
  return nanosOf(rounds, () => {
    const destination = Address.v4(172, 16, (i++ >> 8) & 3, i & 255)
    if (bare.step.routes.lookup(destination, link) === undefined && i < count) throw new Error("no route")
  })
}

/** Sets an alarm and takes the earliest, among so many that are set. */
const alarm = (count: number, rounds: number): number => {
  const alarms = Alarms.make()
  let due = 0
  const add = (): void => {
    due += 1
    // As timers do, they come in no order, and time goes on.
    alarms.add({ _tag: "Tcp", key: due }, Time.instantOf(due + (due * 7919) % (2 * count)))
  }
  for (let i = 0; i < count; i++) add()
  return nanosOf(rounds, () => {
    add()
    alarms.takeDue(Time.instantOf(Number.MAX_SAFE_INTEGER), 1)
  })
}

const among = (
  settings: Settings,
  name: string,
  [many, few]: readonly [number, number],
  measure: (count: number) => number,
  goal: number
): Figure => {
  measure(few)
  const turns = Array.from({ length: settings.runs }, () => [measure(many), measure(few)] as const)
  return {
    name,
    unit: "ns",
    values: turns.map(([nanos]) => nanos),
    against: { name: `among ${few}`, values: turns.map(([, nanos]) => nanos) },
    goal: { atMost: goal }
  }
}

const inCore = (settings: Settings): ReadonlyArray<Figure> => {
  const batches = Math.ceil(10_000 / settings.scale)
  const rounds = Math.ceil(1_000_000 / settings.scale)
  const most = Math.ceil(100_000 / settings.scale)
  const segment = (count: number): number =>
    Step.data(batches, (bare) => {
      Crowd.connections(bare, count)
      Crowd.routes(bare, count / 10)
    })
  return [
    among(settings, `TCP data in, among ${most} connections and ${most / 10} routes`, [most, 10], segment, 1.1),
    among(settings, `a route among ${most / 10}`, [most / 10, 10], (count) => lookup(count, rounds), 1.5),
    // Seventeen levels of the heap against seven, and memory that is in no cache.
    among(settings, `an alarm set and rung among ${most}`, [most, 100], (count) => alarm(count, rounds), 5)
  ]
}

export const rows: ReadonlyArray<Row> = [
  {
    name: "scale-idle",
    about: "requests beside ten thousand idle connections",
    measure: (settings) => Effect.map(besideIdle(settings), (figure) => [figure])
  },
  {
    name: "scale-parallel",
    about: "sixteen bulk connections at once against one, each way",
    measure: (settings) =>
      Effect.gen(function*() {
        const received = yield* bulkTogether(settings, "parallel-send", "kernel → stack")
        const sent = yield* bulkTogether(settings, "parallel-receive", "stack → kernel")
        return [...received, ...sent]
      })
  },
  {
    name: "scale-core",
    about: "a segment, a route and an alarm among a hundred thousand",
    flags: ["--expose-gc"],
    measure: (settings) => Effect.sync(() => inCore(settings))
  }
]
