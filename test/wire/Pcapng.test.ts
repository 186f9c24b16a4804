import { assert, describe, it } from "@effect/vitest"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Pcapng from "../../src/wire/Pcapng.ts"
import * as Piece from "../../src/wire/Piece.ts"
import * as golden from "./golden.ts"
import { concat, random } from "./laws.ts"

const header = concat(
  Pcapng.sectionHeader({ application: "netstack", comment: "seed 7" }),
  Pcapng.interfaceDescription({ linkType: Pcapng.LinkType.ethernet, name: "tap0" }),
  Pcapng.interfaceDescription({ linkType: Pcapng.LinkType.raw })
)

/** Later than 2^32 microseconds, as all times of today are. */
const now = 1_763_800_000_123_456

const read = (bytes: Uint8Array): Pcapng.Contents => {
  const contents = Pcapng.read(bytes)
  if (Malformed.isMalformed(contents)) return assert.fail(contents.detail)
  return contents
}

const reasonOf = (bytes: Uint8Array): unknown => {
  const contents = Pcapng.read(bytes)
  return Malformed.isMalformed(contents) && contents.reason
}

/** The bytes of a file in hexadecimal digits, with its parts on lines. */
const hex = (...lines: ReadonlyArray<string>): Uint8Array => golden.fromHex(lines.join(""))

describe("Pcapng", () => {
  it("writes blocks octet by octet as the draft says", () => {
    assert.deepStrictEqual(
      Pcapng.sectionHeader(),
      hex("0a0d0d0a", "1c000000", "4d3c2b1a", "01000000", "ffffffffffffffff", "1c000000")
    )
    assert.deepStrictEqual(
      Pcapng.interfaceDescription({ linkType: 1, name: "tap0" }),
      hex(
        "01000000",
        "28000000",
        "0100",
        "0000",
        "00000000",
        "02000400",
        "74617030",
        "09000100",
        "06000000",
        "00000000",
        "28000000"
      )
    )
    assert.deepStrictEqual(
      Pcapng.enhancedPacket({
        interface: 1,
        at: 0x1_0000_0002,
        data: Piece.make(Uint8Array.of(9, 0xaa, 0xbb, 0xcc, 0xdd, 0xee), 1),
        originalLength: 60,
        direction: "out",
        comments: ["hi"]
      }),
      hex(
        "06000000",
        "3c000000",
        "01000000",
        "01000000 02000000",
        "05000000 3c000000",
        "aabbccddee000000",
        "01000200 68690000",
        "02000400 02000000",
        "00000000",
        "3c000000"
      )
    )
  })

  it("reads back what it wrote", () => {
    const source = random(1)
    const packets = source.list(50, () => ({
      interface: source.int(2),
      at: now + source.int(1_000_000_000),
      data: Piece.make(source.bytes(source.int(200))),
      originalLength: source.int(2000),
      direction: source.of<Pcapng.Direction | undefined>("in", "out", undefined),
      comments: source.list(3, () => source.of("dropped: bad checksum", "ünïcode", ""))
    }))
    const statistics = { interface: 0, at: now, received: 2 ** 40 + 1, dropped: 3 }
    const file = concat(header, ...packets.map(Pcapng.enhancedPacket), Pcapng.interfaceStatistics(statistics))
    const contents = read(file)
    assert.deepStrictEqual(contents.interfaces, [
      { linkType: 1, name: "tap0", snapLength: 0 },
      { linkType: 101, name: undefined, snapLength: 0 }
    ])
    assert.deepStrictEqual(contents.statistics, [statistics])
    assert.isAbove(packets.length, 10)
    const packetsRead = contents.packets.map(({ bytes, end, start, ...rest }) =>
      Object.assign(rest, { data: bytes.slice(start, end) })
    )
    assert.deepStrictEqual<unknown>(
      packetsRead,
      packets.map((packet) => Object.assign({}, packet, { data: Piece.copy(packet.data) }))
    )
  })

  it("reads big-endian files, unknown blocks, simple packets and other clocks", () => {
    const file = hex(
      "0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 0000001c",
      // Nanoseconds, an offset of 1000 seconds, a snap length of 4.
      "00000001 0000002c 0001 0000 00000004 00090001 09000000 000e0008 00000000000003e8 00000000 0000002c",
      "0000abcd 00000010 12345678 00000010",
      "00000006 00000028 00000000 00000000 000007d0 00000004 00000009 01020304 00000000 00000028",
      "00000003 00000014 00000009 05060708 00000014"
    )
    const contents = read(file)
    assert.deepStrictEqual(
      contents.packets.map(({ at, end, originalLength, start }) => ({
        at,
        originalLength,
        data: file.slice(start, end)
      })),
      [
        { at: 1_000_000_002, originalLength: 9, data: Uint8Array.of(1, 2, 3, 4) },
        { at: undefined, originalLength: 9, data: Uint8Array.of(5, 6, 7, 8) }
      ]
    )
  })

  it("counts interfaces across sections", () => {
    const packet = Pcapng.enhancedPacket({ interface: 0, at: 0, data: Piece.make(Uint8Array.of(1)) })
    const one = concat(Pcapng.sectionHeader(), Pcapng.interfaceDescription({ linkType: 1 }), packet)
    assert.deepStrictEqual(read(concat(header, packet, one)).packets.map((each) => each.interface), [0, 2])
  })

  it("reads classic pcap of both byte orders, in micro- and nanoseconds", () => {
    const little = hex(
      "d4c3b2a1 02000400 00000000 00000000 00000400 01000000",
      "0a000000 05000000 02000000 03000000 aabb"
    )
    const big = hex(
      "a1b23c4d 00020004 00000000 00000000 00040000 00000065",
      "0000000a 00001388 00000002 00000003 aabb"
    )
    for (const [file, linkType] of [[little, 1], [big, 101]] as const) {
      const { interfaces, packets } = read(file)
      assert.deepStrictEqual(interfaces, [{ linkType, name: undefined, snapLength: 0x40000 }])
      assert.deepInclude(packets[0], { at: 10_000_005, originalLength: 3, start: 40, end: 42, interface: 0 })
    }
  })

  it("refuses what is no capture, and lengths, interfaces and options that can't be", () => {
    const packet = Pcapng.enhancedPacket({ interface: 0, at: 0, data: Piece.make(Uint8Array.of(1)), comments: ["x"] })
    const changed = (at: number, value: number): Uint8Array => {
      const file = concat(header, packet)
      file[header.length + at] = value
      return file
    }
    assert.strictEqual(reasonOf(hex("deadbeefdeadbeef")), "BadField")
    assert.strictEqual(
      reasonOf(hex("0a0d0d0a", "1c000000", "00000000", "01000000", "ffffffffffffffff", "1c000000")),
      "BadField"
    )
    assert.strictEqual(
      reasonOf(hex("0a0d0d0a", "1c000000", "4d3c2b1a", "02000000", "ffffffffffffffff", "1c000000")),
      "BadVersion"
    )
    assert.strictEqual(reasonOf(changed(4, packet.length + 1)), "BadLength", "block length no multiple of four")
    assert.strictEqual(reasonOf(changed(4, 8)), "BadLength", "block length below 12")
    assert.strictEqual(reasonOf(changed(packet.length - 4, 4)), "BadLength", "lengths at both ends differ")
    assert.strictEqual(reasonOf(changed(20, 0xff)), "BadLength", "packet longer than its block")
    assert.strictEqual(reasonOf(changed(8, 2)), "BadField", "interface that is not described")
    assert.strictEqual(reasonOf(changed(34, 0xff)), "BadOption", "option longer than its block")
    assert.strictEqual(reasonOf(hex("d4c3b2a1 03000400" + "0".repeat(32))), "BadVersion")
  })

  it("fails as Truncated wherever a file is cut within a block", () => {
    const packet = Pcapng.enhancedPacket({ interface: 0, at: 0, data: Piece.make(random(1).bytes(50)) })
    const file = concat(header, packet)
    for (let length = 1; length < packet.length; length++) {
      assert.strictEqual(reasonOf(file.slice(0, header.length + length)), "Truncated")
    }
    for (let length = 0; length < 12; length++) assert.strictEqual(reasonOf(file.slice(0, length)), "Truncated")
  })

  it("never throws on any bytes", () => {
    const source = random(2)
    const packet = Pcapng.enhancedPacket({ interface: 0, at: 0, data: Piece.make(source.bytes(20)), comments: ["x"] })
    const file = concat(header, packet, Pcapng.interfaceStatistics({ interface: 0, at: 1, received: 1 }), packet)
    for (let i = 0; i < 3000; i++) {
      const mutated = file.slice(0, source.int(file.length + 1))
      for (let n = source.int(6); n >= 0; n--) mutated[source.int(mutated.length)] = source.int(256)
      const contents = Pcapng.read(mutated)
      if (Malformed.isMalformed(contents)) continue
      for (const { end, start } of contents.packets) {
        assert.isTrue(0 <= start && start <= end && end <= mutated.length)
      }
    }
  })
})
