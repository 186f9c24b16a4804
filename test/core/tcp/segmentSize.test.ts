/**
 * No segment is longer than the path carries, whatever options it has (rfc: 9293 §3.7.1 MUST-16; RFC 2018 §3, RFC 6691 §2).
 */
import { assert, describe, it } from "@effect/vitest"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Family from "../family.ts"
import { ACK, established, host, text, write } from "./Peer.ts"

const options = { maximumSegmentSize: 1460, sackPermitted: true, timestampValue: 1, timestampEcho: 0 }

describe("The size of a segment that reports ranges", () => {
  for (const frto of [true, false]) {
    it(`leaves room for them when it goes again, ${frto ? "with" : "without"} F-RTO`, () => {
      const self = host()
      const { ack, connection, peer, seq } = established(self, { options, listenOptions: { frto }, delay: millis(50) })
      write(self, connection, text(10_000))
      // Text with a gap before it: from now on there is a range to report.
      const timestamps = { timestampValue: 2, timestampEcho: 1 }
      peer.send({ seq: seq + 100, ack, flags: ACK, text: text(10), options: timestamps })
      const lengths: Array<number> = []
      for (let second = 0; second < 10; second++) {
        lengths.push(...self.takeFrames(1).map((frame) => frame.length))
        self.advance(seconds(1))
      }
      assert.isAbove(self.counter("tcpTimeouts"), 1)
      assert.strictEqual(self.dropCount("IpTooBig"), 0)
      assert.isAtMost(Math.max(...lengths), 14 + Family.mtuOf(1500))
    })
  }
})
