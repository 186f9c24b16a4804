import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import * as Expect from "../../src/testing/Expect.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"

describe("A lost tail", () => {
  it("is known from the answer to a probe, also when the probe carries the FIN (RFC 2018 §3, RFC 8985 §7)", () => {
    const full = { like: { payload: { length: 1448 } }, numbers: [13, 14] }
    const last = { like: { payload: { length: 72 } }, numbers: [1] }
    const simulation = Simulator.make(
      Topology.pair({ delay: "20 millis", forth: { delay: "20 millis", losing: [full, last] } }),
      { trace: "frames" }
    )
    const report = Transfer.run(simulation, { from: "local", to: "remote", bytes: 14 * 1448 + 72 })
    assert.deepStrictEqual([report.isIntact, report.tailLossProbes, report.timeouts], [true, 1, 0])
    assert.isBelow(report.duration, Time.millis(500))
    // The receiver has the FIN, and says so: one more than its 72 bytes.
    const probe = Expect.frame(simulation.trace.entries.filter(({ happening }) => happening === "arrived"), {
      tcp: { flags: "FP." }
    })
    const right = (probe.tcp!.sequence + 72 + 1) | 0
    Expect.frame(simulation.trace, {
      ip: { source: "10.0.0.2" },
      tcp: { options: { sackBlocks: (blocks) => blocks.some((block) => block.right === right) } }
    })
  })
})
