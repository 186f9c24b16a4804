/**
 * A TCP segment as it crossed the wire, with its options in their order, and the IP packet around it.
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Ipv4 from "../../wire/Ipv4.ts"
import * as Ipv6 from "../../wire/Ipv6.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Tcp from "../../wire/Tcp.ts"
import * as Word from "../../wire/Word.ts"
import { emitOptions, readOptions } from "./optionBytes.ts"
import type { TcpOption } from "./Syntax.ts"

export interface Segment {
  readonly sourcePort: number
  readonly destinationPort: number
  /** Unsigned. */
  readonly sequence: number
  readonly length: number
  readonly flags: number
  readonly acknowledgment: number
  readonly window: number
  readonly urgent: number
  readonly options: ReadonlyArray<TcpOption>
}

/** What the IP header says that a script may speak of. */
export interface IpHeader {
  readonly source: Address.Address
  readonly destination: Address.Address
  readonly trafficClass: number
  readonly hopLimit: number
}

/** An IP packet: where its payload lies, and which protocol that is. */
export interface IpPacket {
  readonly ip: IpHeader
  readonly protocol: number
  readonly payloadStart: number
  readonly payloadEnd: number
}

/** Reads an IP packet; `undefined` if it is none. */
export const readIp = (bytes: Uint8Array): IpPacket | undefined => {
  const header = bytes[0]! >>> 4 === 6 ? Ipv6.parse(bytes, 0, bytes.length) : Ipv4.parse(bytes, 0, bytes.length)
  if (Malformed.isMalformed(header)) return undefined
  const { payloadEnd, payloadStart, protocol } = header
  return { ip: header, protocol, payloadStart, payloadEnd }
}

/** Reads the segment of a packet; `undefined` if it is none, or damaged. */
export const readSegment = (
  bytes: Uint8Array,
  { ip, payloadEnd, payloadStart, protocol }: IpPacket
): Segment | undefined => {
  if (protocol !== IpProtocol.tcp) return undefined
  const header = Tcp.parse(bytes, payloadStart, payloadEnd)
  if (Malformed.isMalformed(header)) return undefined
  const pseudo = Checksum.pseudo(ip.source, ip.destination, IpProtocol.tcp, payloadEnd - payloadStart)
  if (!Tcp.verify(bytes, header, pseudo)) return undefined
  const options = payloadStart + Tcp.minimumHeaderLength
  return {
    sourcePort: header.sourcePort,
    destinationPort: header.destinationPort,
    sequence: header.sequence >>> 0,
    length: header.payloadEnd - header.payloadStart,
    flags: header.flags,
    acknowledgment: header.acknowledgment >>> 0,
    window: header.window,
    urgent: header.urgentPointer,
    options: readOptions(bytes, options, header.payloadStart)
  }
}

/** Puts a packet of a protocol into IP. */
export const emitIp = (ip: IpHeader, protocol: number, payload: Uint8Array): Uint8Array => {
  const { destination, hopLimit, source, trafficClass } = ip
  if (typeof source === "object" && typeof destination === "object") {
    const packet = new Uint8Array(Ipv6.headerLength + payload.length)
    const fields = {
      source,
      destination,
      hopLimit,
      trafficClass,
      flowLabel: 0,
      protocol,
      payloadLength: payload.length
    }
    packet.set(payload, Ipv6.emit(fields, packet, 0))
    return packet
  }
  const packet = new Uint8Array(Ipv4.minimumHeaderLength + payload.length)
  const fields: Ipv4.Fields = {
    source: source as Address.Ipv4,
    destination: destination as Address.Ipv4,
    hopLimit,
    trafficClass,
    protocol,
    identification: 0,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    totalLength: packet.length,
    options: undefined
  }
  packet.set(payload, Ipv4.emit(fields, packet, 0))
  return packet
}

/** Writes a segment, with a payload of zeros, into an IP packet. */
export const emitSegment = (segment: Segment, ip: IpHeader): Uint8Array => {
  const options = emitOptions(segment.options)
  const headerLength = Tcp.minimumHeaderLength + options.length
  const bytes = new Uint8Array(headerLength + segment.length)
  Word.write16(segment.sourcePort, bytes, 0)
  Word.write16(segment.destinationPort, bytes, 2)
  Word.write32(segment.sequence, bytes, 4)
  Word.write32(segment.acknowledgment, bytes, 8)
  Word.write16((headerLength << 10) | segment.flags, bytes, 12)
  Word.write16(segment.window, bytes, 14)
  Word.write16(segment.urgent, bytes, 18)
  bytes.set(options, Tcp.minimumHeaderLength)
  const pseudo = Checksum.pseudo(ip.source, ip.destination, IpProtocol.tcp, bytes.length)
  Word.write16(Checksum.fold(pseudo), bytes, Tcp.checksumOffset)
  Checksum.complete(bytes, 0, bytes.length, Tcp.checksumOffset)
  return emitIp(ip, IpProtocol.tcp, bytes)
}
