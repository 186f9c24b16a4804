/**
 * Redirects as a host hears them (RFC 4861 §8.1, §8.3), from routers that a test speaks for.
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
const router = ip6("fe80::1")
const better = ip6("fe80::2")
const here = ip6("2001:db8::1")
const elsewhere = ip6("2001:db8:ffff::7")
const routerMac = 0x0200_0000_bb01
const betterMac = 0x0200_0000_bb02

const make = (options: Host.Options = {}): Host.Host => {
  const host = Host.make({ seed: 1, interfaces: [{ addresses: [[here, 64]] }], ...options })
  const prefix = Address.unspecifiedV6
  host.call({ _tag: "AddRoute", prefix, length: 0, gateway: router, link, metric: 0, source: undefined })
  host.call({ _tag: "SetNeighbor", link, address: router, mac: routerMac })
  host.advance(Time.seconds(10))
  host.takeFrames(link)
  return host
}

const redirect = (given: Partial<Ndp.Redirect> = {}): Ndp.Redirect => ({
  _tag: "Redirect",
  target: better,
  destination: elsewhere,
  options: NdpOptions.make({ targetLinkLayer: betterMac }),
  ...given
})

const tell = (host: Host.Host, message: Ndp.Redirect, source = router, fields: Partial<Packets.Fields> = {}) => {
  host.deliver(link, Packets.frame(Packets.ndp(source, here, message, fields), Host.macOf(1, 1), routerMac))
  return host.drops().map(({ detail, reason }) => detail === undefined ? reason : `${reason}: ${detail}`)
}

/** Where a packet of the host goes. */
const hopTo = (host: Host.Host, destination: Address.Address): number | undefined => {
  host.request(Lan.ping(destination))
  return Packets.packets(host.takeFrames(link)).find((sent) => Address.equals(sent.destination, destination))?.to
}

const redirects = (host: Host.Host): number =>
  host.call({ _tag: "ListRoutes" }).filter(({ origin }) => origin === "redirect").length

describe("A redirect", () => {
  it("sends packets for its destination, and no others, to a better router (rfc: 4861 §8.3 SHOULD)", () => {
    const host = make()
    assert.strictEqual(hopTo(host, elsewhere), routerMac)
    assert.deepStrictEqual(tell(host, redirect()), [])
    assert.strictEqual(hopTo(host, elsewhere), betterMac)
    assert.strictEqual(hopTo(host, ip6("2001:db8:ffff::8")), routerMac)
    assert.strictEqual(host.counter("redirectsObeyed"), 1)
    const known = host.call({ _tag: "ListNeighbors", link }).find(({ address }) => Address.equals(address, better))
    assert.deepInclude(known, { isRouter: true, mac: betterMac })
  })

  it("to the destination itself means that it is a neighbour (rfc: 4861 §8.3)", () => {
    const host = make()
    tell(host, redirect({ target: elsewhere }))
    assert.strictEqual(hopTo(host, elsewhere), betterMac)
  })

  it("from the first hop that it named may name another", () => {
    const host = make()
    tell(host, redirect())
    assert.deepStrictEqual(tell(host, redirect({ target: ip6("fe80::3") })), [
      "IcmpRedirectIgnored: it is not from the first hop"
    ])
    tell(
      host,
      redirect({ target: ip6("fe80::3"), options: NdpOptions.make({ targetLinkLayer: 0x0200_0000_bb03 }) }),
      better
    )
    assert.strictEqual(redirects(host), 1)
    assert.strictEqual(hopTo(host, elsewhere), 0x0200_0000_bb03)
  })

  for (
    const [why, message, source, fields, reason] of [
      [
        "from who is not the first hop",
        redirect(),
        ip6("fe80::66"),
        {},
        "IcmpRedirectIgnored: it is not from the first hop"
      ],
      ["from beyond the link", redirect(), router, { hopLimit: 254 }, "NdpInvalid: a router has forwarded it"],
      [
        "from an address that is not link-local",
        redirect(),
        ip6("2001:db8::66"),
        {},
        "NdpInvalid: its source is not link-local"
      ],
      [
        "to what is neither a router nor the destination",
        redirect({ target: ip6("2001:db8::66") }),
        router,
        {},
        "NdpInvalid: it redirects to what is neither a router nor the destination"
      ]
    ] as const
  ) {
    it(`is not believed ${why} (rfc: 4861 §8.1 MUST)`, () => {
      const host = make()
      assert.deepStrictEqual(tell(host, message, source, fields), [reason])
      assert.strictEqual(redirects(host), 0)
    })
  }

  it("is not obeyed by a router (rfc: 4861 §8.2 MUST NOT)", () => {
    const host = make({ config: { forwarding: true } })
    assert.deepStrictEqual(tell(host, redirect()), ["IcmpRedirectIgnored: this host is a router"])
  })

  it("ends when its router is none any more, does not answer, or the link goes down (rfc: 4861 §6.3.5 MUST, §7.3.3)", () => {
    const retired = make()
    tell(retired, redirect())
    const farewell: Ndp.NeighborAdvertisement = {
      _tag: "NeighborAdvertisement",
      isRouter: false,
      solicited: false,
      override: true,
      target: better,
      options: NdpOptions.make({ targetLinkLayer: betterMac })
    }
    const allNodes = ip6("ff02::1")
    retired.deliver(link, Packets.frame(Packets.ndp(better, allNodes, farewell), 0x3333_0000_0001, betterMac))
    const silent = make()
    tell(silent, redirect())
    hopTo(silent, elsewhere)
    silent.advance(Time.seconds(10))
    const down = make()
    tell(down, redirect())
    down.tell({ _tag: "LinkChanged", link, up: false })
    assert.deepStrictEqual([retired, silent, down].map(redirects), [0, 0, 0])
    assert.strictEqual(hopTo(retired, elsewhere), routerMac)
    assert.strictEqual(hopTo(silent, elsewhere), routerMac)
  })

  it("makes room for the next when there are too many", () => {
    const host = make({ limits: { redirects: 2 } })
    for (let i = 1; i <= 3; i++) tell(host, redirect({ destination: ip6(`2001:db8:ffff::${i}`) }))
    assert.strictEqual(redirects(host), 2)
    assert.strictEqual(hopTo(host, ip6("2001:db8:ffff::1")), routerMac)
    assert.strictEqual(hopTo(host, ip6("2001:db8:ffff::3")), betterMac)
  })
})

describe("What a router tells of its link", () => {
  it("holds for what is sent and asked from then on (rfc: 4861 §6.3.4 SHOULD)", () => {
    const host = Host.make({ seed: 1, interfaces: [{}] })
    host.call({ _tag: "SetAutoconfiguration", link, isOn: true })
    host.advance(Time.seconds(5))
    const advertisement: Ndp.RouterAdvertisement = {
      _tag: "RouterAdvertisement",
      hopLimit: 33,
      managed: false,
      otherConfiguration: false,
      preference: 0,
      routerLifetime: 1800,
      reachableTime: 4000,
      retransmitTimer: 250,
      options: NdpOptions.make({ sourceLinkLayer: routerMac, mtu: 1300 })
    }
    const packet = Packets.ndp(router, ip6("ff02::1"), advertisement)
    host.deliver(link, Packets.frame(packet, 0x3333_0000_0001, routerMac))
    host.takeFrames(link)
    host.request({ ...Lan.ping(ip6("fe80::77")), link })
    host.advance(Time.millis(800))
    // Four in 0.8 s would be too many: three questions, a quarter of a second apart, and then it gives up.
    const questions = Packets.discovery(host.takeFrames(link))
    assert.strictEqual(questions.filter(({ message }) => message._tag === "NeighborSolicitation").length, 3)
    host.call({ _tag: "SetNeighbor", link, address: router, mac: routerMac })
    host.request(Lan.ping(router, Lan.bytes(1300)))
    const self = host.state.device.interfaces.get(link)!
    assert.deepInclude(self, { mtuV6: 1300, hopLimitV6: 33 })
    host.request({ ...Lan.ping(router), link })
    const [sent] = Packets.packets(host.takeFrames(link))
    assert.strictEqual(sent!.hopLimit, 33)
  })
})
