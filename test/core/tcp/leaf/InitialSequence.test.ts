import { assert, describe, it } from "@effect/vitest"
import * as SipHash from "../../../../src/core/data/SipHash.ts"
import type { FourTuple } from "../../../../src/core/tcp/FourTuple.ts"
import * as InitialSequence from "../../../../src/core/tcp/InitialSequence.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as Address from "../../../../src/wire/Address.ts"

const key = SipHash.keyFrom(Uint8Array.from({ length: 16 }, (_, i) => i * 11))
const otherKey = SipHash.keyFrom(Uint8Array.from({ length: 16 }, (_, i) => i * 13))
const v4: FourTuple = {
  local: Address.v4(10, 0, 0, 1),
  localPort: 40000,
  remote: Address.v4(10, 0, 0, 2),
  remotePort: 80
}
const v6: FourTuple = { ...v4, local: Address.v6(0x20010db8, 0, 0, 1), remote: Address.v6(0x20010db8, 0, 0, 2) }

/** Each differs from the first in one of its parts. */
const neighbours: ReadonlyArray<FourTuple> = [
  v4,
  { ...v4, localPort: 40001 },
  { ...v4, remotePort: 81 },
  { ...v4, local: Address.v4(10, 0, 0, 3) },
  { ...v4, remote: Address.v4(10, 0, 0, 3) },
  { ...v4, local: v4.remote, remote: v4.local },
  { ...v4, localPort: 80, remotePort: 40000 },
  v6,
  { ...v6, remote: Address.v6(0x20010db8, 0, 1, 2) }
]

describe("InitialSequence", () => {
  it("counts every four microseconds for one tuple (rfc: 9293 §3.4.1 MUST-8, 6528 §3 SHOULD)", () => {
    const first = InitialSequence.generate(key, Time.instantOf(1_000_000), v4)
    assert.strictEqual((InitialSequence.generate(key, Time.instantOf(1_000_003), v4) - first) | 0, 0)
    assert.strictEqual((InitialSequence.generate(key, Time.instantOf(1_000_004), v4) - first) | 0, 1)
    assert.strictEqual((InitialSequence.generate(key, Time.instantOf(2_000_000), v4) - first) | 0, 250_000)
  })

  it("comes around after 2^32 ticks and stays an int32", () => {
    const first = InitialSequence.generate(key, Time.instantOf(1000), v6)
    assert.strictEqual(InitialSequence.generate(key, Time.instantOf(1000 + 4 * 2 ** 32), v6), first)
    assert.strictEqual(first | 0, first)
  })

  it("differs without a pattern from tuple to tuple and from key to key (rfc: 9293 §3.4.1 MUST-9)", () => {
    const at = Time.instantOf(5_000_000)
    const all = [key, otherKey].flatMap((key) =>
      neighbours.map((tuple) => InitialSequence.generate(key, at, tuple) >>> 0)
    )
    assert.strictEqual(new Set(all).size, all.length)
    const gaps = all.slice(1).map((value, i) => (value - all[i]!) | 0)
    gaps.forEach((gap) => assert.isAbove(Math.abs(gap), 0x10000))
  })

  it("gives a tuple one timestamp offset, and every other another (RFC 7323 §5.4)", () => {
    const all = neighbours.map((tuple) => InitialSequence.timestampOffset(key, tuple))
    assert.strictEqual(new Set(all).size, all.length)
    assert.deepStrictEqual(neighbours.map((tuple) => InitialSequence.timestampOffset(key, tuple)), all)
    assert.notStrictEqual(all[0], InitialSequence.generate(key, Time.instantOf(0), v4))
  })
})
