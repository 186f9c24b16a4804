/**
 * Why a packet was discarded. A drop is an output (so captures and tests see it) and a count per reason (so operators do).
 */
import type { LinkId } from "./Device.ts"

/** Every reason, in the order of their indices in the tally. */
export const reasons = [
  // link layer
  "Malformed",
  "EthernetNotForUs",
  "EthernetSourceIsGroup",
  "EthernetSourceIsOurs",
  "EtherTypeUnknown",
  "InterfaceDown",
  "TransmitQueueFull",
  "DetachedInterface",
  // neighbours
  "ArpNotForUs",
  "ArpBadSender",
  "NeighborCacheFull",
  "NeighborQueueFull",
  "NeighborUnreachable",
  // ip
  "IpMartianSource",
  "IpMartianDestination",
  "IpSourceIsOurs",
  "IpNotForUs",
  "IpLinkBroadcastToUnicast",
  "IpOptionsRefused",
  "IpProtocolUnknown",
  "IpHopLimitExceeded",
  "IpNoRoute",
  "IpTooBig",
  "IpExtensionRefused",
  "FragmentTooSmall",
  "FragmentOverlap",
  "FragmentTooLong",
  "FragmentLimit",
  "FragmentTimeout",
  "FragmentMarksMixed",
  // icmp
  "IcmpTypeUnknown",
  "IcmpEchoToGroup",
  "IcmpEchoRefused",
  "IcmpRedirectIgnored",
  "IcmpRateLimited",
  "IcmpErrorNotOurs",
  "IcmpErrorAboutError",
  "IcmpDeprecated",
  "NdpInvalid",
  "NdpNotForUs",
  "NdpLimit",
  // udp, ping, raw
  "UdpNoSocket",
  "UdpReceiveQueueFull",
  "UdpChecksum",
  "PingNoSocket",
  "RawReceiveQueueFull",
  // tcp
  "TcpChecksum",
  "TcpNoListener",
  "TcpBacklogFull",
  "TcpNotAcceptable",
  "TcpOldAck",
  "TcpAckTooOld",
  "TcpAckTooNew",
  "TcpBadReset",
  "TcpUnexpectedSyn",
  "TcpUnexpectedFin",
  "TcpPaws",
  "TcpNoAck",
  "TcpOutOfWindow",
  "TcpReassemblyFull",
  "TcpAfterClose",
  "TcpTimeWait",
  "TcpConnectionLimit",
  "TcpBadSource",
  "TcpSigned",
  // multicast
  "GroupInvalid",
  // stack
  "MemoryBudget",
  "Defect"
] as const

export type DropReason = typeof reasons[number]

/** Index of each reason in the tally of drops. */
export const index: { readonly [K in DropReason]: number } = Object.freeze(
  Object.fromEntries(reasons.map((reason, i) => [reason, i]))
) as { readonly [K in DropReason]: number }

/** A discarded packet: where it came from, why, and the codec's words when its bytes were malformed. */
export interface Drop {
  readonly _tag: "Drop"
  readonly reason: DropReason
  readonly link: LinkId
  readonly detail: string | undefined
}
