import { assert, describe, it } from "@effect/vitest"
import * as Blocks from "../../../../src/core/data/Blocks.ts"
import * as SendQueue from "../../../../src/core/tcp/SendQueue.ts"
import type { Piece } from "../../../../src/wire/Piece.ts"
import * as Sequence from "../../../../src/wire/Sequence.ts"
import { random } from "../../../wire/laws.ts"

const start = -3000

/** The byte of the stream with this number. */
const byteAt = (seq: number): number => (Math.imul(seq, 167) >>> 3) & 0xff

const stretch = (from: number, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => byteAt(Sequence.add(from, i)))

const bytesOf = (pieces: ReadonlyArray<Piece>): ReadonlyArray<number> =>
  pieces.flatMap(({ bytes, end, start }) => Array.from(bytes.subarray(start, end)))

/** Blocks that are overwritten as soon as they are spent, as the next who takes one would. */
const memory = () => {
  const blocks = Blocks.make()
  const self = {
    spent: 0,
    block: (size: Blocks.Size) => blocks.take(size),
    spend: (block: Uint8Array) => {
      self.spent += 1
      block.fill(0xee)
      blocks.give(block)
    }
  }
  return self
}

describe("SendQueue", () => {
  it("uses the memory of an answer again once it is acknowledged", () => {
    const blocks = memory()
    const pieces: Array<Piece> = []
    let queue = SendQueue.empty(start)
    for (let i = 0; i < 3; i++) {
      const bytes = stretch(queue.end, 200)
      queue = SendQueue.write(queue, bytes, 0, 200, false, blocks)
      assert.strictEqual(queue.held, 512)
      queue = SendQueue.read(queue, queue.start, 200, pieces, true)
      queue = SendQueue.acknowledge(queue, queue.end, queue.end, blocks)
      assert.strictEqual(queue.held, 0)
    }
    assert.strictEqual(new Set(pieces.map(({ bytes }) => bytes)).size, 1)
    assert.strictEqual(blocks.spent, 3)
  })

  it("takes no more memory than twice what is written, but for a little", () => {
    for (const size of [1, 64, 65, 600, 5000, 20_000, 70_000]) {
      let queue = SendQueue.empty(start)
      for (let written = 0; written < 300_000; written += size) {
        queue = SendQueue.write(queue, new Uint8Array(size), 0, size, false, memory())
        assert.isAtMost(queue.held, 2 * SendQueue.length(queue) + 4096)
      }
    }
  })

  it("leaves alone what waits in the link's queue, though a peer acknowledges it before it has left, or it was sent twice", () => {
    let spent = 0
    for (let seed = 0; seed < 100; seed++) spent += run(seed)
    assert.isAbove(spent, 50)
  })

  it("reads what was written, whatever is written, acknowledged and sent again", () => {
    const source = random(7)
    const blocks = memory()
    let queue = SendQueue.empty(start)
    let unread = start
    for (let i = 0; i < 300; i++) {
      const count = 1 + source.int(source.of(100, 3000, 90_000))
      if (SendQueue.length(queue) < 400_000) {
        queue = SendQueue.write(queue, stretch(queue.end, count), 0, count, source.of(true, false), blocks)
      }
      const left = Sequence.distance(unread, queue.end)
      const length = Math.min(left, source.int(70_000))
      const pieces: Array<Piece> = []
      queue = SendQueue.read(queue, unread, length, pieces, true)
      assert.deepStrictEqual(Uint8Array.from(bytesOf(pieces)), stretch(unread, length))
      unread = Sequence.add(unread, length)
      const sent = Sequence.distance(queue.start, unread)
      queue = SendQueue.acknowledge(queue, Sequence.add(queue.start, source.int(sent + 1)), unread, blocks)
    }
    assert.isAbove(blocks.spent, 50)
  })
})

/** A segment in the link's queue. */
interface Waiting {
  readonly from: number
  readonly length: number
  readonly pieces: ReadonlyArray<Piece>
}

/** One connection and the queue of its link; answers how many blocks were used again. */
const run = (seed: number): number => {
  const source = random(seed)
  const blocks = memory()
  const link: Array<Waiting> = []
  let queue = SendQueue.empty(start)
  let nxt = start
  let credit = 0
  const send = (from: number, most: number, isFirst: boolean) => {
    const length = Math.min(Sequence.distance(from, queue.end), most)
    const pieces: Array<Piece> = []
    queue = SendQueue.read(queue, from, length, pieces, isFirst)
    link.push({ from, length, pieces })
    credit += length
    if (isFirst) nxt = Sequence.add(nxt, length)
  }
  const actions = [
    () => {
      const count = 1 + source.int(2000)
      queue = SendQueue.write(queue, stretch(queue.end, count), 0, count, false, blocks)
    },
    () => send(nxt, source.int(3000), true),
    () => send(Sequence.add(queue.start, source.int(Sequence.distance(queue.start, nxt) + 1)), 500, false),
    () => {
      const una = Sequence.add(queue.start, source.int(Sequence.distance(queue.start, nxt) + 1))
      queue = SendQueue.acknowledge(queue, una, Sequence.add(nxt, -credit), blocks)
    },
    () => {
      const segment = link.shift()
      if (segment === undefined) return
      assert.deepStrictEqual(
        Uint8Array.from(bytesOf(segment.pieces)),
        stretch(segment.from, segment.length),
        `seed ${seed}`
      )
      credit -= segment.length
    }
  ]
  for (let i = 0; i < 200; i++) actions[source.of(0, 0, 1, 1, 1, 3, 3, 4, 4, 4, source.of(0, 2))]!()
  return blocks.spent
}
