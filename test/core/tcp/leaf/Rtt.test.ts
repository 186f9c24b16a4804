import { assert, describe, it } from "@effect/vitest"
import * as Rtt from "../../../../src/core/tcp/Rtt.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as Seeded from "../../Seeded.ts"

const usual: Rtt.Config = { initialRto: Time.seconds(1), minRto: Time.millis(200), maxRto: Time.seconds(120) }
/** Nothing but the formula. */
const config: Rtt.Config = { ...usual, minRto: Time.zero }
const at = (n: number): Time.Instant => Time.instantOf(n * 1_000_000)
const ms = Time.millis

const feed = (millis: ReadonlyArray<number>, given: Rtt.Config = config): Rtt.Rtt =>
  millis.reduce((self, rtt, i) => Rtt.sample(self, ms(rtt), at(i), given), Rtt.make(given))

describe("Rtt", () => {
  it("starts with one second and no estimate (rfc: 6298 §2.1 SHOULD)", () => {
    const self = Rtt.make(usual)
    assert.strictEqual(Rtt.rtoOf(self, usual), Time.seconds(1))
    assert.isUndefined(self.srtt)
    assert.isUndefined(Rtt.minimum(self))
  })

  it("computes by hand: 100, 100, 60, 200 ms (rfc: 6298 §2.2 MUST, §2.3 MUST)", () => {
    // R = 100: srtt 100, rttvar 50, rto 300.
    const first = feed([100])
    assert.deepStrictEqual([first.srtt, first.rttvar, first.rto], [ms(100), ms(50), ms(300)])
    // R' = 100: rttvar 3/4·50 = 37.5, srtt 100, rto 250.
    const second = feed([100, 100])
    assert.deepStrictEqual([second.srtt, second.rttvar, second.rto], [ms(100), ms(37.5), ms(250)])
    // R' = 60: rttvar 3/4·37.5 + 40/4 = 38.125 (with srtt before the update), srtt 7/8·100 + 60/8 = 95, rto 247.5.
    const third = feed([100, 100, 60])
    assert.deepStrictEqual([third.srtt, third.rttvar, third.rto], [ms(95), ms(38.125), ms(247.5)])
    // R' = 200: rttvar 3/4·38.125 + 105/4 = 54.84375, srtt 7/8·95 + 25 = 108.125, rto 327.5.
    const fourth = feed([100, 100, 60, 200])
    assert.deepStrictEqual([fourth.srtt, fourth.rttvar, fourth.rto], [ms(108.125), ms(54.84375), ms(327.5)])
  })

  it("keeps the timeout within the limits (rfc: 6298 §2.4 SHOULD, §2.5 MAY)", () => {
    assert.strictEqual(feed([1], { ...usual, granularity: ms(1) }).rto, ms(200))
    assert.strictEqual(feed([1], { ...usual, minRto: Time.seconds(1), granularity: ms(1) }).rto, Time.seconds(1))
    assert.strictEqual(feed([90_000], usual).rto, Time.seconds(120))
  })

  it("adds at least the granularity when the variance has died away (rfc: 6298 §4 MUST)", () => {
    const steady = feed(Array.from({ length: 200 }, () => 80), { ...config, granularity: ms(10) })
    assert.isBelow(steady.rttvar, 1)
    assert.strictEqual(steady.rto, ms(90))
    assert.strictEqual(feed([80, 80, 80, 80, 80, 80, 80, 80], usual).rto, ms(280))
  })

  it("doubles at each timeout up to the maximum, and a sample ends that (rfc: 6298 §5.5 MUST)", () => {
    let self = feed([100, 100])
    const seen: Array<number> = []
    for (let i = 0; i < 12; i++) {
      seen.push(Time.toMillis(Rtt.rtoOf(self, config)))
      self = Rtt.backedOff(self, config)
    }
    assert.deepStrictEqual(seen, [250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 120000, 120000, 120000])
    assert.strictEqual(Rtt.rtoOf(Rtt.withoutBackoff(self), config), ms(250))
    const sampled = Rtt.sample(self, ms(100), at(9), config)
    assert.strictEqual(sampled.backoff, 0)
    assert.isBelow(Rtt.rtoOf(sampled, config), ms(250))
  })

  it("begins data with three seconds after a lost SYN, unless there is a sample (rfc: 6298 §5.7 MUST)", () => {
    const lost = Rtt.backedOff(Rtt.make(usual), usual)
    assert.strictEqual(Rtt.rtoOf(lost, usual), Time.seconds(2))
    assert.strictEqual(Rtt.rtoOf(Rtt.begin(lost, usual), usual), Time.seconds(3))
    const sampled = Rtt.sample(lost, ms(100), at(1), usual)
    assert.strictEqual(Rtt.begin(sampled, usual), sampled)
    const untouched = Rtt.make(usual)
    assert.strictEqual(Rtt.begin(untouched, usual), untouched)
  })

  it("starts afresh when the estimate is forgotten, with the timeout kept (RFC 6298 §5)", () => {
    const forgotten = Rtt.forget(feed([500, 500]))
    assert.strictEqual(forgotten.rto, feed([500, 500]).rto)
    const again = Rtt.sample(forgotten, ms(40), at(3), config)
    assert.deepStrictEqual([again.srtt, again.rttvar], [ms(40), ms(20)])
  })

  it("remembers as long with many samples a round trip as with one (RFC 7323 Appendix G)", () => {
    const step = (expected: number): Rtt.Rtt => {
      let self = feed([100])
      for (let i = 0; i < 8 * expected; i++) self = Rtt.sample(self, ms(200), at(1), config, expected)
      return self
    }
    const one = step(1).srtt!
    assert.closeTo(step(50).srtt!, one, ms(3.5))
    assert.isAbove(Rtt.sample(step(1), ms(0), at(1), config, 50).srtt!, Rtt.sample(step(1), ms(0), at(1), config).srtt!)
  })

  it("knows the least of late and forgets it after the window", () => {
    const self = feed([100, 30, 80])
    assert.strictEqual(Rtt.minimum(self), ms(30))
    const later = Rtt.sample(self, ms(90), at(400), config)
    assert.strictEqual(Rtt.minimum(later), ms(90))
  })

  it("stays between the least and the greatest sample, whatever comes", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = Seeded.make(seed)
      const samples = Array.from({ length: 100 }, () => 1 + random.below(seed * 40))
      const self = feed(samples)
      assert.isAtLeast(self.srtt!, ms(Math.min(...samples)) - 1)
      assert.isAtMost(self.srtt!, ms(Math.max(...samples)) + 1)
      assert.isAtLeast(self.rto, self.srtt!)
      assert.isAtLeast(self.rttvar, 0)
    }
  })

  it("takes a negative time for zero", () => {
    assert.strictEqual(feed([-5]).srtt, Time.zero)
  })
})
