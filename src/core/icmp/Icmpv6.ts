/**
 * ICMP for IPv6 as a transport (RFC 4443): answers echo requests, hands answers to who asked, errors to who is concerned, and the messages of neighbour
 * discovery and group membership to those who speak them.
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as Wire from "../../wire/Icmpv6.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Piece from "../../wire/Piece.ts"
import type { Context, Transport } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { noPieces, type Packet } from "../Ip.ts"
import type { Echo, Echoes } from "./Icmpv4.ts"
import * as Reports from "./Reports.ts"

/** Who takes what ICMPv6 only carries; bound by `core/Protocols.ts`. */
export interface Handlers extends Echoes {
  /** RFC 4861 */
  readonly neighborDiscovery: (ctx: Context, packet: Packet) => void
  /** RFC 2710, RFC 3810 */
  readonly listenerDiscovery: (ctx: Context, packet: Packet) => void
}

export const transport = (handlers: Handlers): Transport => ({
  protocol: IpProtocol.icmpv6,
  receive: (ctx, packet) => receive(ctx, handlers, packet),
  error: (ctx, error) => {
    const quoted = Wire.parse(error.bytes, error.start, error.end)
    const isTaken = !Malformed.isMalformed(quoted) && quoted._tag === "EchoRequest" &&
      handlers.failed(ctx, error, quoted.identifier, quoted.sequence)
    if (!isTaken) ctx.drop("IcmpErrorNotOurs", error.link)
  }
})

/** rfc: 4443 §2.3 */
const isIntact = ({ bytes, checksum, destination, end, source, start }: Packet): boolean =>
  checksum !== "none" ||
  Wire.verify(bytes, start, end, Checksum.pseudo(source, destination, IpProtocol.icmpv6, end - start))

const receive = (ctx: Context, handlers: Handlers, packet: Packet): void => {
  const { link } = packet
  // In IPv4, which another number stands for.
  if (packet.version !== 6) return ctx.drop("IpProtocolUnknown", link)
  ctx.count(Counter.index.icmpReceived)
  const message = Wire.parse(packet.bytes, packet.start, packet.end)
  if (Malformed.isMalformed(message)) return ctx.drop("Malformed", link, message.detail)
  if (!isIntact(packet)) return ctx.drop("Malformed", link, "ICMPv6 checksum")
  switch (message._tag) {
    case "EchoRequest":
      return answer(ctx, packet, message)
    case "EchoReply":
      return handlers.answered(ctx, packet, message) ? undefined : ctx.drop("PingNoSocket", link)
    case "Unreachable":
    case "PacketTooBig":
    case "TimeExceeded":
    case "ParameterProblem":
      return Reports.receiveV6(ctx, packet, message)
    case "Other":
      return receiveOther(ctx, handlers, packet, message.type)
  }
}

const receiveOther = (ctx: Context, handlers: Handlers, packet: Packet, type: number): void => {
  switch (type) {
    case Wire.Type.routerSolicitation:
    case Wire.Type.routerAdvertisement:
    case Wire.Type.neighborSolicitation:
    case Wire.Type.neighborAdvertisement:
    case Wire.Type.redirect:
      return handlers.neighborDiscovery(ctx, packet)
    case Wire.Type.listenerQuery:
    case Wire.Type.listenerReport:
    case Wire.Type.listenerDone:
    case Wire.Type.listenerReportV2:
      return handlers.listenerDiscovery(ctx, packet)
    default:
      // rfc: 4443 §2.4 (b) MUST: in silence
      return ctx.drop("IcmpTypeUnknown", packet.link)
  }
}

/** rfc: 4443 §4.2 MUST: every node answers an echo with the same data, from the address that was asked, or from one of its own if that was a group's */
const answer = (ctx: Context, packet: Packet, request: Echo): void => {
  if (!ctx.config.answerEcho) return ctx.drop("IcmpEchoRefused", packet.link)
  const isGroup = Address.isMulticast(packet.destination)
  const isOurs = ctx.ip.isOurs(packet.destination) || Address.isLoopback(packet.destination)
  const bound = isGroup || Address.isLinkLocal(packet.source) ? packet.link : undefined
  const path = ctx.ip.path(ctx, packet.source, isOurs ? packet.destination : undefined, bound)
  if ("_tag" in path) return ctx.drop("IpNoRoute", packet.link)
  const length = Wire.headerLength + request.payloadEnd - request.payloadStart
  const head = ctx.reserve(length)
  const { identifier, sequence } = request
  const pseudo = Checksum.fold(Checksum.pseudo(path.source, path.destination, IpProtocol.icmpv6, length))
  const at = Wire.emit({ _tag: "EchoReply", identifier, sequence }, head.bytes, head.at, pseudo)
  ctx.count(Counter.index.icmpSent)
  ctx.count(Counter.index.icmpEchoAnswered)
  ctx.ip.send(ctx, {
    path,
    protocol: IpProtocol.icmpv6,
    head,
    headEnd: Piece.copyRange(packet.bytes, request.payloadStart, request.payloadEnd, head.bytes, at),
    pieces: noPieces,
    checksumOffset: Wire.checksumOffset,
    hopLimit: ctx.ip.hopLimit(ctx, path),
    trafficClass: packet.trafficClass,
    dontFragment: false,
    gso: undefined,
    credit: undefined
  })
}
