import { assert, describe, it } from "@effect/vitest"
import * as Bbr from "../../../../src/core/tcp/congestion/Bbr.ts"
import * as Model from "../../../../src/core/tcp/congestion/bbr/Model.ts"
import type * as State from "../../../../src/core/tcp/congestion/bbr/State.ts"
import type * as Controller from "../../../../src/core/tcp/congestion/Controller.ts"
import * as Cubic from "../../../../src/core/tcp/congestion/Cubic.ts"
import * as NewReno from "../../../../src/core/tcp/congestion/NewReno.ts"
import * as Time from "../../../../src/core/Time.ts"
import { mss, start } from "./Acks.ts"
import { type Params, Path } from "./Path.ts"

/** One megabyte a second and 50 ms: 50 segments fill the path. */
const params: Params = { rate: 1_000_000, rtt: Time.millis(50), queue: 50 * mss, loss: 0, seed: 3 }
const bdp = 50 * mss

const bbr = (given: Partial<Params> = {}): Path<State.Bbr> => new Path(Bbr.controller, { ...params, ...given })

const transfer = <S>(controller: Controller.Controller<S>, seconds: number, given: Partial<Params> = {}): Path<S> => {
  const path = new Path(controller, { ...params, ...given })
  path.run(seconds)
  return path
}

const total = (path: Path<any>, from: number, to: number, of: "delay" | "losses"): number =>
  path.seconds.slice(from, to).reduce((sum, second) => sum + second[of], 0)

describe("Bbr", () => {
  it("fills the path without filling its queue", () => {
    const path = transfer(Bbr.controller, 20, { queue: 500 * mss })
    assert.isAbove(path.goodput(0, 3), 0.9 * params.rate)
    assert.isAbove(path.goodput(5, 20), 0.95 * params.rate)
    assert.strictEqual(total(path, 3, 20, "losses"), 0)
    const loss = transfer(Cubic.controller, 20, { queue: 500 * mss })
    assert.isBelow(total(path, 5, 20, "delay"), 0.1 * total(loss, 5, 20, "delay"))
  })

  it("finds the path's rate and round-trip time", () => {
    const { state } = transfer(Bbr.controller, 20)
    assert.closeTo(state.maxBw.value, params.rate, 0.05 * params.rate)
    assert.closeTo(state.minRtt, params.rtt, Time.millis(2))
  })

  it("goes through its phases in their order", () => {
    const path = bbr()
    const phases: Array<State.Phase> = ["Startup"]
    for (let at = 0.0005; at < 4.9; at += 0.0005) {
      path.run(at)
      if (path.state.phase !== phases.at(-1)) phases.push(path.state.phase)
    }
    // Draining leaves nothing for the first Down to do: the same ACK begins and ends it.
    assert.deepStrictEqual(phases.slice(0, 7), ["Startup", "Drain", "Cruise", "Refill", "Up", "Down", "Cruise"])
  })

  it("empties the path every five seconds, to see how long an empty one takes", () => {
    const path = transfer(Bbr.controller, 22)
    const dips = path.seconds.flatMap((second, i) => i > 1 && second.leastInFlight <= 0.55 * bdp ? [i] : [])
    assert.isAtLeast(dips.length, 3)
    assert.isAtMost(dips.length, 5)
    dips.slice(1).forEach((at, i) => assert.isAtLeast(at - dips[i]!, 4))
  })

  it("does not mistake a few random losses for a full path", () => {
    const given = { loss: 0.01, queue: 500 * mss }
    assert.isAbove(transfer(Bbr.controller, 20, given).goodput(3, 20), 0.6 * params.rate)
    assert.isBelow(transfer(NewReno.controller, 20, given).goodput(3, 20), 0.35 * params.rate)
  })

  it("loses no more than a few of a hundred on a path with a short queue", () => {
    const path = transfer(Bbr.controller, 20, { queue: 10 * mss })
    assert.isAbove(path.goodput(5, 20), 0.85 * params.rate)
    assert.isBelow(total(path, 3, 20, "losses") * mss, 0.02 * 17 * params.rate)
  })

  it("follows a path that becomes slower, and one that becomes faster", () => {
    const slower = transfer(Bbr.controller, 25, { change: { at: 8, rate: 300_000 } })
    assert.isAbove(slower.goodput(12, 25), 0.9 * 300_000)
    assert.isBelow(total(slower, 18, 25, "delay") / 7, 150)
    const faster = transfer(Bbr.controller, 25, { change: { at: 8, rate: 3_000_000 } })
    assert.isAbove(faster.goodput(18, 25), 0.85 * 3_000_000)
  })

  it("goes on at its rate after a pause", () => {
    const path = transfer(Bbr.controller, 14, { idle: { from: 6, to: 9 } })
    assert.isAbove(path.goodput(10, 14), 0.9 * params.rate)
  })

  it("sends one segment after a timeout and is back in a few round trips", () => {
    const path = transfer(Bbr.controller, 4)
    const before = path.state.window
    path.state = Bbr.controller.onTimeout(path.state, {
      now: Time.instantOf(path.now),
      flightSize: bdp,
      isRepeated: false
    })
    assert.strictEqual(Bbr.controller.window(path.state), mss)
    path.run(4.9)
    assert.isAbove(path.state.window, 0.8 * before)
  })

  it("takes back what a spurious loss made it believe", () => {
    const now = Time.instantOf(5_000_000)
    const path = transfer(Bbr.controller, 4)
    const lost = Bbr.controller.onLoss(path.state, { now, flightSize: bdp })
    const doubting = { ...lost, bwShortTerm: 1000, inflightShortTerm: 4 * mss, window: 4 * mss }
    const undone = Bbr.controller.undo(doubting, now)
    assert.deepStrictEqual(
      [undone.bwShortTerm, undone.inflightShortTerm, undone.window],
      [path.state.bwShortTerm, path.state.inflightShortTerm, path.state.window]
    )
    assert.strictEqual(Bbr.controller.undo(undone, now), undone)
  })

  it("finds how much was in flight when the losses became too many", () => {
    const stamp = {
      sentAt: Time.instantOf(0),
      delivered: 0,
      deliveredAt: Time.instantOf(0),
      firstSentAt: Time.instantOf(0),
      inFlight: 100 * mss,
      lost: 5 * mss,
      isAppLimited: false
    }
    // 99 segments before this one, of which one was lost: 0.98 more make two of a hundred.
    const at = Model.inflightAtLoss({ now: Time.instantOf(0), bytes: mss, stamp, totalLost: 7 * mss })
    assert.closeTo(at, 99 * mss + 0.98 * mss / 0.98, 1)
    assert.isTrue(Model.isTooHigh(2 * mss + 1, 100 * mss))
    assert.isFalse(Model.isTooHigh(2 * mss, 100 * mss))
  })

  it("paces before it knows anything, and needs to", () => {
    const fresh = Bbr.controller.start(start())
    assert.isAbove(Bbr.controller.pacingRate(fresh)!, 10 * mss * 1000)
    assert.isTrue(Bbr.controller.needsPacing)
  })
})
