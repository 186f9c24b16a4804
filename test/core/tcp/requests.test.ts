import { assert, describe, it } from "@effect/vitest"
import { millis, seconds } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { connected, connectRequest, drain, pair, pattern } from "./Pair.ts"
import { ACK, established, FIN, host, listen, Peer, read, remote, RST, stateOf, SYN, text, write } from "./Peer.ts"

const failure = (reason: "AddressInUse" | "PortsExhausted" | "NotConnected") =>
  ({ _tag: "Failed", reason: { _tag: reason } }) as const

const bytesOf = (self: Host, connection: number, max = 1 << 20): Array<number> => {
  const outcome = read(self, connection, max).outcome()
  if (outcome._tag !== "Done") throw new Error(JSON.stringify(outcome))
  const all: Array<number> = []
  for (const { bytes, end, start } of outcome.value.pieces) all.push(...bytes.subarray(start, end))
  return all
}

describe("Connecting (RFC 9293 §3.10.1)", () => {
  it("without blocking answers at once, and can be waited for", () => {
    const hosts = pair()
    const { connection } = hosts.client.call(connectRequest({}, false))
    assert.strictEqual(stateOf(hosts.client, connection), "SYN-SENT")
    const waiting = hosts.client.request({ _tag: "TcpAwait", connection, until: "established" })
    hosts.wire.exchange()
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Done", value: undefined })
  })
  it("takes text before it is established, and sends it then", () => {
    const hosts = pair()
    const { connection } = hosts.client.call(connectRequest({}, false))
    assert.deepStrictEqual(write(hosts.client, connection, text(10)).outcome(), { _tag: "Done", value: 10 })
    hosts.wire.exchange()
    const accepted = hosts.server.call({ _tag: "TcpAccept", listener: hosts.listener, block: false })
    assert.strictEqual(drain(hosts.server, accepted.connection).bytes.length, 10)
  })
  it("that is closed before it is established sends its text and FIN then", () => {
    const hosts = pair()
    const { connection } = hosts.client.call(connectRequest({}, false))
    write(hosts.client, connection, text(10))
    hosts.client.call({ _tag: "TcpShutdown", connection, read: false, write: true })
    hosts.wire.exchange()
    assert.strictEqual(stateOf(hosts.client, connection), "FIN-WAIT-2")
    const accepted = hosts.server.call({ _tag: "TcpAccept", listener: hosts.listener, block: false })
    const got = drain(hosts.server, accepted.connection)
    assert.deepStrictEqual([got.bytes.length, got.end], [10, true])
  })
  it("fails for groups, the unspecified address, mixed versions and wrong ports (rfc: 9293 §3.9.2.3 MUST-46)", () => {
    const self = host()
    const asked = (over: object) => self.request({ ...connectRequest(), ...over }).outcome()
    for (
      const over of [{ remote: 0 }, { remote: 0xe0000001 | 0 }, { remote: -1 }, { remotePort: 0 }, { remotePort: 1e6 }]
    ) {
      const outcome = asked(over)
      assert.strictEqual(outcome._tag === "Failed" ? outcome.reason._tag : "", "InvalidArgument")
    }
    const options = asked({ options: { congestionControl: "none such" } })
    assert.strictEqual(options._tag === "Failed" ? options.reason._tag : "", "InvalidArgument")
  })
  it("from a port in use towards the same socket fails with AddressInUse; towards another it does not", () => {
    const self = host()
    const asked = (localPort: number, remotePort: number) =>
      self.request({ ...connectRequest(), remote, remotePort, localPort })
    asked(5000, 80)
    assert.deepStrictEqual(asked(5000, 80).outcome(), failure("AddressInUse"))
    assert.strictEqual(asked(5000, 81).outcome()._tag, "Pending")
  })
  it("chooses ports one after another towards one socket (RFC 6056 §3.3.3), until none is left", () => {
    const self = host({
      config: { tcp: { ...host().state.config.tcp, firstEphemeralPort: 50_000, lastEphemeralPort: 50_003 } }
    })
    const open = () => self.request({ ...connectRequest({}, false), remote, remotePort: 80 }).outcome()
    const ports = [open(), open(), open(), open()].map((one) => one._tag === "Done" ? one.value.localPort : 0)
    assert.deepStrictEqual(ports.toSorted(), [50_000, 50_001, 50_002, 50_003])
    assert.deepStrictEqual(open(), failure("PortsExhausted"))
  })
  it("ends when nobody waits for it any more: a late SYN/ACK gets RST", () => {
    const self = host()
    const asked = self.request({ ...connectRequest(), remote, remotePort: 80, localPort: 5000 })
    const peer = new Peer(self, 5000, 80)
    const { seq } = peer.one()
    self.abandon(asked)
    assert.strictEqual(self.state.tcp.entries.size, 0)
    peer.send({ seq: 1, ack: seq + 1, flags: SYN | ACK })
    assert.strictEqual(peer.one().flags, RST)
  })
  it("that nobody takes the answer of is reset", () => {
    const self = host()
    const request = { ...connectRequest(), remote, remotePort: 80, localPort: 5000 }
    const asked = self.request(request)
    const peer = new Peer(self, 5000, 80)
    const { seq } = peer.one()
    peer.send({ seq: 1, ack: seq + 1, flags: SYN | ACK })
    const outcome = asked.outcome()
    peer.take()
    self.tell({ _tag: "Returned", request, value: outcome._tag === "Done" ? outcome.value : undefined })
    assert.strictEqual(peer.one().flags & RST, RST)
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("gives up after its own timeout (connectTimeout)", () => {
    const self = host()
    const asked = self.request({ ...connectRequest({ connectTimeout: millis(500) }), remote, remotePort: 80 })
    self.advance(millis(499))
    assert.strictEqual(asked.outcome()._tag, "Pending")
    self.advance(millis(1))
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "connect" } })
  })
  it("to an address of its own goes over loopback, also to itself at once (simultaneous open with itself)", () => {
    const self = host()
    const asked = self.request({ ...connectRequest(), remote: 0x7f000001, remotePort: 6000, localPort: 6000 })
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error(JSON.stringify(outcome))
    const { connection } = outcome.value
    write(self, connection, text(20))
    assert.deepStrictEqual(bytesOf(self, connection), [...text(20)])
  })
})

describe("Reading and writing (RFC 9293 §3.10.2, §3.10.3)", () => {
  it("a read takes at most what it asks for, and reads are answered in their order", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    const first = read(self, connection, 3, true)
    const second = read(self, connection, 100, true)
    peer.send({ seq, ack, flags: ACK, text: text(10) })
    const [a, b] = [first.outcome(), second.outcome()]
    assert.deepStrictEqual([a, b].map((one) => one._tag === "Done" ? one.value.length : 0), [3, 7])
  })
  it("nobody waits for the last FIN to be acknowledged when a reset has come for it (RFC 9293 §3.10.7.4)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    const drained = () => self.request({ _tag: "TcpAwait", connection, until: "drained" })
    peer.send({ seq, ack, flags: FIN | ACK })
    self.call({ _tag: "TcpShutdown", connection, read: false, write: true })
    const before = drained()
    assert.strictEqual(before.outcome()._tag, "Pending")
    peer.send({ seq: seq + 1, flags: RST })
    const answered = { _tag: "Done", value: undefined }
    assert.deepStrictEqual([before.outcome(), drained().outcome()], [answered, answered])
  })
  it("a write that may not wait for room has written nothing", () => {
    const self = host({ limits: { parkedRequests: 0 } })
    const { connection, peer } = established(self, {
      window: 0,
      listenOptions: { sendBuffer: 1000, sendBufferLimit: 1000 }
    })
    const refused = { _tag: "Failed", reason: { _tag: "LimitReached", bound: "parkedRequests" } } as const
    assert.deepStrictEqual(write(self, connection, text(3000), true).outcome(), refused)
    assert.strictEqual(self.memory(), 0)
    assert.deepStrictEqual(write(self, connection, text(300, 7), true).outcome(), { _tag: "Done", value: 300 })
    self.advance(seconds(1))
    assert.isTrue(peer.take().every((got) => got.text.every((byte, i) => byte === ((7 + i) & 0xff))))
  })
  it("what a read has got stays as it is", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    const got = read(self, connection).outcome()
    if (got._tag !== "Done") throw new Error("nothing")
    const before = got.value.pieces.map((piece) => piece.bytes.slice(piece.start, piece.end))
    for (let i = 0; i < 20; i++) peer.send({ seq: seq + 100 + i * 100, ack, flags: ACK, text: text(100, 50) })
    bytesOf(self, connection)
    assert.deepStrictEqual(got.value.pieces.map((piece) => piece.bytes.slice(piece.start, piece.end)), before)
  })
  it("the end is told after the last byte, to those who wait and to those who come later", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    const end = { _tag: "Done", value: { pieces: [], spent: [], length: 0, end: true } }
    const waiting = [read(self, connection, 100, true), read(self, connection, 100, true)]
    peer.send({ seq, ack, flags: ACK | FIN, text: text(5) })
    const first = waiting[0]!.outcome()
    assert.strictEqual(first._tag === "Done" ? first.value.length : 0, 5)
    assert.deepStrictEqual(waiting[1]!.outcome(), end as never)
    assert.deepStrictEqual(read(self, connection).outcome(), end as never)
  })
  it("a read that nobody waits for any more takes nothing", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    const gone = read(self, connection, 100, true)
    const waiting = read(self, connection, 100, true)
    self.abandon(gone)
    peer.send({ seq, ack, flags: ACK, text: text(5) })
    assert.strictEqual(waiting.outcome()._tag, "Done")
    assert.strictEqual(self.state.tickets.size, 0)
  })
  it("bytes that found nobody come back in front, in part read or not", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    const request = { _tag: "TcpRead", connection, max: 30, block: false } as const
    read(self, connection, 10)
    const value = self.call(request)
    self.tell({ _tag: "Returned", request, value })
    peer.send({ seq: seq + 100, ack, flags: ACK, text: text(50, 100) })
    assert.deepStrictEqual(bytesOf(self, connection), [...text(140, 10)])
    self.call({ _tag: "TcpClose", connection })
    peer.send({ seq: seq + 150, ack: ack + 1, flags: ACK | FIN })
    self.advance(seconds(100))
    assert.strictEqual(self.memory(), 0)
  })
  it("an accepted connection that found nobody goes back in front of the queue", () => {
    const self = host()
    const listener = listen(self)
    for (const port of [1, 2]) {
      const peer = new Peer(self, 80, port)
      peer.send({ seq: 1000, flags: SYN })
      peer.send({ seq: 1001, ack: peer.one().seq + 1, flags: ACK })
    }
    const request = { _tag: "TcpAccept", listener, block: false } as const
    const value = self.call(request)
    self.tell({ _tag: "Returned", request, value })
    assert.deepStrictEqual(self.call(request), value)
  })
  it("the send buffer holds what a hole keeps in it while sending goes on: three windows", () => {
    const self = host()
    const { connection } = established(self, {
      listenOptions: { sendBuffer: 1000, sendBufferLimit: 100_000, initialWindow: 10 },
      options: { maximumSegmentSize: 1000 }
    })
    const bytes = pattern(200_000)
    const request = {
      _tag: "TcpWrite",
      connection,
      bytes,
      start: 0,
      end: bytes.length,
      owned: false,
      block: false
    } as const
    assert.strictEqual(self.call(request), 30_000)
  })
  it("writes are taken in their order, across a full buffer, copied or owned", () => {
    const hosts = pair()
    const [client, server] = connected(hosts, { sendBuffer: 10_000, sendBufferLimit: 10_000 })
    const sizes = [50, 20_000, 3, 70_000, 4096, 1, 10_000]
    let from = 0
    const asked = sizes.map((size, i) => {
      const bytes = pattern(size, from)
      from += size
      return hosts.client.request({
        _tag: "TcpWrite",
        connection: client.connection,
        bytes,
        start: 0,
        end: size,
        owned: i % 2 === 1,
        block: true
      })
    })
    const parts: Array<Uint8Array> = []
    for (let i = 0; i < 100; i++) {
      hosts.wire.advance(millis(50))
      parts.push(drain(hosts.server, server.connection).bytes)
    }
    assert.deepStrictEqual(asked.map((one) => one.outcome()), sizes.map((value) => ({ _tag: "Done", value }) as const))
    assert.deepStrictEqual(Buffer.concat(parts), Buffer.from(pattern(from)))
  })
  it("a copied write may be changed at once", () => {
    const self = host()
    const { connection, peer } = established(self, { window: 0 })
    const bytes = text(100)
    write(self, connection, bytes)
    bytes.fill(0)
    peer.send({ seq: 1001, ack: peer.take().at(-1)?.seq ?? 0, flags: ACK })
    self.advance(seconds(1))
    const probe = peer.take().at(-1)!
    peer.send({ seq: 1001, ack: probe.seq + 1, flags: ACK, window: 5000 })
    assert.deepStrictEqual([...peer.one().text], [...text(100)])
  })
  it("wrong ranges are refused", () => {
    const self = host()
    const { connection } = established(self)
    const asked = (start: number, end: number) =>
      self.request({ _tag: "TcpWrite", connection, bytes: text(10), start, end, owned: false, block: false }).outcome()
    for (const [start, end] of [[-1, 5], [5, 4], [0, 11], [Number.NaN, 5]] as const) {
      const outcome = asked(start, end)
      assert.strictEqual(outcome._tag === "Failed" ? outcome.reason._tag : "", "InvalidArgument")
    }
    assert.deepStrictEqual(asked(5, 5), { _tag: "Done", value: 0 })
  })
  it("shutdown of reading ends it, and what comes is acknowledged and dropped", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    const waiting = read(self, connection, 5, true)
    peer.send({ seq: seq + 100, ack, flags: ACK, text: text(100) })
    peer.take()
    self.call({ _tag: "TcpShutdown", connection, read: true, write: false })
    peer.take()
    const outcome = waiting.outcome()
    assert.strictEqual(outcome._tag === "Done" && outcome.value.end, true)
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    assert.strictEqual(peer.one().ack, seq + 200)
    assert.strictEqual(self.memory(), 0)
  })
  it("waiting for all to be acknowledged ends with the last ACK", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    write(self, connection, text(1500))
    const drained = self.request({ _tag: "TcpAwait", connection, until: "drained" })
    peer.send({ seq, ack: ack + 1000, flags: ACK })
    assert.strictEqual(drained.outcome()._tag, "Pending")
    peer.send({ seq, ack: ack + 1500, flags: ACK })
    assert.strictEqual(drained.outcome()._tag, "Done")
  })
  it("waiting for the end of a connection ends in TIME-WAIT, and by a reset", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    const closed = self.request({ _tag: "TcpAwait", connection, until: "closed" })
    peer.send({ seq, ack, flags: RST })
    assert.strictEqual(closed.outcome()._tag, "Done")
  })
  it("requests about a connection that the program does not hold fail", () => {
    const self = host()
    const { connection } = established(self)
    self.call({ _tag: "TcpAbort", connection })
    assert.deepStrictEqual(read(self, connection).outcome(), failure("NotConnected"))
    assert.deepStrictEqual(read(self, 12_345).outcome(), failure("NotConnected"))
  })
})
