/**
 * Frames as they come in: what is not for this host, or can't be true, goes no further (RFC 894, RFC 1122 §2.3.3).
 *
 *     frame ─▶ interface known and up? ─▶ destination ours or a group? ─▶ source a single other host? ─▶ by type: IPv4, IPv6, ARP
 */
import * as Wire from "../../wire/Ethernet.ts"
import * as Frame from "../../wire/Frame.ts"
import * as Mac from "../../wire/Mac.ts"
import * as Malformed from "../../wire/Malformed.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import type { Inbound, Interface } from "../Device.ts"
import type { DropReason } from "../Drop.ts"
import type { Event } from "../Event.ts"
import type { State } from "./State.ts"

/** Who takes what a frame carries. */
export interface Handlers {
  readonly ipv4: (ctx: Context, inbound: Inbound) => void
  readonly ipv6: (ctx: Context, inbound: Inbound) => void
  readonly arp: (ctx: Context, inbound: Inbound) => void
}

type Received = Extract<Event, { readonly _tag: "Frame" }>

export const receive = (ctx: Context, state: State, event: Received, handlers: Handlers): void => {
  const { frame, link } = event
  const self = state.interfaces.get(link)
  if (self === undefined) return ctx.drop("DetachedInterface", link)
  ctx.count(Counter.index.framesReceived)
  ctx.count(Counter.index.bytesReceived, Frame.size(frame))
  if (!self.up) return ctx.drop("InterfaceDown", link)
  if (self.medium !== "ethernet") return receiveBare(ctx, self, event, handlers)
  const header = Wire.parse(frame.bytes, frame.start, frame.end)
  if (Malformed.isMalformed(header)) return ctx.drop("Malformed", link, header.detail)
  const refusal = refusalOf(self, header)
  if (refusal !== undefined) return ctx.drop(refusal, link)
  const inbound = inboundOf(self, event, header.payloadStart, Mac.isGroup(header.destination))
  switch (header.type) {
    case Wire.EtherType.ipv4:
      return handlers.ipv4(ctx, inbound)
    case Wire.EtherType.ipv6:
      return handlers.ipv6(ctx, inbound)
    case Wire.EtherType.arp:
      return handlers.arp(ctx, inbound)
    default:
      return ctx.drop("EtherTypeUnknown", link)
  }
}

const refusalOf = (self: Interface, header: Wire.Header): DropReason | undefined => {
  // IEEE 802-2014 §8.2.2: no station has a group address.
  if (Mac.isGroup(header.source)) return "EthernetSourceIsGroup"
  // A loop in the network, or somebody who poses as this host.
  if (header.source === self.mac) return "EthernetSourceIsOurs"
  if (header.destination !== self.mac && !Mac.isGroup(header.destination)) return "EthernetNotForUs"
  return undefined
}

/** Links without link-layer header: the version nibble tells what it is (RFC 791 §3.1, RFC 8200 §3). */
const receiveBare = (ctx: Context, self: Interface, event: Received, handlers: Handlers): void => {
  const { frame } = event
  const version = frame.end > frame.start ? frame.bytes[frame.start]! >>> 4 : 0
  if (version === 4) return handlers.ipv4(ctx, inboundOf(self, event, frame.start, false))
  if (version === 6) return handlers.ipv6(ctx, inboundOf(self, event, frame.start, false))
  return ctx.drop("EtherTypeUnknown", event.link)
}

const inboundOf = (self: Interface, event: Received, start: number, isLinkGroup: boolean): Inbound => ({
  link: self.id,
  interface: self,
  frame: event.frame,
  bytes: event.frame.bytes,
  start,
  end: event.frame.end,
  // A checksum that the sender has left to its device never was on a wire, so nothing can have damaged it (VIRTIO 1.2 §5.1.6.4.1).
  checksum: event.frame.checksum === "none" ? "none" : "verified",
  segmentSize: event.frame.gso === undefined ? 0 : event.frame.gso.size,
  isLinkGroup,
  receivedAt: event.receivedAt
})
