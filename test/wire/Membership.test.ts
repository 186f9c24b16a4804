import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Igmp from "../../src/wire/Igmp.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Membership from "../../src/wire/Membership.ts"
import * as Mld from "../../src/wire/Mld.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, noticesBitFlips, type Random } from "./laws.ts"

/** Messages of one family; `newest` is the version whose queries have all fields. */
const messages = <A>(
  address: (source: Random) => A,
  newest: number,
  responses: (version: number) => ReadonlyArray<number>,
  reportVersions: ReadonlyArray<number>
) => {
  const query = (source: Random): Membership.Message<A> => {
    const version = source.int(newest) + 1
    const isNewest = version === newest
    return {
      _tag: "Query",
      version,
      maximumResponseMillis: source.of(...responses(version)),
      group: address(source),
      suppress: isNewest && source.boolean(),
      robustness: isNewest ? source.int(8) : 0,
      queryIntervalSeconds: isNewest ? source.of(0, 125, 128, 31744) : 0,
      sources: isNewest ? source.list(5, () => address(source)) : []
    }
  }
  return (source: Random): Membership.Message<A> =>
    source.of<() => Membership.Message<A>>(
      () => query(source),
      () => ({ _tag: "Report", version: source.of(...reportVersions), group: address(source) }),
      () => ({ _tag: "Leave", group: address(source) }),
      () => ({
        _tag: "Records",
        records: source.list(4, () => ({
          type: source.int(6) + 1,
          group: address(source),
          sources: source.list(3, () => address(source))
        }))
      })
    )()
}

const igmp: Codec<Igmp.Message> = {
  name: "Igmp",
  ...Igmp,
  random: messages(
    (source) => source.int32(),
    3,
    (version) => version === 1 ? [0] : version === 2 ? [100, 10_000, 25_500] : [0, 10_000, 12_700, 12_800, 3_174_400],
    [1, 2]
  ),
  // What is left has a bad checksum, which is looked at first; that is a law of its own below.
  mayEnd: (_, length) => length >= 8
}

const mld: Codec<Mld.Message> = {
  name: "Mld",
  ...Mld,
  random: messages(
    (source) => Address.readV6(source.bytes(16), 0),
    2,
    (version) => version === 1 ? [0, 10_000, 65_535] : [0, 10_000, 32_767, 32_768, 8_387_584],
    [1]
  ),
  // A query of the first version is the start of one of the second; between both lengths it is neither.
  mayEnd: (message, length) => message._tag === "Query" && message.version === 2 && length >= 24 && length < 28
}

const reasonOf = (parsed: unknown): unknown => Malformed.isMalformed(parsed) && parsed.reason

/** An IGMP message in hexadecimal digits, with the right checksum. */
const parseIgmp = (hex: string) => {
  const bytes = golden.fromHex(hex)
  if (bytes.length >= 4) Checksum.complete(bytes, 0, bytes.length, 2)
  return Igmp.parse(bytes, 0, bytes.length)
}

const parseMld = golden.parsing(Mld.parse)

describe("Membership", () => {
  it("reads the codes of RFC 3376 §4.1.1 and RFC 3810 §5.1.3", () => {
    assert.deepStrictEqual([0, 127, 128, 129, 0x8f, 0x90, 0xff].map((code) => Membership.fromCode(code, 8)), [
      0,
      127,
      128,
      136,
      248,
      256,
      31744
    ])
    assert.deepStrictEqual([0x7fff, 0x8000, 0x8001, 0xffff].map((code) => Membership.fromCode(code, 16)), [
      32767,
      32768,
      32776,
      8387584
    ])
  })

  it("finds for every code itself, and for other values the code of the next lower one", () => {
    for (const bits of [8, 16] as const) {
      for (let code = 0; code < 1 << bits; code += bits === 8 ? 1 : 61) {
        assert.strictEqual(Membership.toCode(Membership.fromCode(code, bits), bits), code)
        const between = Membership.fromCode(code, bits) + (Membership.fromCode(code, bits) >= 1 << (bits - 1) ? 7 : 0)
        assert.strictEqual(Membership.toCode(between, bits), code)
      }
      assert.strictEqual(Membership.toCode(100_000_000, bits), (1 << bits) - 1)
    }
  })
})

describe("Igmp", () => {
  holdFor(igmp)
  noticesBitFlips(
    "Igmp",
    (bytes, start, end) => reasonOf(Igmp.parse(bytes, start, end)) === false,
    golden.joinV3.slice(38)
  )

  it("reads captured reports and a captured leave, and writes the same bytes", () => {
    const [groupA, groupB] = [Address.v4(239, 1, 2, 3), Address.v4(239, 1, 2, 4)]
    const samples: ReadonlyArray<readonly [Uint8Array, Igmp.Message]> = [
      [golden.joinV3, { _tag: "Records", records: [{ type: 4, group: groupA, sources: [] }] }],
      [golden.joinV2, { _tag: "Report", version: 2, group: groupB }],
      [golden.leaveV2, { _tag: "Leave", group: groupB }]
    ]
    for (const [frame, message] of samples) {
      assert.deepStrictEqual(Igmp.parse(frame, 38, frame.length), message)
      const bytes = new Uint8Array(Igmp.size(message)).fill(0xee)
      Igmp.emit(message, bytes, 0)
      assert.deepStrictEqual(bytes, frame.slice(38))
    }
  })

  it("tells the version of a query by its length (rfc: 3376 §7.1)", () => {
    const version = (hex: string) => {
      const parsed = parseIgmp(hex)
      return Malformed.isMalformed(parsed) ? parsed.reason : parsed._tag === "Query" && parsed.version
    }
    assert.strictEqual(version("1100000000000000"), 1)
    assert.strictEqual(version("1164000000000000"), 2)
    assert.strictEqual(version("1164000000000000 027d0000"), 3)
    assert.strictEqual(version("1164000000000000 02"), "BadLength")
    assert.strictEqual(version("1164000000000000 027d0001"), "Truncated")
  })

  it("skips auxiliary data and refuses records that are cut off (rfc: 3376 §4.2.6)", () => {
    const record = "0401 0000 ef010203 aabbccdd"
    assert.deepInclude(parseIgmp("2200000000000002" + record + record), {
      records: [1, 2].map(() => ({ type: 4, group: Address.v4(239, 1, 2, 3), sources: [] }))
    })
    assert.strictEqual(reasonOf(parseIgmp("2200000000000002" + record)), "Truncated")
    assert.strictEqual(reasonOf(parseIgmp("2200000000000001 0401 0000 ef010203")), "Truncated")
  })

  it("refuses other types", () => assert.strictEqual(reasonOf(parseIgmp("3000000000000000")), "BadField"))
})

describe("Mld", () => {
  holdFor(mld)

  it("reads a captured report and writes the same bytes (RFC 3810 §5.2)", () => {
    const parsed = Mld.parse(golden.listenerReport, 62, golden.listenerReport.length) as Mld.Message
    assert.deepStrictEqual(parsed, {
      _tag: "Records",
      records: [0xff00_0002, 0xff00_000b].map((last) => ({
        type: Membership.RecordType.changeToExclude,
        group: Address.v6(0xff020000, 0, 1, last),
        sources: []
      }))
    })
    const bytes = new Uint8Array(48).fill(0xee)
    const [from, to] = [Address.readV6(golden.listenerReport, 22), Address.readV6(golden.listenerReport, 38)]
    Mld.emit(parsed, bytes, 0, Checksum.fold(Checksum.pseudo(from, to, IpProtocol.icmpv6, 48)))
    Checksum.complete(bytes, 0, 48, 2)
    assert.deepStrictEqual(bytes, golden.listenerReport.slice(62))
  })

  it("tells the version of a query by its length (rfc: 3810 §8.1)", () => {
    const query = "820000002710 0000" + "00".repeat(16)
    assert.deepInclude(parseMld(query), { version: 1, maximumResponseMillis: 10_000 })
    assert.deepInclude(parseMld(query + "0a7d0000"), {
      version: 2,
      suppress: true,
      robustness: 2,
      queryIntervalSeconds: 125
    })
    assert.strictEqual(reasonOf(parseMld(query + "0a7d")), "BadLength")
    assert.strictEqual(reasonOf(parseMld(query + "0a7d0001")), "Truncated")
    assert.strictEqual(reasonOf(parseMld("82000000 27100000 00000000 00000000")), "Truncated")
  })

  it("skips auxiliary data and refuses records that are cut off (RFC 3810 §5.2.6)", () => {
    const record = `0401 0000 ff02${"00".repeat(13)}05 aabbccdd`
    const group = Address.v6(0xff020000, 0, 0, 5)
    assert.deepInclude(parseMld(`8f000000 00000002 ${record} ${record}`), {
      records: [1, 2].map(() => ({ type: 4, group, sources: [] }))
    })
    assert.strictEqual(reasonOf(parseMld(`8f000000 00000002 ${record}`)), "Truncated")
    assert.strictEqual(reasonOf(parseMld(`8f000000 00000001 ${record.replace("aabbccdd", "")}`)), "Truncated")
  })

  it("refuses other types", () => assert.strictEqual(reasonOf(parseMld("80000000" + "00".repeat(20))), "BadField"))
})
