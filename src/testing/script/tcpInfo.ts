/** A connection's info by the names of Linux's `TCP_INFO`, in its units: times in microseconds, windows in segments. */
import type { Info, StateName } from "../../core/tcp/Info.ts"
import { infoConstants } from "./constants.ts"

const states: Readonly<Record<StateName, number>> = {
  "ESTABLISHED": 1,
  "SYN-SENT": 2,
  "SYN-RECEIVED": 3,
  "FIN-WAIT-1": 4,
  "FIN-WAIT-2": 5,
  "TIME-WAIT": 6,
  "CLOSED": 7,
  "CLOSE-WAIT": 8,
  "LAST-ACK": 9,
  "LISTEN": 10,
  "CLOSING": 11
}

const caStates = { open: 0, disorder: 1, recovery: 3, loss: 4 } as const

const optionsOf = ({ ecn, sack, timestamps, windowScaling }: Info): number =>
  (timestamps ? 1 : 0) | (sack ? 2 : 0) | (windowScaling ? 4 : 0) | (ecn ? 8 : 0)

/** Linux shows a threshold that was never set as the largest int32. */
const thresholdOf = (bytes: number, mss: number): number =>
  Number.isFinite(bytes) ? Math.floor(bytes / mss) : 0x7fff_ffff

const isOpening = (state: StateName): boolean => state === "SYN-SENT" || state === "SYN-RECEIVED"

type Fields = Readonly<Record<string, number>>

const numbersOfSegments = (info: Info): Fields => {
  const mss = Math.max(1, info.sendMss)
  const segments = (bytes: number): number => Math.ceil(bytes / mss)
  return {
    tcpi_unacked: segments(info.inFlight),
    tcpi_sacked: segments(info.sacked),
    // Linux counts what was sent again for lost until it is acknowledged.
    tcpi_lost: segments(info.lost + info.sentAgain),
    tcpi_retrans: segments(info.sentAgain),
    tcpi_fackets: 0,
    tcpi_snd_cwnd: Math.floor(info.congestionWindow / mss),
    tcpi_snd_ssthresh: thresholdOf(info.slowStartThreshold, mss),
    tcpi_total_retrans: info.segmentsRetransmitted,
    // An opener's SYN counts, and for a listener the one that came.
    tcpi_segs_out: info.segmentsSent + (info.isActive ? 1 : 0),
    tcpi_segs_in: info.segmentsReceived + (info.isActive ? 0 : 1),
    tcpi_data_segs_out: info.textSegmentsSent,
    tcpi_data_segs_in: info.textSegmentsReceived,
    // A SYN counts as well, once it is acknowledged.
    tcpi_delivered: segments(info.bytesDelivered) + (isOpening(info.state) ? 0 : 1),
    tcpi_dsack_dups: info.duplicatesReported,
    tcpi_rcv_ooopack: info.segmentsAhead,
    tcpi_reordering: info.reordering
  }
}

const times = (info: Info): Fields => ({
  tcpi_rto: Math.round(info.rto),
  tcpi_ato: Math.round(info.ackDelay),
  tcpi_rtt: Math.round(info.smoothedRtt),
  tcpi_rttvar: Math.round(info.rttVariation),
  tcpi_min_rtt: Math.round(info.minimumRtt),
  tcpi_rcv_rtt: Math.round(info.receiveRtt),
  tcpi_busy_time: Math.round(info.busyTime),
  tcpi_rwnd_limited: Math.round(info.windowLimitedTime),
  tcpi_sndbuf_limited: Math.round(info.bufferLimitedTime),
  tcpi_total_rto_time: Math.floor(info.timeoutTime / 1000),
  // These three Linux has in milliseconds.
  tcpi_last_data_sent: Math.floor(info.sinceSent / 1000),
  tcpi_last_data_recv: Math.floor(info.sinceText / 1000),
  tcpi_last_ack_recv: Math.floor(info.sinceHeard / 1000)
})

/** Linux counts the numbers of a FIN and of an opener's SYN as well. */
const numbersAcked = (info: Info): number =>
  (info.isFinAcked ? 1 : 0) + (info.isActive && !isOpening(info.state) ? 1 : 0)

const sizes = (info: Info): Fields => ({
  tcpi_snd_wscale: info.sendScale,
  tcpi_rcv_wscale: info.receiveScale,
  tcpi_snd_mss: info.sendMss,
  tcpi_rcv_mss: info.receiveMss,
  tcpi_advmss: info.advertisedMss,
  tcpi_pmtu: info.pathMtu,
  tcpi_snd_wnd: info.sendWindow,
  tcpi_rcv_wnd: info.receiveWindow,
  tcpi_rcv_space: info.receiveBuffer,
  tcpi_notsent_bytes: info.unsent,
  tcpi_bytes_acked: info.bytesAcked + numbersAcked(info),
  tcpi_bytes_sent: info.bytesSent,
  tcpi_bytes_received: info.bytesReceived,
  tcpi_bytes_retrans: info.bytesRetransmitted
})

const ecnModes = { off: 0, classic: 1, accurate: 2 } as const

const optionsSeen = { nothing: 0, empty: 1, counters: 2, zeroed: 3 } as const

const marks = (info: Info): Fields => ({
  tcpi_delivered_ce: info.marksTold,
  tcpi_received_ce: info.marksReceived,
  tcpi_delivered_e1_bytes: info.bytesToldWith.ect1,
  tcpi_delivered_e0_bytes: info.bytesToldWith.ect0,
  tcpi_delivered_ce_bytes: info.bytesToldWith.ce,
  tcpi_received_e1_bytes: info.bytesReceivedWith.ect1,
  tcpi_received_e0_bytes: info.bytesReceivedWith.ect0,
  tcpi_received_ce_bytes: info.bytesReceivedWith.ce,
  tcpi_ecn_mode: ecnModes[info.ecnUse],
  tcpi_accecn_opt_seen: optionsSeen[info.ecnOptionSeen],
  tcpi_accecn_fail_mode: (info.isEcnMute ? 2 : 0) | (info.isEcnOptionRefused ? 4 : 0) |
    (info.ecnOptionSeen === "zeroed" ? 8 : 0)
})

export const tcpInfo = (info: Info): ReadonlyMap<string, number> =>
  new Map(Object.entries({
    ...infoConstants,
    ...numbersOfSegments(info),
    ...times(info),
    ...sizes(info),
    tcpi_state: states[info.state],
    tcpi_ca_state: caStates[info.caState],
    tcpi_options: optionsOf(info),
    tcpi_retransmits: info.backoff,
    tcpi_backoff: info.backoff,
    tcpi_probes: info.probes,
    tcpi_total_rto: info.timeouts,
    tcpi_total_rto_recoveries: info.timeoutPeriods,
    tcpi_fastopen_client_fail: 0,
    // Linux has the name and never the time; flows are not hashed anew here.
    tcpi_last_ack_sent: 0,
    tcpi_rehash: 0,
    tcpi_reord_seen: info.reorderingSeen ? 1 : 0,
    tcpi_delivery_rate_app_limited: info.isDeliveryRateAppLimited ? 1 : 0,
    ...marks(info),
    tcpi_delivery_rate: Math.round(info.deliveryRate ?? 0),
    ...(info.pacingRate === undefined ? {} : { tcpi_pacing_rate: Math.round(info.pacingRate) })
  }))
