/**
 * ICMP errors that come in (RFC 1122 §3.2.2): what they quote tells which transport they concern, and whether they can be about
 * anything that this host has sent (RFC 5927 §4.1; the transport looks closer).
 */
import * as Address from "../../wire/Address.ts"
import * as Gather from "../../wire/Gather.ts"
import * as Icmpv4 from "../../wire/Icmpv4.ts"
import * as Icmpv6 from "../../wire/Icmpv6.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Quote from "../../wire/Quote.ts"
import type { Context } from "../Context.ts"
import { forwards, type LinkId } from "../Device.ts"
import * as Family from "../Family.ts"
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

/** What the codes of ICMPv6's destination unreachable mean to a transport (RFC 4443 §3.1), by code. */
const unreachableKindsV6: ReadonlyArray<Kind> = [
  "network",
  "prohibited",
  "host",
  "host",
  "port",
  "prohibited",
  "network"
]

export type ReportV6 = Extract<
  Icmpv6.Header,
  { readonly _tag: "Unreachable" | "PacketTooBig" | "TimeExceeded" | "ParameterProblem" }
>

const kindOfV6 = (report: ReportV6): Kind => {
  switch (report._tag) {
    case "Unreachable":
      return unreachableKindsV6[report.code] ?? "network"
    case "PacketTooBig":
      return "tooBig"
    case "TimeExceeded":
      return report.code === Icmpv6.TimeExceededCode.reassembly ? "reassembly" : "hopLimit"
    case "ParameterProblem":
      // rfc: 4443 §3.4: nobody there knows the protocol
      return report.code === Icmpv6.ParameterProblemCode.unrecognizedNextHeader ? "protocol" : "parameterProblem"
  }
}

/** rfc: 1122 §3.2.2 MUST: an error goes to the transport whose packet it quotes */
export const receive = (ctx: Context, packet: Packet, report: Report): void => {
  const quote = Quote.parseV4(packet.bytes, report.payloadStart, report.payloadEnd)
  if (quote === undefined) return ctx.drop("Malformed", packet.link, "quotes too little")
  deliver(ctx, packet, quote, {
    kind: kindOf(report),
    type: typeOf(report),
    code: report.code,
    mtu: report._tag === "Unreachable" ? report.mtu : 0
  })
}

/** rfc: 4443 §2.4 (d) MUST: the same for IPv6 */
export const receiveV6 = (ctx: Context, packet: Packet, report: ReportV6): void => {
  const quote = Quote.parseV6(packet.bytes, report.payloadStart, report.payloadEnd)
  if (quote === undefined) return ctx.drop("Malformed", packet.link, "quotes too little")
  const mtu = report._tag === "PacketTooBig" ? report.mtu : 0
  // rfc: 8201 §4 MUST: no link is so narrow
  if (report._tag === "PacketTooBig" && mtu < Family.v6.minimumMtu) {
    return ctx.drop("Malformed", packet.link, "an MTU below 1280")
  }
  const { bytes, start } = packet
  deliver(ctx, packet, quote, { kind: kindOfV6(report), type: bytes[start]!, code: bytes[start + 1]!, mtu })
}

const deliver = (
  ctx: Context,
  packet: Packet,
  quote: Quote.Quote,
  said: Pick<IcmpError, "kind" | "type" | "code" | "mtu">
): void => {
  if (packet.isGroup || !isFromHere(ctx, quote.source) || quote.fragmentOffset !== 0) {
    return ctx.drop("IcmpErrorNotOurs", packet.link)
  }
  if (isAboutIcmp(packet, quote)) return ctx.drop("IcmpErrorAboutError", packet.link)
  const about = aboutOf(quote, packet.bytes)
  const error: IcmpError = { ...about, ...said, link: packet.link, isLocal: false, from: packet.source }
  const transport = ctx.transports.get(quote.protocol)
  if (transport !== undefined) return transport.error(ctx, error)
  if (!ctx.transports.rawFailed(ctx, error)) ctx.drop("IcmpErrorNotOurs", packet.link)
}

/** Of ICMP, only echo requests have somebody to hear of it. */
const isAboutIcmp = ({ bytes }: Packet, { payloadStart, protocol, version }: Quote.Quote): boolean =>
  version === 4
    ? protocol === IpProtocol.icmp && bytes[payloadStart] !== Icmpv4.Type.echoRequest
    : protocol === IpProtocol.icmpv6 && bytes[payloadStart] !== Icmpv6.Type.echoRequest

const isFromHere = (ctx: Context, source: Address.Address): boolean =>
  ctx.ip.isOurs(source) || Address.isLoopback(source)

const aboutOf = (quote: Quote.Quote, bytes: Uint8Array) => ({
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
  const isV4 = bytes[0]! >>> 4 === 4
  const quote = isV4 ? Quote.parseV4(bytes, 0, bytes.length) : Quote.parseV6(bytes, 0, bytes.length)
  if (quote === undefined || quote.fragmentOffset !== 0) return
  if (!isFromHere(ctx, quote.source) && isRouter(ctx)) return tellSender(ctx, link, quote, bytes)
  ctx.transports.get(quote.protocol)?.error(ctx, {
    ...aboutOf(quote, bytes),
    link,
    kind: "host",
    isLocal: true,
    type: isV4 ? Icmpv4.Type.unreachable : Icmpv6.Type.unreachable,
    code: isV4 ? Icmpv4.UnreachableCode.host : Icmpv6.UnreachableCode.address,
    mtu: 0,
    from: quote.source
  })
}

/** Otherwise a packet from an address that is not this host's is from one that it had. */
const isRouter = (ctx: Context): boolean => {
  for (const self of ctx.links.all()) if (forwards(ctx.config, self)) return true
  return false
}

/** The packet was forwarded: whoever sent it hears that its next hop does not answer (rfc: 1812 §5.2.7.1 MUST, 4861 §7.2.2 SHOULD). */
const tellSender = (ctx: Context, link: LinkId, quote: Quote.Quote, bytes: Uint8Array): void => {
  const { destination, payloadStart, protocol, source, version } = quote
  const isV4 = version === 4
  ctx.ip.error(ctx, "hostUnreachable", {
    version,
    link,
    bytes,
    ipStart: 0,
    start: payloadStart,
    end: bytes.length,
    source,
    destination,
    protocol,
    hopLimit: bytes[isV4 ? 8 : 7]!,
    trafficClass: 0,
    checksum: "none",
    segmentSize: 0,
    isGroup: false,
    receivedAt: ctx.at
  })
}
