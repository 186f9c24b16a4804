import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Wire from "../../../src/testing/Wire.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Arp from "../../../src/wire/Arp.ts"
import * as Ethernet from "../../../src/wire/Ethernet.ts"
import * as Icmpv4 from "../../../src/wire/Icmpv4.ts"
import * as Ipv4 from "../../../src/wire/Ipv4.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Malformed from "../../../src/wire/Malformed.ts"
import * as Lan from "../Lan.ts"

const a = Address.v4(10, 0, 0, 1)
const b = Address.v4(10, 0, 0, 2)

const pair = () => {
  const one = Host.make({ seed: 1, interfaces: [{ addresses: [[a, 24]] }] })
  const two = Host.make({ seed: 2, interfaces: [{ addresses: [[b, 24]] }] })
  return { one, two, wire: Wire.make([one, two]) }
}

const ping = (destination: Address.Address, payload: Uint8Array = Uint8Array.of(1, 2, 3)) => ({
  _tag: "Ping",
  destination,
  source: undefined,
  payload,
  hopLimit: undefined,
  dontFragment: false,
  timeout: Time.seconds(1),
  link: undefined
} as const)

const parsed = <A>(value: A | Malformed.Malformed): A => {
  assert.isFalse(Malformed.isMalformed(value))
  return value as A
}

describe("Ping", () => {
  it("is answered by the other host on the wire, after ARP (rfc: 792, rfc: 826, rfc: 1122 §3.2.2.6)", () => {
    const { one, two, wire } = pair()
    const asked = one.request(ping(b))
    assert.deepStrictEqual(asked.outcome(), { _tag: "Pending" })
    wire.exchange()
    assert.deepStrictEqual(asked.outcome(), {
      _tag: "Done",
      value: { from: b, roundTrip: Time.zero, hopLimit: 64, bytes: 11, isIntact: true }
    })
    const frames = wire.carried
    assert.strictEqual(frames.length, 4)
    const [question, answer, request, reply] = frames.map((frame) => parsed(Ethernet.parse(frame, 0, frame.length)))
    assert.strictEqual(question!.type, Ethernet.EtherType.arp)
    assert.strictEqual(question!.destination, Mac.broadcast)
    assert.deepStrictEqual(
      parsed(Arp.parse(frames[0]!, 14, frames[0]!.length)),
      Arp.request(Host.macOf(1, 1), a, b)
    )
    assert.strictEqual(answer!.destination, Host.macOf(1, 1))
    assert.strictEqual(request!.destination, Host.macOf(2, 1))
    assert.strictEqual(reply!.type, Ethernet.EtherType.ipv4)
    const ip = parsed(Ipv4.parse(frames[3]!, 14, frames[3]!.length))
    assert.strictEqual(ip.source, b)
    assert.isTrue(Icmpv4.verify(frames[3]!, ip.payloadStart, ip.payloadEnd))
    assert.strictEqual(parsed(Icmpv4.parse(frames[3]!, ip.payloadStart, ip.payloadEnd))._tag, "EchoReply")
    assert.deepStrictEqual([one.drops(), two.drops()], [[], []])
    assert.strictEqual(two.counter("icmpEchoAnswered"), 1)
  })

  it("stays inside for the host's own addresses, and arrives intact", () => {
    const { one } = pair()
    for (const destination of [a, Address.loopbackV4]) {
      const outcome = one.request(ping(destination, Lan.bytes(60_000))).outcome()
      assert.deepStrictEqual(outcome, {
        _tag: "Done",
        value: { from: destination, roundTrip: Time.zero, hopLimit: 64, bytes: 60_008, isIntact: true }
      })
    }
    assert.deepStrictEqual(one.takeFrames(1), [])
  })

  it("measures the time to the frame's arrival", () => {
    const { one, two } = pair()
    const arp = one.request(ping(b))
    Wire.make([one, two]).exchange()
    assert.strictEqual(arp.outcome()._tag, "Done")
    const asked = one.request(ping(b))
    const [request] = one.takeFrames(1)
    two.deliver(1, request!)
    one.advance(Time.millis(12))
    one.deliver(1, two.takeFrames(1)[0]!)
    const outcome = asked.outcome()
    assert.strictEqual(outcome._tag === "Done" ? outcome.value.roundTrip : -1, Time.millis(12))
  })

  it("times out when nobody answers, after the time asked for, and leaves nothing behind", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const before = self.snapshot()["ping.echoes"]
    const asked = self.request({ ...Lan.ping(Lan.there), timeout: Time.millis(250) })
    self.advance(Time.micros(249_999))
    assert.strictEqual(asked.outcome()._tag, "Pending")
    self.advance(Time.micros(1))
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "ping" } })
    assert.deepStrictEqual(self.snapshot()["ping.echoes"], before)
    assert.strictEqual(self.state.tickets.size, 0)
  })

  it("takes an answer once, from who was asked", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const asked = self.request(Lan.ping(Lan.there))
    const sent = Lan.sent(self)[0]!
    const { identifier, sequence } = sent.icmp as Extract<Icmpv4.Header, { readonly _tag: "EchoRequest" }>
    const reply = Lan.icmp({ _tag: "EchoReply", identifier, sequence }, sent.payload)
    const from = (source: Address.Ipv4) => Lan.deliver(self, Lan.ethernet(Lan.ip(reply, { source }))).dropped
    assert.deepStrictEqual(from(Address.v4(10, 0, 0, 77)), ["PingNoSocket"])
    assert.strictEqual(asked.outcome()._tag, "Pending")
    assert.deepStrictEqual(from(Lan.there), [])
    assert.strictEqual(asked.outcome()._tag, "Done")
    assert.deepStrictEqual(from(Lan.there), ["PingNoSocket"])
  })

  it("tells when the data came back changed", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const asked = self.request(Lan.ping(Lan.there))
    const sent = Lan.sent(self)[0]!
    const { identifier, sequence } = sent.icmp as Extract<Icmpv4.Header, { readonly _tag: "EchoRequest" }>
    self.deliver(1, Lan.ethernet(Lan.ip(Lan.icmp({ _tag: "EchoReply", identifier, sequence }, Lan.bytes(8, 9)))))
    const outcome = asked.outcome()
    assert.isFalse(outcome._tag === "Done" && outcome.value.isIntact)
  })

  it("takes an answer of anybody when everybody was asked", () => {
    const { one, wire } = pair()
    const asked = one.request(ping(Address.v4(10, 0, 0, 255)))
    wire.exchange()
    assert.strictEqual(asked.outcome()._tag, "Pending")
    assert.strictEqual(wire.carried.length, 1)
    const request = Lan.read(wire.carried[0]!)
    const { identifier, sequence } = request.icmp as Extract<Icmpv4.Header, { readonly _tag: "EchoRequest" }>
    const reply = Lan.icmp({ _tag: "EchoReply", identifier, sequence }, request.payload)
    one.deliver(1, Lan.ethernet(Lan.ip(reply, { source: b, destination: a }), { to: Host.macOf(1, 1) }))
    const outcome = asked.outcome()
    assert.strictEqual(outcome._tag === "Done" ? outcome.value.from : 0, b)
  })

  it("keeps many at once apart", () => {
    const { one, wire } = pair()
    const asked = Array.from({ length: 300 }, (_, i) => one.request(ping(b, Lan.bytes(i % 50, i))))
    one.advance(Time.zero)
    wire.exchange()
    const done = asked.filter((each) => {
      const outcome = each.outcome()
      return outcome._tag === "Done" && outcome.value.isIntact
    })
    // Those for which there was no room while the neighbour's address was unknown are lost, as on any network.
    assert.isAtLeast(done.length, 60)
    const again = Array.from({ length: 300 }, (_, i) => one.request(ping(b, Lan.bytes(i % 50, i))))
    wire.exchange()
    assert.isTrue(again.every((each) => each.outcome()._tag === "Done"))
  })

  it("refuses what makes no sense", () => {
    const self = Lan.host()
    const reasonOf = (asked: Host.Asked<unknown>) => {
      const outcome = asked.outcome()
      return outcome._tag === "Failed" ? outcome.reason._tag : outcome._tag
    }
    assert.strictEqual(reasonOf(self.request({ ...Lan.ping(b), timeout: Time.zero })), "InvalidArgument")
    assert.strictEqual(reasonOf(self.request({ ...Lan.ping(b), timeout: Time.micros(NaN) })), "InvalidArgument")
    assert.strictEqual(reasonOf(self.request({ ...Lan.ping(b), source: b })), "AddressNotAvailable")
    assert.strictEqual(reasonOf(self.request(Lan.ping(Address.v4(192, 0, 2, 1)))), "Unreachable")
    assert.strictEqual(reasonOf(self.request(Lan.ping(Address.v6(0x20010db8, 0, 0, 1)))), "Unreachable")
    assert.strictEqual(self.state.tickets.size, 0)
    assert.strictEqual(self.state.ping.echoes.size, 0)
  })

  it("forgets a request whose waiter is gone", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const asked = self.request(Lan.ping(Lan.there))
    self.abandon(asked)
    assert.strictEqual(self.state.ping.echoes.size, 0)
    assert.strictEqual(self.state.tickets.size, 0)
    self.advance(Time.seconds(20))
    assert.strictEqual(asked.outcome()._tag, "Pending")
  })

  it("finds the routers on the way by small hop limits (traceroute)", () => {
    const self = Lan.host({ interfaces: [{ addresses: [[Lan.here, 24]], gateway: Lan.there }] })
    Lan.introduce(self)
    const router = Address.v4(203, 0, 113, 5)
    const asked = self.request({ ...Lan.ping(Address.v4(192, 0, 2, 1)), hopLimit: 2 })
    const frame = self.takeFrames(1)[0]!
    assert.strictEqual(Lan.read(frame).ip!.hopLimit, 2)
    self.deliver(
      1,
      Lan.ethernet(Lan.ip(Lan.icmp({ _tag: "TimeExceeded", code: 0 }, frame.slice(14, 42)), { source: router }))
    )
    assert.deepStrictEqual(asked.outcome(), {
      _tag: "Failed",
      reason: { _tag: "Unreachable", what: "hopLimit", icmp: { version: 4, type: 11, code: 0, from: router } }
    })
  })
})
