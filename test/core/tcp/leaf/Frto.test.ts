import { assert, describe, it } from "@effect/vitest"
import * as Frto from "../../../../src/core/tcp/Frto.ts"

const base: Frto.Ack = {
  una: 0,
  nxt: 100,
  isNew: false,
  isDuplicate: false,
  delivered: 0,
  fack: 0,
  hasSack: false
}

/** Ten segments of ten bytes in flight, the first of them sent again. */
const waiting = Frto.start(10, 100, false)

const ack = (una: number, given: Partial<Frto.Ack> = {}): Frto.Ack => ({
  ...base,
  una,
  isNew: true,
  delivered: una,
  fack: una,
  ...given
})
const duplicate = (given: Partial<Frto.Ack> = {}): Frto.Ack => ({ ...base, isDuplicate: true, ...given })

const verdict = (self: Frto.Frto, told: Frto.Ack): string => {
  const { verdict } = Frto.onAck(self, told)
  return verdict._tag === "Conventional" ? `Conventional ${verdict.segments}` : verdict._tag
}

describe("Frto", () => {
  it("judges the first ACK after the timeout (rfc: 5682 §2.1 MUST step 2)", () => {
    assert.strictEqual(verdict(waiting, ack(20)), "SendNew")
    assert.strictEqual(verdict(waiting, ack(10)), "SendNew")
    assert.strictEqual(verdict(waiting, ack(5)), "Conventional 2")
    assert.strictEqual(verdict(waiting, ack(100)), "Conventional 2")
    assert.strictEqual(verdict(waiting, duplicate()), "Conventional 2")
    assert.strictEqual(verdict(waiting, base), "Nothing")
  })

  it("judges the second ACK (rfc: 5682 §2.1 MUST step 3)", () => {
    const testing = Frto.onAck(waiting, ack(10)).frto
    assert.strictEqual(testing.recover, 100)
    assert.strictEqual(verdict(testing, ack(20, { nxt: 120 })), "Spurious")
    assert.strictEqual(verdict(testing, duplicate({ una: 10, nxt: 120 })), "Conventional 3")
    assert.strictEqual(verdict(testing, { ...base, una: 10, nxt: 120 }), "Nothing")
    assert.strictEqual(Frto.onAck(testing, ack(20)).frto, Frto.off)
  })

  it("waits through duplicates with SACK, and asks for news of old data (rfc: 5682 §3.1 MUST)", () => {
    const sack = { hasSack: true }
    assert.strictEqual(verdict(waiting, duplicate({ ...sack, delivered: 10, fack: 50 })), "Nothing")
    assert.strictEqual(verdict(waiting, ack(100, sack)), "Conventional 2")
    const testing = Frto.onAck(waiting, ack(10, sack)).frto
    const later = { ...sack, nxt: 120 }
    assert.strictEqual(verdict(testing, ack(30, { ...later, delivered: 20 })), "Spurious")
    assert.strictEqual(verdict(testing, duplicate({ ...later, una: 10, delivered: 10, fack: 60 })), "Spurious")
    assert.strictEqual(verdict(testing, duplicate({ ...later, una: 10, delivered: 10, fack: 110 })), "Conventional 3")
    assert.strictEqual(verdict(testing, duplicate({ ...later, una: 10 })), "Conventional 3")
  })

  it("is not tried during an earlier recovery (rfc: 5682 §2.1 step 1)", () => {
    assert.strictEqual(Frto.start(10, 100, true), Frto.off)
    assert.strictEqual(verdict(Frto.off, ack(20)), "Nothing")
  })
})
