/**
 * The bounds of IPv6, neighbour discovery and multicast: each row is hit, and what is said to happen happens.
 */
import { assert } from "@effect/vitest"
import type * as Bounds from "../../../src/core/Bounds.ts"
import * as Filter from "../../../src/core/data/SourceFilter.ts"
import * as Advertiser from "../../../src/core/ipv6/Advertiser.ts"
import * as ExtensionChain from "../../../src/core/ipv6/ExtensionChain.ts"
import * as NameServers from "../../../src/core/ipv6/NameServers.ts"
import * as Prefixes from "../../../src/core/ipv6/Prefixes.ts"
import * as Redirects from "../../../src/core/ipv6/Redirects.ts"
import * as Routers from "../../../src/core/ipv6/Routers.ts"
import * as Time from "../../../src/core/Time.ts"
import { make as makeHost } from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import { ip, ip6 } from "../ipv6/address.ts"
import { SlaacHost } from "../ipv6/SlaacHost.ts"
import { Host } from "../multicast/Host.ts"
import type { Hit } from "./core.ts"

const start = Time.instantOf(0)
const prefixOf = (n: number): Address.Ipv6 => ip6(`2001:db8:${n}::`)

const prefixOption = (n: number): NdpOptions.Prefix => ({
  prefix: prefixOf(n),
  length: 64,
  onLink: true,
  autonomous: true,
  validLifetime: 1000,
  preferredLifetime: 500
})

const groups = {
  multicastGroups: () => {
    const host = new Host(6, { limits: { multicastGroups: 3, multicastSources: 8 } })
    const joined = [1, 2, 3, 4, 5].map((n) => host.listen(n, ip(`ff15::${n}`), Filter.everything))
    assert.deepStrictEqual(joined, [true, true, true, false, false])
    assert.deepStrictEqual(host.refused, ["multicastGroups", "multicastGroups"])
    assert.strictEqual(host.gmp.groups.size, 3)
  },
  multicastSources: () => {
    const host = new Host(4, { limits: { multicastGroups: 3, multicastSources: 2 } })
    const sources = [1, 2, 3].map((n) => ip(`10.0.0.${n}`))
    assert.isTrue(host.listen(1, ip("239.1.1.1"), Filter.make("include", sources.slice(0, 2))))
    assert.isFalse(host.listen(2, ip("239.1.1.1"), Filter.make("include", sources.slice(2))))
    assert.deepStrictEqual(host.refused, ["multicastSources"])
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

/** Behind an IPv6 header, so many headers of destination options, and an upper layer. */
const walk = (headers: number, limit: number): ExtensionChain.Verdict => {
  const bytes = new Uint8Array(40 + 8 * headers + 8)
  for (let i = 0; i < headers; i++) {
    const next = i === headers - 1 ? IpProtocol.udp : IpProtocol.destinationOptions
    bytes.set([next, 0, 1, 4, 0, 0, 0, 0], 40 + 8 * i)
  }
  return ExtensionChain.walk(IpProtocol.destinationOptions, 6, { bytes, start: 40, end: bytes.length }, limit)
}

const headers = {
  extensionHeaders: () => {
    assert.strictEqual(walk(5, 5)._tag, "UpperLayer")
    assert.deepInclude(walk(6, 5), { _tag: "Drop", reason: "IpExtensionRefused" })
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

const advertisedBy = (router: number, routes: ReadonlyArray<NdpOptions.Route>): Routers.Input => ({
  _tag: "Advertised",
  router: ip6(`fe80::${router}`),
  routerLifetime: 100,
  preference: 0,
  routes
})

const routers = {
  defaultRouters: () => {
    const settings = { limits: { defaultRouters: 2, advertisedRoutes: 9 } }
    let self = Routers.empty
    const said = [1, 2, 3, 1].map((n) => {
      const [next, actions] = Routers.step(self, advertisedBy(n, []), start, settings)
      self = next
      return actions.map(({ _tag }) => _tag)
    })
    assert.deepStrictEqual(said, [["Add"], ["Add"], ["Ignore"], []])
    assert.strictEqual(self.routes.length, 2)
  },
  advertisedRoutes: () => {
    const settings = { limits: { defaultRouters: 2, advertisedRoutes: 3 } }
    const routes = [1, 2, 3, 4].map((n) => ({ prefix: prefixOf(n), length: 48, preference: 0, lifetime: 100 }) as const)
    const [self, actions] = Routers.step(Routers.empty, advertisedBy(1, routes), start, settings)
    // The default route is not one of them.
    assert.strictEqual(self.routes.length, 4)
    assert.deepStrictEqual(actions.at(-1), { _tag: "Ignore", bound: "advertisedRoutes" })
  },
  onLinkPrefixes: () => {
    const prefixes = [1, 2, 3, 4].map(prefixOption)
    const settings = { limits: { onLinkPrefixes: 3 } }
    const [self, actions] = Prefixes.step(Prefixes.empty, { _tag: "Advertised", prefixes }, start, settings)
    assert.strictEqual(self.prefixes.length, 3)
    assert.deepStrictEqual(actions.at(-1), { _tag: "Ignore", bound: "onLinkPrefixes" })
  },
  autonomousPrefixes: () => {
    const host = new SlaacHost({ limits: { autonomousPrefixes: 2 }, hasTemporary: () => false })
    host.advertise(...[1, 2, 3].map(prefixOption))
    assert.deepStrictEqual(host.take(), ["add slaac", "add slaac", "ignore autonomousPrefixes"])
    assert.strictEqual(host.owned.size, 2)
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

const resolver = {
  nameServers: () => {
    const settings = { limits: { nameServers: 2, searchDomains: 2 } }
    const input = (lifetime: number, n: number): NameServers.Input => ({
      _tag: "Advertised",
      dnsServers: [{ lifetime, servers: [ip6(`2001:db8::${n}`)] }],
      dnsSearchLists: []
    })
    const steps = [input(100, 1), input(300, 2), input(200, 3)]
    const self = steps.reduce((each, step) => NameServers.step(each, step, start, settings)[0], NameServers.empty)
    assert.deepStrictEqual(self.servers.map(({ value }) => Address.format(value)), ["2001:db8::3", "2001:db8::2"])
  },
  searchDomains: () => {
    const settings = { limits: { nameServers: 2, searchDomains: 2 } }
    const input = (lifetime: number, domain: string): NameServers.Input => ({
      _tag: "Advertised",
      dnsServers: [],
      dnsSearchLists: [{ lifetime, domains: [domain] }]
    })
    const steps = [input(100, "one.example"), input(300, "two.example"), input(200, "three.example")]
    const self = steps.reduce((each, step) => NameServers.step(each, step, start, settings)[0], NameServers.empty)
    assert.deepStrictEqual(self.domains.map(({ value }) => value), ["three.example", "two.example"])
  },
  redirects: () => {
    const redirect = (n: number) => ({
      _tag: "Redirect" as const,
      destination: prefixOf(n),
      target: ip6("fe80::9"),
      options: NdpOptions.none
    })
    let self = Redirects.empty
    const evicted = [1, 2, 3].map((n) => {
      const outcome = Redirects.learn(self, redirect(n), 2)
      self = outcome.self
      return outcome.evicted?.destination
    })
    assert.deepStrictEqual(evicted, [undefined, undefined, prefixOf(1)])
    assert.strictEqual(self.entries.length, 2)
  },
  proxiedAddresses: () => {
    const host = makeHost({ limits: { proxiedAddresses: 2 }, interfaces: [{ addresses: [[ip6("2001:db8::1"), 64]] }] })
    const asked = [1, 2, 3, 2].map((n) => {
      const request = { _tag: "SetProxy", link: 1, address: ip6(`2001:db8::7:${n}`), isOn: true } as const
      return host.request(request).outcome()._tag
    })
    assert.deepStrictEqual(asked, ["Done", "Done", "Failed", "Done"])
  },
  solicitedAdvertisements: () => {
    const settings: Advertiser.Settings = {
      maximumInterval: Time.seconds(600),
      minimumInterval: Time.seconds(200),
      answersAlone: true,
      limits: { solicitedAdvertisements: 2 },
      fraction: () => 0.5
    }
    const inputs: ReadonlyArray<Advertiser.Input> = [
      { _tag: "Start" },
      ...[1, 2, 3].map((n): Advertiser.Input => ({ _tag: "Solicited", from: ip6(`fe80::${n}`) }))
    ]
    const waiting: Array<number> = []
    let self = Advertiser.silent
    for (const input of inputs) {
      self = Advertiser.step(self, input, start, settings)[0]
      waiting.push(self.pending.length)
    }
    assert.deepStrictEqual(waiting, [0, 1, 2, 0])
    assert.isBelow(self.solicitedAt, self.next)
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

export const ipv6 = { ...groups, ...headers, ...routers, ...resolver }
