import { assert, describe, it } from "@effect/vitest"
import * as Blocks from "../../../../src/core/data/Blocks.ts"
import * as ReceiveBlock from "../../../../src/core/tcp/ReceiveBlock.ts"
import * as ReceiveBuffer from "../../../../src/core/tcp/ReceiveBuffer.ts"
import type { Slab } from "../../../../src/wire/Frame.ts"
import type { Piece } from "../../../../src/wire/Piece.ts"
import * as Pieces from "../../../../src/wire/Piece.ts"
import * as Sequence from "../../../../src/wire/Sequence.ts"
import { random } from "../../../wire/laws.ts"

const start = -70_000
const largest = 65_536

/** The byte of the stream with this number. */
const byteAt = (seq: number): number => (Math.imul(seq, 167) >>> 3) & 0xff

const stretch = (from: number, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => byteAt(Sequence.add(from, i)))

const check = (pieces: ReadonlyArray<Piece>, from: number): number => {
  let at = from
  for (const { bytes, end, start } of pieces) {
    for (let i = start; i < end; i++, at = Sequence.add(at, 1)) {
      if (bytes[i] !== byteAt(at)) assert.fail(`byte ${at} is ${bytes[i]}`)
    }
  }
  return at
}

/** A slab around one segment, which is overwritten as soon as nobody holds it. */
class Lent implements Slab {
  readonly bytes: Uint8Array
  readonly isPlentiful: boolean
  held = 1

  constructor(bytes: Uint8Array, isPlentiful: boolean) {
    this.bytes = bytes
    this.isPlentiful = isPlentiful
  }

  mayKeep(): boolean {
    return this.isPlentiful
  }

  keep(): void {
    this.held += 1
  }

  release(): void {
    this.held -= 1
    assert.isAtLeast(this.held, 0)
    if (this.held === 0) this.bytes.fill(0xee)
  }
}

/** A receive buffer with its link, its budget and its readers. */
class World {
  readonly slabs: Array<Lent> = []
  /** Pieces that readers keep for good, by the number of their first byte. */
  readonly views: Array<readonly [number, ReadonlyArray<Piece>]> = []
  buffer = ReceiveBuffer.empty(start)
  kept = 0
  private charged = 0
  private readonly blocks = Blocks.make()
  private readonly memory: ReceiveBlock.Memory = {
    block: (size) => this.blocks.take(size),
    keep: (slab) => {
      this.kept += 1
      slab.keep!()
    },
    spend: (slab) => slab.release()
  }

  /** A segment with the text from `seq` on. */
  arrive(seq: number, length: number, isPlentiful: boolean): void {
    const slab = new Lent(stretch(seq, length), isPlentiful)
    this.slabs.push(slab)
    this.charged += ReceiveBuffer.needed(this.buffer, seq, Sequence.add(seq, length), true)
    this.buffer = seq === this.buffer.nxt
      ? ReceiveBuffer.append(this.buffer, slab.bytes, 0, length, this.memory, true, slab)
      : ReceiveBuffer.insert(this.buffer, seq, slab.bytes, 0, length, this.memory)
    slab.release()
    assert.strictEqual(this.buffer.held, this.charged)
  }

  read(max: number, copies: boolean): void {
    const from = this.buffer.read
    const { pieces, spent } = this.take(max, copies)
    assert.strictEqual(check(pieces, from), this.buffer.read)
    if (!copies) this.views.push([from, pieces])
    for (const memory of spent) {
      if (memory instanceof Uint8Array) this.blocks.give(memory.fill(0xee))
      else memory.release()
    }
  }

  /** A reader that copies is gone before it has. */
  readInVain(max: number): void {
    const { pieces, spent } = this.take(max, true)
    const copied = pieces.map((piece) => Pieces.make(Pieces.copy(piece)))
    this.buffer = ReceiveBuffer.unread(this.buffer, copied, false)
    for (const memory of spent) if (!(memory instanceof Uint8Array)) memory.release()
    this.charged = this.buffer.held
  }

  private take(max: number, copies: boolean) {
    const pieces: Array<Piece> = []
    const spent: Array<Uint8Array | Slab> = []
    this.buffer = ReceiveBuffer.read(this.buffer, max, pieces, spent, copies)
    this.charged = this.buffer.held
    return { pieces, spent }
  }

  end(): void {
    ReceiveBuffer.letGo(this.buffer, this.memory)
    for (const slab of this.slabs) assert.strictEqual(slab.held, 0)
    for (const [from, pieces] of this.views) check(pieces, from)
  }
}

describe("ReceiveBuffer", () => {
  it("leaves long text where it came for a reader that copies it, and gives the slab back behind it", () => {
    const world = new World()
    world.arrive(start, 100, true)
    world.read(100, true)
    for (let i = 0; i < 3; i++) {
      world.arrive(world.buffer.nxt, 40_000, true)
      assert.strictEqual(world.slabs.at(-1)!.held, 1)
      world.read(39_999, true)
      assert.strictEqual(world.slabs.at(-1)!.held, 1)
      world.read(1, true)
      assert.strictEqual(world.slabs.at(-1)!.held, 0)
    }
    assert.strictEqual(world.kept, 3)
    world.end()
  })

  it("copies what is short, what its link can't spare, and what a reader would keep; a peer holds no slab with a byte", () => {
    const world = new World()
    world.arrive(start, 40_000, true)
    world.read(40_000, true)
    world.arrive(world.buffer.nxt, 1, true)
    world.arrive(world.buffer.nxt, ReceiveBlock.wholeFrom - 1, true)
    world.arrive(world.buffer.nxt, 40_000, false)
    world.read(1_000_000, false)
    world.arrive(world.buffer.nxt, 40_000, true)
    assert.strictEqual(world.kept, 0)
    world.end()
  })

  it("is charged no more than three times what has arrived, whatever long and short text takes turns", () => {
    const world = new World()
    world.arrive(start, 1, true)
    world.read(1, true)
    for (let i = 0; i < 200; i++) {
      world.arrive(world.buffer.nxt, i % 2 === 0 ? 1 : ReceiveBlock.wholeFrom, i % 4 === 0)
      assert.isAtMost(world.buffer.held, 3 * ReceiveBuffer.ready(world.buffer) + largest)
    }
    world.end()
  })

  it("gives every byte in order and every slab back, whatever arrives and whoever reads", () => {
    let kept = 0
    for (let seed = 0; seed < 60; seed++) {
      const source = random(seed)
      const world = new World()
      for (let i = 0; i < 60; i++) {
        const length = 1 + source.int(source.of(100, 5000, largest - 1))
        const ahead = source.of(0, 0, 0, 0, 1000, 50_000)
        world.arrive(Sequence.add(world.buffer.nxt, ahead), length, source.of(true, true, false))
        if (source.int(10) === 0) world.readInVain(1 + source.int(100_000))
        else if (source.int(3) > 0) world.read(1 + source.int(150_000), source.int(6) > 0)
      }
      kept += world.kept
      world.end()
    }
    assert.isAbove(kept, 50)
  })
})
