import { assert, describe, it } from "@effect/vitest"
import * as Blocks from "../../../src/core/data/Blocks.ts"

describe("Blocks", () => {
  it("gives a block again that came back, of the size that is asked for", () => {
    const blocks = Blocks.make()
    for (const size of [512, 4096, 16_384, 65_536] as const) {
      const block = blocks.take(size)
      assert.isAtLeast(block.length, size)
      assert.notStrictEqual(blocks.take(size), block)
      blocks.give(block)
      assert.strictEqual(blocks.take(size), block)
    }
  })

  it("keeps 64 of each size and nothing that is no block", () => {
    const blocks = Blocks.make()
    const taken = Array.from({ length: 70 }, () => blocks.take(512))
    for (const block of taken) blocks.give(block)
    const again = new Set(Array.from({ length: 70 }, () => blocks.take(512)))
    assert.strictEqual(taken.filter((block) => again.has(block)).length, 64)
    const foreign = new Uint8Array(1000)
    blocks.give(foreign)
    for (const size of [512, 4096, 16_384, 65_536] as const) assert.notStrictEqual(blocks.take(size), foreign)
  })

  it("are of a size that is filled, but for the small ones", () => {
    for (const count of [512, 513, 4096, 16_383, 16_384, 65_535, 65_536]) {
      const size = Blocks.sizeFor(count)
      assert.isTrue(size <= Math.max(4096, count), `${size} for ${count}`)
    }
  })
})
