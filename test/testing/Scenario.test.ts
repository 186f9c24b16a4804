import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scenario from "../../src/testing/Scenario.ts"
import * as measureNames from "../../src/testing/scenario/measureNames.ts"
import * as measures from "../../src/testing/scenario/measures.ts"
import * as Run from "../../src/testing/scenario/Run.ts"

const network = `
hosts: { a: { ipv4: 10.0.0.1/24 }, b: { ipv4: 10.0.0.2/24 } }
links: { wire: { between: [a, b], delay: 10 millis, rate: 8e6 } }
`

const text = (flows: string, more = "") =>
  `title: A title\nabout: About it.\nduration: 2 seconds\nheadline: "{up.seconds} s"\nflows: ${flows}\n${network}${more}`

const upload = "{ up: { from: a, to: b, bytes: 500e3 } }"

const message = (text: string) => Effect.map(Effect.flip(Scenario.parse(text)), (error) => error.message)

describe("A scenario", () => {
  it.effect("is read from YAML", () =>
    Effect.gen(function*() {
      const scenario = yield* Scenario.parse(text(
        "{ up: { from: a, to: b, bytes: 1e6, at: 1 second, pause: { after: 1000, length: 2 seconds } } }",
        "expect: { up.timeouts: 0, up.seconds: { atMost: 2 } }"
      ))
      assert.strictEqual(scenario.flows["up"]!.kind, "transfer")
      assert.strictEqual(Scenario.startOf(scenario.flows["up"]!), 1000)
      assert.strictEqual(Duration.toSeconds(scenario.duration), 2)
      assert.deepStrictEqual(scenario.expect, { "up.timeouts": 0, "up.seconds": { atMost: 2 } })
    }))

  it.effect("is refused if it says what makes no sense", () =>
    Effect.gen(function*() {
      assert.match(
        yield* message(text("{ up: { from: a, to: nobody, bytes: 1 } }")),
        /flow up: no host is called nobody/
      )
      assert.match(
        yield* message(text("{ up: { kind: flood, from: a, flow: down, rate: 1, length: 1 second } }")),
        /flow up: no flow to flood is called down/
      )
      assert.match(yield* message(text("{ up: { from: a, to: b } }")), /bytes/)
      assert.match(yield* message(text(upload, "colour: red")), /colour/)
      assert.match(
        yield* message(text(upload, "expect: { up.second: 1 }")),
        /^no measure is called up.second: up has .*seconds/
      )
      assert.match(
        yield* message(text(upload, "expect: { a.dropped.NoSuch: 1 }")),
        /^no measure is called a.dropped.NoSuch$/
      )
      assert.match(
        yield* message(text(upload).replace("{up.seconds}", "{down.seconds}")),
        /begins with one of up, wire, a, b/
      )
    }))

  it.effect("is made of a topology that has none: everybody sends to the first host", () =>
    Effect.gen(function*() {
      const scenario = yield* Scenario.parse(network)
      const outcome = Run.run(scenario)
      assert.deepStrictEqual(Object.keys(outcome.flows), ["b"])
      assert.strictEqual(outcome.measures["b.isIntact"], 1)
      assert.match(outcome.headline, /^b: \d\.\d+ Mbit\/s$/)
    }))

  it.effect("knows the names of all its measures before it runs", () =>
    Effect.gen(function*() {
      const flows = "{ up: { from: a, to: b, bytes: 5e3 }, ask: { kind: questions, from: a, to: b, every: 1 second },"
        + " many: { kind: flood, from: a, flow: up, rate: 5, length: 1 second } }"
      const scenario = yield* Scenario.parse(text(flows))
      const { measures } = Run.run(scenario)
      assert.deepStrictEqual(
        Object.keys(measures).filter((name) => measureNames.faultOf(scenario, name) !== undefined),
        []
      )
      assert.isAbove(Object.keys(measures).length, 50)
    }))

  it.effect("is measured", () =>
    Effect.gen(function*() {
      const { flows, measures, queues } = Run.run(yield* Scenario.parse(text(upload)))
      // Half a megabyte at 8 Mbit/s, and a round trip for the handshake.
      assert.closeTo(measures["up.seconds"]!, 0.56, 0.04)
      assert.strictEqual(measures["up.retransmitted"], 0)
      assert.strictEqual(measures["up.delivered"], 500_001)
      assert.strictEqual(measures["fairness"], 1)
      assert.isAbove(measures["wire.forth.maximumQueue"]!, 10_000)
      assert.strictEqual(measures["a.tcpActiveOpens"], 1)
      const { up } = flows
      if (up?.kind !== "transfer") return assert.fail("no transfer")
      const { acknowledgments, roundTrips, sent, windows } = up.series
      assert.strictEqual(sent.reduce((sum, { end, start }) => sum + end - start, 0), 500_000)
      assert.strictEqual(acknowledgments.at(-1)!.upTo, 500_001)
      assert.isAbove(acknowledgments.at(-1)!.edge, 500_001)
      assert.isAbove(windows.length, 50)
      // The SYN has waited for the neighbour's address.
      assert.closeTo(roundTrips[0]!.smoothed, 40, 1)
      assert.deepStrictEqual(queues.map(({ direction }) => direction), ["forth", "back"])
    }))

  it.effect("tells what failed and what was not as expected", () =>
    Effect.gen(function*() {
      const cut =
        "changes: [{ at: 0 seconds, link: wire, partition: true }]\nexpect: { up.isIntact: 1, up.timeouts: { atLeast: 99 } }"
      const outcome = Run.run(yield* Scenario.parse(text(upload, cut)))
      assert.deepStrictEqual(outcome.unmet, [
        "up.isIntact is not measured, and not 1",
        `up.timeouts is ${outcome.measures["up.timeouts"]}, and not at least 99`
      ])
      assert.strictEqual(outcome.headline, "{up.seconds} s")
    }))

  it("has measures in its headline, with the digits that count", () => {
    assert.strictEqual(measures.filledIn("{a} {b.c} {d}", { a: 3, "b.c": 1.23456, d: 1234.5 }), "3 1.23 1235")
  })
})
