import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, noticesBitFlips, type Random } from "./laws.ts"

const timestamp = (source: Random) => ({
  identifier: source.int(0x10000),
  sequence: source.int(0x10000),
  originate: source.int32(),
  receive: source.int32(),
  transmit: source.int32()
})

const messages: ReadonlyArray<(source: Random) => Icmpv4.Fields> = [
  (source) => ({ _tag: "EchoRequest", identifier: source.int(0x10000), sequence: source.int(0x10000) }),
  (source) => ({ _tag: "EchoReply", identifier: source.int(0x10000), sequence: source.int(0x10000) }),
  (source) => ({ _tag: "Unreachable", code: source.of(0, 1, 2, 3, 13), mtu: 0 }),
  (source) => ({ _tag: "Unreachable", code: 4, mtu: source.int(0x10000) }),
  () => ({ _tag: "SourceQuench" }),
  (source) => ({ _tag: "Redirect", code: source.int(4), gateway: source.int32() }),
  (source) => ({ _tag: "TimeExceeded", code: source.int(2) }),
  (source) => ({ _tag: "ParameterProblem", code: source.int(3), pointer: source.int(256) }),
  (source) => ({ _tag: "TimestampRequest", ...timestamp(source) }),
  (source) => ({ _tag: "TimestampReply", ...timestamp(source) }),
  (source) => ({ _tag: "Unknown", type: source.of(9, 10, 15, 42), code: source.int(256), rest: source.int32() })
]

const codec: Codec<Icmpv4.Fields> = {
  name: "Icmpv4",
  ...Icmpv4,
  random: (source) => source.of(...messages)(source)
}

const parse = golden.parsing(Icmpv4.parse)

describe("Icmpv4", () => {
  holdFor(codec)
  noticesBitFlips("Icmpv4", Icmpv4.verify, golden.echoRequest.slice(34))

  it("reads a captured echo request and writes the same header (RFC 792)", () => {
    const parsed = Icmpv4.parse(golden.echoRequest, 34, golden.echoRequest.length) as Icmpv4.Header
    assert.deepStrictEqual(parsed, {
      _tag: "EchoRequest",
      identifier: 0x5850,
      sequence: 1,
      payloadStart: 42,
      payloadEnd: 98
    })
    const bytes = golden.echoRequest.slice(34)
    Icmpv4.emit(parsed, bytes, 0)
    Checksum.complete(bytes, 0, bytes.length, Icmpv4.checksumOffset)
    assert.deepStrictEqual(bytes, golden.echoRequest.slice(34))
  })

  it("reads a captured port unreachable, and what it quotes", () => {
    const end = golden.portUnreachable.length
    const parsed = Icmpv4.parse(golden.portUnreachable, 34, end) as Icmpv4.Header
    assert.deepStrictEqual(parsed, { _tag: "Unreachable", code: 3, mtu: 0, payloadStart: 42, payloadEnd: end })
    const quoted = Ipv4.parse(golden.portUnreachable, parsed.payloadStart, parsed.payloadEnd) as Ipv4.Header
    assert.deepStrictEqual([quoted.source, quoted.destination], [Address.v4(10, 9, 0, 1), Address.v4(10, 9, 0, 2)])
  })

  it("reads the next-hop MTU with code 4 only (RFC 1191 §4)", () => {
    assert.deepInclude(parse("0304000000000514"), { _tag: "Unreachable", mtu: 1300 })
    assert.deepInclude(parse("0301000000000514"), { _tag: "Unreachable", mtu: 0 })
  })

  it("ends the quoted packet where an extended message says (RFC 4884 §4.1)", () => {
    const extended = "03010000 00010000 aabbccdd 20000000"
    assert.deepInclude(parse(extended), { payloadStart: 8, payloadEnd: 12 })
    assert.deepInclude(parse("03010000 00ff0000 aabbccdd"), { payloadEnd: 12 }, "more than there is")
    assert.deepInclude(parse("08000000 00010000 aabbccdd"), { payloadEnd: 12 }, "not in an echo")
  })

  it("knows which messages report errors (rfc: 1122 §3.2.2)", () => {
    const errors = messages.map((make) => make({ ...fixed })).filter(Icmpv4.isError).map(({ _tag }) => _tag)
    assert.deepStrictEqual(errors, [
      "Unreachable",
      "Unreachable",
      "SourceQuench",
      "Redirect",
      "TimeExceeded",
      "ParameterProblem"
    ])
  })

  it("leaves the checksum zero for whoever completes it", () => {
    const bytes = new Uint8Array(8).fill(0xee)
    Icmpv4.emit({ _tag: "EchoReply", identifier: 1, sequence: 2 }, bytes, 0)
    assert.deepStrictEqual(bytes, golden.fromHex("0000000000010002"))
  })

  it("refuses a timestamp message without its times", () => {
    const parsed = parse("0d00000000000000")
    assert.strictEqual(Malformed.isMalformed(parsed) && parsed.reason, "Truncated")
  })
})

/** Always the first choice. */
const fixed: Random = {
  int: () => 0,
  int32: () => 0,
  boolean: () => false,
  bytes: (length) => new Uint8Array(length),
  of: (...choices) => choices[0]!,
  maybe: () => undefined,
  list: () => []
}
