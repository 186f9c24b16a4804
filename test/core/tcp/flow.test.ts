import { assert, describe, it } from "@effect/vitest"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import * as Frame from "../../../src/wire/Frame.ts"
import * as Family from "../family.ts"
import { ACK, established, FIN, host, PSH, read, RST, show, text, write } from "./Peer.ts"
import type { Peer } from "./Peer.ts"

const info = (self: Host, connection: number) => self.call({ _tag: "TcpGetInfo", connection })
const set = (self: Host, connection: number, options: object) =>
  self.call({ _tag: "TcpSetOptions", connection, options })

/** The times, in milliseconds from now, at which the host sends something in the next `span`. */
const timesOfSending = (self: Host, peer: Peer, span: number, step = 10): Array<number> => {
  const at: Array<number> = []
  for (let ms = step; ms <= span; ms += step) {
    self.advance(millis(step))
    if (peer.take().length > 0) at.push(ms)
  }
  return at
}

describe("Acknowledging (RFC 9293 §3.8.6.3, RFC 5681 §4.2)", () => {
  const calm = () => {
    const self = host()
    const all = established(self, { listenOptions: { quickAcks: 0 } })
    return { self, ...all }
  }
  it("waits with the ACK of one segment for up to 40 ms (rfc: 9293 §3.8.6.3 MUST-40)", () => {
    const { ack, peer, self, seq } = calm()
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    assert.isTrue(peer.silent())
    self.advance(millis(39))
    assert.isTrue(peer.silent())
    self.advance(millis(1))
    assert.strictEqual(peer.one().ack, seq + 100)
    assert.strictEqual(self.counter("tcpDelayedAcks"), 1)
  })
  it("acknowledges each second full segment at once (rfc: 9293 §3.8.6.3 SHLD-19)", () => {
    const { ack, peer, seq } = calm()
    peer.send({ seq, ack, flags: ACK, text: text(1000) })
    assert.isTrue(peer.silent())
    peer.send({ seq: seq + 1000, ack, flags: ACK, text: text(1000) })
    assert.strictEqual(peer.one().ack, seq + 2000)
  })
  it("puts the ACK on text that leaves meanwhile", () => {
    const { ack, connection, peer, self, seq } = calm()
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    write(self, connection, text(10))
    const got = peer.one()
    assert.deepStrictEqual([got.ack, got.text.length], [seq + 100, 10])
    peer.send({ seq: seq + 100, ack: ack + 10, flags: ACK })
    assert.deepStrictEqual(timesOfSending(self, peer, 200), [])
  })
  it("acknowledges the first segments of a connection at once", () => {
    const self = host()
    const { ack, peer, seq } = established(self)
    for (let i = 0; i < 16; i++) {
      peer.send({ seq: seq + i, ack, flags: ACK, text: text(1) })
      assert.strictEqual(peer.one().ack, seq + i + 1)
    }
    peer.send({ seq: seq + 16, ack, flags: ACK, text: text(1) })
    assert.isTrue(peer.silent())
  })
  it("leaves an ACK to the next event of a batch that tells as much, and loses none if that one does not come", () => {
    const { ack, peer, self, seq } = calm()
    const arrive = (from: number, isFollowed: boolean) => ({
      _tag: "Frame" as const,
      link: 1,
      frame: Frame.plain(peer.frame({ seq: from, ack, flags: ACK, text: text(1000) })),
      receivedAt: self.now,
      isFollowed
    })
    self.run([arrive(seq, true), arrive(seq + 1000, true), arrive(seq + 2000, false)])
    assert.strictEqual(peer.one().ack, seq + 3000)
    self.run([arrive(seq + 3000, true), arrive(seq + 4000, true)])
    assert.isTrue(peer.silent())
    self.advance(millis(40))
    assert.strictEqual(peer.one().ack, seq + 5000)
    // Ahead of a gap each ACK tells something of its own.
    self.run([arrive(seq + 6000, true), arrive(seq + 7000, false)])
    assert.deepStrictEqual(peer.take().map((got) => got.ack), [seq + 5000, seq + 5000])
  })
  it("answers text ahead of a gap, and what closes the gap, at once", () => {
    const { ack, peer, seq } = calm()
    peer.send({ seq: seq + 100, ack, flags: ACK, text: text(100, 100) })
    assert.strictEqual(peer.one().ack, seq)
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    assert.strictEqual(peer.one().ack, seq + 200)
  })
})

describe("Text out of order (RFC 9293 §3.10.7.4 SHLD-31, RFC 2018)", () => {
  const withSack = () => {
    const self = host()
    return { self, ...established(self, { options: { maximumSegmentSize: 1000, sackPermitted: true } }) }
  }
  const contents = (self: Host, connection: number): Buffer => {
    const got = read(self, connection).outcome()
    if (got._tag !== "Done") return Buffer.alloc(0)
    return Buffer.concat(got.value.pieces.map((piece) => piece.bytes.subarray(piece.start, piece.end)))
  }
  it("is reported, the range that changed last first (rfc: 2018 §4 MUST)", () => {
    const { ack, peer, seq } = withSack()
    const send = (at: number, length: number) => peer.send({ seq: seq + at, ack, flags: ACK, text: text(length, at) })
    const blocks = () => peer.one().options.sackBlocks.map((block) => [block.left - seq, block.right - seq])
    send(100, 100)
    assert.deepStrictEqual(blocks(), [[100, 200]])
    send(300, 100)
    assert.deepStrictEqual(blocks(), [[300, 400], [100, 200]])
    send(500, 100)
    assert.deepStrictEqual(blocks(), [[500, 600], [300, 400], [100, 200]])
    send(200, 50)
    assert.deepStrictEqual(blocks(), [[100, 250], [500, 600], [300, 400]])
    send(250, 50)
    assert.deepStrictEqual(blocks(), [[100, 400], [500, 600]])
  })
  it("is put in order, and what came first wins where segments disagree", () => {
    const { ack, connection, peer, self, seq } = withSack()
    peer.send({ seq: seq + 10, ack, flags: ACK, text: new Uint8Array(10).fill(1) })
    peer.send({ seq: seq + 5, ack, flags: ACK, text: new Uint8Array(20).fill(2) })
    peer.send({ seq, ack, flags: ACK, text: new Uint8Array(30).fill(3) })
    assert.deepStrictEqual(
      [...contents(self, connection)],
      [...Array(5).fill(3), ...Array(5).fill(2), ...Array(10).fill(1), ...Array(5).fill(2), ...Array(5).fill(3)]
    )
  })
  it("that comes again is reported as a duplicate (rfc: 2883 §4.1, §4.2)", () => {
    const { ack, peer, seq } = withSack()
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    peer.take()
    peer.send({ seq, ack, flags: ACK, text: text(100) })
    const first = peer.one()
    assert.deepStrictEqual(first.options.sackBlocks.map((b) => [b.left - seq, b.right - seq]), [[0, 100]])
    peer.send({ seq: seq + 200, ack, flags: ACK, text: text(100) })
    peer.take()
    peer.send({ seq: seq + 200, ack, flags: ACK, text: text(100) })
    const second = peer.one()
    assert.deepStrictEqual(second.options.sackBlocks.map((b) => [b.left - seq, b.right - seq]), [[200, 300], [
      200,
      300
    ]])
  })
  it("is bounded in ranges; what finds no room is dropped and counted", () => {
    const self = host({ limits: { tcpOutOfOrderRanges: 4 } })
    const { ack, connection, peer, seq } = established(self)
    for (let i = 1; i <= 6; i++) peer.send({ seq: seq + i * 10, ack, flags: ACK, text: text(5, i * 10) })
    assert.strictEqual(self.dropCount("TcpReassemblyFull"), 2)
    assert.isTrue(peer.take().every((got) => got.ack === seq))
    peer.send({ seq, ack, flags: ACK, text: text(60) })
    assert.strictEqual(contents(self, connection).length, 60)
  })
})

describe("The window that is offered (RFC 9293 §3.8.6)", () => {
  it("closes as text waits unread, and opens by a worthwhile step (rfc: 9293 §3.8.6.2.2 MUST-39)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { receiveBuffer: 4000, receiveBufferLimit: 4000 }
    })
    let at = seq
    let window = 4000
    while (window > 0) {
      const length = Math.min(1000, window)
      peer.send({ seq: at, ack, flags: ACK, text: text(length) })
      at += length
      self.advance(millis(50))
      window = peer.take().at(-1)!.window
    }
    assert.strictEqual(at - seq, 4000)
    // A small read opens nothing, a larger one is told at once.
    read(self, connection, 500)
    assert.isTrue(peer.silent())
    read(self, connection, 600)
    assert.isAtLeast(peer.one().window, 1000)
  })
  it("is not told anew when the field can't say more: without scaling a buffer may be larger (rfc: 9293 §3.8.6.2.2 MUST-39)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { listenOptions: { receiveBuffer: 1 << 20 } })
    for (let i = 0; i < 20; i++) {
      peer.send({ seq: seq + i * 1000, ack, flags: ACK, text: text(1000) })
      self.advance(millis(50))
      assert.deepStrictEqual(peer.take().map((got) => got.window), [65_535])
      read(self, connection, 1000)
      assert.isTrue(peer.silent())
    }
  })
  it("is told without being asked when it at least doubles, and not before", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { receiveBuffer: 16_000, receiveBufferLimit: 16_000 }
    })
    for (let i = 0; i < 12; i++) peer.send({ seq: seq + i * 1000, ack, flags: ACK, text: text(1000) })
    self.advance(millis(50))
    assert.strictEqual(peer.take().at(-1)!.window, 4000)
    read(self, connection, 3000)
    assert.isTrue(peer.silent())
    read(self, connection, 1000)
    assert.strictEqual(peer.one().window, 8000)
  })
  it("never takes back what it has offered (rfc: 9293 §3.8.6 SHLD-14)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      options: { maximumSegmentSize: 1000, windowScale: 7 },
      listenOptions: { receiveBuffer: 10_000, receiveBufferLimit: 1_000_000 }
    })
    const scale = info(self, connection).receiveScale
    let edge = seq
    let at = seq
    for (let i = 0; i < 300; i++) {
      const length = 1 + (i * 37) % 200
      peer.send({ seq: at, ack, flags: ACK, text: text(length) })
      at += length
      if (i % 7 === 0) read(self, connection, 300)
      self.advance(millis(50))
      for (const got of peer.take()) {
        const told = got.ack + (got.window << scale)
        // Scaling can't say every number: a unit of it is all that may seem to be lost.
        assert.isAtLeast(told, edge - (1 << scale) + 1)
        edge = Math.max(edge, told)
      }
    }
    assert.isAtMost(info(self, connection).unread, 10_000 + (1 << scale))
  })
  it("takes the ACKs and the RST of a peer when it is zero, and answers its probes", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { receiveBuffer: 1000, receiveBufferLimit: 1000 }
    })
    peer.send({ seq, ack, flags: ACK, text: text(1000) })
    peer.take()
    write(self, connection, text(10))
    peer.take()
    peer.send({ seq: seq + 1000, ack: ack + 10, flags: ACK, text: text(1) })
    const got = peer.one()
    assert.deepStrictEqual([got.ack, got.window], [seq + 1000, 0])
    assert.strictEqual(info(self, connection).inFlight, 0)
    peer.send({ seq: seq + 1000, ack: ack + 10, flags: RST })
    assert.strictEqual(info(self, connection).state, "CLOSED")
  })
})

describe("Urgent data (RFC 9293 §3.8.5, RFC 6093)", () => {
  const URG = 0x20
  const writeUrgent = (self: Host, connection: number, bytes: Uint8Array, block = true) =>
    self.request({
      _tag: "TcpWrite",
      connection,
      bytes,
      start: 0,
      end: bytes.length,
      owned: false,
      block,
      urgent: true
    })
  /** Where each segment says that urgent data ends, counted from the first byte; 0 for none. */
  const pointers = (got: ReturnType<Peer["take"]>, ack: number): Array<number> =>
    got.map(({ flags, seq, urgentPointer }) => (flags & URG) === 0 ? 0 : (seq - ack + urgentPointer) | 0)

  it("is announced by every segment up to its end, each packet with its own pointer (rfc: 9293 §3.8.5 MUST-30 MUST-62)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { listenOptions: { noDelay: true } })
    write(self, connection, text(100))
    writeUrgent(self, connection, text(2500))
    assert.deepStrictEqual(pointers(peer.take(), ack), [0, 2600, 2600, 2600])
    write(self, connection, text(100))
    assert.deepStrictEqual(pointers(peer.take(), ack), [0])
    // What goes again says it again, until it is acknowledged.
    self.advance(seconds(2))
    assert.strictEqual(pointers(peer.take(), ack)[0], 2600)
    peer.send({ seq, ack: ack + 2700, flags: ACK })
    write(self, connection, text(8000))
    assert.isTrue(peer.take().every(({ flags }) => (flags & URG) === 0))
  })
  it("is announced before it can be sent, also by ACKs, and of any length (rfc: 9293 §3.8.5 MUST-31)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { noDelay: true, sendBuffer: 5000, sendBufferLimit: 5000 },
      window: 1000
    })
    write(self, connection, text(1000))
    const writing = writeUrgent(self, connection, text(100_000))
    peer.take()
    peer.send({ seq, ack, flags: ACK, text: text(10), window: 1000 })
    self.advance(millis(50))
    const [answer] = peer.take()
    assert.deepStrictEqual([answer!.flags & URG, answer!.urgentPointer], [URG, 0xffff])
    assert.strictEqual(writing.outcome()._tag, "Pending")
  })
  it("stays in line, is announced once, and how much is left can be asked (rfc: 9293 §3.8.5 MUST-31 MUST-32 MUST-33)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    self.notices()
    const URG = 0x20
    peer.send({ seq, ack, flags: ACK | URG, text: text(10), urgentPointer: 30 })
    peer.send({ seq: seq + 10, ack, flags: ACK | URG, text: text(10, 10), urgentPointer: 40 })
    const events = self.notices().filter((change) => change._tag === "ConnectionEvent" && change.event === "urgent")
    assert.strictEqual(events.length, 1)
    assert.strictEqual(info(self, connection).urgent, 50)
    const got = read(self, connection).outcome()
    assert.strictEqual(got._tag === "Done" ? got.value.length : 0, 20)
    assert.strictEqual(info(self, connection).urgent, 30)
  })
})

describe("Sending (RFC 9293 §3.7.4, §3.8.6.2.1)", () => {
  it("Nagle's algorithm holds a short segment while another is on its way (rfc: 9293 §3.7.4 SHLD-7)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    write(self, connection, text(10))
    assert.strictEqual(peer.one().text.length, 10)
    write(self, connection, text(10))
    write(self, connection, text(10))
    assert.isTrue(peer.silent())
    peer.send({ seq, ack: ack + 10, flags: ACK })
    assert.strictEqual(peer.one().text.length, 20)
  })
  it("and can be switched off (rfc: 9293 §3.7.4 MUST-17)", () => {
    const self = host()
    const { connection, peer } = established(self, { listenOptions: { noDelay: true } })
    write(self, connection, text(10))
    write(self, connection, text(10))
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [10, 10])
  })
  it("switching it off lets go what waits", () => {
    const self = host()
    const { connection, peer } = established(self)
    write(self, connection, text(10))
    write(self, connection, text(10))
    peer.take()
    set(self, connection, { noDelay: true })
    assert.strictEqual(peer.one().text.length, 10)
  })
  it("a cork holds short segments for 200 ms, or until it is pulled", () => {
    const self = host()
    const { connection, peer } = established(self, { listenOptions: { cork: true } })
    write(self, connection, text(1500))
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [1000])
    set(self, connection, { cork: false, noDelay: true })
    assert.strictEqual(peer.one().text.length, 500)
    const other = host()
    const corked = established(other, { listenOptions: { cork: true } })
    write(other, corked.connection, text(100))
    assert.isTrue(corked.peer.silent())
    other.advance(millis(200))
    assert.strictEqual(corked.peer.one().text.length, 100)
  })
  it("a cork that has held for 200 ms lets go of what is behind text on its way, and rings no more", () => {
    const self = host()
    const { connection, peer } = established(self, { listenOptions: { cork: true, minRto: millis(1000) } })
    write(self, connection, text(1500))
    assert.strictEqual(peer.one().text.length, 1000)
    self.advance(millis(200))
    assert.strictEqual(peer.one().text.length, 500)
  })
  it("a low water of unsent bytes holds writes, not segments: the window fills as without it (notSentLowWater)", () => {
    for (const notSentLowWater of [1, 3000, Infinity]) {
      const self = host()
      const { ack, connection, peer, seq } = established(self, { listenOptions: { notSentLowWater } })
      const writing = write(self, connection, text(30_000), true)
      assert.strictEqual(peer.take().reduce((sum, got) => sum + got.text.length, 0), 10_000)
      const waits = info(self, connection).unsent
      if (notSentLowWater !== Infinity) assert.isAtMost(waits, Math.max(1000, notSentLowWater))
      assert.strictEqual(writing.outcome()._tag, notSentLowWater === Infinity ? "Done" : "Pending")
      peer.send({ seq, ack: ack + 10_000, flags: ACK })
      assert.strictEqual(peer.take().reduce((sum, got) => sum + got.text.length, 0), 20_000)
      assert.strictEqual(writing.outcome()._tag, "Done")
    }
  })
  it("a low water refuses writes that do not wait while as much is unsent", () => {
    const self = host()
    const { connection, peer } = established(self, { listenOptions: { notSentLowWater: 2000 }, window: 1000 })
    // A thousand leave at once and wait for nothing; behind them two thousand may.
    assert.deepStrictEqual(write(self, connection, text(5000)).outcome(), { _tag: "Done", value: 3000 })
    assert.strictEqual(peer.take().length, 1)
    assert.deepStrictEqual(write(self, connection, text(1)).outcome(), {
      _tag: "Failed",
      reason: { _tag: "WouldBlock" }
    })
  })
  it("sets PSH on the last segment of what is written (rfc: 9293 §3.9.1.2 MUST-60 MUST-61)", () => {
    const self = host()
    const { connection, peer } = established(self)
    write(self, connection, text(2500))
    assert.deepStrictEqual(peer.take().map((got) => got.flags & PSH), [0, 0, PSH])
  })
  it("cuts by the MSS of the peer, and of the path (rfc: 9293 §3.7.1 MUST-16), or by the default (MUST-15)", () => {
    const sizes = (options: object) => {
      const self = host()
      const { connection, peer } = established(self, { options })
      write(self, connection, text(4000))
      return peer.take().map((got) => got.text.length)[0]
    }
    assert.strictEqual(sizes({ maximumSegmentSize: 700 }), 700)
    assert.strictEqual(sizes({ maximumSegmentSize: 9000 }), 1460)
    assert.strictEqual(sizes({}), Family.choose(536, 1220))
    assert.strictEqual(sizes({ maximumSegmentSize: 700, timestampValue: 1, timestampEcho: 0 }), 688)
  })
  it("keeps to the peer's window, and waits with less than half of it for more (rfc: 9293 §3.8.6.2.1 MUST-38)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { window: 2500 })
    write(self, connection, text(10_000))
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [1000, 1000])
    peer.send({ seq, ack: ack + 2000, flags: ACK, window: 500 })
    assert.isTrue(peer.silent())
    peer.send({ seq, ack: ack + 2000, flags: ACK, window: 1300 })
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [1000])
  })
  it("takes the window from what acknowledges more, even with the old number of a retransmission (RFC 9293 §3.10.7.4)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { window: 4000 })
    write(self, connection, text(10_000))
    assert.strictEqual(peer.take().length, 4)
    peer.send({ seq: seq + 100, ack, flags: ACK, window: 4000, text: text(100) })
    peer.take()
    peer.send({ seq, ack: ack + 4000, flags: ACK, window: 0, text: text(100) })
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [0])
  })
  it("takes no window from what acknowledges less, even with a newer number (RFC 9293 §3.10.7.4)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { window: 4000 })
    write(self, connection, text(10_000))
    assert.strictEqual(peer.take().length, 4)
    peer.send({ seq, ack: ack + 4000, flags: ACK, window: 0 })
    peer.send({ seq: seq + 100, ack, flags: ACK, window: 4000, text: text(100) })
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [0])
  })
})

describe("A window that the peer has closed (RFC 9293 §3.8.6.1)", () => {
  const closed = () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { window: 1000 })
    write(self, connection, text(3000))
    peer.take()
    peer.send({ seq, ack: ack + 1000, flags: ACK, window: 0 })
    assert.isTrue(peer.silent())
    return { self, connection, peer, seq, ack: ack + 1000 }
  }
  it("is probed with backoff (rfc: 9293 §3.8.6.1 MUST-36 SHLD-29 SHLD-30)", () => {
    const { ack, peer, self } = closed()
    const first = timesOfSending(self, peer, 10_000)
    assert.deepStrictEqual(first.map((at, i) => i === 0 ? at : at - first[i - 1]!), [200, 400, 800, 1600, 3200])
    assert.strictEqual(self.counter("tcpZeroWindowProbes"), 5)
    void ack
  })
  it("may stay closed for ever while the peer answers (rfc: 9293 §3.8.6.1 MUST-37)", () => {
    const { ack, connection, peer, self, seq } = closed()
    for (let i = 0; i < 60; i++) {
      self.advance(seconds(120))
      for (const got of peer.take()) if (got.text.length === 0) peer.send({ seq, ack, flags: ACK, window: 0 })
    }
    assert.strictEqual(info(self, connection).state, "ESTABLISHED")
    peer.send({ seq, ack, flags: ACK, window: 1000 })
    assert.strictEqual(peer.one().text.length, 1000)
  })
  it("of a peer that has gone is given up", () => {
    const { connection, peer, self } = closed()
    const waiting = read(self, connection, 10, true)
    self.advance(seconds(3000))
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "retransmission" } })
    assert.strictEqual(peer.take().at(-1)!.flags & RST, RST)
  })
  it("that is taken back below what is on its way gives nobody up who answers (rfc: 9293 §3.8.6 MUST-34 SHLD-17)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { window: 3000 })
    write(self, connection, text(3000))
    peer.take()
    peer.send({ seq, ack, flags: ACK, window: 0 })
    for (let i = 0; i < 400; i++) {
      self.advance(seconds(10))
      if (peer.take().length > 0) peer.send({ seq, ack, flags: ACK, window: 0 })
    }
    assert.strictEqual(info(self, connection).state, "ESTABLISHED")
    peer.send({ seq, ack: ack + 3000, flags: ACK, window: 3000 })
    assert.strictEqual(info(self, connection).inFlight, 0)
  })
  it("that opens by too little for a segment is used after the override timeout", () => {
    const { ack, peer, self, seq } = closed()
    peer.send({ seq, ack, flags: ACK, window: 300 })
    assert.isTrue(peer.silent())
    self.advance(millis(300))
    assert.strictEqual(peer.one().text.length, 300)
  })
  it("lets no FIN through until it opens", () => {
    const { ack, connection, peer, self, seq } = closed()
    self.call({ _tag: "TcpShutdown", connection, read: false, write: true })
    assert.isTrue(peer.silent())
    peer.send({ seq, ack, flags: ACK, window: 5000 })
    const got = peer.take()
    assert.strictEqual(got.reduce((sum, one) => sum + one.text.length, 0), 2000)
    assert.strictEqual(got.at(-1)!.flags & FIN, FIN, got.map(show).join())
  })
})

describe("Watching the peer", () => {
  it("keepalive probes a silent peer, and gives it up (rfc: 9293 §3.8.4 MUST-24 MUST-26)", () => {
    const self = host()
    const options = { keepAlive: true, keepAliveIdle: seconds(10), keepAliveInterval: seconds(1), keepAliveCount: 3 }
    const { ack, connection, peer, seq } = established(self, { listenOptions: options })
    self.advance(seconds(9))
    peer.send({ seq, ack, flags: ACK })
    assert.deepStrictEqual(timesOfSending(self, peer, 9900, 100), [])
    self.advance(millis(100))
    const probe = peer.one()
    assert.deepStrictEqual([probe.seq, probe.text.length], [ack - 1, 0])
    peer.send({ seq, ack, flags: ACK })
    assert.deepStrictEqual(timesOfSending(self, peer, 12_500, 500), [10_000, 11_000, 12_000])
    const waiting = read(self, connection, 1, true)
    self.advance(millis(500))
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "keepAlive" } })
    assert.strictEqual(peer.one().flags & RST, RST)
  })
  it("is off unless asked for (rfc: 9293 §3.8.4 MUST-25)", () => {
    const self = host()
    const { peer } = established(self)
    self.advance(seconds(100_000))
    assert.isTrue(peer.silent())
  })
  it("the user timeout ends a connection whose text nobody acknowledges (rfc: 9293 §3.8.3, 5482)", () => {
    const self = host()
    const { connection, peer } = established(self, { listenOptions: { userTimeout: seconds(5) } })
    self.advance(seconds(100))
    write(self, connection, text(10))
    self.advance(millis(4900))
    assert.strictEqual(info(self, connection).state, "ESTABLISHED")
    self.advance(millis(200))
    assert.strictEqual(info(self, connection).state, "CLOSED")
    assert.deepStrictEqual(read(self, connection).outcome(), {
      _tag: "Failed",
      reason: { _tag: "TimedOut", what: "user" }
    })
    assert.strictEqual(peer.take().at(-1)!.flags & RST, RST)
  })
})

describe("The size of the buffers", () => {
  it("the send buffer takes what its size allows, and a blocking write waits for the rest", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { sendBuffer: 5000, sendBufferLimit: 5000 },
      window: 1000
    })
    assert.deepStrictEqual(write(self, connection, text(8000)).outcome(), { _tag: "Done", value: 5000 })
    assert.deepStrictEqual(write(self, connection, text(1)).outcome(), {
      _tag: "Failed",
      reason: { _tag: "WouldBlock" }
    })
    const waiting = write(self, connection, text(1000), true)
    peer.send({ seq, ack: ack + 999, flags: ACK, window: 1000 })
    assert.strictEqual(waiting.outcome()._tag, "Pending")
    peer.send({ seq, ack: ack + 1000, flags: ACK, window: 1000 })
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Done", value: 1000 })
  })
  it("a long write that waits goes on by thirds of the send buffer, and when all is sent", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { sendBuffer: 9000, sendBufferLimit: 9000, noDelay: true },
      window: 1000
    })
    const held = () => {
      const { inFlight, unsent } = info(self, connection)
      return inFlight + unsent
    }
    write(self, connection, text(20_000), true)
    assert.strictEqual(held(), 9000)
    const heldAfter = (acknowledged: number, window: number) => {
      peer.send({ seq, ack: ack + acknowledged, flags: ACK, window })
      return held()
    }
    assert.strictEqual(heldAfter(1000, 1000), 8000)
    assert.strictEqual(heldAfter(2000, 1000), 7000)
    assert.strictEqual(heldAfter(3000, 1000), 9000)
    assert.strictEqual(heldAfter(4000, 60_000), 9000)
  })
  it("an idle connection holds no memory", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, text: text(60_000) })
    for (let i = 0; i < 60; i++) peer.send({ seq: seq + i * 1000, ack, flags: ACK, text: text(1000) })
    read(self, connection)
    self.advance(Time.seconds(5))
    assert.strictEqual(self.memory(), 0)
    assert.strictEqual(self.nextTimer(), undefined)
  })
})
