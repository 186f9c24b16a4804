/**
 * ICMP errors that this host sends (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3; RFC 4443 §2.4): which packets may be answered with one, how much of
 * them is quoted, and how many go out.
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as Icmpv4 from "../../wire/Icmpv4.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Piece from "../../wire/Piece.ts"
import * as Tcp from "../../wire/Tcp.ts"
import * as Udp from "../../wire/Udp.ts"
import * as Word from "../../wire/Word.ts"
import type { Context, ErrorKind } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as TokenBucket from "../data/TokenBucket.ts"
import type { LinkId } from "../Device.ts"
import { type Head, noPieces, type Packet, type Path } from "../Ip.ts"
import type { Reason } from "../Reason.ts"
import * as ErrorsV6 from "./ErrorsV6.ts"
import { errorRate, type State } from "./State.ts"

/** The longest error, IP header included: for IPv4 what every host can put together (RFC 1812 §4.3.2.3), for IPv6 what every link carries (RFC 4443 §2.4 (c)). */
const longest = { 4: 576, 6: 1280 } as const

/** Writes the header of a message that has so many bytes in all; answers where it ends. */
type Write = (path: Path, head: Head, length: number) => number

export const send = (ctx: Context, state: State, kind: ErrorKind, packet: Packet): void => {
  if (packet.version === 6) {
    if (!ErrorsV6.mayReport(kind, packet)) return
    return transmit(ctx, state, packet, (path, head, length) => ErrorsV6.emit(kind, path, length, head))
  }
  if (!mayReportV4(packet)) return
  transmit(ctx, state, packet, (_, head) => Icmpv4.emit(messageV4(kind), head.bytes, head.at))
}

/** For one host, whatever network it is in (rfc: 1812 §5.2.7.2 MUST). */
const redirectHost = 1

/** Tells the sender of an IPv4 packet of a better first hop on its own link (RFC 792, RFC 1812 §5.2.7.2). */
export const redirect = (ctx: Context, state: State, gateway: Address.Ipv4, packet: Packet): void => {
  if (!mayReportV4(packet)) return
  ctx.count(Counter.index.redirectsSent)
  transmit(
    ctx,
    state,
    packet,
    (_, head) => Icmpv4.emit({ _tag: "Redirect", code: redirectHost, gateway }, head.bytes, head.at)
  )
}

const transmit = (ctx: Context, state: State, packet: Packet, write: Write): void => {
  const path = pathBack(ctx, packet)
  if ("_tag" in path) return
  if (!mayTell(ctx, state, packet.link)) return
  const { headerLength, icmpProtocol } = ctx.families[packet.version]
  const length = Math.min(packet.end - packet.ipStart, longest[packet.version] - headerLength - Icmpv4.headerLength)
  const head = ctx.reserve(Icmpv4.headerLength + length)
  const at = write(path, head, Icmpv4.headerLength + length)
  const headEnd = Piece.copyRange(packet.bytes, packet.ipStart, packet.ipStart + length, head.bytes, at)
  finishChecksum(packet, head.bytes, at, headEnd)
  ctx.count(Counter.index.icmpSent)
  ctx.count(Counter.index.icmpErrorsSent)
  ctx.ip.send(ctx, {
    path,
    protocol: icmpProtocol,
    head,
    headEnd,
    pieces: noPieces,
    checksumOffset: Icmpv4.checksumOffset,
    hopLimit: ctx.ip.hopLimit(ctx, path),
    trafficClass: isForHere(ctx, packet) ? 0 : controlClass,
    dontFragment: false,
    gso: undefined,
    credit: undefined
  })
}

/**
 * A link may hand over a checksum that its sender has left unfinished (VIRTIO 1.2 §5.1.6.4.1). The quote shows the packet as it would be on a wire: senders know
 * theirs by it, as traceroutes do that vary it.
 */
const finishChecksum = (packet: Packet, quote: Uint8Array, at: number, end: number): void => {
  const { bytes, destination, ipStart, protocol, source, start } = packet
  if (packet.checksum === "none" || packet.segmentSize > 0 || isFragment(packet)) return
  if (protocol !== IpProtocol.tcp && protocol !== IpProtocol.udp) return
  const offset = protocol === IpProtocol.tcp ? Tcp.checksumOffset : Udp.checksumOffset
  const field = at + start - ipStart + offset
  // rfc: 1122 §4.1.3.4: a UDP checksum of zero is none
  if (field + 2 > end || (protocol === IpProtocol.udp && Word.read16(quote, field) === 0)) return
  const pseudo = Checksum.pseudo(source, destination, protocol, packet.end - start)
  const before = Checksum.sum(bytes, start, start + offset, pseudo)
  Word.write16(Checksum.finish(Checksum.sum(bytes, start + offset + 2, packet.end, before)) || 0xffff, quote, field)
}

const isFragment = ({ bytes, extensions, ipStart, version }: Packet): boolean =>
  version === 4 ? (Word.read16(bytes, ipStart + 6) & 0x3fff) !== 0 : extensions?.hasFragmentHeader === true

/** rfc: 1812 §4.3.2.4, 4443 §2.2 (a) MUST: from the address that the packet was for, if that is one of this host's */
const pathBack = (ctx: Context, packet: Packet): Path | Reason =>
  ctx.ip.path(
    ctx,
    packet.source,
    isForHere(ctx, packet) ? packet.destination : undefined,
    Address.isV4(packet.source) || !Address.isLinkLocal(packet.source) ? undefined : packet.link
  )

const isForHere = (ctx: Context, { destination }: Packet): boolean =>
  ctx.ip.isOurs(destination) || Address.isLoopback(destination)

/** Internetwork control (RFC 1812 §4.3.2.5 SHOULD, RFC 4594 §3.2): what a router tells must not be lost with what it is about. */
const controlClass = 0xc0

/** Takes one of the errors that may be sent now; if there is none, that is counted as a drop. */
export const mayTell = (ctx: Context, state: State, link: LinkId): boolean => {
  const bucket = TokenBucket.take(state.errors.value, errorRate(ctx.config), ctx.at)
  if (bucket === undefined) {
    ctx.drop("IcmpRateLimited", link)
    return false
  }
  ctx.set(state.errors, bucket)
  return true
}

/** The cases in which no error may be sent (RFC 1122 §3.2.2), each of which would let one packet make many. */
const mayReportV4 = (packet: Packet): boolean => {
  const { bytes, ipStart, source, start } = packet
  // rfc: 1122 §3.2.2 MUST NOT: about a packet to a group, in IP or in the link layer
  if (packet.isGroup) return false
  // rfc: 1122 §3.2.2 MUST NOT: to a source that is not a single host
  if (Address.isUnspecified(source) || Address.isMulticast(source) || source === Address.broadcastV4) return false
  // rfc: 1122 §3.2.2 MUST NOT: about a fragment but the first
  if ((Word.read16(bytes, ipStart + 6) & 0x1fff) !== 0) return false
  // rfc: 1122 §3.2.2 MUST NOT: about an error; what is not known may be one
  return packet.protocol !== IpProtocol.icmp || (packet.end > start && isQuery(bytes[start]!))
}

const isQuery = (type: number): boolean =>
  type === Icmpv4.Type.echoRequest || type === Icmpv4.Type.echoReply ||
  type === Icmpv4.Type.timestampRequest || type === Icmpv4.Type.timestampReply

const messageV4 = (kind: ErrorKind): Icmpv4.Fields => {
  switch (kind) {
    case "portUnreachable":
      return { _tag: "Unreachable", code: Icmpv4.UnreachableCode.port, mtu: 0 }
    case "protocolUnreachable":
      return { _tag: "Unreachable", code: Icmpv4.UnreachableCode.protocol, mtu: 0 }
    case "reassemblyTimeout":
      return { _tag: "TimeExceeded", code: Icmpv4.TimeExceededCode.reassembly }
    case "hopLimitExceeded":
      return { _tag: "TimeExceeded", code: Icmpv4.TimeExceededCode.hopLimit }
    case "noRoute":
    case "beyondScope":
      return { _tag: "Unreachable", code: Icmpv4.UnreachableCode.network, mtu: 0 }
    case "hostUnreachable":
      return { _tag: "Unreachable", code: Icmpv4.UnreachableCode.host, mtu: 0 }
    default:
      return kind._tag === "tooBig"
        ? { _tag: "Unreachable", code: Icmpv4.UnreachableCode.fragmentationNeeded, mtu: kind.mtu }
        : { _tag: "ParameterProblem", code: kind.code, pointer: kind.pointer }
  }
}
