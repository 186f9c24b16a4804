import { assert, describe, it } from "@effect/vitest"
import * as AddressLifetimes from "../../../src/core/ipv6/AddressLifetimes.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Seeded from "../Seeded.ts"

const at = (seconds: number): Time.Instant => Time.instantOf(seconds * 1_000_000)
const advertised = (preferredLifetime: number, validLifetime: number): AddressLifetimes.Advertised => ({
  preferredLifetime,
  validLifetime
})
const hour = 3600
const now = at(1_000_000)
const left = (seconds: number): AddressLifetimes.AddressLifetimes => ({
  preferredUntil: now,
  validUntil: Time.plus(now, Time.seconds(seconds))
})

/** Seconds of validity that are left after an advertisement, of how many there were. */
const validity = (before: number, given: number): number =>
  Time.between(now, AddressLifetimes.renew(left(before), advertised(0, given), now).validUntil) / 1_000_000

describe("AddressLifetimes", () => {
  it("passes from preferred to deprecated to invalid (rfc: 4862 §5.5.4)", () => {
    const self = AddressLifetimes.make(at(0), advertised(10, 20))
    assert.deepStrictEqual([0, 9, 10, 19, 20, 99].map((second) => AddressLifetimes.stateOf(self, at(second))), [
      "preferred",
      "preferred",
      "deprecated",
      "deprecated",
      "invalid",
      "invalid"
    ])
    assert.deepStrictEqual([0, 10, 20].map((second) => AddressLifetimes.nextChange(self, at(second))), [
      at(10),
      at(20),
      Time.never
    ])
  })

  it("never ends when all bits are ones (rfc: 4861 §4.6.2)", () => {
    const self = AddressLifetimes.make(at(5), advertised(0xffff_ffff, 0xffff_ffff))
    assert.deepStrictEqual(self, AddressLifetimes.unlimited)
    assert.strictEqual(AddressLifetimes.stateOf(self, at(1e9)), "preferred")
    assert.strictEqual(AddressLifetimes.nextChange(self, at(0)), Time.never)
  })

  for (
    const [before, given, after, why] of [
      [hour, 3 * hour, 3 * hour, "more than two hours"],
      [hour, 1.5 * hour, 1.5 * hour, "more than is left"],
      [10 * hour, 2.1 * hour, 2.1 * hour, "more than two hours, though less than is left"],
      [hour, 0.5 * hour, hour, "less than is left, of which there are less than two hours"],
      [2 * hour, 0, 2 * hour, "nothing, with two hours left"],
      [10 * hour, 0, 2 * hour, "nothing, with more than two hours left"],
      [10 * hour, 2 * hour, 2 * hour, "exactly two hours"],
      [Infinity, 0, 2 * hour, "nothing, of an endless lifetime"]
    ] as const
  ) {
    it(`has ${after / hour} h after an advertisement of ${why} (rfc: 4862 §5.5.3 e)`, () => {
      assert.closeTo(validity(before, given), after, 1e-6)
    })
  }

  it("takes the preferred lifetime as it is told (rfc: 4862 §5.5.3 e)", () => {
    for (const seconds of [0, 1, 100, 86_400]) {
      const renewed = AddressLifetimes.renew(AddressLifetimes.unlimited, advertised(seconds, 86_400), now)
      assert.strictEqual(renewed.preferredUntil, Time.plus(now, Time.seconds(seconds)))
    }
  })

  it("is never shortened below two hours by anybody, and never preferred for longer than valid", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = Seeded.make(seed)
      let time = 0
      let self = AddressLifetimes.make(at(0), advertised(100, 4 * hour))
      for (let i = 0; i < 50; i++) {
        time += random.below(600)
        const valid = random.pick([0, 1, random.below(hour), 2 * hour, 5 * hour, 0xffff_ffff])
        const preferred = Math.min(valid, random.pick([0, random.below(hour), 0xffff_ffff]))
        const before = self
        if (AddressLifetimes.stateOf(before, at(time)) === "invalid") break
        self = AddressLifetimes.renew(before, advertised(preferred, valid), at(time))
        const protectedUntil = Math.min(before.validUntil, at(time + 2 * hour))
        assert.isAtLeast(self.validUntil, protectedUntil)
        assert.isAtMost(self.preferredUntil, self.validUntil)
        if (valid > 0) assert.isAtLeast(self.validUntil, Math.min(protectedUntil, at(time + valid)))
      }
    }
  })
})
