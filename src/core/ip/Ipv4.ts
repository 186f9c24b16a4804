/**
 * IPv4 packets as they come in, through the checks in the order of RFC 1122 §3.2.1 and RFC 1812 §5.2 .
 *
 *     header sound? ─▶ source possible? ─▶ for this host? ─▶ options acceptable? ─▶ a fragment? collect ─▶ raw sockets, transport
 *                                               │ a router's: options acceptable? ─▶ Forward
 */
import type * as Address from "../../wire/Address.ts"
import * as Wire from "../../wire/Ipv4.ts"
import * as Options from "../../wire/Ipv4Options.ts"
import * as Malformed from "../../wire/Malformed.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { find, forwards, type Inbound, type Interface } from "../Device.ts"
import type { DropReason } from "../Drop.ts"
import type { Packet } from "../Ip.ts"
import * as Classify from "./Classify.ts"
import * as Forward from "./Forward.ts"
import * as Reassembly from "./Reassembly.ts"
import type { State } from "./State.ts"

/** What this file needs of others; bound by `core/Layers.ts`. */
export interface Hooks extends Forward.Hooks {
  readonly isListened: Classify.IsListened
}

export const receive = (ctx: Context, state: State, hooks: Hooks, inbound: Inbound): void => {
  const { bytes, link } = inbound
  ctx.count(Counter.index.ipReceived)
  const header = Wire.parse(bytes, inbound.start, inbound.end)
  // rfc: 1122 §3.2.1.1 MUST, §3.2.1.2 MUST: in silence
  if (Malformed.isMalformed(header)) return ctx.drop("Malformed", link, header.detail)
  const self = inbound.interface
  const sourceFault = Classify.sourceFaultV4(ctx, self, header.source, header.destination)
  if (sourceFault !== undefined) return ctx.drop(sourceFault, link)
  const destination = Classify.destinationV4(ctx, self, header, hooks.isListened)
  const fault = destinationFault(ctx, inbound, destination, header.destination)
  if (fault !== undefined) return ctx.drop(fault, link)
  const packet = packetOf(inbound, header, destination !== "ours" && destination !== "foreign")
  if (destination === "foreign") return passOn(ctx, hooks, { inbound, packet, mayCut: !header.dontFragment }, header)
  if (header.options !== undefined && !acceptOptions(ctx, packet, header.options)) return
  if (!Wire.isFragment(header)) return deliver(ctx, packet)
  const whole = Reassembly.receiveV4(ctx, state, packet, header)
  if (whole !== undefined) deliver(ctx, whole)
}

const destinationFault = (
  ctx: Context,
  inbound: Inbound,
  destination: Classify.Destination,
  address: Address.Ipv4
): DropReason | undefined => {
  switch (destination) {
    case "martian":
      return "IpMartianDestination"
    case "foreign":
      return forwards(ctx.config, inbound.interface) && !isOwn(inbound.interface, address) ? undefined : "IpNotForUs"
    case "ours":
      // rfc: 1122 §3.3.6 SHOULD: who broadcasts in the link layer must mean everybody in IP as well
      return inbound.isLinkGroup ? "IpLinkBroadcastToUnicast" : undefined
    case "broadcast":
    case "multicast":
      // The other way round nobody but this host can have heard it, so it is no broadcast.
      return inbound.isLinkGroup || inbound.interface.medium !== "ethernet" ? undefined : "IpMartianDestination"
  }
}

/** One that is not usable yet, or not any more, is nobody else's for that. */
const isOwn = (self: Interface, address: Address.Ipv4): boolean => find(self, address) !== undefined

/** A packet for somebody else. */
const passOn = (ctx: Context, hooks: Forward.Hooks, transit: Forward.Transit, header: Wire.Header): void => {
  if (header.options !== undefined && !acceptOptions(ctx, transit.packet, header.options)) return
  Forward.forward(ctx, hooks, transit)
}

const packetOf = (inbound: Inbound, header: Wire.Header, isGroup: boolean): Packet => ({
  version: 4,
  link: inbound.link,
  bytes: inbound.bytes,
  ipStart: inbound.start,
  start: header.payloadStart,
  end: header.payloadEnd,
  source: header.source,
  destination: header.destination,
  protocol: header.protocol,
  hopLimit: header.hopLimit,
  trafficClass: header.trafficClass,
  checksum: inbound.checksum,
  segmentSize: inbound.segmentSize,
  isGroup: isGroup || inbound.isLinkGroup,
  receivedAt: inbound.receivedAt,
  slab: inbound.frame.slab
})

/** Options are read for what a host must refuse; none changes what is done with the packet (RFC 1122 §3.2.1.8; rfc: 9293 §3.9.2 MUST-50). */
const acceptOptions = (ctx: Context, packet: Packet, place: NonNullable<Wire.Header["options"]>): boolean => {
  const options = Options.parse(place.bytes, place.start, place.end)
  if (Malformed.isMalformed(options)) {
    ctx.drop("Malformed", packet.link, options.detail)
    // rfc: 1122 §3.2.2.5 SHOULD
    if (options.answer !== undefined) ctx.ip.error(ctx, { _tag: "parameterProblem", ...options.answer }, packet)
    return false
  }
  // rfc: 7126 §4.3, §4.4: who chooses the route of a packet gets around what guards it; hosts refuse even the last hop
  if (options.some((option) => option._tag === "SourceRoute")) {
    ctx.drop("IpOptionsRefused", packet.link)
    return false
  }
  return true
}

/** A whole packet for this host goes to the raw sockets of its protocol, and to its transport. */
const deliver = (ctx: Context, packet: Packet): void => {
  ctx.count(Counter.index.ipDelivered)
  const isTaken = ctx.transports.raw(ctx, packet)
  const transport = ctx.transports.get(packet.protocol)
  if (transport !== undefined) return transport.receive(ctx, packet)
  if (isTaken) return
  ctx.drop("IpProtocolUnknown", packet.link)
  // rfc: 1122 §3.2.2.1 SHOULD
  ctx.ip.error(ctx, "protocolUnreachable", packet)
}
