/**
 * Addresses that are probed before use, or while they are used with care (RFC 4862 §5.4, RFC 4429, RFC 7527), as frames.
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
const own = ip6("2001:db8::1234")
const there = ip6("2001:db8::9")
const groupMac = 0x3333_ff00_1234

const make = (config: Host.Options["config"] = {}, isClosed = false): Host.Host =>
  Host.make({ seed: 1, config, interfaces: [{ isClosed }] })

const add = (host: Host.Host, address = own): void =>
  host.call({ _tag: "AddAddress", link, address, prefixLength: 64, origin: "static" })

const stateOf = (host: Host.Host, address: Address.Address = own): string | undefined =>
  host.state.device.interfaces.get(link)!.addresses.find((entry) => Address.equals(entry.address, address))?.state

const linkLocalOf = (host: Host.Host): Address.Ipv6 =>
  host.state.device.interfaces.get(link)!.addresses.map(({ address }) => address).find((
    address
  ): address is Address.Ipv6 => !Address.isV4(address) && Address.isLinkLocal(address))!

const asking = (target: Address.Ipv6, source: Address.Ipv6): Uint8Array => {
  const options = Address.isUnspecified(source) ? NdpOptions.none : NdpOptions.make({ sourceLinkLayer: Lan.thereMac })
  const group = ip6("ff02::1:ff00:0")
  const destination = Address.v6(group.w0, group.w1, group.w2, group.w3 | (target.w3 & 0xff_ffff))
  const message: Ndp.Message = { _tag: "NeighborSolicitation", target, options }
  return Packets.frame(Packets.ndp(source, destination, message), groupMac, Lan.thereMac)
}

const claim = (target: Address.Ipv6): Uint8Array => {
  const options = NdpOptions.make({ targetLinkLayer: Lan.thereMac })
  const message: Ndp.Message = {
    _tag: "NeighborAdvertisement",
    isRouter: false,
    solicited: false,
    override: false,
    target,
    options
  }
  return Packets.frame(Packets.ndp(target, ip6("ff02::1"), message), 0x3333_0000_0001, Lan.thereMac)
}

describe("An IPv6 address that a program gives", () => {
  it("is probed before use, and its link-local one with it (rfc: 4862 §5.4 MUST)", () => {
    const host = make()
    add(host)
    assert.deepStrictEqual([stateOf(host), stateOf(host, linkLocalOf(host))], ["tentative", "tentative"])
    assert.isFalse(host.step.ip.isOurs(own))
    host.advance(Time.seconds(2.1))
    assert.deepStrictEqual([stateOf(host), stateOf(host, linkLocalOf(host))], ["preferred", "preferred"])
    const probes = Packets.discovery(host.takeFrames(link))
    assert.deepStrictEqual(probes.map(({ ip }) => Address.format(ip.source as Address.Ipv6)), ["::", "::"])
    assert.isTrue(probes.every(({ message }) => message.options.nonce !== undefined))
  })

  it("is used at once where nobody can have it (rfc: 4862 §5.1: DupAddrDetectTransmits of 0)", () => {
    const host = make({}, true)
    add(host)
    assert.strictEqual(stateOf(host), "preferred")
  })

  for (
    const [who, frame] of [
      ["somebody has", claim(own)],
      ["somebody else wants", asking(own, Address.unspecifiedV6)]
    ] as const
  ) {
    it(`is not used if ${who} it (rfc: 4862 §5.4.3 MUST, §5.4.4 MUST)`, () => {
      const host = make()
      add(host)
      host.advance(Time.millis(1))
      host.deliver(link, frame)
      assert.strictEqual(stateOf(host), "duplicated")
      assert.strictEqual(host.counter("addressConflicts"), 1)
      host.advance(Time.seconds(9))
      assert.strictEqual(stateOf(host), "duplicated")
    })
  }

  it("waits for the end of probing even where others would be used with care (rfc: 4429 §3.1 SHOULD NOT)", () => {
    const host = make({ optimisticDetection: true })
    add(host)
    assert.deepStrictEqual([stateOf(host), stateOf(host, linkLocalOf(host))], ["tentative", "optimistic"])
  })
})

describe("An optimistic address", () => {
  const optimistic = (): readonly [Host.Host, Address.Ipv6] => {
    const host = make({ optimisticDetection: true })
    host.call({ _tag: "SetAutoconfiguration", link, isOn: true })
    return [host, linkLocalOf(host)]
  }

  it("is used at once, and preferred when nobody else has it (rfc: 4429 §3.1)", () => {
    const [host, local] = optimistic()
    assert.strictEqual(stateOf(host, local), "optimistic")
    assert.isTrue(host.step.ip.isOurs(local))
    host.advance(Time.seconds(3))
    assert.strictEqual(stateOf(host, local), "preferred")
  })

  it("tells its link-layer address to nobody who could take it over for another (rfc: 4429 §3.2 MUST NOT, §3.3 MUST NOT)", () => {
    const [host, local] = optimistic()
    host.deliver(link, asking(local, ip6("fe80::9")))
    host.request({ ...Lan.ping(ip6("fe80::77")), link })
    const said = Packets.discovery(host.takeFrames(link)).map(({ message }) => message)
    const answer = said.find((message) => message._tag === "NeighborAdvertisement")
    assert.isTrue(answer?._tag === "NeighborAdvertisement" && !answer.override)
    const question = said.find((message) => message._tag === "NeighborSolicitation" && message.target.w3 === 0x77)
    assert.isDefined(question)
    assert.isUndefined(question!.options.sourceLinkLayer)
    const solicitation = said.find((message) => message._tag === "RouterSolicitation")
    assert.isUndefined(solicitation?.options.sourceLinkLayer)
  })

  it("is given up when somebody has it, with what was sent from it (rfc: 4862 §5.4.5)", () => {
    const [host, local] = optimistic()
    host.advance(Time.millis(1))
    host.deliver(link, claim(local))
    assert.isFalse(host.step.ip.isOurs(local))
  })
})

describe("A link that sends back what it is given", () => {
  it("does not make an address its own duplicate, and is told of (rfc: 7527 §4.2 SHOULD)", () => {
    const host = make()
    add(host)
    host.advance(Time.seconds(1.1))
    host.notices()
    // A bridge that writes its own address into what it sends back; with the host's own the frame would go no further.
    for (const frame of host.takeFrames(link)) {
      const echo = frame.slice()
      echo.set([2, 0, 0, 0, 0x99, 0x99], 6)
      host.deliver(link, echo)
    }
    assert.includeMembers(host.notices().map(({ _tag }) => _tag), ["LinkLooped"])
    host.advance(Time.seconds(9))
    assert.strictEqual(stateOf(host), "preferred")
  })
})

describe("Addresses that others ask for", () => {
  it("are answered with the state that they have: not while they are tentative (rfc: 4862 §5.4.3)", () => {
    const host = make()
    add(host)
    host.deliver(link, asking(own, there))
    assert.deepStrictEqual(Packets.discovery(host.takeFrames(link)), [])
    host.advance(Time.seconds(3))
    host.takeFrames(link)
    host.deliver(link, asking(own, there))
    assert.deepStrictEqual(Packets.discovery(host.takeFrames(link)).map(({ message }) => message._tag), [
      "NeighborAdvertisement"
    ])
  })
})
