import { assert, describe, it } from "@effect/vitest"
import { millis } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { ACK, established, host, read, text } from "./Peer.ts"

const info = (self: Host, connection: number) => self.call({ _tag: "TcpGetInfo", connection })

describe("The size of the receive buffer", () => {
  it("a program that reads fast is offered a larger window (auto-tuning), up to its limit", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      options: { maximumSegmentSize: 1000, windowScale: 7 },
      listenOptions: { receiveBuffer: 10_000, receiveBufferLimit: 100_000 },
      delay: millis(100)
    })
    let at = seq
    let window = 10_000
    const scale = info(self, connection).receiveScale
    for (let round = 0; round < 12; round++) {
      for (let left = window; left > 0; left -= 1000) {
        const length = Math.min(1000, left)
        peer.send({ seq: at, ack, flags: ACK, text: text(length) })
        read(self, connection)
        at += length
      }
      self.advance(millis(120))
      read(self, connection)
      const last = peer.take().at(-1)!
      window = last.ack + (last.window << scale) - at
    }
    assert.isAtLeast(window, 90_000)
    assert.isAtMost(window, 100_000 + (1 << scale))
  })
  it("the window leaves room for what the peer sends while text ahead of a gap can't be read (auto-tuning)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      options: { maximumSegmentSize: 1000, windowScale: 7, sackPermitted: true },
      listenOptions: { receiveBuffer: 30_000, receiveBufferLimit: 200_000 },
      delay: millis(100)
    })
    const send = (at: number): void => peer.send({ seq: seq + at, ack, flags: ACK, text: text(1000) })
    for (let at = 0; at < 10_000; at += 1000) send(at)
    self.advance(millis(120))
    read(self, connection)
    for (let at = 11_000; at < 30_000; at += 1000) send(at)
    const last = peer.take().at(-1)!
    // Two round trips of 10,000, what waits, and a few segments.
    const window = last.window << info(self, connection).receiveScale
    assert.strictEqual(last.ack, seq + 10_000)
    assert.isAtLeast(window, 20_000 + 20_000 + 16_000)
    assert.isAtMost(window, 60_000)
  })
  for (const timestamps of [true, false]) {
    it(`the round trip is measured where the text arrives, ${timestamps ? "by echoes" : "by windows"} (RFC 7323 §4, auto-tuning)`, () => {
      const self = host()
      const stamp = timestamps ? { timestampValue: 5000, timestampEcho: 0 } : {}
      const { ack, connection, peer, seq } = established(self, {
        options: { maximumSegmentSize: 1000, windowScale: 7, ...stamp },
        listenOptions: { receiveBuffer: 20_000, receiveBufferLimit: 1_000_000, quickAcks: 0 },
        delay: millis(10)
      })
      // The handshake took 10 ms, but now a queue has filled: what allows text to leave was said 100 ms before, twenty segments of 5 ms.
      const said = [peer.take().at(-1)?.options.timestampValue ?? 1]
      for (let i = 0; i < 800; i++) {
        const echo = said[Math.max(0, i - 20)]!
        const options = timestamps ? { timestampValue: 5001 + i, timestampEcho: echo } : {}
        peer.send({ seq: seq + i * 1000, ack, flags: ACK, text: text(1000), options })
        read(self, connection)
        self.advance(millis(5))
        said.push(peer.take().at(-1)?.options.timestampValue ?? said.at(-1)!)
      }
      assert.isAtLeast(info(self, connection).receiveBuffer, 40_000)
    })
  }
})
