import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Dns from "../../src/wire/Dns.ts"
import * as DnsData from "../../src/wire/DnsData.ts"
import * as DnsName from "../../src/wire/DnsName.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as golden from "./golden.ts"
import { type Codec, concat, holdFor, type Random, random } from "./laws.ts"

/** A name in the form that reading gives: any octets, at most 255 of them. */
const name = (source: Random): string => {
  const labels = source.list(4, () => source.bytes(source.of(1, 2, 7, 30, 63)))
  const octets = concat(...labels.flatMap((label) => [Uint8Array.of(label.length), label]))
  const bytes = concat(octets.length < 255 ? octets : new Uint8Array(0), Uint8Array.of(0))
  const read = DnsName.read({ bytes, start: 0, end: bytes.length }, 0)
  return Malformed.isMalformed(read) ? assert.fail(read.detail) : read.name
}

const string = (source: Random): Uint8Array => source.bytes(source.of(0, 1, 12, 255))
const ipv6 = (source: Random) => Address.v6(source.int32(), source.int32(), source.int32(), source.int32())
const word = (source: Random): number => source.int(0x1_0000)
const unsigned32 = (source: Random): number => source.int32() >>> 0

const makers: { readonly [K in DnsData.Data["_tag"]]: (source: Random) => DnsData.Data } = {
  A: (source) => ({ _tag: "A", address: source.int32() }),
  AAAA: (source) => ({ _tag: "AAAA", address: ipv6(source) }),
  NS: (source) => ({ _tag: "NS", name: name(source) }),
  CNAME: (source) => ({ _tag: "CNAME", name: name(source) }),
  PTR: (source) => ({ _tag: "PTR", name: name(source) }),
  SOA: (source) => ({
    _tag: "SOA",
    primary: name(source),
    mailbox: name(source),
    serial: unsigned32(source),
    refresh: unsigned32(source),
    retry: unsigned32(source),
    expire: unsigned32(source),
    minimum: unsigned32(source)
  }),
  MX: (source) => ({ _tag: "MX", preference: word(source), exchange: name(source) }),
  TXT: (source) => ({ _tag: "TXT", strings: [string(source), ...source.list(3, () => string(source))] }),
  SRV: (source) => ({
    _tag: "SRV",
    priority: word(source),
    weight: word(source),
    port: word(source),
    target: name(source)
  }),
  NAPTR: (source) => ({
    _tag: "NAPTR",
    order: word(source),
    preference: word(source),
    flags: string(source),
    service: string(source),
    regexp: string(source),
    replacement: name(source)
  }),
  OPT: (source) => ({
    _tag: "OPT",
    options: source.list(3, () => ({ code: word(source), data: source.bytes(source.int(20)) }))
  }),
  TLSA: (source) => ({
    _tag: "TLSA",
    usage: source.int(256),
    selector: source.int(256),
    matching: source.int(256),
    data: source.bytes(source.int(70))
  }),
  CAA: (source) => ({
    _tag: "CAA",
    flags: source.int(256),
    property: string(source),
    value: source.bytes(source.int(40))
  }),
  Other: (source) => ({ _tag: "Other", type: source.of(0, 13, 99, 65_535), bytes: source.bytes(source.int(40)) })
}

const record = (source: Random): Dns.Record => ({
  name: name(source),
  class: word(source),
  ttl: unsigned32(source),
  data: source.of(...Object.values(makers))(source)
})

const codec: Codec<Dns.Message> = {
  name: "Dns",
  ...Dns,
  random: (source) => ({
    id: word(source),
    isResponse: source.boolean(),
    opcode: source.int(16),
    isAuthoritative: source.boolean(),
    isTruncated: source.boolean(),
    recursionDesired: source.boolean(),
    recursionAvailable: source.boolean(),
    isAuthenticData: source.boolean(),
    checkingDisabled: source.boolean(),
    code: source.int(16),
    questions: source.list(2, () => ({ name: name(source), type: word(source), class: word(source) })),
    answers: source.list(4, () => record(source)),
    authorities: source.list(2, () => record(source)),
    additionals: source.list(2, () => record(source))
  })
}

const message = (hex: string): Dns.Message => {
  const parsed = golden.parsing(Dns.parse)(hex)
  return Malformed.isMalformed(parsed) ? assert.fail(parsed.detail) : parsed
}

const reasonOf = (hex: string): string | false => {
  const parsed = golden.parsing(Dns.parse)(hex)
  return Malformed.isMalformed(parsed) && `${parsed.reason}: ${parsed.detail}`
}

describe("Dns", () => {
  holdFor(codec)

  it("writes a query octet by octet (RFC 1035 §4.1)", () => {
    const query: Dns.Message = {
      id: 0x1234,
      isResponse: false,
      opcode: 0,
      isAuthoritative: false,
      isTruncated: false,
      recursionDesired: true,
      recursionAvailable: false,
      isAuthenticData: false,
      checkingDisabled: false,
      code: 0,
      questions: [{ name: "example.com.", type: DnsData.Type.AAAA, class: Dns.internet }],
      answers: [],
      authorities: [],
      additionals: [Dns.fromEdns({ payload: 1232, extendedCode: 0, version: 0, dnssecOk: false, options: [] })]
    }
    const bytes = new Uint8Array(Dns.size(query))
    Dns.emit(query, bytes, 0)
    assert.deepStrictEqual(
      bytes,
      golden.fromHex(
        "1234 0100 0001 0000 0000 0001 07 6578616d706c65 03 636f6d 00 001c 0001 00 0029 04d0 00000000 0000"
      )
    )
  })

  it("reads a response whose names are compressed", () => {
    const response = message(
      "abcd 8180 0001 0002 0000 0000 03 777777 07 6578616d706c65 03 636f6d 00 0001 0001" +
        "c00c 0005 0001 00000e10 0006 03 667470 c010 c02d 0001 0001 0000003c 0004 c0000201"
    )
    assert.deepInclude(response, { id: 0xabcd, isResponse: true, recursionAvailable: true, code: 0 })
    assert.deepStrictEqual(response.answers, [
      { name: "www.example.com.", class: 1, ttl: 3600, data: { _tag: "CNAME", name: "ftp.example.com." } },
      { name: "ftp.example.com.", class: 1, ttl: 60, data: { _tag: "A", address: Address.v4(192, 0, 2, 1) } }
    ])
  })

  it("says what EDNS adds (RFC 6891 §6.1.3, §6.2.3)", () => {
    const response = message("0000 8001 0000 0000 0000 0001 00 0029 0100 01 00 8000 0008 000a 0004 01020304")
    assert.strictEqual(Dns.responseCode(response), 17)
    assert.deepStrictEqual(Dns.toEdns(response), {
      payload: 512,
      extendedCode: 1,
      version: 0,
      dnssecOk: true,
      options: [{ code: 10, data: Uint8Array.of(1, 2, 3, 4) }]
    })
    assert.isUndefined(Dns.toEdns(message("0000 8001 0000 0000 0000 0000")))
  })

  it("reads the header of a message that is cut off", () => {
    const cut = golden.fromHex("abcd 8380 0001 0001 0000 0000 03 7777")
    const header = Dns.parseHeader(cut, 0, cut.length)
    assert.isFalse(Malformed.isMalformed(header))
    assert.deepInclude(header, { id: 0xabcd, isTruncated: true })
  })

  it("refuses data that is not of its type, and lengths that do not fit", () => {
    const answer = (type: string, data: string): string | false =>
      reasonOf(
        `0000 8000 0000 0001 0000 0000 00 ${type} 0001 00000000 00${
          (data.replaceAll(" ", "").length / 2).toString(16).padStart(2, "0")
        } ${data}`
      )
    const bad = "BadField: the data of a record is not of its type"
    assert.strictEqual(answer("0001", "c00002"), bad)
    assert.strictEqual(answer("0001", "c0000201 00"), bad)
    assert.strictEqual(answer("0010", ""), bad)
    assert.strictEqual(answer("0010", "0561"), bad)
    assert.strictEqual(answer("0005", "0361"), bad)
    assert.strictEqual(answer("0029", "000a 0005 01"), bad)
    assert.isFalse(answer("0010", "00"))
    assert.isFalse(answer("0001", "c0000201"))
  })

  it("takes no longer for records that share one chain of pointers", () => {
    const chain = Array.from(
      { length: 8000 },
      (_, i) => (i === 0 ? "0000" : (0xc000 | (12 + (i - 1) * 2)).toString(16))
    )
    const bytes = golden.fromHex(`0000 8000 0001 0000 0000 0000 ${chain.join("")}`)
    const read = DnsName.read({ bytes, start: 0, end: bytes.length }, bytes.length - 2)
    assert.strictEqual(Malformed.isMalformed(read) && read.reason, "BadField")
  })
})

const readName = (hex: string, at = 0): unknown => {
  const bytes = golden.fromHex(hex)
  const read = DnsName.read({ bytes, start: 0, end: bytes.length }, at)
  return Malformed.isMalformed(read) ? read.detail : read
}

describe("DnsName", () => {
  it("reads the names of the example in RFC 1035 §4.1.4", () => {
    const hex = "01 46 03 495349 04 41525041 00 03 464f4f c000 c006 00"
    assert.deepStrictEqual(readName(hex, 0), { name: "F.ISI.ARPA.", next: 12 })
    assert.deepStrictEqual(readName(hex, 12), { name: "FOO.F.ISI.ARPA.", next: 18 })
    assert.deepStrictEqual(readName(hex, 18), { name: "ARPA.", next: 20 })
    assert.deepStrictEqual(readName(hex, 20), { name: ".", next: 21 })
  })

  it("refuses pointers that lead ahead, to themselves or in circles, and labels of unknown kinds", () => {
    const notBack = "a compression pointer does not point back"
    assert.strictEqual(readName("c000"), notBack)
    assert.strictEqual(readName("c002 00"), notBack)
    assert.strictEqual(readName("01 61 c004 c000", 4), notBack)
    assert.strictEqual(readName("01 61 c000"), notBack)
    assert.strictEqual(readName("40 61"), "a label of a reserved kind")
    assert.strictEqual(readName("80 61"), "a label of a reserved kind")
  })

  it("refuses names of more than 255 octets, however they are put together", () => {
    const label = `3f${"61".repeat(63)}`
    assert.strictEqual((readName(`${label.repeat(3)}3d${"61".repeat(61)}00`) as DnsName.Read).next, 255)
    assert.strictEqual(readName(`${label.repeat(4)}00`), "a name is longer than 255 octets")
    assert.strictEqual(readName(`${label.repeat(3)}00 ${label}c000`, 193), "a name is longer than 255 octets")
  })

  it("writes octets that are no visible ASCII, dots and backslashes so that names stay different (RFC 1035 §5.1)", () => {
    assert.deepStrictEqual(readName("05 612e625c00 01 20 00"), { name: "a\\.b\\\\\\000.\\032.", next: 9 })
    const source = random(5)
    for (let i = 0; i < 200; i++) {
      const text = name(source)
      const bytes = new Uint8Array(DnsName.size(text))
      DnsName.emit(text, bytes, 0)
      const read = DnsName.read({ bytes, start: 0, end: bytes.length }, 0)
      assert.deepStrictEqual(read, { name: text, next: bytes.length })
    }
  })

  it("tells what is a name and what is not", () => {
    for (const text of [".", "a", "a.", "example.com", "_443._tcp.example.com.", "\\065b.", "x".repeat(63)]) {
      assert.isTrue(DnsName.isValid(text), text)
    }
    const wrong = [
      "",
      "..",
      ".a",
      "a..b",
      "x".repeat(64),
      "ä.example",
      "a b",
      "a\\",
      "\\256",
      "\\25",
      `${"abcdefg.".repeat(32)}`
    ]
    for (const text of wrong) assert.isFalse(DnsName.isValid(text), text)
  })

  it("compares without case, in ASCII only (RFC 1035 §2.3.3)", () => {
    assert.isTrue(DnsName.equals("Example.COM", "example.com."))
    assert.isTrue(DnsName.equals("\\065bc.", "abc."))
    assert.isFalse(DnsName.equals("a\\.b.", "a.b."))
    assert.isFalse(DnsName.equals("\\196.", "\\228."))
    assert.strictEqual(DnsName.canonical("WWW.Example.com"), "www.example.com.")
  })
})
