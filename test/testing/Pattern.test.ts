import { assert, describe, it } from "@effect/vitest"
import * as Pattern from "../../src/testing/Pattern.ts"
import * as Piece from "../../src/wire/Piece.ts"

const copy = ({ bytes, end, start }: Piece.Piece): Uint8Array => bytes.slice(start, end)

describe("Pattern", () => {
  it("is one stream, however it is cut into ranges", () => {
    const whole = Pattern.bytes(200_000)
    for (let at = 0, length = 1; at + length < whole.length; at += length, length += 997) {
      const range = Pattern.range(at, length)
      assert.deepStrictEqual(copy(range), whole.slice(at, at + range.end - range.start))
      assert.strictEqual(Pattern.mismatch(range, at), -1)
    }
    assert.deepStrictEqual(Pattern.bytes(70_000, 65_000), whole.slice(65_000, 135_000))
  })

  it("tells where bytes differ, at any alignment", () => {
    const all = Pattern.bytes(140_000)
    for (const wrong of [0, 1, 2, 3, 4, 65_519, 65_520, 65_521, 65_522, 139_998, 139_999]) {
      const damaged = all.slice()
      damaged[wrong] = damaged[wrong]! ^ 0x80
      assert.strictEqual(Pattern.mismatch({ bytes: damaged, start: 0, end: damaged.length }, 0), wrong)
    }
    assert.strictEqual(Pattern.mismatch({ bytes: all, start: 3, end: all.length }, 3), -1)
  })

  it("looks like no shift of itself by a segment or a power of two", () => {
    const all = Pattern.bytes(140_000)
    for (const shift of [1, 536, 1448, 1460, 4096, 32_768, 65_536]) {
      const found = Pattern.mismatch({ bytes: all, start: shift, end: shift + 1024 }, 0)
      assert.isTrue(found >= 0 && found < 16, `${shift}`)
    }
  })
})
