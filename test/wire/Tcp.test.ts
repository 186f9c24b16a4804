import { assert, describe, it } from "@effect/vitest"
import type { AccurateEcn } from "../../src/wire/AccurateEcnOption.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Piece from "../../src/wire/Piece.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as TcpOptions from "../../src/wire/TcpOptions.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, noticesBitFlips, project, type Random, random } from "./laws.ts"

const cookie = (source: Random) => Piece.make(source.bytes(source.of(0, 4, 6, 8, 16)))

/** The options of a SYN, which fit all together. */
const synOptions = (source: Random): TcpOptions.Options =>
  TcpOptions.make({
    maximumSegmentSize: source.maybe(() => source.int(0x10000)),
    windowScale: source.maybe(() => source.int(256)),
    sackPermitted: source.boolean(),
    ...source.boolean() ? { timestampValue: source.int32(), timestampEcho: source.int32() } : {},
    ...source.boolean() ? { fastOpenCookie: cookie(source), fastOpenExperimental: source.boolean() } : {}
  })

const counter = (source: Random) => source.int(0x100_0000)

/** The options of a later segment: three blocks and timestamps, or four without, or counters beside one. */
const laterOptions = (source: Random): TcpOptions.Options => {
  const hasTimestamps = source.boolean()
  const accurateEcn = source.maybe((): AccurateEcn => {
    const count = source.int(4)
    const [first, ceBytes, last] = [counter, counter, counter].map((make, i) => i < count ? make(source) : undefined)
    return source.boolean()
      ? { order: 0, ect0Bytes: first, ceBytes, ect1Bytes: last }
      : { order: 1, ect1Bytes: first, ceBytes, ect0Bytes: last }
  })
  const blocks = (hasTimestamps ? 3 : 4) - (accurateEcn === undefined ? 0 : 2)
  return TcpOptions.make({
    ...hasTimestamps ? { timestampValue: source.int32(), timestampEcho: source.int32() } : {},
    sackBlocks: source.list(blocks, () => ({ left: source.int32(), right: source.int32() })),
    userTimeout: accurateEcn === undefined && blocks < 3 ? source.of(1, 0x7fff, 0x8000 * 60 - 60) : undefined,
    accurateEcn
  })
}

const codec: Codec<Tcp.Fields> = {
  name: "Tcp",
  ...Tcp,
  random: (source) => ({
    sourcePort: source.int(0x10000),
    destinationPort: source.int(0x10000),
    sequence: source.int32(),
    acknowledgment: source.int32(),
    flags: source.int(0x200),
    window: source.int(0x10000),
    checksum: source.int(0x10000),
    urgentPointer: source.int(0x10000),
    options: source.of(synOptions, laterOptions)(source)
  })
}

const ipA = Address.v4(10, 9, 0, 1)
const ipB = Address.v4(10, 9, 0, 2)

const isIntact = (bytes: Uint8Array, start: number, end: number): boolean => {
  const header = Tcp.parse(bytes, start, end)
  if (Malformed.isMalformed(header)) return false
  return Tcp.verify(bytes, header, Checksum.pseudoV4(ipB, ipA, IpProtocol.tcp, end - start))
}

const reasonOf = (parsed: unknown): unknown => Malformed.isMalformed(parsed) && parsed.reason

describe("Tcp", () => {
  holdFor(codec)
  noticesBitFlips("Tcp", isIntact, golden.data.slice(34))

  it("reads a captured SYN and writes the same bytes (RFC 9293 §3.1)", () => {
    const parsed = Tcp.parse(golden.syn, 34, golden.syn.length) as Tcp.Header
    assert.deepStrictEqual(parsed, {
      sourcePort: 53906,
      destinationPort: 8080,
      sequence: 695740680,
      acknowledgment: 0,
      flags: Tcp.SYN,
      window: 64240,
      checksum: 0x299a,
      urgentPointer: 0,
      options: TcpOptions.make({
        maximumSegmentSize: 1460,
        sackPermitted: true,
        timestampValue: 3053393083 | 0,
        timestampEcho: 0,
        windowScale: 10
      }),
      headerLength: 40,
      payloadStart: 74,
      payloadEnd: 74
    })
    assert.strictEqual(Tcp.segmentLength(parsed), 1)
    const bytes = new Uint8Array(40).fill(0xee)
    Tcp.emit({ ...parsed, checksum: Checksum.fold(Checksum.pseudo(ipA, ipB, IpProtocol.tcp, 40)) }, bytes, 0)
    Checksum.complete(bytes, 0, 40, Tcp.checksumOffset)
    assert.deepStrictEqual(bytes, golden.syn.slice(34))
  })

  it("reads a captured data segment with timestamps", () => {
    const parsed = Tcp.parse(golden.data, 34, golden.data.length) as Tcp.Header
    assert.deepStrictEqual(parsed.options, TcpOptions.timestamps(3663853376, 3053393083))
    assert.strictEqual(
      new TextDecoder().decode(golden.data.slice(parsed.payloadStart, parsed.payloadEnd)),
      "reply hello"
    )
    assert.deepStrictEqual([parsed.flags, Tcp.payloadLength(parsed), Tcp.segmentLength(parsed)], [
      Tcp.PSH | Tcp.ACK,
      11,
      11
    ])
  })

  it("reads and verifies a captured SYN over IPv6", () => {
    const header = Tcp.parse(golden.synV6, 54, golden.synV6.length) as Tcp.Header
    const [source, destination] = [Address.readV6(golden.synV6, 22), Address.readV6(golden.synV6, 38)]
    assert.strictEqual(header.options.maximumSegmentSize, 1440)
    assert.isTrue(Tcp.verify(golden.synV6, header, Checksum.pseudo(source, destination, IpProtocol.tcp, 40)))
    assert.isFalse(Tcp.verify(golden.synV6, header, Checksum.pseudo(destination, destination, IpProtocol.tcp, 40)))
  })

  it("reads each control bit from its place and leaves the reserved ones (RFC 9293 §3.1)", () => {
    const bits = [Tcp.FIN, Tcp.SYN, Tcp.RST, Tcp.PSH, Tcp.ACK, Tcp.URG, Tcp.ECE, Tcp.CWR, Tcp.AE]
    const bytes = golden.syn.slice(34)
    bits.forEach((bit, i) => {
      bytes[12] = 0xae | (i === 8 ? 1 : 0)
      bytes[13] = i === 8 ? 0 : 1 << i
      assert.strictEqual((Tcp.parse(bytes, 0, 40) as Tcp.Header).flags, bit)
    })
    const fields = Tcp.parse(golden.syn, 34, golden.syn.length) as Tcp.Header
    Tcp.emit({ ...fields, flags: 0x1ff }, bytes, 0)
    assert.deepStrictEqual(bytes.slice(12, 14), Uint8Array.of(0xa1, 0xff))
  })

  it("refuses a data offset below five words or behind the end", () => {
    const bytes = golden.syn.slice(34)
    bytes[12] = 0x40
    assert.strictEqual(reasonOf(Tcp.parse(bytes, 0, 40)), "BadLength")
    bytes[12] = 0xb0
    assert.strictEqual(reasonOf(Tcp.parse(bytes, 0, 40)), "Truncated")
  })
})

const parseOptions = golden.parsing(TcpOptions.parse)

const read = (hex: string): TcpOptions.Options => parseOptions(hex) as TcpOptions.Options

const write = (options: TcpOptions.Options): Uint8Array => {
  const bytes = new Uint8Array(40).fill(0xee)
  const end = TcpOptions.emit(options, bytes, 0)
  assert.strictEqual(TcpOptions.size(options), end)
  return bytes.slice(0, end)
}

/** What the options are after a way over the wire. */
const carried = (options: TcpOptions.Options): TcpOptions.Options => {
  const bytes = write(options)
  return TcpOptions.parse(bytes, 0, bytes.length) as TcpOptions.Options
}

const assertWrites = (options: TcpOptions.Options, hex: string, message?: string): void =>
  assert.deepStrictEqual(write(options), golden.fromHex(hex), message)

const block = (left: number, right: number): TcpOptions.SackBlock => ({ left, right })

describe("TcpOptions", () => {
  it("has the same constant for no options, whether parsed or emitted", () => {
    assert.strictEqual(parseOptions(""), TcpOptions.none)
    assertWrites(TcpOptions.none, "")
    assertWrites(TcpOptions.make({}), "")
  })

  it("skips what it does not know by its length (rfc: 9293 §3.1 MUST-6)", () => {
    assert.deepStrictEqual(read("fd06aabbccdd 020405b4 00"), TcpOptions.make({ maximumSegmentSize: 1460 }))
  })

  it("reads options at any offset, with no padding (rfc: 9293 §3.1 MUST-64)", () => {
    assert.deepStrictEqual(
      read("030307 0402 020405b4"),
      TcpOptions.make({
        windowScale: 7,
        sackPermitted: true,
        maximumSegmentSize: 1460
      })
    )
  })

  it("refuses lengths that can't be, without harm (rfc: 9293 §3.1 MUST-7)", () => {
    const bad = [
      "02",
      "0200",
      "0201",
      "0205aa",
      "02030000",
      "0304aa00",
      "0403aa",
      "0506aabbccdd",
      "0802",
      "05120000000000000000"
    ]
    for (const hex of bad) assert.strictEqual(reasonOf(parseOptions(hex)), "BadOption", hex)
  })

  it("stops at the end of the list", () => {
    assert.deepStrictEqual(read("00 0200"), TcpOptions.make({}))
    assert.deepStrictEqual(read("0101 0101 0101"), TcpOptions.make({}))
  })

  it("takes the last of two", () => {
    assert.strictEqual(read("02040100 02040200").maximumSegmentSize, 0x200)
  })

  it("reads timestamps alike on the quick and on the slow way (RFC 7323 §3.2)", () => {
    const quick = read("0101080a fffffffe 80000001")
    assert.deepStrictEqual(quick, TcpOptions.timestamps(-2, 0x80000001))
    assert.deepStrictEqual(read("080a fffffffe 80000001 0101"), quick)
    assert.deepStrictEqual(Object.keys(quick), Object.keys(TcpOptions.none), "one shape")
  })

  it("reads up to four SACK blocks (RFC 2018 §3)", () => {
    assert.deepStrictEqual(read("0101 0512 0000000100000002 fffffff000000010").sackBlocks, [
      block(1, 2),
      block(-16, 16)
    ])
  })

  it("reads fast open cookies of both kinds and ignores lengths that no cookie has (RFC 7413 §4.1.1, §9)", () => {
    const standard = read("2206aabbccdd")
    assert.deepStrictEqual(Piece.copy(standard.fastOpenCookie!), golden.fromHex("aabbccdd"))
    assert.isFalse(standard.fastOpenExperimental)
    const experimental = read("fe08f989aabbccdd")
    assert.deepStrictEqual(Piece.copy(experimental.fastOpenCookie!), golden.fromHex("aabbccdd"))
    assert.isTrue(experimental.fastOpenExperimental)
    assert.strictEqual(Piece.size(read("2202").fastOpenCookie!), 0, "asks for one")
    for (const hex of ["2204aabb", "2207aabbccddee", "fe081234aabbccdd", "2214" + "aa".repeat(18)]) {
      assert.isUndefined(read(hex).fastOpenCookie, hex)
    }
  })

  it("reads accurate ECN counters in both orders and all lengths (RFC 9768 §3.2.3)", () => {
    assert.deepStrictEqual(read("ac0b 000001 000002 000003").accurateEcn, {
      order: 0,
      ect0Bytes: 1,
      ceBytes: 2,
      ect1Bytes: 3
    })
    assert.deepStrictEqual(read("ae08 000001 000002").accurateEcn, {
      order: 1,
      ect0Bytes: undefined,
      ceBytes: 2,
      ect1Bytes: 1
    })
    assert.isDefined(read("ac02").accurateEcn)
    assert.isUndefined(read("ac06aabbccdd").accurateEcn)
  })

  it("reads and writes user timeouts in seconds or minutes (RFC 5482 §3.3, rfc: 5482 §3.4 MUST)", () => {
    assert.strictEqual(read("1c04001e").userTimeout, 30)
    assert.strictEqual(read("1c04801e").userTimeout, 1800)
    assertWrites(TcpOptions.make({ userTimeout: 30 }), "1c04001e")
    assertWrites(TcpOptions.make({ userTimeout: 0 }), "")
    for (const reserved of ["1c040000", "1c048000"]) assert.isUndefined(read(reserved).userTimeout)
    assertWrites(TcpOptions.make({ userTimeout: 0x8000 }), "1c048223", "546.13 minutes, rounded up")
  })

  it("notices signatures (RFC 2385, RFC 5925)", () => {
    assert.isTrue(read("1312" + "00".repeat(16)).signed)
    assert.isTrue(read("1d10" + "00".repeat(14)).signed)
  })

  it("writes options in the order of deployed stacks, padded with NOPs", () => {
    assertWrites(
      TcpOptions.make({
        maximumSegmentSize: 1460,
        windowScale: 7,
        sackPermitted: true,
        timestampValue: 1,
        timestampEcho: 2,
        fastOpenCookie: Piece.make(golden.fromHex("aabbccddeeff0011"))
      }),
      "020405b4 0402080a0000000100000002 01030307 220aaabbccddeeff0011 0101"
    )
    assertWrites(TcpOptions.make({ sackPermitted: true }), "01010402")
    assertWrites(
      TcpOptions.make({ ...TcpOptions.timestamps(1, 2), sackBlocks: [block(3, 4)] }),
      "0101080a0000000100000002 0101050a0000000300000004"
    )
  })

  it("sends as many SACK blocks as there is room for (rfc: 2018 §3)", () => {
    const sackBlocks = [1, 2, 3, 4, 5].map((n) => block(n, n + 1))
    assert.strictEqual(TcpOptions.size(TcpOptions.make({ sackBlocks })), 36)
    assert.deepStrictEqual(carried(TcpOptions.make({ sackBlocks })).sackBlocks, sackBlocks.slice(0, 4))
    const beside = TcpOptions.make({ ...TcpOptions.timestamps(1, 2), sackBlocks })
    assert.strictEqual(TcpOptions.size(beside), 40)
    assert.deepStrictEqual(carried(beside).sackBlocks, sackBlocks.slice(0, 3))
  })

  it("never exceeds 40 bytes, and leaves out what comes later", () => {
    const source = random(7)
    for (let i = 0; i < 500; i++) {
      const all = TcpOptions.make({ ...synOptions(source), ...laterOptions(source) })
      assert.isAtMost(TcpOptions.size(all), 40)
      assert.strictEqual(TcpOptions.size(all) % 4, 0)
      const back = carried(all)
      assert.strictEqual(back.maximumSegmentSize, all.maximumSegmentSize)
      if (all.timestampValue !== undefined) assert.strictEqual(back.timestampValue, all.timestampValue)
    }
  })

  it("round-trips what a SYN and what a later segment carry", () => {
    const source = random(8)
    for (let i = 0; i < 500; i++) {
      const options = source.of(synOptions, laterOptions)(source)
      assert.deepStrictEqual(project(options, carried(options)), project(options, options))
    }
  })
})
