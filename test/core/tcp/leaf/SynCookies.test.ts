import { assert, describe, it } from "@effect/vitest"
import * as SipHash from "../../../../src/core/data/SipHash.ts"
import type { FourTuple } from "../../../../src/core/tcp/FourTuple.ts"
import * as SynCookies from "../../../../src/core/tcp/SynCookies.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as Address from "../../../../src/wire/Address.ts"
import * as Seeded from "../../Seeded.ts"

const key = SipHash.keyFrom(Uint8Array.from({ length: 16 }, (_, i) => 200 - i))
const at = (seconds: number): Time.Instant => Time.instantOf(seconds * 1_000_000)
const v4: FourTuple = {
  local: Address.v4(10, 0, 0, 1),
  localPort: 80,
  remote: Address.v4(198, 51, 100, 7),
  remotePort: 40000
}
const v6: FourTuple = { ...v4, local: Address.v6(0x20010db8, 0, 0, 1), remote: Address.v6(0x20010db8, 0, 0, 9) }
const random32 = (random: Seeded.Seeded): number => random.below(2 ** 32) | 0

describe("SynCookies", () => {
  it("gives back the largest of its segment sizes that was offered (RFC 4987 Appendix A)", () => {
    const table: ReadonlyArray<readonly [number, number]> = [
      [0, 64],
      [63, 64],
      [88, 64],
      [536, 536],
      [1219, 536],
      [1220, 1220],
      [1380, 1360],
      [1440, 1440],
      [1460, 1460],
      [8959, 1460],
      [8960, 8960],
      [65535, 8960]
    ]
    for (const [offered, expected] of table) {
      for (const tuple of [v4, v6]) {
        const cookie = SynCookies.make(key, at(1000), tuple, 12345, offered)
        assert.strictEqual(SynCookies.check(key, at(1000), tuple, 12345, cookie), expected)
      }
    }
  })

  it("comes back at any time of the clock and any number of the peer", () => {
    const random = Seeded.make(1)
    for (let i = 0; i < 2000; i++) {
      const now = at(random.below(2 ** 31) / 1000)
      const irs = random32(random)
      const cookie = SynCookies.make(key, now, v4, irs, 1460)
      assert.strictEqual(cookie | 0, cookie)
      assert.strictEqual(SynCookies.check(key, now, v4, irs, cookie), 1460)
      assert.strictEqual(SynCookies.check(key, Time.plus(now, Time.seconds(60)), v4, irs, cookie), 1460)
    }
  })

  it("is good for at least a minute and no more than two", () => {
    for (const made of [0, 640, 645, 703]) {
      const cookie = SynCookies.make(key, at(made), v4, 7, 1460)
      assert.strictEqual(SynCookies.check(key, at(made + 63), v4, 7, cookie), 1460)
      assert.isUndefined(SynCookies.check(key, at(made + 128), v4, 7, cookie))
      assert.isUndefined(SynCookies.check(key, at(made + 100_000), v4, 7, cookie))
    }
    // Nor before it was made: the count is compared modulo 256.
    assert.isUndefined(SynCookies.check(key, at(640), v4, 7, SynCookies.make(key, at(704), v4, 7, 1460)))
  })

  it("is none when some bytes behind it are acknowledged", () => {
    const cookie = SynCookies.make(key, at(640), v4, 7, 64)
    for (let bytes = 1; bytes < 100_000; bytes++) {
      assert.isUndefined(SynCookies.check(key, at(640), v4, 7, (cookie + bytes) | 0))
    }
  })

  it("is good for its own tuple, number and key alone", () => {
    const cookie = SynCookies.make(key, at(640), v4, 7, 1460)
    const others: ReadonlyArray<FourTuple> = [
      { ...v4, remotePort: 40001 },
      { ...v4, localPort: 81 },
      { ...v4, remote: Address.v4(198, 51, 100, 8) },
      { ...v4, local: Address.v4(10, 0, 0, 2) },
      v6
    ]
    others.forEach((tuple) => assert.isUndefined(SynCookies.check(key, at(640), tuple, 7, cookie)))
    assert.isUndefined(SynCookies.check(key, at(640), v4, 8, cookie))
    // A number moved with the peer's does not help either.
    assert.isUndefined(SynCookies.check(key, at(640), v4, 8, cookie + 1))
    assert.isUndefined(SynCookies.check(SipHash.keyFrom(new Uint8Array(16)), at(640), v4, 7, cookie))
  })

  it("is not hit by a hundred thousand guesses", () => {
    const random = Seeded.make(7)
    let hits = 0
    for (let i = 0; i < 100_000; i++) {
      if (SynCookies.check(key, at(640), v4, random32(random), random32(random)) !== undefined) hits += 1
    }
    assert.strictEqual(hits, 0)
  })

  it("goes up from one connection of a tuple to the next, as initial sequence numbers do (RFC 6528 §3)", () => {
    for (let i = 0; i < 50; i++) {
      const earlier = SynCookies.make(key, at(i * 128), v4, 7, 1460)
      const later = SynCookies.make(key, at(i * 128 + 128), v4, 7, 1460)
      assert.isAbove((later - earlier) | 0, 0)
    }
  })

  it("keeps SACK and scaling in itself where that is wanted, and is as hard to guess as 23 bits (RFC 4987 §3.6)", () => {
    for (const windowScale of [undefined, 0, 7, 14]) {
      for (const sack of [false, true]) {
        const options = { windowScale, sack, ecn: false }
        const cookie = SynCookies.make(key, at(640), v4, 7, 1460, options)
        assert.deepStrictEqual(SynCookies.checkWithOptions(key, at(640), v4, 7, cookie), { mss: 1460, options })
        assert.isUndefined(SynCookies.checkWithOptions(key, at(640), v4, 7, cookie + 1))
        assert.isUndefined(SynCookies.checkWithOptions(key, at(640 + 128), v4, 7, cookie))
        // One that keeps options is none where none are expected, but for those that are written as 0.
        const plain = windowScale === 0 && !sack ? 1460 : undefined
        assert.strictEqual(SynCookies.check(key, at(640), v4, 7, cookie), plain)
      }
    }
    const random = Seeded.make(7)
    let hits = 0
    for (let i = 0; i < 100_000; i++) {
      if (SynCookies.checkWithOptions(key, at(640), v4, random32(random), random32(random)) !== undefined) hits += 1
    }
    assert.strictEqual(hits, 0)
  })

  it("keeps every combination of options in a timestamp that is not newer than the clock (RFC 4987 §3.6)", () => {
    const random = Seeded.make(3)
    for (const windowScale of [undefined, ...Array.from({ length: 15 }, (_, i) => i)]) {
      for (const sack of [false, true]) {
        for (const ecn of [false, true]) {
          const options = { windowScale, sack, ecn }
          for (const value of [0, 63, 64, -1, 0x7fff_ffff, -0x8000_0000, random32(random)]) {
            const sent = SynCookies.timestamp(value, options)
            assert.deepStrictEqual(SynCookies.options(sent), options)
            const behind = (value - sent) | 0
            assert.isTrue(behind >= 0 && behind < 64, `${behind} ticks`)
          }
        }
      }
    }
    assert.strictEqual(
      SynCookies.options(SynCookies.timestamp(0, { windowScale: 20, sack: true, ecn: false })).windowScale,
      14
    )
  })
})
