import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Gather from "../../src/wire/Gather.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Piece from "../../src/wire/Piece.ts"
import * as Sequence from "../../src/wire/Sequence.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as TcpOptions from "../../src/wire/TcpOptions.ts"
import * as Udp from "../../src/wire/Udp.ts"
import { concat, type Random, random } from "./laws.ts"

const linkHeaderLength = 14

/** A frame to send with the headers that it was made from, and its payload in one. */
interface Sample {
  readonly outgoing: Gather.Outgoing
  readonly payload: Uint8Array
  readonly ipv4: Ipv4.Fields | undefined
  readonly tcp: Tcp.Fields | undefined
}

/** The payload cut into pieces of any size, empty ones too, each somewhere in a chunk of its own. */
const piecesOf = (source: Random, payload: Uint8Array): ReadonlyArray<Piece.Piece> => {
  const pieces: Array<Piece.Piece> = []
  for (let at = 0; at < payload.length;) {
    const length = Math.min(source.of(0, 1, 7, 100, 1460, 5000), payload.length - at)
    const before = source.int(5)
    const chunk = source.bytes(before + length + source.int(5))
    chunk.set(payload.subarray(at, at + length), before)
    pieces.push(Piece.make(chunk, before, before + length))
    at += length
  }
  return pieces
}

const address = (source: Random, version: Address.Version): Address.Address =>
  version === 4 ? source.int32() : Address.readV6(source.bytes(16), 0)

interface Wanted {
  readonly version: Address.Version
  readonly transport: "tcp" | "udp"
  /** 0 for a frame that is not cut. */
  readonly segmentSize: number
  readonly payloadLength: number
  /** Payload bytes that lie in the head already. */
  readonly inHead: number
}

/** Builds a frame as the core does: headers in the head, partial checksum, the payload in pieces. */
const sample = (source: Random, wanted: Wanted): Sample => {
  const { version } = wanted
  const payload = source.bytes(wanted.payloadLength)
  const [from, to] = [address(source, version), address(source, version)]
  const tcp: Tcp.Fields | undefined = wanted.transport === "udp" ? undefined : {
    sourcePort: source.int(0x10000),
    destinationPort: source.int(0x10000),
    sequence: source.of(source.int32(), -3),
    acknowledgment: source.int32(),
    flags: Tcp.ACK | Tcp.PSH | Tcp.FIN | Tcp.CWR | Tcp.ECE,
    window: source.int(0x10000),
    checksum: 0,
    urgentPointer: 0,
    options: source.of(TcpOptions.none, TcpOptions.timestamps(source.int32(), source.int32()))
  }
  const transportLength = tcp === undefined ? Udp.headerLength : Tcp.size(tcp)
  const protocol = tcp === undefined ? IpProtocol.udp : IpProtocol.tcp
  const segment = transportLength + payload.length
  const checksum = Checksum.fold(Checksum.pseudo(from, to, protocol, segment))
  const headStart = source.int(40)
  const head = source.bytes(headStart + linkHeaderLength + 60 + 60 + wanted.inHead + 3)
  const ipv4: Ipv4.Fields | undefined = typeof from !== "number" || typeof to !== "number" ? undefined : {
    source: from,
    destination: to,
    hopLimit: 64,
    trafficClass: 2,
    protocol,
    identification: source.of(7, 0xfffe),
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    totalLength: 20 + segment,
    options: undefined
  }
  const ip = headStart + linkHeaderLength
  const transport = ipv4 === undefined
    ? Ipv6.emit(
      {
        source: from as Address.Ipv6,
        destination: to as Address.Ipv6,
        hopLimit: 64,
        trafficClass: 0,
        flowLabel: 5,
        protocol,
        payloadLength: segment
      },
      head,
      ip
    )
    : Ipv4.emit(ipv4, head, ip)
  const headersEnd = tcp === undefined
    ? Udp.emit({ sourcePort: 1, destinationPort: 2, length: segment, checksum }, head, transport)
    : Tcp.emit({ ...tcp, checksum }, head, transport)
  head.set(payload.subarray(0, wanted.inHead), headersEnd)
  const kind = tcp === undefined ? "udp" : version === 4 ? "tcp4" : "tcp6"
  return {
    payload,
    ipv4,
    tcp,
    outgoing: {
      head,
      headStart,
      headEnd: headersEnd + wanted.inHead,
      pieces: piecesOf(source, payload.subarray(wanted.inHead)),
      checksum: "partial",
      checksumStart: transport - headStart,
      checksumOffset: tcp === undefined ? Udp.checksumOffset : Tcp.checksumOffset,
      gso: wanted.segmentSize === 0
        ? undefined
        : { kind, size: wanted.segmentSize, headerLength: headersEnd - headStart }
    }
  }
}

const anySample = (source: Random): Sample => {
  const payloadLength = source.of(2, 100, 1448, 5000, 9001)
  return sample(source, {
    version: source.of(4, 6),
    transport: source.of("tcp", "udp"),
    // At most 100 packets.
    segmentSize: Math.max(source.of(1, 99, 536, 1448, 8948), Math.ceil(payloadLength / 100)),
    payloadLength,
    inHead: source.of(0, 0, 1)
  })
}

const good = <A>(parsed: A | Malformed.Malformed): A => {
  if (Malformed.isMalformed(parsed)) throw new Error(`${parsed.protocol} ${parsed.detail}`)
  return parsed
}

/** A packet read back with its checksums verified. */
interface Packet {
  readonly ip: Ipv4.Header | Ipv6.Header
  readonly tcp: Tcp.Header | undefined
  readonly udp: Udp.Header | undefined
  readonly payload: Uint8Array
}

const readPacket = (bytes: Uint8Array, start: number, end: number): Packet => {
  const at = start + linkHeaderLength
  const ip = bytes[at]! >>> 4 === 4 ? good(Ipv4.parse(bytes, at, end)) : good(Ipv6.parse(bytes, at, end))
  assert.strictEqual(ip.payloadEnd, end, "the IP header tells the packet's length")
  const length = ip.payloadEnd - ip.payloadStart
  const pseudo = Checksum.pseudo(ip.source, ip.destination, ip.protocol, length)
  if (ip.protocol === IpProtocol.tcp) {
    const tcp = good(Tcp.parse(bytes, ip.payloadStart, ip.payloadEnd))
    assert.isTrue(Tcp.verify(bytes, tcp, pseudo), "TCP checksum")
    return { ip, tcp, udp: undefined, payload: bytes.slice(tcp.payloadStart, tcp.payloadEnd) }
  }
  const udp = good(Udp.parse(bytes, ip.payloadStart, ip.payloadEnd))
  assert.strictEqual(udp.length, length)
  assert.isTrue(Udp.verify(bytes, udp, pseudo), "UDP checksum")
  assert.isFalse(Udp.isUnprotected(udp))
  return { ip, tcp: undefined, udp, payload: bytes.slice(udp.payloadStart, udp.payloadEnd) }
}

/** Cuts into slabs of `slabLength`, as many as it takes, and hands each packet to `visit` before the slab is reused. */
const cutAll = (
  source: Random,
  outgoing: Gather.Outgoing,
  gap: number,
  slabLength: number,
  complete: boolean,
  visit: (bytes: Uint8Array, start: number, end: number) => void
): void => {
  const count = Gather.segmentCount(outgoing)
  for (let from = 0; from < count;) {
    const bytes = source.bytes(slabLength)
    const bounds: Array<number> = []
    const next = Gather.segments(
      outgoing,
      linkHeaderLength,
      from,
      { bytes, at: 3, end: slabLength, gap },
      complete,
      bounds
    )
    assert.strictEqual(bounds.length, (next - from) * 2)
    assert.isAbove(next, from, "the slab has room for one")
    for (let i = 0, free = 3; i < bounds.length; i += 2) {
      assert.isAtLeast(bounds[i]! - free, gap, "headroom")
      free = bounds[i + 1]!
      visit(bytes, bounds[i]!, free)
    }
    from = next
  }
}

describe("Gather", () => {
  it("joins head and pieces, and completes the checksum only if asked to", () => {
    const source = random(1)
    for (let i = 0; i < 100; i++) {
      const { outgoing, payload } = sample(source, {
        version: source.of(4, 6),
        transport: source.of("tcp", "udp"),
        segmentSize: 0,
        payloadLength: source.of(0, 1, 555, 1400),
        inHead: 0
      })
      const length = Gather.size(outgoing)
      const bytes = source.bytes(length + 20)
      const before = bytes.slice()
      assert.strictEqual(Gather.into(outgoing, bytes, 10, true), 10 + length)
      assert.deepStrictEqual(readPacket(bytes, 10, 10 + length).payload, payload)
      assert.deepStrictEqual(bytes.subarray(0, 10), before.subarray(0, 10))
      assert.deepStrictEqual(bytes.subarray(10 + length), before.subarray(10 + length))
      Gather.into(outgoing, bytes, 10, false)
      const head = outgoing.head.slice(outgoing.headStart, outgoing.headEnd)
      assert.deepStrictEqual(bytes.slice(10, 10 + length), concat(head, payload))
    }
  })

  it("cuts a super-segment into packets that parse, verify and carry the same stream", () => {
    const source = random(2)
    for (let i = 0; i < 60; i++) {
      const { ipv4, outgoing, payload, tcp } = anySample(source)
      const size = outgoing.gso!.size
      const count = Gather.segmentCount(outgoing)
      assert.strictEqual(count, Math.ceil(payload.length / size))
      const packets: Array<Packet> = []
      const gap = source.of(0, 10)
      cutAll(source, outgoing, gap, 3 + Gather.segmentsSize(outgoing, gap), true, (bytes, start, end) => {
        packets.push(readPacket(bytes, start, end))
      })
      assert.strictEqual(packets.length, count)
      assert.deepStrictEqual(concat(...packets.map((packet) => packet.payload)), payload)
      packets.forEach((packet, index) => {
        const isLast = index === count - 1
        assert.strictEqual(packet.payload.length, isLast ? payload.length - size * index : size)
        if (ipv4 !== undefined) {
          assert.strictEqual((packet.ip as Ipv4.Header).identification, (ipv4.identification + index) & 0xffff)
        }
        if (tcp === undefined) return
        assert.strictEqual(packet.tcp?.sequence, Sequence.add(tcp.sequence, index * size))
        assert.deepStrictEqual(packet.tcp?.options, tcp.options)
        const cleared = (isLast ? 0 : Tcp.FIN | Tcp.PSH) | (index === 0 ? 0 : Tcp.CWR)
        assert.strictEqual(packet.tcp?.flags, tcp.flags & ~cleared, "FIN and PSH last, CWR first")
      })
    }
  })

  it("resumes where the slab was full", () => {
    const source = random(3)
    for (let i = 0; i < 30; i++) {
      const { outgoing, payload } = anySample(source)
      const slabLength = 3 + 10 + outgoing.gso!.headerLength + outgoing.gso!.size + source.int(3000)
      const parts: Array<Uint8Array> = []
      cutAll(source, outgoing, 10, slabLength, true, (bytes, start, end) => {
        parts.push(readPacket(bytes, start, end).payload)
      })
      assert.deepStrictEqual(concat(...parts), payload)
    }
  })

  it("leaves partial checksums that the link completes", () => {
    const source = random(4)
    for (let i = 0; i < 30; i++) {
      const { outgoing, payload } = anySample(source)
      const parts: Array<Uint8Array> = []
      cutAll(source, outgoing, 0, 3 + Gather.segmentsSize(outgoing, 0), false, (bytes, start, end) => {
        const transport = start + outgoing.checksumStart
        Checksum.complete(bytes, transport, end, transport + outgoing.checksumOffset)
        parts.push(readPacket(bytes, start, end).payload)
      })
      assert.deepStrictEqual(concat(...parts), payload)
    }
  })

  it("takes a frame that is no super-segment as one packet, and none where there is no room", () => {
    const source = random(5)
    const { outgoing, payload } = sample(source, {
      version: 4,
      transport: "tcp",
      segmentSize: 0,
      payloadLength: 300,
      inHead: 0
    })
    assert.strictEqual(Gather.segmentCount(outgoing), 1)
    cutAll(source, outgoing, 5, 3 + Gather.segmentsSize(outgoing, 5), true, (bytes, start, end) => {
      assert.deepStrictEqual(readPacket(bytes, start, end).payload, payload)
    })
    const bounds: Array<number> = []
    const room = { bytes: new Uint8Array(100), at: 0, end: 100, gap: 0 }
    assert.strictEqual(Gather.segments(outgoing, linkHeaderLength, 0, room, true, bounds), 0)
    assert.deepStrictEqual(bounds, [])
  })

  it("sends a frame whose checksum is not partial as it is", () => {
    const outgoing: Gather.Outgoing = {
      head: Uint8Array.of(1, 2, 3, 4),
      headStart: 1,
      headEnd: 3,
      pieces: [Piece.make(Uint8Array.of(5, 6))],
      checksum: "none",
      checksumStart: 0,
      checksumOffset: 0,
      gso: undefined
    }
    const bytes = new Uint8Array(4)
    assert.strictEqual(Gather.into(outgoing, bytes, 0, true), 4)
    assert.deepStrictEqual(bytes, Uint8Array.of(2, 3, 5, 6))
  })
})
