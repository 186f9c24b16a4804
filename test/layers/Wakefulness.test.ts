import { assert, describe, it } from "@effect/vitest"
import * as Wakefulness from "../../layers/Wakefulness.ts"

/** A loop whose rounds take a millisecond each and whose clock the test moves. */
const loop = () => {
  let time = 1000
  let next: Array<() => void> = []
  return {
    now: () => time,
    soon: (run: () => void) => {
      next.push(run)
    },
    pass: (millis: number) => {
      time += millis
    },
    /** Runs until the loop would sleep; tells for how many rounds it did not. */
    roundsAwake: (): number => {
      let rounds = 0
      while (next.length > 0) {
        const due = next
        next = []
        for (const run of due) run()
        rounds += 1
        time += 1
      }
      return rounds
    }
  }
}

describe("Wakefulness", () => {
  it("stays awake for its span after the second of two things that came close together", () => {
    const self = loop()
    const { touch } = Wakefulness.make(10, self)
    touch()
    assert.strictEqual(self.roundsAwake(), 0)
    self.pass(9)
    touch()
    assert.strictEqual(self.roundsAwake(), 11)
  })

  it("does not begin where things come with pauses", () => {
    const self = loop()
    const { touch } = Wakefulness.make(10, self)
    for (let i = 0; i < 5; i++) {
      touch()
      assert.strictEqual(self.roundsAwake(), 0)
      self.pass(10)
    }
  })

  it("is prolonged by what comes meanwhile, with one round at a time", () => {
    const self = loop()
    const { touch } = Wakefulness.make(10, self)
    touch()
    touch()
    touch()
    self.pass(8)
    touch()
    assert.strictEqual(self.roundsAwake(), 11)
  })

  it("ends when it is stopped, and is nothing without a span", () => {
    const self = loop()
    const { stop, touch } = Wakefulness.make(10, self)
    touch()
    touch()
    stop()
    assert.strictEqual(self.roundsAwake(), 1)
    touch()
    assert.strictEqual(self.roundsAwake(), 0)
    for (const span of [0, -1, Number.NaN]) assert.strictEqual(Wakefulness.make(span, self), Wakefulness.none)
  })
})
