import { assert, describe, it } from "@effect/vitest"
import * as Fifo from "../../../src/core/data/Fifo.ts"
import * as Seeded from "../Seeded.ts"

describe("Fifo", () => {
  it("is what an array is, under any sequence of actions", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = Seeded.make(seed)
      let fifo = Fifo.empty<number>()
      let twin: ReadonlyArray<number> = []
      for (let i = 0; i < 400; i++) {
        const action = random.below(10)
        if (action < 5) {
          fifo = Fifo.push(fifo, i)
          twin = twin.concat(i)
        } else if (action < 7) {
          fifo = Fifo.shift(fifo)
          twin = twin.slice(1)
        } else if (action < 8) {
          const count = random.below(20)
          fifo = Fifo.drop(fifo, count)
          twin = twin.slice(count)
        } else if (action < 9) {
          fifo = Fifo.unshift(fifo, [-i, -i - 1])
          twin = [-i, -i - 1].concat(twin)
        } else {
          const divisor = 2 + random.below(5)
          fifo = Fifo.filter(fifo, (item) => item % divisor !== 0)
          twin = twin.filter((item) => item % divisor !== 0)
        }
        assert.deepStrictEqual(Fifo.toArray(fifo), twin)
        assert.strictEqual(Fifo.size(fifo), twin.length)
        assert.strictEqual(Fifo.isEmpty(fifo), twin.length === 0)
        assert.strictEqual(Fifo.head(fifo), twin[0])
        assert.strictEqual(Fifo.get(fifo, twin.length - 1), twin[twin.length - 1])
        assert.strictEqual(Fifo.get(fifo, twin.length), undefined)
      }
    }
  })

  it("leaves every version as it was, whichever is pushed to", () => {
    const base = Fifo.fromArray([1, 2])
    const left = Fifo.push(base, 3)
    const right = Fifo.push(base, 4)
    const further = Fifo.push(left, 5)
    assert.deepStrictEqual(Fifo.toArray(base), [1, 2])
    assert.deepStrictEqual(Fifo.toArray(left), [1, 2, 3])
    assert.deepStrictEqual(Fifo.toArray(right), [1, 2, 4])
    assert.deepStrictEqual(Fifo.toArray(further), [1, 2, 3, 5])
  })

  it("lets go of what was shifted out", () => {
    let fifo = Fifo.fromArray(Array.from({ length: 100 }, (_, i) => i))
    for (let i = 0; i < 60; i++) fifo = Fifo.shift(fifo)
    assert.isAtMost(fifo.items.length, 80)
    for (let i = 0; i < 40; i++) fifo = Fifo.shift(fifo)
    assert.strictEqual(fifo.items.length, 0)
  })
})
