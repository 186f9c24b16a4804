import { assert, describe, it } from "@effect/vitest"
import * as Prr from "../../../../src/core/tcp/Prr.ts"
import * as Seeded from "../../Seeded.ts"

const mss = 1000

/**
 * The examples of RFC 6937 §3.1: 20 segments in flight of which the first `lost` are lost, and a target of 10. Two ACKs let out new
 * segments by limited transmit, the third begins the recovery. Answers, in segments, what each ACK lets out and the pipe that it finds.
 */
const example = (
  lost: number,
  isProgress: boolean
): { readonly sent: Array<number>; readonly pipes: Array<number> } => {
  const sent: Array<number> = []
  const pipes: Array<number> = []
  let pipe = 20
  let prr = Prr.enter(10 * mss, 20 * mss)
  for (let nth = 1; nth <= 20 - lost; nth++) {
    // The third ACK shows what is lost.
    pipe -= nth === 3 ? 1 + lost : 1
    pipes.push(pipe)
    let count = 1
    if (nth >= 3) {
      const told = Prr.onAck(prr, { delivered: mss, pipe: pipe * mss, mss, isProgress })
      count = Math.floor(told.sndCnt / mss)
      prr = Prr.onSent(told.prr, count * mss)
    }
    pipe += count
    sent.push(count)
  }
  return { sent, pipes }
}

describe("Prr", () => {
  it("spreads the reduction after one loss over the round trip (RFC 6937 §3.1, first example)", () => {
    for (const isProgress of [true, false]) {
      const { pipes, sent } = example(1, isProgress)
      // The example's own row of pipes counts 18 once too often, so its last turns come later than its formula gives them.
      assert.deepStrictEqual(sent, [1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0])
      assert.strictEqual(pipes.at(-1)! + sent.at(-1)!, 10)
    }
  })

  it("answers a burst of losses with what arrived, and a segment more while that works (RFC 6937 §3.1, second example)", () => {
    const conservative = example(15, false)
    assert.deepStrictEqual([conservative.sent, conservative.pipes], [[1, 1, 1, 1, 1], [19, 19, 4, 4, 4]])
    const slowStart = example(15, true)
    assert.deepStrictEqual([slowStart.sent, slowStart.pipes], [[1, 1, 2, 2, 2], [19, 19, 4, 5, 6]])
  })

  it("lets out whole bytes, whatever fraction of one a controller's threshold ends with", () => {
    const prr = Prr.onSent(Prr.enter(257.7, 520), 52)
    assert.strictEqual(Prr.onAck(prr, { delivered: 104, pipe: 156, mss: 52, isProgress: true }).sndCnt, 101)
  })

  it("lets the fast retransmission out whatever the sums say", () => {
    const told = Prr.onAck(Prr.enter(10 * mss, 20 * mss), { delivered: 0, pipe: 19 * mss, mss, isProgress: false })
    assert.strictEqual(told.sndCnt, mss)
    const later = Prr.onAck(Prr.onSent(told.prr, mss), { delivered: 0, pipe: 19 * mss, mss, isProgress: false })
    assert.strictEqual(later.sndCnt, 0)
  })

  it("catches up after the program made it miss its turns, no more than a segment ahead (RFC 6937 §4)", () => {
    let prr = Prr.enter(10 * mss, 20 * mss)
    for (let i = 0; i < 8; i++) {
      prr = Prr.onAck(prr, { delivered: mss, pipe: (19 - i) * mss, mss, isProgress: true }).prr
    }
    const told = Prr.onAck(prr, { delivered: mss, pipe: 11 * mss, mss, isProgress: true })
    assert.strictEqual(told.sndCnt, 5 * mss)
  })

  it("never lets out more than the target in all, nor a burst at once, whatever is lost and whoever stops", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = Seeded.make(seed)
      const flight = (4 + random.below(60)) * mss
      const target = Math.floor(flight * random.pick([0.5, 0.7]))
      let prr = Prr.enter(target, flight)
      let pipe = flight
      let left = flight
      while (left > 0) {
        const delivered = Math.min(left, mss * (1 + random.below(3)))
        left -= delivered
        const lost = random.chance(0.2) ? Math.min(left, mss * random.below(4)) : 0
        left -= lost
        pipe = Math.max(0, pipe - delivered - lost)
        const isFirst = prr.out === 0
        const told = Prr.onAck(prr, { delivered, pipe, mss, isProgress: lost === 0 && random.chance(0.5) })
        assert.isAtLeast(told.sndCnt, isFirst ? mss : Math.min(0, told.sndCnt))
        if (pipe <= target && !isFirst) assert.isAtMost(pipe + told.sndCnt, target)
        assert.isAtMost(told.sndCnt, Math.max(mss, told.prr.delivered - prr.out + mss))
        const used = random.chance(0.9) ? Math.max(0, told.sndCnt) : 0
        prr = Prr.onSent(told.prr, used)
        pipe += used
      }
    }
  })
})
