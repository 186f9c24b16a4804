/**
 * Messages about IPv4's groups, as they come in and go out (RFC 3376 §4, §9; RFC 2236 beside older routers).
 */
import * as Address from "../../wire/Address.ts"
import * as Wire from "../../wire/Igmp.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Ipv4Options from "../../wire/Ipv4Options.ts"
import * as Malformed from "../../wire/Malformed.ts"
import type { Context, Transport } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { type Interface, isUsable } from "../Device.ts"
import { noPieces, type Packet } from "../Ip.ts"
import type * as Gmp from "./Gmp.ts"
import * as Validity from "./Validity.ts"

/** Who believes what is heard; bound by `core/Layers.ts`. */
export type Hear = (
  ctx: Context,
  self: Interface,
  input: Extract<Gmp.Input, { readonly _tag: "Query" | "Report" }>
) => void

export const transport = (hear: Hear): Transport => ({
  protocol: IpProtocol.igmp,
  receive: (ctx, packet) => receive(ctx, hear, packet),
  error: (ctx, error) => ctx.drop("IcmpErrorNotOurs", error.link)
})

const headerLength = 20

/** rfc: 2113 §2.1 */
const hasRouterAlert = ({ bytes, ipStart, start }: Packet): boolean => {
  const options = Ipv4Options.parse(bytes, ipStart + headerLength, start)
  return !Malformed.isMalformed(options) && options.some(({ _tag }) => _tag === "RouterAlert")
}

const receive = (ctx: Context, hear: Hear, packet: Packet): void => {
  const { bytes, destination, end, hopLimit, link, source, start } = packet
  const self = ctx.links.get(link)
  if (packet.version !== 4 || self === undefined) return ctx.drop("IpProtocolUnknown", link)
  ctx.count(Counter.index.igmpReceived)
  const message = Wire.parse(bytes, start, end)
  if (Malformed.isMalformed(message)) return ctx.drop("Malformed", link, message.detail)
  const envelope = { source, destination, hopLimit, hasRouterAlert: hasRouterAlert(packet) }
  switch (message._tag) {
    case "Query": {
      const fault = Validity.queryFault(envelope, message)
      if (fault !== undefined) return ctx.drop("GroupInvalid", link, fault)
      return hear(ctx, self, { _tag: "Query", query: message })
    }
    case "Report": {
      const fault = Validity.reportFault(envelope)
      if (fault !== undefined) return ctx.drop("GroupInvalid", link, fault)
      return hear(ctx, self, { _tag: "Report", group: message.group })
    }
    case "Leave":
    case "Records":
      // For routers.
      return ctx.drop("GroupInvalid", link)
  }
}

/** rfc: 3376 §4.2.13: an address of the interface, or none while there is none. */
const sourceOf = (self: Interface): Address.Ipv4 => {
  for (const entry of self.addresses) {
    if (Address.isV4(entry.address) && isUsable(entry)) return entry.address
  }
  return Address.unspecifiedV4
}

/** Internetwork control (rfc: 3376 §4). */
const precedence = 0xc0

/** `version` is the one that is spoken now: the first had no router alert (rfc: 2236 §2, 3376 §4 MUST). */
export const send = (
  ctx: Context,
  self: Interface,
  destination: Address.Ipv4,
  message: Gmp.Message,
  version: number
): void => {
  const igmp = message as Wire.Message
  const head = ctx.reserve(Wire.size(igmp))
  const headEnd = Wire.emit(igmp, head.bytes, head.at)
  ctx.count(Counter.index.igmpSent)
  ctx.ip.send(ctx, {
    path: {
      version: 4,
      link: self.id,
      source: sourceOf(self),
      destination,
      nextHop: destination,
      mtu: self.mtu,
      maxSegmentBytes: self.mtu
    },
    protocol: IpProtocol.igmp,
    head,
    headEnd,
    pieces: noPieces,
    checksumOffset: -1,
    // rfc: 3376 §4 MUST
    hopLimit: 1,
    routerAlert: version > 1,
    trafficClass: precedence,
    dontFragment: true,
    gso: undefined,
    credit: undefined
  })
}
