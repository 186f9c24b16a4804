import { assert, describe, it } from "@effect/vitest"
import * as DeliveryRate from "../../../../src/core/tcp/DeliveryRate.ts"
import * as Time from "../../../../src/core/Time.ts"

const at = (millis: number): Time.Instant => Time.instantOf(millis * 1000)
const mss = 1000
const minRtt = Time.millis(100)

/** Sends `count` segments at their times; answers the stamps. */
const send = (
  self: DeliveryRate.DeliveryRate,
  times: ReadonlyArray<number>,
  inFlight = 0
): readonly [DeliveryRate.DeliveryRate, ReadonlyArray<DeliveryRate.Stamp>] => {
  let state = self
  const stamps = times.map((millis, i) => {
    const [next, stamp] = DeliveryRate.send(state, at(millis), inFlight + i * mss, mss)
    state = next
    return stamp
  })
  return [state, stamps]
}

describe("DeliveryRate", () => {
  it("finds the rate of a path: ten segments, one every ten milliseconds, ACKed a hundred later", () => {
    const times = Array.from({ length: 30 }, (_, i) => i * 10)
    let self = DeliveryRate.initial
    const stamps: Array<DeliveryRate.Stamp> = []
    const rates: Array<number | undefined> = []
    for (const millis of times) {
      if (millis >= 100) {
        const [next, sample] = DeliveryRate.deliver(self, mss, stamps[millis / 10 - 10], at(millis), minRtt)
        self = next
        rates.push(sample.rate)
      }
      const [next, stamp] = DeliveryRate.send(self, at(millis), Math.min(10, millis / 10) * mss, mss)
      self = next
      stamps.push(stamp)
    }
    // 1000 bytes in 10 ms are 100,000 bytes a second.
    assert.closeTo(rates.at(-1)!, 100_000, 1)
    assert.isTrue(rates.every((rate) => rate === undefined || rate <= 100_001))
  })

  it("does not take a burst of ACKs for bandwidth", () => {
    const [sending, stamps] = send(DeliveryRate.initial, [0, 10, 20, 30])
    // All four ACKs come in one, 130 ms after the first segment left.
    const [, sample] = DeliveryRate.deliver(sending, 4 * mss, stamps[3], at(130), minRtt)
    assert.closeTo(sample.rate!, 4 * mss / 0.13, 1)
    // An interval below the least round trip says nothing.
    assert.isUndefined(DeliveryRate.deliver(sending, mss, stamps[3], at(60), minRtt)[1].rate)
  })

  it("does not take a burst of sending for bandwidth", () => {
    const [sending, stamps] = send(DeliveryRate.initial, [0, 0, 0, 0])
    let self = sending
    let sample: DeliveryRate.Sample | undefined
    stamps.forEach((stamp, i) => {
      const [next, told] = DeliveryRate.deliver(self, mss, stamp, at(100 + 10 * i), minRtt)
      self = next
      sample = told
    })
    assert.closeTo(sample!.rate!, 4 * mss / 0.13, 1)
  })

  it("does not count the time in which nothing was in flight", () => {
    const [first, [stamp]] = send(DeliveryRate.initial, [0])
    const [idle] = DeliveryRate.deliver(first, mss, stamp, at(100), minRtt)
    const [again, [later]] = send(idle, [5000])
    const [, sample] = DeliveryRate.deliver(again, mss, later, at(5100), minRtt)
    assert.closeTo(sample.rate!, mss / 0.1, 1)
  })

  it("says which samples the program limited, until what was in flight then is delivered", () => {
    const [sending, stamps] = send(DeliveryRate.initial, [0, 1])
    const limited = DeliveryRate.appLimited(sending, 2 * mss)
    const [more, [third]] = send(limited, [50], 2 * mss)
    assert.isTrue(third!.isAppLimited)
    const [after2] = DeliveryRate.deliver(more, 2 * mss, stamps[1], at(101), minRtt)
    const [after3, sample] = DeliveryRate.deliver(after2, mss, third, at(150), minRtt)
    assert.isTrue(sample.isAppLimited)
    const [, [fourth]] = send(after3, [151])
    assert.isFalse(fourth!.isAppLimited)
  })

  it("counts round trips by what had been delivered when a segment left", () => {
    let self = DeliveryRate.initial
    let stamps: ReadonlyArray<DeliveryRate.Stamp>
    ;[self, stamps] = send(self, [0, 0])
    const starts: Array<boolean> = []
    for (let round = 1; round <= 4; round++) {
      const sent = stamps
      const next: Array<DeliveryRate.Stamp> = []
      for (const stamp of sent) {
        const [delivered, sample] = DeliveryRate.deliver(self, mss, stamp, at(round * 100), minRtt)
        starts.push(sample.isRoundStart)
        assert.strictEqual(sample.rounds, round)
        const [sending, another] = DeliveryRate.send(delivered, at(round * 100), mss, mss)
        self = sending
        next.push(another)
      }
      stamps = next
    }
    assert.deepStrictEqual(starts, [true, false, true, false, true, false, true, false])
  })

  it("tells what was lost between a segment's departure and its delivery", () => {
    const [sending, stamps] = send(DeliveryRate.initial, [0, 0, 0, 0])
    const lossy = DeliveryRate.lose(sending, 2 * mss)
    assert.strictEqual(DeliveryRate.lose(lossy, 0), lossy)
    const [next, sample] = DeliveryRate.deliver(lossy, mss, stamps[3], at(100), minRtt)
    assert.deepStrictEqual([sample.lost, sample.delivered, sample.inFlightAtSend], [2 * mss, mss, 4 * mss])
    const [, [later]] = send(next, [100])
    assert.strictEqual(DeliveryRate.deliver(next, mss, later, at(200), minRtt)[1].lost, 0)
  })

  it("goes on when an ACK tells of nothing that can be believed", () => {
    const [sending] = send(DeliveryRate.initial, [0])
    const [next, sample] = DeliveryRate.deliver(sending, mss, undefined, at(100), minRtt)
    assert.deepStrictEqual([next.delivered, sample.rate, sample.isRoundStart], [mss, undefined, false])
  })
})
