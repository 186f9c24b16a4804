/**
 * The local network of `../Lan.ts` for tests of UDP, in the family of the run: one host under test, and stations whose packets the test writes and reads.
 */
import { assert } from "@effect/vitest"
import type * as Host from "../../../src/testing/Host.ts"
import { make } from "../../../src/testing/Host.ts"
import type * as Address from "../../../src/wire/Address.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../../src/wire/Ipv4.ts"
import type * as Mac from "../../../src/wire/Mac.ts"
import * as Udp from "../../../src/wire/Udp.ts"
import * as Family from "../family.ts"
import * as Lan from "../Lan.ts"
import * as Packets from "../Packets.ts"

export const { bytes, dropped, hereMac, link, receive, send, thereMac } = Lan
export const here = Family.address(1)
export const there = Family.address(9)

/** An interface with an address, whose packets carry as much in both families. */
export const interfaceOf = (address: Address.Address, mtu = 1500): Host.InterfaceOptions => ({
  addresses: [[address, Family.prefixLength]],
  mtu: Family.mtuOf(mtu)
})

export const host = (options: Host.Options = {}): Host.Host =>
  make({ seed: 1, ...options, interfaces: options.interfaces ?? [interfaceOf(here)] })

/** The host knows the station's link-layer address. */
export const introduce = (self: Host.Host): void => {
  self.call({ _tag: "SetNeighbor", link, address: there, mac: thereMac })
  self.takeFrames(link)
  self.notices()
}

interface Ends {
  readonly source?: Address.Address
  readonly destination?: Address.Address
}

/** A datagram with its header and checksum. */
export const udp = (
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
  { destination = here, source = there, withoutChecksum = false }: Ends & { readonly withoutChecksum?: boolean } = {}
): Uint8Array => {
  const length = Udp.headerLength + payload.length
  const pseudo = Checksum.fold(Checksum.pseudo(source, destination, IpProtocol.udp, length))
  const whole = new Uint8Array(length)
  const checksum = withoutChecksum ? 0 : pseudo
  whole.set(payload, Udp.emit({ sourcePort, destinationPort, length, checksum }, whole, 0))
  if (!withoutChecksum) Checksum.complete(whole, 0, length, Udp.checksumOffset)
  return whole
}

/** A packet of the station's; UDP unless another protocol is given. */
export const ip = (
  payload: Uint8Array,
  { destination = here, source = there, ...fields }: Ends & Partial<Packets.Fields> = {}
): Uint8Array => Packets.ip(source, destination, payload, { protocol: IpProtocol.udp, ...fields })

export const ethernet = (packet: Uint8Array, to: Mac.Mac = hereMac): Uint8Array => Packets.frame(packet, to, thereMac)

/** A whole frame with a datagram for the host under test. */
export const datagram = (
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
  fields: Ends & Partial<Packets.Fields> = {},
  frame: { readonly to?: Mac.Mac } = {}
): Uint8Array => ethernet(ip(udp(sourcePort, destinationPort, payload, fields), fields), frame.to)

/** An IP packet that the host has sent, with the header and the payload of the datagram in it, if there is one. */
export interface Read extends Packets.Read {
  readonly udp: Udp.Header | undefined
  readonly dontFragment: boolean
}

export const read = (frame: Uint8Array): Read => {
  const packet = Packets.read(frame)
  if (packet === undefined) throw new Error("no IP packet")
  const isV4 = packet.packet[0]! >>> 4 === 4
  const header = isV4 ? Lan.sound(Ipv4.parse(packet.packet, 0, packet.packet.length)) : undefined
  const dontFragment = header?.dontFragment === true
  if (packet.protocol !== IpProtocol.udp || (header !== undefined && Ipv4.isFragment(header))) {
    return { ...packet, udp: undefined, dontFragment }
  }
  const { destination, payload, source } = packet
  const segment = Lan.sound(Udp.parse(payload, 0, payload.length))
  const pseudo = Checksum.pseudo(source, destination, IpProtocol.udp, segment.length)
  assert.isTrue(Udp.verify(payload, segment, pseudo), "UDP checksum")
  return { ...packet, udp: segment, dontFragment, payload: payload.slice(segment.payloadStart, segment.payloadEnd) }
}

export const sent = (self: Host.Host, on = link): ReadonlyArray<Read> => self.takeFrames(on).map(read)

/** Delivers a frame and answers what came of it. */
export const deliver = (self: Host.Host, frame: Uint8Array) => {
  self.deliver(link, frame)
  const frames = self.takeFrames(link)
  return { sent: Packets.packets(frames), told: Packets.told(frames).map(({ said }) => said), dropped: dropped(self) }
}

/** An error of a router about the packet with which a frame begins; an MTU is one of IPv4. */
export const icmp = (type: number, code: number, quoted: Uint8Array, mtu = 0): Uint8Array => {
  const rest = mtu === 0 ? 0 : Family.mtuOf(mtu)
  return ethernet(Packets.icmp(there, here, { type, code, rest }, quoted))
}

/** What an error quotes of a frame: the IP header, and eight octets. */
export const quoteOf = (frame: Uint8Array): Uint8Array => frame.slice(14, 14 + Family.headerLength + 8)
