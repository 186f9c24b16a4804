import { assert, describe, it } from "@effect/vitest"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Family from "../family.ts"
import { connectRequest, drain, pair, pattern } from "./Pair.ts"
import { ACK, FIN, host, listen, Peer, read, remote, RST, SYN, text, write } from "./Peer.ts"
import * as Invariants from "./properties/Invariants.ts"

const empty = { bytes: new Uint8Array(0), start: 0, end: 0 }

const serving = (options: object = {}, limits = {}) => {
  const self = host({ limits })
  const listener = listen(self, 80, 16, { fastOpen: "server", ...options })
  return { self, listener, peer: new Peer(self, 80) }
}

const piece = (bytes: Uint8Array) => ({ bytes, start: 0, end: bytes.length })

const askForCookie = (peer: Peer): Uint8Array => {
  peer.send({ seq: 1, flags: SYN, options: { maximumSegmentSize: 1000, fastOpenCookie: empty } })
  const { options } = peer.one()
  const cookie = options.fastOpenCookie!
  peer.send({ seq: 2, flags: RST })
  return cookie.bytes.slice(cookie.start, cookie.end)
}

describe("A Fast Open server (RFC 7413 §4.2)", () => {
  it("gives a cookie to who asks, and takes the text of a SYN that brings it back", () => {
    const { listener, peer, self } = serving()
    const cookie = askForCookie(peer)
    assert.strictEqual(cookie.length, 8)
    for (const half of [cookie.subarray(0, 4), cookie.subarray(4)]) assert.isTrue(half.some((octet) => octet !== 0))
    peer.send({
      seq: 1000,
      flags: SYN,
      text: text(50),
      options: { maximumSegmentSize: 1000, fastOpenCookie: piece(cookie) }
    })
    const answer = peer.one()
    assert.deepStrictEqual([answer.flags, answer.ack], [SYN | ACK, 1051])
    // The program has it before the handshake is over, and its answer leaves then too.
    const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
    const got = read(self, connection).outcome()
    assert.strictEqual(got._tag === "Done" ? got.value.length : 0, 50)
    write(self, connection, text(20))
    assert.strictEqual(peer.one().text.length, 20)
    assert.strictEqual(self.state.tcp.fastOpens.value, 1)
    peer.send({ seq: 1051, ack: answer.seq + 21, flags: ACK })
    assert.isTrue(peer.silent())
    assert.strictEqual(self.state.tcp.fastOpens.value, 0)
    Invariants.checkHost(self)
  })
  it("takes no text with a wrong cookie, and gives the right one (rfc: 7413 §4.2.2)", () => {
    const { peer } = serving()
    const cookie = askForCookie(peer)
    const wrong = cookie.map((byte) => byte ^ 1)
    peer.send({
      seq: 1000,
      flags: SYN,
      text: text(50),
      options: { maximumSegmentSize: 1000, fastOpenCookie: piece(wrong) }
    })
    const answer = peer.one()
    assert.strictEqual(answer.ack, 1001)
    const given = answer.options.fastOpenCookie!
    assert.deepStrictEqual(given.bytes.slice(given.start, given.end), cookie)
  })
  it("ignores the option unless the program wants it (rfc: 7413 §4.2 MUST)", () => {
    const self = host()
    listen(self)
    const peer = new Peer(self, 80)
    peer.send({ seq: 1000, flags: SYN, text: text(5), options: { maximumSegmentSize: 1000, fastOpenCookie: empty } })
    const answer = peer.one()
    assert.deepStrictEqual([answer.ack, answer.options.fastOpenCookie], [1001, undefined])
  })
  it("takes text of so many at once only; of others after the handshake (rfc: 7413 §4.2 MUST)", () => {
    const { peer, self } = serving({}, { tcpFastOpens: 2 })
    const options = { maximumSegmentSize: 1000, fastOpenCookie: piece(askForCookie(peer)) }
    const acks = [1, 2, 3].map((port) => {
      const other = new Peer(self, 80, port)
      other.send({ seq: 1000, flags: SYN, text: text(5), options })
      return other.one().ack
    })
    assert.deepStrictEqual(acks, [1006, 1006, 1001])
  })
  it("takes text of others again once one of them is established, or has ended (rfc: 7413 §4.2 MUST)", () => {
    const { peer, self } = serving({}, { tcpFastOpens: 1 })
    const options = { maximumSegmentSize: 1000, fastOpenCookie: piece(askForCookie(peer)) }
    const open = (port: number): { readonly other: Peer; readonly seq: number; readonly ack: number } => {
      const other = new Peer(self, 80, port)
      other.send({ seq: 1000, flags: SYN, text: text(5), options })
      const { ack, seq } = other.one()
      return { other, seq, ack }
    }
    const first = open(1)
    assert.deepStrictEqual([first.ack, open(2).ack], [1006, 1001])
    Invariants.checkHost(self)
    first.other.send({ seq: 1006, flags: RST })
    const second = open(3)
    assert.deepStrictEqual([second.ack, open(4).ack], [1006, 1001])
    second.other.send({ seq: 1006, ack: second.seq + 1, flags: ACK })
    const third = open(5)
    assert.deepStrictEqual([third.ack, open(6).ack], [1006, 1001])
    third.other.send({ seq: 1006, ack: third.seq + 1, flags: ACK })
    third.other.send({ seq: 1006, ack: third.seq + 1, flags: RST })
    assert.strictEqual(self.state.tcp.fastOpens.value, 0)
  })
  it("answers the SYN again when it comes again, and its own when the ACK does not come", () => {
    const { peer, self } = serving()
    const options = { maximumSegmentSize: 1000, fastOpenCookie: piece(askForCookie(peer)) }
    peer.send({ seq: 1000, flags: SYN, text: text(50), options })
    const first = peer.one()
    peer.send({ seq: 1000, flags: SYN, text: text(50), options })
    assert.deepStrictEqual([peer.one().ack, first.ack], [1051, 1051])
    self.advance(seconds(1))
    assert.strictEqual(peer.one().flags, SYN | ACK)
  })
  it("gives a cookie with its first SYN/ACK only (rfc: 7413 §4.2.2 SHOULD)", () => {
    const { peer, self } = serving()
    peer.send({ seq: 1, flags: SYN, options: { maximumSegmentSize: 1000, fastOpenCookie: empty } })
    self.advance(seconds(3))
    const has = peer.take().map((got) => got.options.fastOpenCookie !== undefined)
    assert.deepStrictEqual(has, [true, false, false])
  })
})

describe("A Fast Open client (RFC 7413 §4.1.3, §4.2)", () => {
  const connect = (self: ReturnType<typeof host>, localPort: number) => {
    const asked = self.request({ ...connectRequest({ fastOpen: "client" }), remote, remotePort: 80, localPort })
    return { asked, peer: new Peer(self, localPort, 80) }
  }
  /** A host that has got a cookie. */
  const knowing = () => {
    const self = host()
    const { peer } = connect(self, 5000)
    const syn = peer.one()
    assert.strictEqual(syn.options.fastOpenCookie?.end, syn.options.fastOpenCookie?.start)
    const options = { maximumSegmentSize: 1200, fastOpenCookie: piece(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)) }
    peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK, options })
    peer.take()
    return self
  }
  /** A connection whose SYN has left with `length` bytes of text. */
  const launched = (length: number) => {
    const self = knowing()
    const { asked, peer } = connect(self, 5001)
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not open")
    const { connection } = outcome.value
    write(self, connection, text(length))
    return { self, peer, connection }
  }
  it("asks for a cookie first, then sends it with its first text; connect answers at once", () => {
    const self = knowing()
    const { asked, peer } = connect(self, 5001)
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not open")
    assert.isTrue(peer.silent())
    write(self, outcome.value.connection, text(100))
    const syn = peer.one()
    assert.deepStrictEqual([syn.flags, syn.text.length], [SYN, 100])
    const { bytes, end, start } = syn.options.fastOpenCookie!
    assert.deepStrictEqual([...bytes.subarray(start, end)], [1, 2, 3, 4, 5, 6, 7, 8])
    peer.send({ seq: 1, ack: syn.seq + 101, flags: SYN | ACK, options: { maximumSegmentSize: 1200 } })
    const ack = peer.one()
    assert.deepStrictEqual([ack.seq, ack.flags], [(syn.seq + 101) | 0, ACK])
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection: outcome.value.connection }).inFlight, 0)
  })
  it("sends what the server did not take again, and leaves it alone for a while (rfc: 7413 §4.1.3.1 MUST)", () => {
    const self = knowing()
    const { asked, peer } = connect(self, 5001)
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not open")
    write(self, outcome.value.connection, text(100))
    const syn = peer.one()
    peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK, options: { maximumSegmentSize: 1200 } })
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [100])
    const next = connect(self, 5002)
    assert.strictEqual(next.peer.one().options.fastOpenCookie, undefined)
    self.advance(seconds(3601))
    assert.isDefined(connect(self, 5003).peer.take().at(-1)!.options.fastOpenCookie)
  })
  it("goes on without it when nothing answers", () => {
    const self = knowing()
    const { asked, peer } = connect(self, 5001)
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not open")
    write(self, outcome.value.connection, text(100))
    peer.take()
    self.advance(seconds(1))
    const syn = peer.one()
    assert.deepStrictEqual([syn.flags, syn.text.length, syn.options.fastOpenCookie], [SYN, 0, undefined])
    peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK, options: { maximumSegmentSize: 1200 } })
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [100])
  })
  it("sends the rest of what the server took in part, right with the last ACK (rfc: 7413 §4.2.2 SHOULD)", () => {
    const { connection, peer, self } = launched(100)
    const syn = peer.one()
    peer.send({ seq: 1, ack: syn.seq + 61, flags: SYN | ACK, options: { maximumSegmentSize: 1200 } })
    const got = peer.one()
    assert.deepStrictEqual([got.seq, [...got.text]], [(syn.seq + 61) | 0, [...text(40, 60)]])
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection }).bytesAcked, 60)
    // Taking a part is no refusal.
    assert.isTrue(connect(self, 5002).peer.silent())
  })
  it("takes a new cookie that comes with the answer to the old one (rfc: 7413 §4.2.2)", () => {
    const { peer, self } = launched(100)
    const syn = peer.one()
    const options = { maximumSegmentSize: 1200, fastOpenCookie: piece(Uint8Array.of(9, 9, 9, 9)) }
    peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK, options })
    assert.strictEqual(peer.one().text.length, 100)
    const next = connect(self, 5002)
    const outcome = next.asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not open")
    write(self, outcome.value.connection, text(1))
    const { bytes, end, start } = next.peer.one().options.fastOpenCookie!
    assert.deepStrictEqual([...bytes.subarray(start, end)], [9, 9, 9, 9])
  })
  it("does not ask again at once who gave no cookie (rfc: 7413 §4.2.1 RECOMMENDED)", () => {
    const self = host()
    const { peer } = connect(self, 5000)
    peer.send({ seq: 1, ack: peer.one().seq + 1, flags: SYN | ACK, options: { maximumSegmentSize: 1200 } })
    peer.take()
    assert.strictEqual(connect(self, 5001).peer.one().options.fastOpenCookie, undefined)
    self.advance(seconds(3601))
    assert.isDefined(connect(self, 5002).peer.take().at(-1)!.options.fastOpenCookie)
  })
  it("gives up at its connectTimeout like any other", () => {
    const self = knowing()
    const asked = self.request({
      ...connectRequest({ fastOpen: "client", connectTimeout: seconds(5) }),
      remote,
      remotePort: 80,
      localPort: 5001
    })
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not open")
    write(self, outcome.value.connection, text(1))
    const reading = read(self, outcome.value.connection, 10, true)
    self.advance(millis(4999))
    assert.strictEqual(reading.outcome()._tag, "Pending")
    self.advance(millis(2))
    assert.strictEqual(reading.outcome()._tag, "Failed")
  })
  it("that closes at once delivers what it has written, with a FIN", () => {
    const { connection, peer, self } = launched(100)
    const syn = peer.one()
    self.call({ _tag: "TcpClose", connection })
    peer.send({ seq: 1, ack: syn.seq + 51, flags: SYN | ACK, options: { maximumSegmentSize: 1200 } })
    const got = peer.one()
    assert.deepStrictEqual([got.text.length, got.flags & FIN], [50, FIN])
  })
  it("that meets another one: text in both SYNs, and one connection (simultaneous open)", () => {
    const { connection, peer, self } = launched(100)
    const syn = peer.one()
    peer.send({ seq: 1, flags: SYN, options: { maximumSegmentSize: 1200 } })
    const answer = peer.one()
    assert.deepStrictEqual([answer.flags, answer.seq, answer.ack], [SYN | ACK, syn.seq, 2])
    peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK })
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection }).state, "ESTABLISHED")
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [100])
  })
  it("that never writes closes without a segment", () => {
    const self = knowing()
    const { asked, peer } = connect(self, 5001)
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not open")
    self.call({ _tag: "TcpClose", connection: outcome.value.connection })
    assert.isTrue(peer.silent())
  })
  it("saves a round trip end to end, and loses nothing", () => {
    const hosts = pair({ options: { fastOpen: "server" } })
    const exchange = (): number => {
      const asked = hosts.client.request(connectRequest({ fastOpen: "client" }))
      hosts.wire.exchange()
      const outcome = asked.outcome()
      if (outcome._tag !== "Done") throw new Error("not open")
      const before = hosts.wire.carried.length
      write(hosts.client, outcome.value.connection, pattern(5000), true)
      hosts.client.call({ _tag: "TcpShutdown", connection: outcome.value.connection, read: false, write: true })
      hosts.wire.advance(millis(500))
      const accepted = hosts.server.call({ _tag: "TcpAccept", listener: hosts.listener, block: false })
      const got = drain(hosts.server, accepted.connection)
      assert.deepStrictEqual([...got.bytes], [...pattern(5000)])
      assert.isTrue(got.end)
      const first = hosts.wire.carried[before]!
      return first[14 + Family.headerLength + 13]! & (SYN | FIN)
    }
    assert.strictEqual(exchange() & SYN, 0)
    assert.strictEqual(exchange() & SYN, SYN)
  })
})
