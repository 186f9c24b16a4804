/**
 * Valid frames of every protocol, written into one buffer that is used again and again: a stack that keeps what it only borrowed
 * finds it changed.
 */
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Mac from "../../src/wire/Mac.ts"
import type { Piece } from "../../src/wire/Piece.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as TcpOptions from "../../src/wire/TcpOptions.ts"
import * as Udp from "../../src/wire/Udp.ts"

/** The host under test, and those that talk to it. */
export const stackMac: Mac.Mac = 0x0200_0000_0001
export const stackAddress = Address.v4(10, 99, 0, 2)
/** Another address that the stack has at times. */
export const secondAddress = Address.v4(10, 99, 0, 3)
export const prefixLength = 24
export const gateway = Address.v4(10, 99, 0, 1)
export const subnetBroadcast = Address.v4(10, 99, 0, 255)

export interface Host {
  readonly mac: Mac.Mac
  readonly address: Address.Ipv4
}

/** The honest neighbour with whom the probes are made; frames made here are never from it. */
export const honest: Host = { mac: 0x0200_0000_00aa, address: Address.v4(10, 99, 0, 10) }

/** A few neighbours, and hosts behind the gateway with its MAC. */
export const peers: ReadonlyArray<Host> = [
  { mac: 0x0200_0000_0010, address: gateway },
  { mac: 0x0200_0000_0011, address: Address.v4(10, 99, 0, 11) },
  { mac: 0x0200_0000_0012, address: Address.v4(10, 99, 0, 12) },
  { mac: 0x0200_0000_0013, address: Address.v4(10, 99, 0, 13) },
  { mac: 0x0200_0000_0010, address: Address.v4(192, 0, 2, 1) },
  { mac: 0x0200_0000_0010, address: Address.v4(198, 51, 100, 77) }
]

/** Addresses that must not be where they are put. */
export const strangers: ReadonlyArray<Address.Ipv4> = [
  0,
  Address.broadcastV4,
  Address.loopbackV4,
  stackAddress,
  secondAddress,
  subnetBroadcast,
  Address.v4(10, 99, 0, 0),
  Address.v4(224, 0, 0, 1),
  Address.v4(239, 1, 2, 3),
  Address.v4(240, 0, 0, 1),
  Address.v4(169, 254, 1, 1),
  Address.v4(10, 99, 0, 200)
]

/** The longest frame that is made: an IPv4 packet of full length and some padding. */
export const capacity = 14 + Ipv4.maximumLength + 64

/** Where frames are written. `end` is where the frame in the making ends. */
export interface Buffer {
  readonly bytes: Uint8Array
  end: number
}

export const buffer = (): Buffer => ({ bytes: new Uint8Array(capacity), end: 0 })

export interface Addressing {
  readonly sourceMac: Mac.Mac
  readonly destinationMac: Mac.Mac
  readonly source: Address.Ipv4
  readonly destination: Address.Ipv4
  readonly hopLimit: number
  readonly trafficClass: number
  readonly identification: number
  readonly dontFragment: boolean
  readonly options: Piece | undefined
}

/** From a host to the stack, with nothing special about it. */
export const from = (host: Host): Addressing => ({
  sourceMac: host.mac,
  destinationMac: stackMac,
  source: host.address,
  destination: stackAddress,
  hopLimit: 64,
  trafficClass: 0,
  identification: 0,
  dontFragment: false,
  options: undefined
})

const ethernetLength = Ethernet.headerLength

/** Bytes before the IP payload. */
export const ipPayloadAt = (addressing: Addressing): number =>
  ethernetLength + (addressing.options === undefined
    ? Ipv4.minimumHeaderLength
    : Ipv4.minimumHeaderLength + ((addressing.options.end - addressing.options.start + 3) & ~3))

/** Puts Ethernet and IP headers before a payload that ends at `target.end`. */
const enclose = (target: Buffer, addressing: Addressing, protocol: number): void => {
  const { destinationMac, sourceMac, ...ip } = addressing
  Ethernet.emit(
    { destination: destinationMac, source: sourceMac, type: Ethernet.EtherType.ipv4 },
    target.bytes,
    0
  )
  const totalLength = Math.min(target.end - ethernetLength, Ipv4.maximumLength)
  Ipv4.emit({ ...ip, protocol, moreFragments: false, fragmentOffset: 0, totalLength }, target.bytes, ethernetLength)
}

/** Writes bytes into the payload that follows a header. */
export type Fill = (bytes: Uint8Array, at: number) => number

export const arp = (target: Buffer, header: Arp.Header, sourceMac: Mac.Mac, destinationMac: Mac.Mac): void => {
  Ethernet.emit({ destination: destinationMac, source: sourceMac, type: Ethernet.EtherType.arp }, target.bytes, 0)
  target.end = Arp.emit(header, target.bytes, ethernetLength)
}

export const icmp = (target: Buffer, addressing: Addressing, message: Icmpv4.Fields, fill: Fill): void => {
  const at = ipPayloadAt(addressing)
  target.end = fill(target.bytes, Icmpv4.emit(message, target.bytes, at))
  enclose(target, addressing, IpProtocol.icmp)
  repairTransport(target.bytes, at, target.end, addressing.source, addressing.destination, IpProtocol.icmp)
}

export const udp = (
  target: Buffer,
  addressing: Addressing,
  header: Pick<Udp.Fields, "sourcePort" | "destinationPort">,
  fill: Fill
): void => {
  const at = ipPayloadAt(addressing)
  target.end = fill(target.bytes, at + Udp.headerLength)
  Udp.emit({ ...header, length: target.end - at, checksum: 0 }, target.bytes, at)
  enclose(target, addressing, IpProtocol.udp)
  repairTransport(target.bytes, at, target.end, addressing.source, addressing.destination, IpProtocol.udp)
}

export const tcp = (
  target: Buffer,
  addressing: Addressing,
  header: Omit<Tcp.Fields, "checksum" | "options"> & { readonly options?: Partial<TcpOptions.Options> },
  fill: Fill
): void => {
  const at = ipPayloadAt(addressing)
  const options = TcpOptions.make(header.options ?? {})
  target.end = fill(target.bytes, Tcp.emit({ ...header, options, checksum: 0 }, target.bytes, at))
  enclose(target, addressing, IpProtocol.tcp)
  repairTransport(target.bytes, at, target.end, addressing.source, addressing.destination, IpProtocol.tcp)
}

/** A packet of any protocol with any payload. */
export const ip = (target: Buffer, addressing: Addressing, protocol: number, fill: Fill): void => {
  target.end = fill(target.bytes, ipPayloadAt(addressing))
  enclose(target, addressing, protocol)
}

/** Where a transport's checksum stands in its header, and whether a pseudo-header is under it. */
const checksumFields: ReadonlyMap<number, { readonly offset: number; readonly pseudo: boolean }> = new Map([
  [IpProtocol.icmp, { offset: Icmpv4.checksumOffset, pseudo: false }],
  [IpProtocol.udp, { offset: Udp.checksumOffset, pseudo: true }],
  [IpProtocol.tcp, { offset: Tcp.checksumOffset, pseudo: true }]
])

/** Makes the checksum of a transport right, whatever else is wrong with it. */
const repairTransport = (
  bytes: Uint8Array,
  start: number,
  end: number,
  source: Address.Ipv4,
  destination: Address.Ipv4,
  protocol: number
): void => {
  const field = checksumFields.get(protocol)
  if (field === undefined || start + field.offset + 2 > end) return
  const sum = field.pseudo ? Checksum.fold(Checksum.pseudoV4(source, destination, protocol, end - start)) : 0
  bytes[start + field.offset] = sum >>> 8
  bytes[start + field.offset + 1] = sum
  Checksum.complete(bytes, start, end, start + field.offset)
}

/** Makes every checksum of a frame right, so that what was changed in it is looked at. */
export const repair = ({ bytes, end }: Buffer): void => {
  if (end < ethernetLength + Ipv4.minimumHeaderLength) return
  if (bytes[12] !== 0x08 || bytes[13] !== 0x00) return
  const headerLength = (bytes[ethernetLength]! & 0x0f) * 4
  const payload = ethernetLength + headerLength
  if (headerLength < Ipv4.minimumHeaderLength || payload > end) return
  const totalLength = (bytes[ethernetLength + 2]! << 8) | bytes[ethernetLength + 3]!
  const packetEnd = Math.min(end, ethernetLength + totalLength)
  const isFragment = (bytes[ethernetLength + 6]! & 0x3f) !== 0 || bytes[ethernetLength + 7] !== 0
  if (!isFragment && packetEnd > payload) {
    const source = Address.readV4(bytes, ethernetLength + 12)
    const destination = Address.readV4(bytes, ethernetLength + 16)
    repairTransport(bytes, payload, packetEnd, source, destination, bytes[ethernetLength + 9]!)
  }
  bytes[ethernetLength + 10] = 0
  bytes[ethernetLength + 11] = 0
  const checksum = Checksum.finish(Checksum.sum(bytes, ethernetLength, payload, 0))
  bytes[ethernetLength + 10] = checksum >>> 8
  bytes[ethernetLength + 11] = checksum
}
