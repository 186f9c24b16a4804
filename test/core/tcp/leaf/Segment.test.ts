/** The acceptability tests of RFC 9293 §3.10.7.4 (table 6), number by number, wherever in the range the window lies. */
import { assert, describe, it } from "@effect/vitest"
import type { Packet } from "../../../../src/core/Ip.ts"
import * as Segment from "../../../../src/core/tcp/Segment.ts"
import * as Sequence from "../../../../src/wire/Sequence.ts"
import * as Tcp from "../../../../src/wire/Tcp.ts"
import * as TcpOptions from "../../../../src/wire/TcpOptions.ts"

const segment = (seq: Sequence.Sequence, length: number, flags: number): Segment.Segment => ({
  sourcePort: 1,
  destinationPort: 2,
  seq,
  ack: 0,
  flags,
  window: 0,
  options: TcpOptions.none,
  urgent: 0,
  start: 0,
  end: length,
  packet: {} as Packet
})

/** Windows that lie before, across and behind the numbers where the sign changes and where the range ends. */
const bases = [0, 1000, 2 ** 31 - 6, 2 ** 31 - 2, 2 ** 31, 2 ** 32 - 6, 2 ** 32 - 2]

/** By counting: `at` is where the segment begins, from RCV.NXT on. */
const isExpected = (at: number, length: number, window: number): boolean => {
  // The right edge itself is taken as well, for what a peer with a full window may say.
  if (at >= 0) return at <= window
  return window > 0 && at + length > 0
}

describe("Acceptability (RFC 9293 §3.10.7.4)", () => {
  it("is that of table 6, and of the right edge (rfc: 9293 §3.10.7.4 MUST-66, §3.4)", () => {
    for (const base of bases) {
      for (let window = 0; window < 5; window++) {
        for (let at = -6; at < 10; at++) {
          for (let length = 0; length < 12; length++) {
            const edge = Sequence.add(base | 0, window)
            const seq = Sequence.add(base | 0, at)
            const name = `${base}: ${at} + ${length} in ${window}`
            const expected = isExpected(at, length, window)
            assert.strictEqual(Segment.isAcceptable(segment(seq, length, Tcp.ACK), base | 0, edge), expected, name)
            if (length === 0) continue
            const withFin = segment(seq, length - 1, Tcp.ACK | Tcp.FIN)
            assert.strictEqual(Segment.isAcceptable(withFin, base | 0, edge), expected, `${name}, of it a FIN`)
          }
        }
      }
    }
  })
})
