import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"

/** A transfer of 2 MB from `local` to `remote`. */
const transfer = (link: Parameters<typeof Topology.pair>[0], seed = 1, bytes = 2_000_000): Transfer.Report =>
  Transfer.run(Simulator.make(Topology.pair(link), { seed, trace: "none" }), { from: "local", to: "remote", bytes })

describe("A bulk transfer", () => {
  it("needs no repair on a clean link, and about a dozen round trips (RFC 6928 §2, RFC 5681 §3.1)", () => {
    const report = transfer({ delay: "10 millis" })
    assert.isTrue(report.isIntact)
    assert.strictEqual(report.segmentsRetransmitted, 0)
    assert.isBelow(report.duration, Time.millis(300))
  })

  it("fills a slow line, whatever is in its queue", () => {
    const report = transfer({ delay: "10 millis", rate: 2e7, queueBytes: 50_000 })
    assert.isTrue(report.isIntact)
    assert.isAbove(report.bitsPerSecond, 0.85 * 2e7)
    assert.isBelow(report.bitsPerSecond, 2e7)
  })

  it("arrives whole in spite of everything that a link can do", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const report = transfer(
        {
          delay: "5 millis",
          jitter: "3 millis",
          bursts: { enter: 0.01, leave: 0.4 },
          duplication: 0.05,
          reordering: 0.05,
          corruption: 0.02
        },
        seed,
        200_000
      )
      assert.isTrue(report.isIntact)
      assert.isAbove(report.segmentsRetransmitted, 0)
    }
  })
})
