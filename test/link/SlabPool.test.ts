import { assert, describe, it } from "@effect/vitest"
import * as SlabPool from "../../src/link/SlabPool.ts"
import type * as Frame from "../../src/wire/Frame.ts"
import * as Collector from "./Collector.ts"

describe("SlabPool", () => {
  it("keeps the bytes of every frame until it is released", () => {
    const pool = SlabPool.make({ slabBytes: 1024, slabs: 4 })
    const held: Array<Frame.Frame> = []
    for (let i = 0; i < 5000; i++) {
      const copied = SlabPool.copy(pool, Collector.frame(i, 40 + (i % 100)))
      assert.isDefined(copied)
      held.push(copied)
      if (held.length === 20) {
        const base = i - 19
        held.forEach((frame, at) => assert.strictEqual(Collector.tag(frame), base + at))
        SlabPool.release(held.splice(0))
      }
    }
    assert.isAtMost(pool.allocated(), 4)
    assert.strictEqual(pool.held(), 0)
  })

  it("allocates no more than its bound and gives room again only when a whole slab came back", () => {
    let rooms = 0
    const pool = SlabPool.make({ slabBytes: 128, slabs: 2, onRoom: () => rooms += 1 })
    const taken = Collector.range(4).map((i) => SlabPool.copy(pool, Collector.frame(i, 64)))
    assert.isUndefined(SlabPool.copy(pool, Collector.frame(9, 64)))
    assert.strictEqual(pool.allocated(), 2)
    taken[0]!.slab!.release()
    assert.isUndefined(SlabPool.copy(pool, Collector.frame(9, 64)))
    assert.strictEqual(rooms, 0)
    taken[1]!.slab!.release()
    assert.strictEqual(rooms, 1)
    assert.isDefined(SlabPool.copy(pool, Collector.frame(9, 64)))
    assert.strictEqual(Collector.tag(taken[2]!), 2)
    assert.strictEqual(pool.allocated(), 2)
  })

  it("goes on in one slab while its frames are released in time", () => {
    const pool = SlabPool.make({ slabBytes: 4096, slabs: 8 })
    for (let i = 0; i < 1000; i++) SlabPool.copy(pool, Collector.frame(i))!.slab!.release()
    assert.strictEqual(pool.allocated(), 1)
  })

  it("refuses a frame longer than a slab without giving up the slab in use", () => {
    const pool = SlabPool.make({ slabBytes: 128, slabs: 1 })
    const first = SlabPool.copy(pool, Collector.frame(1, 64))!
    assert.isUndefined(SlabPool.copy(pool, Collector.frame(2, 129)))
    assert.isDefined(SlabPool.copy(pool, Collector.frame(3, 64)))
    assert.strictEqual(Collector.tag(first), 1)
  })

  it("lets frames be kept while half of the slabs are free, and written to where there is room before them", () => {
    const pool = SlabPool.make({ slabBytes: 128, slabs: 4, headroom: 10 })
    const [one, two, three] = Collector.range(3).map((i) => SlabPool.copy(pool, Collector.frame(i, 100), 10)!.slab!)
    assert.isFalse(one!.mayKeep!())
    three!.release()
    two!.release()
    assert.isTrue(one!.mayKeep!())
    one!.keep!()
    one!.release()
    assert.strictEqual(pool.held(), 1)
    one!.release()
    assert.strictEqual(pool.held(), 0)
    assert.isUndefined(SlabPool.make({ slabBytes: 128, slabs: 4 }).reserve(1)!.headroom)
  })

  it("survives a frame released twice", () => {
    const pool = SlabPool.make({ slabBytes: 128, slabs: 1 })
    const first = SlabPool.copy(pool, Collector.frame(1, 64))!
    first.slab!.release()
    first.slab!.release()
    const second = SlabPool.copy(pool, Collector.frame(2, 64))!
    assert.strictEqual(pool.held(), 1)
    assert.strictEqual(Collector.tag(second), 2)
  })
})
