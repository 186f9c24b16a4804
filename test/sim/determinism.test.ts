import { assert, describe, it } from "@effect/vitest"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as Topology from "../../src/testing/Topology.ts"
import type { Detail } from "../../src/testing/Trace.ts"
import * as Transfer from "../../src/testing/Transfer.ts"

/** Everything that can go wrong on a link. */
const troubles = {
  delay: "5 millis",
  jitter: "2 millis",
  rate: 2e7,
  queueBytes: 30_000,
  loss: 0.02,
  bursts: { enter: 0.005, leave: 0.3 },
  duplication: 0.02,
  reordering: 0.02,
  corruption: 0.01
} as const

/** Three hosts at a switch, two transfers that get in each other's way, and a cut of the line in between. */
const run = (seed: number, trace: Detail = "hash"): Simulator.Simulation => {
  const simulation = Simulator.make({
    ...Topology.star(["one", "two", "three"], troubles),
    changes: [
      { at: "300 millis", link: "two", partition: true },
      { at: "800 millis", link: "two", partition: false }
    ]
  }, { seed, trace })
  const transfers = [
    Transfer.start(simulation, { from: "one", to: "two", bytes: 150_000 }),
    Transfer.start(simulation, { from: "three", to: "two", bytes: 100_000, port: 5002 })
  ]
  simulation.finish(transfers.flatMap(({ processes }) => processes))
  for (const { report } of transfers) assert.isTrue(report().isIntact)
  return simulation
}

describe("A simulation", () => {
  it("gives the same trace for the same seed, byte for byte", () => {
    const first = run(1, "frames")
    const second = run(1, "frames")
    assert.isAbove(first.trace.count, 500)
    assert.strictEqual(second.trace.hash, first.trace.hash)
    assert.deepStrictEqual(second.trace.entries, first.trace.entries)
    assert.strictEqual(second.elapsed, first.elapsed)
    assert.strictEqual(second.events, first.events)
  })

  it("gives another trace for another seed", () => {
    const hashes = [1, 2, 3, 4].map((seed) => run(seed).trace.hash)
    assert.strictEqual(new Set(hashes).size, hashes.length)
  })

  it("has the same hash whether frames are kept or not", () => {
    assert.strictEqual(run(5, "hash").trace.hash, run(5, "frames").trace.hash)
  })

  it("gives each link chances of its own: what crosses another changes nothing", () => {
    /** For each frame that `one` sends, whether it is lost. */
    const fates = (others: boolean): ReadonlyArray<boolean> => {
      const simulation = Simulator.make(Topology.star(["one", "two", "three"], { delay: "1 millis", loss: 0.1 }), {
        trace: "frames"
      })
      const main = Transfer.start(simulation, { from: "one", to: "two", bytes: 200_000 })
      const other = Transfer.start(simulation, { from: "three", to: "two", bytes: others ? 50_000 : 0, port: 5002 })
      simulation.finish([...main.processes, ...other.processes])
      const own = simulation.trace.entries.filter(({ from }) => from === "one")
      return own.flatMap(({ happening }, i) => happening === "sent" ? [own[i + 1]?.happening === "lost"] : [])
    }
    const [alone, inCompany] = [fates(false), fates(true)]
    const common = Math.min(alone.length, inCompany.length)
    assert.isAbove(alone.slice(0, common).filter((isLost) => isLost).length, 5)
    assert.deepStrictEqual(inCompany.slice(0, common), alone.slice(0, common))
  })
})
