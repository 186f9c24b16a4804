import { assert, describe, it } from "@effect/vitest"
import * as AccurateEcn from "../../../../src/core/tcp/AccurateEcn.ts"
import * as Config from "../../../../src/core/tcp/Config.ts"
import * as Time from "../../../../src/core/Time.ts"
import type * as Option from "../../../../src/wire/AccurateEcnOption.ts"
import * as TcpOptions from "../../../../src/wire/TcpOptions.ts"

const { Mark, initial } = AccurateEcn

const option = (ect0: number, ce: number, ect1: number, order: 0 | 1 = 1): Option.AccurateEcn => ({
  order,
  ect0Bytes: ect0 & 0xff_ffff,
  ceBytes: ce & 0xff_ffff,
  ect1Bytes: ect1 & 0xff_ffff
})

/** A connection whose peer has sent options, and to which everything came with ECT(0) up to now. */
const known = (): AccurateEcn.AccurateEcn => {
  const seen = AccurateEcn.introduced(initial, option(1, 0, 1))
  return AccurateEcn.acknowledged(seen, option(101, 0, 1), 100, 100)[0]
}

describe("AccurateEcn: what came (RFC 9768 §3.2.3)", () => {
  it("counts bytes by their marks, and nothing of what can't be marked", () => {
    const marks = [Mark.ect0, Mark.ect1, Mark.ce, Mark.none, Mark.ect0]
    const all = marks.reduce((self, mark, i) => AccurateEcn.received(self, mark, 10 ** i), initial)
    assert.deepStrictEqual(all.received, { ect0: 10_001, ect1: 10, ce: 100 })
  })
  it("tells a change and congestion twice, and a counter that has grown by 2^22 once", () => {
    const after = (self: AccurateEcn.AccurateEcn, mark: number, length: number) =>
      AccurateEcn.received({ ...self, demand: 0 }, mark, length)
    const first = after(initial, Mark.ect0, 100)
    assert.strictEqual(first.demand, 2)
    const same = after(first, Mark.ect0, 100)
    assert.strictEqual(same.demand, 0)
    assert.strictEqual(after(same, Mark.ect0, 2 ** 22).demand, 1)
    const marked = after(same, Mark.ce, 0)
    assert.strictEqual(marked.demand, 2)
    assert.strictEqual(after(marked, Mark.ce, 0).demand, 2)
    assert.strictEqual(after(marked, Mark.none, 0).demand, 2)
  })
  it("an option must have the counters up to the last that has changed since the one before", () => {
    const required = (...marks: ReadonlyArray<number>) =>
      marks.reduce((self, mark) => AccurateEcn.received(self, mark, 1), initial).required
    assert.deepStrictEqual(
      [[Mark.none], [Mark.ect1], [Mark.ce], [Mark.ect0], [Mark.ect1, Mark.ce]].map((marks) => required(...marks)),
      [0, 1, 2, 3, 2]
    )
    const sent = AccurateEcn.sent(
      AccurateEcn.received(initial, Mark.ect0, 1),
      TcpOptions.make({ accurateEcn: option(2, 0, 1) }),
      Time.instantOf(5),
      undefined
    )
    assert.deepStrictEqual([sent.required, sent.demand, sent.sentAt], [0, 1, Time.instantOf(5)])
  })
  it("goes round after 24 bits, and begins with one where zeros would be a lie (RFC 9768 §3.2.1)", () => {
    const all = AccurateEcn.received(initial, Mark.ect0, 2 ** 24 + 5)
    assert.deepStrictEqual(AccurateEcn.added(all, TcpOptions.none).accurateEcn, option(6, 0, 1))
  })
})

describe("AccurateEcn: when an option goes out (RFC 9768 §3.2.3.3)", () => {
  const config = (ecnOption: Config.Config["ecnOption"], ecnOptionBeacons = 3): Config.Config => ({
    ...Config.defaults,
    ecnOption,
    ecnOptionBeacons
  })
  const seen: AccurateEcn.AccurateEcn = { ...initial, seen: "counters" }
  const isDue = (self: AccurateEcn.AccurateEcn, knobs: Config.Config, millis = 0, srtt: number | undefined = 100) =>
    AccurateEcn.isDue(
      self,
      knobs,
      Time.plus(Time.instantOf(0), Time.millis(millis)),
      srtt === undefined ? undefined : Time.millis(srtt)
    )
  it("as the knob says, and never before the peer's first or after ours got lost", () => {
    for (const [knob, expected] of [["never", false], ["changes", false], ["always", true]] as const) {
      assert.strictEqual(isDue(seen, config(knob)), expected, knob)
      assert.isFalse(isDue({ ...initial, demand: 2 }, config(knob)))
      assert.isFalse(isDue({ ...seen, demand: 2, isRefused: true }, config(knob)))
    }
    assert.isTrue(isDue({ ...seen, demand: 1 }, config("changes")))
  })
  it("so often in a round trip as beacons ask for, and always before the first measurement", () => {
    assert.deepStrictEqual([33, 34].map((millis) => isDue(seen, config("changes"), millis)), [false, true])
    assert.deepStrictEqual([99, 100].map((millis) => isDue(seen, config("changes", 1), millis)), [false, true])
    assert.isFalse(isDue(seen, config("changes", 0), 1e6))
    assert.isTrue(AccurateEcn.isDue(seen, config("changes"), Time.instantOf(0), undefined))
  })
  it("is not sent any more once the same text came again after an option was sent beside its duplicate (§3.2.3.2.2)", () => {
    const beside = AccurateEcn.sent(seen, TcpOptions.make({ accurateEcn: option(1, 0, 1) }), Time.instantOf(0), 77)
    assert.isFalse(AccurateEcn.repeated(beside, 76).isRefused)
    assert.isTrue(AccurateEcn.repeated(beside, 77).isRefused)
    const without = AccurateEcn.sent(seen, TcpOptions.none, Time.instantOf(0), 77)
    assert.isFalse(AccurateEcn.repeated(without, 77).isRefused)
  })
  it("gives way to all of two SACK blocks, and takes the place of a third if it must tell something", () => {
    const blocks = [1, 2, 3, 4].map((n) => ({ left: 10 * n, right: 10 * n + 5 }))
    const shape = (count: number, stamps: boolean, required: number): readonly [blocks: number, octets: number] => {
      const options = {
        ...(stamps ? TcpOptions.timestamps(1, 2) : TcpOptions.none),
        sackBlocks: blocks.slice(0, count)
      }
      const made = AccurateEcn.added({ ...seen, required }, options)
      assert.isAtMost(TcpOptions.size(made), TcpOptions.maximumLength)
      const bytes = new Uint8Array(TcpOptions.maximumLength)
      const end = TcpOptions.emit(made, bytes, 0)
      assert.strictEqual(end, TcpOptions.size(made))
      const read = TcpOptions.parse(bytes, 0, end) as TcpOptions.Options
      const told = read.accurateEcn
      const counters = [told?.ect1Bytes, told?.ceBytes, told?.ect0Bytes].filter((counter) => counter !== undefined)
      return [read.sackBlocks.length, told === undefined ? 0 : 2 + 3 * counters.length]
    }
    assert.deepStrictEqual([1, 2, 3, 4].map((count) => shape(count, false, 0)), [[1, 11], [2, 11], [3, 11], [4, 5]])
    assert.deepStrictEqual([1, 2, 3, 4].map((count) => shape(count, false, 3)), [[1, 11], [2, 11], [3, 11], [3, 11]])
    assert.deepStrictEqual([1, 2, 3].map((count) => shape(count, true, 0)), [[1, 11], [2, 8], [3, 2]])
    assert.deepStrictEqual([1, 2, 3].map((count) => shape(count, true, 2)), [[1, 11], [2, 8], [2, 8]])
    assert.deepStrictEqual([1, 2, 3].map((count) => shape(count, true, 3)), [[1, 11], [2, 0], [3, 0]])
  })
  it("shares a SYN/ACK with a Fast Open cookie as far as there is room", () => {
    const cookie = (length: number) => ({ bytes: new Uint8Array(length), start: 0, end: length })
    const offer = (length: number) =>
      AccurateEcn.offered(
        TcpOptions.make({
          maximumSegmentSize: 1460,
          timestampValue: 1,
          timestampEcho: 2,
          sackPermitted: true,
          windowScale: 7,
          fastOpenCookie: cookie(length)
        }),
        Config.defaults
      ).accurateEcn
    assert.deepStrictEqual(offer(4), option(1, 0, 1))
    assert.deepStrictEqual(offer(8), { order: 1, ect1Bytes: 1, ceBytes: 0, ect0Bytes: undefined })
    assert.isUndefined(offer(16))
  })
})

describe("AccurateEcn: what the peer tells (RFC 9768 §3.2.3, appendix A)", () => {
  it("takes counters in both orders and of all lengths, also over their end", () => {
    const far = { ...known(), told: { ect0: 2 ** 24 - 10, ect1: 0, ce: 0 } }
    const [after] = AccurateEcn.acknowledged(far, option(11, 0, 1, 0), 20, 1e9)
    assert.strictEqual(after.told.ect0, 2 ** 24 + 10)
    const short = { order: 1, ect1Bytes: 6, ceBytes: undefined, ect0Bytes: undefined } as const
    assert.deepStrictEqual(AccurateEcn.acknowledged(initial, short, 5, 5)[0].told, { ect0: 0, ect1: 5, ce: 0 })
  })
  it("concludes from an ACK without an option what all the others have told", () => {
    const [after, isSure] = AccurateEcn.acknowledged(known(), undefined, 50, 150)
    assert.deepStrictEqual([after.told.ect0, isSure], [150, true])
    const [unknown, isKnown] = AccurateEcn.acknowledged(
      AccurateEcn.introduced(initial, option(1, 0, 1)),
      undefined,
      50,
      50
    )
    assert.deepStrictEqual([unknown.told.ect0, isKnown], [0, false])
  })
  it("knows which counter text goes to by the one that moves, and nothing when two do or one goes back", () => {
    assert.strictEqual(known().expected, Mark.ect0)
    const [other, sureOfOther] = AccurateEcn.acknowledged(known(), option(101, 50, 1), 50, 150)
    assert.deepStrictEqual([other.expected, other.told.ce, sureOfOther], [Mark.ce, 50, true])
    const [two, sureOfTwo] = AccurateEcn.acknowledged(known(), option(101, 25, 26), 50, 150)
    assert.deepStrictEqual([two.expected, sureOfTwo], [0, false])
    const [back, sureOfBack] = AccurateEcn.acknowledged(known(), option(91, 0, 1), 50, 150)
    assert.deepStrictEqual([back.expected, back.told.ect0, sureOfBack], [0, 90, false])
  })
  it("does not believe an option whose first or last counter is zero at the beginning (§3.2.3.2.4)", () => {
    for (const zeroed of [option(0, 0, 0), option(0, 0, 1), option(1, 0, 0)]) {
      const self = AccurateEcn.introduced(initial, zeroed)
      assert.strictEqual(self.seen, "zeroed")
      assert.deepStrictEqual(AccurateEcn.acknowledged(self, option(101, 0, 1), 100, 100), [self, false])
    }
    const short = (ect1Bytes: number | undefined): Option.AccurateEcn => ({
      order: 1,
      ect1Bytes,
      ceBytes: undefined,
      ect0Bytes: undefined
    })
    assert.strictEqual(AccurateEcn.introduced(initial, short(undefined)).seen, "empty")
    assert.strictEqual(AccurateEcn.introduced(initial, short(0)).seen, "zeroed")
    assert.strictEqual(AccurateEcn.introduced(initial, short(1)).seen, "counters")
  })
  it("does not begin to believe after so much that the counters may have gone round", () => {
    assert.strictEqual(AccurateEcn.acknowledged(initial, undefined, 1, 2 ** 23 - 2)[0].seen, "nothing")
    assert.strictEqual(AccurateEcn.acknowledged(initial, undefined, 1, 2 ** 23 - 1)[0].seen, "zeroed")
  })
})

describe("AccurateEcn: how many marks an ACK tells of (RFC 9768 §3.2.2.5.2, appendix A.2)", () => {
  const marks = (given: Partial<AccurateEcn.Report>, packetsPerAck = 1): number =>
    AccurateEcn.marks({ ...initial, packetsPerAck }, {
      least: 2,
      packets: 10,
      bytes: 10_000,
      markedBytes: undefined,
      mss: 1000,
      ...given
    })
  it("those of the bits, as long as they can't have gone round", () => {
    for (const packets of [0, 2, 7]) assert.strictEqual(marks({ packets }), 2)
  })
  it("else as many as there may be, unless ACKs that cover many are usual", () => {
    assert.strictEqual(marks({}), 10)
    assert.strictEqual(marks({ packets: 17 }), 10)
    assert.strictEqual(marks({ packets: 18 }), 18)
    assert.strictEqual(marks({}, 5), 2)
  })
  it("the bytes say whether the bits went round", () => {
    assert.strictEqual(marks({ markedBytes: 0 }), 2)
    assert.strictEqual(marks({ markedBytes: 2000 }), 2)
    assert.strictEqual(marks({ markedBytes: 10_000 }), 10)
    assert.strictEqual(marks({ packets: 40, bytes: 40_000, markedBytes: 18_000 }), 18)
    assert.strictEqual(marks({ packets: 40, bytes: 40_000, markedBytes: 40_000 }), 34)
  })
  it("averages what ACKs cover slowly, and begins with the first", () => {
    const first = AccurateEcn.averaged(initial, 2)
    assert.strictEqual(first.packetsPerAck, 2)
    assert.strictEqual(AccurateEcn.averaged(first, 66).packetsPerAck, 3)
    assert.strictEqual(AccurateEcn.averaged(first, 0), first)
  })
})
