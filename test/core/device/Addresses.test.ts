import { assert, describe, it } from "@effect/vitest"
import type { AddressOrigin } from "../../../src/core/Device.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Wire from "../../../src/testing/Wire.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Arp from "../../../src/wire/Arp.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Lan from "../Lan.ts"

const { here, hereMac, link, there, thereMac } = Lan

/** A host with an interface and no address. */
const bare = (probing: boolean, seed = 1): Host.Host =>
  Host.make({ seed, config: { addressProbing: probing }, interfaces: [{}] })

const add = (
  self: Host.Host,
  address: Address.Address = here,
  origin: AddressOrigin = "static",
  more: { readonly preferredUntil?: Time.Instant; readonly validUntil?: Time.Instant; readonly prefixLength?: number } =
    {}
) => self.request({ _tag: "AddAddress", link, address, prefixLength: 24, origin, ...more })

const later = (self: Host.Host, seconds: number): Time.Instant => Time.plus(self.now, Time.seconds(seconds))

const states = (self: Host.Host) =>
  self.notices().flatMap((change) => change._tag === "AddressChanged" ? [change.state] : [])

const stateOf = (self: Host.Host) => self.step.links.get(link)!.addresses.map(({ state }) => state)

/** Lets time pass second by second and answers when each ARP packet went out. */
const watch = (self: Host.Host, seconds: number) => {
  const seen: Array<readonly [number, Arp.Header]> = []
  const start = self.now
  for (let i = 0; i < seconds * 10; i++) {
    self.advance(Time.millis(100))
    for (const { arp } of Lan.sent(self)) {
      if (arp !== undefined) seen.push([Time.between(start, self.now) / 1_000_000, arp])
    }
  }
  return seen
}

describe("Addresses", () => {
  it("probes three times before use, announces twice after, each at its time (rfc: 5227 §2.1.1, §2.3)", () => {
    const self = bare(true)
    assert.strictEqual(add(self).outcome()._tag, "Done")
    assert.deepStrictEqual(stateOf(self), ["tentative"])
    const seen = watch(self, 20)
    assert.deepStrictEqual(seen.map(([, header]) => header), [
      Arp.probe(hereMac, here),
      Arp.probe(hereMac, here),
      Arp.probe(hereMac, here),
      Arp.announcement(hereMac, here),
      Arp.announcement(hereMac, here)
    ])
    const [first, second, third, announced, again] = seen.map(([at]) => at)
    assert.isAtMost(first!, 1.1)
    for (const gap of [second! - first!, third! - second!]) {
      assert.isAtLeast(gap, 0.9)
      assert.isAtMost(gap, 2.1)
    }
    assert.closeTo(announced! - third!, 2, 0.11)
    assert.closeTo(again! - announced!, 2, 0.11)
    assert.deepStrictEqual(states(self), ["tentative", "preferred"])
  })

  it("spreads first probes, so that hosts that start together don't probe together (rfc: 5227 §2.1.1)", () => {
    const firsts = [1, 2, 3, 4, 5].map((seed) => {
      const self = bare(true, seed)
      add(self)
      return self.nextTimer()
    })
    assert.isAbove(new Set(firsts).size, 3)
  })

  it("neither uses nor answers for an address that it is still probing (rfc: 5227 §2.1.1)", () => {
    const self = bare(true)
    add(self)
    assert.deepStrictEqual(Lan.deliver(self, Lan.arp(Arp.request(thereMac, there, here))).sent, [])
    assert.deepStrictEqual(Lan.deliver(self, Lan.ethernet(Lan.ip(Lan.echo()))).dropped, ["IpNotForUs"])
    const outcome = self.request(Lan.ping(there)).outcome()
    assert.deepStrictEqual(outcome, { _tag: "Failed", reason: { _tag: "Unreachable", what: "network" } })
  })

  const conflicts: ReadonlyArray<readonly [string, Arp.Header]> = [
    ["somebody answers a probe", Arp.reply(Arp.probe(hereMac, here), thereMac)],
    ["somebody announces it", Arp.announcement(thereMac, here)],
    ["somebody asks from it", Arp.request(thereMac, here, there)],
    ["somebody probes for it too", Arp.probe(thereMac, here)]
  ]
  for (const [what, header] of conflicts) {
    it(`gives a probed address up when ${what} (rfc: 5227 §2.1.1)`, () => {
      const self = bare(true)
      add(self)
      self.advance(Time.seconds(1))
      self.deliver(link, Lan.arp(header))
      assert.deepStrictEqual(stateOf(self), ["duplicated"])
      assert.deepInclude(self.notices(), { _tag: "AddressConflict", link, address: here, mac: thereMac })
      assert.strictEqual(self.counter("addressConflicts"), 1)
      Lan.sent(self)
      assert.deepStrictEqual(watch(self, 20), [])
    })
  }

  it("does not take its own probe, come back by a loop, for a conflict (rfc: 5227 §2.1.1)", () => {
    const self = bare(true)
    add(self)
    self.deliver(link, Lan.arp(Arp.probe(hereMac, here), { from: thereMac }))
    assert.deepStrictEqual(stateOf(self), ["tentative"])
  })

  it("answers who probes for an address in use (rfc: 5227 §2.1.1, rfc: 826)", () => {
    const self = bare(false)
    add(self)
    Lan.sent(self)
    const { sent } = Lan.deliver(self, Lan.arp(Arp.probe(thereMac, here)))
    assert.deepStrictEqual(sent.map(({ arp }) => arp), [Arp.reply(Arp.probe(thereMac, here), hereMac)])
    assert.strictEqual(self.counter("addressConflicts"), 0)
  })

  it("defends an address in use with one announcement, at most every ten seconds (rfc: 5227 §2.4 (c))", () => {
    const self = bare(false)
    add(self)
    self.advance(Time.seconds(10))
    Lan.sent(self)
    const claim = Lan.arp(Arp.announcement(thereMac, here))
    const { sent } = Lan.deliver(self, claim)
    assert.deepStrictEqual(sent.map(({ arp, ethernet }) => [arp, ethernet.destination]), [
      [Arp.announcement(hereMac, here), Mac.broadcast]
    ])
    self.advance(Time.millis(9_999))
    assert.deepStrictEqual(Lan.deliver(self, claim).sent, [])
    self.advance(Time.millis(1))
    assert.strictEqual(Lan.deliver(self, claim).sent.length, 1)
    assert.deepStrictEqual(stateOf(self), ["preferred"])
    assert.strictEqual(self.counter("addressConflicts"), 3)
  })

  it("gives up a leased address when it is contested twice within ten seconds (rfc: 5227 §2.4 (b))", () => {
    const self = bare(false)
    add(self, here, "dhcp")
    const claim = Lan.arp(Arp.announcement(thereMac, here))
    Lan.deliver(self, claim)
    Lan.deliver(self, claim)
    assert.deepStrictEqual(stateOf(self), ["duplicated"])
    assert.deepStrictEqual(self.call({ _tag: "ListRoutes" }), [])
  })

  it("does not learn who claims its own address as a neighbour (rfc: 5227 §2.4)", () => {
    const self = bare(false)
    add(self)
    Lan.deliver(self, Lan.arp(Arp.announcement(thereMac, here)))
    assert.deepStrictEqual(self.call({ _tag: "ListNeighbors", link }), [])
  })

  it("lets exactly one of two hosts that probe for one address at once have it, or none (rfc: 5227 §2.1.1)", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const one = bare(true, seed)
      const two = Host.make({ seed: seed + 100, config: { addressProbing: true }, interfaces: [{}] })
      const wire = Wire.make([one, two])
      add(one)
      add(two)
      wire.advance(Time.seconds(20))
      const holders = [one, two].filter((host) => stateOf(host)[0] === "preferred")
      assert.isAtMost(holders.length, 1)
    }
  })

  it("announces again when the link has come up (rfc: 5227 §2.3)", () => {
    const self = bare(false)
    add(self)
    self.advance(Time.seconds(5))
    Lan.sent(self)
    self.tell({ _tag: "LinkChanged", link, up: false })
    self.tell({ _tag: "LinkChanged", link, up: true })
    assert.deepStrictEqual(Lan.sent(self).map(({ arp }) => arp), [Arp.announcement(hereMac, here)])
  })

  it("waits for a link that is down, and begins to probe when it comes up (rfc: 5227 §2.1)", () => {
    const self = bare(true)
    self.tell({ _tag: "LinkChanged", link, up: false })
    add(self)
    assert.deepStrictEqual(watch(self, 10), [])
    self.tell({ _tag: "LinkChanged", link, up: true })
    assert.strictEqual(watch(self, 10).length, 5)
    assert.deepStrictEqual(stateOf(self), ["preferred"])
  })

  it("begins again when the link went down while it was probing (rfc: 5227 §2.1)", () => {
    const self = bare(true)
    add(self)
    assert.isAbove(watch(self, 2).length, 0)
    self.tell({ _tag: "LinkChanged", link, up: false })
    assert.deepStrictEqual(watch(self, 10), [])
    assert.deepStrictEqual(stateOf(self), ["tentative"])
    self.tell({ _tag: "LinkChanged", link, up: true })
    const probes = watch(self, 10).filter(([, header]) => Arp.isProbe(header))
    assert.strictEqual(probes.length, 3)
  })

  it("deprecates and removes an address when its time is over (rfc: 4862 §5.5.4)", () => {
    const self = bare(false)
    add(self, here, "dhcp", {
      preferredUntil: later(self, 10),
      validUntil: later(self, 20)
    })
    assert.deepStrictEqual(states(self), ["preferred"])
    self.advance(Time.seconds(10))
    assert.deepStrictEqual(states(self), ["deprecated"])
    assert.strictEqual(self.call({ _tag: "ListRoutes" }).length, 1)
    self.advance(Time.seconds(10))
    assert.deepStrictEqual(states(self), ["removed"])
    assert.deepStrictEqual(stateOf(self), [])
    assert.deepStrictEqual(self.call({ _tag: "ListRoutes" }), [])
  })

  it("takes new lifetimes for an address that it has (rfc: 4862 §5.5.3 (e))", () => {
    const self = bare(false)
    add(self, here, "dhcp", { preferredUntil: later(self, 1), validUntil: later(self, 20) })
    self.advance(Time.seconds(15))
    assert.deepStrictEqual(stateOf(self), ["deprecated"])
    add(self, here, "dhcp", { preferredUntil: later(self, 15), validUntil: later(self, 25) })
    assert.deepStrictEqual(stateOf(self), ["preferred"])
    self.advance(Time.seconds(15))
    assert.deepStrictEqual(stateOf(self), ["deprecated"])
    self.advance(Time.seconds(10))
    assert.deepStrictEqual(stateOf(self), [])
  })

  it("moves an address to another prefix, with its routes", () => {
    const self = bare(false)
    add(self)
    add(self, here, "static", { prefixLength: 16 })
    assert.deepStrictEqual(self.call({ _tag: "ListRoutes" }).map(({ length }) => length), [16])
    assert.strictEqual(self.step.links.get(link)!.addresses.length, 1)
  })

  const refusals: ReadonlyArray<readonly [string, Address.Address, number, string]> = [
    ["a group", Address.v4(224, 0, 0, 1), 24, "InvalidArgument"],
    ["the broadcast address of its prefix", Address.v4(10, 0, 0, 255), 24, "InvalidArgument"],
    ["the name of its prefix", Address.v4(10, 0, 0, 0), 24, "InvalidArgument"],
    ["this network", Address.v4(0, 0, 0, 1), 8, "InvalidArgument"],
    ["a reserved address", Address.v4(250, 0, 0, 1), 8, "InvalidArgument"],
    ["loopback", Address.loopbackV4, 8, "InvalidArgument"],
    ["a prefix of 33 bits", here, 33, "InvalidArgument"],
    ["half a bit", here, 0.5, "InvalidArgument"]
  ]
  for (const [what, address, prefixLength, reason] of refusals) {
    it(`refuses ${what} as address (rfc: 1122 §3.2.1.3)`, () => {
      const outcome = add(bare(false), address, "static", { prefixLength }).outcome()
      assert.strictEqual(outcome._tag === "Failed" ? outcome.reason._tag : "", reason)
    })
  }

  it("accepts both addresses of a 31-bit prefix (rfc: 3021 §2.1)", () => {
    const self = bare(false)
    add(self, Address.v4(10, 0, 0, 0), "static", { prefixLength: 31 })
    add(self, Address.v4(10, 0, 0, 1), "static", { prefixLength: 31 })
    assert.deepStrictEqual(stateOf(self), ["preferred", "preferred"])
  })

  it("refuses an address that another interface has, and forgets none that does not exist", () => {
    const self = Host.make({ interfaces: [{ addresses: [[here, 24]] }, {}] })
    const outcome = self.request({ _tag: "AddAddress", link: 2, address: here, prefixLength: 24, origin: "static" })
      .outcome()
    assert.deepStrictEqual(outcome, { _tag: "Failed", reason: { _tag: "AddressInUse" } })
    assert.deepStrictEqual(self.request({ _tag: "RemoveAddress", link, address: there }).outcome(), {
      _tag: "Failed",
      reason: { _tag: "NotFound", what: "address" }
    })
    assert.deepStrictEqual(self.request({ _tag: "RemoveAddress", link: 9, address: here }).outcome(), {
      _tag: "Failed",
      reason: { _tag: "NotFound", what: "interface" }
    })
  })

  it("is not this host's any more once removed", () => {
    const self = Lan.host()
    self.call({ _tag: "RemoveAddress", link, address: here })
    assert.deepStrictEqual(states(self), ["removed"])
    assert.deepStrictEqual(Lan.deliver(self, Lan.ethernet(Lan.ip(Lan.echo()))).dropped, ["IpNotForUs"])
    assert.isFalse(self.step.ip.isOurs(here))
  })
})

describe("Interfaces", () => {
  it("come with their id and go with all that was theirs", () => {
    const self = Lan.host()
    self.call({ _tag: "AddRoute", prefix: 0, length: 0, gateway: there, link: undefined, metric: 0, source: undefined })
    Lan.introduce(self)
    const waiting = self.request(Lan.ping(Address.v4(10, 0, 0, 5)))
    self.call({ _tag: "DetachLink", link })
    assert.deepStrictEqual(self.call({ _tag: "ListRoutes" }), [])
    assert.deepStrictEqual(self.call({ _tag: "ListNeighbors", link: undefined }), [])
    assert.isFalse(self.step.ip.isOurs(here))
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Failed", reason: { _tag: "Unreachable", what: "host" } })
    assert.strictEqual(self.memory(), 0)
    assert.strictEqual(self.state.queued.get(link), undefined)
    assert.deepInclude(self.notices(), { _tag: "LinkDetached", link, name: "eth0" })
  })

  it("leave what had been before exactly as it was", () => {
    const self = Host.make({ seed: 3 })
    const before = { ...self.snapshot(), drops: [], counters: [], lastId: 0 }
    Host.attach(self, 1, { addresses: [[here, 24]], gateway: there })
    self.call({ _tag: "DetachLink", link: 1 })
    const after = { ...self.snapshot(), drops: [], counters: [], lastId: 0 }
    assert.deepStrictEqual(after, before)
  })

  it("keep the loopback link, whatever the shell says", () => {
    const self = Lan.host()
    self.tell({ _tag: "DetachLink", link: 0 })
    assert.strictEqual(self.step.links.get(0)?.name, "lo")
  })

  it("refuse an id twice, and an MTU below what every link must carry (rfc: 791 §3.2)", () => {
    const self = Lan.host()
    const given = self.step.links.get(link)!
    const again = self.request({ _tag: "AttachLink", interface: given }).outcome()
    assert.strictEqual(again._tag === "Failed" ? again.reason._tag : "", "InvalidArgument")
    const narrow = self.request({ _tag: "AttachLink", interface: { ...given, id: 5, mtu: 67 } }).outcome()
    assert.strictEqual(narrow._tag === "Failed" ? narrow.reason._tag : "", "InvalidArgument")
  })

  it("tell of changes, and follow a new MTU", () => {
    const self = Lan.host()
    Lan.introduce(self)
    self.tell({ _tag: "LinkChanged", link, mtu: 576 })
    assert.deepStrictEqual(self.notices(), [])
    self.request(Lan.ping(there, Lan.bytes(1000)))
    assert.isAbove(Lan.sent(self).length, 1)
    self.notices()
    self.tell({ _tag: "LinkChanged", link, up: false })
    self.tell({ _tag: "LinkChanged", link, up: false })
    assert.deepStrictEqual(self.notices(), [{ _tag: "LinkState", link, up: false }])
  })
})
