/**
 * Messages of neighbour discovery as they go out (RFC 4861 §4.3, §4.4, §7.2): with hop limit 255, which tells that no router has forwarded them.
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as Icmpv6 from "../../wire/Icmpv6.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import type { Mac } from "../../wire/Mac.ts"
import * as Wire from "../../wire/Ndp.ts"
import * as NdpOptions from "../../wire/NdpOptions.ts"
import * as Piece from "../../wire/Piece.ts"
import * as AddressSelection from "../AddressSelection.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { find, forwards, type Interface, isUsable } from "../Device.ts"
import { noPieces, type Packet } from "../Ip.ts"
import * as WellKnown from "../WellKnown.ts"

const hopLimit = 255

/** Sends a message; its addresses are given, so no route is asked for. */
export const send = (
  ctx: Context,
  self: Interface,
  source: Address.Ipv6,
  destination: Address.Ipv6,
  message: Wire.Message
): void => {
  const length = Wire.size(message)
  const head = ctx.reserve(length)
  const pseudo = Checksum.pseudoV6(source, destination, IpProtocol.icmpv6, length)
  const headEnd = Wire.emit(message, head.bytes, head.at, Checksum.fold(pseudo))
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
    hopLimit,
    trafficClass: 0,
    dontFragment: true,
    gso: undefined,
    credit: undefined
  })
}

/** The address of the interface to speak to a neighbour from; `undefined` if it has none yet. */
export const sourceFor = (self: Interface, destination: Address.Ipv6): Address.Ipv6 | undefined => {
  const candidates = self.addresses.map(({ address, origin, prefixLength, state }) => ({
    address,
    prefixLength,
    state,
    isTemporary: origin === "temporary",
    link: self.id
  }))
  const chosen = AddressSelection.selectSource(candidates, { destination, link: self.id })?.address
  return chosen === undefined || Address.isV4(chosen) ? undefined : chosen
}

const nonceLength = 6

const nonceOf = (nonce: number): Piece.Piece => {
  const bytes = new Uint8Array(nonceLength)
  for (let i = 0; i < nonceLength; i++) bytes[i] = Math.floor(nonce / 2 ** (8 * (nonceLength - 1 - i)))
  return Piece.make(bytes)
}

/** The number that {@link probe} has put into a nonce; `undefined` for nonces of other lengths, which are not ours. */
export const numberOf = ({ bytes, end, start }: Piece.Piece): number | undefined => {
  if (end - start !== nonceLength) return undefined
  let number = 0
  for (let i = start; i < end; i++) number = number * 256 + bytes[i]!
  return number
}

/** Asks whether anybody has an address, from none (rfc: 4862 §5.4.2, 7527 §4.1 MUST). */
export const probe = (ctx: Context, self: Interface, target: Address.Ipv6, nonce: number): void =>
  send(ctx, self, Address.unspecifiedV6, WellKnown.solicitedNode(target), {
    _tag: "NeighborSolicitation",
    target,
    options: NdpOptions.make({ nonce: nonceOf(nonce) })
  })

/** Asks for a neighbour's address: its group, or the neighbour itself, to find out whether it is still there (rfc: 4861 §7.2.2, §7.3.3). */
export const solicit = (ctx: Context, self: Interface, target: Address.Ipv6, to: Mac | "everybody"): void => {
  const source = sourceFor(self, target)
  // Who has no address can't be answered.
  if (source === undefined) return
  const destination = to === "everybody" ? WellKnown.solicitedNode(target) : target
  send(ctx, self, source, destination, {
    _tag: "NeighborSolicitation",
    target,
    options: sourceOptions(self, source)
  })
}

/** What a question tells of who asks: the link-layer address, unless the address may turn out to be another's (rfc: 4429 §3.2 MUST NOT). */
export const sourceOptions = (self: Interface, source: Address.Ipv6): NdpOptions.Options =>
  find(self, source)?.state === "optimistic" ? NdpOptions.none : NdpOptions.make({ sourceLinkLayer: self.mac })

/** A better first hop for a destination. */
export interface BetterHop {
  readonly target: Address.Ipv6
  readonly destination: Address.Ipv6
  /** The target's link-layer address, if it is known. */
  readonly mac: Mac | undefined
}

/** What of the packet that caused it fits a message of the smallest MTU (rfc: 4861 §4.5), in units of options. */
const redirectedLength = (1280 - 40 - 40 - 8 - 8) & ~7

/** Tells the sender of a packet of a better first hop (rfc: 4861 §8.2); false if the interface has no link-local address to tell it from. */
export const redirect = (
  ctx: Context,
  self: Interface,
  packet: Packet,
  to: Address.Ipv6,
  { destination, mac, target }: BetterHop
): boolean => {
  const source = linkLocalOf(self)
  if (source === undefined) return false
  const start = packet.ipStart
  const redirected = Piece.make(packet.bytes, start, Math.min(packet.end, start + redirectedLength))
  const options = NdpOptions.make({ targetLinkLayer: mac, redirected })
  send(ctx, self, source, to, { _tag: "Redirect", target, destination, options })
  return true
}

/** The address by which routers are known (rfc: 4861 §6.1.2 MUST, §8.1 MUST). */
export const linkLocalOf = (self: Interface): Address.Ipv6 | undefined => {
  for (const entry of self.addresses) {
    const { address } = entry
    if (!Address.isV4(address) && Address.isLinkLocal(address) && isUsable(entry)) return address
  }
  return undefined
}

/** rfc: 4861 §7.2.4; who asked from no address is told with everybody else. */
export const advertise = (
  ctx: Context,
  self: Interface,
  target: Address.Ipv6,
  to: Address.Ipv6,
  override: boolean
): void => {
  const solicited = !Address.isUnspecified(to)
  const destination = solicited ? to : WellKnown.allNodes
  // rfc: 4861 §4.4: from an address of the interface, which an anycast or a proxied one is not
  const source = find(self, target) === undefined ? sourceFor(self, destination) : target
  if (source === undefined) return
  send(ctx, self, source, destination, {
    _tag: "NeighborAdvertisement",
    // rfc: 4861 §7.2.4 MUST
    isRouter: forwards(ctx.config, self),
    solicited,
    override,
    target,
    options: NdpOptions.make({ targetLinkLayer: self.mac })
  })
}
