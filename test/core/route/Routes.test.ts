import { assert, describe, it } from "@effect/vitest"
import type { RouteInfo } from "../../../src/core/route/Requests.ts"
import type * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Lan from "../Lan.ts"
import * as Seeded from "../Seeded.ts"

const { here, link, there } = Lan

const add = (
  self: Host.Host,
  prefix: Address.Address,
  length: number,
  more: Partial<{ gateway: Address.Address; link: number | undefined; metric: number; source: Address.Address }> = {}
) =>
  self.request({
    _tag: "AddRoute",
    prefix,
    length,
    gateway: more.gateway,
    link: "link" in more ? more.link : link,
    metric: more.metric ?? 0,
    source: more.source
  }).outcome()

const reasonOf = (outcome: Host.Outcome<unknown>): string =>
  outcome._tag === "Failed" ? outcome.reason._tag : outcome._tag

const lookup = (self: Host.Host, destination: Address.Address, on?: number) => self.step.routes.lookup(destination, on)

/** The obviously right one: all routes, one after another. */
const slowLookup = (routes: ReadonlyArray<RouteInfo>, destination: Address.Address): RouteInfo | undefined => {
  let best: RouteInfo | undefined = undefined
  for (const route of routes) {
    if (!Address.samePrefix(route.prefix, destination, route.length)) continue
    if (
      best === undefined || route.length > best.length || (route.length === best.length && route.metric < best.metric)
    ) {
      best = route
    }
  }
  return best
}

describe("Routes", () => {
  it("answers with the longest prefix, then the lowest metric, under any changes, for both families (rfc: 1812 §5.2.4.3)", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = Seeded.make(seed)
      const self = Lan.host()
      const address = (): Address.Address =>
        random.chance(0.5)
          ? Address.v4(10, random.below(3), random.below(3), random.below(4))
          : Address.v6(0x20010db8, random.below(3), random.below(2) << 31, random.below(4))
      for (let i = 0; i < 120; i++) {
        const prefix = address()
        const length = Address.isV4(prefix)
          ? random.pick([0, 8, 15, 16, 24, 31, 32])
          : random.pick([0, 32, 33, 64, 65, 127, 128])
        if (random.chance(0.7)) add(self, prefix, length, { metric: random.below(4) })
        else self.request({ _tag: "RemoveRoute", prefix, length, gateway: undefined, link: undefined })
        const routes = self.call({ _tag: "ListRoutes" }).filter((route) => route.link === link)
        const destination = address()
        const found = lookup(self, destination, link)
        const expected = slowLookup(routes, destination)
        if (expected === undefined) {
          assert.isUndefined(found)
          continue
        }
        const route = found as unknown as RouteInfo
        assert.deepStrictEqual([route.length, route.metric], [expected.length, expected.metric])
        assert.isTrue(Address.equals(route.prefix, expected.prefix))
      }
    }
  })

  it("come with addresses and go with the last of their prefix (rfc: 1122 §3.3.1.1)", () => {
    const self = Lan.host({ interfaces: [{ addresses: [[here, 24], [Address.v4(10, 0, 0, 2), 24]] }] })
    assert.deepStrictEqual(self.call({ _tag: "ListRoutes" }), [{
      prefix: Address.v4(10, 0, 0, 0),
      length: 24,
      gateway: undefined,
      link,
      metric: 0,
      source: undefined,
      origin: "onLink"
    }])
    self.call({ _tag: "RemoveAddress", link, address: here })
    assert.strictEqual(self.call({ _tag: "ListRoutes" }).length, 1)
    self.call({ _tag: "RemoveAddress", link, address: Address.v4(10, 0, 0, 2) })
    assert.deepStrictEqual(self.call({ _tag: "ListRoutes" }), [])
  })

  it("find their link by the gateway, which must be a neighbour (rfc: 1122 §3.3.1.1)", () => {
    const self = Lan.host()
    assert.strictEqual(reasonOf(add(self, 0, 0, { gateway: there, link: undefined })), "Done")
    assert.strictEqual(lookup(self, Address.v4(8, 8, 8, 8))?.link, link)
    assert.strictEqual(reasonOf(add(self, 0, 0, { gateway: Address.v4(10, 9, 9, 9) })), "Unreachable")
    assert.strictEqual(reasonOf(add(self, 0, 0, { gateway: Address.v4(10, 9, 9, 9), link: undefined })), "Unreachable")
  })

  it("may lead anywhere over a link without neighbours", () => {
    const self = Lan.host({ interfaces: [{ medium: "ip", addresses: [[here, 32]] }] })
    assert.strictEqual(reasonOf(add(self, 0, 0, { gateway: Address.v4(8, 8, 4, 4) })), "Done")
    assert.strictEqual(reasonOf(add(self, 0, 0)), "Done")
  })

  it("are not taken over a link that is down", () => {
    const self = Lan.host({
      interfaces: [{ addresses: [[here, 24]], gateway: there }, { addresses: [[Address.v4(10, 1, 0, 1), 24]] }]
    })
    add(self, 0, 0, { gateway: Address.v4(10, 1, 0, 9), link: 2, metric: 5 })
    assert.strictEqual(lookup(self, Address.v4(8, 8, 8, 8))?.link, 1)
    self.tell({ _tag: "LinkChanged", link: 1, up: false })
    assert.strictEqual(lookup(self, Address.v4(8, 8, 8, 8))?.link, 2)
  })

  it("stay with the oldest of equals, so that a second way does not move traffic", () => {
    const self = Lan.host()
    add(self, 0, 0, { gateway: there })
    add(self, 0, 0, { gateway: Address.v4(10, 0, 0, 7) })
    assert.strictEqual(lookup(self, Address.v4(8, 8, 8, 8))?.gateway, there)
  })

  it("are changed by adding the same again", () => {
    const self = Lan.host()
    add(self, 0, 0, { gateway: there, metric: 3 })
    add(self, Address.v4(1, 2, 3, 4), 0, { gateway: there, metric: 7 })
    assert.deepStrictEqual(self.call({ _tag: "ListRoutes" }).map(({ length, metric }) => [length, metric]), [[24, 0], [
      0,
      7
    ]])
  })

  const refused: ReadonlyArray<readonly [string, () => Host.Outcome<unknown>, string]> = [
    ["a length beyond the address", () => add(Lan.host(), 0, 33), "InvalidArgument"],
    ["half a bit", () => add(Lan.host(), 0, 1.5), "InvalidArgument"],
    ["a gateway of the other family", () => add(Lan.host(), 0, 0, { gateway: Address.loopbackV6 }), "InvalidArgument"],
    ["an interface that is not there", () => add(Lan.host(), 0, 0, { link: 7 }), "NotFound"],
    ["a source that is not ours", () => add(Lan.host(), 0, 0, { source: there }), "AddressNotAvailable"],
    ["neither gateway nor link", () => add(Lan.host(), 0, 0, { link: undefined }), "Unreachable"]
  ]
  for (const [what, attempt, reason] of refused) {
    it(`are refused with ${what}`, () => {
      assert.strictEqual(reasonOf(attempt()), reason)
    })
  }

  it("go when told, all or those selected, and say so", () => {
    const self = Lan.host()
    add(self, 0, 0, { gateway: there })
    add(self, 0, 0, { gateway: Address.v4(10, 0, 0, 7) })
    self.notices()
    const remove = (gateway: Address.Address | undefined) =>
      reasonOf(self.request({ _tag: "RemoveRoute", prefix: 0, length: 0, gateway, link: undefined }).outcome())
    assert.strictEqual(remove(Address.v4(10, 0, 0, 5)), "NotFound")
    assert.strictEqual(remove(there), "Done")
    assert.deepStrictEqual(self.notices(), [{ _tag: "RouteRemoved", prefix: 0, length: 0 }])
    assert.strictEqual(self.call({ _tag: "ListRoutes" }).length, 2)
    assert.strictEqual(remove(undefined), "Done")
    assert.strictEqual(remove(undefined), "NotFound")
  })
})
