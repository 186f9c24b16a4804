import { assert, describe, it } from "@effect/vitest"
import * as Sequence from "../../src/wire/Sequence.ts"
import { random } from "./laws.ts"

const top = 0x7fff_ffff
const bottom = -0x8000_0000

describe("Sequence", () => {
  it("goes around the ring (RFC 9293 §3.4)", () => {
    assert.strictEqual(Sequence.add(-1, 1), 0)
    assert.strictEqual(Sequence.add(top, 1), bottom)
    assert.strictEqual(Sequence.distance(top, bottom), 1)
    assert.strictEqual(Sequence.distance(bottom, top), -1)
  })

  it("orders neighbours across both seams", () => {
    for (const [a, b] of [[-1, 0], [top, bottom], [0, 1], [-5, 1_000_000]] as const) {
      assert.deepStrictEqual([Sequence.before(a, b), Sequence.after(a, b)], [true, false])
      assert.deepStrictEqual([Sequence.before(b, a), Sequence.after(b, a)], [false, true])
      assert.deepStrictEqual([Sequence.beforeOrEqual(a, b), Sequence.afterOrEqual(a, b)], [true, false])
      assert.deepStrictEqual([Sequence.beforeOrEqual(b, a), Sequence.afterOrEqual(b, a)], [false, true])
      assert.deepStrictEqual([Sequence.earlier(a, b), Sequence.later(a, b)], [a, b])
      assert.deepStrictEqual([Sequence.earlier(b, a), Sequence.later(b, a)], [a, b])
    }
  })

  it("is the order of distances within half the ring", () => {
    const source = random(1)
    for (let i = 0; i < 1000; i++) {
      const a = source.int32()
      const d = source.int(0x8000_0000)
      const b = Sequence.add(a, d)
      assert.strictEqual(Sequence.distance(a, b), d)
      assert.strictEqual(Sequence.before(a, b), d > 0)
      assert.strictEqual(Sequence.beforeOrEqual(a, b), true)
      assert.strictEqual(Sequence.after(b, a), d > 0)
      assert.strictEqual(Sequence.afterOrEqual(b, a), true)
      assert.strictEqual(Sequence.before(b, a), false)
    }
  })

  it("tells what lies in a window, also one across the seam", () => {
    assert.isTrue(Sequence.between(top, top, bottom))
    assert.isFalse(Sequence.between(top, bottom, bottom))
    assert.isTrue(Sequence.between(-10, 5, 10))
    assert.isFalse(Sequence.between(-10, 10, 10))
    assert.isFalse(Sequence.between(-10, -11, 10))
    assert.isFalse(Sequence.between(7, 7, 7))
  })
})
