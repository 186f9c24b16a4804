/**
 * Somebody on the link who means harm: what is forged is not believed, and what comes in floods takes no more than the bounds allow, with a count.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import type * as Ndp from "../../../src/wire/Ndp.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import * as Lan from "../Lan.ts"
import * as Packets from "../Packets.ts"
import { ip6 } from "./address.ts"

const link = 1
const here = ip6("2001:db8::1")
const allNodes = ip6("ff02::1")
const allNodesMac = 0x3333_0000_0001
const router = ip6("fe80::1")
const rogueMac = 0x0200_0000_6666

const limits = {
  neighborEntries: 32,
  defaultRouters: 3,
  advertisedRoutes: 4,
  onLinkPrefixes: 4,
  autonomousPrefixes: 2,
  nameServers: 2,
  searchDomains: 2,
  redirects: 4,
  multicastGroups: 8,
  multicastSources: 4,
  solicitedAdvertisements: 3,
  reassemblyBytes: 64 * 1024
}

/** A host that configures itself, with an address of its own beside. */
const make = (forwarding = false): Host.Host => {
  const host = Host.make({ seed: 1, limits, config: { forwarding }, interfaces: [{ addresses: [[here, 64]] }] })
  if (!forwarding) host.call({ _tag: "SetAutoconfiguration", link, isOn: true })
  host.advance(Time.seconds(5))
  host.takeFrames(link)
  return host
}

const prefix = (text: string): NdpOptions.Prefix => ({
  prefix: ip6(text),
  length: 64,
  onLink: true,
  autonomous: true,
  validLifetime: 7200,
  preferredLifetime: 3600
})

const advertisement = (options: Partial<NdpOptions.Options> = {}): Ndp.RouterAdvertisement => ({
  _tag: "RouterAdvertisement",
  hopLimit: 64,
  managed: false,
  otherConfiguration: false,
  preference: 0,
  routerLifetime: 1800,
  reachableTime: 0,
  retransmitTimer: 0,
  options: NdpOptions.make({ sourceLinkLayer: rogueMac, prefixes: [prefix("2001:db8:666::")], ...options })
})

const deliver = (host: Host.Host, packet: Uint8Array, to = allNodesMac): void =>
  host.deliver(link, Packets.frame(packet, to, rogueMac))

const addresses = (host: Host.Host): number => host.state.device.interfaces.get(link)!.addresses.length

/** That the host still speaks with an honest neighbour. */
const answers = (host: Host.Host): boolean => {
  host.takeFrames(link)
  const honest = ip6("2001:db8::9")
  host.call({ _tag: "SetNeighbor", link, address: honest, mac: Lan.thereMac })
  const echo = Packets.icmp(honest, here, { type: 128, code: 0, rest: 1 }, Lan.bytes(8))
  host.deliver(link, Packets.frame(echo, Host.macOf(1, 1), Lan.thereMac))
  return Packets.told(host.takeFrames(link)).some(({ said }) => said._tag === "EchoReply")
}

/** With another last octet. */
const damaged = (packet: Uint8Array): Uint8Array => packet.with(packet.length - 1, packet.at(-1)! ^ 0x55)

describe("A forged router advertisement", () => {
  for (
    const [why, packet, reason] of [
      ["that a router has forwarded", Packets.ndp(router, allNodes, advertisement(), { hopLimit: 254 }), "NdpInvalid"],
      [
        "from an address that is not of the link",
        Packets.ndp(ip6("2001:db8::6"), allNodes, advertisement()),
        "NdpInvalid"
      ],
      ["with a wrong checksum", damaged(Packets.ndp(router, allNodes, advertisement())), "Malformed"]
    ] as const
  ) {
    it(`${why} changes nothing (rfc: 4861 §6.1.2 MUST)`, () => {
      const host = make()
      const before = host.snapshot()
      deliver(host, packet)
      assert.strictEqual(host.dropCount(reason), 1)
      for (const table of ["ipv6.hosts", "device.interfaces", "route.routes"]) {
        assert.deepStrictEqual(host.snapshot()[table], before[table], table)
      }
    })
  }

  it("that takes an address's lifetime leaves it two hours (rfc: 4862 §5.5.3 e)", () => {
    const host = make()
    deliver(
      host,
      Packets.ndp(router, allNodes, advertisement({ prefixes: [{ ...prefix("2001:db8:7::"), validLifetime: 90_000 }] }))
    )
    host.advance(Time.seconds(5))
    const had = addresses(host)
    const taken = { ...prefix("2001:db8:7::"), validLifetime: 1, preferredLifetime: 1 }
    deliver(host, Packets.ndp(router, allNodes, advertisement({ prefixes: [taken] })))
    host.advance(Time.seconds(7000))
    assert.isAtLeast(addresses(host), had - 1)
  })
})

describe("A flood", () => {
  it("of router advertisements fills its bounds and nothing more, and is counted", () => {
    const host = make()
    for (let i = 1; i <= 40; i++) {
      const hex = i.toString(16)
      const options = {
        prefixes: [prefix(`2001:db8:${hex}::`)],
        routes: [{ prefix: ip6(`2001:db9:${hex}::`), length: 48, preference: 1, lifetime: 600 }] as const,
        dnsServers: [{ lifetime: 600, servers: [ip6(`2001:db8::53:${hex}`)] }],
        dnsSearchLists: [{ lifetime: 600, domains: [`d${i}.example`] }]
      }
      deliver(host, Packets.ndp(ip6(`fe80::66:${hex}`), allNodes, advertisement(options)))
    }
    host.advance(Time.seconds(5))
    const { nameServers, prefixes, routers, slaac } = host.state.ipv6.hosts.get(link)!.machine
    const isDefault = routers.routes.filter(({ length }) => length === 0).length
    assert.deepStrictEqual(
      [isDefault, routers.routes.length - isDefault, prefixes.prefixes.length, slaac.prefixes.length - 1],
      [limits.defaultRouters, limits.advertisedRoutes, limits.onLinkPrefixes, limits.autonomousPrefixes]
    )
    assert.deepStrictEqual([nameServers.servers.length, nameServers.domains.length], [2, 2])
    assert.isAbove(host.dropCount("NdpLimit"), 100)
    assert.isTrue(answers(host))
  })

  it("of neighbour advertisements makes no neighbours (rfc: 4861 §7.2.5)", () => {
    const host = make()
    for (let i = 0; i < 2000; i++) {
      const target = Address.v6(0x20010db8, 0, Math.imul(i, 0x9e37_79b1), i + 2)
      const options = NdpOptions.make({ targetLinkLayer: rogueMac })
      const message: Ndp.Message = {
        _tag: "NeighborAdvertisement",
        isRouter: true,
        solicited: false,
        override: true,
        target,
        options
      }
      deliver(host, Packets.ndp(target, allNodes, message))
    }
    assert.strictEqual(host.call({ _tag: "ListNeighbors", link }).length, 0)
    assert.strictEqual(host.dropCount("NdpNotForUs"), 2000)
    assert.isTrue(answers(host))
  })

  it("of solicitations from ever other neighbours keeps the cache within its bound", () => {
    const host = make()
    for (let i = 1; i <= 500; i++) {
      const options = NdpOptions.make({ sourceLinkLayer: rogueMac })
      const message: Ndp.Message = { _tag: "NeighborSolicitation", target: here, options }
      deliver(host, Packets.ndp(ip6(`2001:db8::6:${i.toString(16)}`), ip6("ff02::1:ff00:1"), message), 0x3333_ff00_0001)
    }
    assert.strictEqual(host.call({ _tag: "ListNeighbors", link }).length, limits.neighborEntries)
    assert.isAbove(host.counter("neighborEvicted"), 400)
    assert.isTrue(answers(host))
  })

  it("of redirects from who is no router is ignored", () => {
    const host = make()
    deliver(host, Packets.ndp(router, allNodes, advertisement()))
    for (let i = 1; i <= 100; i++) {
      const destination = ip6(`2001:db8:ffff::${i.toString(16)}`)
      const message: Ndp.Message = { _tag: "Redirect", target: ip6("fe80::666"), destination, options: NdpOptions.none }
      deliver(host, Packets.ndp(ip6("fe80::666"), here, message), Host.macOf(1, 1))
    }
    assert.strictEqual(host.dropCount("IcmpRedirectIgnored"), 100)
    assert.strictEqual(host.counter("redirectsObeyed"), 0)
  })

  it("of router solicitations makes a router say no more than it may (rfc: 4861 §6.2.6 MUST)", () => {
    const host = make(true)
    host.call({
      _tag: "SetRouterAdvertising",
      link,
      advertisement: { prefixes: [{ prefix: ip6("2001:db8::"), length: 64 }] }
    })
    host.advance(Time.seconds(60))
    host.takeFrames(link)
    const before = host.counter("routerAdvertisementsSent")
    for (let i = 1; i <= 1000; i++) {
      const message: Ndp.Message = { _tag: "RouterSolicitation", options: NdpOptions.none }
      deliver(host, Packets.ndp(ip6(`fe80::6:${i.toString(16)}`), ip6("ff02::2"), message), 0x3333_0000_0002)
      host.advance(Time.millis(5))
    }
    // Three a wave for single hosts, and one to all every three seconds.
    assert.isBelow(host.counter("routerAdvertisementsSent") - before, 60)
    assert.isAtMost(host.state.ipv6.advertisers.get(link)!.machine.pending.length, limits.solicitedAdvertisements)
  })

  it("of fragments that never end keeps within the memory for them, and is forgotten", () => {
    const host = make()
    for (let i = 1; i <= 400; i++) {
      const fragment = Uint8Array.from([58, 0, 0, 1, 0, 0, i >>> 8, i & 0xff, 128, 0, 0, 0, ...new Array(1000).fill(0)])
      const source = ip6(`2001:db8::6:${i.toString(16)}`)
      deliver(host, Packets.ip(source, here, fragment, { protocol: 44 }), Host.macOf(1, 1))
    }
    assert.isAtMost(host.memory("fragments"), limits.reassemblyBytes)
    host.advance(Time.seconds(61))
    assert.strictEqual(host.memory("fragments"), 0)
    assert.isTrue(answers(host))
  })
})
