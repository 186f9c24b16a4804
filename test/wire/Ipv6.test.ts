import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Ipv6Extension from "../../src/wire/Ipv6Extension.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, random } from "./laws.ts"

const codec: Codec<Ipv6.Fields> = {
  name: "Ipv6",
  ...Ipv6,
  payload: (fields) => fields.payloadLength,
  random: (source) => ({
    source: Address.readV6(source.bytes(16), 0),
    destination: Address.readV6(source.bytes(16), 0),
    hopLimit: source.int(256),
    trafficClass: source.int(256),
    flowLabel: source.int(0x10_0000),
    protocol: source.int(256),
    payloadLength: source.int(60)
  })
}

const hostA = Address.v6(0xfd000009, 0, 0, 1)
const hostB = Address.v6(0xfd000009, 0, 0, 2)

describe("Ipv6", () => {
  holdFor(codec)

  it("reads a captured header and writes the same bytes (RFC 8200 §3)", () => {
    const parsed = Ipv6.parse(golden.synV6, 14, golden.synV6.length)
    assert.deepStrictEqual(parsed, {
      version: 6,
      source: hostA,
      destination: hostB,
      hopLimit: 64,
      trafficClass: 0,
      flowLabel: 0xfae53,
      protocol: IpProtocol.tcp,
      payloadLength: 40,
      payloadStart: 54,
      payloadEnd: 94
    })
    const bytes = new Uint8Array(40).fill(0xee)
    Ipv6.emit(parsed as Ipv6.Header, bytes, 0)
    assert.deepStrictEqual(bytes, golden.synV6.slice(14, 54))
  })

  it("refuses another version", () => {
    const bytes = golden.synV6.slice(14)
    bytes[0] = 0x40
    const parsed = Ipv6.parse(bytes, 0, bytes.length)
    assert.strictEqual(Malformed.isMalformed(parsed) && parsed.reason, "BadVersion")
  })
})

const extension = (
  name: string,
  make: Codec<Ipv6Extension.Fields>["random"],
  number: number
): Codec<Ipv6Extension.Fields> => ({
  name,
  parse: (bytes, start, end) => Ipv6Extension.parse(number, bytes, start, end),
  size: Ipv6Extension.size,
  emit: Ipv6Extension.emit,
  random: make
})

const parse = (number: number, hex: string) =>
  golden.parsing((bytes, start, end) => Ipv6Extension.parse(number, bytes, start, end))(hex)

describe("Ipv6Extension", () => {
  holdFor(extension("HopByHop", (source) => ({
    _tag: "HopByHop",
    protocol: source.int(256),
    routerAlert: source.maybe(() => source.int(0x10000))
  }), IpProtocol.hopByHop))
  holdFor(extension("DestinationOptions", (source) => ({
    _tag: "DestinationOptions",
    protocol: source.int(256),
    routerAlert: undefined
  }), IpProtocol.destinationOptions))
  holdFor(extension("Fragment", (source) => ({
    _tag: "Fragment",
    protocol: source.int(256),
    fragmentOffset: source.int(0x2000) * 8,
    moreFragments: source.boolean(),
    identification: source.int32()
  }), IpProtocol.fragment))

  it("reads the captured hop-by-hop header of a listener report and writes the same bytes (RFC 2711 §2.1)", () => {
    const parsed = Ipv6Extension.parse(IpProtocol.hopByHop, golden.listenerReport, 54, golden.listenerReport.length)
    assert.deepInclude(parsed, {
      _tag: "HopByHop",
      protocol: IpProtocol.icmpv6,
      routerAlert: 0,
      unrecognized: undefined,
      payloadStart: 62
    })
    const bytes = new Uint8Array(8).fill(0xee)
    Ipv6Extension.emit({ _tag: "HopByHop", protocol: IpProtocol.icmpv6, routerAlert: 0 }, bytes, 0)
    assert.deepStrictEqual(bytes, golden.listenerReport.slice(54, 62))
  })

  it("reads captured fragment headers (RFC 8200 §4.5)", () => {
    assert.deepInclude(parse(IpProtocol.fragment, "3a0000013c53b97d"), {
      protocol: IpProtocol.icmpv6,
      fragmentOffset: 0,
      moreFragments: true,
      identification: 0x3c53b97d
    })
    assert.deepInclude(parse(IpProtocol.fragment, "3a0005a83c53b97d"), { fragmentOffset: 1448, moreFragments: false })
  })

  it("finds the first option that must not be skipped, and what to do about it (RFC 8200 §4.2)", () => {
    // Type 0x1e is skipped, 0x5e discards, 0x9e answers, 0xde answers unless to a group.
    assert.deepInclude(parse(0, "3a00 1e020000 0100"), { unrecognized: undefined })
    for (const [type, action] of [["5e", 1], ["9e", 2], ["de", 3]] as const) {
      assert.deepInclude(parse(0, "3a00" + type + "020000 0100"), { unrecognized: { action, at: 2 } })
    }
    assert.deepInclude(parse(60, "3a00 00 9e0100 5e00"), {
      unrecognized: { action: Ipv6Extension.Action.answer, at: 3 }
    })
    assert.deepInclude(parse(0, "3a00 c204 00010000"), { unrecognized: { action: 3, at: 2 } }, "jumbograms")
  })

  it("refuses options that leave their header", () => {
    for (const hex of ["3a00 0105 00000000", "3a00 000000000001", "3a00 1eff 00000000"]) {
      const parsed = parse(0, hex)
      assert.strictEqual(Malformed.isMalformed(parsed) && parsed.reason, "BadOption", hex)
    }
  })

  it("reads routing headers of any type and tells where to point (rfc: 8200 §4.4, rfc: 5095 §3)", () => {
    assert.deepInclude(parse(IpProtocol.routing, "06020001" + "00".repeat(20)), {
      _tag: "Routing",
      protocol: IpProtocol.tcp,
      routingType: 0,
      segmentsLeft: 1,
      typeAt: 2,
      payloadStart: 24
    })
  })

  it("refuses numbers of other protocols", () => {
    const parsed = parse(IpProtocol.tcp, "0000000000000000")
    assert.strictEqual(Malformed.isMalformed(parsed) && parsed.reason, "BadField")
    for (const number of [0, 43, 44, 60]) assert.isTrue(Ipv6Extension.isExtension(number))
    for (const number of [6, 17, 50, 51, 58, 59]) assert.isFalse(Ipv6Extension.isExtension(number))
  })

  it("finds the upper layer behind a chain", () => {
    const chain = golden.fromHex(
      "2b00050200000100 2c00000000000000 3c00000100000007 0600010400000000 aabb"
    )
    assert.deepStrictEqual(Ipv6Extension.upperLayer(0, chain, 0, chain.length), {
      protocol: IpProtocol.tcp,
      start: 32,
      isLaterFragment: false
    })
    chain[19] = 0x09
    assert.deepStrictEqual(Ipv6Extension.upperLayer(0, chain, 0, chain.length), {
      protocol: IpProtocol.destinationOptions,
      start: 24,
      isLaterFragment: true
    })
    chain[19] = 0x01
    assert.isUndefined(Ipv6Extension.upperLayer(0, chain, 0, 31), "cut off")
    assert.deepStrictEqual(Ipv6Extension.upperLayer(6, chain, 5, 10), { protocol: 6, start: 5, isLaterFragment: false })
  })

  it("never loops: every header moves on", () => {
    const source = random(1)
    for (let i = 0; i < 2000; i++) {
      const bytes = source.bytes(source.int(100)).map((byte) => source.boolean() ? source.of(0, 43, 44, 60, 1) : byte)
      const found = Ipv6Extension.upperLayer(source.of(0, 43, 44, 60), bytes, 0, bytes.length)
      if (found !== undefined) assert.isTrue(found.start >= 8 && found.start <= bytes.length)
    }
  })
})
