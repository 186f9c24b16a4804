/**
 * IPv6 packets of programs on their way: flow labels, fragments, what a path carries (RFC 6437, RFC 6946, RFC 8200 §4.5, RFC 8201).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Host from "../../../src/testing/Host.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Ipv6 from "../../../src/wire/Ipv6.ts"
import * as Lan from "../Lan.ts"
import * as Packets from "../Packets.ts"
import { ip6 } from "./address.ts"

const link = 1
const here = ip6("2001:db8::1")
const there = ip6("2001:db8::9")
const far = ip6("2001:db8:ffff::9")

const make = (): Host.Host => {
  const host = Host.make({ seed: 1, interfaces: [{ addresses: [[here, 64]], gateway: there }] })
  host.call({ _tag: "SetNeighbor", link, address: there, mac: Lan.thereMac })
  return host
}

const headers = (host: Host.Host): ReadonlyArray<Ipv6.Header> =>
  host.takeFrames(link).map((frame) => Lan.sound(Ipv6.parse(frame, 14, frame.length)))

const deliver = (host: Host.Host, packet: Uint8Array): void =>
  host.deliver(link, Packets.frame(packet, Host.macOf(1, 1), Lan.thereMac))

describe("A flow label", () => {
  it("is the same for all packets of a flow, fragments included, and another for others (rfc: 6437 §3 SHOULD)", () => {
    const host = make()
    const socket = Lan.bind(host, 5000)
    const labels = (port: number, length: number): ReadonlyArray<number> => {
      host.call(Lan.send(socket, there, port, Lan.bytes(length)))
      return headers(host).map(({ flowLabel }) => flowLabel)
    }
    const [first] = labels(7, 10)
    assert.isAbove(first!, 0)
    assert.deepStrictEqual(labels(7, 10), [first!])
    const others = new Set(Array.from({ length: 20 }, (_, i) => labels(100 + i, 10)[0]))
    assert.isAbove(others.size, 18)
    assert.isFalse(others.has(first!))
  })
})

describe("A fragment that is a packet of its own", () => {
  it("is taken at once, whatever else has its identification (rfc: 6946 §4 MUST)", () => {
    const host = make()
    const socket = Lan.bind(host, 7)
    const datagram = Packets.udp(there, here, Uint8Array.of(1)).slice(Ipv6.headerLength)
    const fragment = (more: boolean): Uint8Array => Uint8Array.of(IpProtocol.udp, 0, 0, more ? 1 : 0, 0, 0, 0, 9)
    const first = Uint8Array.from([...fragment(true), ...datagram.slice(0, 8)])
    deliver(host, Packets.ip(there, here, first, { protocol: IpProtocol.fragment }))
    const atomic = Uint8Array.from([...fragment(false), ...datagram])
    deliver(host, Packets.ip(there, here, atomic, { protocol: IpProtocol.fragment }))
    const [received] = host.call(Lan.receive(socket))
    assert.deepStrictEqual(Array.from(received!.bytes), [1])
  })
})

describe("The MTU of a path", () => {
  /** A router on the way tells that a packet was too big. */
  const tell = (host: Host.Host, mtu: number): void => {
    const [sent] = Packets.packets(host.takeFrames(link))
    deliver(host, Packets.icmp(there, here, { type: 2, code: 0, rest: mtu }, sent!.packet.slice(0, 1200)))
  }

  const sizes = (host: Host.Host): ReadonlyArray<number> => headers(host).map(({ payloadLength }) => payloadLength + 40)

  it("holds for datagrams from then on, in fragments (rfc: 8201 §4 MUST)", () => {
    const host = make()
    const socket = Lan.bind(host, 5000)
    host.call(Lan.send(socket, far, 7, Lan.bytes(1400)))
    tell(host, 1300)
    host.call(Lan.send(socket, far, 7, Lan.bytes(1400)))
    assert.deepStrictEqual(sizes(host), [1296, 208])
  })

  it("holds for packets of raw sockets, and is asked of nobody else (rfc: 8201 §4 MUST)", () => {
    const host = make()
    const send = (socket: number): void =>
      host.call({
        _tag: "RawSend",
        socket,
        destination: far,
        source: undefined,
        bytes: Lan.bytes(1400),
        hopLimit: undefined,
        trafficClass: 0,
        dontFragment: false,
        block: true
      })
    const { socket } = host.call({ _tag: "RawOpen", version: 6, protocol: 99, link: undefined })
    send(socket)
    tell(host, 1300)
    send(socket)
    assert.deepStrictEqual(sizes(host), [1296, 200])
    host.call({ _tag: "RawClose", socket })
    const again = host.call({ _tag: "RawOpen", version: 6, protocol: 98, link: undefined }).socket
    send(again)
    host.call({ _tag: "RawClose", socket: again })
    tell(host, 1280)
    assert.deepStrictEqual(Lan.dropped(host), ["IcmpErrorNotOurs"])
  })
})
