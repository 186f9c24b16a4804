import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import { fromHex } from "./golden.ts"
import { random } from "./laws.ts"

/** RFC 1071 §4.1 as it reads: word by word, in exact arithmetic. */
const slow = (bytes: Uint8Array, start: number, end: number): number => {
  let sum = 0
  for (let i = start; i < end; i += 2) sum += bytes[i]! * 256 + (i + 1 < end ? bytes[i + 1]! : 0)
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000)
  return sum
}

/** A range of any length and alignment; now and then one that is all ones, where carries are densest. */
const ranges = function*(seed: number, rounds: number) {
  const source = random(seed)
  const bytes = source.bytes(6000)
  bytes.fill(0xff, 2000, 4000)
  for (let i = 0; i < rounds; i++) {
    const start = source.int(3000)
    const end = start + source.int(source.of(8, 64, 140, 3000))
    yield { source, bytes, start, end }
  }
}

describe("Checksum", () => {
  it("computes the example of RFC 1071 §3: 0001 f203 f4f5 f6f7 gives ddf2", () => {
    const bytes = fromHex("0001f203f4f5f6f7")
    assert.strictEqual(Checksum.fold(Checksum.sum(bytes, 0, 8, 0)), 0xddf2)
    assert.strictEqual(Checksum.finish(Checksum.sum(bytes, 0, 8, 0)), 0x220d)
  })

  it("computes the well-known IPv4 header 4500 0073 … c0a8 00c7: b861", () => {
    const bytes = fromHex("450000730000400040110000c0a80001c0a800c7")
    assert.strictEqual(Checksum.finish(Checksum.sum(bytes, 0, 20, 0)), 0xb861)
    assert.isTrue(Checksum.verify(fromHex("45000073000040004011b861c0a80001c0a800c7"), 0, 20, 0))
  })

  it("equals the sum word by word for any length and alignment (RFC 1071 §1)", () => {
    for (const { bytes, end, start } of ranges(1, 2000)) {
      assert.strictEqual(Checksum.fold(Checksum.sum(bytes, start, end, 0)), slow(bytes, start, end))
    }
  })

  it("sums a view into the middle of a buffer as its copy", () => {
    const whole = random(9).bytes(1000)
    for (let offset = 0; offset < 8; offset++) {
      const view = whole.subarray(offset, offset + 700)
      assert.strictEqual(Checksum.sum(view, 1, 699, 5), Checksum.sum(view.slice(), 1, 699, 5))
    }
  })

  it("sums 64 MiB of ones without losing a carry", () => {
    const bytes = new Uint8Array(0x400_0000).fill(0xff)
    assert.strictEqual(Checksum.fold(Checksum.sum(bytes, 0, bytes.length, 0)), 0xffff)
    bytes[bytes.length - 1] = 0xfe
    assert.strictEqual(Checksum.fold(Checksum.sum(bytes, 0, bytes.length, 0)), 0xfffe)
  })

  it("chains over pieces, at even and odd offsets (RFC 1071 §2 (B))", () => {
    for (const { bytes, end, source, start } of ranges(2, 2000)) {
      const middle = start + source.int(end - start + 1)
      const first = Checksum.sum(bytes, start, middle, 0)
      const both = ((middle - start) & 1) === 0
        ? Checksum.sum(bytes, middle, end, first)
        : Checksum.sumOdd(bytes, middle, end, first)
      assert.strictEqual(Checksum.fold(both), slow(bytes, start, end))
    }
  })

  it("does not care for byte order while adding (RFC 1071 §2 (B))", () => {
    for (const { bytes, end, start } of ranges(3, 200)) {
      const even = end - ((end - start) & 1)
      const swapped = bytes.slice()
      for (let i = start; i < even; i += 2) {
        swapped[i] = bytes[i + 1]!
        swapped[i + 1] = bytes[i]!
      }
      const sum = Checksum.fold(Checksum.sum(swapped, start, even, 0))
      assert.strictEqual(((sum & 0xff) << 8) | (sum >> 8), slow(bytes, start, even))
    }
  })

  it("completes a partial checksum so that it verifies, and never writes zero (RFC 768)", () => {
    for (const { bytes, end, source, start } of ranges(4, 500)) {
      if (end - start < 4) continue
      const seed = source.int(0x10000)
      const packet = bytes.slice(start, end)
      packet[2] = seed >> 8
      packet[3] = seed
      Checksum.complete(packet, 0, packet.length, 2)
      assert.isTrue(Checksum.verify(packet, 0, packet.length, seed))
      assert.notStrictEqual(packet[2]! * 256 + packet[3]!, 0)
    }
    const zero = fromHex("ffff0000")
    Checksum.complete(zero, 0, 4, 2)
    assert.deepStrictEqual(zero, fromHex("ffffffff"))
  })

  it("updates for a changed word as a new computation does (RFC 1624 §3, equation 3)", () => {
    // The example of RFC 1624 §4: 0xdd2f, 0x5555 becomes 0x3285, gives 0x0000 and not 0xffff.
    assert.strictEqual(Checksum.update(0xdd2f, 0x5555, 0x3285), 0x0000)
    for (const { bytes, source } of ranges(5, 1000)) {
      const header = bytes.slice(0, 20)
      const before = Checksum.finish(Checksum.sum(header, 0, 20, 0))
      const at = source.int(10) * 2
      const old = header[at]! * 256 + header[at + 1]!
      const word = source.int(0x10000)
      header[at] = word >> 8
      header[at + 1] = word
      assert.strictEqual(Checksum.update(before, old, word), Checksum.finish(Checksum.sum(header, 0, 20, 0)))
    }
  })

  it("makes the pseudo-header's sum as if it were written out (RFC 9293 §3.1, RFC 8200 §8.1)", () => {
    const source = random(6)
    for (let i = 0; i < 200; i++) {
      const length = source.of(8, 20, 1480, 0xffff, 0x1_2345)
      const protocol = source.int(256)
      const v4 = new Uint8Array(12)
      const [a, b] = [source.int32(), source.int32()]
      Address.writeV4(a, v4, 0)
      Address.writeV4(b, v4, 4)
      v4.set([0, protocol, (length & 0xffff) >> 8, length & 0xff], 8)
      if (length <= 0xffff) assert.strictEqual(Checksum.fold(Checksum.pseudo(a, b, protocol, length)), slow(v4, 0, 12))
      const v6 = source.bytes(40)
      v6.set([length >>> 24, length >>> 16, length >>> 8, length, 0, 0, 0, protocol], 32)
      const [c, d] = [Address.readV6(v6, 0), Address.readV6(v6, 16)]
      assert.strictEqual(Checksum.fold(Checksum.pseudo(c, d, protocol, length)), slow(v6, 0, 40))
    }
  })
})
