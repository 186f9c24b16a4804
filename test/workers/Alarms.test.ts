import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import type { TimerId } from "../../src/core/Timer.ts"
import * as Alarms from "../../src/workers/Alarms.ts"
import * as EntropySource from "../../src/workers/EntropySource.ts"

/** The obviously right twin: a list in the order of setting, searched from the front. */
class Twin {
  private alarms: Array<{ readonly due: number; readonly timer: TimerId }> = []

  add(timer: TimerId, due: number): boolean {
    const isFirst = this.alarms.every((alarm) => due < alarm.due)
    this.alarms.push({ due, timer })
    return isFirst
  }

  takeDue(now: number, limit: number): Array<{ readonly timer: TimerId; readonly due: number }> {
    const taken = []
    while (taken.length < limit) {
      const next = this.alarms.filter((alarm) => alarm.due <= now).toSorted((a, b) => a.due - b.due)[0]
      if (next === undefined) break
      this.alarms.splice(this.alarms.indexOf(next), 1)
      taken.push(next)
    }
    return taken
  }

  earliest(): number {
    return Math.min(Infinity, ...this.alarms.map((alarm) => alarm.due))
  }
}

const timer = (key: number): TimerId => ({ _tag: "Tcp", key })

describe("Alarms", () => {
  it("rings what is due, the earliest first and equal ones in the order of setting", () => {
    const alarms = Alarms.make()
    alarms.add(timer(1), Time.instantOf(30))
    alarms.add(timer(2), Time.instantOf(10))
    alarms.add(timer(3), Time.instantOf(10))
    alarms.add(timer(4), Time.instantOf(31))
    assert.deepStrictEqual(alarms.takeDue(Time.instantOf(30), 64).map(({ due, timer }) => [timer.key, due]), [
      [2, 10],
      [3, 10],
      [1, 30]
    ])
    assert.strictEqual(alarms.earliest(), 31)
    assert.strictEqual(alarms.size(), 1)
  })

  it("tells when a new alarm rings before all others", () => {
    const alarms = Alarms.make()
    assert.isTrue(alarms.add(timer(1), Time.instantOf(10)))
    assert.isFalse(alarms.add(timer(2), Time.instantOf(10)))
    assert.isFalse(alarms.add(timer(3), Time.instantOf(11)))
    assert.isTrue(alarms.add(timer(4), Time.instantOf(9)))
  })

  it("has none after clear", () => {
    const alarms = Alarms.make()
    alarms.add(timer(1), Time.instantOf(10))
    alarms.clear()
    assert.strictEqual(alarms.earliest(), Time.never)
    assert.deepStrictEqual(alarms.takeDue(Time.instantOf(100), 64), [])
  })

  it("agrees with the slow twin over random histories", () => {
    const bytes = EntropySource.seeded(2)(60_000)
    const alarms = Alarms.make()
    const twin = new Twin()
    let now = 0
    for (let i = 0; i < bytes.length; i += 3) {
      const [action, a, b] = [bytes[i]!, bytes[i + 1]!, bytes[i + 2]!]
      if (action < 170) {
        const due = now + (a & 63)
        assert.strictEqual(alarms.add(timer(i), Time.instantOf(due)), twin.add(timer(i), due))
      } else {
        now += a & 15
        const limit = 1 + (b & 7)
        assert.deepStrictEqual(
          alarms.takeDue(Time.instantOf(now), limit).map(({ due, timer }) => [timer.key, due]),
          twin.takeDue(now, limit).map(({ due, timer }) => [timer.key, due])
        )
      }
      assert.strictEqual(alarms.earliest(), twin.earliest())
    }
  })
})
