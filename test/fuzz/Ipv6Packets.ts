/**
 * The wire of the fuzzer over IPv6: the same hosts as over IPv4 with addresses made of those, packets, and the way of a TCP or UDP
 * frame from one version to the other, so that what is thrown at transports is thrown at both.
 */
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Extension from "../../src/wire/Ipv6Extension.ts"
import type * as Mac from "../../src/wire/Mac.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Frames from "./Frames.ts"

export const prefixLength = 64
/** 2001:db8:99::/64, the link's. */
const linkPrefix = [0x2001_0db8, 0x0099_0000] as const
/** 2001:db8:77::/64, behind the gateway. */
const farPrefix = [0x2001_0db8, 0x0077_0000] as const

/** The group to which the stack belongs beside its own. */
export const group = Address.v6(0xff05_0000, 0, 0, 0x1234)
export const allNodes = Address.v6(0xff02_0000, 0, 0, 1)

/** The special addresses that an IPv4 one with a special meaning becomes. */
const special: ReadonlyMap<Address.Ipv4, Address.Ipv6> = new Map([
  [0, Address.unspecifiedV6],
  [Address.broadcastV4, allNodes],
  [Address.loopbackV4, Address.loopbackV6],
  [Frames.subnetBroadcast, Address.v6(0xff02_0000, 0, 0, 2)],
  [Address.v4(224, 0, 0, 1), Address.v6(0xff02_0000, 0, 1, 0xff63_0002)],
  [Address.v4(239, 1, 2, 3), group],
  [Address.v4(240, 0, 0, 1), Address.v6(0, 0, 0xffff, 0x0a63_0002)],
  [Address.v4(169, 254, 1, 1), Address.v6(0xfe80_0000, 0, 0, 0x101)]
])

/** The address that a host has over IPv6. */
export const of = (address: Address.Ipv4): Address.Ipv6 => {
  const known = special.get(address)
  if (known !== undefined) return known
  const [w0, w1] = Address.samePrefix(address, Frames.gateway, Frames.prefixLength) ? linkPrefix : farPrefix
  return Address.v6(w0, w1, 0, address)
}

export const stackAddress = of(Frames.stackAddress)
export const honestAddress = of(Frames.honest.address)

export const isHonest = (address: Address.Address): boolean =>
  address === Frames.honest.address || Address.equals(address, honestAddress)

/** A router's or a host's own address on the link. */
export const linkLocal = (mac: Mac.Mac): Address.Ipv6 => Address.v6(0xfe80_0000, 0, 0x99, mac % 0x1_0000_0000)

/** The address over IPv4 of a host whose address over IPv6 this is. */
const back = (address: Address.Ipv6): Address.Ipv4 | undefined =>
  Address.equals(of(address.w3), address) ? address.w3 : undefined

export interface Addressing {
  readonly sourceMac: Mac.Mac
  readonly destinationMac: Mac.Mac
  readonly source: Address.Ipv6
  readonly destination: Address.Ipv6
  readonly hopLimit: number
  readonly trafficClass: number
  readonly flowLabel: number
}

/** From a host to the stack, with nothing special about it. */
export const from = (host: Frames.Host): Addressing => ({
  sourceMac: host.mac,
  destinationMac: Frames.stackMac,
  source: of(host.address),
  destination: stackAddress,
  hopLimit: 64,
  trafficClass: 0,
  flowLabel: 0
})

export const payloadAt = Ethernet.headerLength + Ipv6.headerLength

/** Puts Ethernet and IPv6 headers before what ends at `target.end`, with every checksum right. */
export const enclose = (target: Frames.Buffer, addressing: Addressing, protocol: number): void => {
  const { destinationMac, sourceMac, ...ip } = addressing
  const type = Ethernet.EtherType.ipv6
  Ethernet.emit({ destination: destinationMac, source: sourceMac, type }, target.bytes, 0)
  const payloadLength = Math.min(target.end - payloadAt, Ipv6.maximumPayloadLength)
  Ipv6.emit({ ...ip, protocol, payloadLength }, target.bytes, Ethernet.headerLength)
  repair(target)
}

const checksumOffset: ReadonlyMap<number, number> = new Map([
  [IpProtocol.tcp, 16],
  [IpProtocol.udp, 6],
  [IpProtocol.icmpv6, 2]
])

/** Makes the checksum of the upper layer right, if there is one that can be found. */
export const repair = ({ bytes, end }: Frames.Buffer): void => {
  if (end < payloadAt || bytes[12] !== 0x86 || bytes[13] !== 0xdd) return
  const ip = Ipv6.parse(bytes, Ethernet.headerLength, end)
  if (Malformed.isMalformed(ip)) return
  const upper = Extension.upperLayer(ip.protocol, bytes, ip.payloadStart, ip.payloadEnd)
  const offset = upper === undefined || upper.isLaterFragment ? undefined : checksumOffset.get(upper.protocol)
  if (upper === undefined || offset === undefined || upper.start + offset + 2 > ip.payloadEnd) return
  const length = ip.payloadEnd - upper.start
  const pseudo = Checksum.fold(Checksum.pseudoV6(ip.source, ip.destination, upper.protocol, length))
  const field = upper.start + offset
  bytes[field] = pseudo >>> 8
  bytes[field + 1] = pseudo
  Checksum.complete(bytes, upper.start, ip.payloadEnd, field)
}

/** A frame of TCP or UDP over IPv4 becomes one over IPv6; any other stays. */
export const translate = (target: Frames.Buffer, destination?: Address.Ipv6): void => {
  const { bytes } = target
  const ethernet = Ethernet.parse(bytes, 0, target.end)
  const ip = Ipv4.parse(bytes, Ethernet.headerLength, target.end)
  if (Malformed.isMalformed(ethernet) || Malformed.isMalformed(ip) || Ipv4.isFragment(ip)) return
  const length = ip.payloadEnd - ip.payloadStart
  if (length > Frames.capacity - payloadAt) return
  bytes.copyWithin(payloadAt, ip.payloadStart, ip.payloadEnd)
  target.end = payloadAt + length
  enclose(target, {
    sourceMac: ethernet.source,
    destinationMac: ethernet.destination,
    source: of(ip.source),
    destination: destination ?? of(ip.destination),
    hopLimit: ip.hopLimit,
    trafficClass: ip.trafficClass,
    flowLabel: 0
  }, ip.protocol)
}

/** What the stack has said over TCP: to whom, from where, and the segment's range in the frame. */
export interface Said {
  readonly peer: Address.Ipv4
  readonly from: Address.Address
  readonly start: number
  readonly end: number
}

/** Reads a frame of the stack's; undefined if it is no whole TCP segment to a known host over IPv6. */
export const said = (frame: Uint8Array): Said | undefined => {
  const ip = Ipv6.parse(frame, Ethernet.headerLength, frame.length)
  if (Malformed.isMalformed(ip) || ip.protocol !== IpProtocol.tcp) return undefined
  const peer = back(ip.destination)
  return peer === undefined ? undefined : { peer, from: ip.source, start: ip.payloadStart, end: ip.payloadEnd }
}
