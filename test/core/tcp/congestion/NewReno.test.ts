import { assert, describe, it } from "@effect/vitest"
import * as Controller from "../../../../src/core/tcp/congestion/Controller.ts"
import * as NewReno from "../../../../src/core/tcp/congestion/NewReno.ts"
import * as Time from "../../../../src/core/Time.ts"
import { ack, mss, recover, roundTrip, start } from "./Acks.ts"

const reno = NewReno.controller
const rtt = Time.millis(100)
const at = Time.instantOf
const fresh = { state: reno.start(start()), now: at(0) }
const segments = (self: NewReno.NewReno): number => reno.window(self) / mss

/** In congestion avoidance with a window of `count` segments. */
const avoiding = (count: number) => ({
  state: { ...fresh.state, window: count * mss, ssthresh: count * mss },
  now: at(0)
})

describe("NewReno", () => {
  it("begins with the window of RFC 6928 §2", () => {
    const table = [[536, 5360], [1000, 10000], [1460, 14600], [1500, 14600], [4000, 14600], [8960, 17920]]
    table.forEach(([size, expected]) => assert.strictEqual(Controller.initialWindow(size!, 10), expected))
    assert.strictEqual(Controller.initialWindow(1460, 2), 2920)
    assert.strictEqual(segments(fresh.state), 10)
    assert.strictEqual(reno.ssthresh(fresh.state), Infinity)
  })

  it("doubles in each round trip of slow start, however many segments an ACK covers (rfc: 5681 §3.1 MUST, 3465 §2.2 SHOULD)", () => {
    for (const perAck of [1, 2, 5]) {
      let self: typeof fresh = fresh
      for (const expected of [20, 40, 80, 160]) {
        self = roundTrip(reno, self, rtt, perAck)
        assert.strictEqual(segments(self.state), expected)
      }
    }
  })

  it("opens by L segments an ACK where L is set (rfc: 3465 §2.3)", () => {
    const limited = reno.start(start({ slowStartLimit: 2 }))
    assert.strictEqual(segments(reno.onAck(limited, ack({ bytesAcked: 2 * mss }))), 12)
    assert.strictEqual(segments(reno.onAck(limited, ack({ bytesAcked: 6 * mss }))), 12)
    assert.strictEqual(segments(reno.onAck(limited, ack({ bytesAcked: 300 }))), 10.3)
  })

  it("is not opened faster by ACKs of parts of segments (rfc: 5681 §3.1 RECOMMENDED)", () => {
    let whole = fresh.state
    let divided = fresh.state
    for (let i = 0; i < 10; i++) whole = reno.onAck(whole, ack())
    for (let i = 0; i < 100; i++) divided = reno.onAck(divided, ack({ bytesAcked: mss / 10 }))
    assert.closeTo(reno.window(divided), reno.window(whole), 1)
    let avoided = avoiding(20).state
    for (let i = 0; i < 200; i++) avoided = reno.onAck(avoided, ack({ bytesAcked: mss / 10 }))
    assert.strictEqual(segments(avoided), 21)
  })

  it("opens by one segment for each round trip of congestion avoidance (rfc: 5681 §3.1 MUST)", () => {
    for (const perAck of [1, 2, 4]) {
      let self = avoiding(20)
      for (let i = 1; i <= 10; i++) {
        self = roundTrip(reno, self, rtt, perAck)
        assert.strictEqual(segments(self.state), 20 + i)
      }
    }
  })

  it("passes from slow start into congestion avoidance within one ACK", () => {
    const near = { ...fresh.state, window: 18 * mss, ssthresh: 20 * mss }
    const passed = reno.onAck(near, ack({ bytesAcked: 8 * mss }))
    assert.strictEqual(passed.window, 20 * mss)
    assert.strictEqual(passed.counted, 6 * mss)
  })

  it("halves what was in flight at a loss, but not below two segments (rfc: 5681 §3.1 MUST equation 4)", () => {
    const lost = reno.onLoss(avoiding(20).state, { now: at(0), flightSize: 16 * mss })
    assert.deepStrictEqual([segments(lost), lost.ssthresh], [8, 8 * mss])
    const least = reno.onLoss(avoiding(20).state, { now: at(0), flightSize: 3 * mss })
    assert.deepStrictEqual([segments(least), least.ssthresh], [2, 2 * mss])
  })

  it("holds the window in fast recovery and comes out with the threshold (rfc: 6582 §3.2 step 3)", () => {
    assert.strictEqual(segments(recover(reno, avoiding(20), rtt).state), 10)
  })

  it("falls to one segment at a timeout and holds the threshold at further ones (rfc: 5681 §3.1 MUST)", () => {
    const first = reno.onTimeout(avoiding(20).state, { now: at(0), flightSize: 20 * mss, isRepeated: false })
    assert.deepStrictEqual([segments(first), first.ssthresh], [1, 10 * mss])
    const second = reno.onTimeout(first, { now: at(0), flightSize: mss, isRepeated: true })
    assert.deepStrictEqual([segments(second), second.ssthresh], [1, 10 * mss])
    assert.deepStrictEqual(reno.undo(second, at(0)).window, 20 * mss)
  })

  it("opens by one segment an ACK after a timeout (rfc: 3465 §2.3 MUST)", () => {
    const timedOut = reno.onTimeout(avoiding(20).state, { now: at(0), flightSize: 20 * mss, isRepeated: false })
    const acked = reno.onAck(timedOut, ack({ bytesAcked: 9 * mss, recovery: "timeout" }))
    assert.strictEqual(segments(acked), 2)
  })

  it("does not open while no more than half of the window is used (RFC 7661 §4.3)", () => {
    assert.strictEqual(segments(reno.onAck(fresh.state, ack({ mostInFlight: 5 * mss }))), 10)
    assert.strictEqual(segments(reno.onAck(fresh.state, ack({ mostInFlight: 6 * mss, isAppLimited: true }))), 11)
    const idle = roundTrip(reno, avoiding(20), rtt, 1, { isAppLimited: true })
    assert.strictEqual(segments(idle.state), 20)
  })

  it("takes a mark for a loss (rfc: 3168 §6.1.2 MUST)", () => {
    assert.strictEqual(segments(reno.onEcn(avoiding(20).state, { now: at(0), flightSize: 20 * mss })), 10)
  })

  it("puts back what a spurious loss changed, once", () => {
    const lost = reno.onLoss(avoiding(20).state, { now: at(0), flightSize: 20 * mss })
    const undone = reno.undo(lost, at(0))
    assert.deepStrictEqual([segments(undone), undone.ssthresh], [20, 20 * mss])
    assert.strictEqual(reno.undo(undone, at(0)), undone)
    assert.strictEqual(
      reno.ssthresh(reno.undo(reno.onLoss(fresh.state, { now: at(0), flightSize: 4 * mss }), at(0))),
      Infinity
    )
  })

  it("restarts from the initial window after a pause longer than the RTO (rfc: 5681 §4.1 SHOULD)", () => {
    const rto = Time.millis(300)
    const short = reno.onIdle(avoiding(40).state, { now: at(0), idleFor: rto, rto })
    assert.strictEqual(segments(short), 40)
    const long = reno.onIdle(avoiding(40).state, { now: at(0), idleFor: Time.seconds(1), rto })
    assert.deepStrictEqual([segments(long), long.ssthresh], [10, 40 * mss])
    const small = { ...avoiding(4).state }
    assert.strictEqual(reno.onIdle(small, { now: at(0), idleFor: Time.seconds(1), rto }), small)
  })

  it("restarts from less after a loss in the initial window (rfc: 6928 §2 SHOULD)", () => {
    const lost = reno.onLoss(fresh.state, { now: at(0), flightSize: 10 * mss })
    assert.strictEqual(lost.restartWindow, Controller.conservativeWindow(mss))
    assert.deepStrictEqual([536, 1460, 4000].map(Controller.conservativeWindow), [4 * 536, 3 * 1460, 2 * 4000])
  })

  it("keeps the number of segments when they shrink, and the bytes when they grow (rfc: 5681 §3.1 SHOULD)", () => {
    assert.strictEqual(reno.window(reno.onMss(avoiding(20).state, 500)), 10 * mss)
    assert.strictEqual(reno.window(reno.onMss(avoiding(20).state, 1400)), 20 * mss)
    assert.strictEqual(reno.window(reno.onMss({ ...fresh.state, window: mss }, 1400)), 1400)
  })

  it("paces at twice the window in slow start and a fifth more than it afterwards", () => {
    assert.isUndefined(reno.pacingRate(fresh.state))
    const slow = reno.onAck(fresh.state, ack())
    assert.strictEqual(reno.pacingRate(slow), 11 * mss * 2 * 10)
    const avoided = reno.onAck(avoiding(20).state, ack())
    assert.strictEqual(reno.pacingRate(avoided), 20 * mss * 1.2 * 10)
  })
})
