import { assert, describe, it } from "@effect/vitest"
import * as Timestamps from "../../../../src/core/tcp/Timestamps.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as TcpOptions from "../../../../src/wire/TcpOptions.ts"

const stamped = (value: number | undefined): TcpOptions.Options =>
  TcpOptions.make(value === undefined ? {} : { timestampValue: value | 0, timestampEcho: 0 })

const at = (seconds: number): Time.Instant => Time.plus(Time.instantOf(0), Time.seconds(seconds))

/** What was taken at second 10 from the segment that begins at `lastAck`. */
const having = (recent: number, lastAck = 1000): Timestamps.Timestamps => ({
  ...Timestamps.make(0),
  recent: recent | 0,
  recentAt: at(10),
  lastAck: lastAck | 0
})

const day = 24 * 3600

/** Numbers, and numbers a little later, before and across where the sign changes and where the range ends. */
const steps = [[1000, 1001], [2 ** 31 - 1, 2 ** 31], [2 ** 32 - 1, 2 ** 32], [2 ** 31 - 5, 2 ** 31 + 5]] as const

describe("Timestamps (RFC 7323)", () => {
  for (const [before, after] of steps) {
    it(`${before} is older than ${after}, and not the other way round (rfc: 7323 §5.2, §5.3 R1)`, () => {
      assert.isTrue(Timestamps.isOld(having(after), stamped(before), at(11)))
      assert.isFalse(Timestamps.isOld(having(before), stamped(after), at(11)))
      assert.isFalse(Timestamps.isOld(having(before), stamped(before), at(11)))
    })
    it(`${after} is echoed instead of ${before}, and not the other way round (rfc: 7323 §4.3)`, () => {
      assert.strictEqual(Timestamps.update(having(before), stamped(after), 1000, at(11)).recent, after | 0)
      assert.strictEqual(Timestamps.update(having(after), stamped(before), 1000, at(11)).recent, after | 0)
    })
    it(`what begins at ${after} is not echoed while ${before} is waited for (rfc: 7323 §4.3)`, () => {
      assert.strictEqual(Timestamps.update(having(1, before), stamped(5), after | 0, at(11)).recent, 1)
      assert.strictEqual(Timestamps.update(having(1, after), stamped(5), before | 0, at(11)).recent, 5)
      assert.strictEqual(Timestamps.update(having(1, after), stamped(5), after | 0, at(11)).recent, 5)
    })
  }
  it("nothing is old before the first was taken, nor without a timestamp (rfc: 7323 §5.3 R1)", () => {
    assert.isFalse(Timestamps.isOld({ ...having(1000), recentAt: Time.never }, stamped(1), at(11)))
    for (const recent of [1000, 2 ** 31 + 1000]) {
      assert.isFalse(Timestamps.isOld(having(recent), stamped(undefined), at(11)))
    }
    const first = Timestamps.update({ ...having(0), recentAt: Time.never }, stamped(-5), 1000, at(11))
    assert.deepStrictEqual([first.recent, first.recentAt], [-5, at(11)])
  })
  it("what was taken is void after 24 days, and not sooner (rfc: 7323 §5.5)", () => {
    for (const [days, isVoid] of [[23.9, false], [24.1, true]] as const) {
      const now = at(10 + days * day)
      assert.strictEqual(Timestamps.isOld(having(1000), stamped(1), now), !isVoid)
      const taken = Timestamps.update(having(1000), stamped(1), 1000, now)
      assert.deepStrictEqual([taken.recent, taken.recentAt], isVoid ? [1, now] : [1000, at(10)])
    }
  })
})
