import { assert, describe, it } from "@effect/vitest"
import { Heap } from "../../src/link/Heap.ts"
import * as Random from "../../src/link/Random.ts"

const drain = <A>(heap: Heap<A>): Array<A> => {
  const all: Array<A> = []
  for (let size = heap.size; size > 0; size--) all.push(heap.take()!)
  return all
}

describe("Heap", () => {
  it("gives what a stable sort gives, whatever the order of putting and taking", () => {
    const random = Random.make(1, 0, 0)
    for (let round = 0; round < 200; round++) {
      const heap = new Heap<readonly [number, number]>()
      const twin: Array<readonly [number, number]> = []
      for (let i = 0; i < 60; i++) {
        if (random.chance(0.3) && twin.length > 0) {
          twin.sort((a, b) => a[0] - b[0])
          assert.strictEqual(heap.earliest, twin[0]![0])
          assert.strictEqual(heap.take(), twin.shift())
        } else {
          const entry = [random.word() % 10, i] as const
          heap.put(entry[0], entry)
          twin.push(entry)
        }
      }
      twin.sort((a, b) => a[0] - b[0])
      assert.deepStrictEqual(drain(heap), twin)
    }
  })

  it("is empty at the end of time", () => {
    const heap = new Heap<string>()
    assert.strictEqual(heap.earliest, Infinity)
    assert.isUndefined(heap.take())
    heap.put(3, "once")
    assert.strictEqual(heap.take(), "once")
    assert.isUndefined(heap.take())
  })
})
