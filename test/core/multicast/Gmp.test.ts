import { assert, describe, it } from "@effect/vitest"
import * as Filter from "../../../src/core/data/SourceFilter.ts"
import * as Gmp from "../../../src/core/multicast/Gmp.ts"
import type * as Address from "../../../src/wire/Address.ts"
import { ip } from "../ipv6/address.ts"
import { Host } from "./Host.ts"

const second = 1_000_000
const group = ip("239.1.1.1")
const groupV6 = ip("ff15::1")
const source = (letter: string): Address.Address => ip(`10.0.0.${letter.charCodeAt(0) - 96}`)
const include = (letters: string): Filter.Filter => Filter.make("include", Array.from(letters, source))
const exclude = (letters: string): Filter.Filter => Filter.make("exclude", Array.from(letters, source))

const query = (given: Partial<Gmp.Query> = {}): Gmp.Input => ({
  _tag: "Query",
  query: {
    _tag: "Query",
    version: 3,
    maximumResponseMillis: 10_000,
    group: 0,
    suppress: false,
    robustness: 2,
    queryIntervalSeconds: 125,
    sources: [],
    ...given
  }
})

const queryV6 = (given: Partial<Gmp.Query> = {}): Gmp.Input => query({ version: 2, group: ip("::"), ...given })

/** A host that has said all about its group. */
const settled = (filter: Filter.Filter = Filter.everything, given: Partial<Gmp.Settings> = {}): Host => {
  const host = new Host(4, given)
  host.listen(1, group, filter)
  host.advance(60 * second)
  host.take()
  return host
}

describe("Gmp tells of changes", () => {
  it("at once, and again within a second, to routers of the newest version (rfc: 3376 §5.1, §4.2.14)", () => {
    const host = new Host(4)
    host.listen(1, group, Filter.everything)
    assert.deepStrictEqual(host.sent.map(({ destination }) => destination), [ip("224.0.0.22")])
    assert.deepStrictEqual(host.take(), ["TO_EX 239.1.1.1 {}"])
    host.advance(second)
    assert.deepStrictEqual(host.sent.map(({ at }) => at), [0.5 * second])
    assert.deepStrictEqual(host.take(), ["TO_EX 239.1.1.1 {}"])
    host.advance(3600 * second)
    assert.deepStrictEqual(host.take(), [])
  })

  it("the same way in MLDv2 (rfc: 3810 §6.1, §5.2.14)", () => {
    const host = new Host(6)
    host.listen(1, groupV6, Filter.everything)
    host.advance(5 * second)
    assert.deepStrictEqual(host.sent.map(({ destination }) => destination), [ip("ff02::16"), ip("ff02::16")])
    assert.deepStrictEqual(host.take(), ["TO_EX ff15::1 {}", "TO_EX ff15::1 {}"])
    host.listen(1, groupV6, undefined)
    host.advance(5 * second)
    assert.deepStrictEqual(host.take(), ["TO_IN ff15::1 {}", "TO_IN ff15::1 {}"])
    assert.strictEqual(host.gmp.groups.size, 0)
  })

  for (
    const [before, after, told] of [
      ["", "ab", "ALLOW 239.1.1.1 {10.0.0.1 10.0.0.2}"],
      ["ab", "bc", "ALLOW 239.1.1.1 {10.0.0.3}, BLOCK 239.1.1.1 {10.0.0.1}"],
      ["ab", "", "BLOCK 239.1.1.1 {10.0.0.1 10.0.0.2}"],
      ["a", "!b", "TO_EX 239.1.1.1 {10.0.0.2}"],
      ["!a", "b", "TO_IN 239.1.1.1 {10.0.0.2}"],
      ["!a", "", "TO_IN 239.1.1.1 {}"],
      ["!ab", "!bc", "ALLOW 239.1.1.1 {10.0.0.1}, BLOCK 239.1.1.1 {10.0.0.3}"],
      ["!ab", "!ab", undefined]
    ] as const
  ) {
    it(`from {${before}} to {${after}}: ${told ?? "nothing"} (rfc: 3376 §5.1, 3810 §6.1)`, () => {
      const filterOf = (text: string): Filter.Filter => text.startsWith("!") ? exclude(text.slice(1)) : include(text)
      const host = settled(filterOf(before))
      host.listen(1, group, filterOf(after))
      assert.deepStrictEqual(host.take(), told === undefined ? [] : [told])
      host.advance(10 * second)
      assert.deepStrictEqual(host.take(), told === undefined ? [] : [told])
    })
  }

  it("tells of several sockets only what they want together (rfc: 3376 §3.2)", () => {
    const host = settled(include("ab"))
    host.listen(2, group, include("b"))
    assert.deepStrictEqual(host.take(), [])
    host.listen(1, group, undefined)
    assert.deepStrictEqual(host.take(), ["BLOCK 239.1.1.1 {10.0.0.1}"])
    host.advance(5 * second)
    assert.isTrue(Gmp.accepts(host.gmp, group, source("b")))
    assert.isFalse(Gmp.accepts(host.gmp, group, source("a")))
  })

  it("merges a change with those still to be told again (rfc: 3376 §5.1, 3810 §6.1)", () => {
    const host = settled(include("a"))
    host.listen(1, group, include("ab"))
    host.listen(1, group, include("bc"))
    assert.deepStrictEqual(host.take(), [
      "ALLOW 239.1.1.1 {10.0.0.2}",
      "ALLOW 239.1.1.1 {10.0.0.2 10.0.0.3}, BLOCK 239.1.1.1 {10.0.0.1}"
    ])
    host.advance(5 * second)
    // b has been told twice by now.
    assert.deepStrictEqual(host.take(), ["ALLOW 239.1.1.1 {10.0.0.3}, BLOCK 239.1.1.1 {10.0.0.1}"])
  })

  it("tells the mode first, as often as it must, and then sources (rfc: 3376 §5.1, 3810 §6.1)", () => {
    const host = settled(include("a"), { fraction: () => 0 })
    host.give(query({ robustness: 3 }))
    host.listen(1, group, exclude("b"))
    host.listen(1, group, exclude("bc"))
    assert.deepStrictEqual(host.take(), ["TO_EX 239.1.1.1 {10.0.0.2}", "TO_EX 239.1.1.1 {10.0.0.2 10.0.0.3}"])
    host.advance(5 * second)
    assert.deepStrictEqual(host.take(), ["TO_EX 239.1.1.1 {10.0.0.2 10.0.0.3}", "BLOCK 239.1.1.1 {10.0.0.3}"])
  })

  it("says nothing of all nodes and of groups inside the host, and hears them all the same (rfc: 3376 §5, 3810 §6)", () => {
    const host = new Host(4)
    host.listen(1, ip("224.0.0.1"), Filter.everything)
    const hostV6 = new Host(6)
    for (const quiet of ["ff02::1", "ff01::5", "ff00::5", "ff11::5"]) hostV6.listen(1, ip(quiet), Filter.everything)
    for (const each of [host, hostV6]) {
      each.give(each === host ? query() : queryV6())
      each.give({ _tag: "Announce" })
      each.advance(60 * second)
      assert.deepStrictEqual(each.take(), [])
    }
    assert.isTrue(Gmp.accepts(host.gmp, ip("224.0.0.1"), source("a")))
    assert.isTrue(Gmp.accepts(hostV6.gmp, ip("ff01::5"), ip("2001:db8::1")))
    assert.isTrue(Gmp.accepts(Gmp.make(6), ip("ff02::1"), ip("fe80::1")))
  })

  it("tells everything again when routers may not know it (rfc: 3810 §5.2.13 SHOULD)", () => {
    const host = settled(include("a"))
    host.listen(2, ip("239.2.2.2"), Filter.everything)
    host.advance(5 * second)
    host.take()
    host.give({ _tag: "Announce" })
    assert.deepStrictEqual(host.take(), ["ALLOW 239.1.1.1 {10.0.0.1}, TO_EX 239.2.2.2 {}"])
    host.advance(5 * second)
    assert.deepStrictEqual(host.take(), ["ALLOW 239.1.1.1 {10.0.0.1}, TO_EX 239.2.2.2 {}"])
  })
})

describe("Gmp answers queries", () => {
  it("general ones after a random part of the time allowed, all groups in one report (rfc: 3376 §5.2)", () => {
    const host = settled(include("ab"), { fraction: () => 0.25 })
    host.listen(1, ip("239.2.2.2"), Filter.everything)
    host.advance(5 * second)
    host.take()
    const start = host.at
    host.give(query())
    assert.deepStrictEqual(host.take(), [])
    host.advance(60 * second)
    assert.deepStrictEqual(host.sent.map(({ at }) => at - start), [7.5 * second])
    assert.deepStrictEqual(host.take(), ["IS_IN 239.1.1.1 {10.0.0.1 10.0.0.2}, IS_EX 239.2.2.2 {}"])
  })

  it("never at once (rfc: 3376 §5.2 MUST NOT)", () => {
    const host = settled(Filter.everything, { fraction: () => 0.999_999 })
    host.give(query())
    assert.deepStrictEqual(host.take(), [])
    assert.isAbove(host.gmp.deadline, host.at)
  })

  it("not at all when there is nothing to report", () => {
    const host = new Host(4)
    host.give(query())
    assert.strictEqual(host.gmp.deadline, Infinity)
    const other = settled()
    other.give(query({ group: ip("239.9.9.9") }))
    assert.strictEqual(other.gmp.deadline, Infinity)
  })

  it("keeps the sooner of two general answers (rfc: 3376 §5.2 rule 1)", () => {
    const host = settled()
    const start = host.at
    host.give(query({ maximumResponseMillis: 2000 }))
    host.give(query({ maximumResponseMillis: 100_000 }))
    host.advance(200 * second)
    assert.deepStrictEqual(host.sent.map(({ at }) => at - start), [second])
  })

  it("lets a general answer that comes sooner stand for one group's (rfc: 3376 §5.2 rule 1)", () => {
    const host = settled()
    host.give(query({ maximumResponseMillis: 1000 }))
    host.give(query({ group, maximumResponseMillis: 10_000 }))
    host.advance(60 * second)
    assert.deepStrictEqual(host.take(), ["IS_EX 239.1.1.1 {}"])
  })

  it("for one group with that group (rfc: 3376 §5.2 rule 3)", () => {
    const host = settled(exclude("a"))
    host.listen(2, ip("239.2.2.2"), Filter.everything)
    host.advance(5 * second)
    host.take()
    host.give(query({ group }))
    host.advance(60 * second)
    assert.deepStrictEqual(host.take(), ["IS_EX 239.1.1.1 {10.0.0.1}"])
  })

  it("for sources with those that are wanted (rfc: 3376 §5.2, 3810 §6.3)", () => {
    for (
      const [filter, asked, told] of [
        [include("ab"), "bc", ["IS_IN 239.1.1.1 {10.0.0.2}"]],
        [exclude("ab"), "bc", ["IS_IN 239.1.1.1 {10.0.0.3}"]],
        [include("a"), "bc", []],
        [exclude("bc"), "bc", []]
      ] as const
    ) {
      const host = settled(filter)
      host.give(query({ group, sources: Array.from(asked, source) }))
      host.advance(60 * second)
      assert.deepStrictEqual(host.take(), told)
    }
  })

  it("joins the sources of several queries, and drops them for a query of the whole group (rfc: 3376 §5.2 rules 4 and 5)", () => {
    const host = settled(include("abc"))
    host.give(query({ group, sources: [source("a")] }))
    host.give(query({ group, sources: [source("c")] }))
    host.advance(60 * second)
    assert.deepStrictEqual(host.take(), ["IS_IN 239.1.1.1 {10.0.0.1 10.0.0.3}"])
    host.give(query({ group, sources: [source("a")] }))
    host.give(query({ group }))
    host.give(query({ group, sources: [source("c")] }))
    host.advance(60 * second)
    assert.deepStrictEqual(host.take(), ["IS_IN 239.1.1.1 {10.0.0.1 10.0.0.2 10.0.0.3}"])
  })

  it("answers with the whole group when it may not remember the sources asked for (rfc: 3376 §9.1, 3810 §10.1)", () => {
    const host = settled(exclude("a"), { limits: { multicastGroups: 4, multicastSources: 2 } })
    host.give(query({ group, sources: Array.from("bc", source) }))
    host.give(query({ group, sources: Array.from("de", source) }))
    assert.strictEqual(host.gmp.groups.values().next().value!.asked.length, 0)
    host.advance(60 * second)
    assert.deepStrictEqual(host.take(), ["IS_EX 239.1.1.1 {10.0.0.1}"])
  })
})

describe("Gmp beside older routers", () => {
  it("speaks IGMPv2 from a general query on, and answers group by group (rfc: 3376 §7.2.1)", () => {
    const host = settled()
    host.give(query({ version: 2, maximumResponseMillis: 4000 }))
    assert.strictEqual(Gmp.modeOf(host.gmp), 2)
    const start = host.at
    host.advance(10 * second)
    assert.deepStrictEqual(host.sent.map(({ at, destination }) => [at - start, destination]), [[2 * second, group]])
    assert.deepStrictEqual(host.take(), ["v2 report 239.1.1.1"])
    host.listen(2, ip("239.2.2.2"), include("a"))
    host.advance(20 * second)
    assert.deepStrictEqual(host.take(), ["v2 report 239.2.2.2", "v2 report 239.2.2.2"])
    host.listen(2, ip("239.2.2.2"), include("b"))
    assert.deepStrictEqual(host.take(), [])
    host.listen(2, ip("239.2.2.2"), undefined)
    assert.deepStrictEqual(host.sent.map(({ destination }) => destination), [ip("224.0.0.2")])
    assert.deepStrictEqual(host.take(), ["leave 239.2.2.2"])
    host.advance(20 * second)
    assert.deepStrictEqual(host.take(), [])
  })

  it("takes a query of IGMPv2 for one group for no sign of an older querier (rfc: 3376 §7.2.1)", () => {
    const host = settled()
    host.give(query({ version: 2, group, maximumResponseMillis: 1000 }))
    assert.strictEqual(Gmp.modeOf(host.gmp), 3)
    host.advance(5 * second)
    assert.deepStrictEqual(host.take(), ["IS_EX 239.1.1.1 {}"])
  })

  it("speaks IGMPv1 with ten seconds to answer and no leaving (rfc: 3376 §7.2.1 MUST, 2236 §6)", () => {
    const host = settled(Filter.everything, { fraction: () => 0 })
    const start = host.at
    host.give(query({ version: 1, maximumResponseMillis: 0 }))
    assert.strictEqual(Gmp.modeOf(host.gmp), 1)
    host.advance(20 * second)
    assert.deepStrictEqual(host.sent.map(({ at }) => at - start), [10 * second])
    assert.deepStrictEqual(host.take(), ["v1 report 239.1.1.1"])
    host.listen(1, group, undefined)
    assert.deepStrictEqual(host.take(), [])
    assert.strictEqual(host.gmp.groups.size, 0)
  })

  it("comes back step by step: IGMPv1, IGMPv2, IGMPv3 (rfc: 3376 §7.2.1, §8.12 MUST)", () => {
    const host = settled()
    host.give(query({ version: 1, maximumResponseMillis: 0 }))
    host.advance(100 * second)
    host.give(query({ version: 2, maximumResponseMillis: 4000 }))
    assert.strictEqual(Gmp.modeOf(host.gmp), 1)
    // 2 · 125 s and the time to answer: 260 s for IGMPv1, 254 s from then on for IGMPv2.
    host.advance(160 * second)
    assert.strictEqual(Gmp.modeOf(host.gmp), 2)
    host.advance(93 * second)
    assert.strictEqual(Gmp.modeOf(host.gmp), 2)
    host.advance(2 * second)
    assert.strictEqual(Gmp.modeOf(host.gmp), 3)
    host.take()
    host.listen(2, ip("239.2.2.2"), Filter.everything)
    assert.deepStrictEqual(host.take(), ["TO_EX 239.2.2.2 {}"])
  })

  it("speaks MLDv1 from any of its queries on (rfc: 3810 §8.2.1)", () => {
    const host = new Host(6)
    host.listen(1, groupV6, Filter.everything)
    host.advance(5 * second)
    host.take()
    host.give(queryV6({ version: 1, group: ip("ff15::99"), maximumResponseMillis: 10_000 }))
    assert.strictEqual(Gmp.modeOf(host.gmp), 1)
    host.listen(1, groupV6, undefined)
    assert.deepStrictEqual(host.sent.map(({ destination }) => destination), [ip("ff02::2")])
    assert.deepStrictEqual(host.take(), ["leave ff15::1"])
    host.advance(259 * second)
    assert.strictEqual(Gmp.modeOf(host.gmp), 1)
    host.advance(second)
    assert.strictEqual(Gmp.modeOf(host.gmp), 2)
  })

  it("measures the time by what the last querier of the newest version told (rfc: 3376 §8.12 MUST)", () => {
    const host = settled()
    host.give(query({ robustness: 3, queryIntervalSeconds: 20 }))
    host.give(query({ version: 2, maximumResponseMillis: 1000 }))
    host.advance(60 * second)
    assert.strictEqual(Gmp.modeOf(host.gmp), 2)
    host.advance(2 * second)
    assert.strictEqual(Gmp.modeOf(host.gmp), 3)
  })

  it("forgets what waited to be said when the version changes (rfc: 3376 §7.2.1, 3810 §8.2.1)", () => {
    const host = settled()
    host.listen(2, ip("239.2.2.2"), Filter.everything)
    host.listen(1, group, undefined)
    host.give(query())
    host.take()
    host.give(query({ version: 2, group: 0, maximumResponseMillis: 1000 }))
    assert.strictEqual(host.gmp.groups.size, 1)
    host.advance(100 * second)
    assert.deepStrictEqual(host.take(), ["v2 report 239.2.2.2"])
  })

  it("stays silent when another member has reported (rfc: 2236 §6, 2710 §5), but not in the newest version (rfc: 3376 §7.2.2)", () => {
    const host = settled()
    host.give(query())
    host.give({ _tag: "Report", group })
    host.advance(60 * second)
    assert.deepStrictEqual(host.take(), ["IS_EX 239.1.1.1 {}"])
    host.give(query({ version: 2, maximumResponseMillis: 4000 }))
    host.give({ _tag: "Report", group })
    host.give({ _tag: "Report", group: ip("239.9.9.9") })
    host.advance(60 * second)
    assert.deepStrictEqual(host.take(), [])
  })

  it("draws a running timer anew only when the query wants it sooner (rfc: 2236 §6, 2710 §4)", () => {
    const host = settled()
    const start = host.at
    host.give(query({ version: 2, maximumResponseMillis: 10_000 }))
    host.give(query({ version: 2, maximumResponseMillis: 8000 }))
    host.give(query({ version: 2, maximumResponseMillis: 2000 }))
    host.advance(60 * second)
    assert.deepStrictEqual(host.sent.map(({ at }) => at - start), [second])
  })
})

describe("Gmp keeps its bounds", () => {
  it("refuses a group beyond multicastGroups, and lets one go that was left", () => {
    const host = new Host(4, { limits: { multicastGroups: 2, multicastSources: 4 } })
    assert.isTrue(host.listen(1, ip("239.0.0.1"), Filter.everything))
    assert.isTrue(host.listen(1, ip("239.0.0.2"), Filter.everything))
    const before = host.gmp
    assert.isFalse(host.listen(1, ip("239.0.0.3"), Filter.everything))
    assert.strictEqual(host.gmp, before)
    assert.deepStrictEqual(host.refused, ["multicastGroups"])
    host.listen(1, ip("239.0.0.1"), undefined)
    assert.isTrue(host.listen(1, ip("239.0.0.3"), Filter.everything))
    assert.strictEqual(host.gmp.groups.size, 2)
  })

  it("refuses sources beyond multicastSources with the filter as it was (rfc: 3376 §3.2 MUST)", () => {
    const host = new Host(4, { limits: { multicastGroups: 2, multicastSources: 3 } })
    assert.isTrue(host.listen(1, group, include("ab")))
    assert.isFalse(host.listen(2, group, exclude("cd")))
    assert.isFalse(host.listen(3, ip("239.2.2.2"), include("abcd")))
    assert.deepStrictEqual(host.refused, ["multicastSources", "multicastSources"])
    assert.isTrue(Gmp.accepts(host.gmp, group, source("a")))
    assert.isFalse(Gmp.accepts(host.gmp, group, source("e")))
    assert.strictEqual(host.gmp.groups.size, 1)
    assert.isTrue(host.listen(2, group, exclude("bc")))
  })
})
