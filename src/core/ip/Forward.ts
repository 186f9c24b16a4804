/**
 * Packets for others, on their way through this host when it is a router (RFC 1812 §5.2, §5.3; RFC 8200 §3; RFC 4291 §2.5.6).
 *
 *     sent to us alone? ─▶ addresses that may leave their link? ─▶ hops left? ─▶ a route? ─▶ small enough? ─▶ Relay
 *                               │ a better first hop is on the link where it came from: redirect, and forward all the same
 *
 * Each check that fails has its ICMP error, where the RFCs have one. IPv4 and IPv6 differ only in what may be cut on the way.
 */
import * as Address from "../../wire/Address.ts"
import * as Ipv6Extension from "../../wire/Ipv6Extension.ts"
import type { Context, ErrorKind } from "../Context.ts"
import { type Inbound, type Interface, isBroadcast, loopback } from "../Device.ts"
import type { DropReason } from "../Drop.ts"
import type { Packet } from "../Ip.ts"
import * as Path from "./Path.ts"
import * as Relay from "./Relay.ts"

/** What is forwarded. */
export interface Transit {
  readonly inbound: Inbound
  /** Its IP header has been checked; extension headers of IPv6 are none of a router's business (RFC 8200 §4). */
  readonly packet: Packet
  /** It may be cut on the way: IPv4 without DF (RFC 791 §2.3). */
  readonly mayCut: boolean
}

/** What this file needs of others; bound by `core/Protocols.ts`. */
export interface Hooks {
  /** Tells the sender of a better first hop on its own link (RFC 1812 §5.2.7.2, RFC 4861 §8.2). */
  readonly redirect: (ctx: Context, self: Interface, packet: Packet, target: Address.Address) => void
}

const refuse = (ctx: Context, { packet }: Transit, reason: DropReason, error?: ErrorKind): void => {
  ctx.drop(reason, packet.link)
  if (error !== undefined) ctx.ip.error(ctx, error, packet.version === 4 ? packet : withUpperLayer(packet))
}

/** What stands behind the extension headers decides whether an error may be sent (RFC 4443 §2.4 (e)). */
const withUpperLayer = (packet: Packet): Packet => {
  const upper = Ipv6Extension.upperLayer(packet.protocol, packet.bytes, packet.start, packet.end)
  return upper === undefined ? packet : { ...packet, protocol: upper.protocol, start: upper.start }
}

export const forward = (ctx: Context, hooks: Hooks, transit: Transit): void => {
  const { inbound, packet } = transit
  // rfc: 1812 §5.3.4 MUST NOT: every router on the link would forward it
  if (inbound.isLinkGroup) return refuse(ctx, transit, "IpLinkBroadcastToUnicast")
  if (!mayTravel(packet)) return refuse(ctx, transit, "IpNotForUs")
  // Nobody else has our addresses, so it is forged or has come round.
  if (ctx.ip.isOurs(packet.source)) return refuse(ctx, transit, "IpSourceIsOurs")
  // rfc: 1812 §5.3.1 MUST, 8200 §3
  if (packet.hopLimit <= 1) return refuse(ctx, transit, "IpHopLimitExceeded", "hopLimitExceeded")
  const route = ctx.routes.lookup(packet.destination, undefined)
  const out = route === undefined || route.link === loopback ? undefined : ctx.links.get(route.link)
  // rfc: 1812 §5.2.7.1 MUST, 4443 §3.1 SHOULD
  if (route === undefined || out === undefined) return refuse(ctx, transit, "IpNoRoute", "noRoute")
  // rfc: 1812 §5.3.5.2, 2644 §4: not unless asked to, and nobody asks
  if (isBroadcast(out, packet.destination)) return refuse(ctx, transit, "IpNotForUs")
  // rfc: 4291 §2.5.6 MUST NOT, 4443 §3.1 code 2
  if (Address.isLinkLocal(packet.source) && out.id !== inbound.link) {
    return refuse(ctx, transit, "IpMartianSource", "beyondScope")
  }
  const nextHop = route.gateway ?? packet.destination
  const mtu = Path.mtuOf(out, packet.destination)
  if (Relay.unitOf(transit) > mtu && !transit.mayCut) {
    // rfc: 1812 §4.2.2.7, 1191 §4 MUST; 8200 §5, 4443 §3.2 MUST
    return refuse(ctx, transit, "IpTooBig", { _tag: "tooBig", mtu })
  }
  if (out.id === inbound.link && isNeighbor(ctx, out, packet.source, nextHop)) {
    hooks.redirect(ctx, out, packet, nextHop)
  }
  Relay.send(ctx, out, nextHop, mtu, transit)
}

/** Whether both addresses mean somebody beyond a link (rfc: 4291 §2.5.2 MUST NOT, §2.5.6 MUST NOT; 3927 §7 MUST NOT; 1812 §5.3.7). */
const mayTravel = ({ destination, source }: Packet): boolean =>
  !Address.isMulticast(destination) && destination !== Address.broadcastV4 && !Address.isLinkLocal(destination) &&
  !Address.isUnspecified(source) && !(Address.isV4(source) && Address.isLinkLocal(source))

/** Whether the sender could have given the packet to its next hop by itself (rfc: 1812 §5.2.7.2, 4861 §8.2). */
const isNeighbor = (ctx: Context, out: Interface, source: Address.Address, nextHop: Address.Address): boolean => {
  if (!Address.isV4(source)) {
    const back = ctx.routes.lookup(source, out.id)
    return Address.isLinkLocal(source) || (back !== undefined && back.gateway === undefined)
  }
  return out.addresses.some(({ address, prefixLength }) =>
    Address.samePrefix(address, source, prefixLength) && Address.samePrefix(address, nextHop, prefixLength)
  )
}
