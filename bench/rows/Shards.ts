/**
 * What a second shard adds when nothing else wants the cores: replayed traffic into one core in one thread, and into two in two. And the same
 * over a device, where the load has to be made by somebody.
 */
import * as Effect from "effect/Effect"
import { Worker } from "node:worker_threads"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Wires from "../Wires.ts"

const segmentsPerBatch = 64

/** A thread that has warmed up. */
const start = (batches: number): Promise<Worker> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("../programs/shard.ts", import.meta.url), { workerData: batches })
    worker.once("message", () => resolve(worker))
    worker.once("error", reject)
  })

const replay = (worker: Worker): Promise<void> =>
  new Promise((resolve, reject) => {
    worker.once("message", () => resolve())
    worker.once("error", reject)
    worker.postMessage("go", [])
  })

/** Segments a second of so many threads together, by the time that the last of them takes. */
const replayed = (shards: number, batches: number) =>
  Effect.promise(async () => {
    const workers = await Promise.all(Array.from({ length: shards }, () => start(batches)))
    const begin = process.hrtime.bigint()
    await Promise.all(workers.map(replay))
    const nanos = Number(process.hrtime.bigint() - begin)
    return shards * batches * segmentsPerBatch / nanos * 1e9
  })

const compared = (name: string, turns: ReadonlyArray<readonly [number, number]>, unit: string): Figure => ({
  name,
  unit,
  values: turns.map(([two]) => two),
  against: { name: "one", values: turns.map(([, one]) => one) }
})

const connections = 16

const overTap = (shards: number) =>
  Effect.scoped(Effect.flatMap(
    Wires.shards(shards),
    (wire) =>
      Effect.andThen(
        Wires.measure(wire, "parallel-send", connections),
        Wires.measure(wire, "parallel-send", connections)
      )
  ))

const megabytesPerSecond = ({ bytes, nanos }: Wires.Report): number => bytes / nanos * 1e3

export const rows: ReadonlyArray<Row> = [
  {
    name: "shards",
    about: "two shards against one: replayed traffic in threads, and bulk from a kernel that shares their cores",
    measure: (settings: Settings) => {
      const batches = Math.ceil(20_000 / settings.scale)
      const turn = Effect.all([replayed(2, batches), replayed(1, batches)])
      const bulk = Effect.map(
        Effect.all([overTap(2), overTap(1)]),
        ([two, one]) => [megabytesPerSecond(two), megabytesPerSecond(one)] as const
      )
      return Effect.gen(function*() {
        const turns = yield* Effect.replicateEffect(turn, settings.runs)
        const wired = yield* Effect.replicateEffect(bulk, settings.runs)
        return [
          { ...compared("segments replayed into two shards", turns, "/s"), goal: { atLeast: 1.6 } },
          compared(`${connections} bulk connections into two shards`, wired, "MB/s")
        ]
      })
    }
  }
]
