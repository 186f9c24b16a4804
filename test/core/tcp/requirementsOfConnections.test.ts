/** Requirements of RFC 9293 Appendix B about connections that the other files do not name, in its order. */
import { assert, describe, it } from "@effect/vitest"
import { defaults } from "../../../src/core/tcp/Config.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Family from "../family.ts"
import * as Packets from "../Packets.ts"
import { connectRequest } from "./Pair.ts"
import {
  ACK,
  established,
  FIN,
  host,
  listen,
  local,
  Peer,
  read,
  remote,
  report,
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
    const second = Family.address(2)
    const self = host({ interfaces: [{ addresses: [[local, Family.prefixLength], [second, Family.prefixLength]] }] })
    const from = (chosen: Address.Address | undefined): unknown => {
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
    const groups: ReadonlyArray<Address.Address> = Family.choose(
      [Address.broadcastV4, Address.v4(224, 0, 0, 1), Address.v4(10, 0, 0, 255)],
      [Address.v6(0xff020000, 0, 0, 1), Address.v6(0xff0e0000, 0, 0, 1)]
    )
    for (const destination of groups) peer.send({ seq: 1, flags: SYN, destination })
    const nobody = Family.choose(Address.v4(0, 0, 0, 0), Address.v6(0, 0, 0, 0))
    for (const source of [...groups.slice(0, 2), nobody]) {
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
    report(self, 3, 1, self.takeFrames(1)[0]!)
    assert.deepInclude(events(self), "unreachable")
    const { lastError, state } = info(self, connection)
    assert.deepStrictEqual([lastError?._tag, state], ["Unreachable", "ESTABLISHED"])
  })
  // ICMPv6 has none.
  if (Family.version === 4) {
    it("rfc: 9293 §3.9.2.2 MUST-55: a source quench is dropped", () => {
      const self = host()
      const { connection } = established(self)
      write(self, connection, text(10))
      const before = info(self, connection).congestionWindow
      report(self, 4, 0, self.takeFrames(1)[0]!)
      assert.strictEqual(info(self, connection).congestionWindow, before)
      assert.deepStrictEqual(self.drops().map((drop) => drop.reason), ["IcmpDeprecated"])
    })
  }
  it("rfc: 9293 §3.9.2 MUST-48 MUST-49 SHLD-21 SHLD-22: the program sets the class and the hop limit of segments, at any time", () => {
    const self = host()
    const { connection } = established(self, { listenOptions: { trafficClass: 0xb8, hopLimit: 5, noDelay: true } })
    const sent = (): ReadonlyArray<number> => {
      write(self, connection, text(1))
      const { hopLimit, trafficClass } = Packets.read(self.takeFrames(1)[0]!)!
      return [trafficClass, hopLimit]
    }
    assert.deepStrictEqual(sent(), [0xb8, 5])
    self.call({ _tag: "TcpSetOptions", connection, options: { trafficClass: 0x20, hopLimit: 0 } })
    assert.deepStrictEqual(sent(), [0x20, 64])
  })
})
