import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"
import { controllers, range, transferWithout } from "./Measurements.ts"

type Link = Parameters<typeof Topology.pair>[0]

const make = (link: Link, seed: number): Simulator.Simulation =>
  Simulator.make(Topology.pair(link), { seed, trace: "none" })

/** A transfer of 2 MB from `local` to `remote`. */
const transfer = (
  link: Link,
  seed = 1,
  bytes = 2_000_000,
  options: Transfer.Options["options"] = {}
): Transfer.Report => Transfer.run(make(link, seed), { from: "local", to: "remote", bytes, options })

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

  it("learns that frames overtake each other, and sends hardly any of them again (RFC 8985 §6.2)", () => {
    const link = { delay: "10 millis", rate: 5e7, queueBytes: 2_000_000 } as const
    const report = transfer({ ...link, reordering: 0.01, reorderingDelay: "3 millis" })
    assert.isAtMost(report.segmentsRetransmitted, 2)
    assert.isBelow(report.duration, 1.1 * transfer(link).duration)
  })

  it("is no faster with Reno for reordering, for what each duplicate lets out is no window (rfc: 5681 §3.2 step 2 MUST)", () => {
    const link = { delay: "10 millis", loss: 0.01 } as const
    const of = (more: Link): number =>
      transfer({ ...link, ...more }, 1, 4_000_000, { congestionControl: "newReno" }).duration
    assert.isAbove(of({ reordering: 0.01, reorderingDelay: "3 millis" }), 0.9 * of({}))
  })

  it("keeps a line full with BBR where one frame in a hundred is lost and another overtaken", () => {
    const line = { delay: "10 millis", rate: 5e7, queueBytes: 250_000 } as const
    const duration = (seed: number, faults: Link): number => {
      const simulation = make(line, seed)
      // Once the handshake is over: a second for a lost SYN would hide all else.
      simulation.at(Time.millis(30), () => simulation.link("wire").set({ ...line, ...faults }))
      const options = { congestionControl: "bbr" }
      return Transfer.run(simulation, { from: "local", to: "remote", bytes: 5_000_000, options }).duration
    }
    const clean = duration(1, {})
    for (const seed of [1, 2, 3, 4]) {
      assert.isBelow(duration(seed, { loss: 0.01, reordering: 0.01, reorderingDelay: "3 millis" }), 1.1 * clean)
    }
  })

  describe("of 2 MB at 2 % loss and 20 ms round trip", () => {
    const lossy = { delay: "10 millis", loss: 0.02 } as const
    const seeds = [1, 2, 3, 4, 5]

    it("sends nothing again but what was lost, and waits for no timeout (RFC 6675, RFC 8985)", () => {
      for (const seed of seeds) {
        const simulation = make(lossy, seed)
        const report = Transfer.run(simulation, { from: "local", to: "remote", bytes: 2_000_000 })
        assert.isTrue(report.isIntact)
        assert.strictEqual(report.timeouts, 0)
        assert.isAtMost(report.segmentsRetransmitted, simulation.link("wire").statistics("forth").lost + 1)
      }
    })

    it("takes back no answer to a loss, for each was one (RFC 3522 §3)", () => {
      for (const congestionControl of controllers) {
        for (const seed of seeds) {
          const simulation = make(lossy, seed)
          Transfer.run(simulation, { from: "local", to: "remote", bytes: 2_000_000, options: { congestionControl } })
          assert.strictEqual(
            simulation.host("local").counter("tcpSpuriousRecoveries"),
            0,
            `${congestionControl}, ${seed}`
          )
        }
      }
    })

    // A window that halves, or nearly, at each loss averages 8.7 segments at 2 % (RFC 9438 §5.1): 3.2 s for 2 MB.
    it("is as fast with CUBIC as its window lets it be, and much faster with BBR", () => {
      const mean = (congestionControl: string): number =>
        seeds.reduce((sum, seed) => sum + transfer(lossy, seed, 2_000_000, { congestionControl }).duration, 0) /
        seeds.length
      assert.isBelow(mean("cubic"), Time.millis(3200))
      assert.isBelow(mean("bbr"), Time.seconds(2))
    })
  })
})

describe("Recovery", () => {
  const undisturbed = transferWithout([], 1_000_000).duration

  it("takes about a round trip for one loss, two, ten, and a burst of as many as a window holds (RFC 6675 §5)", () => {
    for (const lost of [[60], [60, 62], range(60, 10), range(60, 40)]) {
      const report = transferWithout(lost, 1_000_000)
      assert.isTrue(report.isIntact)
      assert.strictEqual(report.timeouts, 0, `${lost.length} lost`)
      assert.strictEqual(report.segmentsRetransmitted, lost.length, `${lost.length} lost`)
      assert.isBelow(report.duration, undisturbed + Time.millis(200), `${lost.length} lost`)
    }
  })

  it("asks for an overdue ACK by a probe when the very end is lost, and waits for no timeout (RFC 8985 §7)", () => {
    const last = Math.ceil(100_000 / 1448)
    const report = transferWithout([last - 1, last], 100_000)
    assert.isTrue(report.isIntact)
    assert.isAbove(report.tailLossProbes, 0)
    assert.strictEqual(report.timeouts, 0)
    assert.isBelow(report.duration, Time.millis(300))
  })
})

describe("Flows that share a bottleneck", () => {
  it("share it fairly, and fill it (RFC 5166 §2.3)", () => {
    const count = 4
    const simulation = Simulator.make({
      ...Topology.star(["server", ...range(1, count).map((n) => `client${n}`)]),
      links: {
        ...Topology.star(range(1, count).map((n) => `client${n}`), { delay: "10 millis" }).links,
        server: { between: ["switch", "server"], rate: 2e7, queueBytes: 60_000 }
      }
    }, { trace: "none" })
    const bytes = 4_000_000
    const transfers = range(1, count).map((n) =>
      Transfer.start(simulation, { from: `client${n}`, to: "server", bytes, port: 5000 + n })
    )
    simulation.advance(Time.seconds(4))
    const acked = range(1, count).map((n) => simulation.host(`client${n}`).call({ _tag: "TcpList" })[0]!.bytesAcked)
    assert.isAbove(Transfer.fairness(acked), 0.8)
    assert.isAbove(acked.reduce((a, b) => a + b, 0) * 8 / 4, 0.8 * 2e7)
    simulation.finish(transfers.flatMap(({ processes }) => processes))
    for (const { report } of transfers) assert.isTrue(report().isIntact)
  })
})
