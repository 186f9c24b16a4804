/**
 * A local network as tests of the core see it: one host under test, and stations whose frames the test writes and reads by hand.
 */
import { assert } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import * as Host from "../../src/testing/Host.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Udp from "../../src/wire/Udp.ts"

/** The host under test: 10.0.0.1/24 on its first interface. */
export const here = Address.v4(10, 0, 0, 1)
export const hereMac: Mac.Mac = Host.macOf(1, 1)
/** A station on the same network. */
export const there = Address.v4(10, 0, 0, 9)
export const thereMac: Mac.Mac = 0x0200_0000_9999
export const link = 1

export const host = (options: Host.Options = {}): Host.Host =>
  Host.make({ seed: 1, ...options, interfaces: options.interfaces ?? [{ addresses: [[here, 24]] }] })

/** The values that are not a verdict on malformed bytes. */
export const sound = <A>(value: A | Malformed.Malformed): A => {
  if (Malformed.isMalformed(value)) throw new Error(`${value.protocol} ${value.reason}: ${value.detail}`)
  return value
}

export interface EthernetOptions {
  readonly to?: Mac.Mac
  readonly from?: Mac.Mac
  readonly type?: number
}

export const ethernet = (payload: Uint8Array, options: EthernetOptions = {}): Uint8Array => {
  const bytes = new Uint8Array(Ethernet.headerLength + payload.length)
  const { from = thereMac, to = hereMac, type = Ethernet.EtherType.ipv4 } = options
  bytes.set(payload, Ethernet.emit({ destination: to, source: from, type }, bytes, 0))
  return bytes
}

export const arp = (header: Arp.Header, options: EthernetOptions = {}): Uint8Array => {
  const payload = new Uint8Array(Arp.packetLength)
  Arp.emit(header, payload, 0)
  const to = header.operation === Arp.Operation.request ? Mac.broadcast : hereMac
  return ethernet(payload, { to, type: Ethernet.EtherType.arp, ...options })
}

/** An IPv4 packet; what is not given is ordinary. */
export const ip = (payload: Uint8Array, fields: Partial<Ipv4.Fields> = {}): Uint8Array => {
  const whole: Ipv4.Fields = {
    source: there,
    destination: here,
    hopLimit: 64,
    trafficClass: 0,
    protocol: IpProtocol.icmp,
    identification: 7,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    totalLength: 0,
    options: undefined,
    ...fields
  }
  const headerLength = Ipv4.size(whole)
  const bytes = new Uint8Array(headerLength + payload.length)
  bytes.set(payload, Ipv4.emit({ ...whole, totalLength: bytes.length }, bytes, 0))
  return bytes
}

export const icmp = (message: Icmpv4.Fields, payload: Uint8Array = new Uint8Array(0)): Uint8Array => {
  const bytes = new Uint8Array(Icmpv4.size(message) + payload.length)
  bytes.set(payload, Icmpv4.emit(message, bytes, 0))
  Checksum.complete(bytes, 0, bytes.length, Icmpv4.checksumOffset)
  return bytes
}

export const echo = (identifier = 1, sequence = 1, payload: Uint8Array = Uint8Array.of(1, 2, 3, 4)): Uint8Array =>
  icmp({ _tag: "EchoRequest", identifier, sequence }, payload)

export interface UdpOptions {
  readonly source?: Address.Ipv4
  readonly destination?: Address.Ipv4
  readonly withoutChecksum?: boolean
}

export const udp = (
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
  options: UdpOptions = {}
): Uint8Array => {
  const { destination = here, source = there, withoutChecksum = false } = options
  const length = Udp.headerLength + payload.length
  const pseudo = Checksum.fold(Checksum.pseudo(source, destination, IpProtocol.udp, length))
  const bytes = new Uint8Array(length)
  const checksum = withoutChecksum ? 0 : pseudo
  bytes.set(payload, Udp.emit({ sourcePort, destinationPort, length, checksum }, bytes, 0))
  if (!withoutChecksum) Checksum.complete(bytes, 0, length, Udp.checksumOffset)
  return bytes
}

/** A whole frame with a datagram for the host under test. */
export const datagram = (
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
  fields: Partial<Ipv4.Fields> = {},
  frame: EthernetOptions = {}
): Uint8Array => {
  const { destination = here, source = there } = fields
  const transport = udp(sourcePort, destinationPort, payload, { source, destination })
  return ethernet(ip(transport, { protocol: IpProtocol.udp, ...fields }), frame)
}

/** Tells the host a station's link-layer address as the station itself would: it asks for the host's. */
export const introduce = (self: Host.Host, address: Address.Ipv4 = there, mac: Mac.Mac = thereMac): void => {
  self.deliver(link, arp(Arp.request(mac, address, here), { from: mac }))
  self.takeFrames(link)
  self.notices()
}

/** What a frame of the host says, with every header checked. */
export interface Read {
  readonly ethernet: Ethernet.Header
  readonly arp: Arp.Header | undefined
  readonly ip: Ipv4.Header | undefined
  readonly icmp: Icmpv4.Header | undefined
  readonly udp: Udp.Header | undefined
  /** What is behind the innermost header that was read. */
  readonly payload: Uint8Array
}

export const read = (frame: Uint8Array): Read => {
  const header = sound(Ethernet.parse(frame, 0, frame.length))
  const nothing = { ethernet: header, arp: undefined, ip: undefined, icmp: undefined, udp: undefined }
  if (header.type === Ethernet.EtherType.arp) {
    const asked = sound(Arp.parse(frame, header.payloadStart, header.payloadEnd))
    return { ...nothing, arp: asked, payload: new Uint8Array(0) }
  }
  if (header.type !== Ethernet.EtherType.ipv4) return { ...nothing, payload: frame.slice(header.payloadStart) }
  const packet = sound(Ipv4.parse(frame, header.payloadStart, header.payloadEnd))
  const { payloadEnd, payloadStart } = packet
  if (Ipv4.isFragment(packet)) return { ...nothing, ip: packet, payload: frame.slice(payloadStart, payloadEnd) }
  if (packet.protocol === IpProtocol.icmp) {
    assert.isTrue(Icmpv4.verify(frame, payloadStart, payloadEnd), "ICMP checksum")
    const message = sound(Icmpv4.parse(frame, payloadStart, payloadEnd))
    return { ...nothing, ip: packet, icmp: message, payload: frame.slice(message.payloadStart, message.payloadEnd) }
  }
  if (packet.protocol === IpProtocol.udp) {
    const segment = sound(Udp.parse(frame, payloadStart, payloadEnd))
    const pseudo = Checksum.pseudo(packet.source, packet.destination, IpProtocol.udp, segment.length)
    assert.isTrue(Udp.verify(frame, segment, pseudo), "UDP checksum")
    return { ...nothing, ip: packet, udp: segment, payload: frame.slice(segment.payloadStart, segment.payloadEnd) }
  }
  return { ...nothing, ip: packet, payload: frame.slice(payloadStart, payloadEnd) }
}

/** All frames that the host has sent since the last look, read. */
export const sent = (self: Host.Host, on = link): ReadonlyArray<Read> => self.takeFrames(on).map(read)

/** The reasons of what was dropped since the last look. */
export const dropped = (self: Host.Host): ReadonlyArray<string> => self.drops().map(({ reason }) => reason)

/** Delivers a frame and answers what came of it. */
export const deliver = (
  self: Host.Host,
  frame: Uint8Array
): { readonly sent: ReadonlyArray<Read>; readonly dropped: ReadonlyArray<string> } => {
  self.deliver(link, frame)
  return { sent: sent(self), dropped: dropped(self) }
}

export const bytes = (length: number, seed = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff)

/** An echo request of the host itself. */
export const ping = (destination: Address.Address, payload = bytes(8)) => ({
  _tag: "Ping",
  destination,
  source: undefined,
  payload,
  hopLimit: undefined,
  dontFragment: false,
  timeout: Time.seconds(10),
  link: undefined
} as const)

/** A socket bound to a port on all addresses. */
export const bind = (self: Host.Host, port: number, local?: Address.Address): number =>
  self.call({ _tag: "UdpBind", local, version: undefined, port, link: undefined, options: {} }).socket

export const send = (
  socket: number,
  remote: Address.Address | undefined,
  remotePort: number,
  payload: Uint8Array = bytes(4)
) => ({
  _tag: "UdpSend",
  socket,
  remote,
  remotePort,
  bytes: payload,
  block: true
} as const)

export const receive = (socket: number, block = true, max = 64) => ({ _tag: "UdpReceive", socket, max, block } as const)
