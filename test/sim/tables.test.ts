import { assert, describe, expect, it } from "@effect/vitest"
import * as Measurements from "./Measurements.ts"
import * as Tables from "./Tables.ts"

// Whoever changes what TCP does about losses sees here what it changes, and takes new tables with `vitest run -u test/sim/tables`.
describe("What TCP makes of a network (docs/tcp-performance.md)", () => {
  it("goodput by loss, round trip and controller", () => {
    expect(Tables.goodput(250_000, 2)).toMatchSnapshot()
  })

  it("how long 2 MB take at 2 % loss and 20 ms", () => {
    expect(Tables.spread(5)).toMatchSnapshot()
  })

  it("what flows make of a line that they share (RFC 5166 §2.3)", () => {
    expect(Tables.sharing(2)).toMatchSnapshot()
  })

  it("what 1, 2, 10, a window of losses and the last two cost (RFC 6675, RFC 8985)", () => {
    expect(Tables.recovery()).toMatchSnapshot()
  })

  it("no controller leaves a clean line unused, or takes all of it for itself", () => {
    for (const controller of Measurements.controllers) {
      assert.isAbove(Measurements.goodput(controller, 0, 20, 5_000_000, 1), 0.6 * Measurements.lineRate, controller)
      const { fairness, utilization } = Measurements.sharing(controller, 2, 5)
      assert.isAbove(fairness, 0.8, controller)
      assert.isAbove(utilization, 0.9, controller)
    }
  })
})
