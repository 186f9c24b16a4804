/**
 * This host as the router of a link (RFC 4861 §6.2), with another that configures itself by what it says.
 *
 *     server ── link 2 ── router ── link 1 ── client
 */
import { assert, describe, it } from "@effect/vitest"
import type { GivenAdvertisement } from "../../../src/core/ipv6/Requests.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Wire from "../../../src/testing/Wire.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import * as Lan from "../Lan.ts"
import * as Packets from "../Packets.ts"
import { ip6 } from "./address.ts"

const link = 1
const prefix = { prefix: ip6("2001:db8:7::"), length: 64 }
const advertisement: GivenAdvertisement = {
  prefixes: [prefix],
  mtu: 1400,
  hopLimit: 33,
  preference: 1,
  dnsServers: [{ lifetime: 600, servers: [ip6("2001:db8:7::53")] }],
  dnsSearchLists: [{ lifetime: 600, domains: ["example.org"] }]
}

const makeRouter = (seed = 1, forwarding = true): Host.Host =>
  Host.make({
    seed,
    config: { forwarding },
    interfaces: [{ addresses: [[ip6("2001:db8:7::1"), 64]] }, { addresses: [[ip6("2001:db8:8::1"), 64]] }]
  })

const advertise = (host: Host.Host, given: GivenAdvertisement | undefined = advertisement) =>
  host.request({ _tag: "SetRouterAdvertising", link, advertisement: given }).outcome()

const makeClient = (seed = 2): Host.Host => {
  const host = Host.make({ seed, interfaces: [{}] })
  host.call({ _tag: "SetAutoconfiguration", link, isOn: true })
  return host
}

/** What the router's advertisements have said, with where they went. */
const saidBy = (host: Host.Host) =>
  Packets.discovery(host.takeFrames(link)).flatMap(({ ip, message }) =>
    message._tag === "RouterAdvertisement" ? [{ to: Address.format(ip.destination as Address.Ipv6), message }] : []
  )

const originsOf = (host: Host.Host): ReadonlyArray<string> =>
  host.state.device.interfaces.get(link)!.addresses.map(({ origin, state }) => `${origin} ${state}`)

const defaultRoutes = (host: Host.Host): number =>
  host.call({ _tag: "ListRoutes" }).filter(({ length }) => length === 0).length

const advance = (wires: ReadonlyArray<Wire.Wire>, by: number): void => {
  for (let i = 0; i < by * 20; i++) for (const wire of wires) wire.advance(Time.millis(wire === wires[0] ? 50 : 0))
}

describe("A router", () => {
  it("says what it was told to, from its link-local address, thrice quickly and then from time to time (rfc: 4861 §6.2.4)", () => {
    const host = makeRouter()
    advertise(host)
    const [first] = saidBy(host)
    assert.deepStrictEqual(first!.to, "ff02::1")
    const { hopLimit, options, preference, routerLifetime } = first!.message
    assert.deepStrictEqual([hopLimit, preference, routerLifetime, options.mtu], [33, 1, 1800, 1400])
    assert.deepStrictEqual(options.prefixes, [
      { ...prefix, onLink: true, autonomous: true, validLifetime: 2_592_000, preferredLifetime: 604_800 }
    ])
    assert.deepStrictEqual(options.sourceLinkLayer, Host.macOf(1, 1))
    host.advance(Time.seconds(33))
    assert.strictEqual(saidBy(host).length, 2)
    host.advance(Time.seconds(6000))
    const later = saidBy(host).length
    assert.isTrue(later >= 10 && later <= 31, `${later} in 6000 s`)
    assert.strictEqual(host.counter("routerAdvertisementsSent"), later + 3)
  })

  it("answers who asks, alone if it told its address (rfc: 4861 §6.2.6 MUST, 7772 §5.1)", () => {
    const host = makeRouter()
    advertise(host)
    host.advance(Time.seconds(40))
    saidBy(host)
    const asks = { _tag: "RouterSolicitation", options: NdpOptions.make({ sourceLinkLayer: Lan.thereMac }) } as const
    const routers = ip6("ff02::2")
    host.deliver(link, Packets.frame(Packets.ndp(ip6("fe80::9"), routers, asks), 0x3333_0000_0002, Lan.thereMac))
    host.advance(Time.millis(500))
    assert.deepStrictEqual(saidBy(host).map(({ to }) => to), ["fe80::9"])
    const from = ip6("::")
    const blind = { _tag: "RouterSolicitation", options: NdpOptions.none } as const
    host.deliver(link, Packets.frame(Packets.ndp(from, routers, blind), 0x3333_0000_0002, Lan.thereMac))
    host.advance(Time.millis(500))
    assert.deepStrictEqual(saidBy(host).map(({ to }) => to), ["ff02::1"])
  })

  it("is one in its neighbour advertisements, and listens to the group of all routers (rfc: 4861 §7.2.4 MUST, 4291 §2.8 MUST)", () => {
    const host = makeRouter()
    const asks = {
      _tag: "NeighborSolicitation",
      target: ip6("2001:db8:7::1"),
      options: NdpOptions.make({ sourceLinkLayer: Lan.thereMac })
    } as const
    const isRouter = () => {
      const packet = Packets.ndp(ip6("2001:db8:7::9"), ip6("ff02::1:ff00:1"), asks)
      host.deliver(link, Packets.frame(packet, 0x3333_ff00_0001, Lan.thereMac))
      const [answer] = Packets.discovery(host.takeFrames(link))
      return answer?.message._tag === "NeighborAdvertisement" && answer.message.isRouter
    }
    assert.isTrue(isRouter())
    assert.isTrue(host.state.multicast.memberships[6].get(link)!.machine.groups.has(Address.key(ip6("ff02::2"))))
    host.call({ _tag: "SetForwarding", link, isOn: false })
    assert.isFalse(isRouter())
    assert.isTrue(host.state.ipv6.routers.get(2))
    assert.isUndefined(host.state.ipv6.routers.get(link))
  })

  it("that forwards nothing is no default router, and says so when it ceases to be one (rfc: 4861 §6.2.5 MUST)", () => {
    const host = makeRouter()
    advertise(host)
    saidBy(host)
    host.advance(Time.seconds(60))
    saidBy(host)
    host.call({ _tag: "SetForwarding", link, isOn: false })
    assert.deepStrictEqual(saidBy(host).map(({ message }) => message.routerLifetime), [0])
  })

  it("says farewell thrice when it is told to cease, and at once when its link goes (rfc: 4861 §6.2.5 SHOULD)", () => {
    const ceasing = makeRouter()
    advertise(ceasing)
    ceasing.advance(Time.seconds(60))
    saidBy(ceasing)
    ceasing.call({ _tag: "SetRouterAdvertising", link, advertisement: undefined })
    ceasing.advance(Time.seconds(3600))
    assert.deepStrictEqual(saidBy(ceasing).map(({ message }) => message.routerLifetime), [0, 0, 0])
    assert.isUndefined(ceasing.state.ipv6.advertisers.get(link))
    const host = makeRouter()
    advertise(host)
    saidBy(host)
    host.call({ _tag: "DetachLink", link })
    assert.deepStrictEqual(saidBy(host).map(({ message }) => message.routerLifetime), [0])
    assert.isUndefined(host.state.ipv6.advertisers.get(link))
  })

  it("is silent while its link is down, and begins anew when it comes up", () => {
    const host = makeRouter()
    advertise(host)
    host.tell({ _tag: "LinkChanged", link, up: false })
    saidBy(host)
    host.advance(Time.seconds(4000))
    assert.strictEqual(saidBy(host).length, 0)
    host.tell({ _tag: "LinkChanged", link, up: true })
    assert.strictEqual(saidBy(host).length, 1)
  })

  it("tells when another router contradicts it (rfc: 4861 §6.2.7 SHOULD)", () => {
    const host = makeRouter()
    advertise(host)
    host.notices()
    const other = saidBy(host)[0]!.message
    const packet = Packets.ndp(ip6("fe80::9"), ip6("ff02::1"), { ...other, hopLimit: 12, managed: true })
    host.deliver(link, Packets.frame(packet, 0x3333_0000_0001, Lan.thereMac))
    assert.deepInclude(host.notices(), {
      _tag: "RoutersDisagree",
      link,
      router: ip6("fe80::9"),
      about: ["hop limit", "managed flag"]
    })
  })

  for (
    const [why, given] of [
      ["lifetimes that are none", { prefixes: [{ ...prefix, validLifetime: -1 }] }],
      ["an MTU above the link's", { mtu: 9000 }],
      ["a hop limit of more than an octet", { hopLimit: 256 }],
      ["a domain that is no name", { dnsSearchLists: [{ lifetime: 1, domains: ["a..b"] }] }],
      ["more name servers than an option holds", {
        dnsServers: [{ lifetime: 1, servers: new Array(128).fill(prefix.prefix) }]
      }]
    ] as const
  ) {
    it(`refuses ${why}`, () => {
      const outcome = advertise(makeRouter(), given)
      assert.strictEqual(outcome._tag === "Failed" && outcome.reason._tag, "InvalidArgument")
    })
  }

  it("needs an IPv6 address to speak from", () => {
    const host = Host.make({ interfaces: [{ addresses: [[Lan.here, 24]] }] })
    const outcome = advertise(host)
    assert.strictEqual(outcome._tag === "Failed" && outcome.reason._tag, "InvalidArgument")
  })

  it("configures a host, which reaches a server beyond it, and goes without it once it says farewell", () => {
    const router = makeRouter()
    const client = makeClient()
    const server = Host.make({
      seed: 3,
      interfaces: [{ addresses: [[ip6("2001:db8:8::9"), 64]], gateway: ip6("2001:db8:8::1") }]
    })
    const wires = [Wire.make([router, client]), Wire.make([{ host: router, link: 2 }, server])]
    advertise(router)
    advance(wires, 8)
    assert.deepStrictEqual(originsOf(client), ["linkLocal preferred", "slaac preferred", "temporary preferred"])
    assert.strictEqual(defaultRoutes(client), 1)
    const asked = client.request(Lan.ping(ip6("2001:db8:8::9")))
    advance(wires, 3)
    const outcome = asked.outcome()
    assert.strictEqual(outcome._tag, "Done")
    assert.isAbove(router.counter("ipForwarded"), 1)
    router.call({ _tag: "DetachLink", link })
    advance(wires, 1)
    assert.strictEqual(defaultRoutes(client), 0)
    assert.deepStrictEqual(originsOf(client), ["linkLocal preferred", "slaac preferred", "temporary preferred"])
  })
})
