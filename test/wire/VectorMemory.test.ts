import { assert, describe, it } from "@effect/vitest"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as VectorMemory from "../../src/wire/VectorMemory.ts"

const fill = (bytes: Uint8Array, octet: (at: number) => number): Uint8Array => {
  for (let i = 0; i < bytes.length; i++) bytes[i] = octet(i)
  return bytes
}

const scattered = (at: number): number => Math.imul(at + 1, 0x9e37_79b1) >>> 24

describe("Memory that vector instructions add up", () => {
  it("is all zero, and known by any view of it", () => {
    const bytes = VectorMemory.make(100_000)
    assert.strictEqual(bytes.length, 100_000)
    assert.isTrue(bytes.every((octet) => octet === 0))
    assert.isDefined(VectorMemory.adderOf(bytes.subarray(5, 90)))
    assert.isUndefined(VectorMemory.adderOf(new Uint8Array(4096)))
  })

  it("has the checksum that any other memory has, wherever a range begins and however long it is (RFC 1071)", () => {
    const usual = fill(new Uint8Array(4096), scattered)
    const bytes = fill(VectorMemory.make(4096), scattered)
    const view = bytes.subarray(3)
    for (let start = 0; start < 36; start++) {
      for (const length of [126, 127, 128, 129, 159, 160, 161, 1459, 1460, 1480, 3001]) {
        const expected = Checksum.sum(usual, start + 3, start + 3 + length, 0x1234)
        assert.strictEqual(Checksum.sum(view, start, start + length, 0x1234), expected, `${start} + ${length}`)
        assert.strictEqual(
          Checksum.sumOdd(view, start, start + length, 7),
          Checksum.sumOdd(usual, start + 3, start + 3 + length, 7)
        )
      }
    }
  })

  it("overflows no sum, though every octet is the largest", () => {
    const usual = fill(new Uint8Array(300_001), () => 0xff)
    const bytes = fill(VectorMemory.make(300_001), () => 0xff)
    for (const length of [65_535, 65_536, 65_568, 131_072, 300_001]) {
      assert.strictEqual(Checksum.sum(bytes, 0, length, 0), Checksum.sum(usual, 0, length, 0), `${length}`)
    }
    const scatteredBytes = fill(VectorMemory.make(300_001), scattered)
    assert.strictEqual(Checksum.sum(scatteredBytes, 1, 300_001, 0), Checksum.sum(fill(usual, scattered), 1, 300_001, 0))
  })
})
