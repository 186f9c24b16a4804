import { assert, describe, it } from "@effect/vitest"
import type { EcnMode } from "../../../src/core/tcp/Config.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { connectRequest } from "./Pair.ts"
import { ACK, host, listen, Peer, PSH, remote, SYN, text, write } from "./Peer.ts"
import type { Sent } from "./Peer.ts"

const ECE = 0x40
const CWR = 0x80
const AE = 0x100
const marks = AE | CWR | ECE
const CE = 3

/** The three bits as a number. */
const ace = (flags: number): number => (flags & marks) >>> 6
const bits = (ace: number): number => ace << 6

interface Open {
  readonly self: Host
  readonly peer: Peer
  readonly connection: number
  readonly seq: number
  readonly ack: number
}

const info = ({ connection, self }: Pick<Open, "connection" | "self">) => self.call({ _tag: "TcpGetInfo", connection })

/** A connection to a listener whose peer's SYN carries `syn`, and whose last ACK `last`. */
const passive = (ecn: EcnMode, syn: number, last = 0, setting: object = {}): Open & { readonly answer: number } => {
  const self = host()
  const listener = listen(self, 80, 4, { noDelay: true, ecn, ...setting })
  const peer = new Peer(self, 80)
  peer.send({ seq: 1000, flags: SYN | syn, options: { maximumSegmentSize: 1000, sackPermitted: true, windowScale: 7 } })
  const answer = peer.one()
  assert.strictEqual(answer.trafficClass & 3, 0)
  peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK | last })
  const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
  return { self, peer, connection, seq: 1001, ack: (answer.seq + 1) | 0, answer: answer.flags }
}

const connecting = (ecn: EcnMode) => {
  const self = host()
  const asked = self.request({ ...connectRequest({ ecn, noDelay: true }), remote, remotePort: 80, localPort: 5000 })
  return { self, asked, peer: new Peer(self, 5000, 80) }
}

/** A connect whose SYN/ACK carries `answer`; `after` SYNs have gone unanswered. */
const active = (
  ecn: EcnMode,
  answer: Partial<Sent> & { readonly flags: number },
  after = 0
): Open & { last: number } => {
  const { asked, peer, self } = connecting(ecn)
  for (let i = 0; i < after; i++) {
    peer.take()
    self.advance(seconds(2 ** i))
  }
  const syn = peer.take().at(-1)!
  peer.send({ ...answer, seq: 1, ack: syn.seq + 1, flags: SYN | ACK | answer.flags })
  const last = peer.one()
  const outcome = asked.outcome()
  if (outcome._tag !== "Done") throw new Error("not connected")
  return { self, peer, connection: outcome.value.connection, seq: 2, ack: (syn.seq + 1) | 0, last: last.flags }
}

/** Whether what the connection writes is sent as capable of marks. */
const sendsCapable = (open: Open): boolean => {
  write(open.self, open.connection, text(10))
  return (open.peer.one().trafficClass & 3) !== 0
}

describe("Agreeing on congestion marks (RFC 3168 §6.1.1, RFC 9768 §3.1)", () => {
  const asking: ReadonlyArray<readonly [string, number]> = [
    ["a plain SYN", 0],
    ["a SYN that asks for classic marks", ECE | CWR],
    ["a SYN that asks for accurate marks", marks],
    ["a SYN with ECE alone", ECE],
    ["a SYN with CWR alone", CWR],
    ["a SYN with AE alone", AE]
  ]
  const modes: ReadonlyArray<EcnMode> = ["off", "passive", "active", "accurate", "accuratePassive", "accurateActive"]
  // What our SYN/ACK says, by the knob: in the order of `modes`.
  const answers: ReadonlyArray<ReadonlyArray<number>> = [
    [0, 0, 0, 0, 0, 0],
    [0, 1, 1, 1, 1, 1],
    [0, 1, 1, 0b010, 0b010, 0b010],
    [0, 0, 0, 0b010, 0b010, 0b010],
    [0, 0, 0, 0b010, 0b010, 0b010],
    [0, 0, 0, 0b010, 0b010, 0b010]
  ]
  asking.forEach(([what, flags], row) => {
    it(`${what} is answered as the knob \`ecn\` allows (rfc: 3168 §6.1.1 MUST NOT, 9768 §3.1.3)`, () => {
      modes.forEach((mode, column) => {
        const open = passive(mode, flags, bits(0b010))
        const expected = answers[row]![column]!
        assert.strictEqual(ace(open.answer), expected, mode)
        assert.strictEqual(info(open).ecn, expected !== 0, mode)
        assert.strictEqual(sendsCapable(open), expected !== 0, mode)
      })
    })
  })

  it("a SYN asks for what the knob says", () => {
    for (
      const [mode, expected] of [
        ["off", 0],
        ["passive", 0],
        ["active", 3],
        ["accurate", 7],
        ["accuratePassive", 0],
        ["accurateActive", 3]
      ] as const
    ) {
      assert.strictEqual(ace(connecting(mode).peer.one().flags), expected, mode)
    }
  })
  it("a SYN/ACK agrees, or knows less, or reflects what it does not know (rfc: 3168 §6.1.1.2, 9768 §3.1.2)", () => {
    const agreed = (mode: EcnMode) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((answer) => {
        const open = active(mode, { flags: bits(answer) })
        return [info(open).ecn, sendsCapable(open)]
      })
    const [no, yes, mute] = [[false, false], [true, true], [true, false]]
    // Who takes accurate marks and asks for classic ones.
    assert.deepStrictEqual(agreed("accurateActive"), [no, yes, no, no, no, yes, no, no])
    assert.deepStrictEqual(agreed("accuratePassive"), agreed("off"))
    assert.deepStrictEqual(agreed("off"), Array.from({ length: 8 }, () => no))
    assert.deepStrictEqual(agreed("active"), [no, yes, no, no, no, yes, no, no])
    // Accurate marks, of which some say that our SYN, sent without marks, came with some: then nothing is sent that can be marked (RFC 9768 §3.2.2.3).
    assert.deepStrictEqual(agreed("accurate"), [no, yes, yes, mute, mute, yes, mute, no])
  })
  it("a path that swallows such SYNs gets plain ones: classic at once, accurate after one more (rfc: 3168 §6.1.1.1 MAY, 9768 §3.1.4.1)", () => {
    const syns = (mode: EcnMode): Array<number> => {
      const { peer, self } = connecting(mode)
      self.advance(seconds(8))
      return peer.take().map((syn) => ace(syn.flags))
    }
    assert.deepStrictEqual(syns("active"), [3, 0, 0, 0])
    assert.deepStrictEqual(syns("accurate"), [7, 7, 0, 0])
  })
  it("who has sent a plain SYN as well sends nothing that can be marked, but answers marks (rfc: 3168 §6.1.1 MUST NOT, MUST)", () => {
    const open = active("active", { flags: ECE }, 1)
    assert.isFalse(sendsCapable(open))
    open.peer.send({ seq: open.seq, ack: open.ack + 10, flags: ACK | PSH, text: text(5), trafficClass: CE })
    open.self.advance(millis(50))
    assert.strictEqual(open.peer.one().flags & ECE, ECE)
  })
  it("a plain SYN takes back what the one before has asked for (rfc: 3168 §6.1.1.1)", () => {
    const self = host()
    const listener = listen(self)
    const peer = new Peer(self, 80)
    peer.send({ seq: 1000, flags: SYN | ECE | CWR })
    assert.strictEqual(peer.one().flags & ECE, ECE)
    peer.send({ seq: 1000, flags: SYN })
    const answer = peer.one()
    assert.strictEqual(ace(answer.flags), 0)
    peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK })
    const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
    assert.isFalse(sendsCapable({ self, peer, connection, seq: 1001, ack: answer.seq + 1 }))
  })
  it("an accurate SYN/ACK that goes unanswered twice goes without, and nothing is capable of marks then (rfc: 9768 §3.1.4.2)", () => {
    const self = host()
    const listener = listen(self, 80, 4, { ecn: "accurate" })
    const peer = new Peer(self, 80)
    peer.send({ seq: 1000, flags: SYN | marks })
    self.advance(seconds(4))
    const answers = peer.take()
    assert.deepStrictEqual(answers.map((answer) => ace(answer.flags)), [0b010, 0b010, 0])
    peer.send({ seq: 1001, ack: answers[0]!.seq + 1, flags: ACK | bits(0b010) })
    const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
    assert.isFalse(sendsCapable({ self, peer, connection, seq: 1001, ack: answers[0]!.seq + 1 }))
  })
})

describe("Answering congestion marks (RFC 3168 §6.1.2)", () => {
  const agreed = (setting: object = {}) => passive("passive", ECE | CWR, 0, setting)
  const window = (open: Open): number => info(open).congestionWindow

  it("the window comes down once for a window of text, though every ACK echoes until CWR has arrived", () => {
    const open = agreed()
    const { ack, connection, peer, self, seq } = open
    write(self, connection, text(10_000))
    peer.take()
    const before = window(open)
    peer.send({ seq, ack: ack + 1000, flags: ACK | ECE })
    const after = window(open)
    assert.isBelow(after, before)
    // rfc: 3168 §6.1.2 SHOULD NOT: nor does it grow by an echo.
    for (let at = 2000; at <= 10_000; at += 1000) {
      peer.send({ seq, ack: ack + at, flags: ACK | ECE })
      assert.strictEqual(window(open), after)
    }
    write(self, connection, text(2000))
    assert.deepStrictEqual(peer.take().map((got) => got.flags & CWR), [CWR, 0])
    // All that was sent before the CWR is acknowledged, and the CWR itself is not: still the same congestion.
    peer.send({ seq, ack: ack + 10_000, flags: ACK | ECE })
    assert.strictEqual(window(open), after)
    // What acknowledges the CWR and echoes all the same has seen another mark.
    peer.send({ seq, ack: ack + 11_000, flags: ACK | ECE })
    assert.isBelow(window(open), after)
  })
  it("forgets where the last reduction was once text of after it has arrived, or marks would be missed when numbers have gone half way round", () => {
    const open = agreed()
    const { ack, connection, peer, self, seq } = open
    const recover = () => {
      const entry = self.state.tcp.entries.get(connection)
      return entry?._tag === "Connection" ? entry.ecn.recover : undefined
    }
    write(self, connection, text(10_000))
    peer.send({ seq, ack: ack + 8000, flags: ACK | ECE })
    write(self, connection, text(1000))
    assert.strictEqual(recover(), (ack + 10_000) | 0)
    peer.send({ seq, ack: ack + 10_000, flags: ACK })
    assert.isDefined(recover())
    peer.send({ seq, ack: ack + 11_000, flags: ACK })
    assert.isUndefined(recover())
  })
  it("says CWR after a loss as well, with new text only, and does not come down again for marks of the same window", () => {
    for (const rack of [true, false]) {
      const open = agreed({ congestionControl: "newReno", rack })
      const { ack, connection, peer, self, seq } = open
      write(self, connection, text(10_000))
      self.advance(millis(50))
      peer.take()
      const sackBlocks = [{ left: (ack + 1000) | 0, right: (ack + 9000) | 0 }]
      peer.send({ seq, ack, flags: ACK, options: { sackBlocks } })
      const again = peer.take()
      assert.deepStrictEqual(again.map((got) => [(got.seq - ack) | 0, got.flags & CWR, got.trafficClass & 3]), [[
        0,
        0,
        0
      ]])
      const after = window(open)
      peer.send({ seq, ack: ack + 10_000, flags: ACK | ECE })
      assert.isAtMost(window(open), after)
      write(self, connection, text(2000))
      assert.deepStrictEqual(peer.take().map((got) => got.flags & CWR), [CWR, 0])
    }
  })
  it("says CWR after a retransmission timeout, with the next new text (rfc: 3168 §6.1.2)", () => {
    const open = agreed({ tailLossProbe: false, frto: false })
    const { ack, connection, peer, self, seq } = open
    write(self, connection, text(1000))
    peer.take()
    self.advance(seconds(1))
    assert.isTrue(peer.take().every((got) => (got.flags & CWR) === 0 && (got.trafficClass & 3) === 0))
    peer.send({ seq, ack: ack + 1000, flags: ACK })
    write(self, connection, text(1000))
    assert.strictEqual(peer.take()[0]!.flags & CWR, CWR)
  })
  it("a window of one segment waits for as long as the retransmission timer would (rfc: 3168 §6.1.2 MUST)", () => {
    const open = agreed({ initialWindow: 1, minRto: millis(300) })
    const { ack, connection, peer, self, seq } = open
    write(self, connection, text(3000))
    assert.strictEqual(peer.take().length, 1)
    self.advance(millis(10))
    peer.send({ seq, ack: ack + 1000, flags: ACK | ECE })
    assert.isTrue(peer.silent())
    self.advance(millis(250))
    assert.isTrue(peer.silent())
    self.advance(seconds(1))
    assert.isAbove(peer.take().length, 0)
  })
  it("probes of a closed window, FINs and resets are not capable of marks (rfc: 3168 §6.1.6 MUST NOT)", () => {
    const open = agreed()
    const { ack, connection, peer, self, seq } = open
    write(self, connection, text(1000))
    assert.strictEqual(peer.one().trafficClass & 3, 2)
    peer.send({ seq, ack: ack + 1000, flags: ACK, window: 0 })
    write(self, connection, text(1000))
    self.advance(seconds(1))
    assert.isTrue(peer.take().every((got) => (got.trafficClass & 3) === 0))
    self.call({ _tag: "TcpAbort", connection })
    assert.strictEqual(peer.one().trafficClass & 3, 0)
  })
  it("marks outside of the window are ignored (rfc: 3168 §6.1.5 SHOULD)", () => {
    const { ack, peer, seq } = agreed()
    peer.send({ seq: seq - 100, ack, flags: ACK, text: text(50), trafficClass: CE })
    assert.strictEqual(peer.one().flags & ECE, 0)
  })
})

describe("Counting congestion marks (RFC 9768 §3.2)", () => {
  const agreed = (last = bits(0b010), setting: object = {}) => passive("accurate", marks, last, setting)

  it("the last ACK of the handshake says how the SYN/ACK came; text with it counts instead (RFC 9768 §3.2.2.1)", () => {
    assert.strictEqual(ace(active("accurate", { flags: bits(0b010), trafficClass: 0 }).last), 0b010)
    assert.strictEqual(ace(active("accurate", { flags: bits(0b010), trafficClass: 1 }).last), 0b011)
    assert.strictEqual(ace(active("accurate", { flags: bits(0b010), trafficClass: 2 }).last), 0b100)
    assert.strictEqual(ace(active("accurate", { flags: bits(0b010), trafficClass: CE }).last), 0b110)
    // Text that waits leaves with the last ACK.
    const nonBlocking = host()
    const asked = nonBlocking.call({
      ...connectRequest({ ecn: "accurate" }, false),
      remote,
      remotePort: 80,
      localPort: 5000
    })
    const other = new Peer(nonBlocking, 5000, 80)
    const first = other.one()
    write(nonBlocking, asked.connection, text(10))
    other.send({ seq: 1, ack: first.seq + 1, flags: SYN | ACK | bits(0b010), trafficClass: CE })
    const both = other.one()
    assert.deepStrictEqual([both.text.length, ace(both.flags)], [10, 6])
  })
  it("a last ACK that was rewritten stops marks: no bits at all, or another way than we sent (RFC 9768 §3.2.2.3, §3.2.2.4)", () => {
    assert.isFalse(sendsCapable(agreed(0)))
    for (const value of [0b011, 0b100, 0b110]) assert.isFalse(sendsCapable(agreed(bits(value))), String(value))
    for (const value of [0b001, 0b010, 0b101, 0b111]) assert.isTrue(sendsCapable(agreed(bits(value))), String(value))
  })
  it("a server whose first segment says nothing has its bits cleared on the way (RFC 9768 §3.2.2.4)", () => {
    const open = active("accurate", { flags: bits(0b010) })
    assert.isTrue(sendsCapable(open))
    open.peer.send({ seq: open.seq, ack: open.ack + 10, flags: ACK })
    assert.isFalse(sendsCapable(open))
  })
  it("an ACK that was overtaken says how many there were then, and is no news", () => {
    const open = agreed()
    const { ack, connection, peer, self, seq } = open
    const window = () => info(open).congestionWindow
    write(self, connection, text(10_000))
    peer.take()
    peer.send({ seq, ack: ack + 2000, flags: ACK | bits(6) })
    const after = window()
    peer.send({ seq, ack: ack + 10_000, flags: ACK | bits(6) })
    write(self, connection, text(4000))
    peer.take()
    peer.send({ seq, ack: ack + 12_000, flags: ACK | bits(6) })
    const grown = window()
    assert.isAtLeast(grown, after)
    peer.send({ seq, ack: ack + 1000, flags: ACK | bits(5) })
    peer.send({ seq, ack: ack + 12_000, flags: ACK | bits(5) })
    assert.strictEqual(window(), grown)
    peer.send({ seq, ack: ack + 13_000, flags: ACK | bits(7) })
    assert.isBelow(window(), grown)
  })
  it("three marked ACKs are answered by one, so that two ends never answer each other for ever (RFC 9768 §3.2.2.5.1)", () => {
    const { ack, peer, seq } = agreed()
    const answers = [1, 2, 3, 4, 5].map(() => {
      peer.send({ seq, ack, flags: ACK | bits(5), trafficClass: CE })
      return peer.take().length
    })
    assert.deepStrictEqual(answers, [0, 0, 1, 0, 0])
  })
  it("super-segments are cut with the count on every packet", () => {
    const self = host()
    const listener = listen(self, 80, 4, { ecn: "accurate" })
    const peer = new Peer(self, 80)
    peer.send({ seq: 1000, flags: SYN | marks, options: { maximumSegmentSize: 1000 } })
    const answer = peer.one()
    // One mark: the count is 6, which has CWR set.
    peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK | bits(0b010), trafficClass: CE })
    const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
    write(self, connection, text(8000))
    assert.deepStrictEqual(peer.take().map((got) => ace(got.flags)), Array.from({ length: 8 }, () => 6))
  })
  it("full segments have room for the option, each packet of a super-segment has it, and none is longer than the path carries", () => {
    for (const timestampValue of [undefined, 1]) {
      const self = host()
      const listener = listen(self, 80, 4, { ecn: "accurate", noDelay: true })
      const peer = new Peer(self, 80)
      const offered = { maximumSegmentSize: 1000, sackPermitted: true }
      const stamps = timestampValue === undefined ? {} : { timestampValue, timestampEcho: 0 }
      peer.send({ seq: 1000, flags: SYN | marks, options: { ...offered, ...stamps } })
      const answer = peer.one()
      const accurateEcn = { order: 1, ect1Bytes: 1, ceBytes: 0, ect0Bytes: 1 } as const
      const echoed = timestampValue === undefined
        ? {}
        : { timestampValue: 2, timestampEcho: answer.options.timestampValue }
      peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK | bits(0b010), options: { accurateEcn, ...echoed } })
      const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
      write(self, connection, text(8000))
      const got = peer.take()
      const most = 1000 - 12 - (timestampValue === undefined ? 0 : 12)
      assert.deepStrictEqual(got.slice(0, -1).map((each) => each.text.length), Array.from({ length: 8 }, () => most))
      assert.isTrue(got.every((each) => each.options.accurateEcn?.ect0Bytes === 1))
    }
  })
  it("every segment is capable of marks where the knob says so, but for SYNs and resets (draft-ietf-tcpm-generalized-ecn)", () => {
    const { ack, connection, peer, self, seq } = agreed(bits(0b010), { ecnPackets: "all" })
    const capable = () => peer.take().map((got) => got.trafficClass & 3)
    peer.send({ seq, ack, flags: ACK | bits(5), text: text(10) })
    assert.deepStrictEqual(capable(), [2])
    write(self, connection, text(10))
    assert.deepStrictEqual(capable(), [2])
    self.advance(seconds(1))
    assert.isTrue(capable().every((mark) => mark === 2))
    self.call({ _tag: "TcpAbort", connection })
    assert.deepStrictEqual(capable(), [0])
    // Classic marks know nothing of that.
    const classic = passive("passive", ECE | CWR, 0, { ecnPackets: "all" })
    classic.peer.send({ seq: classic.seq, ack: classic.ack, flags: ACK, text: text(10) })
    assert.strictEqual(classic.peer.one().trafficClass & 3, 0)
  })
  it("a mark halves the window once in a round trip, as for classic marks (RFC 9768 §3.3)", () => {
    for (const congestionControl of ["newReno", "cubic"]) {
      const { ack, connection, peer, self, seq } = agreed(bits(0b010), { congestionControl })
      const window = () => info({ connection, self }).congestionWindow
      write(self, connection, text(10_000))
      peer.take()
      const before = window()
      peer.send({ seq, ack: ack + 1000, flags: ACK | bits(6) })
      const after = window()
      assert.isBelow(after, before)
      peer.send({ seq, ack: ack + 2000, flags: ACK | bits(7) })
      assert.strictEqual(window(), after)
      assert.strictEqual(info({ connection, self }).marksTold, 2)
    }
  })
})
