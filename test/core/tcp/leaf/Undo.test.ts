import { assert, describe, it } from "@effect/vitest"
import * as Undo from "../../../../src/core/tcp/Undo.ts"

const mss = 10
const begun = Undo.begin(100, 200)
const plain: Undo.Ack = { isNew: false, echo: undefined, duplicate: undefined, mss }

/** Whether the last of some ACKs proves that there was no loss. */
const proof = (self: Undo.Undo, ...acks: ReadonlyArray<Partial<Undo.Ack>>): boolean => {
  let undo = self
  let isSpurious = false
  for (const ack of acks) {
    const told = Undo.onAck(undo, { ...plain, ...ack })
    undo = told.undo
    isSpurious = told.isSpurious
  }
  return isSpurious
}

describe("Undo", () => {
  it("is proven by an echo from before the retransmission (RFC 3522 §3.2)", () => {
    const again = Undo.retransmitted(begun, 1, 5000)
    assert.isTrue(proof(again, { isNew: true, echo: 4999 }))
    assert.isFalse(proof(again, { isNew: true, echo: 5000 }))
    assert.isFalse(proof(again, { isNew: false, echo: 4000 }))
    assert.isFalse(proof(again, { isNew: true, echo: undefined }))
    assert.isTrue(proof(Undo.retransmitted(begun, 1, -0x8000_0000), { isNew: true, echo: 0x7fff_ffff }))
  })

  it("looks at the first new ACK, against the first retransmission", () => {
    const again = Undo.retransmitted(Undo.retransmitted(begun, 1, 5000), 1, 6000)
    assert.isFalse(proof(again, { isNew: true, echo: 5500 }))
    assert.isFalse(proof(again, { isNew: true, echo: 5000 }, { isNew: true, echo: 4000 }))
  })

  it("is proven when all that was sent again has arrived twice (RFC 3708 §3)", () => {
    const again = Undo.retransmitted(Undo.retransmitted(begun, 1, undefined), 2, undefined)
    const first = { duplicate: { start: 100, end: 110 } }
    const rest = { duplicate: { start: 110, end: 130 } }
    assert.isFalse(proof(again, first))
    assert.isTrue(proof(again, first, rest))
    assert.isTrue(proof(again, rest, first))
    const more = Undo.retransmitted(Undo.onAck(again, { ...plain, ...first }).undo, 1, undefined)
    assert.isFalse(proof(more, rest))
  })

  it("is not proven by D-SACKs of something else, or when nothing was sent again", () => {
    assert.isFalse(proof(begun, { duplicate: { start: 100, end: 110 } }))
    assert.isFalse(proof(begun, { isNew: true, echo: 1 }))
    const again = Undo.retransmitted(begun, 1, undefined)
    assert.isFalse(proof(again, { duplicate: { start: 90, end: 100 } }))
    assert.isFalse(proof(again, { duplicate: { start: 195, end: 205 } }))
  })
})
