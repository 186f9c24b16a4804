import { assert, describe, it } from "@effect/vitest"
import type * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Icmpv4 from "../../../src/wire/Icmpv4.ts"
import type * as Ipv4 from "../../../src/wire/Ipv4.ts"
import * as Options from "../../../src/wire/Ipv4Options.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Piece from "../../../src/wire/Piece.ts"
import * as Lan from "../Lan.ts"

const { here, link, there } = Lan

const introduced = (options?: Host.Options): Host.Host => {
  const self = Lan.host(options)
  Lan.introduce(self)
  return self
}

const arrive = (fields: Partial<Ipv4.Fields>, frame: Lan.EthernetOptions = {}, self = introduced()) => {
  const { dropped, sent } = Lan.deliver(self, Lan.ethernet(Lan.ip(Lan.echo(), fields), frame))
  return [...dropped, ...sent.map(({ icmp }) => icmp?._tag ?? "other")]
}

describe("Ipv4 receive", () => {
  it("takes a packet for its address", () => {
    assert.deepStrictEqual(arrive({}), ["EchoReply"])
  })

  const sources: ReadonlyArray<readonly [string, Address.Ipv4, string]> = [
    ["no address", 0, "IpMartianSource"],
    ["this network", Address.v4(0, 1, 2, 3), "IpMartianSource"],
    ["loopback", Address.v4(127, 0, 0, 9), "IpMartianSource"],
    ["a group", Address.v4(224, 0, 0, 9), "IpMartianSource"],
    ["a reserved address", Address.v4(240, 0, 0, 1), "IpMartianSource"],
    ["everybody", Address.broadcastV4, "IpMartianSource"],
    ["everybody on the link", Address.v4(10, 0, 0, 255), "IpMartianSource"],
    ["this host", here, "IpSourceIsOurs"]
  ]
  for (const [what, source, reason] of sources) {
    it(`drops what comes from ${what} (rfc: 1122 §3.2.1.3)`, () => {
      assert.deepStrictEqual(arrive({ source }), [reason])
    })
  }

  const destinations: ReadonlyArray<readonly [string, Address.Ipv4, string]> = [
    ["another host", there, "IpNotForUs"],
    ["this network", Address.v4(0, 0, 0, 0), "IpMartianDestination"],
    ["loopback", Address.loopbackV4, "IpMartianDestination"],
    ["a reserved address", Address.v4(250, 1, 1, 1), "IpMartianDestination"],
    ["a group that it has not joined", Address.v4(224, 0, 0, 251), "IpNotForUs"],
    ["everybody, in a frame for one", Address.broadcastV4, "IpMartianDestination"],
    ["everybody on the link, in a frame for one", Address.v4(10, 0, 0, 255), "IpMartianDestination"]
  ]
  for (const [what, destination, reason] of destinations) {
    it(`drops what is for ${what} (rfc: 1122 §3.2.1.3, §3.3.6)`, () => {
      assert.deepStrictEqual(arrive({ destination }), [reason])
    })
  }

  it("drops what is for one host in a frame for everybody (rfc: 1122 §3.3.6 SHOULD)", () => {
    assert.deepStrictEqual(arrive({}, { to: Mac.broadcast }), ["IpLinkBroadcastToUnicast"])
  })

  it("takes what is for everybody, and for all hosts (rfc: 1122 §3.3.6, rfc: 1112 §4)", () => {
    for (const destination of [Address.broadcastV4, Address.v4(10, 0, 0, 255), Address.v4(224, 0, 0, 1)]) {
      const to = Address.isMulticast(destination) ? Mac.ofMulticastV4(destination) : Mac.broadcast
      assert.deepStrictEqual(arrive({ destination }, { to }), ["IcmpEchoToGroup"])
    }
  })

  it("takes what a host without address sends to everybody (rfc: 1122 §3.2.1.3 (a))", () => {
    const self = introduced()
    const socket = Lan.bind(self, 67)
    const frame = Lan.datagram(68, 67, Lan.bytes(3), { source: 0, destination: Address.broadcastV4 }, {
      to: Mac.broadcast
    })
    assert.deepStrictEqual(Lan.deliver(self, frame).dropped, [])
    assert.deepStrictEqual(self.call(Lan.receive(socket)).map(({ source }) => source), [0])
  })

  it("takes an address only on the interface that has it (rfc: 1122 §3.3.4.2, strong host model)", () => {
    const second = Address.v4(10, 1, 0, 1)
    const self = introduced({ interfaces: [{ addresses: [[here, 24]] }, { addresses: [[second, 24]] }] })
    assert.deepStrictEqual(arrive({ destination: second }, {}, self), ["IpNotForUs"])
    // An address of the other interface as source is a lie as well.
    assert.deepStrictEqual(arrive({ source: second }, {}, self), ["IpSourceIsOurs"])
  })

  const damaged: ReadonlyArray<readonly [string, (packet: Uint8Array) => Uint8Array]> = [
    ["a bad header checksum (rfc: 1122 §3.2.1.2 MUST)", (packet) => packet.with(10, packet[10]! ^ 1)],
    ["another version (rfc: 1122 §3.2.1.1 MUST)", (packet) => packet.with(0, 0x65)],
    ["a header length below 20 (rfc: 791 §3.1)", (packet) => packet.with(0, 0x44)],
    ["less than its total length (rfc: 791 §3.1)", (packet) => packet.slice(0, packet.length - 1)]
  ]
  for (const [what, damage] of damaged) {
    it(`drops in silence what has ${what}`, () => {
      const frame = Lan.ethernet(damage(Lan.ip(Lan.echo())))
      assert.deepStrictEqual(Lan.deliver(introduced(), frame), { sent: [], dropped: ["Malformed"] })
    })
  }

  it("takes a packet with a hop limit of 1 or 0, since it has arrived (rfc: 1122 §3.2.1.7 MUST NOT)", () => {
    assert.deepStrictEqual(arrive({ hopLimit: 1 }), ["EchoReply"])
    assert.deepStrictEqual(arrive({ hopLimit: 0 }), ["EchoReply"])
  })

  const withOptions = (...bytes: ReadonlyArray<number>) => ({ options: Piece.make(Uint8Array.from(bytes)) })

  it("ignores options that ask a host for nothing (rfc: 1122 §3.2.1.8, 9293 §3.9.2 MUST-50)", () => {
    assert.deepStrictEqual(arrive(withOptions(Options.Type.noOperation, Options.Type.noOperation, 0, 0)), ["EchoReply"])
    assert.deepStrictEqual(arrive(withOptions(Options.Type.routerAlert, 4, 0, 0)), ["EchoReply"])
    assert.deepStrictEqual(arrive(withOptions(0x5e, 4, 1, 2)), ["EchoReply"])
  })

  it("refuses source routes, even at their end (rfc: 7126 §4.3, §4.4)", () => {
    for (const type of [Options.Type.looseSourceRoute, Options.Type.strictSourceRoute]) {
      assert.deepStrictEqual(arrive(withOptions(type, 7, 4, 10, 0, 0, 7, 0)), ["IpOptionsRefused"])
      assert.deepStrictEqual(arrive(withOptions(type, 7, 8, 10, 0, 0, 7, 0)), ["IpOptionsRefused"])
    }
  })

  it("answers malformed options with the octet that is wrong (rfc: 1122 §3.2.2.5 SHOULD, rfc: 792)", () => {
    const self = introduced()
    const packet = Lan.ip(Lan.echo(), withOptions(Options.Type.noOperation, Options.Type.recordRoute, 1, 0))
    const { dropped, sent } = Lan.deliver(self, Lan.ethernet(packet))
    assert.deepStrictEqual(dropped, ["Malformed"])
    const { payload, icmp } = sent[0]!
    assert.strictEqual(icmp!._tag, "ParameterProblem")
    assert.strictEqual(icmp?._tag === "ParameterProblem" ? icmp.pointer : -1, 22)
    assert.deepStrictEqual(payload, packet)
  })

  it("answers a protocol that nobody speaks (rfc: 1122 §3.2.2.1 SHOULD)", () => {
    const self = introduced()
    const packet = Lan.ip(Lan.bytes(40), { protocol: 200 })
    const { dropped, sent } = Lan.deliver(self, Lan.ethernet(packet))
    assert.deepStrictEqual(dropped, ["IpProtocolUnknown"])
    const { payload, icmp } = sent[0]!
    assert.strictEqual(icmp?._tag === "Unreachable" ? icmp.code : -1, Icmpv4.UnreachableCode.protocol)
    assert.deepStrictEqual(payload, packet)
  })

  it("knows loopback addresses inside only (rfc: 1122 §3.2.1.3 (g))", () => {
    const self = introduced()
    const asked = self.request(Lan.ping(Address.v4(127, 1, 2, 3)))
    assert.strictEqual(asked.outcome()._tag, "Done")
    assert.deepStrictEqual(self.takeFrames(link), [])
    assert.strictEqual(self.dropCount("IpMartianSource"), 0)
  })

  it("speaks to itself without touching the link, even when that is down (rfc: 1122 §3.3.4.1)", () => {
    const self = introduced()
    assert.strictEqual(self.request(Lan.ping(here)).outcome()._tag, "Done")
    assert.deepStrictEqual(self.takeFrames(link), [])
    self.tell({ _tag: "LinkChanged", link, up: false })
    assert.strictEqual(self.request(Lan.ping(here)).outcome()._tag, "Done")
  })

  it("takes what its options leave of the packet", () => {
    const self = introduced()
    const frame = Lan.datagram(7, 8, Lan.bytes(5), withOptions(1, 1, 1, 0))
    const socket = Lan.bind(self, 8)
    Lan.deliver(self, frame)
    assert.deepStrictEqual(self.call(Lan.receive(socket))[0]!.bytes, Lan.bytes(5))
  })

  it("never answers or throws on any bytes behind a sound Ethernet header", () => {
    const self = introduced()
    let x = 12345
    const random = (): number => (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 16
    for (let i = 0; i < 3000; i++) {
      const packet = Uint8Array.from({ length: random() % 80 }, random)
      if (packet.length > 0 && i % 2 === 0) packet[0] = 0x45
      self.deliver(link, Lan.ethernet(packet))
    }
    assert.strictEqual(self.counter("defects"), 0)
    assert.deepStrictEqual(self.takeFrames(link), [])
  })

  it("counts what comes in and what is delivered", () => {
    const self = introduced()
    arrive({}, {}, self)
    arrive({ destination: there }, {}, self)
    assert.strictEqual(self.counter("ipReceived"), 2)
    assert.strictEqual(self.counter("ipDelivered"), 1)
  })
})
