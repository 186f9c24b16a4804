/**
 * ICMP for IPv4 as a transport (RFC 792, RFC 1122 §3.2.2): answers echo requests, hands answers to who asked and errors to who is concerned.
 */
import * as Wire from "../../wire/Icmpv4.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Piece from "../../wire/Piece.ts"
import type { Context, Transport } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { type IcmpError, noPieces, type Packet } from "../Ip.ts"
import * as Reports from "./Reports.ts"

/** Who has sent echo requests from here; bound by `core/Protocols.ts`. */
export interface Echoes {
  /** False if nobody waits for this answer. */
  readonly answered: (ctx: Context, packet: Packet, echo: Echo) => boolean
  readonly failed: (ctx: Context, error: IcmpError, identifier: number, sequence: number) => boolean
}

/** An echo message's fields, and where its data lies in the packet. */
export interface Echo {
  readonly identifier: number
  readonly sequence: number
  readonly payloadStart: number
  readonly payloadEnd: number
}

export const transport = (echoes: Echoes): Transport => ({
  protocol: IpProtocol.icmp,
  receive: (ctx, packet) => receive(ctx, echoes, packet),
  error: (ctx, error) => {
    const quoted = Wire.parse(error.bytes, error.start, error.end)
    const isTaken = !Malformed.isMalformed(quoted) && quoted._tag === "EchoRequest" &&
      echoes.failed(ctx, error, quoted.identifier, quoted.sequence)
    if (!isTaken) ctx.drop("IcmpErrorNotOurs", error.link)
  }
})

const receive = (ctx: Context, echoes: Echoes, packet: Packet): void => {
  const { bytes, end, link, start } = packet
  if (packet.version !== 4) return ctx.drop("IpProtocolUnknown", link)
  ctx.count(Counter.index.icmpReceived)
  const message = Wire.parse(bytes, start, end)
  if (Malformed.isMalformed(message)) return ctx.drop("Malformed", link, message.detail)
  if (packet.checksum === "none" && !Wire.verify(bytes, start, end)) return ctx.drop("Malformed", link, "ICMP checksum")
  switch (message._tag) {
    case "EchoRequest":
      return answer(ctx, packet, message)
    case "EchoReply":
      return echoes.answered(ctx, packet, message) ? undefined : ctx.drop("PingNoSocket", link)
    case "Unreachable":
    case "TimeExceeded":
    case "ParameterProblem":
      return Reports.receive(ctx, packet, message)
    case "SourceQuench":
      // rfc: 6633 §4 MUST: ignored
      return ctx.drop("IcmpDeprecated", link)
    case "Redirect":
      // Anybody on the link could send one; with a single way out nothing is lost (RFC 1122 §3.2.2.2 asks for it where routes are cached).
      return ctx.drop("IcmpRedirectIgnored", link)
    case "TimestampRequest":
    case "TimestampReply":
      // rfc: 1122 §3.2.2.8 MAY: not implemented
      return ctx.drop("IcmpTypeUnknown", link)
    case "Unknown":
      // rfc: 1122 §3.2.2 MUST: in silence
      return ctx.drop("IcmpTypeUnknown", link)
  }
}

/** rfc: 1122 §3.2.2.6 MUST: every host answers an echo with the same data, from the address that was asked */
const answer = (ctx: Context, packet: Packet, request: Echo): void => {
  if (!ctx.config.answerEcho) return ctx.drop("IcmpEchoRefused", packet.link)
  // rfc: 1122 §3.2.2.6 MAY: an echo to a group would have every host on the link answer at once
  if (packet.isGroup) return ctx.drop("IcmpEchoToGroup", packet.link)
  const path = ctx.ip.path(ctx, packet.source, packet.destination, undefined)
  if ("_tag" in path) return ctx.drop("IpNoRoute", packet.link)
  const head = ctx.reserve(Wire.headerLength + request.payloadEnd - request.payloadStart)
  const { identifier, sequence } = request
  const at = Wire.emit({ _tag: "EchoReply", identifier, sequence }, head.bytes, head.at)
  ctx.count(Counter.index.icmpSent)
  ctx.count(Counter.index.icmpEchoAnswered)
  ctx.ip.send(ctx, {
    path,
    protocol: IpProtocol.icmp,
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
