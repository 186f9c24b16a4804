/**
 * A host that configures itself, from router advertisements that a test writes.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Wire from "../../../src/testing/Wire.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Ethernet from "../../../src/wire/Ethernet.ts"
import * as Icmpv6 from "../../../src/wire/Icmpv6.ts"
import * as Ipv6 from "../../../src/wire/Ipv6.ts"
import * as Ndp from "../../../src/wire/Ndp.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import { ip, ip6 } from "./address.ts"

const router = ip6("fe80::1")
const routerMac = 0x0200_0000_0001
const link = 1

const advertisement = (given: Partial<Ndp.RouterAdvertisement> = {}): Ndp.RouterAdvertisement => ({
  _tag: "RouterAdvertisement",
  hopLimit: 64,
  managed: false,
  otherConfiguration: false,
  preference: 0,
  routerLifetime: 1800,
  reachableTime: 0,
  retransmitTimer: 0,
  options: NdpOptions.make({
    sourceLinkLayer: routerMac,
    mtu: 1400,
    prefixes: [prefix("2001:db8:7::")],
    dnsServers: [{ lifetime: 600, servers: [ip6("2001:db8:7::53")] }]
  }),
  ...given
})

const prefix = (text: string, validLifetime = 7200, preferredLifetime = 3600): NdpOptions.Prefix => ({
  prefix: ip6(text),
  length: 64,
  onLink: true,
  autonomous: true,
  validLifetime,
  preferredLifetime
})

const frameOf = (message: Ndp.Message, hopLimit = 255, source = router): Uint8Array => {
  const length = Ndp.size(message)
  const destination = ip6("ff02::1")
  const bytes = new Uint8Array(14 + 40 + length)
  const at = Ethernet.emit(
    { destination: 0x3333_0000_0001, source: routerMac, type: Ethernet.EtherType.ipv6 },
    bytes,
    0
  )
  const fields = { source, destination, hopLimit, trafficClass: 0, flowLabel: 0, protocol: 58, payloadLength: length }
  const start = Ipv6.emit(fields, bytes, at)
  Ndp.emit(message, bytes, start, Checksum.fold(Checksum.pseudo(source, destination, 58, length)))
  Checksum.complete(bytes, start, bytes.length, start + Icmpv6.checksumOffset)
  return bytes
}

const make = (seed = 1, limits: Host.Options["limits"] = {}): Host.Host => {
  const host = Host.make({ seed, limits, interfaces: [{}] })
  host.call({ _tag: "SetAutoconfiguration", link, isOn: true })
  return host
}

const addressesOf = (host: Host.Host) => host.state.device.interfaces.get(link)!.addresses

const statesOf = (host: Host.Host): ReadonlyArray<string> =>
  addressesOf(host).map(({ origin, state }) => `${origin} ${state}`)

const ndpOf = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<string> =>
  frames.flatMap((frame) => {
    if (frame[20] !== 58) return []
    const message = Ndp.parse(frame, 54, frame.length)
    return "options" in message ? [message._tag] : []
  })

const routesOf = (host: Host.Host): ReadonlyArray<string> =>
  host.call({ _tag: "ListRoutes" }).map(({ gateway, length, origin, prefix: network }) =>
    `${Address.format(network)}/${length} ${gateway === undefined ? "on link" : Address.format(gateway)} ${origin}`
  )

/** A host that has heard a router and found its addresses unique. */
const configured = (given: Partial<Ndp.RouterAdvertisement> = {}): Host.Host => {
  const host = make()
  host.advance(Time.seconds(3))
  host.deliver(link, frameOf(advertisement(given)))
  host.advance(Time.seconds(3))
  return host
}

describe("A host that configures itself", () => {
  it("makes a link-local address, probes it, and looks for routers (rfc: 4862 §5.3, 4861 §6.3.7)", () => {
    const host = make()
    assert.deepStrictEqual(statesOf(host), ["linkLocal tentative"])
    host.advance(Time.seconds(3))
    assert.deepStrictEqual(statesOf(host), ["linkLocal preferred"])
    const said = ndpOf(host.takeFrames(link))
    assert.include(said, "NeighborSolicitation")
    assert.include(said, "RouterSolicitation")
  })

  it("takes addresses, routes, the MTU and name servers from an advertisement (rfc: 4862 §5.5.3, 4861 §6.3.4, 8106 §5)", () => {
    const host = configured()
    assert.deepStrictEqual(statesOf(host), ["linkLocal preferred", "slaac preferred", "temporary preferred"])
    assert.deepStrictEqual(routesOf(host), [
      "2001:db8:7::/64 on link router",
      "fe80::/64 on link onLink",
      "::/0 fe80::1 router"
    ])
    const servers = host.notices().filter((change) => change._tag === "NameServers")
    assert.deepStrictEqual(servers, [{ _tag: "NameServers", link, servers: [ip6("2001:db8:7::53")] }])
    const path = host.step.ip.path(host.step, ip("2001:db8:1234::1"), undefined, undefined)
    assert.isFalse("_tag" in path)
    if ("_tag" in path) return
    assert.strictEqual(path.mtu, 1400)
    assert.deepStrictEqual(path.nextHop, router)
    // rfc: 6724 §5 rule 7: the temporary one is taken.
    assert.deepStrictEqual(path.source, addressesOf(host)[2]!.address)
  })

  it("sends to the world by way of the router's link-layer address", () => {
    const host = configured()
    host.takeFrames(link)
    const { socket } = host.call({
      _tag: "UdpBind",
      local: undefined,
      version: undefined,
      port: 9,
      link: undefined,
      options: {}
    })
    const send = { remote: ip("2001:db8:1234::1"), remotePort: 9, bytes: Uint8Array.of(1), block: true }
    host.call({ _tag: "UdpSend", socket, ...send })
    const [frame] = host.takeFrames(link)
    assert.deepStrictEqual(Array.from(frame!.subarray(0, 6)), [2, 0, 0, 0, 0, 1])
  })

  it("deprecates and ends its addresses and routes with their lifetimes (rfc: 4862 §5.5.4, 4861 §6.3.5)", () => {
    const host = configured()
    host.advance(Time.seconds(3600))
    assert.deepStrictEqual(statesOf(host).toSpliced(2), ["linkLocal preferred", "slaac deprecated"])
    assert.notInclude(routesOf(host).join(), "::/0 ")
    host.advance(Time.seconds(3600))
    assert.deepStrictEqual(statesOf(host), ["linkLocal preferred"])
    assert.deepStrictEqual(routesOf(host), ["fe80::/64 on link onLink"])
  })

  it("keeps them while they are renewed", () => {
    const host = configured()
    const before = addressesOf(host).map(({ address }) => address)
    for (let i = 0; i < 20; i++) {
      host.advance(Time.seconds(600))
      host.deliver(link, frameOf(advertisement()))
    }
    assert.deepStrictEqual(addressesOf(host).map(({ address }) => address), before)
    assert.deepStrictEqual(statesOf(host), ["linkLocal preferred", "slaac preferred", "temporary preferred"])
  })

  it("gives an address that another host has up, and makes another (rfc: 7217 §6)", () => {
    const wanted = addressesOf(make())[0]!.address
    const other = Host.make({ seed: 2, interfaces: [{ addresses: [[wanted, 64]] }] })
    const host = make()
    Wire.make([other, host]).advance(Time.seconds(10))
    assert.deepStrictEqual(statesOf(host), ["linkLocal preferred"])
    assert.notDeepEqual(addressesOf(host)[0]!.address, wanted)
    assert.strictEqual(host.counter("addressConflicts"), 1)
    assert.deepStrictEqual(statesOf(other), ["static preferred"])
  })

  it("takes all away when the link goes down, and when it is told to stop", () => {
    const host = configured()
    host.tell({ _tag: "LinkChanged", link, up: false })
    assert.deepStrictEqual([statesOf(host), routesOf(host)], [[], []])
    host.tell({ _tag: "LinkChanged", link, up: true })
    host.advance(Time.seconds(3))
    assert.deepStrictEqual(statesOf(host), ["linkLocal preferred"])
    host.call({ _tag: "SetAutoconfiguration", link, isOn: false })
    assert.deepStrictEqual([statesOf(host), host.state.ipv6.hosts.size], [[], 0])
  })

  it("leaves a router that says it is none any more (rfc: 4861 §7.2.5 MUST)", () => {
    const host = configured()
    const retirement: Ndp.Message = {
      _tag: "NeighborAdvertisement",
      isRouter: false,
      solicited: false,
      override: true,
      target: router,
      options: NdpOptions.make({ targetLinkLayer: routerMac })
    }
    host.deliver(link, frameOf(retirement))
    assert.deepStrictEqual(routesOf(host), ["2001:db8:7::/64 on link router", "fe80::/64 on link onLink"])
    host.advance(Time.seconds(5))
    assert.include(ndpOf(host.takeFrames(link)), "RouterSolicitation")
  })

  it("believes no advertisement from beyond the link, or from no router's address (rfc: 4861 §6.1.2 MUST)", () => {
    const host = make()
    host.advance(Time.seconds(3))
    host.deliver(link, frameOf(advertisement(), 254))
    host.deliver(link, frameOf(advertisement(), 255, ip6("2001:db8::1")))
    const damaged = frameOf(advertisement())
    damaged[60]! ^= 1
    host.deliver(link, damaged)
    host.advance(Time.seconds(3))
    assert.deepStrictEqual(statesOf(host), ["linkLocal preferred"])
    assert.strictEqual(host.dropCount("NdpInvalid"), 2)
    assert.strictEqual(host.dropCount("Malformed"), 1)
  })

  it("counts what is beyond its bounds as NdpLimit, and remembers no more", () => {
    const host = make(1, { autonomousPrefixes: 2, onLinkPrefixes: 3, defaultRouters: 2 })
    host.advance(Time.seconds(3))
    const prefixes = [1, 2, 3, 4, 5].map((n) => prefix(`2001:db8:${n}::`))
    host.deliver(link, frameOf(advertisement({ options: NdpOptions.make({ prefixes }) })))
    assert.strictEqual(host.dropCount("NdpLimit"), 3 + 2)
    for (let i = 2; i < 10; i++) host.deliver(link, frameOf(advertisement(), 255, ip6(`fe80::${i}`)))
    assert.strictEqual(routesOf(host).filter((route) => route.startsWith("::/0")).length, 2)
    assert.isAtMost(addressesOf(host).length, 1 + 2 * 2)
  })

  it("does not listen to routers unless it is told to", () => {
    const host = Host.make({ interfaces: [{ addresses: [[ip("2001:db8::1"), 64]] }] })
    host.deliver(link, frameOf(advertisement()))
    assert.deepStrictEqual(statesOf(host), ["linkLocal preferred", "static preferred"])
    assert.strictEqual(host.dropCount("NdpNotForUs"), 1)
  })
})
