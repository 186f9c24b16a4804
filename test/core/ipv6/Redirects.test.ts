import { assert, describe, it } from "@effect/vitest"
import * as Redirects from "../../../src/core/ipv6/Redirects.ts"
import * as Address from "../../../src/wire/Address.ts"
import type { Redirect } from "../../../src/wire/Ndp.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import * as Seeded from "../Seeded.ts"
import { ip6 } from "./address.ts"

const redirect = (destination: string, target: string): Redirect => ({
  _tag: "Redirect",
  destination: ip6(destination),
  target: ip6(target),
  options: NdpOptions.none
})
const router = ip6("fe80::1")
const far = redirect("2001:db8:9::1", "fe80::2")

describe("Redirects", () => {
  it("obeys the first hop of the destination and nobody else (rfc: 4861 §8.1 MUST)", () => {
    assert.isUndefined(Redirects.fault(router, far, router))
    assert.isDefined(Redirects.fault(ip6("fe80::66"), far, router))
    assert.isDefined(Redirects.fault(router, far, ip6("fe80::66")))
    assert.isDefined(Redirects.fault(router, far, undefined))
  })

  it("takes targets that no prefix covers, but not nobody (rfc: 4861 §8.1 MUST NOT)", () => {
    assert.isUndefined(Redirects.fault(router, redirect("2001:db8:9::1", "2001:db8:9::1"), router))
    assert.isDefined(Redirects.fault(router, redirect("2001:db8:9::1", "::"), router))
    assert.isDefined(Redirects.fault(router, redirect("2001:db8:9::1", "::1"), router))
  })

  it("redirects neither link-local addresses nor groups", () => {
    assert.isDefined(Redirects.fault(router, redirect("fe80::9", "fe80::9"), router))
    assert.isDefined(Redirects.fault(router, redirect("ff02::9", "fe80::9"), router))
  })

  it("tells a router from a neighbour (rfc: 4861 §8.3 MUST)", () => {
    const other = Redirects.learn(Redirects.empty, far, 4)
    assert.isTrue(other.isRouter)
    assert.isFalse(Redirects.isOnLink(other.entry))
    const itself = Redirects.learn(Redirects.empty, redirect("2001:db8:9::1", "2001:db8:9::1"), 4)
    assert.isFalse(itself.isRouter)
    assert.isTrue(Redirects.isOnLink(itself.entry))
  })

  it("remembers the latest for a destination, and makes room by forgetting the oldest", () => {
    let self = Redirects.empty
    const learn = (destination: string, target: string): string | undefined => {
      const outcome = Redirects.learn(self, redirect(destination, target), 2)
      self = outcome.self
      return outcome.evicted === undefined ? undefined : Address.format(outcome.evicted.destination)
    }
    assert.isUndefined(learn("2001:db8::1", "fe80::2"))
    assert.isUndefined(learn("2001:db8::2", "fe80::2"))
    assert.isUndefined(learn("2001:db8::1", "fe80::3"))
    assert.strictEqual(learn("2001:db8::3", "fe80::2"), "2001:db8::2")
    assert.deepStrictEqual(self.entries.map(({ target }) => Address.format(target)), ["fe80::3", "fe80::2"])
  })

  it("forgets what leads to a router that is none any more (rfc: 4861 §6.3.5 MUST)", () => {
    const self =
      Redirects.learn(Redirects.learn(Redirects.empty, far, 4).self, redirect("2001:db8::2", "fe80::3"), 4).self
    const [left, forgotten] = Redirects.forget(self, ip6("fe80::2"))
    assert.deepStrictEqual(forgotten.map(({ destination }) => destination), [far.destination])
    assert.strictEqual(left.entries.length, 1)
    assert.strictEqual(Redirects.forget(left, ip6("fe80::2"))[0], left)
  })

  it("agrees with a map that forgets its oldest, over random redirects", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = Seeded.make(seed)
      const limit = 1 + random.below(5)
      const twin = new Map<string, string>()
      let self = Redirects.empty
      for (let i = 0; i < 80; i++) {
        const destination = `2001:db8::${random.below(8)}`
        const target = `fe80::${random.below(3)}`
        if (random.chance(0.1)) {
          self = Redirects.forget(self, ip6(target))[0]
          for (const [key, value] of twin) if (value === target) twin.delete(key)
        } else {
          self = Redirects.learn(self, redirect(destination, target), limit).self
          twin.delete(destination)
          if (twin.size >= limit) twin.delete(twin.keys().next().value!)
          twin.set(destination, target)
        }
        assert.deepStrictEqual(
          self.entries.map((entry) => [entry.destination, entry.target]),
          Array.from(twin, ([key, value]) => [ip6(key), ip6(value)])
        )
      }
    }
  })
})
