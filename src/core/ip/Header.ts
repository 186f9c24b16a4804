/**
 * The IP header of a packet that goes out, with what stands between it and the transport's: options of IPv4 (RFC 791 §3.1), extension headers of IPv6
 * (RFC 8200 §3, §4; flow label RFC 6437 §3).
 *
 *     IPv4 | header | router alert |                               transport …
 *     IPv6 | header | hop-by-hop: router alert | fragment header | transport …
 */
import * as Address from "../../wire/Address.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Ipv4 from "../../wire/Ipv4.ts"
import * as Ipv4Options from "../../wire/Ipv4Options.ts"
import * as Ipv6 from "../../wire/Ipv6.ts"
import * as Ipv6Extension from "../../wire/Ipv6Extension.ts"
import * as Word from "../../wire/Word.ts"
import type { Context } from "../Context.ts"
import * as Demux from "../Demux.ts"
import type { Head, Send } from "../Ip.ts"

/** What differs between the packets that one message is cut into. */
export interface Changing {
  /** Of the packet, from the IP header to its end. */
  readonly totalLength: number
  readonly identification: number
  /** Absent if the message is not cut. */
  readonly fragment: { readonly offset: number; readonly isLast: boolean } | undefined
}

const extensionLength = 8

/** rfc: 2711 §2.1 */
const multicastListener = 0

/** Bytes before the transport's header. */
export const lengthOf = (packet: Send): number => {
  const isAlert = packet.routerAlert === true
  if (packet.path.version === 6) return Ipv6.headerLength + (isAlert ? extensionLength : 0)
  const { end, start } = Ipv4Options.routerAlert
  return Ipv4.minimumHeaderLength + (isAlert ? end - start : 0)
}

/** The same of a fragment. */
export const lengthOfFragment = (packet: Send): number =>
  lengthOf(packet) + (packet.path.version === 6 ? extensionLength : 0)

/** Writes the headers so that they end at `room.at`; answers where they begin. */
export const write = (ctx: Context, packet: Send, room: Head, changing: Changing): number => {
  const { destination, source } = packet.path
  if (Address.isV4(source)) {
    return Address.isV4(destination) ? writeV4(packet, source, destination, room, changing) : room.at
  }
  return Address.isV4(destination) ? room.at : writeV6(ctx, packet, source, destination, room, changing)
}

const writeV4 = (
  packet: Send,
  source: Address.Ipv4,
  destination: Address.Ipv4,
  room: Head,
  { fragment, identification, totalLength }: Changing
): number => {
  const at = room.at - lengthOf(packet)
  Ipv4.emit(
    {
      totalLength,
      identification,
      moreFragments: fragment?.isLast === false,
      fragmentOffset: fragment?.offset ?? 0,
      source,
      destination,
      hopLimit: packet.hopLimit,
      trafficClass: packet.trafficClass,
      protocol: packet.protocol,
      dontFragment: packet.dontFragment,
      options: packet.routerAlert === true ? Ipv4Options.routerAlert : undefined
    },
    room.bytes,
    at
  )
  return at
}

/** Built from the transport back to the front: each header names the one behind it. */
const writeV6 = (
  ctx: Context,
  packet: Send,
  source: Address.Ipv6,
  destination: Address.Ipv6,
  room: Head,
  { fragment, identification, totalLength }: Changing
): number => {
  let { protocol } = packet
  let at = room.at
  if (fragment !== undefined) {
    at -= extensionLength
    const fields = { fragmentOffset: fragment.offset, moreFragments: !fragment.isLast, identification }
    Ipv6Extension.emit({ _tag: "Fragment", protocol, ...fields }, room.bytes, at)
    protocol = IpProtocol.fragment
  }
  if (packet.routerAlert === true) {
    at -= extensionLength
    Ipv6Extension.emit({ _tag: "HopByHop", protocol, routerAlert: multicastListener }, room.bytes, at)
    protocol = IpProtocol.hopByHop
  }
  at -= Ipv6.headerLength
  Ipv6.emit(
    {
      source,
      destination,
      hopLimit: packet.hopLimit,
      trafficClass: packet.trafficClass,
      flowLabel: flowLabelOf(ctx, packet),
      protocol,
      payloadLength: totalLength - Ipv6.headerLength
    },
    room.bytes,
    at
  )
  return at
}

/** rfc: 6437 §3 SHOULD: the same for all packets of a flow, and not to be guessed; a hash of what makes the flow. */
const flowLabelOf = (ctx: Context, { head, path, protocol }: Send): number => {
  const hasPorts = protocol === IpProtocol.tcp || protocol === IpProtocol.udp
  const from = hasPorts ? Word.read16(head.bytes, head.at) : protocol
  const to = hasPorts ? Word.read16(head.bytes, head.at + 2) : 0
  return Demux.hash(ctx.keys.identification, path.source, from, path.destination, to) & 0xf_ffff
}
