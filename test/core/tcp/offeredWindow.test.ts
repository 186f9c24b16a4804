/** What scaling and a smaller buffer make of the window that is offered (RFC 9293 §3.8.6, RFC 7323 §2.4). */
import { assert, describe, it } from "@effect/vitest"
import { millis } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { ACK, established, host, read, text } from "./Peer.ts"

const info = (self: Host, connection: number) => self.call({ _tag: "TcpGetInfo", connection })

describe("The right edge of the window", () => {
  it("does not seem smaller by rounding either while there is memory for it (rfc: 9293 §3.8.6 SHLD-14, 7323 §2.4)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      options: { maximumSegmentSize: 1000, windowScale: 7 },
      listenOptions: { receiveBuffer: 1 << 20, receiveBufferLimit: 1 << 20 }
    })
    const scale = info(self, connection).receiveScale
    assert.isAbove(scale, 0)
    const edges: Array<number> = []
    for (let at = seq; at < seq + 500; at++) {
      peer.send({ seq: at, ack, flags: ACK, text: text(1) })
      read(self, connection, 1)
      self.advance(millis(50))
      for (const got of peer.take()) edges.push(got.ack + (got.window << scale))
    }
    assert.strictEqual(edges.length, 500)
    assert.deepStrictEqual(edges, edges.toSorted((a, b) => a - b))
  })
  it("keeps the edge that it has told though the memory behind it is taken away (rfc: 9293 §3.8.6 SHLD-14)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      options: { maximumSegmentSize: 1000, windowScale: 7 },
      listenOptions: { receiveBuffer: 1 << 18, receiveBufferLimit: 1 << 18, quickAcks: 1000 }
    })
    const scale = info(self, connection).receiveScale
    const offered = info(self, connection).receiveWindow
    self.call({ _tag: "TcpSetOptions", connection, options: { receiveBuffer: 4000 } })
    // Rounded down now, for there is no memory for more: what was told before stands nevertheless.
    peer.send({ seq, ack, flags: ACK, text: text(1) })
    const told = peer.take().at(-1)!
    assert.isBelow(told.ack - seq + (told.window << scale), offered)
    assert.isAbove(told.ack - seq + (told.window << scale), offered - (1 << scale))
    assert.strictEqual(info(self, connection).receiveWindow, offered - 1)
    for (let at = 1; at < offered; at += 1000) {
      peer.send({ seq: seq + at, ack, flags: ACK, text: text(Math.min(1000, offered - at)) })
    }
    assert.strictEqual(info(self, connection).unread, offered)
  })
})
