import { assert, describe, it } from "@effect/vitest"
import * as NdpValidity from "../../../src/core/ipv6/NdpValidity.ts"
import type * as Ndp from "../../../src/wire/Ndp.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import { ip6 } from "./address.ts"

const options = NdpOptions.none
const withMac = NdpOptions.make({ sourceLinkLayer: 0x0200_0000_0001 })
const target = ip6("2001:db8::9")

const messages = {
  rs: { _tag: "RouterSolicitation", options },
  ra: {
    _tag: "RouterAdvertisement",
    hopLimit: 64,
    managed: false,
    otherConfiguration: false,
    preference: 0,
    routerLifetime: 1800,
    reachableTime: 0,
    retransmitTimer: 0,
    options
  },
  ns: { _tag: "NeighborSolicitation", target, options },
  na: { _tag: "NeighborAdvertisement", isRouter: false, solicited: true, override: true, target, options },
  redirect: { _tag: "Redirect", target: ip6("fe80::2"), destination: ip6("2001:db8:9::1"), options }
} as const satisfies { readonly [name: string]: Ndp.Message }

const envelope = (given: Partial<NdpValidity.Envelope> = {}): NdpValidity.Envelope => ({
  source: ip6("fe80::1"),
  destination: ip6("fe80::2"),
  hopLimit: 255,
  hasFragmentHeader: false,
  ...given
})

const isValid = (message: Ndp.Message, given: Partial<NdpValidity.Envelope> = {}): boolean =>
  NdpValidity.fault(envelope(given), message) === undefined

describe("NdpValidity", () => {
  it("believes what is sound", () => {
    for (const message of Object.values(messages)) assert.isTrue(isValid(message), message._tag)
  })

  it("believes nothing that a router could have forwarded (rfc: 4861 §6.1.1 MUST, §6.1.2 MUST, §7.1.1 MUST, §7.1.2 MUST, §8.1 MUST)", () => {
    for (const message of Object.values(messages)) {
      for (const hopLimit of [0, 1, 64, 254]) assert.isFalse(isValid(message, { hopLimit }), message._tag)
    }
  })

  it("believes nothing that has a fragment header (rfc: 6980 §5 MUST)", () => {
    for (const message of Object.values(messages)) {
      assert.isFalse(isValid(message, { hasFragmentHeader: true }), message._tag)
    }
  })

  it("knows routers by link-local addresses only (rfc: 4861 §6.1.2 MUST, §8.1 MUST)", () => {
    for (const source of [ip6("2001:db8::1"), ip6("::"), ip6("ff02::1")]) {
      assert.isFalse(isValid(messages.ra, { source }))
      assert.isFalse(isValid(messages.redirect, { source }))
    }
    assert.isTrue(isValid(messages.ns, { source: ip6("2001:db8::1") }))
  })

  it("wants no link-layer address of who has no address (rfc: 4861 §6.1.1 MUST, §7.1.1 MUST)", () => {
    const unspecified = { source: ip6("::"), destination: ip6("ff02::1:ff00:9") }
    for (const message of [messages.rs, messages.ns]) {
      assert.isTrue(isValid(message, unspecified))
      assert.isFalse(isValid({ ...message, options: withMac }, unspecified))
      assert.isTrue(isValid({ ...message, options: withMac }))
    }
  })

  it("wants probes sent to a solicited-node group (rfc: 4861 §7.1.1 MUST)", () => {
    assert.isFalse(isValid(messages.ns, { source: ip6("::"), destination: ip6("ff02::1") }))
    assert.isFalse(isValid(messages.ns, { source: ip6("::"), destination: target }))
    assert.isTrue(isValid(messages.ns, { destination: target }))
  })

  it("wants no solicited advertisement to a group (rfc: 4861 §7.1.2 MUST)", () => {
    assert.isFalse(isValid(messages.na, { destination: ip6("ff02::1") }))
    assert.isTrue(isValid({ ...messages.na, solicited: false }, { destination: ip6("ff02::1") }))
  })

  it("wants redirects to a router or to the destination itself (rfc: 4861 §8.1 MUST)", () => {
    const { destination } = messages.redirect
    assert.isTrue(isValid({ ...messages.redirect, target: destination }))
    assert.isFalse(isValid({ ...messages.redirect, target: ip6("2001:db8:9::2") }))
  })
})
