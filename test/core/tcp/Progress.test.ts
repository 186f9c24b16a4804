import { assert, describe, it } from "@effect/vitest"
import type { Change } from "../../../src/core/Notice.ts"
import { roundTripBounds } from "../../../src/core/tcp/State.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import * as Readings from "../../../src/workers/Readings.ts"
import { ACK, established, host, listen, Peer, remote, RST, SYN, text, write } from "./Peer.ts"

const telemetry = { config: { telemetry: true } }

const told = (self: Host) => self.notices().filter(({ _tag }) => _tag.startsWith("Connection"))
const events = (changes: ReadonlyArray<Change>) =>
  changes.flatMap((change) => change._tag === "ConnectionEvent" ? [[change.event, change.detail]] : [])
const endOf = (changes: ReadonlyArray<Change>) => changes.filter(({ _tag }) => _tag === "ConnectionEnded")

describe("What tracing wants to know of a connection", () => {
  it("is told only where it is asked for", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, text: text(10) })
    write(self, connection, text(10))
    peer.send({ seq: seq + 10, ack: ack + 10, flags: RST })
    const tags = new Set(told(self).map(({ _tag }) => _tag))
    assert.deepStrictEqual([...tags], ["ConnectionIncoming", "ConnectionState"])
    assert.deepStrictEqual(Readings.roundTrips(self.state).counts, Array.from({ length: 17 }, () => 0))
  })

  it("begins with the SYN of a peer, and names both ends", () => {
    const self = host(telemetry)
    const { connection, listener } = established(self)
    const opening = told(self).find(({ _tag }) => _tag === "ConnectionOpening")
    assert.deepInclude(opening, { connection, listener, ticket: 0, localPort: 80, remotePort: 40000 })
  })

  it("begins with the SYN of a connect, and names its ticket", () => {
    const self = host(telemetry)
    const asked = self.request({
      _tag: "TcpConnect",
      remote,
      remotePort: 81,
      local: undefined,
      localPort: 0,
      link: undefined,
      options: {},
      block: true
    })
    const opening = told(self).find((change) => change._tag === "ConnectionOpening")
    assert.deepInclude(opening, { listener: 0, ticket: asked.ticket, remotePort: 81 })
    self.advance(millis(1000))
    assert.deepStrictEqual(events(told(self)), [["retransmission", 1]])
    assert.strictEqual(asked.outcome()._tag, "Pending")
  })

  it("has the first bytes both ways, once", () => {
    const self = host(telemetry)
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, text: text(10) })
    peer.send({ seq: seq + 10, ack, flags: ACK, text: text(10) })
    write(self, connection, text(10))
    write(self, connection, text(10))
    assert.deepStrictEqual(events(told(self)), [["firstByteReceived", 0], ["firstByteSent", 0]])
  })

  it("has timeouts, what is sent again, and the end of the recovery", () => {
    const self = host(telemetry)
    const { ack, connection, peer, seq } = established(self, { options: { sackPermitted: false } })
    write(self, connection, text(10))
    told(self)
    self.advance(seconds(1))
    const again = events(told(self))
    assert.deepStrictEqual(again.slice(0, 2), [["timeout", 1], ["retransmission", 1]])
    peer.send({ seq, ack: ack + 10, flags: ACK })
    assert.deepStrictEqual(events(told(self)), [["recovered", 0]])
  })

  it("has a window that closes with text waiting, and opens (RFC 9293 §3.8.6.1)", () => {
    const self = host(telemetry)
    const { ack, connection, peer, seq } = established(self, { window: 10 })
    write(self, connection, text(30))
    told(self)
    peer.send({ seq, ack: ack + 10, flags: ACK, window: 0 })
    assert.deepStrictEqual(events(told(self)), [["windowClosed", 20]])
    peer.send({ seq, ack: ack + 10, flags: ACK, window: 5000 })
    assert.deepStrictEqual(events(told(self)), [["windowOpened", 0]])
  })

  it("ends once, with the reason and the totals", () => {
    const self = host(telemetry)
    const { ack, connection, peer, seq } = established(self, { delay: millis(20) })
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    write(self, connection, text(50))
    peer.send({ seq: seq + 100, ack: ack + 50, flags: ACK })
    peer.send({ seq: seq + 100, ack: ack + 50, flags: RST })
    self.call({ _tag: "TcpClose", connection })
    const ends = endOf(told(self))
    assert.strictEqual(ends.length, 1)
    const totals = {
      bytesAcked: 50,
      bytesReceived: 100,
      segmentsRetransmitted: 0,
      timeouts: 0,
      smoothedRtt: millis(17.5)
    }
    assert.deepInclude(ends[0], { connection, reason: { _tag: "ConnectionReset" }, totals })
  })

  it("ends when a peer never completes its handshake", () => {
    const self = host(telemetry)
    listen(self)
    new Peer(self, 80).send({ seq: 1, flags: SYN })
    self.advance(seconds(100))
    const ends = endOf(told(self))
    assert.strictEqual(ends.length, 1)
    assert.deepInclude(ends[0], { reason: undefined })
  })

  it("counts round trips in classes, with their sum and their extremes", () => {
    const self = host(telemetry)
    const { ack, connection, peer, seq } = established(self, { delay: millis(20) })
    write(self, connection, text(50))
    self.advance(millis(30))
    peer.send({ seq, ack: ack + 50, flags: ACK })
    const { bounds, counts, max, min, sum } = Readings.roundTrips(self.state)
    assert.strictEqual(bounds.length, roundTripBounds.length)
    assert.strictEqual(counts[bounds.indexOf(0.025)], 1)
    assert.strictEqual(counts[bounds.indexOf(0.05)], 1)
    assert.deepStrictEqual([min, max], [0.02, 0.03])
    assert.approximately(sum, 0.05, 1e-9)
  })
})
