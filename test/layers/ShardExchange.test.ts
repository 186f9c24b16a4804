import { assert, describe, it } from "@effect/vitest"
import * as ShardExchange from "../../layers/ShardExchange.ts"
import type { HandedOver, Taken } from "../../layers/ShardProtocol.ts"
import * as Frame from "../../src/wire/Frame.ts"

type Message = HandedOver | Taken

/** Two ends of a channel whose messages wait until the test lets them pass. */
const channels = () => {
  const listeners: [Set<(value: Message) => void>, Set<(value: Message) => void>] = [new Set(), new Set()]
  const waiting: Array<() => void> = []
  const end = (own: 0 | 1): ShardExchange.Channel => ({
    postMessage: (value, transfer) => {
      const moved = structuredClone(value, { transfer: [...transfer] })
      waiting.push(() => {
        for (const listener of listeners[own === 0 ? 1 : 0]) listener(moved)
      })
    },
    on: (_, listener) => listeners[own].add(listener),
    off: (_, listener) => listeners[own].delete(listener)
  })
  const pass = (): void => {
    for (const deliver of waiting.splice(0)) deliver()
  }
  return { ends: [end(0), end(1)] as const, pass, listeners }
}

const frame = (length: number): Frame.Frame => {
  const bytes = Uint8Array.from({ length: length + 8 }, (_, i) => i)
  return { ...Frame.plain(bytes, 8), checksum: "partial", checksumStart: 34, checksumOffset: 16 }
}

const setUp = () => {
  const { ends, listeners, pass } = channels()
  const [one, other] = [ShardExchange.make([undefined, ends[0]]), ShardExchange.make([ends[1], undefined])]
  const received: Array<Frame.Frame> = []
  const stops = [
    one.receive(() => assert.fail("nothing was sent here")),
    other.receive((taken) => received.push(taken))
  ]
  return { one, received, pass, stops, listeners }
}

describe("ShardExchange", () => {
  it("moves a copy of a frame with all that is known of it", () => {
    const { one, pass, received } = setUp()
    const sent = frame(60)
    assert.isTrue(one.hand(1, sent))
    pass()
    assert.deepStrictEqual(received.map(Frame.copy), [Frame.copy(sent)])
    assert.deepInclude(received[0], { checksum: "partial", checksumStart: 34, checksumOffset: 16, slab: undefined })
    assert.strictEqual(sent.bytes.length, 68)
  })

  it("takes no more than its bound for a shard that takes nothing, and goes on when it does", () => {
    const { one, pass, received } = setUp()
    const hand = (): number => {
      let taken = 0
      while (one.hand(1, frame(20))) taken += 1
      return taken
    }
    assert.strictEqual(hand(), ShardExchange.handedOverFrames)
    pass()
    assert.strictEqual(received.length, ShardExchange.handedOverFrames)
    // The word that they have been taken is on its way.
    assert.strictEqual(hand(), 0)
    pass()
    assert.strictEqual(hand(), ShardExchange.handedOverFrames)
  })

  it("hands nothing to itself, and hears nothing once it is stopped", () => {
    const { listeners, one, stops } = setUp()
    assert.isFalse(one.hand(0, frame(20)))
    for (const stop of stops) stop()
    assert.deepStrictEqual(listeners.map(({ size }) => size), [0, 0])
  })
})
