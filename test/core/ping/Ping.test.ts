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

const a = Address.v4(10, 0, 0, 1)
const b = Address.v4(10, 0, 0, 2)

const pair = () => {
  const one = Host.make({ seed: 1, interfaces: [{ addresses: [[a, 24]] }] })
  const two = Host.make({ seed: 2, interfaces: [{ addresses: [[b, 24]] }] })
  return { one, two, wire: Wire.make([one, two]) }
}

const ping = (destination: Address.Address, payload = new Uint8Array([1, 2, 3])) => ({
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
  it("is answered by the other host on the wire, after ARP (RFC 792, RFC 826, RFC 1122 §3.2.2.6)", () => {
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
})
