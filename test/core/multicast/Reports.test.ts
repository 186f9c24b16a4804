import { assert, describe, it } from "@effect/vitest"
import * as Reports from "../../../src/core/multicast/Reports.ts"
import type * as Address from "../../../src/wire/Address.ts"
import * as Igmp from "../../../src/wire/Igmp.ts"
import { RecordType } from "../../../src/wire/Membership.ts"
import * as Mld from "../../../src/wire/Mld.ts"
import { ip } from "../ipv6/address.ts"
import * as Seeded from "../Seeded.ts"

const v4 = (n: number): Address.Address => (0x0a000000 | n) | 0
const v6 = (n: number): Address.Address => ({ w0: 0x20010db8, w1: 0, w2: 0, w3: n })

const record = (type: number, sources: number, version: Address.Version): Reports.GroupRecord => ({
  type,
  group: ip(version === 4 ? "239.1.1.1" : "ff15::1"),
  sources: Array.from({ length: sources }, (_, i) => version === 4 ? v4(i) : v6(i))
})

/** Bytes of the IP packet that carries a report. */
const packetSize = (records: ReadonlyArray<Reports.GroupRecord>, version: Address.Version): number =>
  version === 4
    ? 24 + Igmp.size({ _tag: "Records", records: records as ReadonlyArray<Igmp.GroupRecord> })
    : 48 + Mld.size({ _tag: "Records", records: records as ReadonlyArray<Mld.GroupRecord> })

describe("Reports", () => {
  it("has one report for what fits and several for what does not (rfc: 3376 §4.2.16, 3810 §5.2.15)", () => {
    const records = Array.from({ length: 5 }, () => record(RecordType.modeIsExclude, 0, 4))
    assert.deepStrictEqual(Reports.pack(records, 4, 1500), [records])
    // 32 bytes before the records, 8 for each.
    assert.deepStrictEqual(Reports.pack(records, 4, 32 + 16).map(({ length }) => length), [2, 2, 1])
    assert.deepStrictEqual(Reports.pack([], 4, 1500), [])
  })

  it("splits a record of too many sources, unless it excludes: then the first are told (rfc: 3376 §4.2.16, 3810 §5.2.15)", () => {
    const sizes = (type: number): ReadonlyArray<ReadonlyArray<number>> =>
      Reports.pack([record(type, 10, 4)], 4, 32 + 8 + 16).map((report) => report.map(({ sources }) => sources.length))
    assert.deepStrictEqual(sizes(RecordType.modeIsInclude), [[4], [4], [2]])
    assert.deepStrictEqual(sizes(RecordType.blockOldSources), [[4], [4], [2]])
    assert.deepStrictEqual(sizes(RecordType.modeIsExclude), [[4]])
    assert.deepStrictEqual(sizes(RecordType.changeToExclude), [[4]])
  })

  it("loses nothing but what excludes too many, keeps the order, and fits the link", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = Seeded.make(seed)
      const version = random.pick([4, 6] as const)
      const mtu = version === 4 ? random.pick([68, 100, 576, 1500]) : random.pick([1280, 1500])
      const given = Array.from(
        { length: random.below(30) },
        () => record(1 + random.below(6), random.below(random.pick([2, 5, 120])), version)
      )
      const reports = Reports.pack(given, version, mtu)
      for (const report of reports) {
        assert.isAbove(report.length, 0)
        assert.isAtMost(packetSize(report, version), mtu)
      }
      const told = reports.flat()
      let at = 0
      for (const { sources, type } of given) {
        const first = told[at++]!
        assert.strictEqual(first.type, type)
        const found = [...first.sources]
        const isCut = type === RecordType.modeIsExclude || type === RecordType.changeToExclude
        while (!isCut && found.length < sources.length) found.push(...told[at++]!.sources)
        assert.deepStrictEqual(found, sources.slice(0, found.length))
        if (!isCut) assert.strictEqual(found.length, sources.length)
      }
      assert.strictEqual(at, told.length)
    }
  })
})
