import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import { pcapngOf } from "../../src/testing/pcapngOf.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Pcapng from "../../src/wire/Pcapng.ts"

describe("pcapngOf", () => {
  it("has every frame of a trace where it was seen, and says which were lost", () => {
    const simulation = Simulator.make(Topology.pair({ delay: "10 millis", loss: 0.05 }), { seed: 3, trace: "frames" })
    Transfer.run(simulation, { from: "local", to: "remote", bytes: 60_000 })
    const { entries } = simulation.trace
    const bytes = pcapngOf(entries, "seed 3")
    const contents = Pcapng.read(bytes)
    if (Malformed.isMalformed(contents)) return assert.fail(contents.detail)
    const { interfaces, packets } = contents
    assert.deepStrictEqual(interfaces.map(({ name }) => name).toSorted(), ["local@wire", "remote@wire"])
    const lost = entries.filter(({ happening }) => happening === "lost").length
    assert.isAbove(lost, 0)
    assert.strictEqual(packets.length, entries.length - lost)
    assert.strictEqual(
      packets.filter(({ comments }) => comments.some((text) => text.startsWith("lost on its way"))).length,
      lost
    )
    const last = packets.at(-1)!
    assert.strictEqual(last.at, Math.floor(entries.at(-1)!.at))
    assert.isAbove(last.at ?? 0, Time.millis(10))
    assert.deepStrictEqual(last.bytes.slice(last.start, last.end), entries.at(-1)!.frame)
  })
})
