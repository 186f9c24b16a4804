import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import type * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import type * as Ipv4 from "../../../src/wire/Ipv4.ts"
import * as Lan from "../Lan.ts"
import * as Seeded from "../Seeded.ts"

const { link, there } = Lan

const introduced = (options?: Host.Options): Host.Host => {
  const self = Lan.host(options)
  Lan.introduce(self)
  return self
}

/** Frames with the parts of a message, cut at the given offsets. */
const cut = (message: Uint8Array, at: ReadonlyArray<number>, fields: Partial<Ipv4.Fields> = {}): Array<Uint8Array> => {
  const bounds = [0, ...at, message.length]
  return bounds.slice(1).map((end, i) =>
    fragment(message, bounds[i]!, end, { ...fields, moreFragments: end < message.length })
  )
}

const fragment = (message: Uint8Array, start: number, end: number, fields: Partial<Ipv4.Fields> = {}): Uint8Array =>
  Lan.ethernet(Lan.ip(message.slice(start, end), { fragmentOffset: start, ...fields }))

const udpMessage = (length: number): Uint8Array => Lan.udp(7, 8, Lan.bytes(length))
const asUdp = { protocol: IpProtocol.udp }

describe("Reassembly", () => {
  it("puts fragments together in any order (rfc: 791 §3.2, rfc: 1122 §3.3.2 MUST)", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = Seeded.make(seed)
      const self = introduced()
      const socket = Lan.bind(self, 8)
      const payload = Lan.bytes(1 + random.below(4000), seed)
      const message = Lan.udp(7, 8, payload)
      const at: Array<number> = []
      for (let offset = 8 * (1 + random.below(60)); offset < message.length; offset += 8 * (1 + random.below(60))) {
        at.push(offset)
      }
      const frames = cut(message, at, asUdp)
      while (frames.length > 0) self.deliver(link, frames.splice(random.below(frames.length), 1)[0]!)
      assert.deepStrictEqual(self.call(Lan.receive(socket)).map(({ bytes }) => bytes), [payload])
      assert.strictEqual(self.memory(), 0)
      assert.strictEqual(self.counter("reassembled"), at.length === 0 ? 0 : 1)
    }
  })

  it("answers an echo in fragments with an echo in fragments", () => {
    const self = introduced()
    const data = Lan.bytes(5000)
    for (const frame of cut(Lan.echo(1, 2, data), [1480, 2960, 4440])) self.deliver(link, frame)
    const frames = Lan.sent(self)
    assert.deepStrictEqual(frames.map(({ ip }) => [ip!.fragmentOffset, ip!.moreFragments]), [
      [0, true],
      [1480, true],
      [2960, true],
      [4440, false]
    ])
    const whole = Uint8Array.from(frames.flatMap(({ payload }) => Array.from(payload)))
    assert.deepStrictEqual(whole.slice(8), data)
    assert.strictEqual(new Set(frames.map(({ ip }) => ip!.identification)).size, 1)
  })

  it("keeps packets apart by source, destination, protocol and identification (rfc: 791 §3.2)", () => {
    const self = introduced()
    const socket = Lan.bind(self, 8)
    const other = Address.v4(10, 0, 0, 8)
    const message = udpMessage(100)
    const [a1, a2] = cut(message, [56], asUdp)
    const [, b2] = cut(message, [56], { ...asUdp, identification: 8 })
    const [, c2] = cut(message, [56], { ...asUdp, source: other })
    const [, d2] = cut(message, [56], { protocol: 99 })
    for (const frame of [a1!, b2!, c2!, d2!]) self.deliver(link, frame)
    assert.strictEqual(self.request(Lan.receive(socket, false)).outcome()._tag, "Failed")
    self.deliver(link, a2!)
    assert.strictEqual(self.call(Lan.receive(socket)).length, 1)
  })

  it("takes the same fragment twice for once (rfc: 8200 §4.5)", () => {
    const self = introduced()
    const socket = Lan.bind(self, 8)
    const [first, second] = cut(udpMessage(100), [56], asUdp)
    self.deliver(link, first!)
    self.deliver(link, first!)
    self.deliver(link, second!)
    assert.strictEqual(self.call(Lan.receive(socket)).length, 1)
    assert.deepStrictEqual(Lan.dropped(self), [])
  })

  const overlaps: ReadonlyArray<readonly [string, number, number]> = [
    ["reaches into the next", 32, 64],
    ["reaches into the one before", 8, 24],
    ["lies within another", 8, 16],
    ["covers another", 0, 64]
  ]
  for (const [what, start, end] of overlaps) {
    it(`refuses a packet of which a fragment ${what}, and what comes later of it (rfc: 5722 §4)`, () => {
      const self = introduced()
      const socket = Lan.bind(self, 8)
      const message = udpMessage(112)
      const part = (from: number, to: number) =>
        fragment(message, from, to, { ...asUdp, moreFragments: to < message.length })
      self.deliver(link, part(0, 16))
      self.deliver(link, part(56, 120))
      self.deliver(link, part(start, end))
      assert.deepStrictEqual(Lan.dropped(self), ["FragmentOverlap"])
      self.deliver(link, part(16, 56))
      assert.deepStrictEqual(Lan.dropped(self), ["FragmentOverlap"])
      for (const frame of cut(message, [56], asUdp)) self.deliver(link, frame)
      assert.deepStrictEqual(Lan.dropped(self), ["FragmentOverlap", "FragmentOverlap"])
      assert.strictEqual(self.request(Lan.receive(socket, false)).outcome()._tag, "Failed")
      self.advance(Time.seconds(60))
      assert.strictEqual(self.memory(), 0)
      for (const frame of cut(message, [56], asUdp)) self.deliver(link, frame)
      assert.strictEqual(self.call(Lan.receive(socket)).length, 1)
    })
  }

  it("refuses a second end, and what lies behind the end", () => {
    const message = udpMessage(112)
    const last = (start: number, end: number) => fragment(message, start, end, { ...asUdp, moreFragments: false })
    const more = (start: number, end: number) => fragment(message, start, end, { ...asUdp, moreFragments: true })
    for (const frames of [[last(32, 64), last(64, 96)], [last(32, 64), more(64, 96)], [more(64, 96), last(32, 64)]]) {
      const self = introduced()
      for (const frame of frames) self.deliver(link, frame)
      assert.deepStrictEqual(Lan.dropped(self), ["FragmentTooLong"])
    }
  })

  const shapes: ReadonlyArray<readonly [string, Partial<Ipv4.Fields>, number, string]> = [
    ["no payload", { ...asUdp, moreFragments: true }, 0, "FragmentTooSmall"],
    ["an uneven length before the end (rfc: 791 §3.2)", { ...asUdp, moreFragments: true }, 12, "FragmentTooSmall"],
    [
      "part of a TCP header only (rfc: 1858 §3)",
      { protocol: IpProtocol.tcp, moreFragments: true },
      8,
      "FragmentTooSmall"
    ],
    [
      "TCP flags in a fragment of their own (rfc: 3128 §4)",
      { protocol: IpProtocol.tcp, fragmentOffset: 8 },
      40,
      "FragmentTooSmall"
    ],
    ["an end beyond the largest packet (rfc: 791 §3.1)", { ...asUdp, fragmentOffset: 65_528 }, 16, "FragmentTooLong"]
  ]
  for (const [what, fields, length, reason] of shapes) {
    it(`drops a fragment with ${what}`, () => {
      const self = introduced()
      assert.deepStrictEqual(Lan.deliver(self, Lan.ethernet(Lan.ip(Lan.bytes(length), fields))).dropped, [reason])
      assert.strictEqual(self.memory(), 0)
    })
  }

  it("gives up after a minute, and tells the sender if the first fragment had come (rfc: 1122 §3.3.2 MUST)", () => {
    const self = introduced()
    const message = udpMessage(100)
    const [first] = cut(message, [56], asUdp)
    self.deliver(link, first!)
    self.advance(Time.millis(59_999))
    assert.deepStrictEqual(Lan.dropped(self), [])
    self.advance(Time.millis(1))
    assert.deepStrictEqual(Lan.dropped(self), ["FragmentTimeout"])
    const told = Lan.sent(self).find(({ icmp }) => icmp !== undefined)
    assert.strictEqual(told?.icmp?._tag === "TimeExceeded" ? told.icmp.code : -1, 1)
    assert.strictEqual(told!.ip!.destination, there)
    assert.deepStrictEqual(told!.payload, first!.slice(14))
    assert.strictEqual(self.memory(), 0)
  })

  it("gives up in silence if the first fragment never came (rfc: 1122 §3.3.2)", () => {
    const self = introduced()
    const [, second] = cut(udpMessage(100), [56], asUdp)
    self.deliver(link, second!)
    self.advance(Time.seconds(60))
    assert.deepStrictEqual(Lan.dropped(self), ["FragmentTimeout"])
    assert.deepStrictEqual(Lan.sent(self).filter(({ icmp }) => icmp !== undefined), [])
  })

  it("does not let a late fragment renew the time (rfc: 1122 §3.3.2 SHOULD)", () => {
    const self = introduced()
    const frames = cut(udpMessage(300), [56, 112], asUdp)
    self.deliver(link, frames[0]!)
    self.advance(Time.seconds(59))
    self.deliver(link, frames[1]!)
    self.advance(Time.seconds(1))
    assert.deepStrictEqual(Lan.dropped(self), ["FragmentTimeout"])
  })

  it("gives each packet its own minute", () => {
    const self = introduced()
    const begin = (identification: number) =>
      self.deliver(link, cut(udpMessage(100), [56], { ...asUdp, identification })[0]!)
    begin(1)
    self.advance(Time.seconds(10))
    begin(2)
    self.advance(Time.seconds(50))
    assert.strictEqual(self.dropCount("FragmentTimeout"), 1)
    self.advance(Time.seconds(10))
    assert.strictEqual(self.dropCount("FragmentTimeout"), 2)
  })

  it("hands on a congestion mark of any fragment, and refuses marks on what can't be marked (rfc: 3168 §5.3)", () => {
    const self = introduced()
    const socket = Lan.bind(self, 8)
    const message = udpMessage(100)
    const marked = (identification: number, a: number, b: number) => {
      const one = { ...asUdp, identification, moreFragments: true, trafficClass: a }
      self.deliver(link, fragment(message, 0, 56, one))
      self.deliver(link, fragment(message, 56, 108, { ...asUdp, identification, trafficClass: b }))
    }
    marked(1, 2, 3)
    marked(2, 0, 3)
    assert.deepStrictEqual(self.call(Lan.receive(socket)).map(({ trafficClass }) => trafficClass), [3])
    assert.deepStrictEqual(Lan.dropped(self), ["FragmentMarksMixed"])
  })

  it("takes the first fragment's hop limit and options, and verifies the whole's checksum", () => {
    const self = introduced()
    const socket = Lan.bind(self, 8)
    const message = udpMessage(100)
    const damaged = message.with(60, message[60]! ^ 1)
    for (const frame of cut(damaged, [56], { ...asUdp, identification: 5 })) self.deliver(link, frame)
    assert.deepStrictEqual(Lan.dropped(self), ["UdpChecksum"])
    self.deliver(link, fragment(message, 56, 108, { ...asUdp, hopLimit: 3 }))
    self.deliver(link, fragment(message, 0, 56, { ...asUdp, hopLimit: 9, moreFragments: true }))
    assert.strictEqual(self.call(Lan.receive(socket))[0]!.hopLimit, 9)
  })
})
