import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Lan from "../Lan.ts"

const own = Address.v6(0x2001_0db8, 0, 0, 1)
const near = Address.v6(0x2001_0db8, 0, 0, 9)
const far = Address.v6(0x2600_0000, 0, 0, 9)
const linkLocal = Address.v6(0xfe80_0000, 0, 0, 9)
const farV4 = Address.v4(198, 51, 100, 1)

/** A host with an IPv4 address, and one over IPv6 if asked for. */
const host = (withIpv6: boolean) => {
  const self = Lan.host()
  if (!withIpv6) return self
  const answer = self.request({ _tag: "AddAddress", link: Lan.link, address: own, prefixLength: 64, origin: "static" })
  self.advance(Time.seconds(5))
  assert.strictEqual(answer.outcome()._tag, "Done")
  return self
}

const ranked = (self: ReturnType<typeof host>, destinations: ReadonlyArray<Address.Address>) => {
  const outcome = self.request({ _tag: "RankDestinations", destinations, link: undefined }).outcome()
  return outcome._tag === "Done" ? outcome.value.map(Address.format) : outcome._tag
}

describe("RankDestinations (RFC 6724 §6)", () => {
  it("puts what can't be reached last, whatever its family (rfc: 6724 §6 rule 1)", () => {
    assert.deepStrictEqual(ranked(host(false), [near, Lan.there]), [Lan.there, near].map(Address.format))
    assert.deepStrictEqual(ranked(host(true), [farV4, far, near]), [near, farV4, far].map(Address.format))
  })

  it("prefers IPv6 where both are reached (rule 6), and the smaller scope (rule 8)", () => {
    assert.deepStrictEqual(
      ranked(host(true), [Lan.there, near, linkLocal]),
      [linkLocal, near, Lan.there].map(Address.format)
    )
  })

  it("keeps the order of what is the same (rule 10)", () => {
    const others = [9, 7, 8].map((last) => Address.v4(10, 0, 0, last))
    assert.deepStrictEqual(ranked(host(true), others), others.map(Address.format))
  })
})
