/**
 * Addresses that are not one host's alone: those of all routers of a subnet, and those for which a router answers (RFC 4291 §2.6.1, RFC 4861 §7.2.7, §7.2.8).
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
const here = ip6("2001:db8:1::1")
const there = ip6("2001:db8:1::9")
const routers = ip6("2001:db8:1::")
const proxied = ip6("2001:db8:1::7777")

const make = (forwarding = true): Host.Host => {
  const host = Host.make({
    seed: 1,
    config: { forwarding },
    interfaces: [{ addresses: [[here, 64]] }, { addresses: [[ip6("2001:db8:2::1"), 64]] }]
  })
  host.call({ _tag: "SetNeighbor", link, address: there, mac: Lan.thereMac })
  host.advance(Time.seconds(5))
  host.takeFrames(link)
  return host
}

/** The answers to a solicitation for an address. */
const answers = (host: Host.Host, target: Address.Ipv6, source = there): ReadonlyArray<Ndp.NeighborAdvertisement> => {
  const options = Address.isUnspecified(source) ? NdpOptions.none : NdpOptions.make({ sourceLinkLayer: Lan.thereMac })
  const group = Address.v6(0xff020000, 0, 1, 0xff000000 | (target.w3 & 0xff_ffff))
  const packet = Packets.ndp(source, group, { _tag: "NeighborSolicitation", target, options })
  host.deliver(link, Packets.frame(packet, 0x3333_0000_0000 + (group.w3 >>> 0), Lan.thereMac))
  return Packets.discovery(host.takeFrames(link)).flatMap(({ message }) =>
    message._tag === "NeighborAdvertisement" ? [message] : []
  )
}

describe("The anycast address of a subnet's routers", () => {
  it("is answered for by a router, without taking another's place, and not by a host (rfc: 4291 §2.6.1 MUST, 4861 §7.2.7)", () => {
    const [answer] = answers(make(), routers)
    assert.deepInclude(answer, { override: false, solicited: true, isRouter: true, target: routers })
    assert.deepStrictEqual(answers(make(false), routers), [])
  })

  it("answers pings from an address of the router's own (rfc: 4443 §4.2)", () => {
    const host = make()
    const echo = Packets.icmp(there, routers, { type: 128, code: 0, rest: 1 }, Lan.bytes(8))
    host.deliver(link, Packets.frame(echo, Host.macOf(1, 1), Lan.thereMac))
    const [told] = Packets.told(host.takeFrames(link))
    assert.deepStrictEqual<unknown>([told!.said._tag, told!.from], ["EchoReply", here])
  })
})

describe("An address that a router stands in for", () => {
  const proxy = (host: Host.Host, isOn: boolean, address = proxied) =>
    host.request({ _tag: "SetProxy", link, address, isOn }).outcome()

  it("is answered for until that ends, without taking its owner's place (rfc: 4861 §7.2.8)", () => {
    const host = make()
    assert.deepStrictEqual(answers(host, proxied), [])
    proxy(host, true)
    host.advance(Time.seconds(3))
    host.takeFrames(link)
    const [answer] = answers(host, proxied)
    assert.deepInclude(answer, { override: false, solicited: true, target: proxied })
    assert.strictEqual(answer!.options.targetLinkLayer, Host.macOf(1, 1))
    // Who wants the address for itself hears that it is taken.
    assert.strictEqual(answers(host, proxied, Address.unspecifiedV6).length, 1)
    proxy(host, false)
    assert.deepStrictEqual(answers(host, proxied), [])
  })

  it("has its packets forwarded to where it is", () => {
    const host = make()
    const gateway = ip6("2001:db8:2::9")
    proxy(host, true)
    host.call({ _tag: "SetNeighbor", link: 2, address: gateway, mac: 0x0200_0000_0209 })
    host.call({ _tag: "AddRoute", prefix: proxied, length: 128, gateway, link: 2, metric: 0, source: undefined })
    host.deliver(link, Packets.frame(Packets.udp(there, proxied, Lan.bytes(4)), Host.macOf(1, 1), Lan.thereMac))
    assert.strictEqual(Packets.packets(host.takeFrames(2)).length, 1)
  })

  it("is another's: neither the router's own, nor a group", () => {
    const host = make()
    for (const address of [here, ip6("ff02::1"), Address.unspecifiedV6]) {
      const outcome = proxy(host, true, address)
      assert.strictEqual(outcome._tag === "Failed" && outcome.reason._tag, "InvalidArgument")
    }
    const absent = proxy(host, false)
    assert.strictEqual(absent._tag === "Failed" && absent.reason._tag, "NotFound")
  })
})
