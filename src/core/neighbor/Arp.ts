/**
 * ARP: asking for, answering and hearing IPv4 addresses on Ethernet (RFC 826, RFC 1122 §2.3.2, RFC 5227).
 *
 * What is heard updates an entry that exists; a new one is made only for who asks for this host (RFC 826 §Packet Reception).
 */
import * as Address from "../../wire/Address.ts"
import * as Wire from "../../wire/Arp.ts"
import * as Ethernet from "../../wire/Ethernet.ts"
import type { Outgoing } from "../../wire/Gather.ts"
import * as Mac from "../../wire/Mac.ts"
import * as Malformed from "../../wire/Malformed.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { find, type Inbound, type Interface, isBroadcast, isUsable, type LinkId } from "../Device.ts"
import { noPieces } from "../Ip.ts"
import * as Neighbors from "./Neighbors.ts"
import type { State } from "./State.ts"

/** Watches for others that use this host's addresses; true if the address is this host's. */
export type Conflict = (ctx: Context, link: LinkId, address: Address.Address, mac: Mac.Mac, isProbe: boolean) => boolean

export const receive = (
  ctx: Context,
  state: State,
  hooks: Neighbors.Hooks,
  conflict: Conflict,
  inbound: Inbound
): void => {
  const { interface: self, link } = inbound
  const header = Wire.parse(inbound.bytes, inbound.start, inbound.end)
  if (Malformed.isMalformed(header)) return ctx.drop("Malformed", link, header.detail)
  ctx.count(Counter.index.arpReceived)
  if (header.operation !== Wire.Operation.request && header.operation !== Wire.Operation.reply) {
    return ctx.drop("Malformed", link, "operation")
  }
  if (!isCredible(self, header)) return ctx.drop("ArpBadSender", link)
  const target = find(self, header.targetIp)
  const isForUs = target !== undefined && isUsable(target)
  if (Wire.isProbe(header)) {
    // rfc: 5227 §2.1.1 somebody else is about to take an address that this host is probing for
    const isOurs = conflict(ctx, link, header.targetIp, header.senderMac, true)
    if (isForUs) return reply(ctx, self, header)
    return isOurs ? undefined : ctx.drop("ArpNotForUs", link)
  }
  // rfc: 5227 §2.4 somebody else uses an address of this host; it is no neighbour then
  if (conflict(ctx, link, header.senderIp, header.senderMac, false)) return
  const known = hear(ctx, state, hooks, inbound, header, isForUs)
  if (header.operation === Wire.Operation.request && isForUs) return reply(ctx, self, header)
  if (!known) ctx.drop("ArpNotForUs", link)
}

/** The sender must be one other host (RFC 1122 §3.2.1.3; a group or this host can't be). */
const isCredible = (self: Interface, header: Wire.Header): boolean =>
  !Mac.isGroup(header.senderMac) && header.senderMac !== Mac.zero && header.senderMac !== self.mac &&
  !Address.isMulticast(header.senderIp) && !Address.isLoopback(header.senderIp) &&
  !isBroadcast(self, header.senderIp) &&
  (header.senderIp !== Address.unspecifiedV4 || Wire.isProbe(header))

const hear = (
  ctx: Context,
  state: State,
  hooks: Neighbors.Hooks,
  inbound: Inbound,
  header: Wire.Header,
  isForUs: boolean
): boolean => {
  const { interface: self } = inbound
  const mac = header.senderMac
  if (header.operation === Wire.Operation.request) {
    return Neighbors.hear(ctx, state, hooks, self, header.senderIp, { _tag: "Heard", mac }, isForUs)
  }
  // An answer to a question of ours comes to our own link-layer address and names our IP address; any other is an unsolicited
  // update, which RFC 826 takes over as well, but which proves nothing about the way there.
  const solicited = isForUs && !inbound.isLinkGroup
  const input = { _tag: "Advertised", mac, solicited, override: true, isRouter: undefined } as const
  return Neighbors.hear(ctx, state, hooks, self, header.senderIp, input, false)
}

/** Asks for an address: by broadcast, or, to find out whether a neighbour is still there, the neighbour itself (RFC 1122 §2.3.2.1). */
export const solicit = (ctx: Context, self: Interface, address: Address.Ipv4, to: Mac.Mac | "everybody"): void =>
  transmit(
    ctx,
    self,
    to === "everybody" ? Mac.broadcast : to,
    Wire.request(self.mac, senderFor(self, address), address)
  )

/** rfc: 5227 §2.1.1 */
export const probe = (ctx: Context, self: Interface, address: Address.Ipv4): void =>
  transmit(ctx, self, Mac.broadcast, Wire.probe(self.mac, address))

/** rfc: 5227 §2.3 */
export const announce = (ctx: Context, self: Interface, address: Address.Ipv4): void =>
  transmit(ctx, self, Mac.broadcast, Wire.announcement(self.mac, address))

const reply = (ctx: Context, self: Interface, asked: Wire.Header): void =>
  transmit(ctx, self, asked.senderMac, Wire.reply(asked, self.mac))

/** The address to ask from: on the same prefix if there is one; without any the question is a probe. */
const senderFor = (self: Interface, target: Address.Ipv4): Address.Ipv4 => {
  let any: Address.Ipv4 = Address.unspecifiedV4
  for (const entry of self.addresses) {
    if (!Address.isV4(entry.address) || !isUsable(entry)) continue
    if (Address.samePrefix(entry.address, target, entry.prefixLength)) return entry.address
    if (any === Address.unspecifiedV4) any = entry.address
  }
  return any
}

const transmit = (ctx: Context, self: Interface, destination: Mac.Mac, header: Wire.Header): void => {
  const room = ctx.reserve(Wire.packetLength)
  const headEnd = Wire.emit(header, room.bytes, room.at)
  const headStart = room.at - Ethernet.headerLength
  Ethernet.emit({ destination, source: self.mac, type: Ethernet.EtherType.arp }, room.bytes, headStart)
  ctx.count(Counter.index.arpSent)
  ctx.transmit(self.id, frameOf(room.bytes, headStart, headEnd), undefined)
}

const frameOf = (head: Uint8Array, headStart: number, headEnd: number): Outgoing => ({
  head,
  headStart,
  headEnd,
  pieces: noPieces,
  checksum: "none",
  checksumStart: 0,
  checksumOffset: 0,
  gso: undefined
})
