/**
 * Messages about IPv6's groups, as they come in and go out (RFC 3810 §5; RFC 2710 beside older routers).
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as Icmpv6 from "../../wire/Icmpv6.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Mld from "../../wire/Mld.ts"
import type { Context } from "../Context.ts"
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

export const receive = (ctx: Context, hear: Hear, packet: Packet): void => {
  const { bytes, destination, end, hopLimit, link, source, start } = packet
  const message = Mld.parse(bytes, start, end)
  if (Malformed.isMalformed(message)) return ctx.drop("Malformed", link, message.detail)
  const hasRouterAlert = packet.extensions?.routerAlert !== undefined
  const envelope: Validity.Envelope = { source, destination, hopLimit, hasRouterAlert }
  const self = ctx.links.get(link)
  if (self === undefined) return ctx.drop("GroupInvalid", link)
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

/** rfc: 3810 §5.2.13: from a link-local address, or from none while there is none yet */
const sourceOf = (self: Interface): Address.Ipv6 => {
  for (const entry of self.addresses) {
    const { address } = entry
    if (!Address.isV4(address) && Address.isLinkLocal(address) && isUsable(entry)) return address
  }
  return Address.unspecifiedV6
}

export const send = (ctx: Context, self: Interface, destination: Address.Ipv6, message: Gmp.Message): void => {
  // The machine of IPv6 speaks of IPv6 groups and sources only.
  const mld = message as Mld.Message
  const source = sourceOf(self)
  const length = Mld.size(mld)
  const head = ctx.reserve(length)
  const pseudo = Checksum.pseudoV6(source, destination, IpProtocol.icmpv6, length)
  const headEnd = Mld.emit(mld, head.bytes, head.at, Checksum.fold(pseudo))
  ctx.count(Counter.index.icmpSent)
  ctx.ip.send(ctx, {
    path: {
      version: 6,
      link: self.id,
      source,
      destination,
      nextHop: destination,
      mtu: self.mtu,
      maxSegmentBytes: self.mtu
    },
    protocol: IpProtocol.icmpv6,
    head,
    headEnd,
    pieces: noPieces,
    checksumOffset: Icmpv6.checksumOffset,
    // rfc: 3810 §5 MUST
    hopLimit: 1,
    routerAlert: true,
    trafficClass: 0,
    dontFragment: true,
    gso: undefined,
    credit: undefined
  })
}
