import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { connected, connectRequest, pair, stateOf as pairState } from "./Pair.ts"
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
  stateOf,
  SYN,
  text,
  write
} from "./Peer.ts"

const call = (self: Host, _tag: "TcpClose" | "TcpAbort", connection: number) => self.call({ _tag, connection })
const shutdown = (self: Host, connection: number) =>
  self.call({ _tag: "TcpShutdown", connection, read: false, write: true })

const connecting = (self: Host, options = {}) => {
  const asked = self.request({
    _tag: "TcpConnect",
    remote,
    remotePort: 80,
    local: undefined,
    localPort: 4000,
    link: undefined,
    options,
    block: true
  })
  const peer = new Peer(self, 4000, 80)
  return { asked, peer, syn: peer.one() }
}

describe("A segment for nobody (RFC 9293 §3.10.7.1)", () => {
  it("without ACK is answered by RST with number zero that acknowledges it", () => {
    const peer = new Peer(host(), 81)
    peer.send({ seq: 500, flags: SYN | FIN, text: text(10) })
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.ack, got.flags], [0, 512, RST | ACK])
  })
  it("with ACK is answered by RST with that number", () => {
    const peer = new Peer(host(), 81)
    peer.send({ seq: 500, ack: 77, flags: ACK, text: text(10) })
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.flags], [77, RST])
  })
  it("that is a RST is never answered (rfc: 9293 §3.5.2)", () => {
    const peer = new Peer(host(), 81)
    peer.send({ seq: 500, ack: 77, flags: RST | ACK })
    assert.isTrue(peer.silent())
  })
})

describe("A listener (RFC 9293 §3.10.7.2)", () => {
  const listening = () => {
    const self = host()
    listen(self)
    return new Peer(self, 80)
  }
  it("first check: ignores a RST", () => {
    const peer = listening()
    peer.send({ seq: 5, flags: RST | SYN })
    assert.isTrue(peer.silent())
  })
  it("second check: resets an ACK", () => {
    const peer = listening()
    peer.send({ seq: 5, ack: 99, flags: ACK | SYN })
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.flags], [99, RST])
  })
  it("third check: answers a SYN, and acknowledges nothing that came with it", () => {
    const peer = listening()
    peer.send({ seq: 5, flags: SYN | PSH, text: text(20) })
    const got = peer.one()
    assert.deepStrictEqual([got.flags, got.ack], [SYN | ACK, 6])
  })
  it("drops a SYN that ends as it begins; PSH and URG with one mean nothing (§3.10.7.2, third check)", () => {
    const self = host()
    listen(self)
    const peer = new Peer(self, 80)
    peer.send({ seq: 500, flags: SYN | FIN })
    peer.send({ seq: 500, flags: SYN | FIN | PSH, text: text(5) })
    assert.isTrue(peer.silent())
    assert.deepStrictEqual(self.drops().map((drop) => drop.reason), ["TcpUnexpectedFin", "TcpUnexpectedFin"])
    peer.send({ seq: 500, flags: SYN | RST })
    assert.isTrue(peer.silent())
    peer.send({ seq: 500, flags: SYN | PSH | 0x20, urgentPointer: 1 })
    assert.deepStrictEqual([peer.one().flags, self.state.tcp.halfOpen.value], [SYN | ACK, 1])
  })
  it("drops what has none of them", () => {
    const peer = listening()
    peer.send({ seq: 5, flags: FIN | PSH, text: text(3) })
    assert.isTrue(peer.silent())
    assert.strictEqual(peer.host.dropCount("TcpNoAck"), 1)
  })
  it("takes the address before the wildcard", () => {
    const self = host()
    listen(self)
    const exact = self.call({
      _tag: "TcpListen",
      local,
      version: undefined,
      port: 80,
      backlog: 3,
      options: {},
      link: undefined
    })
    const peer = new Peer(self, 80)
    peer.send({ seq: 5, flags: SYN })
    const incoming = self.notices().find((change) => change._tag === "ConnectionIncoming")
    assert.strictEqual(incoming?.listener, exact.listener)
  })
  it("refuses a second one with the same ends", () => {
    const self = host()
    listen(self)
    const again = self.request({
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port: 80,
      backlog: 3,
      options: {},
      link: undefined
    }).outcome()
    assert.deepStrictEqual(again, { _tag: "Failed", reason: { _tag: "AddressInUse" } })
  })
})

describe("An active opener in SYN-SENT (RFC 9293 §3.10.7.3)", () => {
  it("first check: resets an ACK of what it has not sent, and goes on", () => {
    const { asked, peer, syn } = connecting(host())
    peer.send({ seq: 9, ack: syn.seq, flags: ACK })
    assert.deepStrictEqual(peer.take().map((got) => [got.seq, got.flags]), [[syn.seq, RST]])
    peer.send({ seq: 9, ack: syn.seq + 2, flags: SYN | ACK })
    assert.deepStrictEqual(peer.take().map((got) => [got.seq, got.flags]), [[(syn.seq + 2) | 0, RST]])
    assert.strictEqual(asked.outcome()._tag, "Pending")
  })
  it("second check: is refused by a RST that acknowledges its SYN, and by no other", () => {
    const { asked, peer, syn } = connecting(host())
    peer.send({ seq: 9, flags: RST })
    assert.strictEqual(asked.outcome()._tag, "Pending")
    peer.send({ seq: 0, ack: syn.seq + 1, flags: RST | ACK })
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "ConnectionRefused" } })
    assert.strictEqual(peer.host.state.tcp.entries.size, 0)
    assert.isTrue(peer.silent())
  })
  it("fourth check: is established by a SYN that acknowledges its own", () => {
    const { asked, peer, syn } = connecting(host())
    peer.send({ seq: 300, ack: syn.seq + 1, flags: SYN | ACK })
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.ack, got.flags], [(syn.seq + 1) | 0, 301, ACK])
    assert.strictEqual(asked.outcome()._tag, "Done")
  })
  it("takes text that comes with the SYN/ACK", () => {
    const self = host()
    const { asked, peer, syn } = connecting(self)
    peer.send({ seq: 300, ack: syn.seq + 1, flags: SYN | ACK, text: text(5) })
    assert.strictEqual(peer.one().ack, 306)
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not connected")
    const got = read(self, outcome.value.connection).outcome()
    assert.strictEqual(got._tag === "Done" ? got.value.length : 0, 5)
  })
  it("answers a SYN alone by SYN/ACK and is established by its ACK (rfc: 9293 §3.5 MUST-10, simultaneous open)", () => {
    const { asked, peer, syn } = connecting(host())
    peer.send({ seq: 300, flags: SYN })
    const answer = peer.one()
    assert.deepStrictEqual([answer.seq, answer.ack, answer.flags], [syn.seq, 301, SYN | ACK])
    peer.send({ seq: 300, ack: syn.seq + 1, flags: SYN | ACK })
    assert.strictEqual(asked.outcome()._tag, "Done")
  })
  it("a RST after a simultaneous SYN refuses the active opener (§3.10.7.4, second check)", () => {
    const { asked, peer } = connecting(host())
    peer.send({ seq: 300, flags: SYN })
    peer.take()
    peer.send({ seq: 301, flags: RST })
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "ConnectionRefused" } })
  })
  it("fifth check: drops what has neither SYN nor RST", () => {
    const { peer, syn } = connecting(host())
    peer.send({ seq: 300, ack: syn.seq + 1, flags: ACK })
    assert.isTrue(peer.silent())
  })
  it("sends its SYN again with backoff and gives up after `synRetries` (rfc: 9293 §3.8.3 MUST-23)", () => {
    const self = host()
    const { asked, peer } = connecting(self, { synRetries: 3 })
    const at: Array<number> = []
    for (let s = 0; s < 20; s++) {
      self.advance(Time.seconds(1))
      for (const got of peer.take()) if ((got.flags & SYN) !== 0) at.push(s + 1)
    }
    assert.deepStrictEqual(at, [1, 3, 7])
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "connect" } })
  })
})

describe("A half-open connection, SYN-RECEIVED (RFC 9293 §3.10.7.4)", () => {
  const halfOpen = () => {
    const self = host()
    listen(self)
    const peer = new Peer(self, 80)
    peer.send({ seq: 1000, flags: SYN })
    return { self, peer, iss: peer.one().seq }
  }
  it("a repeated SYN gets the SYN/ACK again", () => {
    const { iss, peer } = halfOpen()
    peer.send({ seq: 1000, flags: SYN })
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.ack, got.flags], [iss, 1001, SYN | ACK])
  })
  it("an exact RST returns it to LISTEN in silence, an inexact one is challenged (rfc: 5961 §3.2 MUST)", () => {
    const { peer, self } = halfOpen()
    peer.send({ seq: 1005, flags: RST })
    assert.strictEqual(peer.one().flags, ACK)
    assert.strictEqual(self.state.tcp.entries.size, 1)
    peer.send({ seq: 1001, flags: RST })
    assert.isTrue(peer.silent())
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("another SYN in the window returns it to LISTEN", () => {
    const { peer, self } = halfOpen()
    peer.send({ seq: 1002, flags: SYN })
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("an ACK of anything but its SYN gets a RST", () => {
    const { iss, peer } = halfOpen()
    peer.send({ seq: 1001, ack: iss + 2, flags: ACK })
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.flags], [(iss + 2) | 0, RST])
  })
  it("text with the last ACK of the handshake is taken", () => {
    const { iss, peer } = halfOpen()
    peer.send({ seq: 1001, ack: iss + 1, flags: ACK, text: text(7) })
    assert.strictEqual(peer.one().ack, 1008)
  })
  it("is forgotten after `synAckRetries`", () => {
    const { peer, self } = halfOpen()
    self.advance(Time.seconds(70))
    assert.strictEqual(peer.take().length, 5)
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
})

describe("The checks of a synchronized connection (RFC 9293 §3.10.7.4)", () => {
  it("first: what is not acceptable is answered by an ACK, a RST is not", () => {
    const self = host()
    const { ack, peer, seq } = established(self)
    peer.send({ seq: seq - 500, ack, flags: ACK, text: text(100) })
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.ack, got.flags], [ack, seq, ACK])
    peer.send({ seq: seq - 500, ack, flags: RST })
    assert.isTrue(peer.silent())
  })
  it("second: an exact RST resets, and reads hear of it; one elsewhere in the window is challenged (rfc: 5961 §3.2 MUST)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    const waiting = read(self, connection, 10, true)
    peer.send({ seq: seq + 1, ack, flags: RST })
    assert.strictEqual(peer.one().flags, ACK)
    peer.send({ seq, ack, flags: RST })
    assert.isTrue(peer.silent())
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Failed", reason: { _tag: "ConnectionReset" } })
    assert.deepStrictEqual(write(self, connection, text(1)).outcome(), {
      _tag: "Failed",
      reason: { _tag: "ConnectionReset" }
    })
    assert.strictEqual(stateOf(self, connection), "CLOSED")
    call(self, "TcpClose", connection)
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("fourth: a SYN is challenged whatever its number (rfc: 5961 §4.2 MUST)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    for (const number of [seq, seq + 5, seq - 5, seq + 10_000_000]) {
      peer.send({ seq: number, flags: SYN })
      const got = peer.one()
      assert.deepStrictEqual([got.seq, got.ack, got.flags], [ack, seq, ACK])
      self.advance(Time.seconds(1))
    }
    assert.strictEqual(stateOf(self, connection), "ESTABLISHED")
  })
  it("fifth: without ACK nothing is taken; an ACK of what was not sent is challenged (rfc: 5961 §5.2 MUST)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, flags: PSH, text: text(5) })
    assert.isTrue(peer.silent())
    peer.send({ seq, ack: ack + 1, flags: ACK, text: text(5) })
    assert.strictEqual(peer.one().ack, seq)
    self.advance(Time.seconds(1))
    peer.send({ seq, ack: ack - 200_000, flags: ACK, text: text(5) })
    assert.strictEqual(peer.one().ack, seq)
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection }).unread, 0)
  })
  it("seventh: text that straddles the window's left edge is taken in part", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, text: text(10) })
    peer.take()
    peer.send({ seq: seq + 5, ack, flags: ACK, text: text(10, 5) })
    assert.strictEqual(peer.one().ack, seq + 15)
    const got = read(self, connection).outcome()
    if (got._tag !== "Done") throw new Error("nothing to read")
    assert.deepStrictEqual(
      Buffer.concat(got.value.pieces.map((piece) => piece.bytes.subarray(piece.start, piece.end))),
      Buffer.from(text(15))
    )
  })
})

describe("Closing (RFC 9293 §3.6)", () => {
  it("actively: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, gone after its time", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    shutdown(self, connection)
    const fin = peer.one()
    assert.deepStrictEqual([fin.seq, fin.flags], [ack, FIN | ACK])
    assert.strictEqual(stateOf(self, connection), "FIN-WAIT-1")
    peer.send({ seq, ack: ack + 1, flags: ACK })
    assert.strictEqual(stateOf(self, connection), "FIN-WAIT-2")
    peer.send({ seq, ack: ack + 1, flags: FIN | ACK })
    assert.strictEqual(peer.one().ack, seq + 1)
    assert.strictEqual(stateOf(self, connection), "TIME-WAIT")
    call(self, "TcpClose", connection)
    assert.strictEqual(self.state.tcp.timeWaits.value, 1)
    self.advance(Time.seconds(59))
    assert.strictEqual(self.state.tcp.entries.size, 1)
    self.advance(Time.seconds(2))
    assert.strictEqual(self.state.tcp.entries.size, 0)
    assert.strictEqual(self.state.tcp.demux.size, 0)
  })
  it("passively: CLOSE-WAIT, LAST-ACK, gone", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: FIN | ACK })
    assert.strictEqual(peer.one().ack, seq + 1)
    assert.strictEqual(stateOf(self, connection), "CLOSE-WAIT")
    call(self, "TcpClose", connection)
    assert.strictEqual(peer.one().flags, FIN | ACK)
    peer.send({ seq: seq + 1, ack: ack + 1, flags: ACK })
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("simultaneously: CLOSING, then TIME-WAIT (§3.6, figure 13)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    shutdown(self, connection)
    peer.take()
    peer.send({ seq, ack, flags: FIN | ACK })
    assert.strictEqual(peer.one().ack, seq + 1)
    assert.strictEqual(stateOf(self, connection), "CLOSING")
    peer.send({ seq: seq + 1, ack: ack + 1, flags: ACK })
    assert.strictEqual(stateOf(self, connection), "TIME-WAIT")
  })
  it("half: text still comes after our FIN, and still goes after the peer's", () => {
    const hosts = pair()
    const [client, server] = connected(hosts)
    shutdown(hosts.client, client.connection)
    hosts.wire.exchange()
    assert.strictEqual(pairState(hosts.server, server.connection), "CLOSE-WAIT")
    write(hosts.server, server.connection, text(100))
    hosts.wire.exchange()
    const got = read(hosts.client, client.connection).outcome()
    assert.strictEqual(got._tag === "Done" ? got.value.length : 0, 100)
    assert.deepStrictEqual(write(hosts.client, client.connection, text(1)).outcome(), {
      _tag: "Failed",
      reason: { _tag: "Closed" }
    })
    shutdown(hosts.server, server.connection)
    hosts.wire.exchange()
    assert.strictEqual(pairState(hosts.client, client.connection), "TIME-WAIT")
    assert.strictEqual(pairState(hosts.server, server.connection), "CLOSED")
  })
  it("a FIN repeated in TIME-WAIT is acknowledged and begins the time anew", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    call(self, "TcpClose", connection)
    peer.take()
    peer.send({ seq, ack: ack + 1, flags: FIN | ACK })
    peer.take()
    self.advance(Time.seconds(40))
    peer.send({ seq, ack: ack + 1, flags: FIN | ACK })
    assert.strictEqual(peer.one().ack, seq + 1)
    self.advance(Time.seconds(40))
    assert.strictEqual(self.state.tcp.entries.size, 1)
    self.advance(Time.seconds(21))
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("a newer SYN reopens TIME-WAIT, an old one is acknowledged (rfc: 9293 §3.6.1 MAY-2)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    call(self, "TcpClose", connection)
    peer.take()
    peer.send({ seq, ack: ack + 1, flags: FIN | ACK })
    peer.take()
    peer.send({ seq: seq - 100, flags: SYN })
    assert.strictEqual(peer.one().flags, ACK)
    peer.send({ seq: seq + 100_000, flags: SYN })
    assert.strictEqual(peer.one().flags, SYN | ACK)
    assert.strictEqual(self.state.tcp.timeWaits.value, 0)
  })
  it("with unread text is a reset (rfc: 9293 §3.6.1 SHLD-3, RFC 2525 §2.17)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, text: text(5) })
    peer.take()
    call(self, "TcpClose", connection)
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.flags], [ack, RST | ACK])
    assert.strictEqual(self.state.tcp.entries.size, 0)
    assert.strictEqual(self.memory(), 0)
  })
  it("and then getting text is a reset", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    call(self, "TcpClose", connection)
    peer.take()
    peer.send({ seq, ack: ack + 1, flags: ACK, text: text(5) })
    assert.strictEqual(peer.one().flags & RST, RST)
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("leaves FIN-WAIT-2 after its limit when nobody holds the connection", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    call(self, "TcpClose", connection)
    peer.take()
    peer.send({ seq, ack: ack + 1, flags: ACK })
    self.advance(Time.seconds(59))
    assert.strictEqual(self.state.tcp.entries.size, 1)
    self.advance(Time.seconds(2))
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("by abort sends RST at once, and tells who waits", () => {
    const self = host()
    const { ack, connection, peer } = established(self)
    const waiting = read(self, connection, 10, true)
    call(self, "TcpAbort", connection)
    const got = peer.one()
    assert.deepStrictEqual([got.seq, got.flags], [ack, RST | ACK])
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Failed", reason: { _tag: "ConnectionAborted" } })
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("a FIN ahead of a gap is taken when the gap closes", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq: seq + 10, ack, flags: ACK | FIN, text: text(10) })
    assert.strictEqual(peer.one().ack, seq)
    peer.send({ seq, ack, flags: ACK, text: text(10) })
    assert.strictEqual(peer.one().ack, seq + 21)
    assert.strictEqual(stateOf(self, connection), "CLOSE-WAIT")
  })
  it("linger of zero resets; a linger time that passes resets and fails", () => {
    const self = host()
    const first = established(self)
    self.call({ _tag: "TcpSetOptions", connection: first.connection, options: { linger: Time.zero } })
    call(self, "TcpClose", first.connection)
    assert.strictEqual(first.peer.one().flags, RST | ACK)
    const second = established(self, { port: 81 })
    self.call({ _tag: "TcpSetOptions", connection: second.connection, options: { linger: Time.millis(100) } })
    const closing = self.request({ _tag: "TcpClose", connection: second.connection })
    assert.strictEqual(second.peer.one().flags, FIN | ACK)
    self.advance(Time.millis(101))
    assert.deepStrictEqual(closing.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "linger" } })
    assert.strictEqual(second.peer.one().flags, RST | ACK)
  })
})

describe("What is counted (RFC 4022 §3)", () => {
  const counts = (self: Host) =>
    ["tcpActiveOpens", "tcpPassiveOpens", "tcpAttemptFails", "tcpEstablishedResets"].map((name) =>
      self.counter(name as "tcpActiveOpens")
    )
  it("a passive open when the SYN comes, an active one when the SYN leaves; failures of either", () => {
    const self = host()
    listen(self)
    const peer = new Peer(self, 80)
    peer.send({ seq: 1, flags: SYN })
    assert.deepStrictEqual(counts(self), [0, 1, 0, 0])
    peer.take()
    peer.send({ seq: 2, flags: RST })
    assert.deepStrictEqual(counts(self), [0, 1, 1, 0])
    self.request({ ...connectRequest(), remote, remotePort: 80, localPort: 5000 })
    assert.deepStrictEqual(counts(self), [1, 1, 1, 0])
    const other = new Peer(self, 5000, 80)
    other.send({ seq: 1, ack: other.one().seq + 1, flags: RST | ACK })
    assert.deepStrictEqual(counts(self), [1, 1, 2, 0])
  })
  it("the end of an established connection by a reset, and opens once each", () => {
    const self = host()
    const { peer, seq } = established(self)
    assert.deepStrictEqual(counts(self), [0, 1, 0, 0])
    peer.send({ seq, flags: RST })
    assert.deepStrictEqual(counts(self), [0, 1, 0, 1])
  })
  it("an open by a cookie when its ACK comes: before that nothing is known of it", () => {
    const self = host()
    listen(self, 80, 16, { synCookies: "always" })
    const peer = new Peer(self, 80)
    peer.send({ seq: 1, flags: SYN })
    const answer = peer.one()
    assert.deepStrictEqual(counts(self), [0, 0, 0, 0])
    peer.send({ seq: 2, ack: answer.seq + 1, flags: ACK })
    assert.deepStrictEqual(counts(self), [0, 1, 0, 0])
  })
})
