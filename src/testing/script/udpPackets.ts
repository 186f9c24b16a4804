/** Datagrams of UDP between the host and the script. */
import * as Checksum from "../../wire/Checksum.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Word from "../../wire/Word.ts"
import { emitIp, type IpHeader, type IpPacket } from "./Segment.ts"

const headerLength = 8
const checksumOffset = 6

export interface UdpDatagram {
  readonly sourcePort: number
  readonly destinationPort: number
  /** Octets of payload. */
  readonly length: number
}

/** Writes a datagram, with a payload of zeros, into an IP packet. */
export const emitUdp = ({ destinationPort, length, sourcePort }: UdpDatagram, ip: IpHeader): Uint8Array => {
  const bytes = new Uint8Array(headerLength + length)
  Word.write16(sourcePort, bytes, 0)
  Word.write16(destinationPort, bytes, 2)
  Word.write16(bytes.length, bytes, 4)
  const pseudo = Checksum.pseudo(ip.source, ip.destination, IpProtocol.udp, bytes.length)
  Word.write16(Checksum.fold(pseudo), bytes, checksumOffset)
  Checksum.complete(bytes, 0, bytes.length, checksumOffset)
  return emitIp(ip, IpProtocol.udp, bytes)
}

/** Reads the datagram of a packet; `undefined` if it is none. */
export const readUdp = (
  bytes: Uint8Array,
  { payloadEnd, payloadStart, protocol }: IpPacket
): UdpDatagram | undefined => {
  if (protocol !== IpProtocol.udp || payloadEnd - payloadStart < headerLength) return undefined
  return {
    sourcePort: Word.read16(bytes, payloadStart),
    destinationPort: Word.read16(bytes, payloadStart + 2),
    length: Word.read16(bytes, payloadStart + 4) - headerLength
  }
}

export const formatUdp = (direction: "<" | ">", { length }: UdpDatagram): string => `${direction} udp (${length})`
