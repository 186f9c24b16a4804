/**
 * Packets of either family as tests of the core write and read them, by the addresses that they are given.
 */
import { assert } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as Icmpv6 from "../../src/wire/Icmpv6.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import type * as Mac from "../../src/wire/Mac.ts"
import * as Ndp from "../../src/wire/Ndp.ts"
import * as Udp from "../../src/wire/Udp.ts"
import { sound } from "./Lan.ts"

/** What of an IP header matters in both families. */
export interface Fields {
  readonly protocol: number
  readonly hopLimit?: number
  readonly trafficClass?: number
  /** IPv4 only. */
  readonly dontFragment?: boolean
  readonly options?: Ipv4.Fields["options"]
  readonly identification?: number
}

export const ip = (
  source: Address.Address,
  destination: Address.Address,
  payload: Uint8Array,
  fields: Fields
): Uint8Array => {
  const { dontFragment = false, hopLimit = 64, identification = 7, options, protocol, trafficClass = 0 } = fields
  if (Address.isV4(source)) {
    assert.isTrue(Address.isV4(destination))
    const header: Ipv4.Fields = {
      source,
      destination: destination as Address.Ipv4,
      hopLimit,
      trafficClass,
      protocol,
      identification,
      dontFragment,
      moreFragments: false,
      fragmentOffset: 0,
      totalLength: 0,
      options
    }
    const bytes = new Uint8Array(Ipv4.size(header) + payload.length)
    bytes.set(payload, Ipv4.emit({ ...header, totalLength: bytes.length }, bytes, 0))
    return bytes
  }
  const bytes = new Uint8Array(Ipv6.headerLength + payload.length)
  const to = destination as Address.Ipv6
  const payloadLength = payload.length
  bytes.set(
    payload,
    Ipv6.emit({ source, destination: to, hopLimit, trafficClass, flowLabel: 5, protocol, payloadLength }, bytes, 0)
  )
  return bytes
}

export const udp = (
  source: Address.Address,
  destination: Address.Address,
  payload: Uint8Array,
  fields: Partial<Fields> = {},
  ports: readonly [number, number] = [9, 7]
): Uint8Array => {
  const length = Udp.headerLength + payload.length
  const checksum = Checksum.fold(Checksum.pseudo(source, destination, IpProtocol.udp, length))
  const bytes = new Uint8Array(length)
  bytes.set(payload, Udp.emit({ sourcePort: ports[0], destinationPort: ports[1], length, checksum }, bytes, 0))
  Checksum.complete(bytes, 0, length, Udp.checksumOffset)
  return ip(source, destination, bytes, { protocol: IpProtocol.udp, ...fields })
}

/** An ICMP message of the addresses' family, with its checksum. */
export const icmp = (
  source: Address.Address,
  destination: Address.Address,
  said: { readonly type: number; readonly code: number; readonly rest?: number },
  quoted: Uint8Array
): Uint8Array => {
  const isV4 = Address.isV4(source)
  const protocol = isV4 ? IpProtocol.icmp : IpProtocol.icmpv6
  const { code, rest = 0, type } = said
  const bytes = new Uint8Array(8 + quoted.length)
  bytes.set([type, code, 0, 0, rest >>> 24, rest >>> 16, rest >>> 8, rest])
  bytes.set(quoted, 8)
  if (!isV4) {
    const pseudo = Checksum.fold(Checksum.pseudo(source, destination, protocol, bytes.length))
    bytes.set([pseudo >>> 8, pseudo & 0xff], 2)
  }
  Checksum.complete(bytes, 0, bytes.length, 2)
  return ip(source, destination, bytes, { protocol })
}

/** A message of neighbour discovery, with its checksum. */
export const ndp = (
  source: Address.Ipv6,
  destination: Address.Ipv6,
  message: Ndp.Message,
  fields: Partial<Fields> = {}
): Uint8Array => {
  const bytes = new Uint8Array(Ndp.size(message))
  const pseudo = Checksum.pseudoV6(source, destination, IpProtocol.icmpv6, bytes.length)
  Ndp.emit(message, bytes, 0, Checksum.fold(pseudo))
  Checksum.complete(bytes, 0, bytes.length, Icmpv6.checksumOffset)
  return ip(source, destination, bytes, { protocol: IpProtocol.icmpv6, hopLimit: 255, ...fields })
}

export const frame = (packet: Uint8Array, to: Mac.Mac, from: Mac.Mac): Uint8Array => {
  const bytes = new Uint8Array(Ethernet.headerLength + packet.length)
  const type = packet[0]! >>> 4 === 4 ? Ethernet.EtherType.ipv4 : Ethernet.EtherType.ipv6
  bytes.set(packet, Ethernet.emit({ destination: to, source: from, type }, bytes, 0))
  return bytes
}

/** What a frame carries, of either family. */
export interface Read {
  readonly to: Mac.Mac
  readonly from: Mac.Mac
  readonly source: Address.Address
  readonly destination: Address.Address
  readonly hopLimit: number
  readonly trafficClass: number
  readonly protocol: number
  /** The IP packet without the link's padding. */
  readonly packet: Uint8Array
  readonly payload: Uint8Array
}

/** Reads a frame that carries an IP packet, and checks its headers; `undefined` for others. */
export const read = (bytes: Uint8Array): Read | undefined => {
  const link = sound(Ethernet.parse(bytes, 0, bytes.length))
  const { payloadStart: start } = link
  const isV4 = link.type === Ethernet.EtherType.ipv4
  if (!isV4 && link.type !== Ethernet.EtherType.ipv6) return undefined
  const header = isV4 ? sound(Ipv4.parse(bytes, start, bytes.length)) : sound(Ipv6.parse(bytes, start, bytes.length))
  const { destination, hopLimit, payloadEnd, payloadStart, protocol, source, trafficClass } = header
  const packet = bytes.slice(start, payloadEnd)
  const payload = bytes.slice(payloadStart, payloadEnd)
  return {
    to: link.destination,
    from: link.source,
    source,
    destination,
    hopLimit,
    trafficClass,
    protocol,
    packet,
    payload
  }
}

/** The IP packets among frames. */
export const packets = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<Read> =>
  frames.flatMap((one) => read(one) ?? [])

/** An ICMP message of either family: what it says, and what it quotes. */
export interface Told {
  readonly said: Icmpv4.Header | Icmpv6.Header
  readonly from: Address.Address
  readonly trafficClass: number
  readonly quoted: Uint8Array
}

/** The ICMP messages among frames, with their checksums verified. */
export const told = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<Told> =>
  packets(frames).flatMap(({ destination, payload, protocol, source, trafficClass }): ReadonlyArray<Told> => {
    const end = payload.length
    if (protocol === IpProtocol.icmp) {
      assert.isTrue(Icmpv4.verify(payload, 0, end), "ICMP checksum")
      const said = sound(Icmpv4.parse(payload, 0, end))
      return [{ said, from: source, trafficClass, quoted: payload.slice(said.payloadStart, said.payloadEnd) }]
    }
    if (protocol !== IpProtocol.icmpv6) return []
    const pseudo = Checksum.pseudo(source, destination, IpProtocol.icmpv6, end)
    assert.isTrue(Icmpv6.verify(payload, 0, end, pseudo), "ICMPv6 checksum")
    const said = sound(Icmpv6.parse(payload, 0, end))
    if (said._tag === "Other") return []
    return [{ said, from: source, trafficClass, quoted: payload.slice(said.payloadStart, said.payloadEnd) }]
  })

/** The messages of neighbour discovery among frames. */
export const discovery = (
  frames: ReadonlyArray<Uint8Array>
): ReadonlyArray<{ readonly ip: Read; readonly message: Ndp.Message }> =>
  packets(frames).flatMap((read) => {
    const type = read.payload[0]!
    if (read.protocol !== IpProtocol.icmpv6 || type < 133 || type > 137) return []
    const pseudo = Checksum.pseudo(read.source, read.destination, IpProtocol.icmpv6, read.payload.length)
    assert.isTrue(Icmpv6.verify(read.payload, 0, read.payload.length, pseudo), "ICMPv6 checksum")
    return [{ ip: read, message: sound(Ndp.parse(read.payload, 0, read.payload.length)) }]
  })
