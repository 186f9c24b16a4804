import { assert, describe, it } from "@effect/vitest"
import * as Advertisement from "../../../src/core/ipv6/Advertisement.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Ndp from "../../../src/wire/Ndp.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import { ip6 } from "./address.ts"

const mac = 0x0200_0000_0001
const make = (given: Partial<Advertisement.Advertisement> = {}): Advertisement.Advertisement => ({
  ...Advertisement.defaults,
  prefixes: [Advertisement.prefix(ip6("2001:db8:1::5"), 64)],
  ...given
})

const said = (given: Partial<Advertisement.Advertisement> = {}, isLast = false): Ndp.RouterAdvertisement =>
  Advertisement.messages(make(given), mac, 1500, isLast)[0]!

describe("Advertisement", () => {
  it("says what is configured, with the RFC's defaults (rfc: 4861 §6.2.1, §6.2.3)", () => {
    assert.deepStrictEqual(Advertisement.messages(make(), mac, 1500, false), [{
      _tag: "RouterAdvertisement",
      hopLimit: 64,
      managed: false,
      otherConfiguration: false,
      preference: 0,
      routerLifetime: 1800,
      reachableTime: 0,
      retransmitTimer: 0,
      options: NdpOptions.make({
        sourceLinkLayer: mac,
        prefixes: [{
          prefix: ip6("2001:db8:1::"),
          length: 64,
          onLink: true,
          autonomous: true,
          validLifetime: 2_592_000,
          preferredLifetime: 604_800
        }]
      })
    }])
  })

  it("says farewell with lifetimes of zero for itself and its routes (rfc: 4861 §6.2.5 SHOULD, 4191 §4 SHOULD)", () => {
    const routes = [{ prefix: ip6("2001:db8:9::"), length: 48, preference: 1, lifetime: 600 } as const]
    const last = said({ routes, preference: 1 }, true)
    assert.strictEqual(last.routerLifetime, 0)
    assert.strictEqual(last.preference, 0)
    assert.deepStrictEqual(last.options.routes.map(({ lifetime }) => lifetime), [0])
    assert.strictEqual(last.options.prefixes[0]!.validLifetime, 2_592_000)
    assert.strictEqual(said({ routes, preference: 1 }).preference, 1)
  })

  it("has no preference when it is no default router (rfc: 4191 §2.2 MUST)", () => {
    assert.strictEqual(said({ routerLifetime: Time.zero, preference: 1 }).preference, 0)
  })

  it("takes as many messages as the link needs, each with a part of the options (rfc: 4861 §6.2.3)", () => {
    const prefixes = Array.from({ length: 60 }, (_, i) => Advertisement.prefix(ip6(`2001:db8:${i.toString(16)}::`), 64))
    const dnsServers = [{ lifetime: 600, servers: [ip6("2001:db8::53")] }]
    const dnsSearchLists = [{ lifetime: 600, domains: ["example.com"] }]
    const messages = Advertisement.messages(make({ prefixes, dnsServers, dnsSearchLists }), mac, 1280, false)
    assert.isAbove(messages.length, 1)
    for (const message of messages) {
      assert.isAtMost(40 + Ndp.size(message), 1280)
      assert.strictEqual(message.options.sourceLinkLayer, mac)
      assert.strictEqual(message.routerLifetime, 1800)
    }
    assert.deepStrictEqual(messages.flatMap(({ options }) => options.prefixes), prefixes)
    assert.deepStrictEqual(messages.flatMap(({ options }) => options.dnsServers), dnsServers)
    assert.deepStrictEqual(messages.flatMap(({ options }) => options.dnsSearchLists), dnsSearchLists)
  })

  const seconds = Time.seconds
  for (
    const [why, given, isSound] of [
      ["the defaults", {}, true],
      ["an interval below 4 s", { maximumInterval: seconds(3), minimumInterval: seconds(3) }, false],
      ["an interval above 1800 s", { maximumInterval: seconds(1801), routerLifetime: seconds(9000) }, false],
      ["a minimum below 3 s", { minimumInterval: seconds(2) }, false],
      ["a minimum above three quarters of the maximum", { minimumInterval: seconds(451) }, false],
      ["a minimum that is a short maximum", { maximumInterval: seconds(8), minimumInterval: seconds(8) }, true],
      ["a router lifetime below the interval", { routerLifetime: seconds(599) }, false],
      ["a router lifetime above 9000 s", { routerLifetime: seconds(9001) }, false],
      ["no router lifetime", { routerLifetime: Time.zero }, true],
      ["a reachable time above an hour", { reachableTime: seconds(3601) }, false],
      ["an MTU below 1280", { mtu: 1279 }, false],
      ["the link-local prefix", { prefixes: [Advertisement.prefix(ip6("fe80::"), 64)] }, false],
      [
        "a prefix preferred for longer than valid",
        { prefixes: [{ ...Advertisement.prefix(ip6("2001:db8::"), 64), validLifetime: 1 }] },
        false
      ]
    ] as const
  ) {
    it(`${isSound ? "accepts" : "refuses"} ${why} (rfc: 4861 §6.2.1 MUST)`, () => {
      assert.strictEqual(Advertisement.fault(make(given), 1500) === undefined, isSound)
    })
  }

  it("refuses many routes, and the same twice (rfc: 4191 §4 SHOULD NOT, §2.3 MUST NOT)", () => {
    const routes = Array.from({ length: 18 }, (_, i) => ({
      prefix: ip6(`2001:db8:${i}::`),
      length: 48,
      preference: 0 as const,
      lifetime: 600
    }))
    assert.isDefined(Advertisement.fault(make({ routes }), 1500))
    assert.isUndefined(Advertisement.fault(make({ routes: routes.slice(1) }), 1500))
    assert.isDefined(Advertisement.fault(make({ routes: [routes[0]!, routes[0]!] }), 1500))
  })

  it("finds in what another router contradicts it, and not what one of them leaves open (rfc: 4861 §6.2.7 SHOULD)", () => {
    const own = make({ mtu: 1400, reachableTime: seconds(30), retransmit: seconds(1) })
    const heard = said({ mtu: 1400, reachableTime: seconds(30), retransmit: seconds(1) })
    assert.deepStrictEqual(Advertisement.contradictions(own, heard), [])
    const silent = { ...heard, hopLimit: 0, reachableTime: 0, retransmitTimer: 0, options: NdpOptions.none }
    assert.deepStrictEqual(Advertisement.contradictions(own, silent), [])
    const other = {
      ...heard,
      hopLimit: 32,
      managed: true,
      otherConfiguration: true,
      reachableTime: 1,
      retransmitTimer: 2,
      options: {
        ...heard.options,
        mtu: 1500,
        prefixes: [
          { ...heard.options.prefixes[0]!, validLifetime: 9, preferredLifetime: 8 },
          Advertisement.prefix(ip6("2001:db8:77::"), 64)
        ]
      }
    }
    assert.deepStrictEqual(Advertisement.contradictions(own, other), [
      "hop limit",
      "managed flag",
      "other configuration flag",
      "reachable time",
      "retransmission timer",
      "MTU",
      "preferred lifetime",
      "valid lifetime"
    ])
  })
})
