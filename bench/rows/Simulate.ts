/**
 * How fast virtual time goes by: an hour of twenty connections on a lossy link, as running stacks and in the simulator, and how many events a
 * second the simulator has in a bulk transfer.
 */
import * as Effect from "effect/Effect"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"
import * as Conversation from "../Conversation.ts"
import type { Figure, Row, Settings } from "../Row.ts"

const seconds = (begin: bigint): number => Number(process.hrtime.bigint() - begin) / 1e9

const timed = (run: Effect.Effect<unknown>): Effect.Effect<number> =>
  Effect.suspend(() => {
    const begin = process.hrtime.bigint()
    return Effect.map(run, () => seconds(begin))
  })

/** The first time is with cold code, as in a test; so it counts. */
const hourOf = (name: string, run: Effect.Effect<unknown>, { runs }: Settings): Effect.Effect<Figure> =>
  Effect.map(Effect.replicateEffect(timed(run), runs), (values) => ({ name, unit: "s", values }))

const stacks = Effect.orDie(TestNetwork.run(Conversation.program, { faults: Conversation.wire, seed: 1 }))

const simulated = Effect.sync(() => Conversation.simulate(1))

/** Thousands of events a second, with the hash of the trace. */
const bulk = (bytes: number): number => {
  const simulation = Simulator.make(Topology.pair({ delay: "10 millis", rate: 1e8, loss: 0.001 }))
  const begin = process.hrtime.bigint()
  Transfer.run(simulation, { from: "local", to: "remote", bytes })
  return simulation.events / seconds(begin) / 1000
}

const bulkFigure = ({ runs, scale }: Settings): Figure => ({
  name: "bulk in the simulator",
  unit: "k events/s",
  values: Array.from({ length: runs }, () => bulk(50_000_000 / scale))
})

export const rows: ReadonlyArray<Row> = [
  {
    name: "simulate",
    about: "an hour of twenty connections in virtual time, as running stacks and in the simulator",
    measure: (settings) =>
      Effect.gen(function*() {
        return [
          yield* hourOf("an hour of running stacks", stacks, settings),
          yield* hourOf("an hour in the simulator", simulated, settings),
          bulkFigure(settings)
        ]
      })
  }
]
