import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Piece from "../../src/wire/Piece.ts"
import * as Word from "../../src/wire/Word.ts"
import { random } from "./laws.ts"

const v6 = (...words: readonly [number, number, number, number]) => Address.v6(...words)

describe("Address", () => {
  it("comes back from bytes, from text and from the public type", () => {
    const source = random(1)
    for (let i = 0; i < 200; i++) {
      const bytes = source.bytes(20)
      for (const address of [source.int32(), Address.readV6(source.bytes(16), 0)]) {
        const end = Address.write(address, bytes, 3)
        assert.strictEqual(end, 3 + (Address.isV4(address) ? 4 : 16))
        const back = Address.isV4(address) ? Address.readV4(bytes, 3) : Address.readV6(bytes, 3)
        assert.deepStrictEqual(back, address)
        assert.isTrue(Address.equals(back, address))
        assert.deepStrictEqual(Address.fromNet(Address.toNet(address)), address)
      }
    }
    assert.strictEqual(Address.format(Address.v4(192, 0, 2, 255)), "192.0.2.255")
    assert.strictEqual(Address.format(v6(0x20010db8, 0, 0, 1)), "2001:db8::1")
  })

  it("tells equal from unequal, also across families", () => {
    assert.isFalse(Address.equals(0, Address.unspecifiedV6))
    const address = v6(1, 2, 3, 4)
    for (const key of ["w0", "w1", "w2", "w3"] as const) {
      assert.isFalse(Address.equals(address, { ...address, [key]: 9 }))
    }
    assert.notStrictEqual(Address.key(address), Address.key(v6(1, 2, 3, 5)))
  })

  it("knows kinds of addresses (RFC 1112 §4, RFC 3927 §2.1, RFC 4291 §2)", () => {
    const kinds = (address: Address.Address) =>
      [Address.isUnspecified, Address.isLoopback, Address.isMulticast, Address.isLinkLocal].map((is) => is(address))
    assert.deepStrictEqual(kinds(0), [true, false, false, false])
    assert.deepStrictEqual(kinds(Address.v4(127, 1, 2, 3)), [false, true, false, false])
    assert.deepStrictEqual(kinds(Address.v4(224, 0, 0, 1)), [false, false, true, false])
    assert.deepStrictEqual(kinds(Address.v4(239, 255, 255, 255)), [false, false, true, false])
    assert.deepStrictEqual(kinds(Address.v4(240, 0, 0, 0)), [false, false, false, false])
    assert.deepStrictEqual(kinds(Address.v4(169, 254, 0, 1)), [false, false, false, true])
    assert.deepStrictEqual(kinds(Address.unspecifiedV6), [true, false, false, false])
    assert.deepStrictEqual(kinds(Address.loopbackV6), [false, true, false, false])
    assert.deepStrictEqual(kinds(v6(0xff020000, 0, 0, 1)), [false, false, true, false])
    assert.deepStrictEqual(kinds(v6(0xfebf0000, 0, 0, 1)), [false, false, false, true])
    assert.deepStrictEqual(kinds(v6(0xfec00000, 0, 0, 1)), [false, false, false, false])
  })

  it("compares prefixes of any length as bit by bit", () => {
    const source = random(2)
    const bits = (address: Address.Address): string => {
      const bytes = new Uint8Array(Address.isV4(address) ? 4 : 16)
      Address.write(address, bytes, 0)
      return Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("")
    }
    for (let i = 0; i < 500; i++) {
      const a: Address.Address = source.boolean() ? source.int32() : Address.readV6(source.bytes(16), 0)
      const width = Address.isV4(a) ? 32 : 128
      const length = source.int(width + 1)
      const flipped = source.int(width)
      const b: Address.Address = Address.isV4(a)
        ? a ^ (1 << (31 - flipped))
        : v6(
          ...[a.w0, a.w1, a.w2, a.w3].map((word, w) =>
            w === flipped >> 5 ? word ^ (1 << (31 - (flipped & 31))) : word
          ) as [
            number,
            number,
            number,
            number
          ]
        )
      assert.strictEqual(Address.samePrefix(a, b, length), flipped >= length)
      assert.strictEqual(bits(Address.network(a, length)), bits(a).slice(0, length).padEnd(width, "0"))
    }
    assert.isFalse(Address.samePrefix(0, Address.unspecifiedV6, 0), "never across families")
  })

  it("orders addresses as unsigned numbers, IPv4 first", () => {
    const sorted = [
      0,
      1,
      Address.v4(128, 0, 0, 0),
      -1,
      Address.unspecifiedV6,
      v6(0, 0, 0, -1),
      v6(0, 1, 0, 0),
      v6(-1, 0, 0, 0)
    ]
    assert.deepStrictEqual(sorted.toReversed().toSorted(Address.compare), sorted)
  })
})

describe("Mac", () => {
  it("comes back from bytes and has its usual text", () => {
    const source = random(3)
    for (let i = 0; i < 200; i++) {
      const bytes = source.bytes(10)
      const mac = Mac.read(bytes, 2)
      const again = new Uint8Array(6)
      Mac.write(mac, again, 0)
      assert.deepStrictEqual(again, bytes.slice(2, 8))
      assert.strictEqual(Mac.fromNet(Mac.toNet(mac)), mac)
      assert.strictEqual(Mac.isGroup(mac), (bytes[2]! & 1) === 1)
    }
    assert.strictEqual(Mac.format(0x0200_0000_00ff), "02:00:00:00:00:ff")
  })

  it("maps groups (RFC 1112 §6.4, RFC 2464 §7)", () => {
    assert.strictEqual(Mac.format(Mac.ofMulticastV4(Address.v4(239, 129, 2, 3))), "01:00:5e:01:02:03")
    assert.strictEqual(Mac.format(Mac.ofMulticastV6(0xff00_0001 | 0)), "33:33:ff:00:00:01")
  })
})

describe("Piece", () => {
  it("copies ranges of any length, and nothing around them", () => {
    const source = random(4)
    for (let i = 0; i < 200; i++) {
      const bytes = source.bytes(source.of(0, 1, 32, 33, 64, 300))
      const start = source.int(bytes.length + 1)
      const piece = Piece.make(bytes, start, start + source.int(bytes.length - start + 1))
      const target = new Uint8Array(400).fill(0xee)
      const end = Piece.into(piece, target, 7)
      assert.strictEqual(end, 7 + Piece.size(piece))
      assert.deepStrictEqual(target.slice(7, end), Piece.copy(piece))
      assert.isTrue(target.every((byte, at) => byte === 0xee || (at >= 7 && at < end)))
      assert.isTrue(Piece.equals(piece, Piece.make(target, 7, end)))
    }
    assert.isFalse(Piece.equals(Piece.make(Uint8Array.of(1, 2)), Piece.make(Uint8Array.of(1, 3))))
    assert.isFalse(Piece.equals(Piece.make(Uint8Array.of(1, 2)), Piece.make(Uint8Array.of(1))))
  })
})

describe("Word", () => {
  it("reads and writes in network order, signed where 32 bits wide", () => {
    const bytes = Uint8Array.of(0xee, 0xfe, 0xdc, 0xba, 0x98)
    assert.strictEqual(Word.read16(bytes, 1), 0xfedc)
    assert.strictEqual(Word.read24(bytes, 1), 0xfedcba)
    assert.strictEqual(Word.read32(bytes, 1), 0xfedcba98 | 0)
    const again = new Uint8Array(9)
    Word.write16(0x1_fedc, again, 0)
    Word.write24(0xfedcba, again, 2)
    Word.write32(0xfedcba98, again, 5)
    assert.deepStrictEqual(again, Uint8Array.of(0xfe, 0xdc, 0xfe, 0xdc, 0xba, 0xfe, 0xdc, 0xba, 0x98))
  })
})

describe("Malformed", () => {
  it("is a frozen constant that no representation is taken for", () => {
    const verdict = Malformed.make("Ipv4", "BadOption", "option", { code: 0, pointer: 20 })
    assert.isTrue(Object.isFrozen(verdict))
    assert.isTrue(Malformed.isMalformed(verdict))
    for (const other of [undefined, null, 0, {}, { _tag: "Malformed" }]) assert.isFalse(Malformed.isMalformed(other))
  })
})
