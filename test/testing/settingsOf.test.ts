import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Expect from "../../src/testing/Expect.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"

const syn = { like: { tcp: { flags: /S/ } } }

const transfer = (wire: Topology.Faults): Simulator.Simulation => {
  const simulation = Simulator.make(Topology.pair({ delay: "10 millis", forth: wire, back: wire }), { trace: "frames" })
  Transfer.run(simulation, { from: "local", to: "remote", bytes: 20_000 })
  return simulation
}

const lost = (simulation: Simulator.Simulation) =>
  simulation.trace.entries.filter(({ happening }) => happening === "lost")

describe("Rules about packets that a link loses", () => {
  it("lose the first of a kind, in each direction, and let it pass when it is sent again", () => {
    const simulation = transfer({ losing: [{ ...syn, numbers: [1] }] })
    assert.deepStrictEqual(lost(simulation).map(({ from }) => from), ["local", "remote"])
    Expect.sequence(lost(simulation), [{ tcp: { flags: "S" } }, { tcp: { flags: "S." } }])
  })

  it("lose what any of them says, beside what the settings lose", () => {
    const simulation = transfer({
      losing: [{ ...syn, numbers: [1] }, { like: { payload: { length: (n) => n > 1000 } }, numbers: [2, 4] }],
      lose: (_, number) => number === 20
    })
    const forth = lost(simulation).filter(({ from }) => from === "local")
    assert.strictEqual(forth.length, 4)
    Expect.sequence(forth, [{ tcp: { flags: "S" } }, { payload: { length: (n) => n > 1000 } }])
  })

  it("lose all of a kind where they tell no numbers", () => {
    assert.throws(() => transfer({ losing: [syn] }), /TimedOut/)
  })

  it.effect("begin to count anew when a test sets them", () =>
    TestNetwork.run(Effect.gen(function*() {
      const wire = yield* TestNetwork.link("wire")
      const answers = Effect.isSuccess(Ping.ping("10.0.0.2", { timeout: "1 second" }))
      assert.isTrue(yield* answers)
      const echo = { like: { icmp: { message: "EchoRequest" } } } as const
      for (let turn = 0; turn < 2; turn++) {
        yield* wire.set({ losing: [{ ...echo, numbers: [2] }] })
        assert.deepStrictEqual([yield* answers, yield* answers, yield* answers], [true, false, true])
      }
    })))
})
