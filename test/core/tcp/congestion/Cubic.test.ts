import { assert, describe, it } from "@effect/vitest"
import type * as Controller from "../../../../src/core/tcp/congestion/Controller.ts"
import * as Cubic from "../../../../src/core/tcp/congestion/Cubic.ts"
import * as Time from "../../../../src/core/Time.ts"
import { ack, type Driven, mss, recover, roundTrip, start } from "./Acks.ts"

const cubic = Cubic.controller
const at = Time.instantOf
const rtt100 = Time.millis(100)
const fresh: Driven<Cubic.Cubic> = { state: cubic.start(start()), now: at(0) }
const segments = (self: Cubic.Cubic): number => self.window / mss

/** A window of `count` segments that has just lost a segment and repaired it. */
const afterLoss = (count: number, rtt = rtt100): Driven<Cubic.Cubic> =>
  recover(cubic, { state: { ...fresh.state, window: count * mss, ssthresh: count * mss }, now: at(1_000_000) }, rtt)

/** RFC 9438 §4.2 equations 1 and 2 in segments and seconds, without fast convergence. */
const closed = (wMax: number, t: number): number => 0.4 * (t - Math.cbrt(wMax * 0.3 / 0.4)) ** 3 + wMax

describe("Cubic", () => {
  it("follows the closed formula on a long fat path (rfc: 9438 §4.2 §4.4 §4.5)", () => {
    for (const wMax of [1000, 4000]) {
      let self = afterLoss(wMax)
      assert.closeTo(segments(self.state), 0.7 * wMax, 0.01)
      const epoch = self.now
      const k = Math.cbrt(wMax * 0.3 / 0.4)
      for (let i = 0; i < (k + 6) * 10; i++) {
        self = roundTrip(cubic, self, rtt100, 2)
        const t = Time.between(epoch, self.now) / 1e6
        const expected = closed(wMax, t)
        assert.closeTo(segments(self.state), expected, expected * 0.01, `W(${t})`)
      }
      assert.isAbove(segments(self.state), wMax * 1.02)
    }
  })

  it("is at its old maximum after K seconds, and flat there", () => {
    let self = afterLoss(1000)
    const k = Math.cbrt(1000 * 0.3 / 0.4)
    const at = (seconds: number) => {
      while (Time.between(Time.instantOf(1_100_000), self.now) < seconds * 1e6) self = roundTrip(cubic, self, rtt100)
      return segments(self.state)
    }
    assert.closeTo(at(k - 1), 1000, 2)
    assert.closeTo(at(k), 1000, 1)
    assert.closeTo(at(k + 1), 1000, 2)
  })

  it("is Reno on a short path: up by alpha a round trip, by a segment once back at the maximum (rfc: 9438 §4.3 SHOULD)", () => {
    const rtt = Time.millis(5)
    let self = afterLoss(40, rtt)
    const alpha = 3 * 0.3 / 1.7
    const begin = segments(self.state)
    for (let i = 1; i <= 10; i++) {
      self = roundTrip(cubic, self, rtt)
      assert.closeTo(segments(self.state), begin + alpha * i, 0.3, `round ${i}`)
    }
    while (segments(self.state) < 41) self = roundTrip(cubic, self, rtt)
    const before = segments(self.state)
    assert.closeTo(segments(roundTrip(cubic, self, rtt).state), before + 1, 0.05)
  })

  it("has the average windows of the tables in §5.1 (RFC 9438)", () => {
    const table: ReadonlyArray<readonly [number, number, number]> = [
      [0.1, 1e-3, 38],
      [0.1, 1e-4, 187],
      [0.01, 1e-3, 38],
      [0.01, 1e-4, 120]
    ]
    for (const [rtt, loss, expected] of table) {
      assert.closeTo(average(Time.seconds(rtt), 1 / loss), expected, expected * 0.12, `${rtt} s, ${loss}`)
    }
  })

  it("grows by at most half a window in a round trip (rfc: 9438 §4.2)", () => {
    const far = { ...afterLoss(100).state, wMax: 1e9, window: 10 * mss, ssthresh: 10 * mss }
    const self = roundTrip(cubic, { state: far, now: at(1_100_000) }, rtt100)
    assert.isAtMost(segments(self.state), 10 * 1.5 ** 1.3)
    assert.isAbove(segments(self.state), 14)
  })

  it("falls to 0.7 at a loss, not below two segments (rfc: 9438 §4.6 MUST)", () => {
    const lost = cubic.onLoss({ ...fresh.state, window: 20 * mss, ssthresh: 20 * mss }, {
      now: at(0),
      flightSize: 20 * mss
    })
    assert.deepStrictEqual([lost.window, lost.ssthresh, lost.prior, lost.wMax], [14_000, 14_000, 20_000, 20_000])
    const least = cubic.onLoss({ ...fresh.state, window: 2 * mss, ssthresh: 2 * mss }, {
      now: at(0),
      flightSize: 2 * mss
    })
    assert.deepStrictEqual([least.window, least.ssthresh], [2 * mss, 2 * mss])
  })

  it("may fall to one segment by marks (rfc: 9438 §4.6 MUST)", () => {
    let self: Cubic.Cubic = { ...fresh.state, window: 4 * mss, ssthresh: 4 * mss }
    for (let i = 0; i < 10; i++) self = cubic.onEcn(self, { now: at(0), flightSize: self.window })
    assert.strictEqual(cubic.window(self), mss)
    assert.strictEqual(cubic.ssthresh(self), 2 * mss)
  })

  it("takes less of the maximum when the next loss comes below it (rfc: 9438 §4.7 SHOULD)", () => {
    const first = afterLoss(1000).state
    const second = cubic.onLoss(first, { now: at(2_000_000), flightSize: first.window })
    assert.closeTo(second.wMax / mss, 700 * 0.85, 0.01)
    const above = cubic.onLoss({ ...first, window: 1200 * mss }, { now: at(2_000_000), flightSize: 1200 * mss })
    assert.strictEqual(above.wMax, 1200 * mss)
  })

  it("falls to one segment at a timeout and has its plateau where slow start ends (rfc: 9438 §4.8)", () => {
    const big = { ...fresh.state, window: 100 * mss, ssthresh: 100 * mss, wMax: 200 * mss }
    const timedOut = cubic.onTimeout(big, { now: at(0), flightSize: 100 * mss, isRepeated: false })
    assert.deepStrictEqual([timedOut.window, timedOut.ssthresh], [mss, 70 * mss])
    const again = cubic.onTimeout(timedOut, { now: at(0), flightSize: mss, isRepeated: true })
    assert.deepStrictEqual([again.window, again.ssthresh], [mss, 70 * mss])
    let self: Driven<Cubic.Cubic> = { state: again, now: at(1_000_000) }
    while (self.state.epoch === undefined) self = roundTrip(cubic, self, rtt100)
    assert.strictEqual(self.state.epoch.k, 0)
    assert.closeTo(self.state.epoch.plateau, 70 * mss, 1)
  })

  it("does not count the time in which the program was the limit (rfc: 9438 §4.2 MUST, §5.8)", () => {
    const busy = [afterLoss(1000), afterLoss(1000)].map((self) => {
      for (let i = 0; i < 20; i++) self = roundTrip(cubic, self, rtt100)
      return self
    })
    let limited = busy[0]!
    const before = segments(limited.state)
    for (let i = 0; i < 100; i++) limited = roundTrip(cubic, limited, rtt100, 1, { isAppLimited: true })
    assert.strictEqual(segments(limited.state), before)
    limited = roundTrip(cubic, limited, rtt100)
    assert.closeTo(segments(limited.state), segments(roundTrip(cubic, busy[1]!, rtt100).state), 3)
  })

  it("does not count a pause that is too short to restart, and restarts after a long one (rfc: 5681 §4.1 SHOULD)", () => {
    let self = afterLoss(1000)
    for (let i = 0; i < 5; i++) self = roundTrip(cubic, self, rtt100)
    const rto = Time.millis(300)
    const later = Time.plus(self.now, Time.millis(200))
    const paused = cubic.onIdle(self.state, { now: later, idleFor: Time.millis(200), rto })
    assert.strictEqual(paused.epoch?.since, Time.plus(self.state.epoch!.since, Time.millis(200)))
    const idle = cubic.onIdle(self.state, { now: later, idleFor: Time.seconds(10), rto })
    assert.strictEqual(idle.window, 10 * mss)
    assert.isAtLeast(idle.ssthresh, self.state.window * 0.75)
  })

  it("comes back exactly to what a spurious loss changed, unless it has outgrown it (rfc: 9438 §4.9.2)", () => {
    let before = afterLoss(1000)
    for (let i = 0; i < 5; i++) before = roundTrip(cubic, before, rtt100)
    const lost = cubic.onLoss(before.state, { now: before.now, flightSize: before.state.window })
    const undone = cubic.undo(lost, before.now)
    const fields = ({ window, ssthresh, wMax, prior, epoch }: Cubic.Cubic) => ({ window, ssthresh, wMax, prior, epoch })
    assert.deepStrictEqual(fields(undone), fields(before.state))
    const outgrown = cubic.undo({ ...lost, window: 2000 * mss }, before.now)
    assert.strictEqual(outgrown.window, 2000 * mss)
    assert.strictEqual(outgrown.ssthresh, lost.ssthresh)
    const first = cubic.undo(cubic.onLoss(fresh.state, { now: at(0), flightSize: 10 * mss }), at(0))
    assert.strictEqual(cubic.ssthresh(first), Infinity)
    assert.strictEqual(first.hyStart.phase, "slowStart")
  })

  it("leaves slow start when the round-trip time grows, with its plateau there (rfc: 9438 §4.10 SHOULD)", () => {
    let self = fresh
    let rtt = 100
    let slow = 0
    while (cubic.ssthresh(self.state) === Infinity && slow < 30) {
      self = roundTrip(cubic, self, Time.millis(rtt))
      slow += 1
      // The queue builds up once 160 segments are in flight.
      rtt = segments(self.state) > 160 ? rtt + 15 : 100
    }
    assert.isBelow(segments(self.state), 2000)
    assert.deepStrictEqual([self.state.prior, self.state.wMax], [self.state.ssthresh, 0])
    const left = segments(self.state)
    self = roundTrip(cubic, self, Time.millis(rtt))
    assert.strictEqual(self.state.epoch?.k, 0)
    assert.closeTo(segments(self.state), left + 1, 1)
  })

  it("takes in slow start only what was in flight for reached (RFC 7661)", () => {
    const lost = cubic.onLoss({ ...fresh.state, window: 100 * mss }, { now: at(0), flightSize: 50 * mss })
    assert.strictEqual(lost.ssthresh, 35 * mss)
  })

  it("goes on when the segment size changes", () => {
    const smaller = cubic.onMss(afterLoss(100).state, 500)
    assert.strictEqual(cubic.window(smaller), 35 * mss)
    const grown = cubic.onAck(smaller, ack({ now: at(3_000_000) }))
    assert.isAtLeast(grown.window, smaller.window)
  })
})

/** The mean window in segments when every `between`-th segment is lost (§5's deterministic model). */
const average = (rtt: Time.Span, between: number): number => {
  let self: Driven<Cubic.Cubic> = { state: { ...fresh.state, ssthresh: 20 * mss, window: 20 * mss }, now: at(0) }
  let sinceLoss = 0
  let sum = 0
  let rounds = 0
  for (let losses = 0; losses < 40;) {
    const size = segments(self.state)
    self = roundTrip<Cubic.Cubic>(cubic as Controller.Controller<Cubic.Cubic>, self, rtt)
    if (losses >= 15) {
      sum += size
      rounds += 1
    }
    sinceLoss += size
    if (sinceLoss >= between) {
      sinceLoss -= between
      losses += 1
      self = {
        state: cubic.onLoss(self.state, { now: self.now, flightSize: self.state.window }),
        now: self.now
      }
    }
  }
  return sum / rounds
}
