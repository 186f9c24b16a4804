/**
 * IPv6 packets as they come in, in the order of RFC 8200.
 *
 *     header sound? ─▶ source possible? ─▶ for this host? ─▶ extension headers, one by one ─▶ raw sockets, transport
 *                                               │             │ a fragment? collect, and walk on in the whole
 *                                               │ a router's: forwarded as it is
 */
import * as Address from "../../wire/Address.ts"
import * as Wire from "../../wire/Ipv6.ts"
import * as Ipv6Extension from "../../wire/Ipv6Extension.ts"
import * as Malformed from "../../wire/Malformed.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { find, forwards, type Inbound, type Interface } from "../Device.ts"
import type { DropReason } from "../Drop.ts"
import type { Packet } from "../Ip.ts"
import * as Classify from "./Classify.ts"
import * as ExtensionChain from "./ExtensionChain.ts"

type Fragment = Extract<ExtensionChain.Verdict, { readonly _tag: "Fragment" }>

/** What this file needs of others; bound by `core/Protocols.ts`. */
export interface Hooks {
  /** Collects fragments; answers the whole packet, and where the number of what follows its headers stands. */
  readonly reassemble: (
    ctx: Context,
    packet: Packet,
    fragment: Fragment
  ) => { readonly packet: Packet; readonly protocolAt: number } | undefined
  readonly isListened: Classify.IsListened
  /** A packet for somebody else, where the interface forwards. */
  readonly forward: (ctx: Context, inbound: Inbound, packet: Packet) => void
}

const nextHeaderOffset = 6
const payloadLengthOffset = 4
/** Of a fragment header. */
const fragmentOffsetOffset = 2

export const receive = (ctx: Context, hooks: Hooks, inbound: Inbound): void => {
  const { bytes, link } = inbound
  ctx.count(Counter.index.ipReceived)
  const header = Wire.parse(bytes, inbound.start, inbound.end)
  if (Malformed.isMalformed(header)) return ctx.drop("Malformed", link, header.detail)
  const self = inbound.interface
  const sourceFault = Classify.sourceFault(self, header.source, header.destination)
  if (sourceFault !== undefined) return ctx.drop(sourceFault, link)
  const destination = Classify.destination(ctx, self, header, hooks.isListened)
  const isTransit = destination === "foreign" && mayForward(ctx, self, header.destination)
  const fault = isTransit ? undefined : destinationFault(inbound, destination)
  if (fault !== undefined) return ctx.drop(fault, link)
  const packet = packetOf(inbound, header, destination === "multicast")
  if (isTransit) return hooks.forward(ctx, inbound, packet)
  const limit = ctx.config.limits.extensionHeaders
  const verdict = ExtensionChain.walk(
    header.protocol,
    inbound.start + nextHeaderOffset,
    { bytes, start: header.payloadStart, end: header.payloadEnd },
    limit
  )
  obey(ctx, hooks, packet, verdict)
}

/** Groups need routes of their own, which this stack has none of; an address of the interface that can't be used is nobody else's for that. */
const mayForward = (ctx: Context, self: Interface, destination: Address.Ipv6): boolean =>
  forwards(ctx.config, self) && !Address.isMulticast(destination) && find(self, destination) === undefined

const destinationFault = (inbound: Inbound, destination: Classify.Destination): DropReason | undefined => {
  switch (destination) {
    case "martian":
      return "IpMartianDestination"
    case "foreign":
      return "IpNotForUs"
    case "ours":
      return inbound.isLinkGroup ? "IpLinkBroadcastToUnicast" : undefined
    case "multicast":
      return undefined
  }
}

const packetOf = (inbound: Inbound, header: Wire.Header, isGroup: boolean): Packet => ({
  version: 6,
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

/** Does what the extension headers of a packet ask for. */
const obey = (ctx: Context, hooks: Hooks, packet: Packet, verdict: ExtensionChain.Verdict): void => {
  switch (verdict._tag) {
    case "UpperLayer": {
      const { protocol, seen, start } = verdict
      const found = { ...packet, protocol, start }
      const isPlain = seen.routerAlert === undefined && !seen.hasFragmentHeader
      return deliver(ctx, isPlain ? found : { ...found, extensions: seen }, verdict.protocolAt)
    }
    case "Fragment":
      return onFragment(ctx, hooks, packet, verdict)
    case "Nothing":
      return ctx.count(Counter.index.ipDelivered)
    case "Drop":
      return ctx.drop(verdict.reason, packet.link, verdict.detail)
    case "Problem":
      ctx.drop("IpExtensionRefused", packet.link)
      return problem(ctx, packet, verdict.code, verdict.at, verdict.evenToGroup)
  }
}

/** Answers what is wrong at the octet `at` (rfc: 4443 §3.4). The transport's part is looked for, since no error is answered with an error. */
const problem = (ctx: Context, packet: Packet, code: number, at: number, evenToGroup: boolean): void => {
  const { bytes, end, ipStart } = packet
  const upper = Ipv6Extension.upperLayer(bytes[ipStart + nextHeaderOffset]!, bytes, ipStart + Wire.headerLength, end)
  const found = upper === undefined ? packet : { ...packet, protocol: upper.protocol, start: upper.start }
  ctx.ip.error(ctx, { _tag: "parameterProblem", code, pointer: at - ipStart, evenToGroup }, found)
}

const onFragment = (ctx: Context, hooks: Hooks, packet: Packet, fragment: Fragment): void => {
  if (!acceptFragment(ctx, packet, fragment)) return
  const whole = hooks.reassemble(ctx, packet, fragment)
  if (whole === undefined) return
  const { bytes, end, protocol, start } = whole.packet
  const { extensionHeaders } = ctx.config.limits
  const range: ExtensionChain.Range = { bytes, start, end }
  obey(
    ctx,
    hooks,
    whole.packet,
    ExtensionChain.resume(protocol, whole.protocolAt, fragment.seen, range, extensionHeaders)
  )
}

/** rfc: 8200 §4.5: what a fragment shows by itself, and what its sender is told of it. */
const acceptFragment = (ctx: Context, packet: Packet, { at, header }: Fragment): boolean => {
  const { bytes, ipStart, link } = packet
  const { fragmentOffset, moreFragments, payloadEnd, payloadStart } = header
  const length = payloadEnd - payloadStart
  if (moreFragments && length % 8 !== 0) {
    ctx.drop("FragmentTooSmall", link)
    problem(ctx, packet, 0, ipStart + payloadLengthOffset, false)
    return false
  }
  if (length === 0) {
    ctx.drop("FragmentTooSmall", link)
    return false
  }
  const unfragmented = at - ipStart - Wire.headerLength
  if (unfragmented + fragmentOffset + length > Wire.maximumPayloadLength) {
    ctx.drop("FragmentTooLong", link)
    problem(ctx, packet, 0, at + fragmentOffsetOffset, false)
    return false
  }
  if (
    fragmentOffset !== 0 ||
    ExtensionChain.isComplete(header.protocol, { bytes, start: payloadStart, end: payloadEnd })
  ) return true
  // rfc: 7112 §5 SHOULD, 8200 §4.5
  ctx.drop("FragmentTooSmall", link)
  problem(ctx, packet, 3, ipStart, false)
  return false
}

/** A whole packet for this host goes to the raw sockets of its protocol, and to its transport. */
const deliver = (ctx: Context, packet: Packet, protocolAt: number): void => {
  ctx.count(Counter.index.ipDelivered)
  const isTaken = ctx.transports.raw(ctx, packet)
  const transport = ctx.transports.get(packet.protocol)
  if (transport !== undefined) return transport.receive(ctx, packet)
  if (isTaken) return
  ctx.drop("IpProtocolUnknown", packet.link)
  // rfc: 8200 §4 SHOULD
  const pointer = protocolAt - packet.ipStart
  ctx.ip.error(ctx, { _tag: "parameterProblem", code: 1, pointer }, packet)
}
