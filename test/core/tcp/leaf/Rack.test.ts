import { assert, describe, it } from "@effect/vitest"
import type { Stamp } from "../../../../src/core/tcp/DeliveryRate.ts"
import * as Rack from "../../../../src/core/tcp/Rack.ts"
import * as Scoreboard from "../../../../src/core/tcp/Scoreboard.ts"
import * as Time from "../../../../src/core/Time.ts"

const mss = 1000
const minRtt = Time.millis(100)
const at = (millis: number): Time.Instant => Time.instantOf(millis * 1000)

const stamp = (millis: number): Stamp => ({
  sentAt: at(millis),
  delivered: 0,
  deliveredAt: at(0),
  firstSentAt: at(0),
  inFlight: 0,
  lost: 0,
  isAppLimited: false
})

const around = (millis: number, given: Partial<Rack.Surroundings> = {}): Rack.Surroundings => ({
  now: at(millis),
  minRtt,
  srtt: Time.millis(110),
  isRecovering: false,
  threshold: 3,
  ...given
})

/** A sender that has RACK and nothing else: what each step of the RFC's examples does to it. */
class Sender {
  board = Scoreboard.make(0)
  rack: Rack.Rack = Rack.initial
  lookAt: Time.Instant | undefined = undefined

  send(millis: number, segments = 1): void {
    for (let i = 0; i < segments; i++) {
      this.board = Scoreboard.sent(this.board, this.board.nxt + mss, mss, stamp(millis))
    }
  }

  resend(segment: number, millis: number): void {
    this.board = Scoreboard.retransmitted(this.board, segment * mss, (segment + 1) * mss, mss, stamp(millis))
  }

  /** An ACK of the first `count` segments with SACKs of `sacks`. Answers the segments that it shows to be lost, and when to look again. */
  ack(millis: number, count: number, sacks: ReadonlyArray<number>, given: Partial<Rack.Surroundings> = {}) {
    const blocks = sacks.map((segment) => ({ left: segment * mss, right: (segment + 1) * mss }))
    const update = Scoreboard.update(
      this.board,
      count * mss,
      blocks,
      Rack.credible(at(millis), minRtt)
    )
    this.board = update.board
    this.rack = Rack.deliver(this.rack, update, at(millis))
    return this.look(millis, given)
  }

  look(millis: number, given: Partial<Rack.Surroundings> = {}) {
    const { lookAgain, losses } = Rack.detect(this.rack, this.board, around(millis, given))
    this.board = losses.board
    this.lookAt = lookAgain
    const lost: Array<number> = []
    for (const run of losses.runs) for (let seq = run.start; seq < run.end; seq += mss) lost.push(seq / mss)
    return { lost, lookAgain: lookAgain === undefined ? undefined : Time.toMillis(Time.between(at(0), lookAgain)) }
  }
}

describe("Rack", () => {
  it("finds three tail losses by a probe, and the loss of a retransmission (RFC 8985 §3.4)", () => {
    const sender = new Sender()
    sender.send(0, 4)
    assert.deepStrictEqual(sender.ack(100, 1, []).lost, [])
    sender.resend(3, 300)
    // P3 arrives: P1 and P2 were sent long before it.
    assert.deepStrictEqual(sender.ack(400, 1, [3]).lost, [1, 2])
    sender.resend(1, 401)
    sender.resend(2, 402)
    // The second copy of P2 arrives, that of P1 does not.
    assert.deepStrictEqual(sender.ack(502, 1, [2, 3], { isRecovering: true }).lost, [1])
    sender.resend(1, 502)
    assert.deepStrictEqual(sender.ack(602, 4, []), { lost: [], lookAgain: undefined })
  })

  it("repairs drops at the tail of a transaction (RFC 8985 §9.1, first example)", () => {
    const sender = new Sender()
    sender.send(0)
    sender.send(30)
    sender.send(60)
    assert.deepStrictEqual(sender.ack(130, 0, [1]).lost, [0])
    sender.resend(0, 130)
    assert.deepStrictEqual(sender.ack(230, 2, [], { isRecovering: true }).lost, [2])
  })

  it("waits for what may be reordered, and says for how long (RFC 8985 §9.1, third example)", () => {
    const sender = new Sender()
    sender.rack = { ...Rack.initial, reorderingSeen: true }
    sender.send(0, 3)
    assert.deepStrictEqual(sender.ack(100, 0, [2]), { lost: [], lookAgain: 125 })
    assert.deepStrictEqual(sender.look(124), { lost: [], lookAgain: 125 })
    assert.deepStrictEqual(sender.look(125), { lost: [0, 1], lookAgain: undefined })
    const patient = new Sender()
    patient.rack = sender.rack
    patient.send(200, 3)
    patient.ack(300, 0, [2])
    assert.deepStrictEqual(patient.ack(310, 3, []), { lost: [], lookAgain: undefined })
  })

  it("does not wait once three segments are acknowledged behind, or in recovery, if nothing was ever reordered (RFC 8985 §3.3.2)", () => {
    const three = new Sender()
    three.send(0, 5)
    assert.deepStrictEqual(three.ack(100, 0, [2]).lost, [])
    assert.deepStrictEqual(three.ack(100, 0, [2, 3]).lost, [])
    assert.deepStrictEqual(three.ack(100, 0, [2, 3, 4]).lost, [0, 1])
    const recovering = new Sender()
    recovering.send(0, 5)
    assert.deepStrictEqual(recovering.ack(100, 0, [1], { isRecovering: true }).lost, [0])
  })

  it("finds at the time to look again what it waits for, however times are rounded", () => {
    for (let i = 1; i <= 200; i++) {
      const sender = new Sender()
      sender.rack = { ...Rack.initial, reorderingSeen: true }
      sender.send(i / 7, 2)
      const told = sender.ack(100 + i / 3, 0, [1], { minRtt: Time.micros(100_000 / i) })
      assert.isDefined(told.lookAgain)
      const around = { minRtt: Time.micros(100_000 / i), now: sender.lookAt! }
      assert.deepStrictEqual(sender.look(0, around), { lost: [0], lookAgain: undefined })
    }
  })

  it("breaks ties of time by sequence numbers (rfc: 8985 §6.2 step 2)", () => {
    const sender = new Sender()
    sender.send(0, 6)
    assert.deepStrictEqual(sender.ack(100, 0, [2], { isRecovering: true }).lost, [0, 1])
    assert.strictEqual(Scoreboard.pipe(sender.board), 3 * mss)
  })

  it("draws nothing from the ACK of a retransmission that cannot have arrived yet (rfc: 8985 §6.2 step 2)", () => {
    const sender = new Sender()
    sender.send(0, 3)
    sender.resend(2, 90)
    // The original arrives ten milliseconds after the retransmission left.
    const told = sender.ack(100, 0, [2], { isRecovering: true })
    assert.deepStrictEqual([told.lost, sender.rack.xmitTs], [[], Rack.initial.xmitTs])
    // Seven eighths of it: the probe may be shorter than what was measured.
    assert.strictEqual(Rack.credible(at(100), minRtt), at(12.5))
    assert.strictEqual(Rack.credible(at(300), undefined), at(300))
  })

  it("marks at a timeout the first segment and what should have come (rfc: 8985 §6.3, the example of §3.5)", () => {
    const sender = new Sender()
    sender.send(0)
    sender.send(990, 2)
    const recent = Rack.timeout(sender.rack, sender.board, around(1000, { minRtt: undefined }))
    assert.deepStrictEqual([recent.bytes, recent.runs[0]?.start], [3 * mss, 0])
    sender.rack = { ...Rack.initial, rtt: Time.millis(100) }
    const known = Rack.timeout(sender.rack, sender.board, around(1000))
    assert.deepStrictEqual([known.bytes, known.runs[0]?.start], [mss, 0])
    assert.strictEqual(Rack.timeout(sender.rack, sender.board, around(1200)).bytes, 3 * mss)
  })

  it("grows its window by a quarter of the least round trip for each round with a D-SACK, up to SRTT (rfc: 8985 §3.3.2 MUST)", () => {
    const sender = new Sender()
    sender.send(0, 3)
    const window = (rack: Rack.Rack): number => Time.toMillis(Rack.reorderingWindow(rack, sender.board, around(0)))
    let rack = Rack.initial
    assert.strictEqual(window(rack), 25)
    rack = Rack.adapt(rack, sender.board, true, false)
    assert.strictEqual(window(rack), 50)
    // The same round trip.
    assert.strictEqual(Rack.adapt(rack, sender.board, true, false), rack)
    for (const expected of [75, 100, 110, 110]) {
      sender.ack(100, sender.board.nxt / mss, [])
      sender.send(100, 1)
      rack = Rack.adapt(rack, sender.board, true, false)
      assert.strictEqual(window(rack), expected)
    }
  })

  it("falls back after sixteen recoveries without one (rfc: 8985 §6.2 step 4)", () => {
    const board = Scoreboard.make(0)
    let rack = Rack.adapt(Rack.initial, board, true, false)
    for (let i = 0; i < 15; i++) rack = Rack.adapt(rack, board, false, true)
    assert.strictEqual(rack.reoWndMult, 2)
    assert.strictEqual(Rack.adapt(rack, board, false, true).reoWndMult, 1)
    const again = Rack.adapt(rack, board, true, false)
    assert.deepStrictEqual([again.reoWndMult, again.reoWndPersist], [3, 16])
  })
})
