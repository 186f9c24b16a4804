/**
 * A router of two links, both families (RFC 1812 §5, RFC 8200, RFC 4443, RFC 4861 §8.2).
 *
 *     near ── link 1 ── router ── link 2 ── far
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Frame from "../../../src/wire/Frame.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../../src/wire/Ipv4.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Tcp from "../../../src/wire/Tcp.ts"
import * as TcpOptions from "../../../src/wire/TcpOptions.ts"
import * as Udp from "../../../src/wire/Udp.ts"
import { ip6 } from "../ipv6/address.ts"
import * as Lan from "../Lan.ts"
import * as Packets from "../Packets.ts"

const nearMac: Mac.Mac = 0x0200_0000_aa01
const farMac: Mac.Mac = 0x0200_0000_aa02
const betterMac: Mac.Mac = 0x0200_0000_aa03

const families = [
  {
    name: "IPv4",
    length: 24,
    routers: [Address.v4(10, 0, 1, 1), Address.v4(10, 0, 2, 1)],
    near: Address.v4(10, 0, 1, 9),
    far: Address.v4(10, 0, 2, 9),
    better: Address.v4(10, 0, 1, 3),
    elsewhere: Address.v4(192, 0, 2, 7),
    absent: Address.v4(10, 0, 2, 77)
  },
  {
    name: "IPv6",
    length: 64,
    routers: [ip6("2001:db8:1::1"), ip6("2001:db8:2::1")],
    near: ip6("2001:db8:1::9"),
    far: ip6("2001:db8:2::9"),
    better: ip6("fe80::3"),
    elsewhere: ip6("2001:db8:ffff::7"),
    absent: ip6("2001:db8:2::77")
  }
] as const

type Family = typeof families[number]

interface Options {
  readonly forwarding?: boolean
  readonly mtus?: readonly [number, number]
  readonly limits?: Host.Options["limits"]
}

const make = (family: Family, { forwarding = true, limits = {}, mtus = [1500, 1500] }: Options = {}): Host.Host => {
  const { length, routers } = family
  const host = Host.make({
    seed: 1,
    config: { forwarding },
    limits,
    interfaces: [0, 1].map((i) => ({ mtu: mtus[i]!, addresses: [[routers[i]!, length]] }))
  })
  host.call({ _tag: "SetNeighbor", link: 1, address: family.near, mac: nearMac })
  host.call({ _tag: "SetNeighbor", link: 2, address: family.far, mac: farMac })
  host.call({ _tag: "SetNeighbor", link: 1, address: family.better, mac: betterMac })
  return host
}

/** A packet of the near host arrives at the router. */
const pass = (host: Host.Host, packet: Uint8Array, to: Mac.Mac = Host.macOf(1, 1)) => {
  host.deliver(1, Packets.frame(packet, to, nearMac))
  return { near: host.takeFrames(1), far: host.takeFrames(2), dropped: Lan.dropped(host) }
}

const saidOf = (frames: ReadonlyArray<Uint8Array>) =>
  Packets.told(frames).map(({ said }) => ({ tag: said._tag, code: "code" in said ? said.code : 0 }))

const payload = Lan.bytes(100)

for (const family of families) {
  const { absent, elsewhere, far, near } = family
  const isV4 = family.name === "IPv4"

  describe(`${family.name} between two links`, () => {
    it("goes on with one hop less to go, and otherwise as it came (rfc: 1812 §5.2.1 MUST, §5.3.1 MUST, 8200 §3)", () => {
      const host = make(family)
      const sent = Packets.udp(near, far, payload, { hopLimit: 7, trafficClass: 0x2a })
      const [arrived] = Packets.packets(pass(host, sent).far)
      assert.strictEqual(arrived!.hopLimit, 6)
      assert.strictEqual(arrived!.to, farMac)
      assert.strictEqual(arrived!.from, Host.macOf(1, 2))
      assert.deepStrictEqual(arrived!.packet, Packets.udp(near, far, payload, { hopLimit: 6, trafficClass: 0x2a }))
      assert.strictEqual(host.counter("ipForwarded"), 1)
    })

    it("goes nowhere on a host (rfc: 1122 §3.3.1 MUST NOT)", () => {
      const host = make(family, { forwarding: false })
      const { dropped, far: out, near: back } = pass(host, Packets.udp(near, far, payload))
      assert.deepStrictEqual([out.length, back.length, dropped], [0, 0, ["IpNotForUs"]])
    })

    it("is a matter of each interface: one may forward on a host, and another not on a router", () => {
      const host = make(family, { forwarding: false })
      host.call({ _tag: "SetForwarding", link: 1, isOn: true })
      assert.strictEqual(Packets.packets(pass(host, Packets.udp(near, far, payload)).far).length, 1)
      host.deliver(2, Packets.frame(Packets.udp(far, near, payload), Host.macOf(1, 2), farMac))
      assert.deepStrictEqual(Lan.dropped(host), ["IpNotForUs"])
      host.call({ _tag: "SetForwarding", link: 1, isOn: false })
      assert.deepStrictEqual(pass(host, Packets.udp(near, far, payload)).dropped, ["IpNotForUs"])
    })

    it("ends when the hops are used up, and the sender hears of it (rfc: 1812 §5.3.1 MUST, 4443 §3.3 MUST)", () => {
      const host = make(family)
      const sent = Packets.udp(near, far, payload, { hopLimit: 1 })
      const { dropped, far: out, near: back } = pass(host, sent)
      assert.deepStrictEqual([out.length, dropped], [0, ["IpHopLimitExceeded"]])
      assert.deepStrictEqual(saidOf(back), [{ tag: "TimeExceeded", code: 0 }])
      const [{ from, quoted, trafficClass }] = Packets.told(back) as [Packets.Told]
      assert.deepStrictEqual(quoted, sent)
      assert.deepStrictEqual<unknown>([from, trafficClass], [family.routers[0], 0xc0])
    })

    it("needs a route, and the sender hears of it if there is none (rfc: 1812 §5.2.7.1 MUST, 4443 §3.1 SHOULD)", () => {
      const { dropped, near: back } = pass(make(family), Packets.udp(near, elsewhere, payload))
      assert.deepStrictEqual(dropped, ["IpNoRoute"])
      assert.deepStrictEqual(saidOf(back), [{ tag: "Unreachable", code: 0 }])
    })

    it("needs a next hop that answers, and the sender hears of it if none does (rfc: 1812 §5.2.7.1, 4861 §7.2.2 SHOULD)", () => {
      const host = make(family)
      pass(host, Packets.udp(near, absent, payload))
      host.advance(Time.seconds(5))
      assert.deepStrictEqual(saidOf(host.takeFrames(1)), [{ tag: "Unreachable", code: isV4 ? 1 : 3 }])
    })

    it("reaches the router itself by each of its addresses, and is answered from it (rfc: 1812 §5.2.3 MUST)", () => {
      const host = make(family)
      const [back] = Packets.told(pass(host, Packets.udp(near, family.routers[1]!, payload)).near)
      assert.deepStrictEqual<unknown>([back!.said._tag, back!.from], ["Unreachable", family.routers[1]])
    })

    it("does not go on if it came to the whole link (rfc: 1812 §5.3.4 MUST NOT)", () => {
      const { dropped, far: out } = pass(make(family), Packets.udp(near, far, payload), Mac.broadcast)
      assert.deepStrictEqual([out.length, dropped], [0, ["IpLinkBroadcastToUnicast"]])
    })

    it("does not come from the router's own addresses", () => {
      const { dropped, far: out } = pass(make(family), Packets.udp(family.routers[1]!, far, payload))
      assert.deepStrictEqual([out.length, dropped], [0, ["IpSourceIsOurs"]])
    })

    it("too big for the next link, and not to be cut, tells its sender the size (rfc: 1812 §5.2.7.1 MUST, 8200 §5)", () => {
      const host = make(family, { mtus: [1500, 1300] })
      const sent = Packets.udp(near, far, Lan.bytes(1400), { dontFragment: true })
      const { dropped, far: out, near: back } = pass(host, sent)
      assert.deepStrictEqual([out.length, dropped], [0, ["IpTooBig"]])
      const [{ said }] = Packets.told(back) as [Packets.Told]
      assert.deepStrictEqual<unknown>([said._tag, "mtu" in said ? said.mtu : 0], [
        isV4 ? "Unreachable" : "PacketTooBig",
        1300
      ])
    })

    it("gets no more answers than errors may be sent (rfc: 1812 §4.3.2.8, 4443 §2.4 (f) MUST)", () => {
      const host = make(family, { limits: { icmpErrorBurst: 3 } })
      for (let i = 0; i < 5; i++) pass(host, Packets.udp(near, elsewhere, payload))
      assert.strictEqual(host.counter("icmpErrorsSent"), 3)
      assert.strictEqual(host.dropCount("IcmpRateLimited"), 2)
    })

    it("tells the sender of a better first hop on its own link, and goes there (rfc: 1812 §5.2.7.2 SHOULD, 4861 §8.2 SHOULD)", () => {
      const host = make(family)
      host.call({
        _tag: "AddRoute",
        prefix: elsewhere,
        length: isV4 ? 24 : 48,
        gateway: family.better,
        link: 1,
        metric: 0,
        source: undefined
      })
      const sent = Packets.udp(near, elsewhere, payload)
      const { near: back } = pass(host, sent)
      const forwarded = Packets.packets(back).find(({ to }) => to === betterMac)
      assert.strictEqual(forwarded!.hopLimit, 63)
      if (isV4) {
        const [{ quoted, said }] = Packets.told(back) as [Packets.Told]
        assert.strictEqual(said._tag, "Redirect")
        assert.deepStrictEqual<unknown>([(said as { gateway: unknown }).gateway, quoted], [family.better, sent])
      } else {
        const [{ ip, message }] = Packets.discovery(back) as [ReturnType<typeof Packets.discovery>[number]]
        assert.strictEqual(message._tag, "Redirect")
        if (message._tag !== "Redirect") return
        assert.deepStrictEqual<unknown>([message.target, message.destination], [family.better, elsewhere])
        assert.strictEqual(message.options.targetLinkLayer, betterMac)
        assert.deepStrictEqual(
          message.options.redirected!.bytes.slice(message.options.redirected!.start).subarray(0, sent.length),
          sent
        )
        assert.isTrue(Address.isLinkLocal(ip.source) && ip.hopLimit === 255)
      }
      assert.strictEqual(host.counter("redirectsSent"), 1)
    })
  })
}

const [v4, v6] = families

describe("IPv4 alone", () => {
  it("is cut where the next link is narrower, options and all, and a fragment again (rfc: 1812 §4.2.2.7 MUST, 791 §3.2)", () => {
    const host = make(v4, { mtus: [1500, 576] })
    const options = { bytes: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0), start: 0, end: 11 }
    const sent = Packets.udp(v4.near, v4.far, Lan.bytes(1200), { options, identification: 77 })
    const cut = pass(host, sent).far.map((frame) => Lan.sound(Ipv4.parse(frame, 14, frame.length)))
    assert.deepStrictEqual(cut.map(({ fragmentOffset, moreFragments }) => [fragmentOffset, moreFragments]), [
      [0, true],
      [544, true],
      [1096, false]
    ])
    assert.deepStrictEqual(cut.map(({ headerLength }) => headerLength), [32, 24, 24])
    assert.isTrue(
      cut.every(({ hopLimit, identification, totalLength }) =>
        identification === 77 && hopLimit === 63 && totalLength <= 576
      )
    )
    assert.strictEqual(host.counter("fragmentsSent"), 3)
  })

  it("to a broadcast address of another link stays here (rfc: 2644 §4 MUST)", () => {
    const { dropped, far } = pass(make(v4), Packets.udp(v4.near, Address.v4(10, 0, 2, 255), payload))
    assert.deepStrictEqual([far.length, dropped], [0, ["IpNotForUs"]])
  })

  it("with link-local addresses stays on its link (rfc: 3927 §7 MUST NOT)", () => {
    const local = Address.v4(169, 254, 7, 7)
    assert.deepStrictEqual(pass(make(v4), Packets.udp(local, v4.far, payload)).dropped, ["IpNotForUs"])
    assert.deepStrictEqual(pass(make(v4), Packets.udp(v4.near, local, payload)).dropped, ["IpNotForUs"])
  })
})

describe("IPv6 alone", () => {
  it("from a link-local source stays on its link, and the sender hears of it (rfc: 4291 §2.5.6 MUST NOT, 4443 §3.1 code 2)", () => {
    const host = make(v6)
    host.call({ _tag: "SetNeighbor", link: 1, address: ip6("fe80::9"), mac: nearMac })
    const { dropped, far, near } = pass(host, Packets.udp(ip6("fe80::9"), v6.far, payload))
    assert.deepStrictEqual([far.length, dropped], [0, ["IpMartianSource"]])
    assert.deepStrictEqual(saidOf(near), [{ tag: "Unreachable", code: 2 }])
  })

  it("to a link-local address of somebody else goes nowhere (rfc: 4291 §2.5.6 MUST NOT)", () => {
    assert.deepStrictEqual(pass(make(v6), Packets.udp(v6.near, ip6("fe80::77"), payload)).dropped, ["IpNotForUs"])
  })

  it("that is an error itself is not answered with one, whatever stands before it (rfc: 4443 §2.4 (e.1) MUST NOT)", () => {
    const host = make(v6)
    const destinationOptions = Uint8Array.of(IpProtocol.icmpv6, 0, 1, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    const sent = Packets.ip(v6.near, v6.elsewhere, destinationOptions, { protocol: IpProtocol.destinationOptions })
    const { dropped, near } = pass(host, sent)
    assert.deepStrictEqual([near.length, dropped], [0, ["IpNoRoute"]])
  })
})

describe("super-segments on their way", () => {
  /** A run of TCP segments of the near host, as a link with receive offload hands it over. */
  const superSegment = (family: Family, text: number, size: number): Frame.Frame => {
    const { far, near } = family
    const segment = new Uint8Array(Tcp.minimumHeaderLength + text)
    Tcp.emit(
      {
        sourcePort: 5,
        destinationPort: 6,
        sequence: 1000,
        acknowledgment: 1,
        flags: 0x18,
        window: 9,
        checksum: Checksum.fold(Checksum.pseudo(near, far, IpProtocol.tcp, segment.length)),
        urgentPointer: 0,
        options: TcpOptions.none
      },
      segment,
      0
    )
    segment.set(Lan.bytes(text), Tcp.minimumHeaderLength)
    const packet = Packets.ip(near, far, segment, { protocol: IpProtocol.tcp, dontFragment: true })
    const bytes = Packets.frame(packet, Host.macOf(1, 1), nearMac)
    const headerLength = bytes.length - text
    return {
      ...Frame.plain(bytes),
      checksum: "partial",
      checksumStart: headerLength - Tcp.minimumHeaderLength,
      checksumOffset: Tcp.checksumOffset,
      gso: { kind: family.name === "IPv4" ? "tcp4" : "tcp6", size, headerLength }
    }
  }

  const train = (family: Family, text: number, size: number): Frame.Frame => {
    const { far, near } = family
    const length = Udp.headerLength + text
    const datagrams = new Uint8Array(length)
    const checksum = Checksum.fold(Checksum.pseudo(near, far, IpProtocol.udp, length))
    datagrams.set(Lan.bytes(text), Udp.emit({ sourcePort: 1000, destinationPort: 9, length, checksum }, datagrams, 0))
    const packet = Packets.ip(near, far, datagrams, { protocol: IpProtocol.udp, dontFragment: true })
    const bytes = Packets.frame(packet, Host.macOf(1, 1), nearMac)
    const headerLength = bytes.length - text
    return {
      ...Frame.plain(bytes),
      checksum: "partial",
      checksumStart: headerLength - Udp.headerLength,
      checksumOffset: Udp.checksumOffset,
      gso: { kind: "udp", size, headerLength }
    }
  }

  for (const family of families) {
    it(`${family.name}: are cut for a link that does not cut them itself, with their checksums`, () => {
      const host = make(family)
      host.deliver(1, superSegment(family, 5000, 1400))
      const arrived = Packets.packets(host.takeFrames(2))
      assert.deepStrictEqual(arrived.map(({ payload }) => payload.length - 20), [1400, 1400, 1400, 800])
      const text = arrived.flatMap(({ payload }) => Array.from(payload.subarray(20)))
      assert.deepStrictEqual(text, Array.from(Lan.bytes(5000)))
      for (const { destination, hopLimit, payload, source } of arrived) {
        const pseudo = Checksum.pseudo(source, destination, IpProtocol.tcp, payload.length)
        assert.isTrue(Checksum.verify(payload, 0, payload.length, pseudo))
        assert.strictEqual(hopLimit, 63)
      }
    })

    it(`${family.name}: trains of datagrams are cut, too, into datagrams with lengths and checksums of their own`, () => {
      const host = make(family)
      host.deliver(1, train(family, 5000, 1200))
      const arrived = Packets.packets(host.takeFrames(2))
      const lengths = [1200, 1200, 1200, 1200, 200]
      assert.deepStrictEqual(arrived.map(({ payload }) => payload.length - Udp.headerLength), lengths)
      const text = arrived.flatMap(({ payload }) => Array.from(payload.subarray(Udp.headerLength)))
      assert.deepStrictEqual(text, Array.from(Lan.bytes(5000)))
      for (const { destination, payload, source } of arrived) {
        const pseudo = Checksum.pseudo(source, destination, IpProtocol.udp, payload.length)
        assert.isTrue(Checksum.verify(payload, 0, payload.length, pseudo))
        assert.strictEqual(Lan.sound(Udp.parse(payload, 0, payload.length)).length, payload.length)
      }
    })

    it(`${family.name}: leave from where they came in if their link can spare the memory, and from a copy if not`, () => {
      for (const isSpared of [true, false]) {
        const host = make(family)
        const frame = superSegment(family, 20_000, 1400)
        const slab = { headroom: 10, mayKeep: () => isSpared, keep: () => {}, release: () => {} }
        const before = frame.bytes.slice()
        host.deliver(1, { ...frame, slab })
        const text = Packets.packets(host.takeFrames(2)).flatMap(({ payload }) => Array.from(payload.subarray(20)))
        assert.deepStrictEqual(text, Array.from(Lan.bytes(20_000)))
        assert.strictEqual(before.every((byte, i) => byte === frame.bytes[i]), !isSpared)
      }
    })

    it(`${family.name}: whose packets are too big for the next link are answered as one of them would be`, () => {
      const host = make(family, { mtus: [1500, 1300] })
      host.deliver(1, superSegment(family, 5000, 1400))
      assert.strictEqual(host.takeFrames(2).length, 0)
      const [{ said }] = Packets.told(host.takeFrames(1)) as [Packets.Told]
      assert.strictEqual("mtu" in said ? said.mtu : 0, 1300)
    })
  }
})
