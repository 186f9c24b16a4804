/** Requirements of RFC 9293 Appendix B about segments that the other files do not name, in its order. */
import { assert, describe, it } from "@effect/vitest"
import { seconds } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Family from "../family.ts"
import * as Packets from "../Packets.ts"
import { connectRequest } from "./Pair.ts"
import { ACK, established, host, listen, local, Peer, PSH, read, remote, RST, SYN, text, write } from "./Peer.ts"
import type { Sent } from "./Peer.ts"

const info = (self: Host, connection: number) => self.call({ _tag: "TcpGetInfo", connection })

const connecting = (self: Host, options: object = {}, localPort = 5000) => {
  const asked = self.request({ ...connectRequest(options), remote, remotePort: 80, localPort })
  return { asked, peer: new Peer(self, localPort, 80) }
}

/** A segment of the peer's with other options: octets, a multiple of four of them. */
const withOptions = (peer: Peer, sent: Sent, ...options: ReadonlyArray<number>): void => {
  const before = peer.frame(sent).slice(14 + Family.headerLength)
  const rest = before.slice((before[12]! >>> 4) * 4)
  const segment = new Uint8Array(20 + options.length + rest.length)
  segment.set(before.subarray(0, 20))
  segment.set(options, 20)
  segment.set(rest, 20 + options.length)
  const pseudo = Checksum.fold(Checksum.pseudo(remote, local, 6, segment.length))
  segment.set([((20 + options.length) / 4) << 4], 12)
  segment.set([pseudo >>> 8, pseudo & 0xff], 16)
  Checksum.complete(segment, 0, segment.length, 16)
  const mac = peer.host.state.device.interfaces.get(1)!.mac
  peer.host.deliver(1, Packets.frame(Packets.ip(remote, local, segment, { protocol: 6 }), mac, 0x0200_0000_0909))
}

describe("Windows and pushes (RFC 9293 Appendix B)", () => {
  it("rfc: 9293 §3.1 MUST-1: a window above 32767 is a large one, and no negative one", () => {
    const self = host()
    const { connection, peer } = established(self, { window: 0xffff })
    assert.strictEqual(info(self, connection).sendWindow, 0xffff)
    write(self, connection, text(8000))
    assert.strictEqual(peer.take().length, 8)
  })
  it("rfc: 9293 §3.9.1.2 SHLD-27 SHLD-28: short writes are collected into segments as long as may be", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    for (let i = 0; i < 10; i++) write(self, connection, text(300))
    const sent = [peer.take()]
    peer.send({ seq, ack: ack + 2300, flags: ACK })
    sent.push(peer.take())
    assert.deepStrictEqual(sent.map((all) => all.map((got) => got.text.length)), [[300, 1000, 1000], [700]])
  })
  it("rfc: 9293 §3.8.6 SHLD-15 SHLD-16: a window that shrinks holds back what is new, and lets go again what is in it", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { listenOptions: { noDelay: true, tailLossProbe: false } })
    write(self, connection, text(4000))
    peer.take()
    peer.send({ seq, ack, flags: ACK, window: 2000 })
    write(self, connection, text(1000))
    assert.isTrue(peer.silent())
    self.advance(seconds(2))
    assert.isTrue(peer.take().every((got) => ((got.seq - ack) | 0) < 2000))
  })
  it("rfc: 9293 §3.8.6.1 MAY-8: a window stays closed for as long as its program likes, and probes of it are answered", () => {
    const self = host()
    const { ack, peer, seq } = established(self, { listenOptions: { receiveBuffer: 1000, receiveBufferLimit: 1000 } })
    peer.send({ seq, ack, flags: ACK, text: text(1000) })
    peer.take()
    for (let i = 0; i < 20; i++) {
      self.advance(seconds(60))
      peer.send({ seq: seq + 1000, ack, flags: ACK, text: text(1) })
      const answer = peer.one()
      assert.deepStrictEqual([answer.ack, answer.window], [seq + 1000, 0])
    }
  })
  it("rfc: 9293 §3.10.7.4 MUST-66: a closed window lets a RST through, and the ACK of what is on its way", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { receiveBuffer: 1000, receiveBufferLimit: 1000 }
    })
    peer.send({ seq, ack, flags: ACK, text: text(1000) })
    write(self, connection, text(10))
    peer.take()
    peer.send({ seq: seq + 1000, ack: ack + 10, flags: ACK })
    assert.strictEqual(info(self, connection).inFlight, 0)
    peer.send({ seq: seq + 1000, flags: RST })
    assert.strictEqual(info(self, connection).state, "CLOSED")
  })
})

describe("Urgent data (RFC 9293 Appendix B)", () => {
  it("rfc: 9293 §3.8.5 MUST-30 MUST-31 MUST-62: of any length, up to the octet before the pointer's", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      options: { maximumSegmentSize: 1000, windowScale: 7 },
      listenOptions: { receiveBuffer: 1 << 20 }
    })
    for (let i = 0; i < 100; i++) {
      const urgentPointer = Math.min(0xffff, 100_000 - i * 1000)
      peer.send({ seq: seq + i * 1000, ack, flags: ACK | 0x20, text: text(1000), urgentPointer })
      if (i === 0) assert.strictEqual(info(self, connection).urgent, 0xffff)
    }
    assert.strictEqual(info(self, connection).urgent, 100_000)
    read(self, connection, 99_999)
    assert.strictEqual(info(self, connection).urgent, 1)
    read(self, connection, 10)
    assert.strictEqual(info(self, connection).urgent, 0)
  })
})

describe("Options (RFC 9293 Appendix B)", () => {
  const [end, nop] = [0, 1]
  it("rfc: 9293 §3.1 MUST-4 MUST-64: end of list, NOPs and MSS are known, at any octet", () => {
    const segmentOf = (...options: ReadonlyArray<number>): number => {
      const self = host()
      listen(self)
      const peer = new Peer(self, 80)
      withOptions(peer, { seq: 1000, flags: SYN }, ...options)
      const answer = peer.one()
      peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK })
      return self.call({ _tag: "TcpList" })[0]!.sendMss
    }
    assert.strictEqual(segmentOf(2, 4, 3, 232), 1000)
    assert.strictEqual(segmentOf(nop, 2, 4, 3, 232, nop, nop, end), 1000)
    assert.strictEqual(segmentOf(nop, nop, nop, 2, 4, 3, 232, end), 1000)
    assert.strictEqual(segmentOf(end, 2, 4, 3, 232, 0, 0, 0), Family.choose(536, 1220))
  })
  it("rfc: 9293 §3.1 MUST-5 MUST-6 MUST-68: options come in any segment; unknown ones are skipped by their length", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    withOptions(peer, { seq, ack, flags: ACK | PSH, text: text(5) }, 2, 4, 1, 0, 200, 6, 1, 2, 3, 4, nop, nop)
    assert.strictEqual(info(self, connection).unread, 5)
  })
  it("rfc: 9293 §3.1 MUST-7: a length that can't be spoils the segment, and nothing more", () => {
    for (const options of [[200, 0, 0, 0], [200, 1, 0, 0], [200, 5, 0, 0], [2, 3, 0, 0]]) {
      const self = host()
      const { ack, connection, peer, seq } = established(self)
      withOptions(peer, { seq, ack, flags: ACK, text: text(5) }, ...options)
      assert.strictEqual(info(self, connection).unread, 0)
      peer.send({ seq, ack, flags: ACK, text: text(5) })
      assert.strictEqual(info(self, connection).unread, 5)
    }
  })
  it("rfc: 9293 §3.1 MUST-69: headers are filled up with NOPs in front of options, so nothing stands behind them", () => {
    const self = host()
    const { asked } = connecting(self, { timestamps: true })
    const frame = self.takeFrames(1)[0]!
    const start = 14 + Family.headerLength
    assert.strictEqual(frame.length, start + (frame[start + 12]! >>> 4) * 4)
    assert.strictEqual(asked.outcome()._tag, "Pending")
  })
  it("rfc: 9293 §3.7.1 MUST-14 MUST-65 MUST-67 SHLD-5 MAY-3: every SYN has an MSS, of what the interface takes, and nothing else has", () => {
    for (const mtu of [1400, 1500, 9000]) {
      const self = host({ interfaces: [{ addresses: [[local, Family.prefixLength]], mtu }] })
      const { peer } = connecting(self)
      const syn = peer.one()
      assert.strictEqual(syn.options.maximumSegmentSize, mtu - 40)
      peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK })
      assert.isUndefined(peer.one().options.maximumSegmentSize)
      listen(self)
      const other = new Peer(self, 80)
      other.send({ seq: 1, flags: SYN })
      assert.strictEqual(other.one().options.maximumSegmentSize, mtu - 40)
    }
  })
  it("rfc: 9293 §3.7.1 MUST-16 SHLD-6: segments leave room for their options", () => {
    const self = host()
    const { connection, peer } = established(self, { options: { maximumSegmentSize: 1000, timestampValue: 1 } })
    write(self, connection, text(5000))
    assert.strictEqual(peer.take()[0]!.text.length, 988)
  })
})

describe("Checksums and numbers (RFC 9293 Appendix B)", () => {
  it("rfc: 9293 §3.1 MUST-2 MUST-3: what is sent has a checksum, and what is received with a wrong one is dropped", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    // `Peer.take` verifies the checksum of everything that is sent.
    write(self, connection, text(3000))
    assert.strictEqual(peer.take().length, 3)
    const frame = peer.frame({ seq, ack, flags: ACK, text: text(5) })
    frame[frame.length - 1] = frame[frame.length - 1]! ^ 1
    self.deliver(1, frame)
    assert.strictEqual(info(self, connection).unread, 0)
    assert.deepStrictEqual(self.drops().map((drop) => drop.reason), ["TcpChecksum"])
  })
  it("rfc: 9293 §3.4.1 MUST-8 MUST-9 SHLD-1: numbers go up with the time for one pair of sockets, and tell nothing of another", () => {
    const self = host()
    const next = (port: number): number => {
      const { asked, peer } = connecting(self, {}, port)
      const { seq } = peer.one()
      self.abandon(asked)
      return seq
    }
    const first = next(5000)
    self.advance(seconds(1))
    assert.strictEqual((next(5000) - first) | 0, 250_000)
    assert.isAbove(Math.abs((next(5001) - first) | 0), 1_000_000)
  })
})
