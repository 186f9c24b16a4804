import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Ipv4Options from "../../src/wire/Ipv4Options.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Piece from "../../src/wire/Piece.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, noticesBitFlips } from "./laws.ts"

/** The bytes promised by the total length. */
const payload = (fields: Ipv4.Fields): number => fields.totalLength - Ipv4.size(fields)

const codec: Codec<Ipv4.Fields> = {
  name: "Ipv4",
  ...Ipv4,
  payload,
  random: (random) => {
    const options = random.maybe(() => Piece.make(random.bytes(random.int(10) * 4 + 4)))
    return {
      source: random.int32(),
      destination: random.int32(),
      hopLimit: random.int(256),
      trafficClass: random.int(256),
      protocol: random.int(256),
      identification: random.int(0x10000),
      dontFragment: random.boolean(),
      moreFragments: random.boolean(),
      fragmentOffset: random.int(0x2000) * 8,
      totalLength: 20 + (options === undefined ? 0 : Piece.size(options)) + random.int(60),
      options
    }
  }
}

const reasonOf = (parsed: unknown): unknown => Malformed.isMalformed(parsed) && parsed.reason

/** The header of a captured packet with some octets changed and the checksum mended. */
const changed = (changes: Readonly<Record<number, number>>): unknown => {
  const bytes = golden.data.slice(14)
  for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value
  bytes.fill(0, 10, 12)
  const sum = Checksum.finish(Checksum.sum(bytes, 0, 20, 0))
  bytes[10] = sum >> 8
  bytes[11] = sum
  return Ipv4.parse(bytes, 0, bytes.length)
}

describe("Ipv4", () => {
  holdFor(codec)
  noticesBitFlips("Ipv4 header", (bytes) => {
    const packet = golden.data.slice(14)
    packet.set(bytes)
    return !Malformed.isMalformed(Ipv4.parse(packet, 0, packet.length))
  }, golden.data.slice(14, 34))

  it("reads a captured header and writes the same bytes (RFC 791 §3.1)", () => {
    const parsed = Ipv4.parse(golden.data, 14, golden.data.length)
    assert.deepStrictEqual(parsed, {
      version: 4,
      source: Address.v4(10, 9, 0, 2),
      destination: Address.v4(10, 9, 0, 1),
      hopLimit: 64,
      trafficClass: 0,
      protocol: IpProtocol.tcp,
      identification: 0xfa67,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      totalLength: 63,
      options: undefined,
      headerLength: 20,
      payloadStart: 34,
      payloadEnd: 77
    })
    const bytes = new Uint8Array(20).fill(0xee)
    assert.strictEqual(Ipv4.emit(parsed as Ipv4.Header, bytes, 0), 20)
    assert.deepStrictEqual(bytes, golden.data.slice(14, 34))
  })

  it("takes the payload's end from the total length, not from the frame (Ethernet pads)", () => {
    const padded = new Uint8Array(100)
    padded.set(golden.data.subarray(14))
    assert.strictEqual((Ipv4.parse(padded, 0, 100) as Ipv4.Header).payloadEnd, 63)
  })

  it("tells fragments apart (RFC 791 §3.2)", () => {
    const header = changed({ 6: 0x20, 7: 0xb9 }) as Ipv4.Header
    assert.deepStrictEqual([header.moreFragments, header.dontFragment, header.fragmentOffset], [true, false, 1480])
    assert.isTrue(Ipv4.isFragment(header))
    assert.isTrue(Ipv4.isFragment(changed({ 6: 0, 7: 1 }) as Ipv4.Header))
    assert.isFalse(Ipv4.isFragment(changed({ 6: 0x40, 7: 0 }) as Ipv4.Header))
    assert.strictEqual(
      reasonOf(Ipv4.parse(golden.firstFragmentStart, 14, golden.firstFragmentStart.length)),
      "Truncated"
    )
  })

  it("refuses another version (rfc: 1122 §3.2.1.1 MUST), short lengths and a bad checksum (rfc: 1122 §3.2.1.2 MUST)", () => {
    assert.strictEqual(reasonOf(changed({ 0: 0x65 })), "BadVersion")
    assert.strictEqual(reasonOf(changed({ 0: 0x44 })), "BadLength")
    assert.strictEqual(reasonOf(changed({ 2: 0, 3: 19 })), "BadLength")
    assert.strictEqual(reasonOf(changed({ 2: 0xff, 3: 0xff })), "Truncated")
    const bytes = golden.data.slice(14)
    bytes[8] = bytes[8]! - 1
    assert.strictEqual(reasonOf(Ipv4.parse(bytes, 0, bytes.length)), "BadChecksum")
  })

  it("pads options to four octets with ends of list (RFC 791 §3.1)", () => {
    const options = Piece.make(Uint8Array.of(7, 7, 4, 1, 2, 3, 4))
    const fields = { ...Ipv4.parse(golden.data, 14, golden.data.length) as Ipv4.Header, options, totalLength: 28 }
    const bytes = new Uint8Array(28).fill(0xee)
    assert.strictEqual(Ipv4.emit(fields, bytes, 0), 28)
    assert.deepStrictEqual(bytes.slice(20), Uint8Array.of(7, 7, 4, 1, 2, 3, 4, 0))
    assert.strictEqual(reasonOf(Ipv4.parse(bytes, 0, 28)), false)
  })
})

/** The options of a captured packet, without its header. */
const optionsOf = (frame: Uint8Array) => Ipv4Options.parse(frame, 34, 74)

const parseHex = golden.parsing(Ipv4Options.parse)

/** Where the answer points, in octets from the start of the IP header. */
const pointerOf = (hex: string): unknown => {
  const parsed = parseHex(hex)
  return Malformed.isMalformed(parsed) ? [parsed.reason, parsed.answer?.code, parsed.answer?.pointer] : parsed
}

describe("Ipv4Options", () => {
  it("reads a captured record route", () => {
    assert.deepStrictEqual(optionsOf(golden.echoReplyRecordRoute), [{
      _tag: "RecordRoute",
      type: 7,
      start: 34,
      end: 73,
      addresses: [Address.v4(10, 9, 0, 1), Address.v4(10, 9, 0, 2), Address.v4(10, 9, 0, 2)],
      full: false
    }])
  })

  it("reads a captured timestamp option", () => {
    assert.deepStrictEqual(optionsOf(golden.echoReplyTimestamp), [{
      _tag: "Timestamp",
      type: 68,
      start: 34,
      end: 74,
      flag: 0,
      overflow: 0,
      full: false
    }])
  })

  it("reads router alert, source routes and unknown options, with padding between (RFC 2113 §2.1, RFC 791 §3.1)", () => {
    const all = parseHex(
      "94040000 01 830b08c0000201c0000202 8907040a000001 820b0000000000000000ff 00 ff"
    )
    if (Malformed.isMalformed(all)) return assert.fail(all.detail)
    assert.deepStrictEqual(all.map((option) => option._tag), ["RouterAlert", "SourceRoute", "SourceRoute", "Unknown"])
    const [, loose, strict] = all
    assert.deepInclude(loose, { strict: false, next: 1, route: [0xc0000201 | 0, 0xc0000202 | 0] })
    assert.deepInclude(strict, { strict: true, next: 0, route: [0x0a000001] })
  })

  it("knows when a source route has arrived", () => {
    const [route] = parseHex("83070840000001") as ReadonlyArray<Ipv4Options.Option>
    assert.deepInclude(route, { next: 1, route: [0x40000001] })
  })

  it("stops at the end of the list", () => {
    assert.deepStrictEqual(parseHex("0007"), [])
    assert.deepStrictEqual(parseHex("01010100"), [])
  })

  it("points at the octet that is wrong (rfc: 1122 §3.2.2.5 SHOULD)", () => {
    assert.deepStrictEqual(pointerOf("01070100"), ["BadOption", 0, 22], "length below 2")
    assert.deepStrictEqual(pointerOf("07280400"), ["BadOption", 0, 21], "length beyond the header")
    assert.deepStrictEqual(pointerOf("01010107"), ["BadOption", 0, 23], "no room for a length")
    assert.deepStrictEqual(pointerOf("0708040000000000"), ["BadOption", 0, 21], "record route of odd length")
    assert.deepStrictEqual(pointerOf("0707030000000000"), ["BadOption", 0, 22], "pointer below 4")
    assert.deepStrictEqual(pointerOf("440805020000000000"), ["BadOption", 0, 23], "unknown timestamp flag")
    assert.deepStrictEqual(pointerOf("4408040000000000"), ["BadOption", 0, 22], "timestamp pointer below 5")
    assert.deepStrictEqual(pointerOf("9403000000"), ["BadOption", 0, 21], "router alert of length 3")
  })

  it("keeps for fragments what has the copied flag (RFC 791 §3.1)", () => {
    const bytes = golden.fromHex("9404000007070400000000 00")
    assert.deepStrictEqual(Ipv4Options.copied(Piece.make(bytes)), golden.fromHex("94040000"))
  })

  it("gives the router alert that IGMP carries (RFC 3376 §4)", () => {
    assert.deepStrictEqual(Piece.copy(Ipv4Options.routerAlert), golden.fromHex("94040000"))
  })
})
