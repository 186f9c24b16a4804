import { assert, describe, it } from "@effect/vitest"
import { millis, seconds } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { ACK, established, host, read, RST, show, text, wait, write } from "./Peer.ts"
import type { Established, Got } from "./Peer.ts"

interface Scene extends Established {
  readonly self: Host
  /** Acknowledges up to `at` bytes of the host's text, with SACK blocks in bytes too. */
  readonly acknowledge: (at: number, ...blocks: ReadonlyArray<readonly [number, number]>) => void
  /** What the host has sent since the last time: where its text begins, and how long it is. */
  readonly sent: () => Array<readonly [number, number]>
}

const roundTrip = millis(100)

const scene = (options: object = {}, sack = true, listenOptions: object = {}): Scene => {
  const self = host()
  const made = established(self, {
    options: { maximumSegmentSize: 1000, sackPermitted: sack, windowScale: 7, ...options },
    listenOptions: { noDelay: true, congestionControl: "newReno", ...listenOptions },
    delay: roundTrip
  })
  const { ack, peer, seq } = made
  return {
    ...made,
    self,
    acknowledge: (at, ...blocks) =>
      peer.send({
        seq,
        ack: ack + at,
        flags: ACK,
        options: { sackBlocks: blocks.map(([left, right]) => ({ left: (ack + left) | 0, right: (ack + right) | 0 })) }
      }),
    sent: () => peer.take().map((got: Got) => [(got.seq - ack) | 0, got.text.length] as const)
  }
}

const segments = (from: number, to: number): Array<readonly [number, number]> =>
  Array.from({ length: to - from }, (_, i) => [(from + i) * 1000, 1000] as const)

const write10 = (self: Scene): void => {
  write(self.self, self.connection, text(10_000))
  assert.deepStrictEqual(self.sent(), segments(0, 10))
}

describe("The retransmission timeout (RFC 6298)", () => {
  /** Without probes, which would come before. */
  const plain = { tailLossProbe: false, frto: false }
  it("sends the first segment again after the RTO, and doubles it (rfc: 6298 §5.4, §5.5 MUST)", () => {
    const self = scene({}, false, plain)
    write(self.self, self.connection, text(1000))
    self.sent()
    // One sample of 100 ms: SRTT 100, RTTVAR 50, RTO 100 + max(200, 4·50).
    const at: Array<number> = []
    for (let ms = 10; ms <= 5000; ms += 10) {
      self.self.advance(millis(10))
      if (self.sent().length > 0) at.push(ms)
    }
    assert.deepStrictEqual(at, [300, 900, 2100, 4500])
  })
  it("leaves a window of one segment, and goes on in slow start (rfc: 5681 §3.1 MUST)", () => {
    const self = scene({}, false, plain)
    write10(self)
    wait(self.self, millis(300))
    assert.deepStrictEqual(self.sent(), segments(0, 1))
    wait(self.self, roundTrip)
    self.acknowledge(1000)
    assert.deepStrictEqual(self.sent(), segments(1, 3))
    wait(self.self, roundTrip)
    self.acknowledge(2000)
    self.acknowledge(3000)
    assert.deepStrictEqual(self.sent(), segments(3, 7))
  })
  it("takes no sample from what was sent twice (rfc: 6298 §3 MUST, Karn's rule)", () => {
    const self = scene({}, false, plain)
    write(self.self, self.connection, text(1000))
    wait(self.self, millis(300))
    const before = self.self.call({ _tag: "TcpGetInfo", connection: self.connection }).smoothedRtt
    wait(self.self, millis(10))
    self.acknowledge(1000)
    assert.strictEqual(self.self.call({ _tag: "TcpGetInfo", connection: self.connection }).smoothedRtt, before)
  })
  it("begins with one second, and with three after a lost SYN (rfc: 6298 §2.1 MUST, §5.7 MUST)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { delay: millis(1100) })
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection }).rto, seconds(3))
    assert.isTrue(seq > 0 && ack !== 0)
    peer.take()
  })
  it("gives up after `retries`, and says why (rfc: 9293 §3.8.3 MUST-20)", () => {
    const self = scene({}, false, { ...plain, retries: 3 })
    write(self.self, self.connection, text(1000))
    const waiting = read(self.self, self.connection, 1, true)
    wait(self.self, seconds(10))
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "retransmission" } })
    assert.strictEqual(self.peer.take().at(-1)!.flags & RST, RST)
  })
})

describe("Fast retransmit without SACK (RFC 5681 §3.2, RFC 6582)", () => {
  it("the third duplicate sends the first segment again, not the second (rfc: 5681 §3.2 step 2)", () => {
    const self = scene({}, false)
    write10(self)
    wait(self.self, roundTrip)
    self.acknowledge(0)
    self.acknowledge(0)
    assert.deepStrictEqual(self.sent(), [])
    self.acknowledge(0)
    assert.deepStrictEqual(self.sent(), segments(0, 1))
    assert.strictEqual(self.self.counter("tcpFastRetransmits"), 1)
  })
  it("limited transmit sends new text for the first two (rfc: 3042 §2)", () => {
    const self = scene({}, false)
    write(self.self, self.connection, text(20_000))
    assert.deepStrictEqual(self.sent(), segments(0, 10))
    wait(self.self, roundTrip)
    self.acknowledge(0)
    assert.deepStrictEqual(self.sent(), segments(10, 11))
    self.acknowledge(0)
    assert.deepStrictEqual(self.sent(), segments(11, 12))
  })
  it("what limited transmit has sent does not raise the window to come (rfc: 5681 §3.2 step 2 MUST)", () => {
    for (const sack of [false, true]) {
      const self = scene({}, sack, { rack: false })
      write(self.self, self.connection, text(20_000))
      wait(self.self, roundTrip)
      // Ten were on their way; two more left before the loss was certain.
      for (const end of [2000, 3000, 4000]) self.acknowledge(0, ...(sack ? [[1000, end] as const] : []))
      assert.deepStrictEqual(self.sent(), [...segments(0, 12), ...segments(0, 1)])
      const info = self.self.call({ _tag: "TcpGetInfo", connection: self.connection })
      assert.strictEqual(info.slowStartThreshold, 5000)
    }
  })
  it("a partial ACK sends the next hole again at once (rfc: 6582 §3.2 step 3)", () => {
    const self = scene({}, false)
    write10(self)
    wait(self.self, roundTrip)
    for (let i = 0; i < 8; i++) self.acknowledge(0)
    assert.deepStrictEqual(self.sent(), segments(0, 1))
    wait(self.self, roundTrip)
    self.acknowledge(4000)
    assert.deepStrictEqual(self.sent(), segments(4, 5))
    wait(self.self, roundTrip)
    self.acknowledge(10_000)
    const info = self.self.call({ _tag: "TcpGetInfo", connection: self.connection })
    assert.strictEqual(info.caState, "open")
    assert.strictEqual(info.congestionWindow, 5000)
  })
})

describe("Recovery with SACK (RFC 6675, RFC 6937, RFC 8985)", () => {
  for (const rack of [true, false]) {
    const name = rack ? "by time" : "by count"
    it(`sends again exactly what is missing, found ${name}`, () => {
      const self = scene({}, true, { rack })
      write10(self)
      wait(self.self, roundTrip)
      self.acknowledge(0, [1000, 2000])
      self.acknowledge(0, [1000, 3000])
      assert.deepStrictEqual(self.sent(), [])
      self.acknowledge(0, [1000, 4000])
      assert.deepStrictEqual(self.sent(), segments(0, 1))
      self.acknowledge(0, [5000, 8000], [1000, 4000])
      assert.deepStrictEqual(self.sent(), segments(4, 5))
      wait(self.self, roundTrip)
      self.acknowledge(10_000)
      assert.strictEqual(self.self.call({ _tag: "TcpGetInfo", connection: self.connection }).caState, "open")
    })
  }
  it("knows that nothing more was there to be sent, also when an ACK makes room for it (RFC 7661 §4.1)", () => {
    const self = scene()
    const isLimited = (): boolean => self.self.call({ _tag: "TcpGetInfo", connection: self.connection }).isAppLimited
    write10(self)
    assert.isFalse(isLimited())
    self.acknowledge(5000)
    assert.isTrue(isLimited())
    write(self.self, self.connection, text(40_000))
    assert.isFalse(isLimited())
  })
  it("spreads its sending over the round trip (rfc: 6937 §3)", () => {
    const self = scene()
    write(self.self, self.connection, text(40_000))
    self.sent()
    wait(self.self, roundTrip)
    for (let i = 1; i <= 10; i++) self.acknowledge(i * 1000)
    assert.strictEqual(self.sent().length, 20)
    wait(self.self, roundTrip)
    // Of twenty segments the first is lost. The window is to be half: about one segment leaves for two that arrive.
    let out = 0
    for (let i = 1; i < 20; i++) {
      self.acknowledge(10_000, [11_000, 11_000 + i * 1000])
      const burst = self.sent().length
      assert.isAtMost(burst, i === 3 ? 2 : 1)
      out += burst
    }
    assert.isAtLeast(out, 9)
    assert.isAtMost(out, 11)
  })
  it("sends again what was overtaken when there is nothing better to send, without RACK (rfc: 6675 §4 SHOULD, NextSeg rule 3)", () => {
    const self = scene({}, true, { rack: false, tailLossProbe: false, minRto: seconds(5) })
    write10(self)
    wait(self.self, roundTrip)
    // The first and the sixth are missing; the sixth is not known to be lost: only two segments behind it have arrived.
    self.acknowledge(0, [1000, 5000])
    self.acknowledge(0, [6000, 8000], [1000, 5000])
    const again = self.sent().map(([at]) => at)
    assert.deepStrictEqual(again[0], 0)
    assert.include(again, 5000)
    assert.strictEqual(self.self.counter("tcpTimeouts"), 0)
  })
  it("finds a lost retransmission again (rfc: 8985 §6.2)", () => {
    const self = scene()
    write(self.self, self.connection, text(30_000))
    self.sent()
    wait(self.self, roundTrip)
    self.acknowledge(0, [1000, 4000])
    assert.deepStrictEqual(self.sent()[0], [0, 1000])
    self.acknowledge(0, [1000, 10_000])
    const fresh = self.sent()
    assert.isAtLeast(fresh.length, 1)
    wait(self.self, roundTrip)
    // New text that left after the retransmission arrives, and the retransmission does not.
    const [start, length] = fresh.at(-1)!
    self.acknowledge(0, [1000, start + length])
    assert.deepStrictEqual(self.sent()[0], [0, 1000])
  })
  it("waits a quarter of the least round trip for what may only be late (rfc: 8985 §6.2 step 4)", () => {
    const self = scene()
    write(self.self, self.connection, text(2000))
    self.sent()
    wait(self.self, roundTrip)
    self.acknowledge(0, [1000, 2000])
    assert.deepStrictEqual(self.sent(), [])
    wait(self.self, millis(24))
    assert.deepStrictEqual(self.sent(), [])
    wait(self.self, millis(4))
    assert.deepStrictEqual(self.sent(), segments(0, 1))
  })
  it("repairs a lost tail by a probe, without a timeout (rfc: 8985 §7)", () => {
    const self = scene()
    write10(self)
    wait(self.self, roundTrip)
    self.acknowledge(8000)
    assert.deepStrictEqual(self.sent(), [])
    // PTO: two round trips after the ACK.
    wait(self.self, millis(199))
    assert.deepStrictEqual(self.sent(), [])
    wait(self.self, millis(5))
    assert.deepStrictEqual(self.sent(), segments(9, 10))
    wait(self.self, roundTrip)
    self.acknowledge(8000, [9000, 10_000])
    wait(self.self, millis(30))
    assert.deepStrictEqual(self.sent(), segments(8, 9))
    assert.strictEqual(self.self.counter("tcpTimeouts"), 0)
    assert.strictEqual(self.self.counter("tcpTailLossProbes"), 1)
  })
  it("takes a FIN for arrived with the text of its segment, whether its receiver counts it in a block or not (RFC 2018 §3)", () => {
    for (const counted of [0, 1]) {
      const self = scene({}, true, { initialWindow: 1 })
      write(self.self, self.connection, text(2900))
      self.self.call({ _tag: "TcpShutdown", connection: self.connection, read: false, write: true })
      wait(self.self, roundTrip)
      self.acknowledge(1000)
      assert.deepStrictEqual(self.sent(), [...segments(0, 2), [2000, 900]])
      wait(self.self, millis(210))
      assert.deepStrictEqual(self.sent(), [[2000, 900]])
      wait(self.self, roundTrip)
      self.acknowledge(1000, [2000, 2900 + counted])
      wait(self.self, millis(30))
      assert.deepStrictEqual(self.sent(), segments(1, 2), `${counted} counted`)
    }
  })
  it("repairs two lost segments at the tail too: the probe's SACK shows the one before it (rfc: 8985 §7)", () => {
    // The receiver echoes the timestamp of what it has taken in order, which is older than the probe.
    for (const stamps of [{}, { timestampValue: 1 }]) {
      const self = scene(stamps)
      const { timestamps } = self.self.call({ _tag: "TcpGetInfo", connection: self.connection })
      write(self.self, self.connection, text(10_000))
      const length = timestamps ? 988 : 1000
      const sent = self.peer.take()
      const echo = sent[7]!.options.timestampValue
      const options = (left: number, right: number) => ({
        sackBlocks: left === right ? [] : [{ left: (self.ack + left) | 0, right: (self.ack + right) | 0 }],
        ...(timestamps ? { timestampValue: 2, timestampEcho: echo } : {})
      })
      const acknowledge = (left: number, right: number) =>
        self.peer.send({ seq: self.seq, ack: self.ack + 8 * length, flags: ACK, options: options(left, right) })
      wait(self.self, roundTrip)
      acknowledge(0, 0)
      assert.deepStrictEqual(self.sent(), timestamps ? [[9880, 120]] : [])
      wait(self.self, millis(202))
      const probe = self.sent()[0]!
      wait(self.self, roundTrip)
      acknowledge(probe[0], probe[0] + probe[1])
      assert.strictEqual(self.sent()[0]![0], 8 * length)
      assert.strictEqual(self.self.counter("tcpTimeouts"), 0)
    }
  })
  it("comes out of recovery with the window that the loss asks for, though little was on its way when it was found (rfc: 6937 §3.1, 5681 §3.1)", () => {
    /** Full segments of window, after `repair` of what was lost behind the first `arrived` bytes of ten segments. */
    const windows = (congestionControl: string, arrived: number, repair: (self: Scene) => void): number => {
      const self = scene({}, true, { congestionControl, minRto: seconds(1) })
      write10(self)
      wait(self.self, roundTrip)
      self.acknowledge(arrived)
      // Two round trips, and the longest delay of an ACK that waits for a second segment.
      wait(self.self, millis(410))
      assert.deepStrictEqual(self.sent(), segments(9, 10))
      wait(self.self, roundTrip)
      repair(self)
      const { caState, congestionWindow, inFlight } = self.self.call({
        _tag: "TcpGetInfo",
        connection: self.connection
      })
      assert.deepStrictEqual([caState, inFlight], ["open", 0])
      return Math.floor(congestionWindow / 1000)
    }
    const two = (self: Scene): void => {
      self.acknowledge(8000, [9000, 10_000])
      wait(self.self, millis(30))
      self.acknowledge(10_000)
    }
    // The probe was what had been lost, which the first ACK beyond it shows (rfc: 8985 §7.4 MUST).
    const one = (self: Scene): void => {
      self.acknowledge(10_000)
      write(self.self, self.connection, text(1000))
      self.acknowledge(11_000)
    }
    // Ten segments were on their way when the loss happened; five of them are left, or seven.
    assert.deepStrictEqual([windows("newReno", 8000, two), windows("newReno", 9000, one)], [5, 5])
    assert.deepStrictEqual([windows("cubic", 8000, two), windows("cubic", 9000, one)], [7, 7])
  })
  it("forgets SACKs that a peer has gone back on, at a timeout (rfc: 2018 §8, 6675 §5.1)", () => {
    const self = scene({}, true, { tailLossProbe: false, rack: false })
    write10(self)
    wait(self.self, roundTrip)
    self.acknowledge(0, [1000, 10_000])
    self.sent()
    // The peer acknowledges the first segment alone: it has thrown the others away.
    self.acknowledge(1000)
    wait(self.self, seconds(3))
    const again = self.sent()
    assert.deepStrictEqual(again[0], [1000, 1000], again.join(" "))
  })
})

describe("Taking back a response that was for nothing", () => {
  it("F-RTO: a delay is no loss; the window returns (rfc: 5682 §2.1)", () => {
    const self = scene({}, true, { tailLossProbe: false })
    write(self.self, self.connection, text(40_000))
    self.sent()
    const before = self.self.call({ _tag: "TcpGetInfo", connection: self.connection }).congestionWindow
    wait(self.self, millis(300))
    assert.deepStrictEqual(self.sent(), segments(0, 1))
    // The ACKs of the originals come late, one by one.
    self.acknowledge(2000)
    assert.deepStrictEqual(self.sent(), segments(10, 12))
    self.acknowledge(4000)
    const info = self.self.call({ _tag: "TcpGetInfo", connection: self.connection })
    assert.strictEqual(info.caState, "open")
    assert.isAtLeast(info.congestionWindow, before)
    assert.strictEqual(self.self.counter("tcpSpuriousRecoveries"), 1)
    assert.strictEqual(info.segmentsRetransmitted, 1)
  })
  it("F-RTO: a loss is one, and everything is sent again (rfc: 5682 §2.1 step 3)", () => {
    const self = scene({}, false)
    write(self.self, self.connection, text(40_000))
    self.sent()
    wait(self.self, millis(300))
    assert.deepStrictEqual(self.sent(), segments(0, 1))
    self.acknowledge(1000)
    assert.deepStrictEqual(self.sent(), segments(10, 12))
    self.acknowledge(1000)
    const again = self.sent()
    assert.deepStrictEqual(again[0], [1000, 1000], again.join(" "))
    assert.strictEqual(self.self.counter("tcpSpuriousRecoveries"), 0)
  })
  it("D-SACK: all that was sent again had arrived; the window returns (rfc: 2883 §5, RFC 3708)", () => {
    const self = scene()
    write10(self)
    const before = self.self.call({ _tag: "TcpGetInfo", connection: self.connection }).congestionWindow
    wait(self.self, roundTrip)
    self.acknowledge(0, [1000, 4000])
    assert.deepStrictEqual(self.sent(), segments(0, 1))
    // The original was only late, and then the copy comes too.
    self.acknowledge(4000)
    self.acknowledge(10_000)
    self.acknowledge(10_000, [0, 1000])
    const info = self.self.call({ _tag: "TcpGetInfo", connection: self.connection })
    assert.isAtLeast(info.congestionWindow, before)
    assert.strictEqual(self.self.counter("tcpSpuriousRecoveries"), 1)
  })
  it("what arrived late once is waited for the next time, however much has overtaken it (rfc: 8985 §6.2 step 4)", () => {
    const self = scene()
    write10(self)
    wait(self.self, roundTrip)
    self.acknowledge(0, [1000, 4000])
    assert.deepStrictEqual(self.sent(), segments(0, 1))
    self.acknowledge(4000)
    self.acknowledge(10_000, [0, 1000])
    write(self.self, self.connection, text(10_000))
    assert.deepStrictEqual(self.sent(), segments(10, 20))
    wait(self.self, roundTrip)
    self.acknowledge(10_000, [11_000, 14_000])
    assert.deepStrictEqual(self.sent(), [])
    wait(self.self, millis(60))
    assert.deepStrictEqual(self.sent(), segments(10, 11))
  })
})

describe("Timestamps (RFC 7323)", () => {
  const stamped = () => {
    const self = host()
    return {
      self,
      ...established(self, {
        options: { maximumSegmentSize: 1000, timestampValue: 5000, timestampEcho: 0 },
        listenOptions: { quickAcks: 0 }
      })
    }
  }
  it("drop a segment whose timestamp is old, and acknowledge (rfc: 7323 §5.3 R1, PAWS)", () => {
    const { ack, connection, peer, self, seq } = stamped()
    peer.send({ seq, ack, flags: ACK, text: text(10), options: { timestampValue: 4000, timestampEcho: 0 } })
    assert.strictEqual(peer.one().ack, seq)
    assert.strictEqual(self.counter("tcpPawsRejected"), 1)
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection }).unread, 0)
    // A RST has no timestamp worth checking (§5.2).
    peer.send({ seq, ack, flags: RST, options: { timestampValue: 4000, timestampEcho: 0 } })
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection }).state, "CLOSED")
  })
  it("echo the segment that the delayed ACK began to wait for (rfc: 7323 §4.3)", () => {
    const { ack, peer, self, seq } = stamped()
    peer.send({ seq, ack, flags: ACK, text: text(10), options: { timestampValue: 6000, timestampEcho: 0 } })
    peer.send({ seq: seq + 10, ack, flags: ACK, text: text(10), options: { timestampValue: 6001, timestampEcho: 0 } })
    self.advance(millis(50))
    const got = peer.one()
    assert.deepStrictEqual([got.ack, got.options.timestampEcho], [seq + 20, 6000], show(got))
  })
  it("are trusted again after 24 days of silence (rfc: 7323 §5.5)", () => {
    const { ack, connection, peer, self, seq } = stamped()
    self.advance(seconds(25 * 24 * 3600))
    peer.send({ seq, ack, flags: ACK, text: text(10), options: { timestampValue: 4000, timestampEcho: 0 } })
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection }).unread, 10)
  })
})
