import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Arp from "../../../src/wire/Arp.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Lan from "../Lan.ts"

const { here, hereMac, link, there, thereMac } = Lan
const third = Address.v4(10, 0, 0, 3)
const thirdMac = 0x0200_0000_3333

const neighbors = (self: Host.Host) =>
  self.call({ _tag: "ListNeighbors", link: undefined }).map((
    { address, mac, state }
  ) => [Address.format(address), mac, state])

describe("Arp", () => {
  it("answers a request for an address of the interface, to who asks (rfc: 826 §Packet Reception)", () => {
    const self = Lan.host()
    const { dropped, sent } = Lan.deliver(self, Lan.arp(Arp.request(thereMac, there, here)))
    assert.deepStrictEqual(dropped, [])
    assert.strictEqual(sent.length, 1)
    assert.strictEqual(sent[0]!.ethernet.destination, thereMac)
    assert.strictEqual(sent[0]!.ethernet.source, hereMac)
    assert.deepStrictEqual(sent[0]!.arp, {
      operation: Arp.Operation.reply,
      senderMac: hereMac,
      senderIp: here,
      targetMac: thereMac,
      targetIp: there
    })
  })

  it("learns who asks for this host, as a neighbour not yet proven (rfc: 826; rfc: 4861 §7.2.3)", () => {
    const self = Lan.host()
    Lan.deliver(self, Lan.arp(Arp.request(thereMac, there, here)))
    assert.deepStrictEqual(neighbors(self), [["10.0.0.9", thereMac, "Stale"]])
  })

  it("neither answers nor learns from what is for others, and counts it (rfc: 826 §Packet Reception: merge only)", () => {
    const self = Lan.host()
    assert.deepStrictEqual(Lan.deliver(self, Lan.arp(Arp.request(thereMac, there, third))), {
      sent: [],
      dropped: ["ArpNotForUs"]
    })
    assert.deepStrictEqual(neighbors(self), [])
  })

  it("updates what it knows from what it overhears (rfc: 826 §Packet Reception: merge flag)", () => {
    const self = Lan.host()
    Lan.introduce(self)
    Lan.deliver(self, Lan.arp(Arp.request(thirdMac, there, third), { from: thirdMac }))
    assert.deepStrictEqual(neighbors(self), [["10.0.0.9", thirdMac, "Stale"]])
    const announcement = Arp.announcement(thereMac, there)
    Lan.deliver(self, Lan.arp(announcement))
    assert.deepStrictEqual(neighbors(self), [["10.0.0.9", thereMac, "Stale"]])
  })

  it("looking for a hundred who are not there neither forgets who is, nor keeps a new one from being found", () => {
    const self = Host.make({ seed: 1, limits: { neighborEntries: 8 }, interfaces: [{ addresses: [[here, 24]] }] })
    Lan.introduce(self)
    for (let n = 0; n < 100; n++) self.request(Lan.ping(Address.v4(10, 0, 0, 100 + n)))
    const known = neighbors(self)
    assert.strictEqual(known.length, 8)
    assert.isTrue(known.some(([address]) => address === "10.0.0.9"))
    Lan.sent(self)
    self.request(Lan.ping(third))
    const [asked] = Lan.sent(self)
    const { sent } = Lan.deliver(self, Lan.arp(Arp.reply(asked!.arp!, thirdMac), { from: thirdMac }))
    assert.strictEqual(sent[0]!.ethernet.destination, thirdMac)
  })

  it("does not believe a reply that nobody asked for (rfc: 826: a reply creates no entry)", () => {
    const self = Lan.host()
    const reply = Arp.reply(Arp.request(hereMac, here, there), thereMac)
    assert.deepStrictEqual(Lan.deliver(self, Lan.arp(reply)), { sent: [], dropped: ["ArpNotForUs"] })
    assert.deepStrictEqual(neighbors(self), [])
  })

  it("asks by broadcast for a neighbour, and takes the answer as proof (rfc: 826; rfc: 4861 §7.2.5)", () => {
    const self = Lan.host()
    self.request(Lan.ping(there))
    const [asked] = Lan.sent(self)
    assert.strictEqual(asked!.ethernet.destination, Mac.broadcast)
    assert.deepStrictEqual(asked!.arp, Arp.request(hereMac, here, there))
    const { sent } = Lan.deliver(self, Lan.arp(Arp.reply(asked!.arp!, thereMac)))
    assert.strictEqual(sent[0]!.ethernet.destination, thereMac)
    assert.strictEqual(sent[0]!.icmp!._tag, "EchoRequest")
    assert.deepStrictEqual(neighbors(self), [["10.0.0.9", thereMac, "Reachable"]])
  })

  it("takes a broadcast reply as an address, not as proof", () => {
    const self = Lan.host()
    self.request(Lan.ping(there))
    const reply = Arp.reply(Arp.request(hereMac, here, there), thereMac)
    Lan.deliver(self, Lan.arp(reply, { to: Mac.broadcast }))
    // The ping that had waited has gone, so the doubt has begun.
    assert.deepStrictEqual(neighbors(self), [["10.0.0.9", thereMac, "Stale"]])
  })

  it("polls a neighbour that is in doubt at its own address (rfc: 1122 §2.3.2.1 (2))", () => {
    const self = Lan.host()
    Lan.introduce(self)
    self.request(Lan.ping(there))
    Lan.sent(self)
    self.advance(Time.seconds(5))
    const [poll] = Lan.sent(self)
    assert.strictEqual(poll!.ethernet.destination, thereMac)
    assert.deepStrictEqual(poll!.arp, Arp.request(hereMac, here, there))
  })

  it("asks from the address on the target's prefix", () => {
    const second = Address.v4(192, 168, 7, 1)
    const target = Address.v4(192, 168, 7, 2)
    const self = Lan.host({ interfaces: [{ addresses: [[here, 24], [second, 24]] }] })
    self.request(Lan.ping(target))
    assert.deepStrictEqual(Lan.sent(self)[0]!.arp, Arp.request(hereMac, second, target))
  })

  const bad: ReadonlyArray<readonly [string, Arp.Header]> = [
    ["a group as link-layer address", Arp.request(0x0100_5e00_0001, there, here)],
    ["no link-layer address", Arp.request(Mac.zero, there, here)],
    ["this host's link-layer address", Arp.request(hereMac, there, here)],
    ["a group as IP address", Arp.request(thereMac, Address.v4(224, 0, 0, 5), here)],
    ["the limited broadcast address", Arp.request(thereMac, Address.broadcastV4, here)],
    ["the broadcast address of the prefix", Arp.request(thereMac, Address.v4(10, 0, 0, 255), here)],
    ["a loopback address", Arp.request(thereMac, Address.loopbackV4, here)],
    ["no IP address, in a reply", { ...Arp.reply(Arp.request(hereMac, here, 0), thereMac), senderIp: 0 }]
  ]
  for (const [what, header] of bad) {
    it(`drops a sender with ${what} (rfc: 1122 §3.2.1.3)`, () => {
      const self = Lan.host()
      assert.deepStrictEqual(Lan.deliver(self, Lan.arp(header)), { sent: [], dropped: ["ArpBadSender"] })
      assert.deepStrictEqual(neighbors(self), [])
    })
  }

  it("drops what is neither request nor reply, and what is cut off", () => {
    const self = Lan.host()
    const other = { ...Arp.request(thereMac, there, here), operation: 8 }
    assert.deepStrictEqual(Lan.deliver(self, Lan.arp(other)).dropped, ["Malformed"])
    const whole = Lan.arp(Arp.request(thereMac, there, here))
    assert.deepStrictEqual(Lan.deliver(self, whole.slice(0, whole.length - 1)).dropped, ["Malformed"])
  })

  it("counts what it hears and says", () => {
    const self = Lan.host()
    const before = self.counter("arpSent")
    Lan.deliver(self, Lan.arp(Arp.request(thereMac, there, here)))
    assert.strictEqual(self.counter("arpReceived"), 1)
    assert.strictEqual(self.counter("arpSent"), before + 1)
  })
})

describe("Neighbors", () => {
  it("keeps packets until the address is known, and sends them in order (rfc: 1122 §2.3.2.2, rfc: 4861 §7.2.2)", () => {
    const self = Lan.host()
    const socket = Lan.bind(self, 5000)
    for (let i = 0; i < 3; i++) self.call(Lan.send(socket, there, 9, Lan.bytes(4, i)))
    assert.deepStrictEqual(Lan.sent(self).map(({ arp }) => arp?.operation), [Arp.Operation.request])
    assert.isAbove(self.memory("parkedPackets"), 0)
    const { sent } = Lan.deliver(self, Lan.arp(Arp.reply(Arp.request(hereMac, here, there), thereMac)))
    assert.deepStrictEqual(sent.map(({ payload }) => payload), [0, 1, 2].map((i) => Lan.bytes(4, i)))
    assert.strictEqual(self.memory(), 0)
  })

  it("tells transports that a next hop does not answer, as a router would (rfc: 1122 §2.4, §3.3.8)", () => {
    const self = Lan.host()
    const asked = self.request(Lan.ping(there))
    self.advance(Time.seconds(3))
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "Unreachable", what: "host" } })
    assert.deepStrictEqual(Lan.dropped(self), ["NeighborUnreachable"])
    assert.strictEqual(self.counter("neighborFailed"), 1)
    assert.strictEqual(self.memory(), 0)
  })

  it("asks nobody on a link that is down, and drops what would go over it", () => {
    const self = Lan.host()
    self.tell({ _tag: "LinkChanged", link, up: false })
    const asked = self.request(Lan.ping(there))
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "Unreachable", what: "network" } })
    const bound = self.request({ ...Lan.ping(there), link })
    assert.deepStrictEqual(bound.outcome(), { _tag: "Failed", reason: { _tag: "LinkDown" } })
    assert.deepStrictEqual(Lan.sent(self), [])
  })

  it("does not ask again while a transport sees progress (rfc: 4861 §7.3.1)", () => {
    const self = Lan.host()
    Lan.introduce(self)
    self.request(Lan.ping(there))
    Lan.sent(self)
    self.step.links.confirm(self.step, link, there)
    self.step.journal.commit()
    self.advance(Time.seconds(10))
    assert.deepStrictEqual(Lan.sent(self), [])
    assert.deepStrictEqual(neighbors(self), [["10.0.0.9", thereMac, "Reachable"]])
  })

  it("maps groups and broadcasts without asking (rfc: 1112 §6.4, rfc: 894)", () => {
    const self = Lan.host()
    const { socket } = self.call({
      _tag: "UdpBind",
      local: undefined,
      version: 4,
      port: 5000,
      link,
      options: { broadcast: true }
    })
    self.call(Lan.send(socket, Address.v4(239, 129, 2, 3), 9))
    self.call(Lan.send(socket, Address.broadcastV4, 9))
    self.call(Lan.send(socket, Address.v4(10, 0, 0, 255), 9))
    assert.deepStrictEqual(Lan.sent(self).map(({ ethernet }) => Mac.format(ethernet.destination)), [
      "01:00:5e:01:02:03",
      "ff:ff:ff:ff:ff:ff",
      "ff:ff:ff:ff:ff:ff"
    ])
  })

  it("uses a fixed neighbour without asking, and drops it when told", () => {
    const self = Lan.host()
    self.call({ _tag: "SetNeighbor", link, address: there, mac: thereMac })
    self.request(Lan.ping(there))
    assert.strictEqual(Lan.sent(self)[0]!.ethernet.destination, thereMac)
    Lan.deliver(self, Lan.arp(Arp.announcement(thirdMac, there), { from: thirdMac }))
    assert.deepStrictEqual(neighbors(self), [["10.0.0.9", thereMac, "Static"]])
    assert.strictEqual(self.call({ _tag: "FlushNeighbors", link }), 0)
    self.call({ _tag: "RemoveNeighbor", link, address: there })
    assert.deepStrictEqual(neighbors(self), [])
    assert.deepStrictEqual(self.request({ _tag: "RemoveNeighbor", link, address: there }).outcome(), {
      _tag: "Failed",
      reason: { _tag: "NotFound", what: "neighbour" }
    })
  })

  it("refuses to fix what is no single host's, or on a link without addresses", () => {
    const self = Lan.host({ interfaces: [{ addresses: [[here, 24]] }, { medium: "ip" }] })
    const refusal = (address: Address.Address, mac: number, on: number) => {
      const outcome = self.request({ _tag: "SetNeighbor", link: on, address, mac }).outcome()
      return outcome._tag === "Failed" ? outcome.reason._tag : outcome._tag
    }
    assert.strictEqual(refusal(Address.v4(224, 0, 0, 1), thereMac, link), "InvalidArgument")
    assert.strictEqual(refusal(Address.v4(10, 0, 0, 255), thereMac, link), "InvalidArgument")
    assert.strictEqual(refusal(there, Mac.broadcast, link), "InvalidArgument")
    assert.strictEqual(refusal(there, thereMac, 2), "InvalidArgument")
    assert.strictEqual(refusal(there, thereMac, 7), "NotFound")
    assert.strictEqual(refusal(there, thereMac, link), "Done")
  })

  it("forgets neighbours when told, with what waits for them, and gives the credit back", () => {
    const self = Lan.host({ limits: { datagramSendBytes: 100 } })
    Lan.introduce(self, third, thirdMac)
    const socket = Lan.bind(self, 5000)
    self.call(Lan.send(socket, there, 9, Lan.bytes(100)))
    const waiting = self.request(Lan.send(socket, third, 9, Lan.bytes(50)))
    assert.strictEqual(waiting.outcome()._tag, "Pending")
    Lan.sent(self)
    assert.strictEqual(self.call({ _tag: "FlushNeighbors", link }), 2)
    assert.deepStrictEqual(Lan.dropped(self), ["NeighborUnreachable"])
    assert.strictEqual(waiting.outcome()._tag, "Done")
    assert.strictEqual(self.memory("parkedPackets") > 0, true)
    assert.deepStrictEqual(neighbors(self), [["10.0.0.3", undefined, "Incomplete"]])
  })

  it("tells of what it learns", () => {
    const self = Lan.host()
    self.request(Lan.ping(there))
    Lan.deliver(self, Lan.arp(Arp.reply(Arp.request(hereMac, here, there), thereMac)))
    assert.deepStrictEqual(
      self.notices().flatMap((change) => change._tag === "NeighborChanged" ? [[change.state, change.mac]] : []),
      [["Incomplete", undefined], ["Reachable", thereMac]]
    )
  })
})
