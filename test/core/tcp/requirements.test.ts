/** Requirements of RFC 9293 Appendix B that the other files do not name, in its order. */
import { assert, describe, it } from "@effect/vitest"
import { defaults } from "../../../src/core/tcp/Config.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import { connectRequest } from "./Pair.ts"
import {
  ACK,
  established,
  FIN,
  host,
  listen,
  local,
  Peer,
  PSH,
  read,
  remote,
  RST,
  SYN,
  text,
  wait,
  write
} from "./Peer.ts"

const info = (self: Host, connection: number) => self.call({ _tag: "TcpGetInfo", connection })

const connecting = (self: Host, options: object = {}, localPort = 5000) => {
  const asked = self.request({ ...connectRequest(options), remote, remotePort: 80, localPort })
  return { asked, peer: new Peer(self, localPort, 80) }
}

/** The events of connections since the last call. */
const events = (self: Host): Array<string> =>
  self.notices().flatMap((change) => change._tag === "ConnectionEvent" ? [change.event] : [])

/** The same frame with other options: octets, a multiple of four of them. */
const withOptions = (frame: Uint8Array, ...options: ReadonlyArray<number>): Uint8Array => {
  const before = 14 + 20
  const length = (frame[before + 12]! >>> 4) * 4
  const rest = frame.slice(before + length)
  const bytes = new Uint8Array(before + 20 + options.length + rest.length)
  bytes.set(frame.subarray(0, before + 20))
  bytes.set(options, before + 20)
  bytes.set(rest, before + 20 + options.length)
  bytes[before + 12] = ((20 + options.length) / 4) << 4
  bytes[17] = bytes.length - 14
  bytes[24] = 0
  bytes[25] = 0
  const sum = Checksum.finish(Checksum.sum(bytes, 14, 34, 0))
  bytes[24] = sum >>> 8
  bytes[25] = sum
  const pseudo = Checksum.fold(Checksum.pseudo(remote, local, 6, bytes.length - before))
  bytes[before + 16] = pseudo >>> 8
  bytes[before + 17] = pseudo
  Checksum.complete(bytes, before, bytes.length, before + 16)
  return bytes
}

/** An ICMP error from a router about a frame that the host has sent; host unreachable unless another type is given. */
const unreachable = (self: Host, about: Uint8Array, code: number, type = 3): void => {
  const quoted = about.slice(14, 14 + 28)
  const bytes = new Uint8Array(34 + 8 + quoted.length)
  bytes.set(about.subarray(6, 12), 0)
  bytes.set(
    [2, 0, 0, 0, 9, 9, 8, 0, 0x45, 0, 0, bytes.length - 14, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 99, 10, 0, 0, 1],
    6
  )
  const header = Checksum.finish(Checksum.sum(bytes, 14, 34, 0))
  bytes.set([header >>> 8, header & 0xff], 24)
  bytes.set([type, code], 34)
  bytes.set(quoted, 42)
  const sum = Checksum.finish(Checksum.sum(bytes, 34, bytes.length, 0))
  bytes.set([sum >>> 8, sum & 0xff], 36)
  self.deliver(1, bytes)
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
  it("rfc: 9293 §3.8.6.1 MUST-35 MUST-37 MAY-8: a window stays closed for as long as its program likes, and probes of it are answered", () => {
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
      self.deliver(1, withOptions(peer.frame({ seq: 1000, flags: SYN }), ...options))
      const answer = peer.one()
      peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK })
      return self.call({ _tag: "TcpList" })[0]!.sendMss
    }
    assert.strictEqual(segmentOf(2, 4, 3, 232), 1000)
    assert.strictEqual(segmentOf(nop, 2, 4, 3, 232, nop, nop, end), 1000)
    assert.strictEqual(segmentOf(nop, nop, nop, 2, 4, 3, 232, end), 1000)
    assert.strictEqual(segmentOf(end, 2, 4, 3, 232, 0, 0, 0), 536)
  })
  it("rfc: 9293 §3.1 MUST-5 MUST-6 MUST-68: options come in any segment; unknown ones are skipped by their length", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    const frame = peer.frame({ seq, ack, flags: ACK | PSH, text: text(5) })
    self.deliver(1, withOptions(frame, 2, 4, 1, 0, 200, 6, 1, 2, 3, 4, nop, nop))
    assert.strictEqual(info(self, connection).unread, 5)
  })
  it("rfc: 9293 §3.1 MUST-7: a length that can't be spoils the segment, and nothing more", () => {
    for (const options of [[200, 0, 0, 0], [200, 1, 0, 0], [200, 5, 0, 0], [2, 3, 0, 0]]) {
      const self = host()
      const { ack, connection, peer, seq } = established(self)
      self.deliver(1, withOptions(peer.frame({ seq, ack, flags: ACK, text: text(5) }), ...options))
      assert.strictEqual(info(self, connection).unread, 0)
      peer.send({ seq, ack, flags: ACK, text: text(5) })
      assert.strictEqual(info(self, connection).unread, 5)
    }
  })
  it("rfc: 9293 §3.1 MUST-69: headers are filled up with NOPs in front of options, so nothing stands behind them", () => {
    const self = host()
    const { asked } = connecting(self, { timestamps: true })
    const frame = self.takeFrames(1)[0]!
    const length = (frame[46]! >>> 4) * 4
    assert.deepStrictEqual([length % 4, frame.length], [0, 34 + length])
    assert.strictEqual(asked.outcome()._tag, "Pending")
  })
  it("rfc: 9293 §3.7.1 MUST-14 MUST-65 MUST-67 SHLD-5 MAY-3: every SYN has an MSS, of what the interface takes, and nothing else has", () => {
    for (const mtu of [576, 1500, 9000]) {
      const self = host({ interfaces: [{ addresses: [[local, 24]], mtu }] })
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

describe("Opening (RFC 9293 Appendix B)", () => {
  it("rfc: 9293 §3.5.1 MUST-11: SYN-RECEIVED remembers who opened: a RST leads back to LISTEN, or tells the opener", () => {
    const self = host()
    listen(self)
    const passive = new Peer(self, 80)
    passive.send({ seq: 1, flags: SYN })
    passive.take()
    passive.send({ seq: 2, flags: RST })
    assert.deepStrictEqual([self.state.tcp.entries.size, self.state.tcp.listeners.size], [0, 1])
    const { asked, peer } = connecting(self)
    peer.take()
    peer.send({ seq: 1, flags: SYN })
    peer.take()
    peer.send({ seq: 2, flags: RST })
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "ConnectionRefused" } })
  })
  it("rfc: 9293 §3.9.1.1 MUST-41 MUST-42: a listener does not touch what is open, nor a connect what listens", () => {
    const self = host()
    const { connection } = established(self)
    const again = self.request({
      _tag: "TcpListen",
      local,
      version: undefined,
      port: 80,
      backlog: 1,
      options: {},
      link: undefined
    })
    assert.strictEqual(again.outcome()._tag, "Done")
    const { peer } = connecting(self, {}, 80)
    assert.strictEqual(peer.one().flags, SYN)
    assert.deepStrictEqual([info(self, connection).state, self.state.tcp.listeners.size], ["ESTABLISHED", 2])
  })
  it("rfc: 9293 §3.9.1.1 MUST-43 MUST-44 MUST-45: the local address is the program's, else IP's choice; it stays", () => {
    const second = Address.v4(10, 0, 0, 2)
    const self = host({ interfaces: [{ addresses: [[local, 24], [second, 24]] }] })
    const from = (chosen: number | undefined): unknown => {
      const asked = self.request({ ...connectRequest({}, false), remote, remotePort: 80, local: chosen })
      const outcome = asked.outcome()
      return outcome._tag === "Done" ? outcome.value.local : outcome
    }
    assert.deepStrictEqual([from(second), from(undefined)], [second, local])
  })
  it("rfc: 9293 §3.9.2.3 MUST-57 MUST-63: a SYN to or from a group makes no connection, and gets no answer", () => {
    const self = host()
    listen(self)
    const peer = new Peer(self, 80)
    for (const destination of [Address.broadcastV4, Address.v4(224, 0, 0, 1), Address.v4(10, 0, 0, 255)]) {
      peer.send({ seq: 1, flags: SYN, destination })
    }
    for (const source of [Address.broadcastV4, Address.v4(224, 0, 0, 1), Address.v4(0, 0, 0, 0)]) {
      peer.address = source
      peer.send({ seq: 1, flags: SYN })
    }
    assert.isTrue(peer.silent())
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
})

describe("Ends (RFC 9293 Appendix B)", () => {
  it("rfc: 9293 §3.5.2 SHLD-2: a RST may have text", () => {
    const self = host()
    const { connection, peer, seq } = established(self)
    peer.send({ seq, flags: RST, text: text(20) })
    assert.strictEqual(info(self, connection).state, "CLOSED")
  })
  it("rfc: 9293 §3.6 MUST-12: a program hears whether the end was an orderly one", () => {
    const self = host()
    const orderly = established(self)
    orderly.peer.send({ seq: orderly.seq, ack: orderly.ack, flags: ACK | FIN })
    orderly.peer.take()
    const ended = read(self, orderly.connection, 1, true).outcome()
    assert.strictEqual(ended._tag === "Done" && ended.value.end, true)
    const reset = established(self, { port: 81 })
    reset.peer.send({ seq: reset.seq, flags: RST })
    assert.deepStrictEqual(read(self, reset.connection).outcome(), {
      _tag: "Failed",
      reason: { _tag: "ConnectionReset" }
    })
  })
  it("rfc: 9293 §3.6.1 MAY-1: who has closed reads no more", () => {
    const self = host()
    const { connection } = established(self)
    self.call({ _tag: "TcpClose", connection })
    assert.strictEqual(read(self, connection).outcome()._tag, "Failed")
  })
  it("rfc: 9293 §3.6.1 MUST-13: the active closer keeps the pair of sockets for its time", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    self.call({ _tag: "TcpClose", connection })
    peer.take()
    peer.send({ seq, ack: ack + 1, flags: ACK | FIN })
    peer.take()
    self.advance(millis(59_999))
    assert.strictEqual(self.state.tcp.timeWaits.value, 1)
    self.advance(millis(2))
    assert.strictEqual(self.state.tcp.timeWaits.value, 0)
  })
  it("rfc: 9293 §3.6.1 SHLD-4: timestamps let a new connection in that numbers alone would not", () => {
    const opens = (value: number): boolean => {
      const self = host()
      const { ack, connection, peer, seq } = established(self, {
        options: { maximumSegmentSize: 1000, timestampValue: 100 }
      })
      self.call({ _tag: "TcpClose", connection })
      peer.take()
      const options = { timestampValue: 110, timestampEcho: 0 }
      peer.send({ seq, ack: ack + 1, flags: ACK | FIN, options })
      peer.take()
      peer.send({ seq: seq - 1000, flags: SYN, options: { timestampValue: value, timestampEcho: 0 } })
      return (peer.one().flags & SYN) !== 0
    }
    assert.deepStrictEqual([opens(111), opens(109)], [true, false])
  })
})

describe("Retransmission and acknowledgement (RFC 9293 Appendix B)", () => {
  it("rfc: 9293 §3.8.1 MUST-18: the SYN that went twice measures nothing (Karn), and the timeout backs off", () => {
    const self = host()
    const { asked, peer } = connecting(self, { timestamps: false })
    const { seq } = peer.one()
    const times: Array<number> = []
    for (let at = 100; at <= 8000; at += 100) {
      self.advance(millis(100))
      if (peer.take().length > 0) times.push(at)
    }
    assert.deepStrictEqual(times, [1000, 3000, 7000])
    peer.send({ seq: 1, ack: seq + 1, flags: SYN | ACK })
    const { rto, smoothedRtt, state } = self.call({ _tag: "TcpList" })[0]!
    assert.deepStrictEqual([asked.outcome()._tag, state], ["Done", "ESTABLISHED"])
    assert.deepStrictEqual([Time.toMillis(smoothedRtt), Time.toMillis(rto)], [0, 3000])
  })
  it("rfc: 9293 §3.8.2 MUST-19: the window begins small, grows with ACKs, and comes down by a loss", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { delay: millis(10) })
    const window = () => info(self, connection).congestionWindow
    assert.strictEqual(window(), 10_000)
    write(self, connection, text(60_000))
    assert.strictEqual(peer.take().length, 10)
    peer.send({ seq, ack: ack + 10_000, flags: ACK })
    assert.strictEqual(window(), 20_000)
    for (let i = 0; i < 3; i++) peer.send({ seq, ack: ack + 10_000, flags: ACK })
    assert.isBelow(window(), 20_000)
  })
  it("rfc: 9293 §3.8.3 MUST-21 SHLD-9 SHLD-11: each timeout is told; the program says when to give up, by default not before 100 seconds", () => {
    const gaveUpAfter = (listenOptions: object): number => {
      const self = host()
      const { connection } = established(self, { listenOptions })
      write(self, connection, text(10))
      const waiting = read(self, connection, 1, true)
      let at = 0
      while (waiting.outcome()._tag === "Pending") {
        self.advance(seconds(1))
        at += 1
      }
      const told = events(self).filter((event) => event === "timeout").length
      assert.isAtLeast(told, 2)
      return at
    }
    assert.isAbove(gaveUpAfter({}), 100)
    assert.isBelow(gaveUpAfter({ retries: 2 }), 10)
  })
  it("rfc: 9293 §3.8.3 MUST-22 MUST-23: a SYN is given up by the same rule, by default not before three minutes", () => {
    const self = host()
    const { asked } = connecting(self)
    self.advance(seconds(180))
    assert.strictEqual(asked.outcome()._tag, "Pending")
    self.advance(seconds(180))
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "connect" } })
  })
  it("rfc: 9293 §3.10.7.4 MUST-58 MUST-59 MAY-13: what waits behind a gap is taken at once with what fills it, and acknowledged once", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    for (const at of [1000, 2000, 3000]) {
      peer.send({ seq: seq + at, ack, flags: ACK, text: text(1000) })
      assert.strictEqual(peer.one().ack, seq)
    }
    peer.send({ seq, ack, flags: ACK, text: text(1000) })
    assert.strictEqual(peer.one().ack, seq + 4000)
    assert.strictEqual(info(self, connection).unread, 4000)
  })
  it("rfc: 9293 §3.8.6.3 SHLD-18 MUST-40: an ACK may wait, for less than half a second", () => {
    const self = host()
    const { ack, peer, seq } = established(self, { listenOptions: { quickAcks: 0 } })
    peer.send({ seq, ack, flags: ACK, text: text(10) })
    assert.isTrue(peer.silent())
    wait(self, millis(499))
    assert.strictEqual(peer.one().ack, seq + 10)
  })
  it("rfc: 9293 §3.10.7.4 MAY-12: an ACK of what was acknowledged long ago is challenged", () => {
    const self = host()
    const { ack, peer, seq } = established(self, { window: 1000 })
    peer.send({ seq, ack: ack - 2000, flags: ACK, text: text(10) })
    const challenge = peer.one()
    assert.deepStrictEqual([challenge.seq, challenge.ack], [ack, seq])
  })
})

describe("Keepalive (RFC 9293 Appendix B)", () => {
  it("rfc: 9293 §3.8.4 MAY-5 MUST-24 MUST-25 MUST-27 MUST-28: off unless asked for; then after two hours, or after what the program says", () => {
    const probes = (options: object, hours: number): number => {
      const self = host()
      const { ack, peer, seq } = established(self, { listenOptions: options })
      let count = 0
      for (let i = 0; i < hours * 60; i++) {
        self.advance(seconds(60))
        for (const got of peer.take()) {
          count += 1
          peer.send({ seq, ack: got.seq + 1 === ack ? ack : got.seq, flags: ACK })
        }
      }
      return count
    }
    assert.deepStrictEqual([probes({}, 5), probes({ keepAlive: true }, 5)], [0, 2])
    assert.isAbove(probes({ keepAlive: true, keepAliveIdle: seconds(600) }, 5), 20)
    assert.isAtLeast(Time.toMillis(defaults.keepAliveIdle), 7_200_000)
  })
  it("rfc: 9293 §3.8.4 MUST-29 SHLD-12: probes have no text, and one that is not answered ends nothing", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { keepAlive: true, keepAliveIdle: seconds(10), keepAliveInterval: seconds(1) }
    })
    self.advance(seconds(12))
    const asked = peer.take()
    assert.isAbove(asked.length, 1)
    assert.isTrue(asked.every((got) => got.text.length === 0 && got.seq === ((ack - 1) | 0)))
    peer.send({ seq, ack, flags: ACK })
    self.advance(seconds(5))
    assert.strictEqual(info(self, connection).state, "ESTABLISHED")
  })
})

describe("IP (RFC 9293 Appendix B)", () => {
  it("rfc: 9293 §3.9.1.8 MUST-47, §3.9.2.2 MUST-56: a soft error of the way is told, can be asked for, and ends nothing", () => {
    const self = host()
    const { connection } = established(self)
    write(self, connection, text(10))
    unreachable(self, self.takeFrames(1)[0]!, 1)
    assert.deepInclude(events(self), "unreachable")
    const { lastError, state } = info(self, connection)
    assert.deepStrictEqual([lastError?._tag, state], ["Unreachable", "ESTABLISHED"])
  })
  it("rfc: 9293 §3.9.2.2 MUST-55: a source quench is dropped", () => {
    const self = host()
    const { connection } = established(self)
    write(self, connection, text(10))
    const before = info(self, connection).congestionWindow
    unreachable(self, self.takeFrames(1)[0]!, 0, 4)
    assert.strictEqual(info(self, connection).congestionWindow, before)
    assert.deepStrictEqual(self.drops().map((drop) => drop.reason), ["IcmpDeprecated"])
  })
  it("rfc: 9293 §3.9.2 MUST-48 MUST-49 SHLD-21 SHLD-22: the program sets the class and the hop limit of segments, at any time", () => {
    const self = host()
    const { connection } = established(self, { listenOptions: { trafficClass: 0xb8, hopLimit: 5, noDelay: true } })
    const sent = (): ReadonlyArray<number> => {
      write(self, connection, text(1))
      const frame = self.takeFrames(1)[0]!
      return [frame[15]!, frame[22]!]
    }
    assert.deepStrictEqual(sent(), [0xb8, 5])
    self.call({ _tag: "TcpSetOptions", connection, options: { trafficClass: 0x20, hopLimit: 0 } })
    assert.deepStrictEqual(sent(), [0x20, 64])
  })
})
