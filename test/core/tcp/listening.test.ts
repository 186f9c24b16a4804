import { assert, describe, it } from "@effect/vitest"
import { millis, seconds } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { ACK, host, listen, Peer, read, RST, SYN, text } from "./Peer.ts"

const accept = (self: Host, listener: number, block = false) => self.request({ _tag: "TcpAccept", listener, block })

const offered = {
  maximumSegmentSize: 1400,
  windowScale: 5,
  sackPermitted: true,
  timestampValue: 100,
  timestampEcho: 0
}

describe("SYN cookies (RFC 4987 §3.6)", () => {
  const always = (options: object = {}) => {
    const self = host()
    const listener = listen(self, 80, 16, { synCookies: "always", ...options })
    return { self, listener, peer: new Peer(self, 80) }
  }
  it("keep nothing of a SYN, and know its options again by the ACK", () => {
    const { listener, peer, self } = always()
    peer.send({ seq: 1000, flags: SYN, options: offered })
    assert.strictEqual(self.state.tcp.entries.size, 0)
    assert.strictEqual(self.nextTimer(), undefined)
    const answer = peer.one()
    assert.deepStrictEqual([answer.flags, answer.ack], [SYN | ACK, 1001])
    self.advance(millis(80))
    peer.send({
      seq: 1001,
      ack: answer.seq + 1,
      flags: ACK,
      options: { timestampValue: 180, timestampEcho: answer.options.timestampValue }
    })
    const outcome = accept(self, listener).outcome()
    if (outcome._tag !== "Done") throw new Error("not accepted")
    const info = self.call({ _tag: "TcpGetInfo", connection: outcome.value.connection })
    assert.deepStrictEqual([info.sack, info.timestamps, info.sendScale, info.state], [true, true, 5, "ESTABLISHED"])
    assert.strictEqual(info.sendMss, 1400 - 12)
    assert.isAtLeast(info.smoothedRtt, millis(80))
    assert.isAtMost(info.smoothedRtt, millis(80 + 64))
    assert.strictEqual(self.counter("tcpSynCookiesAccepted"), 1)
  })
  it("without timestamps keep the MSS alone", () => {
    const { listener, peer, self } = always()
    peer.send({ seq: 1000, flags: SYN, options: { maximumSegmentSize: 1300, windowScale: 5, sackPermitted: true } })
    const answer = peer.one()
    assert.deepStrictEqual([answer.options.windowScale, answer.options.sackPermitted], [undefined, false])
    peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK, text: text(5) })
    const outcome = accept(self, listener).outcome()
    if (outcome._tag !== "Done") throw new Error("not accepted")
    const info = self.call({ _tag: "TcpGetInfo", connection: outcome.value.connection })
    assert.deepStrictEqual([info.sack, info.windowScaling, info.sendMss, info.unread], [false, false, 1220, 5])
  })
  it("are not to be guessed, nor good for ever", () => {
    const { peer, self } = always()
    peer.send({ seq: 1000, flags: SYN, options: offered })
    const { seq } = peer.one()
    for (let i = 10; i < 200; i++) peer.send({ seq: 1001, ack: seq + i, flags: ACK })
    assert.isTrue(peer.take().every((got) => got.flags === RST))
    self.advance(seconds(129))
    peer.send({ seq: 1001, ack: seq + 1, flags: ACK })
    assert.strictEqual(peer.one().flags, RST)
    assert.strictEqual(self.counter("tcpSynCookiesAccepted"), 0)
  })
  it("are not for who forbids them: a SYN above the bound is dropped, and finds room once another has gone (rfc: 9293 §3.10.7.2)", () => {
    const self = host({ limits: { tcpHalfOpen: 2 } })
    listen(self, 80, 16, { synCookies: "never" })
    const answers = [1, 2, 3].map((port) => {
      const peer = new Peer(self, 80, port)
      peer.send({ seq: 1000, flags: SYN, options: offered })
      return peer.take().length
    })
    assert.deepStrictEqual(answers, [1, 1, 0])
    assert.strictEqual(self.state.tcp.halfOpen.value, 2)
    new Peer(self, 80, 1).send({ seq: 1001, flags: RST })
    const late = new Peer(self, 80, 3)
    late.send({ seq: 1000, flags: SYN, options: offered })
    assert.strictEqual(late.one().flags, SYN | ACK)
  })
  it("are sent when the table is full, and let real clients in", () => {
    const self = host({ limits: { tcpHalfOpen: 10 } })
    const listener = listen(self)
    for (let port = 1; port <= 1000; port++) new Peer(self, 80, port).send({ seq: port, flags: SYN, options: offered })
    assert.strictEqual(self.state.tcp.entries.size, 10)
    const peer = new Peer(self, 80, 2000)
    peer.take()
    peer.send({ seq: 5000, flags: SYN, options: offered })
    const { seq } = peer.one()
    peer.send({ seq: 5001, ack: seq + 1, flags: ACK, text: text(3) })
    const outcome = accept(self, listener).outcome()
    if (outcome._tag !== "Done") throw new Error("not accepted")
    const got = read(self, outcome.value.connection).outcome()
    assert.strictEqual(got._tag === "Done" ? got.value.length : 0, 3)
    assert.strictEqual(self.counter("tcpSynCookiesSent"), 991)
  })
  it("that come back while the queue is full are kept no more than their SYNs", () => {
    const self = host()
    const room = listen(self, 81, 1, { synCookies: "always" })
    const clients = [1, 2, 3].map((port) => new Peer(self, 81, port))
    const answers = clients.map((client) => {
      client.send({ seq: 1000, flags: SYN })
      return client.one()
    })
    const complete = (i: number): void => clients[i]!.send({ seq: 1001, ack: answers[i]!.seq + 1, flags: ACK })
    ;[0, 1, 2].forEach(complete)
    assert.strictEqual(self.dropCount("TcpBacklogFull"), 2)
    assert.deepStrictEqual([self.state.tcp.entries.size, self.state.tcp.halfOpen.value], [1, 0])
    accept(self, room)
    complete(2)
    const outcome = accept(self, room).outcome()
    assert.strictEqual(outcome._tag === "Done" ? outcome.value.remotePort : 0, 3)
  })
})

describe("The queue of a listener (RFC 9293 §3.9.1.1)", () => {
  const client = (self: Host, port: number) => {
    const peer = new Peer(self, 80, port)
    peer.send({ seq: 1000, flags: SYN })
    const [answer] = peer.take()
    if (answer !== undefined) peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK })
    return { peer, iss: answer?.seq }
  }
  it("hands connections out in the order in which they were established", () => {
    const self = host()
    const listener = listen(self)
    const ports = [7, 5, 9]
    for (const port of ports) client(self, port)
    const accepted = ports.map(() => accept(self, listener).outcome())
    assert.deepStrictEqual(accepted.map((one) => one._tag === "Done" ? one.value.remotePort : 0), ports)
    assert.deepStrictEqual(accept(self, listener).outcome(), { _tag: "Failed", reason: { _tag: "WouldBlock" } })
  })
  it("answers accepts that wait, in their order", () => {
    const self = host()
    const listener = listen(self)
    const [first, second] = [accept(self, listener, true), accept(self, listener, true)]
    client(self, 1)
    assert.deepStrictEqual([first.outcome()._tag, second.outcome()._tag], ["Done", "Pending"])
    client(self, 2)
    assert.strictEqual(second.outcome()._tag, "Done")
  })
  it("hands out what has been reset in it too, with the text that came before and then the reason", () => {
    const self = host()
    const listener = listen(self)
    const { iss, peer } = client(self, 1)
    client(self, 2)
    peer.send({ seq: 1001, ack: iss! + 1, flags: ACK, text: new Uint8Array(10) })
    peer.send({ seq: 1011, flags: RST })
    const outcome = accept(self, listener).outcome()
    assert.strictEqual(outcome._tag === "Done" ? outcome.value.remotePort : 0, 1)
    const connection = outcome._tag === "Done" ? outcome.value.connection : 0
    const read = () => self.request({ _tag: "TcpRead", connection, max: 100, block: false }).outcome()
    const first = read()
    assert.strictEqual(first._tag === "Done" ? first.value.length : 0, 10)
    assert.deepStrictEqual(read(), { _tag: "Failed", reason: { _tag: "ConnectionReset" } })
    const next = accept(self, listener).outcome()
    assert.strictEqual(next._tag === "Done" ? next.value.remotePort : 0, 2)
  })
  it("takes connections along that have ended in it, when its listener closes", () => {
    const self = host()
    const listener = listen(self)
    const { peer } = client(self, 1)
    peer.send({ seq: 1001, flags: RST })
    self.call({ _tag: "TcpCloseListener", listener })
    assert.isTrue(peer.silent())
    assert.strictEqual(self.state.tcp.entries.size, 0)
    assert.strictEqual(self.state.tcp.connections.value, 0)
  })
  it("that is full drops SYNs and last ACKs; the SYN/ACK comes again and the client gets in later", () => {
    const self = host()
    const listener = listen(self, 80, 1)
    const late = new Peer(self, 80, 2)
    late.send({ seq: 1000, flags: SYN })
    const { seq } = late.one()
    client(self, 1)
    late.send({ seq: 1001, ack: seq + 1, flags: ACK })
    assert.isTrue(late.silent())
    assert.strictEqual(self.dropCount("TcpBacklogFull"), 1)
    accept(self, listener)
    self.advance(seconds(1))
    late.take()
    late.send({ seq: 1001, ack: seq + 1, flags: ACK })
    const outcome = accept(self, listener).outcome()
    assert.strictEqual(outcome._tag === "Done" ? outcome.value.remotePort : 0, 2)
  })
  it("that is full resets instead, if the listener wants that (abortOnOverflow)", () => {
    const self = host()
    listen(self, 80, 1, { abortOnOverflow: true })
    const late = new Peer(self, 80, 2)
    late.send({ seq: 1000, flags: SYN })
    const { seq } = late.one()
    client(self, 1)
    late.send({ seq: 1001, ack: seq + 1, flags: ACK })
    assert.strictEqual(late.one().flags, RST)
  })
  it("waits for text where the listener wants some, and takes what has none behind that time (deferAccept)", () => {
    const self = host()
    const listener = listen(self, 80, 5, { deferAccept: seconds(2) })
    const [silent, speaking] = [new Peer(self, 80, 1), new Peer(self, 80, 2)]
    const seqs = [silent, speaking].map((peer) => {
      peer.send({ seq: 1000, flags: SYN })
      const { seq } = peer.one()
      peer.send({ seq: 1001, ack: seq + 1, flags: ACK })
      return seq
    })
    assert.strictEqual(accept(self, listener).outcome()._tag, "Failed")
    speaking.send({ seq: 1001, ack: seqs[1]! + 1, flags: ACK, text: new Uint8Array(1) })
    const first = accept(self, listener).outcome()
    assert.strictEqual(first._tag === "Done" ? first.value.remotePort : 0, 2)
    speaking.take()
    self.advance(seconds(3.5))
    assert.strictEqual(silent.one().flags, SYN | ACK)
    silent.send({ seq: 1001, ack: seqs[0]! + 1, flags: ACK })
    const second = accept(self, listener).outcome()
    assert.strictEqual(second._tag === "Done" ? second.value.remotePort : 0, 1)
  })
  it("ends with its listener: what waits is reset, accepts fail, half-open connections find nobody", () => {
    const self = host()
    const listener = listen(self)
    client(self, 1)
    const half = new Peer(self, 80, 2)
    half.send({ seq: 1000, flags: SYN })
    const { seq } = half.one()
    const waiting = listen(self, 81)
    const pending = accept(self, waiting, true)
    self.call({ _tag: "TcpCloseListener", listener: waiting })
    assert.deepStrictEqual(pending.outcome(), { _tag: "Failed", reason: { _tag: "Closed" } })
    self.call({ _tag: "TcpCloseListener", listener })
    assert.strictEqual(half.one().flags, RST | ACK)
    half.send({ seq: 1001, ack: seq + 1, flags: ACK })
    assert.strictEqual(half.one().flags, RST)
    assert.strictEqual(self.state.tcp.entries.size, 0)
    assert.strictEqual(self.state.tcp.listening.size, 0)
  })
})
