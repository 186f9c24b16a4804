/**
 * A frame as a test talks about it: every header read, addresses as text, flags as letters, and one line that tells it all.
 *
 * ```
 *   10.0.0.1:49152 > 10.0.0.2:80 S 1000:1000(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,wscale 7>
 * ```
 */
import * as Address from "../wire/Address.ts"
import * as Arp from "../wire/Arp.ts"
import * as Checksum from "../wire/Checksum.ts"
import * as Ethernet from "../wire/Ethernet.ts"
import * as Icmpv4 from "../wire/Icmpv4.ts"
import * as Icmpv6 from "../wire/Icmpv6.ts"
import * as IpProtocol from "../wire/IpProtocol.ts"
import * as Ipv4 from "../wire/Ipv4.ts"
import * as Ipv6 from "../wire/Ipv6.ts"
import * as Mac from "../wire/Mac.ts"
import * as Malformed from "../wire/Malformed.ts"
import * as Tcp from "../wire/Tcp.ts"
import type * as TcpOptions from "../wire/TcpOptions.ts"
import * as Udp from "../wire/Udp.ts"

export interface EthernetPart {
  readonly source: string
  readonly destination: string
  readonly type: number
}

export interface ArpPart {
  readonly operation: "request" | "reply" | "unknown"
  readonly senderMac: string
  readonly sender: string
  readonly targetMac: string
  readonly target: string
}

export interface IpPart {
  readonly version: 4 | 6
  readonly source: string
  readonly destination: string
  readonly protocol: number
  readonly hopLimit: number
  readonly trafficClass: number
  /** IPv4 only; false over IPv6. */
  readonly dontFragment: boolean
  readonly moreFragments: boolean
  /** In bytes. */
  readonly fragmentOffset: number
}

export interface IcmpPart {
  /** The message's name as `wire/Icmpv4.ts` and `wire/Icmpv6.ts` have it: `EchoRequest`, `Unreachable` … */
  readonly message: (Icmpv4.Fields | Icmpv6.Fields)["_tag"]
  readonly code: number
  readonly isIntact: boolean
}

export interface UdpPart {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly isIntact: boolean
}

export interface TcpPart {
  readonly sourcePort: number
  readonly destinationPort: number
  /** 0 to 2^32 − 1, as on the wire. */
  readonly sequence: number
  readonly acknowledgment: number
  /** In this order, a dot for ACK: `A` (AE), `W` (CWR), `E` (ECE), `S`, `F`, `R`, `P`, `.`, `U`; so `S.` is SYN with ACK. */
  readonly flags: string
  /** As on the wire, not scaled. */
  readonly window: number
  readonly urgentPointer: number
  readonly options: TcpOptions.Options
  readonly isIntact: boolean
}

/** What is absent is `undefined`. */
export interface Packet {
  readonly ethernet: EthernetPart | undefined
  readonly arp: ArpPart | undefined
  readonly ip: IpPart | undefined
  readonly icmp: IcmpPart | undefined
  readonly udp: UdpPart | undefined
  readonly tcp: TcpPart | undefined
  /** What is behind the innermost header that was read. */
  readonly payload: Uint8Array
  /** Why a header could not be read. */
  readonly malformed: string | undefined
}

const nothing: Packet = {
  ethernet: undefined,
  arp: undefined,
  ip: undefined,
  icmp: undefined,
  udp: undefined,
  tcp: undefined,
  payload: new Uint8Array(0),
  malformed: undefined
}

const flagLetters: ReadonlyArray<readonly [number, string]> = [
  [Tcp.AE, "A"],
  [Tcp.CWR, "W"],
  [Tcp.ECE, "E"],
  [Tcp.SYN, "S"],
  [Tcp.FIN, "F"],
  [Tcp.RST, "R"],
  [Tcp.PSH, "P"],
  [Tcp.ACK, "."],
  [Tcp.URG, "U"]
]

/** The letters of control bits. */
export const flagsOf = (bits: number): string =>
  flagLetters.filter(([bit]) => (bits & bit) !== 0).map(([, letter]) => letter).join("")

const spoiled = (packet: Packet, { detail, protocol, reason }: Malformed.Malformed): Packet => ({
  ...packet,
  malformed: `${protocol} ${reason}: ${detail}`
})

/** A range of a frame, and what is known of what is around it. */
interface Cursor {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly packet: Packet
  /** Sum of the pseudo-header of this payload. */
  readonly pseudo: (length: number) => number
}

const readTcp = ({ bytes, end, packet, pseudo, start }: Cursor): Packet => {
  const header = Tcp.parse(bytes, start, end)
  if (Malformed.isMalformed(header)) return spoiled(packet, header)
  const { destinationPort, options, sourcePort, urgentPointer, window } = header
  return {
    ...packet,
    tcp: {
      sourcePort,
      destinationPort,
      sequence: header.sequence >>> 0,
      acknowledgment: header.acknowledgment >>> 0,
      flags: flagsOf(header.flags),
      window,
      urgentPointer,
      options,
      isIntact: Tcp.verify(bytes, header, pseudo(end - start))
    },
    payload: bytes.slice(header.payloadStart, header.payloadEnd)
  }
}

const readUdp = ({ bytes, end, packet, pseudo, start }: Cursor): Packet => {
  const header = Udp.parse(bytes, start, end)
  if (Malformed.isMalformed(header)) return spoiled(packet, header)
  const { destinationPort, length, payloadEnd, payloadStart, sourcePort } = header
  const isIntact = Udp.verify(bytes, header, pseudo(length))
  return { ...packet, udp: { sourcePort, destinationPort, isIntact }, payload: bytes.slice(payloadStart, payloadEnd) }
}

const readIcmp = ({ bytes, end, packet, pseudo, start }: Cursor, isV6: boolean): Packet => {
  const header = isV6 ? Icmpv6.parse(bytes, start, end) : Icmpv4.parse(bytes, start, end)
  if (Malformed.isMalformed(header)) return spoiled(packet, header)
  const isIntact = isV6
    ? Icmpv6.verify(bytes, start, end, pseudo(end - start))
    : Icmpv4.verify(bytes, start, end)
  return {
    ...packet,
    icmp: { message: header._tag, code: bytes[start + 1]!, isIntact },
    payload: bytes.slice(header.payloadStart, header.payloadEnd)
  }
}

const readTransport = (cursor: Cursor, protocol: number): Packet => {
  switch (protocol) {
    case IpProtocol.tcp:
      return readTcp(cursor)
    case IpProtocol.udp:
      return readUdp(cursor)
    case IpProtocol.icmp:
      return readIcmp(cursor, false)
    case IpProtocol.icmpv6:
      return readIcmp(cursor, true)
    default:
      return { ...cursor.packet, payload: cursor.bytes.slice(cursor.start, cursor.end) }
  }
}

const readV4 = (bytes: Uint8Array, start: number, end: number, packet: Packet): Packet => {
  const header = Ipv4.parse(bytes, start, end)
  if (Malformed.isMalformed(header)) return spoiled(packet, header)
  const { destination, payloadEnd, payloadStart, protocol, source } = header
  const ip: IpPart = {
    version: 4,
    source: Address.format(source),
    destination: Address.format(destination),
    protocol,
    hopLimit: header.hopLimit,
    trafficClass: header.trafficClass,
    dontFragment: header.dontFragment,
    moreFragments: header.moreFragments,
    fragmentOffset: header.fragmentOffset
  }
  const read = { ...packet, ip }
  if (Ipv4.isFragment(header)) return { ...read, payload: bytes.slice(payloadStart, payloadEnd) }
  const pseudo = (length: number): number => Checksum.pseudoV4(source, destination, protocol, length)
  return readTransport({ bytes, start: payloadStart, end: payloadEnd, packet: read, pseudo }, protocol)
}

/** Extension headers are left in the payload. */
const readV6 = (bytes: Uint8Array, start: number, end: number, packet: Packet): Packet => {
  const header = Ipv6.parse(bytes, start, end)
  if (Malformed.isMalformed(header)) return spoiled(packet, header)
  const { destination, hopLimit, payloadEnd, payloadStart, protocol, source, trafficClass } = header
  const ip: IpPart = {
    version: 6,
    source: Address.format(source),
    destination: Address.format(destination),
    protocol,
    hopLimit,
    trafficClass,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0
  }
  const pseudo = (length: number): number => Checksum.pseudoV6(source, destination, protocol, length)
  return readTransport({ bytes, start: payloadStart, end: payloadEnd, packet: { ...packet, ip }, pseudo }, protocol)
}

const operations = { [Arp.Operation.request]: "request", [Arp.Operation.reply]: "reply" } as const

const readArp = (bytes: Uint8Array, start: number, end: number, packet: Packet): Packet => {
  const header = Arp.parse(bytes, start, end)
  if (Malformed.isMalformed(header)) return spoiled(packet, header)
  return {
    ...packet,
    arp: {
      operation: operations[header.operation as 1 | 2] ?? "unknown",
      senderMac: Mac.format(header.senderMac),
      sender: Address.format(header.senderIp),
      targetMac: Mac.format(header.targetMac),
      target: Address.format(header.targetIp)
    }
  }
}

/** Reads an IP packet without a link-layer header. */
export const readIp = (bytes: Uint8Array, packet: Packet = nothing, start = 0): Packet =>
  bytes[start]! >>> 4 === 6 ? readV6(bytes, start, bytes.length, packet) : readV4(bytes, start, bytes.length, packet)

/** Reads an Ethernet frame. */
export const read = (frame: Uint8Array): Packet => {
  const header = Ethernet.parse(frame, 0, frame.length)
  if (Malformed.isMalformed(header)) return spoiled(nothing, header)
  const { destination, payloadStart, source, type } = header
  const ethernet = { source: Mac.format(source), destination: Mac.format(destination), type }
  const packet = { ...nothing, ethernet }
  if (type === Ethernet.EtherType.arp) return readArp(frame, payloadStart, frame.length, packet)
  if (type === Ethernet.EtherType.ipv4 || type === Ethernet.EtherType.ipv6) return readIp(frame, packet, payloadStart)
  return { ...packet, payload: frame.slice(payloadStart) }
}
