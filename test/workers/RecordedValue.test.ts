import { assert, describe, it } from "@effect/vitest"
import * as RecordedValue from "../../src/workers/RecordedValue.ts"

const throughText = (value: unknown): unknown =>
  RecordedValue.decode(JSON.parse(JSON.stringify(RecordedValue.encode(value))))

describe("RecordedValue", () => {
  it("brings back what JSON has and what it lacks", () => {
    const value = {
      text: "a",
      yes: true,
      nothing: null,
      missing: undefined,
      numbers: [1, -1, 0.5, 2 ** 40, Infinity, -Infinity],
      big: 12345678901234567890n,
      bytes: Uint8Array.of(0, 1, 255),
      set: new Set(["tcp4", "tcp6"]),
      map: new Map<unknown, unknown>([[1, { a: undefined }], ["x", [Uint8Array.of(1)]]]),
      $: "a field of that name"
    }
    assert.deepStrictEqual(throughText(value), value)
  })

  it("keeps NaN and the sign of zero", () => {
    assert.isTrue(Object.is(throughText(-0), -0))
    assert.isTrue(Object.is(throughText(0), 0))
    assert.isTrue(Object.is(throughText(Number.NaN), Number.NaN))
  })

  it("stores a range of bytes as what it covers, without the slab that it lies in", () => {
    const slab = { release: () => {} }
    const frame = { bytes: Uint8Array.of(9, 1, 2, 3, 9), start: 1, end: 4, checksum: "none", slab }
    assert.deepStrictEqual(throughText(frame), { bytes: Uint8Array.of(1, 2, 3), start: 0, end: 3, checksum: "none" })
  })

  it("turns what is no data into its text", () => {
    assert.strictEqual(throughText(new Error("broken")), "Error: broken")
  })
})
