import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Vlan from "../../src/wire/Vlan.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, type Random } from "./laws.ts"

const mac = (random: Random): Mac.Mac => Mac.read(random.bytes(6), 0)

const ethernet: Codec<Ethernet.Fields> = {
  name: "Ethernet",
  ...Ethernet,
  random: (random) => ({ destination: mac(random), source: mac(random), type: random.int(0x10000) })
}

const vlan: Codec<Vlan.Fields> = {
  name: "Vlan",
  ...Vlan,
  random: (random) => ({
    priority: random.int(8),
    dropEligible: random.boolean(),
    identifier: random.int(0xfff),
    type: random.int(0x10000)
  })
}

const arp: Codec<Arp.Header> = {
  name: "Arp",
  ...Arp,
  random: (random) => ({
    operation: random.of(1, 2, 3, 0xffff),
    senderMac: mac(random),
    senderIp: random.int32(),
    targetMac: mac(random),
    targetIp: random.int32()
  })
}

const macA = 0x0200_0000_000a
const macB = 0x0200_0000_000b
const ipA = Address.v4(10, 9, 0, 1)
const ipB = Address.v4(10, 9, 0, 2)

describe("Ethernet", () => {
  holdFor(ethernet)

  it("reads a captured frame", () => {
    assert.deepStrictEqual(Ethernet.parse(golden.arpReply, 0, golden.arpReply.length), {
      destination: macA,
      source: macB,
      type: Ethernet.EtherType.arp,
      payloadStart: 14,
      payloadEnd: 42
    })
  })
})

describe("Vlan", () => {
  holdFor(vlan)

  it("refuses the reserved VLAN 4095 (IEEE 802.1Q table 9-2)", () => {
    const parsed = Vlan.parse(golden.fromHex("0fff0800"), 0, 4)
    assert.strictEqual(Malformed.isMalformed(parsed) && parsed.reason, "BadField")
  })
})

describe("Arp", () => {
  holdFor(arp)

  it("reads a captured reply, and writes the same bytes (RFC 826)", () => {
    const reply = Arp.reply(Arp.request(macA, ipA, ipB), macB)
    const parsed = Arp.parse(golden.arpReply, 14, 42)
    assert.deepStrictEqual(parsed, reply)
    const bytes = new Uint8Array(28)
    Arp.emit(reply, bytes, 0)
    assert.deepStrictEqual(bytes, golden.arpReply.slice(14))
  })

  it("reads a packet that Ethernet padded to 46 bytes", () => {
    const padded = new Uint8Array(46)
    padded.set(golden.arpReply.subarray(14))
    assert.isFalse(Malformed.isMalformed(Arp.parse(padded, 0, 46)))
  })

  it("tells probes and announcements (rfc: 5227 §1.1)", () => {
    const [probe, announcement] = [Arp.probe(macA, ipA), Arp.announcement(macA, ipA)]
    const request = Arp.request(macA, ipA, ipB)
    assert.deepStrictEqual([probe.senderIp, probe.targetIp, probe.targetMac], [0, ipA, 0])
    assert.deepStrictEqual([announcement.senderIp, announcement.targetIp], [ipA, ipA])
    assert.deepStrictEqual([probe, announcement, request].map(Arp.isProbe), [true, false, false])
    assert.deepStrictEqual([probe, announcement, request].map(Arp.isAnnouncement), [false, true, false])
  })

  it("refuses other hardware, other protocols and other lengths (RFC 826)", () => {
    for (const at of [1, 3, 4, 5]) {
      const bytes = golden.arpReply.slice(14)
      bytes[at] = bytes[at]! + 1
      const parsed = Arp.parse(bytes, 0, 28)
      assert.strictEqual(Malformed.isMalformed(parsed) && parsed.reason, "BadField")
    }
  })
})
