import { assert, describe, it } from "@effect/vitest"
import { Loss, type Settings } from "../../src/link/Loss.ts"
import * as Random from "../../src/link/Random.ts"
import * as Collector from "./Collector.ts"

const random = () => ({ loss: Random.make(1, 2, 3), bursts: Random.make(4, 5, 6) })

const milli = 1e6

/** The numbers of those frames that are lost, one of 100 octets each millisecond from 0 on. */
const lost = (loss: Loss, count: number): ReadonlyArray<number> =>
  Collector.range(count).filter((i) => loss.isLost(Collector.frame(i, 100), i * milli)).map((i) => i + 1)

const of = (settings: Settings): Loss => new Loss(settings, random())

describe("Loss", () => {
  it("is none when nothing is set", () => {
    assert.isTrue(of({}).isNone)
    assert.isTrue(of({ loss: 0 }).isNone)
    const some: ReadonlyArray<Settings> = [
      { loss: 0.1 },
      { bursts: { enter: 0.1, leave: 0.1 } },
      { lostFrames: [1] },
      { outage: { every: 10, length: 1 } },
      { largestFrame: 100 },
      { lose: () => true }
    ]
    for (const settings of some) assert.isFalse(of(settings).isNone, JSON.stringify(settings))
  })

  it("loses frames by their numbers", () => {
    assert.deepStrictEqual(lost(of({ lostFrames: [2, 3, 7] }), 10), [2, 3, 7])
  })

  it("loses all for a while, again and again", () => {
    assert.deepStrictEqual(lost(of({ outage: { every: "10 millis", length: "2 millis" } }), 25), [9, 10, 19, 20])
  })

  it("loses frames that are too long", () => {
    const loss = of({ largestFrame: 100 })
    assert.isFalse(loss.isLost(Collector.frame(1, 100), 0))
    assert.isTrue(loss.isLost(Collector.frame(1, 101), 0))
  })

  it("loses what a test chooses, which sees the frame and its number", () => {
    const chosen = of({ lose: (frame, number) => number === 5 || frame[3] === 1 })
    assert.deepStrictEqual(lost(chosen, 6), [2, 5])
  })

  it("loses in bursts as long as was asked for (Gilbert and Elliott)", () => {
    const numbers = lost(of({ bursts: { enter: 0.01, leave: 0.25 } }), 100_000)
    const bursts = numbers.filter((number, i) => numbers[i - 1] !== number - 1).length
    assert.closeTo(numbers.length / 100_000, 0.01 / 0.26, 0.005)
    assert.closeTo(numbers.length / bursts, 4, 0.3)
  })

  it("loses the same at random whatever else is lost", () => {
    const alone = lost(of({ loss: 0.1 }), 500)
    const both = lost(of({ loss: 0.1, lostFrames: [1, 2, 3, 4, 5], bursts: { enter: 0.05, leave: 0.5 } }), 500)
    assert.isAbove(alone.length, 30)
    assert.isAbove(both.length, alone.length)
    assert.deepStrictEqual(alone.filter((number) => !both.includes(number)), [])
  })

  it("goes on with its chances under other settings, and counts anew", () => {
    const loss = of({ lostFrames: [1] })
    assert.deepStrictEqual(lost(loss, 3), [1])
    assert.deepStrictEqual(lost(loss.with({ lostFrames: [2] }), 3), [2])
    const whole = of({ loss: 0.2 })
    const [first, second] = [lost(whole, 50), lost(whole, 50)]
    const again = of({ loss: 0.2 })
    assert.deepStrictEqual(lost(again, 50), first)
    assert.deepStrictEqual(lost(again.with({ loss: 0.2 }), 50), second)
  })
})
