/**
 * The fuzzer's frames: the same for the same seed, and right where they are meant to be, since what is wrong at the door never gets
 * further.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Extension from "../../src/wire/Ipv6Extension.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as Udp from "../../src/wire/Udp.ts"
import * as Frames from "./Frames.ts"
import * as Ipv6Frames from "./ipv6Frames.ts"
import { make } from "./makers.ts"
import { mutate } from "./mutate.ts"
import * as NdpFrames from "./ndpFrames.ts"
import * as Other from "./otherFrames.ts"
import { Random } from "./Random.ts"
import { Scene } from "./Scene.ts"
import * as TcpFrames from "./tcpFrames.ts"

const frames = (seed: number, count: number): ReadonlyArray<string> => {
  const scene = new Scene(new Random(seed))
  const target = Frames.buffer()
  return Array.from({ length: count }, () => {
    make(target, scene)
    return Buffer.from(target.bytes.subarray(0, target.end)).toString("hex")
  })
}

/** The protocol inside a frame over IPv6 without extension headers, if its headers and checksum are right. */
const protocolOverIpv6 = (bytes: Uint8Array, start: number, end: number): number | undefined => {
  const ip = Ipv6.parse(bytes, start, end)
  if (Malformed.isMalformed(ip)) return undefined
  const { payloadEnd, payloadStart, protocol } = ip
  const pseudo = Checksum.pseudoV6(ip.source, ip.destination, protocol, payloadEnd - payloadStart)
  return Checksum.verify(bytes, payloadStart, payloadEnd, pseudo) ? protocol : undefined
}

/** The protocol inside a frame, if its headers and checksums are right. */
const protocolOf = ({ bytes, end }: Frames.Buffer): number | undefined => {
  const ethernet = Ethernet.parse(bytes, 0, end)
  if (Malformed.isMalformed(ethernet)) return undefined
  const { payloadEnd: frameEnd, payloadStart: at } = ethernet
  if (ethernet.type === Ethernet.EtherType.ipv6) return protocolOverIpv6(bytes, at, frameEnd)
  if (ethernet.type !== Ethernet.EtherType.ipv4) return undefined
  const ip = Ipv4.parse(bytes, ethernet.payloadStart, ethernet.payloadEnd)
  if (Malformed.isMalformed(ip) || !Checksum.verify(bytes, ethernet.payloadStart, ip.payloadStart, 0)) return undefined
  const { payloadEnd, payloadStart } = ip
  const pseudo = Checksum.pseudoV4(ip.source, ip.destination, ip.protocol, payloadEnd - payloadStart)
  switch (ip.protocol) {
    case IpProtocol.tcp: {
      const segment = Tcp.parse(bytes, payloadStart, payloadEnd)
      return !Malformed.isMalformed(segment) && Tcp.verify(bytes, segment, pseudo) ? ip.protocol : undefined
    }
    case IpProtocol.udp: {
      const datagram = Udp.parse(bytes, payloadStart, payloadEnd)
      return !Malformed.isMalformed(datagram) && Udp.verify(bytes, datagram, pseudo) ? ip.protocol : undefined
    }
    default:
      return Icmpv4.verify(bytes, payloadStart, payloadEnd) ? ip.protocol : undefined
  }
}

describe("fuzz frames", () => {
  it("are the same for the same seed and others for another", () => {
    assert.deepStrictEqual(frames(1, 500), frames(1, 500))
    assert.notDeepEqual(frames(1, 500), frames(2, 500))
  })

  const whole = [
    ["SYN", TcpFrames.syn, IpProtocol.tcp],
    ["segment", TcpFrames.segment, IpProtocol.tcp],
    ["datagram", Other.udp, IpProtocol.udp],
    ["query", Other.icmpQuery, IpProtocol.icmp],
    ["error", Other.icmpError, IpProtocol.icmp],
    ["neighbour discovery", NdpFrames.discovery, IpProtocol.icmpv6],
    ["neighbours without end", NdpFrames.flood, IpProtocol.icmpv6],
    ["error over IPv6", Ipv6Frames.error, IpProtocol.icmpv6],
    ["echo over IPv6", Ipv6Frames.echo, IpProtocol.icmpv6]
  ] as const
  for (const [name, maker, protocol] of whole) {
    it(`undamaged are right in every header and checksum: ${name}`, () => {
      const scene = new Scene(new Random(7))
      const target = Frames.buffer()
      for (let i = 0; i < 500; i++) {
        maker(target, scene)
        assert.strictEqual(
          protocolOf(target),
          protocol,
          Buffer.from(target.bytes.subarray(0, target.end)).toString("hex")
        )
      }
    })
  }

  it("have chains of extension headers of any length, and all kinds of them", () => {
    const scene = new Scene(new Random(5))
    const target = Frames.buffer()
    const lengths = new Set<number>()
    const kinds = new Set<number>()
    for (let i = 0; i < 2000; i++) {
      Ipv6Frames.chained(target, scene)
      const ip = Ipv6.parse(target.bytes, Ethernet.headerLength, target.end)
      if (Malformed.isMalformed(ip)) assert.fail(ip.detail)
      let [length, next, at] = [0, ip.protocol, ip.payloadStart]
      for (; Extension.isExtension(next); length++) {
        const header = Extension.parse(next, target.bytes, at, ip.payloadEnd)
        kinds.add(next)
        if (Malformed.isMalformed(header)) break
        ;[next, at] = [header.protocol, header.payloadStart]
      }
      lengths.add(length)
    }
    assert.deepStrictEqual([...kinds].toSorted((a, b) => a - b), [0, 43, 44, 60])
    for (const length of [0, 1, 2, 3]) assert.isTrue(lengths.has(length))
    assert.isAbove(Math.max(...lengths), 20)
  })

  it("over IPv6 are what a stack says over IPv4, from and to the same hosts", () => {
    const scene = new Scene(new Random(9))
    const target = Frames.buffer()
    const versions = new Set<number>()
    for (let i = 0; i < 200; i++) {
      TcpFrames.syn(target, scene)
      versions.add(target.bytes[Ethernet.headerLength]! >>> 4)
      assert.strictEqual(protocolOf(target), IpProtocol.tcp)
    }
    assert.deepStrictEqual([...versions].toSorted(), [4, 6])
  })

  it("in the middle of a conversation go where the stack's last segment points", () => {
    const scene = new Scene(new Random(3))
    const target = Frames.buffer()
    const peer = Frames.peers[1]!
    const addressing = { ...Frames.from(peer), source: Frames.stackAddress, destination: peer.address }
    const spoken = { sourcePort: 80, destinationPort: 4000, sequence: 1000, acknowledgment: 2000, flags: Tcp.ACK }
    Frames.tcp(target, addressing, { ...spoken, window: 500, urgentPointer: 0 }, (_, at) => at + 10)
    scene.hear(target.bytes.slice(0, target.end))
    let exact = 0
    for (let i = 0; i < 500; i++) {
      TcpFrames.segment(target, scene)
      if (target.bytes[Ethernet.headerLength]! >>> 4 !== 4) continue
      const segment = Tcp.parse(target.bytes, Ethernet.headerLength + Ipv4.minimumHeaderLength, target.end)
      if (Malformed.isMalformed(segment)) assert.fail(segment.detail)
      if (segment.destinationPort !== 80 || segment.sourcePort !== 4000) continue
      if (segment.sequence === 2000 && segment.acknowledgment === 1010) exact += 1
    }
    assert.isAbove(exact, 150)
  })

  it("damaged ones mostly have right checksums, and are other frames than before", () => {
    const random = new Random(11)
    const scene = new Scene(random)
    const target = Frames.buffer()
    let changed = 0
    let deep = 0
    for (let i = 0; i < 1000; i++) {
      Other.udp(target, scene)
      const before = Buffer.from(target.bytes.subarray(0, target.end))
      mutate(target, random)
      if (!before.equals(target.bytes.subarray(0, target.end))) changed += 1
      if (protocolOf(target) !== undefined) deep += 1
    }
    assert.isAbove(changed, 900)
    assert.isAbove(deep, 300)
  })
})
