/** Requirements of RFC 5681, 5961, 6298 and 7323 that the other files do not name. */
import { assert, describe, it } from "@effect/vitest"
import * as Config from "../../../src/core/tcp/Config.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { connectRequest } from "./Pair.ts"
import { ACK, established, host, listen, Peer, PSH, remote, RST, SYN, text, wait, write } from "./Peer.ts"

const info = (self: Host, connection: number) => self.call({ _tag: "TcpGetInfo", connection })

describe("Blind attacks (RFC 5961)", () => {
  it("rfc: 5961 §3.2 MUST: a RST outside of the window is dropped in silence", () => {
    const self = host()
    const { connection, peer, seq } = established(self)
    for (const at of [seq - 1, seq + 300_000, seq - 100_000]) peer.send({ seq: at, flags: RST })
    assert.isTrue(peer.silent())
    assert.strictEqual(info(self, connection).state, "ESTABLISHED")
  })
  it("rfc: 5961 §7 SHOULD: challenges are limited in time, by a bound that can be set", () => {
    const answers = (limit: number): ReadonlyArray<number> => {
      const config = { tcp: { ...Config.defaults, challengeInterval: Time.zero } }
      const self = host({ config, limits: { tcpChallengeAcksPerSecond: limit } })
      const { peer, seq } = established(self)
      const burst = (): number => {
        for (let i = 1; i <= 50; i++) peer.send({ seq: seq + i, flags: RST })
        return peer.take().length
      }
      const first = burst()
      self.advance(seconds(1))
      return [first, burst()]
    }
    assert.deepStrictEqual(answers(10), [10, 10])
    assert.deepStrictEqual(answers(40), [40, 40])
  })
  it("rfc: 5961 §7 SHOULD: a connection answers once in half a second, but text in any case", () => {
    const self = host()
    const { ack, peer, seq } = established(self)
    const answers = (): number => {
      for (let i = 1; i <= 5; i++) peer.send({ seq: seq + i, flags: RST })
      return peer.take().length
    }
    assert.deepStrictEqual([answers(), answers()], [1, 0])
    peer.send({ seq: seq - 10, ack, flags: ACK, text: text(10) })
    assert.strictEqual(peer.one().ack, seq)
    self.advance(millis(500))
    assert.strictEqual(answers(), 1)
  })
  it("rfc: 5961 §5.2 MUST: text with an ACK out of range is dropped, and challenged", () => {
    const self = host()
    const opened = established(self, { window: 1000 })
    const { connection, peer, seq } = opened
    // Nothing was ever sent whose ACK could come so late.
    peer.send({ seq, ack: opened.ack - 1, flags: ACK | PSH, window: 1000, text: text(10) })
    assert.strictEqual(peer.one().ack, seq)
    self.advance(seconds(1))
    write(self, connection, text(1000))
    peer.take()
    const ack = opened.ack + 1000
    peer.send({ seq, ack, flags: ACK, window: 1000 })
    write(self, connection, text(1000))
    peer.take()
    peer.send({ seq, ack: ack + 1000, flags: ACK, window: 1000 })
    for (const out of [ack + 1001, ack - 1]) {
      peer.send({ seq, ack: out, flags: ACK | PSH, text: text(10) })
      assert.strictEqual(peer.one().ack, seq)
      self.advance(seconds(1))
    }
    assert.strictEqual(info(self, connection).unread, 0)
    peer.send({ seq, ack, flags: ACK | PSH, text: text(10) })
    assert.strictEqual(info(self, connection).unread, 10)
  })
})

describe("Window scaling (RFC 7323 §2)", () => {
  it("rfc: 7323 §2.2 MUST: the option means nothing but with a SYN, and nothing if only one side has sent it", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, window: 1000, options: { windowScale: 7 } })
    assert.deepStrictEqual([info(self, connection).windowScaling, info(self, connection).sendWindow], [false, 1000])
    const plain = host()
    const { connection: other } = established(plain, {
      options: { maximumSegmentSize: 1000, windowScale: 3 },
      listenOptions: { windowScaling: false }
    })
    assert.isFalse(info(plain, other).windowScaling)
  })
  it("rfc: 7323 §2.2 MUST: windows are shifted, but for those of SYNs", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      options: { maximumSegmentSize: 1000, windowScale: 3 },
      window: 500,
      listenOptions: { receiveBuffer: 1 << 20 }
    })
    assert.strictEqual(info(self, connection).sendWindow, 4000)
    const { receiveScale } = info(self, connection)
    peer.send({ seq, ack, flags: ACK, text: text(1000) })
    assert.approximately(peer.one().window << receiveScale, 1 << 20, 2000)
    listen(self, 81, 4, { receiveBuffer: 30_000 })
    const other = new Peer(self, 81)
    other.send({ seq: 1, flags: SYN, options: { windowScale: 3 } })
    assert.strictEqual(other.one().window, 30_000)
  })
  it("rfc: 7323 §2.3 MUST: a shift above 14 counts as 14", () => {
    const self = host()
    const { connection } = established(self, { options: { maximumSegmentSize: 1000, windowScale: 15 } })
    assert.strictEqual(info(self, connection).sendScale, 14)
  })
  it("rfc: 7323 §2.4 MUST: what the window once allowed is taken, though it seems smaller since", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      listenOptions: { receiveBuffer: 4000, receiveBufferLimit: 4000 }
    })
    peer.send({ seq, ack, flags: ACK, text: text(1000) })
    peer.take()
    self.call({ _tag: "TcpSetOptions", connection, options: { receiveBuffer: 1500 } })
    for (const at of [1000, 2000, 3000]) peer.send({ seq: seq + at, ack, flags: ACK, text: text(1000) })
    assert.strictEqual(info(self, connection).unread, 4000)
  })
})

describe("Timestamps (RFC 7323 §3 to §5)", () => {
  const offered = { maximumSegmentSize: 1000, timestampValue: 100 }
  it("rfc: 7323 §3.2 MUST: once agreed on they are in every segment, a RST of ours included; otherwise in none", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { options: offered, listenOptions: { noDelay: true } })
    const options = { timestampValue: 102, timestampEcho: 0 }
    write(self, connection, text(10))
    peer.send({ seq, ack, flags: ACK, text: text(10), options })
    wait(self, millis(50))
    self.call({ _tag: "TcpAbort", connection })
    const sent = peer.take()
    assert.isAbove(sent.length, 2)
    assert.isTrue(sent.every((got) => got.options.timestampValue !== undefined && (got.flags & ACK) !== 0))
    const plain = host()
    const other = established(plain)
    other.peer.send({ seq: other.seq, ack: other.ack, flags: ACK, text: text(10), options })
    wait(plain, millis(50))
    assert.isUndefined(other.peer.one().options.timestampValue)
  })
  it("rfc: 7323 §3.2 MUST NOT: a segment without ends nothing (it is taken, as by deployed stacks)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { options: offered })
    peer.send({ seq, ack, flags: ACK, text: text(10) })
    assert.deepStrictEqual([info(self, connection).state, info(self, connection).unread], ["ESTABLISHED", 10])
  })
  it("rfc: 7323 §5.2 MUST NOT: a RST is not held to be old by its timestamp", () => {
    const self = host()
    const { connection, peer, seq } = established(self, { options: offered })
    peer.send({ seq, flags: RST, options: { timestampValue: 1, timestampEcho: 0 } })
    assert.strictEqual(info(self, connection).state, "CLOSED")
  })
  it("rfc: 7323 §4.3: what comes ahead of a gap is not echoed, what fills it is", () => {
    const self = host()
    const { ack, peer, seq } = established(self, { options: { ...offered, sackPermitted: true } })
    const send = (at: number, timestampValue: number): number => {
      peer.send({ seq: seq + at, ack, flags: ACK, text: text(1000), options: { timestampValue, timestampEcho: 0 } })
      return peer.one().options.timestampEcho!
    }
    assert.deepStrictEqual([send(0, 110), send(2000, 120), send(3000, 130), send(1000, 115)], [110, 110, 110, 115])
  })
  it("rfc: 7323 §5.4 MUST: the clock ticks every millisecond", () => {
    const self = host()
    const { ack, peer, seq } = established(self, { options: offered })
    const valueAt = (at: number): number => {
      peer.send({ seq: seq + at, ack, flags: ACK | PSH, text: text(1000) })
      return peer.take().at(-1)!.options.timestampValue!
    }
    const first = valueAt(0)
    for (const passed of [1, 2, 100, 1000]) {
      const before = valueAt(0)
      wait(self, millis(passed))
      assert.strictEqual((valueAt(0) - before) | 0, passed)
    }
    assert.strictEqual((valueAt(0) - first) | 0, 1103)
  })
  it("rfc: 7323 §5.4 RECOMMENDED: the clock is another for each connection", () => {
    const self = host()
    const valueOf = (localPort: number): number => {
      self.request({ ...connectRequest(), remote, remotePort: 80, localPort })
      return new Peer(self, localPort, 80).one().options.timestampValue!
    }
    assert.isAbove(Math.abs((valueOf(5000) - valueOf(5001)) | 0), 1000)
  })
})

describe("Congestion (RFC 5681)", () => {
  it("rfc: 5681 §4.2 SHOULD: a second full segment is acknowledged, a gap and what fills it at once", () => {
    const self = host()
    const { ack, peer, seq } = established(self, { listenOptions: { quickAcks: 0 } })
    const acks = (at: number): Array<number> => {
      peer.send({ seq: seq + at, ack, flags: ACK, text: text(1000) })
      return peer.take().map((got) => (got.ack - seq) | 0)
    }
    assert.deepStrictEqual([acks(0), acks(1000), acks(3000), acks(2000)], [[], [2000], [2000], [4000]])
  })
  it("rfc: 5681 §3.2: an ACK with text, or of another window, is no duplicate", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { listenOptions: { tailLossProbe: false } })
    write(self, connection, text(8000))
    peer.take()
    for (let i = 0; i < 5; i++) peer.send({ seq, ack, flags: ACK, window: 60_000 - i })
    for (let i = 0; i < 5; i++) peer.send({ seq: seq + i, ack, flags: ACK, window: 50_000, text: text(1) })
    assert.strictEqual(self.counter("tcpFastRetransmits"), 0)
    for (let i = 0; i < 3; i++) peer.send({ seq: seq + 5, ack, flags: ACK, window: 50_000 })
    assert.strictEqual(self.counter("tcpFastRetransmits"), 1)
  })
})

describe("The retransmission timer (RFC 6298)", () => {
  it("rfc: 6298 §5.1, §5.2, §5.3: it runs while something is on its way, begins anew with progress, and stops with the last ACK", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      delay: millis(100),
      listenOptions: { tailLossProbe: false, noDelay: true }
    })
    write(self, connection, text(1000))
    write(self, connection, text(1000))
    peer.take()
    wait(self, millis(290))
    peer.send({ seq, ack: ack + 1000, flags: ACK, window: 1000 })
    // Anew for the second segment.
    const { rto } = info(self, connection)
    wait(self, Time.micros(rto - 1000))
    assert.isTrue(peer.silent())
    wait(self, millis(2))
    assert.strictEqual((peer.one().seq - ack) | 0, 1000)
    peer.send({ seq, ack: ack + 2000, flags: ACK })
    wait(self, seconds(300))
    assert.isTrue(peer.silent())
  })
  it("rfc: 6298 §2.3 MUST, §2.5 MAY: the timeout follows the round trip, within its limits", () => {
    const rtoAfter = (delay: Time.Span): number => {
      const self = host()
      const { connection } = established(self, { delay, listenOptions: { initialRto: seconds(60), synAckRetries: 9 } })
      return Time.toMillis(info(self, connection).rto)
    }
    assert.deepStrictEqual([rtoAfter(millis(1)), rtoAfter(millis(400)), rtoAfter(seconds(50))], [201, 1200, 120_000])
  })
})
