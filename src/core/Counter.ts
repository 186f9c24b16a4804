/**
 * What the stack counts, by name (after the MIBs' names where there is one: RFC 4293, 4022, 4113). A counter is an index into
 * one `Tally`, so that counting costs an addition; `Counter.names` turns an index back into its name.
 */

/** Every counter, in the order of their indices. Add at the end of a group; nothing depends on the numbers. */
export const names = [
  // interfaces
  "framesReceived",
  "bytesReceived",
  "framesSent",
  "bytesSent",
  "framesOverflowed",
  "transmitBytesQueued",
  // neighbours
  "arpReceived",
  "arpSent",
  "neighborResolved",
  "neighborFailed",
  "neighborEvicted",
  "addressConflicts",
  // ip
  "ipReceived",
  "ipDelivered",
  "ipSent",
  "ipForwarded",
  "fragmentsReceived",
  "fragmentsSent",
  "reassembled",
  "reassemblyFailed",
  // icmp
  "icmpReceived",
  "icmpSent",
  "icmpErrorsSent",
  "icmpEchoAnswered",
  "redirectsSent",
  "redirectsObeyed",
  "routerAdvertisementsSent",
  "igmpReceived",
  "igmpSent",
  // udp
  "udpReceived",
  "udpSent",
  // tcp
  "tcpActiveOpens",
  "tcpPassiveOpens",
  "tcpAttemptFails",
  "tcpEstablishedResets",
  "tcpEstablished",
  "tcpSegmentsReceived",
  "tcpSegmentsSent",
  "tcpBytesReceived",
  "tcpBytesSent",
  "tcpSegmentsRetransmitted",
  "tcpTimeouts",
  "tcpFastRetransmits",
  "tcpResetsSent",
  "tcpResetsReceived",
  "tcpOutOfOrder",
  "tcpDuplicateAcks",
  "tcpZeroWindowProbes",
  "tcpDelayedAcks",
  "tcpChallengeAcks",
  "tcpTimeWaits",
  "tcpSynCookiesSent",
  "tcpSynCookiesAccepted",
  "tcpPawsRejected",
  "tcpSpuriousRecoveries",
  "tcpKeepAlives",
  "tcpTailLossProbes",
  // shell
  "events",
  "defects"
] as const

export type Name = typeof names[number]

/** Index of each counter: `ctx.count(Counter.index.ipReceived)`. */
export const index: { readonly [K in Name]: number } = Object.freeze(
  Object.fromEntries(names.map((name, i) => [name, i]))
) as { readonly [K in Name]: number }
