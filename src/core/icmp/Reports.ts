/**
 * ICMP errors that come in (RFC 1122 §3.2.2): what they quote tells which transport they concern, and whether they can be about
 * anything that this host has sent (RFC 5927 §4.1; the transport looks closer).
 */
import * as Address from "../../wire/Address.ts"
import * as Gather from "../../wire/Gather.ts"
import * as Icmpv4 from "../../wire/Icmpv4.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Quote from "../../wire/Quote.ts"
import type { Context } from "../Context.ts"
import type { LinkId } from "../Device.ts"
import type { IcmpError, Packet } from "../Ip.ts"

type Kind = IcmpError["kind"]

/** What the codes of destination unreachable mean to a transport (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1), by code. */
const unreachableKinds: ReadonlyArray<Kind> = [
  "network",
  "host",
  "protocol",
  "port",
  "tooBig",
  "sourceRouteFailed",
  "network",
  "host",
  "host",
  "prohibited",
  "prohibited",
  "network",
  "host",
  "prohibited",
  "prohibited",
  "prohibited"
]

type Report = Extract<Icmpv4.Header, { readonly _tag: "Unreachable" | "TimeExceeded" | "ParameterProblem" }>

const kindOf = (report: Report): Kind => {
  switch (report._tag) {
    case "Unreachable":
      return unreachableKinds[report.code] ?? "network"
    case "TimeExceeded":
      return report.code === Icmpv4.TimeExceededCode.reassembly ? "reassembly" : "hopLimit"
    case "ParameterProblem":
      return "parameterProblem"
  }
}

const typeOf = (report: Report): number => {
  switch (report._tag) {
    case "Unreachable":
      return Icmpv4.Type.unreachable
    case "TimeExceeded":
      return Icmpv4.Type.timeExceeded
    case "ParameterProblem":
      return Icmpv4.Type.parameterProblem
  }
}

/** rfc: 1122 §3.2.2 MUST: an error goes to the transport whose packet it quotes */
export const receive = (ctx: Context, packet: Packet, report: Report): void => {
  const quote = Quote.parseV4(packet.bytes, report.payloadStart, report.payloadEnd)
  if (quote === undefined) return ctx.drop("Malformed", packet.link, "quotes too little")
  if (packet.isGroup || !isFromHere(ctx, quote.source) || quote.fragmentOffset !== 0) {
    return ctx.drop("IcmpErrorNotOurs", packet.link)
  }
  if (quote.protocol === IpProtocol.icmp && packet.bytes[quote.payloadStart] !== Icmpv4.Type.echoRequest) {
    return ctx.drop("IcmpErrorAboutError", packet.link)
  }
  const transport = ctx.transports.get(quote.protocol)
  if (transport === undefined) return ctx.drop("IcmpErrorNotOurs", packet.link)
  transport.error(ctx, {
    ...about(quote, packet.bytes),
    link: packet.link,
    kind: kindOf(report),
    isLocal: false,
    type: typeOf(report),
    code: report.code,
    mtu: report._tag === "Unreachable" ? report.mtu : 0,
    from: packet.source
  })
}

const isFromHere = (ctx: Context, source: Address.Address): boolean =>
  ctx.ip.isOurs(source) || Address.isLoopback(source)

const about = (quote: Quote.Quote, bytes: Uint8Array) => ({
  version: quote.version,
  source: quote.source,
  destination: quote.destination,
  protocol: quote.protocol,
  bytes,
  start: quote.payloadStart,
  end: quote.payloadEnd
})

/**
 * A packet of this host found no next hop: its transport hears what a router would tell (RFC 1122 §2.4, §3.3.8), without a message. The packet
 * begins with its IP header.
 */
export const unreachable = (ctx: Context, link: LinkId, packet: Gather.Outgoing): void => {
  const bytes = new Uint8Array(Gather.size(packet))
  Gather.into(packet, bytes, 0, false)
  const quote = Quote.parseV4(bytes, 0, bytes.length)
  if (quote === undefined || quote.fragmentOffset !== 0) return
  ctx.transports.get(quote.protocol)?.error(ctx, {
    ...about(quote, bytes),
    link,
    kind: "host",
    isLocal: true,
    type: Icmpv4.Type.unreachable,
    code: Icmpv4.UnreachableCode.host,
    mtu: 0,
    from: quote.source
  })
}
