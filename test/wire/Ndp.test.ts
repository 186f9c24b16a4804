import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as DomainName from "../../src/wire/DomainName.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Ndp from "../../src/wire/Ndp.ts"
import * as NdpOptions from "../../src/wire/NdpOptions.ts"
import * as Piece from "../../src/wire/Piece.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, type Random } from "./laws.ts"

const address = (source: Random): Address.Ipv6 => Address.readV6(source.bytes(16), 0)

const unicast = (source: Random): Address.Ipv6 => ({ ...address(source), w0: 0x2001_0db8 })

const preference = (source: Random): NdpOptions.Preference => source.of<NdpOptions.Preference>(-1, 0, 1)

const lifetime = (source: Random): number => source.of(0, 1800, NdpOptions.infiniteLifetime)

const mac = (source: Random): Mac.Mac => Mac.read(source.bytes(6), 0)

const options = (source: Random): NdpOptions.Options =>
  NdpOptions.make({
    sourceLinkLayer: source.maybe(() => mac(source)),
    targetLinkLayer: source.maybe(() => mac(source)),
    mtu: source.maybe(() => source.int32() >>> 0),
    prefixes: source.list(2, () => ({
      prefix: address(source),
      length: source.int(129),
      onLink: source.boolean(),
      autonomous: source.boolean(),
      validLifetime: lifetime(source),
      preferredLifetime: lifetime(source)
    })),
    routes: source.list(2, () => ({
      prefix: address(source),
      length: source.int(129),
      preference: preference(source),
      lifetime: lifetime(source)
    })),
    dnsServers: source.list(2, () => ({ lifetime: lifetime(source), servers: [unicast(source), unicast(source)] })),
    dnsSearchLists: source.list(2, () => ({
      lifetime: lifetime(source),
      domains: source.of(["example.com"], ["a.b.c", "x"], ["local"])
    })),
    nonce: source.maybe(() => Piece.make(source.bytes(6))),
    redirected: source.maybe(() => Piece.make(source.bytes(source.int(6) * 8)))
  })

const messages: ReadonlyArray<(source: Random) => Ndp.Message> = [
  (source) => ({ _tag: "RouterSolicitation", options: options(source) }),
  (source) => ({
    _tag: "RouterAdvertisement",
    hopLimit: source.int(256),
    managed: source.boolean(),
    otherConfiguration: source.boolean(),
    preference: preference(source),
    routerLifetime: source.int(0x10000),
    reachableTime: source.int32() >>> 0,
    retransmitTimer: source.int32() >>> 0,
    options: options(source)
  }),
  (source) => ({ _tag: "NeighborSolicitation", target: unicast(source), options: options(source) }),
  (source) => ({
    _tag: "NeighborAdvertisement",
    isRouter: source.boolean(),
    solicited: source.boolean(),
    override: source.boolean(),
    target: unicast(source),
    options: options(source)
  }),
  (source) => ({ _tag: "Redirect", target: unicast(source), destination: unicast(source), options: options(source) })
]

const fixed = {
  RouterSolicitation: 8,
  RouterAdvertisement: 16,
  NeighborSolicitation: 24,
  NeighborAdvertisement: 24,
  Redirect: 40
}

/** Where the message can end: in front of any of its options. */
const endsBeforeOption = (message: Ndp.Message, length: number): boolean => {
  const bytes = new Uint8Array(Ndp.size(message))
  Ndp.emit(message, bytes, 0)
  let at: number = fixed[message._tag]
  while (at < length) at += bytes[at + 1]! * 8
  return at === length
}

const codec: Codec<Ndp.Message> = {
  name: "Ndp",
  ...Ndp,
  mayEnd: endsBeforeOption,
  random: (source) => source.of(...messages)(source)
}

const parse = golden.parsing(Ndp.parse)

const reasonOf = (hex: string): unknown => {
  const parsed = parse(hex)
  return Malformed.isMalformed(parsed) && parsed.reason
}

const optionsOf = (hex: string): NdpOptions.Options => {
  const parsed = golden.parsing(NdpOptions.parse)(hex)
  return Malformed.isMalformed(parsed) ? assert.fail(parsed.detail) : parsed
}

const hostA = Address.v6(0xfd000009, 0, 0, 1)
const hostB = Address.v6(0xfd000009, 0, 0, 2)

describe("Ndp", () => {
  holdFor(codec)

  it("reads captured solicitations and an advertisement (RFC 4861 §4)", () => {
    assert.deepStrictEqual(Ndp.parse(golden.routerSolicitation, 54, golden.routerSolicitation.length), {
      _tag: "RouterSolicitation",
      options: NdpOptions.make({ sourceLinkLayer: 0x0200_0000_000b })
    })
    assert.deepStrictEqual(Ndp.parse(golden.neighborSolicitation, 54, golden.neighborSolicitation.length), {
      _tag: "NeighborSolicitation",
      target: hostB,
      options: NdpOptions.make({ sourceLinkLayer: 0x0200_0000_000a })
    })
    assert.deepStrictEqual(Ndp.parse(golden.neighborAdvertisement, 54, golden.neighborAdvertisement.length), {
      _tag: "NeighborAdvertisement",
      isRouter: false,
      solicited: true,
      override: true,
      target: hostB,
      options: NdpOptions.make({ targetLinkLayer: 0x0200_0000_000b })
    })
  })

  it("writes the advertisement that Linux wrote", () => {
    const message = Ndp.parse(golden.neighborAdvertisement, 54, golden.neighborAdvertisement.length) as Ndp.Message
    const bytes = new Uint8Array(32).fill(0xee)
    Ndp.emit(message, bytes, 0, Checksum.fold(Checksum.pseudo(hostB, hostA, IpProtocol.icmpv6, 32)))
    Checksum.complete(bytes, 0, 32, 2)
    assert.deepStrictEqual(bytes, golden.neighborAdvertisement.slice(54))
  })

  it("refuses a code, a group as target, and other messages (rfc: 4861 §6.1.1, §7.1.1, §8.1)", () => {
    assert.strictEqual(reasonOf("85010000 00000000"), "BadField")
    const group = "ff02" + "00".repeat(13) + "01"
    const host = "fe80" + "00".repeat(13) + "01"
    assert.strictEqual(reasonOf("87000000 00000000" + group), "BadField")
    assert.strictEqual(reasonOf("88000000 00000000" + group), "BadField")
    assert.strictEqual(reasonOf("89000000 00000000" + group + host), "BadField")
    assert.strictEqual(reasonOf("89000000 00000000" + host + group), "BadField")
    assert.strictEqual(reasonOf("89000000 00000000" + host + host), false)
    assert.strictEqual(reasonOf("80000000 00000000"), "BadField")
  })

  it("refuses a message with an option of length zero, wherever it stands (rfc: 4861 §4.6)", () => {
    assert.strictEqual(reasonOf("85000000 00000000 0100000000000000"), "BadOption")
    assert.strictEqual(reasonOf("85000000 00000000 010102000000000b fe00000000000000"), "BadOption")
  })
})

describe("NdpOptions", () => {
  it("skips what it does not know (rfc: 4861 §4.6)", () => {
    assert.deepStrictEqual(optionsOf("fd02" + "00".repeat(14) + "0501000000000500"), NdpOptions.make({ mtu: 1280 }))
  })

  it("skips options whose content makes no sense", () => {
    const prefix = (length: string) => "0304" + length + "c0 00000708 00000384 00000000 20010db8" + "00".repeat(12)
    assert.strictEqual(optionsOf(prefix("40")).prefixes.length, 1)
    assert.strictEqual(optionsOf(prefix("81")).prefixes.length, 0, "prefix of 129 bits")
    assert.strictEqual(optionsOf("1902" + "00".repeat(14)).dnsServers.length, 0, "no whole address (RFC 8106 §5.3.1)")
    assert.strictEqual(optionsOf("1901" + "00".repeat(6)).dnsServers.length, 0, "no address")
    const server = (first: string) => `1903 0000 00000010 ${first}${"00".repeat(13)}01`
    assert.strictEqual(optionsOf(server("fe80")).dnsServers.length, 1)
    assert.strictEqual(optionsOf(server("ff02")).dnsServers.length, 0, "a group")
    assert.strictEqual(optionsOf("1f01 0000 00000010").dnsSearchLists.length, 0, "no name")
    assert.strictEqual(
      optionsOf("1f02 0000 00000010 c00c000000000000").dnsSearchLists.length,
      0,
      "compressed"
    )
    assert.strictEqual(
      optionsOf("1801 4000 00000010").routes.length,
      0,
      "64 bits of a prefix that is not there"
    )
    assert.isUndefined(optionsOf("0102" + "00".repeat(14)).sourceLinkLayer, "an address that is not of Ethernet")
  })

  it("reads routes whose prefix is shortened, and preferences (RFC 4191 §2.1, §2.3)", () => {
    assert.deepStrictEqual(optionsOf("1801 0018 00000010").routes, [{
      prefix: Address.unspecifiedV6,
      length: 0,
      preference: -1,
      lifetime: 16
    }])
    assert.deepStrictEqual(optionsOf("1802 4008 ffffffff 20010db800010002").routes, [{
      prefix: Address.v6(0x20010db8, 0x00010002, 0, 0),
      length: 64,
      preference: 1,
      lifetime: NdpOptions.infiniteLifetime
    }])
    assert.strictEqual(NdpOptions.preferenceOf(2), 0, "reserved")
    assert.deepStrictEqual(
      optionsOf("1801 0010 00000010").routes,
      [],
      "a route of reserved preference (rfc: 4191 §2.3 MUST)"
    )
  })

  it("has the same constant for no options", () => assert.strictEqual(optionsOf(""), NdpOptions.none))
})

describe("DomainName", () => {
  const list = golden.parsing(DomainName.readList)

  it("reads names with padding behind them (RFC 1035 §3.1)", () => {
    assert.deepStrictEqual(list("076578616d706c6503636f6d00 016100 0000"), ["example.com", "a"])
    assert.deepStrictEqual(list(""), [])
  })

  it("refuses names that are cut off, compressed, too long, or not of host name octets", () => {
    for (
      const hex of ["0361", "036161", "c00c", "40" + "61".repeat(64) + "00", "022e6100", "010000", "012000", "01ff00"]
    ) {
      assert.isUndefined(list(hex), hex)
    }
    const longest = ("3f" + "61".repeat(63)).repeat(3) + "3d" + "61".repeat(61) + "00"
    assert.strictEqual(list(longest)?.length, 1, "255 octets")
    assert.isUndefined(list(("3f" + "61".repeat(63)).repeat(4) + "00"), "257 octets")
  })

  it("knows which names it can write", () => {
    const label = "a".repeat(63)
    for (const name of ["a", "example.com", "_sip._tcp.x", label, [label, label, label, "a".repeat(61)].join(".")]) {
      assert.isTrue(DomainName.isValid(name), name)
      const bytes = new Uint8Array(DomainName.listSize([name]))
      assert.strictEqual(DomainName.emitList([name], bytes, 0), bytes.length)
      assert.deepStrictEqual(DomainName.readList(bytes, 0, bytes.length), [name])
    }
    for (
      const name of ["", ".", "a..b", "a.", "a b", "ü", `${label}a`, [label, label, label, "a".repeat(62)].join(".")]
    ) {
      assert.isFalse(DomainName.isValid(name), name)
    }
  })
})
