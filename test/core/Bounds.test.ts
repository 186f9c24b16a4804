/**
 * Every row of the table of bounds is hit by a test: a row without one does not pass the type checker.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Bounds from "../../src/core/Bounds.ts"
import * as Drop from "../../src/core/Drop.ts"
import { core, type Hit } from "./bounds/core.ts"
import { ipv6 } from "./bounds/ipv6.ts"
import { tcp } from "./bounds/tcp.ts"

const hits: Readonly<Record<Bounds.Name, Hit>> = { ...core, ...tcp, ...ipv6 }

describe("Bounds", () => {
  for (const [name, hit] of Object.entries(hits)) {
    const { atLimit, limits }: Bounds.Bound = Bounds.table[name as Bounds.Name]
    const [what, how] = Object.entries(atLimit)[0]!
    it(`${name}. ${limits}; at the limit ${what} ${how}`, hit)
  }

  it("has a test for each row, and no other", () => {
    assert.deepStrictEqual(Object.keys(hits).toSorted(), Object.keys(Bounds.table).toSorted())
  })

  it("names reasons of drops that exist, and limits above nothing", () => {
    for (const [name, bound] of Object.entries<Bounds.Bound>(Bounds.table)) {
      assert.isAbove(bound.default, 0, name)
      if ("drop" in bound.atLimit) assert.include(Drop.reasons, bound.atLimit.drop)
    }
  })

  it("takes overrides by name and keeps the rest", () => {
    const limits = Bounds.withOverrides({ routes: 7 })
    assert.deepStrictEqual(limits, { ...Bounds.defaults, routes: 7 })
  })
})
