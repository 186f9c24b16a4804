/**
 * The stack with one line more in `known.ts`, that of the toy: tells whether its knob is known, moves a megabyte over a network that loses, lets random programs choose it
 * among the others, and prints what came of it. `adding.test.ts` runs it in a process of its own, whose modules are those of the tree but for that line.
 */
import { registerHooks } from "node:module"

const known = new URL("../../../../src/core/tcp/congestion/known.ts", import.meta.url).href
const line = `export { controller as toy } from "${new URL("Toy.ts", import.meta.url).href}"\n`

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)
    return url === known ? { ...loaded, source: `${String(loaded.source)}${line}` } : loaded
  }
})

const [Knobs, Simulator, Topology, Transfer, { World }] = await Promise.all([
  import("../../../../src/core/tcp/Knobs.ts"),
  import("../../../../src/testing/Simulator.ts"),
  import("../../../../src/testing/Topology.ts"),
  import("../../../../src/testing/Transfer.ts"),
  import("../properties/World.ts")
])

const simulation = Simulator.make(Topology.pair({ delay: "5 millis", rate: 2e7, loss: 0.01 }), {
  seed: 1,
  trace: "none"
})
const options = { congestionControl: "toy" }
const { isIntact, segmentsRetransmitted, sender } = Transfer.run(simulation, {
  from: "local",
  to: "remote",
  bytes: 1_000_000,
  options
})
const [firstSeed, seeds] = [200, 20]
for (let i = 0; i < seeds; i++) new World(firstSeed + i).run()
const { values } = Knobs.table.congestionControl
process.stdout.write(
  JSON.stringify({ values, isIntact, hasRepaired: segmentsRetransmitted > 0, used: sender.congestionControl })
)
