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

export const tcpInfo = (info: Info): ReadonlyMap<string, number> => {
  const segments = (bytes: number): number => Math.ceil(bytes / Math.max(1, info.sendMss))
  return new Map(Object.entries({
    ...infoConstants,
    tcpi_state: states[info.state],
    tcpi_ca_state: caStates[info.caState],
    tcpi_retransmits: info.backoff,
    tcpi_probes: info.probes,
    tcpi_backoff: info.backoff,
    tcpi_options: optionsOf(info),
    tcpi_snd_wscale: info.sendScale,
    tcpi_rcv_wscale: info.receiveScale,
    tcpi_rto: Math.round(info.rto),
    tcpi_snd_mss: info.sendMss,
    tcpi_rcv_mss: info.receiveMss,
    tcpi_unacked: segments(info.inFlight),
    tcpi_pmtu: info.pathMtu,
    tcpi_rtt: Math.round(info.smoothedRtt),
    tcpi_rttvar: Math.round(info.rttVariation),
    tcpi_min_rtt: Math.round(info.minimumRtt),
    tcpi_snd_ssthresh: thresholdOf(info.slowStartThreshold, info.sendMss),
    tcpi_snd_cwnd: Math.floor(info.congestionWindow / Math.max(1, info.sendMss)),
    tcpi_snd_wnd: info.sendWindow,
    tcpi_rcv_wnd: info.receiveWindow,
    tcpi_rcv_space: info.receiveWindow,
    tcpi_total_retrans: info.segmentsRetransmitted,
    tcpi_bytes_acked: info.bytesAcked,
    tcpi_bytes_received: info.bytesReceived,
    tcpi_bytes_retrans: info.bytesRetransmitted,
    tcpi_segs_out: info.segmentsSent,
    tcpi_segs_in: info.segmentsReceived,
    tcpi_notsent_bytes: info.unsent
  }))
}
