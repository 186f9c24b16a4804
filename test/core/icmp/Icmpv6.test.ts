/**
 * ICMPv6 errors, both ways, as frames (RFC 4443; RFC 8200 §4; RFC 8201).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Ethernet from "../../../src/wire/Ethernet.ts"
import * as Icmpv6 from "../../../src/wire/Icmpv6.ts"
import * as Ipv6 from "../../../src/wire/Ipv6.ts"
import * as Malformed from "../../../src/wire/Malformed.ts"
import { ip6 } from "../ipv6/address.ts"

const link = 1
const here = ip6("2001:db8::1")
const there = ip6("2001:db8::9")
const thereMac = 0x0200_0000_9999

const make = (): Host.Host => {
  const host = Host.make({ seed: 1, interfaces: [{ addresses: [[here, 64]] }] })
  host.call({ _tag: "SetNeighbor", link, address: there, mac: thereMac })
  return host
}

/** A frame from the neighbour. */
const frame = (protocol: number, payload: ReadonlyArray<number>, fields: Partial<Ipv6.Fields> = {}): Uint8Array => {
  const bytes = new Uint8Array(54 + payload.length)
  const destination = fields.destination === undefined ? Host.macOf(1, 1) : 0x3333_0000_0001
  Ethernet.emit({ destination, source: thereMac, type: Ethernet.EtherType.ipv6 }, bytes, 0)
  const whole = { source: there, destination: here, hopLimit: 64, trafficClass: 0, flowLabel: 0, ...fields }
  Ipv6.emit({ ...whole, protocol, payloadLength: payload.length }, bytes, 14)
  bytes.set(payload, 54)
  return bytes
}

const icmp = (message: Icmpv6.Fields, quoted: Uint8Array): Uint8Array => {
  const payload = new Uint8Array(8 + quoted.length)
  payload.set(quoted, Icmpv6.emit(message, payload, 0, Checksum.fold(Checksum.pseudo(there, here, 58, payload.length))))
  Checksum.complete(payload, 0, payload.length, 2)
  return frame(58, Array.from(payload))
}

/** The errors that a host has sent, with the octets that they quote. */
const errorsOf = (host: Host.Host) =>
  host.takeFrames(link).flatMap((sent) => {
    const header = Ipv6.parse(sent, 14, sent.length)
    if (Malformed.isMalformed(header) || header.protocol !== 58) return []
    const { destination, payloadEnd, payloadStart, source } = header
    const pseudo = Checksum.pseudo(source, destination, 58, payloadEnd - payloadStart)
    assert.isTrue(Icmpv6.verify(sent, payloadStart, payloadEnd, pseudo))
    const message = Icmpv6.parse(sent, payloadStart, payloadEnd)
    if (Malformed.isMalformed(message) || !Icmpv6.isError(message)) return []
    const { payloadEnd: end, payloadStart: start, ...said } = message
    return [{ said, quoted: sent.slice(start, end) }]
  })

const saidOf = (host: Host.Host): ReadonlyArray<object> => errorsOf(host).map(({ said }) => said)

const udp = (length: number): ReadonlyArray<number> => {
  const bytes = new Uint8Array(length)
  bytes.set([0, 9, 0, 99, length >> 8, length & 0xff])
  const pseudo = Checksum.fold(Checksum.pseudo(there, here, 17, length))
  bytes.set([pseudo >>> 8, pseudo], 6)
  Checksum.complete(bytes, 0, length, 6)
  return Array.from(bytes)
}

const zeros = (length: number): ReadonlyArray<number> => new Array<number>(length).fill(0)

describe("ICMPv6 errors that a host sends", () => {
  it("name a port that nobody has, and quote as much as every link carries (rfc: 4443 §3.1, §2.4 (c) MUST)", () => {
    const host = make()
    const asked = frame(17, udp(1400))
    host.deliver(link, asked)
    const [error] = errorsOf(host)
    assert.deepStrictEqual<object>(error!.said, { _tag: "Unreachable", code: 4 })
    assert.deepStrictEqual(error!.quoted, asked.slice(14, 14 + 1280 - 48))
  })

  it("name an unknown protocol, and where its number stands (rfc: 8200 §4, 4443 §3.4)", () => {
    const host = make()
    host.deliver(link, frame(253, zeros(8)))
    host.deliver(link, frame(60, [253, 0, 1, 4, 0, 0, 0, 0, ...zeros(8)]))
    assert.deepStrictEqual(saidOf(host), [
      { _tag: "ParameterProblem", code: 1, pointer: 6 },
      { _tag: "ParameterProblem", code: 1, pointer: 40 }
    ])
  })

  it("name options and routes that are not known, by what they ask for (rfc: 8200 §4.2, §4.4)", () => {
    const host = make()
    const option = (type: number) => [17, 0, type, 4, 0, 0, 0, 0, ...udp(8)]
    host.deliver(link, frame(60, option(0x1e)))
    assert.deepInclude(saidOf(host)[0], { _tag: "Unreachable", code: 4 })
    host.deliver(link, frame(60, option(0x5e)))
    assert.deepStrictEqual(saidOf(host), [])
    host.deliver(link, frame(60, option(0x9e)))
    host.deliver(link, frame(60, option(0xde)))
    host.deliver(link, frame(43, [17, 0, 0, 1, 0, 0, 0, 0, ...udp(8)]))
    assert.deepStrictEqual(saidOf(host), [
      { _tag: "ParameterProblem", code: 2, pointer: 42 },
      { _tag: "ParameterProblem", code: 2, pointer: 42 },
      { _tag: "ParameterProblem", code: 0, pointer: 42 }
    ])
  })

  it("answer a packet to a group only where an option asks for that (rfc: 4443 §2.4 (e.3) MUST NOT)", () => {
    const host = make()
    const destination = ip6("ff02::1")
    host.deliver(link, frame(17, udp(8), { destination }))
    host.deliver(link, frame(60, [17, 0, 0xde, 4, 0, 0, 0, 0, ...udp(8)], { destination }))
    assert.deepStrictEqual(saidOf(host), [])
    host.deliver(link, frame(60, [17, 0, 0x9e, 4, 0, 0, 0, 0, ...udp(8)], { destination }))
    assert.deepStrictEqual(saidOf(host), [{ _tag: "ParameterProblem", code: 2, pointer: 42 }])
  })

  it("answer no error and nobody without an address (rfc: 4443 §2.4 (e.1), (e.6) MUST NOT)", () => {
    const host = make()
    host.deliver(link, frame(60, [58, 0, 0x9e, 4, 0, 0, 0, 0, 1, 4, ...zeros(14)]))
    host.deliver(link, frame(17, udp(8), { source: ip6("::"), destination: ip6("ff02::1") }))
    assert.deepStrictEqual(saidOf(host), [])
  })

  it("tell of fragments that stay alone, cut short, or too long (rfc: 8200 §4.5)", () => {
    const host = make()
    const fragment = (offset: number, more: number, payload: ReadonlyArray<number>, next = 17) =>
      frame(44, [next, 0, offset >> 8, (offset & 0xf8) | more, 0, 0, 0, 7, ...payload])
    host.deliver(link, fragment(0, 1, udp(13)))
    host.deliver(link, fragment(65_528, 0, zeros(64)))
    // rfc: 7112 §5: it ends before all headers have
    host.deliver(link, fragment(0, 1, zeros(8), 60))
    assert.deepStrictEqual(saidOf(host), [
      { _tag: "ParameterProblem", code: 0, pointer: 4 },
      { _tag: "ParameterProblem", code: 0, pointer: 42 },
      { _tag: "ParameterProblem", code: 3, pointer: 0 }
    ])
    const first = fragment(0, 1, udp(16))
    host.deliver(link, first)
    host.advance(Time.seconds(60))
    const late = errorsOf(host).find(({ said }) => said._tag === "TimeExceeded")
    assert.deepStrictEqual<object>(late!.said, { _tag: "TimeExceeded", code: 1 })
    assert.deepStrictEqual(late!.quoted, first.slice(14))
  })
})

describe("ICMPv6 errors that come in", () => {
  const bound = (host: Host.Host) =>
    host.call({ _tag: "UdpBind", local: undefined, version: undefined, port: 5, link: undefined, options: {} }).socket

  const send = (host: Host.Host, socket: number, length: number): ReadonlyArray<Uint8Array> => {
    host.call({
      _tag: "UdpSend",
      socket,
      remote: there,
      remotePort: 7,
      bytes: new Uint8Array(length),
      block: true
    })
    return host.takeFrames(link)
  }

  it("make packets smaller, down to 1280 and no further (rfc: 8201 §4 MUST)", () => {
    const host = make()
    const socket = bound(host)
    const [whole] = send(host, socket, 1400)
    host.deliver(link, icmp({ _tag: "PacketTooBig", mtu: 1279 }, whole!.slice(14, 1000)))
    assert.strictEqual(send(host, socket, 1400).length, 1)
    host.deliver(link, icmp({ _tag: "PacketTooBig", mtu: 1300 }, whole!.slice(14, 1000)))
    const fragments = send(host, socket, 1400)
    assert.deepStrictEqual(fragments.map(({ length }) => length <= 1300 + 14), [true, true])
    assert.strictEqual(fragments[0]![20], 44)
  })

  it("about what this host has not sent are not heard (rfc: 5927 §4.1)", () => {
    const host = make()
    const [whole] = send(host, bound(host), 100)
    const foreign = whole!.slice(14)
    foreign[14 + 9] = 0x77
    host.deliver(link, icmp({ _tag: "PacketTooBig", mtu: 1300 }, foreign))
    assert.strictEqual(host.dropCount("IcmpErrorNotOurs"), 1)
    host.deliver(link, icmp({ _tag: "Unreachable", code: 4 }, whole!.slice(14, 40)))
    assert.strictEqual(host.dropCount("Malformed"), 1)
  })
})
