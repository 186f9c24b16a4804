import { assert, describe, it } from "@effect/vitest"
import * as SlabPool from "../../src/link/SlabPool.ts"
import * as VirtioNet from "../../src/link/VirtioNet.ts"
import * as Frame from "../../src/wire/Frame.ts"

const header = (...octets: ReadonlyArray<number>): Uint8Array => Uint8Array.from(octets)

/** A slab that holds the header and a frame of `length` octets, whose TCP data offset at 34 says 32 octets. */
const filled = (head: Uint8Array, length = 200) => {
  const slab = SlabPool.make({ slabBytes: 4096, slabs: 1 }).reserve(1)!
  slab.bytes.fill(0xee)
  slab.bytes.set(head, 0)
  slab.bytes[head.length + 34 + 12] = 0x80
  return { slab, end: head.length + length }
}

const cut = (head: Uint8Array, length?: number, headerBytes = VirtioNet.headerBytes) => {
  const { end, slab } = filled(head, length)
  return VirtioNet.cut(slab, 0, end, headerBytes)
}

describe("VirtioNet (VIRTIO 1.2 §5.1.6)", () => {
  it("reads a frame with nothing said about it", () => {
    const frame = cut(header(0, 0, 0, 0, 0, 0, 0, 0, 0, 0))!
    assert.deepStrictEqual([frame.start, frame.end, frame.checksum, frame.gso], [10, 210, "none", undefined])
  })

  it("reads a frame whose checksum is verified, and one whose checksum is partial", () => {
    assert.strictEqual(cut(header(2, 0, 0, 0, 0, 0, 0, 0, 0, 0))!.checksum, "verified")
    const frame = cut(header(1, 0, 0, 0, 0, 0, 34, 0, 16, 0))!
    assert.deepStrictEqual([frame.checksum, frame.checksumStart, frame.checksumOffset], ["partial", 34, 16])
  })

  it("reads super-segments and takes the header's length from the transport header", () => {
    // The kernel's own header length is 0x00ff here, which reaches into the payload.
    const gso = (type: number) => cut(header(1, type, 0xff, 0, 0xa8, 0x05, 34, 0, 16, 0))!.gso
    assert.deepStrictEqual(gso(1), { kind: "tcp4", size: 1448, headerLength: 66 })
    assert.deepStrictEqual(gso(4), { kind: "tcp6", size: 1448, headerLength: 66 })
    assert.deepStrictEqual(gso(0x81), { kind: "tcp4", size: 1448, headerLength: 66 })
    assert.deepStrictEqual(gso(5), { kind: "udp", size: 1448, headerLength: 42 })
  })

  it("gives nothing where the header promises what is not there", () => {
    assert.isUndefined(cut(header(1, 0, 0, 0, 0, 0, 190, 0, 16, 0)))
    assert.isUndefined(cut(header(1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)))
    assert.isUndefined(cut(header(1, 3, 66, 0, 0xa8, 0x05, 34, 0, 16, 0)))
    assert.isUndefined(cut(header(0, 1, 66, 0, 0xa8, 0x05, 0, 0, 0, 0)))
    assert.isUndefined(VirtioNet.cut(filled(header(0)).slab, 0, 9, 10))
  })

  it("writes what it reads, for each kind of frame, into a dirty buffer", () => {
    const bytes = new Uint8Array(300)
    const plain = Frame.plain(bytes, 20, 220)
    const partial = { ...plain, checksum: "partial" as const, checksumStart: 34, checksumOffset: 16 }
    const kinds: ReadonlyArray<Frame.Frame> = [
      plain,
      partial,
      { ...partial, gso: { kind: "tcp4", size: 1448, headerLength: 66 } },
      { ...partial, gso: { kind: "tcp6", size: 1428, headerLength: 66 } },
      { ...partial, checksumOffset: 6, gso: { kind: "udp", size: 1200, headerLength: 42 } }
    ]
    for (const frame of kinds) {
      for (const length of [10, 12]) {
        const head = new Uint8Array(length + 2).fill(0xcc)
        VirtioNet.emit(frame, head, 1, length)
        assert.strictEqual(head[0], 0xcc)
        assert.strictEqual(head[length + 1], 0xcc)
        const read = cut(head.subarray(1, length + 1), 200, length)!
        assert.strictEqual(read.start, length)
        for (const field of ["checksum", "checksumStart", "checksumOffset", "gso"] as const) {
          assert.deepStrictEqual(read[field], frame[field])
        }
      }
    }
  })
})
