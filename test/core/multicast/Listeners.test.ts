import { assert, describe, it } from "@effect/vitest"
import * as Filter from "../../../src/core/data/SourceFilter.ts"
import * as Sources from "../../../src/core/data/Sources.ts"
import * as Listeners from "../../../src/core/multicast/Listeners.ts"
import type * as Address from "../../../src/wire/Address.ts"
import { ip } from "../ipv6/address.ts"
import * as Seeded from "../Seeded.ts"

const sourcesOf = (letters: string): Array<Address.Address> =>
  Array.from(letters, (letter) => ip("10.0.0.0") as Address.Ipv4 + letter.charCodeAt(0))
const include = (letters: string): Filter.Filter => Filter.make("include", sourcesOf(letters))
const exclude = (letters: string): Filter.Filter => Filter.make("exclude", sourcesOf(letters))

const merged = (...filters: ReadonlyArray<Filter.Filter>): Filter.Filter =>
  Listeners.filterOf(filters.reduce(Listeners.add, Listeners.none))

/** The definition of RFC 3376 §3.2, word by word. */
const defined = (filters: ReadonlyArray<Filter.Filter>): Filter.Filter => {
  const included = filters.filter(({ mode }) => mode === "include").map(({ sources }) => sources)
  const excluded = filters.filter(({ mode }) => mode === "exclude").map(({ sources }) => sources)
  const union = included.reduce(Sources.union, Sources.empty)
  if (excluded.length === 0) return { mode: "include", sources: union }
  const common = excluded.reduce((a, b) => Sources.intersection(a, b))
  return { mode: "exclude", sources: Sources.difference(common, union) }
}

describe("Listeners", () => {
  it("merges the RFC's examples (rfc: 3376 §3.2, 3810 §4.2)", () => {
    assert.deepStrictEqual(merged(include("abc"), include("bcd")), include("abcd"))
    assert.deepStrictEqual(merged(exclude("abcd"), exclude("bcde"), include("def")), exclude("bc"))
    assert.deepStrictEqual(merged(exclude("abcd"), exclude("bcde"), include("def"), exclude("")), exclude(""))
    assert.deepStrictEqual(merged(include("abc"), include("bcd"), include("ef")), include("abcdef"))
    assert.deepStrictEqual(merged(), Filter.nothing)
  })

  it("excludes nothing while all sockets include (rfc: 3810 §4.2 MUST NOT)", () => {
    const mixed = [include("ab"), exclude("c")].reduce(Listeners.add, Listeners.none)
    assert.strictEqual(Listeners.filterOf(mixed).mode, "exclude")
    assert.deepStrictEqual(Listeners.filterOf(Listeners.remove(mixed, exclude("c"))), include("ab"))
  })

  it("agrees with the definition over random sockets that come, change and go", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = Seeded.make(seed)
      const sockets = new Map<number, Filter.Filter>()
      let self = Listeners.none
      for (let i = 0; i < 60; i++) {
        const socket = random.below(6)
        const before = sockets.get(socket)
        if (before !== undefined) self = Listeners.remove(self, before)
        sockets.delete(socket)
        if (random.chance(0.7)) {
          const letters = Array.from("abcdefg").filter(() => random.chance(0.4)).join("")
          const after = random.chance(0.5) ? include(letters) : exclude(letters)
          sockets.set(socket, after)
          self = Listeners.add(self, after)
        }
        const filters = Array.from(sockets.values())
        assert.isTrue(Filter.equals(Listeners.filterOf(self), defined(filters)))
        const named = filters.reduce((all, { sources }) => Sources.union(all, sources), Sources.empty)
        assert.strictEqual(Listeners.sourceCount(self), named.length)
      }
      for (const filter of sockets.values()) self = Listeners.remove(self, filter)
      assert.deepStrictEqual(self, Listeners.none)
    }
  })
})

describe("Filter", () => {
  it("accepts whom it includes, or whom it does not exclude (rfc: 3376 §2)", () => {
    const [a, b] = sourcesOf("ab") as [Address.Address, Address.Address]
    assert.deepStrictEqual(
      [include("a"), exclude("a"), Filter.nothing, Filter.everything].map((filter) => [
        Filter.accepts(filter, a),
        Filter.accepts(filter, b)
      ]),
      [[true, false], [false, true], [false, false], [true, true]]
    )
  })

  it("tells which sources differ", () => {
    assert.deepStrictEqual(Filter.changed(include("abc"), include("bd")), sourcesOf("acd"))
    assert.deepStrictEqual(Filter.changed(exclude("ab"), exclude("ab")), [])
  })
})
