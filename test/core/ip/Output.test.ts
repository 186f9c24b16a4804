import { assert, describe, it } from "@effect/vitest"
import * as Fragment from "../../../src/core/ip/Fragment.ts"
import * as Time from "../../../src/core/Time.ts"
import type * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Icmpv4 from "../../../src/wire/Icmpv4.ts"
import * as Ipv4 from "../../../src/wire/Ipv4.ts"
import * as Lan from "../Lan.ts"
import * as Seeded from "../Seeded.ts"

const { here, link, there } = Lan

const introduced = (options?: Host.Options): Host.Host => {
  const self = Lan.host(options)
  Lan.introduce(self)
  return self
}

const reasonOf = (asked: Host.Asked<unknown>): unknown => {
  const outcome = asked.outcome()
  return outcome._tag === "Failed" ? outcome.reason : outcome._tag
}

/** A router's word that a packet of the host was too big. */
const tooBig = (packet: Uint8Array, mtu: number): Uint8Array =>
  Lan.ethernet(Lan.ip(Lan.icmp({ _tag: "Unreachable", code: 4, mtu }, packet.slice(14, 14 + 28))))

describe("Ip output", () => {
  it("writes a header that says what was asked for (rfc: 791 §3.1, rfc: 1122 §3.2.1)", () => {
    const self = introduced()
    self.request({ ...Lan.ping(there), hopLimit: 7, dontFragment: true })
    const { ip } = Lan.sent(self)[0]!
    assert.deepInclude(ip, {
      source: here,
      destination: there,
      hopLimit: 7,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      options: undefined
    })
  })

  it("cuts what is larger than the MTU at multiples of eight octets (rfc: 791 §3.2)", () => {
    for (const mtu of [68, 576, 1499, 1500, 9000]) {
      const self = introduced({ interfaces: [{ mtu, addresses: [[here, 24]] }] })
      const data = Lan.bytes(10_000)
      self.request(Lan.ping(there, data))
      const frames = Lan.sent(self)
      assert.strictEqual(frames.length, Math.ceil(10_008 / ((mtu - 20) & ~7)))
      let offset = 0
      const whole: Array<number> = []
      frames.forEach(({ ip, payload }, i) => {
        assert.strictEqual(ip!.fragmentOffset, offset)
        assert.strictEqual(ip!.moreFragments, i < frames.length - 1)
        assert.isAtMost(ip!.totalLength, mtu)
        offset += payload.length
        whole.push(...payload)
      })
      const message = Uint8Array.from(whole)
      assert.isTrue(Icmpv4.verify(message, 0, message.length))
      assert.deepStrictEqual(message.slice(8), data)
    }
  })

  it("sends the largest datagram there is, and refuses one octet more (rfc: 791 §3.1)", () => {
    const self = introduced()
    self.request(Lan.ping(there, Lan.bytes(65_507)))
    assert.strictEqual(Lan.sent(self).at(-1)!.ip!.moreFragments, false)
    assert.deepStrictEqual(reasonOf(self.request(Lan.ping(there, Lan.bytes(65_508)))), {
      _tag: "MessageTooLarge",
      limit: 65_507
    })
  })

  it("refuses a super-segment whose packets would not fit, and sends one whose packets do (rfc: 1191 §3)", () => {
    const self = introduced()
    const ctx = self.step
    const path = ctx.ip.path(ctx, there, undefined, undefined)
    if ("_tag" in path) throw new Error(path._tag)
    const refusal = (size: number) => {
      const head = ctx.reserve(20)
      return ctx.ip.send(ctx, {
        path,
        protocol: 6,
        head,
        headEnd: head.at + 20,
        pieces: [{ bytes: new Uint8Array(5000), start: 0, end: 5000 }],
        checksumOffset: 16,
        hopLimit: 64,
        trafficClass: 0,
        dontFragment: true,
        gso: { kind: "tcp4", size, headerLength: 20 },
        credit: undefined
      })
    }
    assert.deepStrictEqual(refusal(1461), { _tag: "MessageTooLarge", limit: 1480 })
    assert.isUndefined(refusal(1460))
  })

  it("refuses to send what may not be cut and does not fit (rfc: 1191 §3)", () => {
    const self = introduced()
    const asked = self.request({ ...Lan.ping(there, Lan.bytes(1473)), dontFragment: true })
    assert.deepStrictEqual(reasonOf(asked), { _tag: "MessageTooLarge", limit: 1472 })
    assert.deepStrictEqual(Lan.dropped(self), ["IpTooBig"])
    self.request({ ...Lan.ping(there, Lan.bytes(1472)), dontFragment: true })
    assert.strictEqual(Lan.sent(self).length, 1)
  })

  it("identifies packets that may be cut, each anew, and no others (rfc: 6864 §4.1, §4.3)", () => {
    const self = introduced()
    const identifications = new Set<number>()
    for (let i = 0; i < 100; i++) {
      self.request(Lan.ping(there))
      identifications.add(Lan.sent(self)[0]!.ip!.identification)
    }
    assert.strictEqual(identifications.size, 100)
    self.request({ ...Lan.ping(there), dontFragment: true })
    assert.strictEqual(Lan.sent(self)[0]!.ip!.identification, 0)
  })

  it("identifies packets to different destinations from different places", () => {
    const self = introduced()
    Lan.introduce(self, Address.v4(10, 0, 0, 8), 0x0200_0000_0008)
    self.request(Lan.ping(there))
    self.request(Lan.ping(Address.v4(10, 0, 0, 8)))
    const [one, two] = Lan.sent(self).map(({ ip }) => ip!.identification)
    assert.isAbove(Math.abs(one! - two!), 1)
  })
})

describe("Fragment", () => {
  it("slices pieces as if they were one range", () => {
    const random = Seeded.make(5)
    for (let i = 0; i < 300; i++) {
      const pieces = Array.from({ length: random.below(6) }, (_, n) => {
        const bytes = Lan.bytes(random.below(20), n * 50)
        const start = random.below(bytes.length + 1)
        return { bytes, start, end: start + random.below(bytes.length - start + 1) }
      })
      const flat = pieces.flatMap(({ bytes, end, start }) => Array.from(bytes.slice(start, end)))
      assert.strictEqual(Fragment.size(pieces), flat.length)
      const from = random.below(flat.length + 1)
      const to = from + random.below(flat.length - from + 2)
      const sliced = Fragment.slice(pieces, from, to).flatMap(({ bytes, end, start }) =>
        Array.from(bytes.slice(start, end))
      )
      assert.deepStrictEqual(sliced, flat.slice(from, to))
    }
  })

  it("sums pieces of any lengths as if they were one range (rfc: 1071 §2 (B))", () => {
    const random = Seeded.make(6)
    for (let i = 0; i < 300; i++) {
      const pieces = Array.from({ length: 1 + random.below(5) }, (_, n) => {
        const bytes = Lan.bytes(1 + random.below(200), n * 31 + i)
        return { bytes, start: 0, end: bytes.length }
      })
      const flat = Uint8Array.from(pieces.flatMap(({ bytes }) => Array.from(bytes)))
      const expected = Checksum.finish(Checksum.sum(flat, 0, flat.length, 0)) || 0xffff
      assert.strictEqual(Fragment.checksumOf(pieces), expected)
    }
  })
})

describe("Path MTU", () => {
  const far = Address.v4(192, 0, 2, 1)

  /** A host whose ping to far away has just left. */
  const routed = (options: Host.Options = {}): Host.Host => {
    const self = Lan.host({ ...options, interfaces: [{ addresses: [[here, 24]], gateway: there }] })
    Lan.introduce(self)
    return self
  }

  const pinged = (self: Host.Host, to: Address.Address = far, size = 1400): Uint8Array => {
    self.request({ ...Lan.ping(to, Lan.bytes(size)), dontFragment: true })
    return self.takeFrames(link).at(-1)!
  }

  it("follows what a router tells (rfc: 1191 §3)", () => {
    const self = routed()
    const asked = self.request({ ...Lan.ping(far, Lan.bytes(1400)), dontFragment: true })
    self.deliver(link, tooBig(self.takeFrames(link)[0]!, 1000))
    assert.deepStrictEqual(reasonOf(asked), { _tag: "MessageTooLarge", limit: 972 })
    assert.deepStrictEqual(reasonOf(self.request({ ...Lan.ping(far, Lan.bytes(973)), dontFragment: true })), {
      _tag: "MessageTooLarge",
      limit: 972
    })
    self.request(Lan.ping(far, Lan.bytes(1400)))
    assert.deepStrictEqual(Lan.sent(self).map(({ ip }) => ip!.totalLength <= 1000), [true, true])
  })

  it("takes the next smaller usual size when the router is too old to tell (rfc: 1191 §5, §7.1)", () => {
    const self = routed()
    self.deliver(link, tooBig(pinged(self), 0))
    assert.deepStrictEqual(Array.from(self.state.ip.pathMtus.values(), ({ mtu }) => mtu), [1492])
    self.deliver(link, tooBig(pinged(self), 0))
    assert.deepStrictEqual(Array.from(self.state.ip.pathMtus.values(), ({ mtu }) => mtu), [1006])
  })

  it("is never made larger by a message (rfc: 1191 §3 MUST NOT), nor smaller than every link carries (§3)", () => {
    const self = routed()
    self.deliver(link, tooBig(pinged(self), 600))
    self.deliver(link, tooBig(pinged(self, far, 100), 1000))
    assert.deepStrictEqual(Array.from(self.state.ip.pathMtus.values(), ({ mtu }) => mtu), [600])
    self.deliver(link, tooBig(pinged(self, far, 100), 20))
    assert.deepStrictEqual(Array.from(self.state.ip.pathMtus.values(), ({ mtu }) => mtu), [68])
  })

  it("is forgotten after ten minutes (rfc: 1191 §6.3)", () => {
    const self = routed()
    self.deliver(link, tooBig(pinged(self), 1000))
    self.advance(Time.seconds(599))
    assert.deepStrictEqual(reasonOf(self.request({ ...Lan.ping(far, Lan.bytes(1400)), dontFragment: true })), {
      _tag: "MessageTooLarge",
      limit: 972
    })
    self.advance(Time.seconds(1))
    self.request({ ...Lan.ping(far, Lan.bytes(1400)), dontFragment: true })
    assert.strictEqual(reasonOf(self.request({ ...Lan.ping(far, Lan.bytes(1400)), dontFragment: true })), "Pending")
  })

  it("is not believed of packets that were never sent (rfc: 5927 §4.1)", () => {
    const self = routed()
    const genuine = pinged(self)
    const forged = genuine.with(14 + 20 + 6, genuine[14 + 20 + 6]! ^ 0x40)
    self.deliver(link, tooBig(forged, 600))
    assert.strictEqual(self.state.ip.pathMtus.size, 0)
    assert.deepStrictEqual(Lan.dropped(self), ["IcmpErrorNotOurs"])
  })

  it("does not hold other destinations back", () => {
    const self = routed()
    self.deliver(link, tooBig(pinged(self), 1000))
    assert.isDefined(pinged(self, Address.v4(192, 0, 2, 2)))
  })
})

describe("Path", () => {
  const second = Address.v4(10, 1, 0, 1)
  const remote = Address.v4(192, 0, 2, 1)

  const two = (): Host.Host =>
    Lan.host({
      interfaces: [
        { addresses: [[here, 24]], gateway: there },
        { addresses: [[second, 24], [Address.v4(10, 1, 5, 1), 24]] }
      ]
    })

  const path = (
    self: Host.Host,
    destination: Address.Address,
    source?: Address.Address,
    on?: number
  ): unknown => {
    const found = self.step.ip.path(self.step, destination, source, on)
    return "_tag" in found
      ? found
      : [found.link, Address.format(found.source), Address.format(found.nextHop), found.mtu]
  }

  it("leads to a neighbour directly and elsewhere by the router (rfc: 1122 §3.3.1.1)", () => {
    const self = two()
    assert.deepStrictEqual(path(self, there), [1, "10.0.0.1", "10.0.0.9", 1500])
    assert.deepStrictEqual(path(self, Address.v4(10, 1, 0, 7)), [2, "10.1.0.1", "10.1.0.7", 1500])
    assert.deepStrictEqual(path(self, remote), [1, "10.0.0.1", "10.0.0.9", 1500])
  })

  it("sends from the address on the next hop's prefix (rfc: 1122 §3.3.4.3)", () => {
    assert.deepStrictEqual(path(two(), Address.v4(10, 1, 5, 7)), [2, "10.1.5.1", "10.1.5.7", 1500])
  })

  it("leaves by the interface that has the source (rfc: 1122 §3.3.4.2, strong host model)", () => {
    const self = two()
    assert.deepStrictEqual(path(self, remote, second), { _tag: "Unreachable", what: "network" })
    assert.deepStrictEqual(path(self, there, here, 2), { _tag: "Unreachable", what: "network" })
    assert.deepStrictEqual(path(self, Address.v4(10, 1, 0, 7), here, 2), { _tag: "AddressNotAvailable" })
    assert.deepStrictEqual(path(self, there, Address.v4(10, 0, 0, 44)), { _tag: "AddressNotAvailable" })
  })

  it("stays inside for own addresses (rfc: 1122 §3.3.4.1)", () => {
    const self = two()
    assert.deepStrictEqual(path(self, second), [0, "10.1.0.1", "10.1.0.1", 65_535])
    assert.deepStrictEqual(path(self, second, here), [0, "10.0.0.1", "10.1.0.1", 65_535])
    assert.deepStrictEqual(path(self, Address.v4(127, 9, 9, 9)), [0, "127.9.9.9", "127.9.9.9", 65_535])
    assert.deepStrictEqual(path(self, second, remote), { _tag: "AddressNotAvailable" })
  })

  it("needs to know the link for a group, unless there is only one (rfc: 1112 §7.2)", () => {
    const group = Address.v4(239, 1, 1, 1)
    const multihomed = Lan.host({ interfaces: [{ addresses: [[here, 24]] }, { addresses: [[second, 24]] }] })
    assert.deepStrictEqual(path(multihomed, group), { _tag: "Unreachable", what: "network" })
    assert.deepStrictEqual(path(multihomed, group, undefined, 2), [2, "10.1.0.1", "239.1.1.1", 1500])
    assert.deepStrictEqual(path(multihomed, group, here), [1, "10.0.0.1", "239.1.1.1", 1500])
    assert.deepStrictEqual(path(Lan.host(), group), [1, "10.0.0.1", "239.1.1.1", 1500])
    assert.deepStrictEqual(path(two(), group), [1, "10.0.0.1", "239.1.1.1", 1500])
  })

  it("lets a host without address ask everybody (rfc: 2131 §4.1)", () => {
    const self = Lan.host({ interfaces: [{}] })
    assert.deepStrictEqual(path(self, Address.broadcastV4), [1, "0.0.0.0", "255.255.255.255", 1500])
    assert.deepStrictEqual(path(self, Address.v4(239, 1, 1, 1)), { _tag: "AddressNotAvailable" })
  })

  it("refuses what is no destination, and interfaces that are not there", () => {
    const self = two()
    const invalid = path(self, 0) as { readonly _tag: string }
    assert.strictEqual(invalid._tag, "InvalidArgument")
    assert.deepStrictEqual(path(self, there, undefined, 9), { _tag: "NotFound", what: "interface" })
    assert.deepStrictEqual(path(self, there, Address.loopbackV6), { _tag: "AddressNotAvailable" })
  })

  it("prefers the source that a route names", () => {
    const self = two()
    const other = Address.v4(10, 1, 5, 1)
    self.call({
      _tag: "AddRoute",
      prefix: remote,
      length: 32,
      gateway: Address.v4(10, 1, 0, 2),
      link: 2,
      metric: 0,
      source: other
    })
    assert.deepStrictEqual(path(self, remote), [2, "10.1.5.1", "10.1.0.2", 1500])
  })

  it("prefers preferred addresses to deprecated ones (rfc: 6724 §5 rule 3)", () => {
    const self = Lan.host({ interfaces: [{}] })
    const add = (address: Address.Address, preferredUntil: Time.Instant) =>
      self.call({ _tag: "AddAddress", link, address, prefixLength: 24, origin: "static", preferredUntil })
    add(here, self.now)
    add(Address.v4(10, 0, 0, 2), Time.never)
    assert.deepStrictEqual(path(self, there), [1, "10.0.0.2", "10.0.0.9", 1500])
    assert.deepStrictEqual(path(self, there, here), [1, "10.0.0.1", "10.0.0.9", 1500])
  })

  it("keeps to link-local sources for link-local destinations (rfc: 6724 §5 rule 2, rfc: 3927 §2.6.1)", () => {
    const self = Lan.host({ interfaces: [{ addresses: [[here, 24], [Address.v4(169, 254, 1, 1), 16]] }] })
    assert.deepStrictEqual(path(self, Address.v4(169, 254, 9, 9)), [1, "169.254.1.1", "169.254.9.9", 1500])
    assert.deepStrictEqual(path(self, there), [1, "10.0.0.1", "10.0.0.9", 1500])
  })

  it("says how large super-segments may be: the transmit worker cuts where the link does not", () => {
    const self = two()
    const found = self.step.ip.path(self.step, there, undefined, undefined)
    assert.strictEqual("_tag" in found ? 0 : found.maxSegmentBytes, 65_535)
    assert.strictEqual(Ipv4.maximumLength, 65_535)
  })
})
