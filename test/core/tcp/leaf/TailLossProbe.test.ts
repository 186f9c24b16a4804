import { assert, describe, it } from "@effect/vitest"
import * as TailLossProbe from "../../../../src/core/tcp/TailLossProbe.ts"
import * as Time from "../../../../src/core/Time.ts"

const ms = Time.millis
const at = (millis: number): Time.Instant => Time.instantOf(millis * 1000)
const plain = { duplicate: undefined, isBareDuplicate: false }

describe("TailLossProbe", () => {
  it("waits two round trips, longer for a single segment, not beyond the RTO (rfc: 8985 §7.2 SHOULD)", () => {
    const wait = (srtt: Time.Span | undefined, isOne: boolean, rtoAt: Time.Instant): number =>
      (TailLossProbe.probeAt(at(1000), srtt, isOne, ms(200), rtoAt) - at(1000)) / 1000
    assert.strictEqual(wait(ms(50), false, Time.never), 102)
    assert.strictEqual(wait(ms(50), true, Time.never), 300)
    assert.strictEqual(wait(ms(50), true, at(1250)), 250)
    assert.strictEqual(wait(undefined, false, Time.never), 1000)
    assert.strictEqual(wait(undefined, false, at(1900)), 900)
    assert.strictEqual(wait(Time.micros(20), false, Time.never), 2.04)
  })

  it("probes once, and again only after a sample (rfc: 8985 §7.3 MUST)", () => {
    assert.isFalse(TailLossProbe.mayProbe(TailLossProbe.initial))
    const ready = TailLossProbe.sampled(TailLossProbe.initial)
    assert.isTrue(TailLossProbe.mayProbe(ready))
    const probed = TailLossProbe.probed(5000, true, 0)
    assert.isFalse(TailLossProbe.mayProbe(probed))
    assert.isFalse(TailLossProbe.mayProbe(TailLossProbe.sampled(probed)))
    assert.isFalse(TailLossProbe.mayProbe(TailLossProbe.reset(probed)))
    assert.isTrue(TailLossProbe.mayProbe(TailLossProbe.reset(TailLossProbe.sampled(probed))))
  })

  it("tells a repaired loss from a probe for nothing (rfc: 8985 §7.4.2)", () => {
    const end = 5000
    const again = TailLossProbe.probed(end, true, 0)
    const table: ReadonlyArray<readonly [string, TailLossProbe.TailLossProbe, TailLossProbe.Ack, boolean, boolean]> = [
      ["nothing outstanding", TailLossProbe.initial, { ...plain, ack: end }, true, false],
      ["an ACK before the probe", again, { ...plain, ack: end - 1 }, false, false],
      ["new data delivered", TailLossProbe.probed(end, false, 0), { ...plain, ack: end }, true, false],
      ["a D-SACK of the probe", again, { ...plain, ack: end, duplicate: { start: 4000, end } }, true, false],
      [
        "a D-SACK of something else",
        again,
        { ...plain, ack: end, duplicate: { start: 1000, end: 2000 } },
        false,
        false
      ],
      ["a bare duplicate", again, { ...plain, ack: end, isBareDuplicate: true }, true, false],
      ["the ACK of the probe itself", again, { ...plain, ack: end }, false, false],
      ["an ACK beyond it", again, { ...plain, ack: end + 1 }, true, true]
    ]
    for (const [name, probe, ack, isOver, repairedLoss] of table) {
      const told = TailLossProbe.onAck(probe, ack)
      assert.deepStrictEqual([told.probe.endSeq === undefined, told.repairedLoss], [isOver, repairedLoss], name)
    }
  })
})
