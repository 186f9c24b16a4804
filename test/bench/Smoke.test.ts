import { assert, describe, it } from "@effect/vitest"
import type * as History from "../../bench/History.ts"
import type * as Row from "../../bench/Row.ts"
import * as Smoke from "../../bench/Smoke.ts"

const figure = (value: number, unit = "MB/s"): Row.Figure => ({
  name: "bulk",
  unit,
  values: [value],
  against: { name: "kernel", values: [100] }
})

const record: History.Entry = {
  at: "2026-01-01T00:00:00.000Z",
  commit: "abc",
  machine: "one",
  isSmoke: true,
  runs: 1,
  figures: { "tap: bulk": { median: 80, unit: "MB/s", ratio: 0.8 } }
}

describe("the smoke run of the benchmarks", () => {
  it("finds a ratio that is less than half of what it was, and no other", () => {
    assert.deepStrictEqual(Smoke.collapsed("tap", [figure(39)], record), [
      "tap: bulk: the ratio is 0.390, and was 0.800 at abc"
    ])
    assert.deepStrictEqual(Smoke.collapsed("tap", [figure(41)], record), [])
  })

  it("does not judge times, of which more is worse, nor anything while a record is made", () => {
    assert.deepStrictEqual(Smoke.collapsed("tap", [figure(1, "µs")], record), [])
    assert.deepStrictEqual(Smoke.collapsed("tap", [figure(1)], undefined), [])
    assert.deepStrictEqual(Smoke.unmeasured([], undefined), [])
  })

  it("finds ratios that nobody watches: measured and not on record, or on record and not measured", () => {
    assert.match(
      Smoke.collapsed("tun", [figure(1)], record).join(),
      /^tun: bulk: no ratio is on record at abc; .*--record/
    )
    assert.match(
      Smoke.unmeasured([["tun", [figure(80)]]], record).join(),
      /^tap: bulk: is on record at abc, and was not/
    )
    assert.deepStrictEqual(Smoke.unmeasured([["tap", [figure(80)]]], record), [])
    assert.deepStrictEqual(Smoke.unmeasured([["tap", []]], record), [])
  })

  it("takes the better of two tries", () => {
    assert.deepStrictEqual(Smoke.better(undefined, [figure(1)]), [figure(1)])
    assert.deepStrictEqual(Smoke.better([figure(3)], [figure(2)]), [figure(3)])
    assert.deepStrictEqual(Smoke.better([figure(2)], [figure(3)]), [figure(3)])
  })
})
