/**
 * What reading and writing bytes costs: checksums, headers, joining and cutting. No link, no state, one thread.
 *
 * Frames lie in slabs at changing offsets, as they do on a link, so nothing is measured at one lucky alignment.
 */
import * as Effect from "effect/Effect"
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Gather from "../../src/wire/Gather.ts"
import * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Piece from "../../src/wire/Piece.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as TcpOptions from "../../src/wire/TcpOptions.ts"
import * as Udp from "../../src/wire/Udp.ts"
import type { Figure, Row, Settings } from "../Row.ts"

const slabLength = 0x3_0000
/** Frames of a slab, an odd number of bytes apart, so that every alignment occurs. */
const places = 64
const stride = 1537

/** An operation on the frame that begins at `at`; what it returns keeps it from being left out. */
type Operation = (bytes: Uint8Array, at: number) => number

interface Measured {
  readonly name: string
  readonly operation: Operation
  /** Puts what the operation reads at `at`. */
  readonly prepare?: (bytes: Uint8Array, at: number) => void
  /** How much longer than a header's it takes, roughly; fewer rounds. */
  readonly weight?: number
}

const [source, destination] = [Address.v4(10, 9, 0, 1), Address.v4(10, 9, 0, 2)]
const [source6, destination6] = [Address.v6(0xfd000009, 0, 0, 1), Address.v6(0xfd000009, 0, 0, 2)]

const ethernet: Ethernet.Fields = {
  destination: 0x0200_0000_000b,
  source: 0x0200_0000_000a,
  type: Ethernet.EtherType.ipv4
}
const arp = Arp.request(ethernet.source, source, destination)
const ipv4: Ipv4.Fields = {
  source,
  destination,
  hopLimit: 64,
  trafficClass: 0,
  protocol: IpProtocol.tcp,
  identification: 1,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  totalLength: 1500,
  options: undefined
}
const ipv6: Ipv6.Fields = {
  source: source6,
  destination: destination6,
  hopLimit: 64,
  trafficClass: 0,
  flowLabel: 7,
  protocol: IpProtocol.tcp,
  payloadLength: 1460
}
const echo: Icmpv4.Fields = { _tag: "EchoRequest", identifier: 1, sequence: 2 }
const udp: Udp.Fields = { sourcePort: 53, destinationPort: 5353, length: 1480, checksum: 0 }
const segment: Tcp.Fields = {
  sourcePort: 80,
  destinationPort: 53906,
  sequence: 0x12345678,
  acknowledgment: 0x0abcdef0,
  flags: Tcp.ACK,
  window: 1024,
  checksum: 0,
  urgentPointer: 0,
  options: TcpOptions.timestamps(1, 2)
}
const bare: Tcp.Fields = { ...segment, options: TcpOptions.none }
const withSack: Tcp.Fields = {
  ...segment,
  options: TcpOptions.make({
    ...TcpOptions.timestamps(1, 2),
    sackBlocks: [{ left: 1, right: 2 }, { left: 5, right: 9 }]
  })
}
const syn: Tcp.Fields = {
  ...segment,
  flags: Tcp.SYN,
  options: TcpOptions.make({
    ...TcpOptions.timestamps(1, 0),
    maximumSegmentSize: 1460,
    windowScale: 10,
    sackPermitted: true
  })
}

const codec = <Fields, Header extends { readonly payloadStart: number }>(
  name: string,
  fields: Fields,
  length: number,
  parse: (bytes: Uint8Array, start: number, end: number) => Header | Malformed.Malformed,
  emit: (fields: Fields, bytes: Uint8Array, at: number) => number
): ReadonlyArray<Measured> => [
  {
    name: `parse ${name}`,
    prepare: (bytes, at) => void emit(fields, bytes, at),
    operation: (bytes, at) => {
      const header = parse(bytes, at, at + length)
      return Malformed.isMalformed(header) ? NaN : header.payloadStart
    }
  },
  { name: `emit ${name}`, operation: (bytes, at) => emit(fields, bytes, at) }
]

const sum = (length: number): Measured => ({
  name: `sum ${length} bytes`,
  operation: (bytes, at) => Checksum.sum(bytes, at, at + length, 7),
  weight: 1 + length / 300
})

/** Headers of all layers as the receive path of a data segment reads them, checksum and all. */
const receive: Measured = {
  name: "receive 1500 bytes",
  weight: 6,
  prepare: (bytes, at) => {
    const tcp = Ipv4.emit(ipv4, bytes, Ethernet.emit(ethernet, bytes, at))
    Tcp.emit({ ...segment, checksum: Checksum.fold(Checksum.pseudo(source, destination, 6, 1480)) }, bytes, tcp)
    Checksum.complete(bytes, tcp, tcp + 1480, tcp + Tcp.checksumOffset)
  },
  operation: (bytes, at) => {
    const frame = Ethernet.parse(bytes, at, at + 1514)
    if (Malformed.isMalformed(frame)) return NaN
    const ip = Ipv4.parse(bytes, frame.payloadStart, frame.payloadEnd)
    if (Malformed.isMalformed(ip)) return NaN
    const tcp = Tcp.parse(bytes, ip.payloadStart, ip.payloadEnd)
    if (Malformed.isMalformed(tcp)) return NaN
    const pseudo = Checksum.pseudo(ip.source, ip.destination, ip.protocol, ip.payloadEnd - ip.payloadStart)
    return Tcp.verify(bytes, tcp, pseudo) ? tcp.payloadEnd : NaN
  }
}

/** A frame of 1514 bytes, or a super-segment of 64 KiB, with its payload in one piece. */
const outgoing = (payloadLength: number, size: number): Gather.Outgoing => {
  const head = new Uint8Array(128)
  const transport = Ipv4.emit(
    { ...ipv4, totalLength: Math.min(0xffff, 52 + payloadLength) },
    head,
    Ethernet.emit(ethernet, head, 0)
  )
  const headEnd = Tcp.emit(segment, head, transport)
  return {
    head,
    headStart: 0,
    headEnd,
    pieces: [Piece.make(new Uint8Array(payloadLength).fill(0x61))],
    checksum: "partial",
    checksumStart: transport,
    checksumOffset: Tcp.checksumOffset,
    gso: size === 0 ? undefined : { kind: "tcp4", size, headerLength: headEnd }
  }
}

const packet = outgoing(1448, 0)
const superSegment = outgoing(43 * 1448, 1448)
const cutSlab = new Uint8Array(Gather.segmentsSize(superSegment, 16))

const cut = (complete: boolean): Operation => () => {
  const room = { bytes: cutSlab, at: 0, end: cutSlab.length, gap: 16 }
  return Gather.segments(superSegment, Ethernet.headerLength, 0, room, complete, [])
}

const measured: ReadonlyArray<Measured> = [
  ...[20, 40, 100, 1500, 65_000].map(sum),
  ...codec("Ethernet", ethernet, 1514, Ethernet.parse, Ethernet.emit),
  ...codec("Ipv4", ipv4, 1500, Ipv4.parse, Ipv4.emit),
  ...codec("Ipv6", ipv6, 1500, Ipv6.parse, Ipv6.emit),
  ...codec("Tcp, no options", bare, 1480, Tcp.parse, Tcp.emit),
  ...codec("Tcp, timestamps", segment, 1480, Tcp.parse, Tcp.emit),
  ...codec("Tcp, timestamps and SACK", withSack, 1480, Tcp.parse, Tcp.emit),
  ...codec("Tcp, SYN", syn, 40, Tcp.parse, Tcp.emit),
  ...codec("Udp", udp, 1480, Udp.parse, Udp.emit),
  ...codec("Icmpv4", echo, 64, Icmpv4.parse, Icmpv4.emit),
  { name: "emit Arp", operation: (bytes, at) => Arp.emit(arp, bytes, at) },
  receive,
  { name: "join 1514 bytes", operation: (bytes, at) => Gather.into(packet, bytes, at, false), weight: 4 },
  { name: "join 1514 bytes, checksum", operation: (bytes, at) => Gather.into(packet, bytes, at, true), weight: 8 },
  { name: "cut 43 packets", operation: cut(false), weight: 200 },
  { name: "cut 43 packets, checksums", operation: cut(true), weight: 400 }
]

const slabs = Array.from({ length: 4 }, () => Uint8Array.from({ length: slabLength }, (_, i) => (i * 7919) >>> 3))

/** Nanoseconds of one operation. */
const time = ({ operation, weight = 1 }: Measured, scale: number): number => {
  const rounds = Math.max(1, Math.ceil(3000 / weight / scale))
  let kept = 0
  const begin = process.hrtime.bigint()
  for (let round = 0; round < rounds; round++) {
    const bytes = slabs[round & 3]!
    for (let place = 0; place < places; place++) kept += operation(bytes, place * stride)
  }
  const nanos = Number(process.hrtime.bigint() - begin)
  if (Number.isNaN(kept)) throw new Error("a packet of the benchmark does not parse")
  return nanos / (rounds * places)
}

const prepare = ({ prepare: put }: Measured): void => {
  if (put === undefined) return
  for (const bytes of slabs) for (let place = 0; place < places; place++) put(bytes, place * stride)
}

const measure = (settings: Settings): ReadonlyArray<Figure> =>
  measured.map((one): Figure => {
    prepare(one)
    time(one, settings.scale * 4)
    const values = Array.from({ length: settings.runs }, () => time(one, settings.scale))
    return { name: one.name, unit: "ns", values }
  })

export const rows: ReadonlyArray<Row> = [{
  name: "codec",
  about: "nanoseconds to sum, parse, emit, join and cut",
  measure: (settings) => Effect.sync(() => measure(settings))
}]
