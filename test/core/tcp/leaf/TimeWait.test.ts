import { assert, describe, it } from "@effect/vitest"
import type { Packet } from "../../../../src/core/Ip.ts"
import type * as Segment from "../../../../src/core/tcp/Segment.ts"
import * as TimeWait from "../../../../src/core/tcp/TimeWait.ts"
import * as Tcp from "../../../../src/wire/Tcp.ts"
import * as TcpOptions from "../../../../src/wire/TcpOptions.ts"

const syn = (seq: number, timestampValue: number | undefined): Segment.Segment => ({
  sourcePort: 1,
  destinationPort: 2,
  seq: seq | 0,
  ack: 0,
  flags: Tcp.SYN,
  window: 0,
  options: TcpOptions.make(
    timestampValue === undefined ? {} : { timestampValue: timestampValue | 0, timestampEcho: 0 }
  ),
  urgent: 0,
  start: 0,
  end: 0,
  packet: {} as Packet
})

/** Numbers, and numbers a little later, before and across where the sign changes and where the range ends. */
const steps = [[1000, 1001], [2 ** 31 - 1, 2 ** 31], [2 ** 32 - 1, 2 ** 32], [2 ** 31 - 5, 2 ** 31 + 5]] as const

describe("A SYN in TIME-WAIT (RFC 6191 §2)", () => {
  for (const [before, after] of steps) {
    it(`is newer by its timestamp, ${before} to ${after}, whatever its number is (rfc: 6191 §2, 9293 §3.6.1 SHLD-4)`, () => {
      for (const seq of [1, 500_000]) {
        assert.isTrue(TimeWait.isNewer(syn(seq, after), true, before | 0, 1000))
        assert.isFalse(TimeWait.isNewer(syn(seq, before), true, after | 0, 1000))
      }
    })
    it(`is newer by its number, ${before} to ${after}, where timestamps tell nothing (rfc: 6191 §2, 9293 §3.6.1 MAY-2)`, () => {
      const by = (seq: number, nxt: number): ReadonlyArray<boolean> => [
        // Neither had them, one SYN alone has them, the old connection alone had them, the same tick.
        TimeWait.isNewer(syn(seq, undefined), false, 0, nxt | 0),
        TimeWait.isNewer(syn(seq, 7), false, 0, nxt | 0),
        TimeWait.isNewer(syn(seq, undefined), true, 7, nxt | 0),
        TimeWait.isNewer(syn(seq, 7), true, 7, nxt | 0)
      ]
      assert.deepStrictEqual(by(after, before), [true, true, true, true])
      assert.deepStrictEqual(by(before, after), [false, false, false, false])
      assert.deepStrictEqual(by(before, before), [false, false, false, false])
    })
  }
})
