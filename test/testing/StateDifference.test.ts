import { assert, describe, it } from "@effect/vitest"
import * as StateDifference from "../../src/testing/StateDifference.ts"
import * as Address from "../../src/wire/Address.ts"

const lines = (before: Record<string, unknown>, after: Record<string, unknown>) =>
  StateDifference.between(before, after).map(StateDifference.render)

describe("The difference of two states", () => {
  it("is told part by part, and what is the same is not told", () => {
    const same = { deep: { x: 1 } }
    assert.deepStrictEqual(
      lines({ same, count: 1, entries: new Map([[3, { a: 1, b: 2 }], [4, { a: 1, b: 0 }]]), list: [1, 2] }, {
        same,
        count: 2,
        entries: new Map([[3, { a: 1, b: 5 }], [5, { a: 9, b: 0 }]]),
        list: [1, 3]
      }),
      [
        "count: 1 → 2",
        "entries[3].b: 2 → 5",
        "entries[4]: { a: 1, b: 0 } → absent",
        "entries[5]: absent → { a: 9, b: 0 }",
        "list[1]: 2 → 3"
      ]
    )
    assert.deepStrictEqual(
      lines({ list: [1, 2], map: new Map([[1, [1]]]) }, { list: [1, 2], map: new Map([[1, [1]]]) }),
      []
    )
  })

  it("shows a record that became another as a whole", () => {
    assert.deepStrictEqual(lines({ entry: { _tag: "HalfOpen", id: 1 } }, { entry: { _tag: "Connection", id: 1 } }), [
      "entry: HalfOpen { id: 1 } → Connection { id: 1 }"
    ])
  })

  it("shows addresses, link-layer addresses and sequence numbers as people write them", () => {
    const before = { local: Address.v4(10, 0, 0, 1), mac: 0x0200_0000_0101, nxt: -1, peer: Address.loopbackV6 }
    const after = { local: Address.v4(192, 168, 0, 1), mac: 0x0200_0000_0102, nxt: 3, peer: undefined }
    assert.deepStrictEqual(lines(before, after), [
      "local: 10.0.0.1 → 192.168.0.1",
      "mac: 02:00:00:00:01:01 → 02:00:00:00:01:02",
      "nxt: 4294967295 → 3",
      "peer: ::1 → absent"
    ])
  })

  it("leaves out what a line has no room for", () => {
    const wide = Object.fromEntries("abcdefgh".split("").map((name) => [name, 1]))
    assert.strictEqual(StateDifference.textOf(wide), "{ a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, … }")
    assert.strictEqual(StateDifference.textOf([..."123456789"]), "9 items")
    assert.strictEqual(StateDifference.textOf(new Uint8Array(12)), "12 bytes")
    assert.strictEqual(StateDifference.textOf({ a: { b: 1 }, c: { _tag: "Open", d: 1 } }), "{ a: {…}, c: Open }")
  })
})
