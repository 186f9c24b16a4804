import { assert, describe, it } from "@effect/vitest"
import type { Reason, UnreachableKind } from "../../../src/core/Reason.ts"
import * as Time from "../../../src/core/Time.ts"
import type * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Frame from "../../../src/wire/Frame.ts"
import type * as Icmpv4 from "../../../src/wire/Icmpv4.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
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

const arrive = (
  message: Uint8Array,
  fields: Partial<Ipv4.Fields> = {},
  frame: Lan.EthernetOptions = {},
  self = introduced()
) => Lan.deliver(self, Lan.ethernet(Lan.ip(message, fields), frame))

describe("Icmpv4", () => {
  it("answers an echo with the same data, from the address asked, with the same traffic class (rfc: 1122 §3.2.2.6 MUST)", () => {
    for (const size of [0, 1, 56, 1472]) {
      const data = Lan.bytes(size)
      const { dropped, sent } = arrive(Lan.echo(0xbeef, 0x1234, data), { trafficClass: 0xb8 })
      assert.deepStrictEqual(dropped, [])
      const [{ icmp, ip, payload }] = sent as [Lan.Read]
      assert.deepInclude(icmp, { _tag: "EchoReply", identifier: 0xbeef, sequence: 0x1234 })
      assert.deepInclude(ip, { source: here, destination: there, hopLimit: 64, trafficClass: 0xb8 })
      assert.deepStrictEqual(payload, data)
    }
  })

  it("answers from each of its addresses (rfc: 1122 §3.2.2.6)", () => {
    const second = Address.v4(10, 0, 0, 2)
    const self = introduced({ interfaces: [{ addresses: [[here, 24], [second, 24]] }] })
    assert.strictEqual(arrive(Lan.echo(), { destination: second }, {}, self).sent[0]!.ip!.source, second)
  })

  it("does not answer an echo to a group (rfc: 1122 §3.2.2.6 MAY)", () => {
    const { dropped, sent } = arrive(Lan.echo(), { destination: Address.broadcastV4 }, { to: Mac.broadcast })
    assert.deepStrictEqual([dropped, sent], [["IcmpEchoToGroup"], []])
  })

  it("does not answer at all when told not to", () => {
    const self = introduced({ config: { answerEcho: false } })
    assert.deepStrictEqual(arrive(Lan.echo(), {}, {}, self), { sent: [], dropped: ["IcmpEchoRefused"] })
  })

  it("drops what has a bad checksum or is cut off (rfc: 1122 §3.2.2)", () => {
    const message = Lan.echo()
    assert.deepStrictEqual(arrive(message.with(9, message[9]! ^ 1)), { sent: [], dropped: ["Malformed"] })
    assert.deepStrictEqual(arrive(message.slice(0, 7)), { sent: [], dropped: ["Malformed"] })
  })

  const ignored: ReadonlyArray<readonly [string, Icmpv4.Fields, string]> = [
    [
      "a type that it does not know (rfc: 1122 §3.2.2 MUST)",
      { _tag: "Unknown", type: 42, code: 0, rest: 0 },
      "IcmpTypeUnknown"
    ],
    ["source quench (rfc: 6633 §4 MUST)", { _tag: "SourceQuench" }, "IcmpDeprecated"],
    ["a redirect", { _tag: "Redirect", code: 1, gateway: there }, "IcmpRedirectIgnored"],
    [
      "a timestamp request (rfc: 1122 §3.2.2.8 MAY)",
      { _tag: "TimestampRequest", identifier: 1, sequence: 1, originate: 0, receive: 0, transmit: 0 },
      "IcmpTypeUnknown"
    ],
    ["an echo reply that nobody waits for", { _tag: "EchoReply", identifier: 1, sequence: 1 }, "PingNoSocket"]
  ]
  for (const [what, message, reason] of ignored) {
    it(`ignores ${what}, and counts it`, () => {
      assert.deepStrictEqual(arrive(Lan.icmp(message, Lan.bytes(28))), { sent: [], dropped: [reason] })
    })
  }
})

describe("Icmp errors sent", () => {
  it("quote the header and as much as fits in 576 octets (rfc: 792, rfc: 1812 §4.3.2.3)", () => {
    for (const size of [0, 8, 500, 1400]) {
      const packet = Lan.ip(Lan.udp(7, 9999, Lan.bytes(size)), { protocol: IpProtocol.udp })
      const { sent } = Lan.deliver(introduced(), Lan.ethernet(packet))
      assert.isAtMost(sent[0]!.ip!.totalLength, 576)
      assert.deepStrictEqual(sent[0]!.payload, packet.slice(0, 548))
      assert.deepInclude(sent[0]!.ip, { source: here, destination: there })
    }
  })

  const closedPort = Lan.udp(7, 9999, Lan.bytes(8))
  const toPort = (fields: Partial<Ipv4.Fields>, frame: Lan.EthernetOptions = {}) => {
    const transport = Lan.udp(7, 9999, Lan.bytes(8), {
      source: fields.source ?? there,
      destination: fields.destination ?? here
    })
    return arrive(transport, { protocol: IpProtocol.udp, ...fields }, frame).sent
  }

  it("are sent about a closed port", () => {
    assert.strictEqual(toPort({}).length, 1)
    assert.strictEqual(closedPort.length, 16)
  })

  it("are never sent about what was for a group, in IP or in the link layer (rfc: 1122 §3.2.2 MUST NOT)", () => {
    assert.deepStrictEqual(toPort({ destination: Address.broadcastV4 }, { to: Mac.broadcast }), [])
    assert.deepStrictEqual(toPort({ destination: Address.v4(10, 0, 0, 255) }, { to: Mac.broadcast }), [])
    assert.deepStrictEqual(toPort({ destination: Address.v4(224, 0, 0, 1) }, { to: 0x0100_5e00_0001 }), [])
    assert.deepStrictEqual(toPort({}, { to: Mac.broadcast }), [])
  })

  it("are never sent to what is no single host (rfc: 1122 §3.2.2 MUST NOT)", () => {
    for (const source of [0, Address.v4(224, 0, 0, 1), Address.broadcastV4, Address.v4(10, 0, 0, 255)]) {
      assert.deepStrictEqual(toPort({ source }), [])
    }
  })

  it("are never sent about errors, or what may be one (rfc: 1122 §3.2.2 MUST NOT)", () => {
    const badOptions = { options: Piece.make(Uint8Array.of(Options.Type.recordRoute, 1, 0, 0)) }
    const inside = Lan.ip(closedPort, { source: here, destination: there, protocol: IpProtocol.udp })
    const messages: ReadonlyArray<readonly [Icmpv4.Fields, number]> = [
      [{ _tag: "Unreachable", code: 3, mtu: 0 }, 0],
      [{ _tag: "TimeExceeded", code: 0 }, 0],
      [{ _tag: "ParameterProblem", code: 0, pointer: 0 }, 0],
      [{ _tag: "Redirect", code: 0, gateway: there }, 0],
      [{ _tag: "Unknown", type: 77, code: 0, rest: 0 }, 0],
      [{ _tag: "EchoRequest", identifier: 1, sequence: 1 }, 1]
    ]
    for (const [message, answers] of messages) {
      assert.strictEqual(arrive(Lan.icmp(message, inside), badOptions).sent.length, answers, message._tag)
    }
  })

  it("are never sent about a fragment but the first (rfc: 1122 §3.2.2 MUST NOT)", () => {
    const badOptions = { options: Piece.make(Uint8Array.of(Options.Type.recordRoute, 1, 0, 0)) }
    const fields = { protocol: IpProtocol.udp, ...badOptions }
    assert.deepStrictEqual(arrive(Lan.bytes(16), { ...fields, fragmentOffset: 8 }).sent, [])
    assert.strictEqual(arrive(Lan.bytes(16), { ...fields, moreFragments: true }).sent.length, 1)
  })

  it("quote a checksum that a link handed over unfinished as it would be on a wire (VIRTIO 1.2 §5.1.6.4.1)", () => {
    const finished = Lan.datagram(7, 9999, Lan.bytes(21))
    const bytes = finished.slice()
    const checksumAt = 14 + 20 + 6
    bytes.set([0x12, 0x34], checksumAt)
    const self = introduced()
    self.deliver(link, {
      ...Frame.plain(bytes),
      checksum: "partial",
      checksumStart: 14 + 20,
      checksumOffset: 6
    })
    const [answer] = Lan.sent(self)
    assert.deepStrictEqual(answer!.payload, finished.slice(14))
  })

  it("are limited to a rate, and what exceeds it is counted (rfc: 1812 §4.3.2.8)", () => {
    const self = introduced({ limits: { icmpErrorsPerSecond: 10, icmpErrorBurst: 5 } })
    const flood = (count: number): number => {
      for (let i = 0; i < count; i++) self.deliver(link, Lan.datagram(7, 9999, Lan.bytes(4)))
      return self.takeFrames(link).length
    }
    assert.strictEqual(flood(20), 5)
    assert.strictEqual(self.dropCount("IcmpRateLimited"), 15)
    self.advance(Time.millis(300))
    assert.strictEqual(flood(20), 3)
    assert.strictEqual(self.counter("icmpErrorsSent"), 8)
  })

  it("don't count echo replies against the rate", () => {
    const self = introduced({ limits: { icmpErrorsPerSecond: 1, icmpErrorBurst: 1 } })
    for (let i = 0; i < 10; i++) self.deliver(link, Lan.ethernet(Lan.ip(Lan.echo(1, i))))
    assert.strictEqual(self.takeFrames(link).length, 10)
  })
})

describe("Icmp errors received", () => {
  const router = Address.v4(10, 0, 0, 254)

  /** A host with a ping on its way, and the error that a router answers it with. */
  const answered = (message: Icmpv4.Fields, damage: (quoted: Uint8Array) => Uint8Array = (quoted) => quoted) => {
    const self = introduced()
    const asked = self.request(Lan.ping(there))
    const quoted = damage(self.takeFrames(link)[0]!.slice(14))
    const { dropped } = Lan.deliver(self, Lan.ethernet(Lan.ip(Lan.icmp(message, quoted), { source: router })))
    const outcome = asked.outcome()
    return { dropped, result: outcome._tag === "Failed" ? outcome.reason : outcome._tag }
  }

  const unreachable = (code: number, what: UnreachableKind): readonly [string, Icmpv4.Fields, Reason] => [
    `unreachable ${code}`,
    { _tag: "Unreachable", code, mtu: 0 },
    { _tag: "Unreachable", what, icmp: { version: 4, type: 3, code, from: router } }
  ]
  const kinds: ReadonlyArray<readonly [string, Icmpv4.Fields, Reason]> = [
    unreachable(0, "network"),
    unreachable(1, "host"),
    unreachable(2, "protocol"),
    unreachable(3, "port"),
    unreachable(5, "sourceRouteFailed"),
    unreachable(6, "network"),
    unreachable(7, "host"),
    unreachable(8, "host"),
    unreachable(9, "prohibited"),
    unreachable(10, "prohibited"),
    unreachable(11, "network"),
    unreachable(12, "host"),
    unreachable(13, "prohibited"),
    unreachable(200, "network"),
    [
      "time exceeded in transit",
      { _tag: "TimeExceeded", code: 0 },
      { _tag: "Unreachable", what: "hopLimit", icmp: { version: 4, type: 11, code: 0, from: router } }
    ],
    [
      "parameter problem",
      { _tag: "ParameterProblem", code: 0, pointer: 20 },
      { _tag: "Unreachable", what: "protocol", icmp: { version: 4, type: 12, code: 0, from: router } }
    ],
    ["too big", { _tag: "Unreachable", code: 4, mtu: 900 }, { _tag: "MessageTooLarge", limit: 872 }]
  ]
  for (const [what, message, reason] of kinds) {
    it(`end what they are about, with who said it: ${what} (rfc: 792, rfc: 1122 §3.2.2.1 MUST)`, () => {
      assert.deepStrictEqual(answered(message), { dropped: [], result: reason })
    })
  }

  const wrong: ReadonlyArray<readonly [string, (quoted: Uint8Array) => Uint8Array, string]> = [
    ["another source", (quoted) => quoted.with(15, 77), "IcmpErrorNotOurs"],
    ["another destination", (quoted) => quoted.with(19, 77), "IcmpErrorNotOurs"],
    ["another identifier", (quoted) => quoted.with(24, quoted[24]! ^ 1), "IcmpErrorNotOurs"],
    ["a protocol that this host does not speak", (quoted) => quoted.with(9, 200), "IcmpErrorNotOurs"],
    ["a later fragment", (quoted) => quoted.with(7, 1), "IcmpErrorNotOurs"],
    ["an error of this host", (quoted) => quoted.with(20, 3), "IcmpErrorAboutError"],
    ["less than eight octets behind its header", (quoted) => quoted.slice(0, 27), "Malformed"],
    ["something that is no IPv4 packet", (quoted) => quoted.with(0, 0x60), "Malformed"]
  ]
  for (const [what, damage, reason] of wrong) {
    it(`are not believed when they quote ${what} (rfc: 1122 §3.2.2, rfc: 5927 §4.1)`, () => {
      const message: Icmpv4.Fields = { _tag: "Unreachable", code: 1, mtu: 0 }
      assert.deepStrictEqual(answered(message, damage), { dropped: [reason], result: "Pending" })
    })
  }

  it("are not believed when they come to everybody", () => {
    const self = introduced()
    const asked = self.request(Lan.ping(there))
    const quoted = self.takeFrames(link)[0]!.slice(14)
    const error = Lan.icmp({ _tag: "Unreachable", code: 1, mtu: 0 }, quoted)
    const frame = Lan.ethernet(Lan.ip(error, { destination: Address.broadcastV4 }), { to: Mac.broadcast })
    assert.deepStrictEqual(Lan.deliver(self, frame).dropped, ["IcmpErrorNotOurs"])
    assert.strictEqual(asked.outcome()._tag, "Pending")
  })
})
