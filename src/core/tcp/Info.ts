/**
 * What a program may know about a connection (RFC 9293 §3.9.1 STATUS), by the names of Linux's `TCP_INFO` in words.
 */
import type * as Address from "../../wire/Address.ts"
import type { Span } from "../Time.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import * as Rtt from "./Rtt.ts"

/** RFC 9293 §3.3.2. */
export type StateName =
  | "CLOSED"
  | "LISTEN"
  | "SYN-SENT"
  | "SYN-RECEIVED"
  | "ESTABLISHED"
  | "FIN-WAIT-1"
  | "FIN-WAIT-2"
  | "CLOSE-WAIT"
  | "CLOSING"
  | "LAST-ACK"
  | "TIME-WAIT"

export interface Info {
  readonly connection: number
  readonly state: StateName
  readonly local: Address.Address
  readonly localPort: number
  readonly remote: Address.Address
  readonly remotePort: number
  /** Options in force. */
  readonly timestamps: boolean
  readonly sack: boolean
  readonly windowScaling: boolean
  readonly ecn: boolean
  /** Shift of the windows we receive and of those we send. */
  readonly sendScale: number
  readonly receiveScale: number
  /** Payload bytes of a full segment, sent and received. */
  readonly sendMss: number
  readonly receiveMss: number
  readonly pathMtu: number
  readonly rto: Span
  readonly smoothedRtt: Span
  readonly rttVariation: Span
  readonly minimumRtt: Span
  /** Bytes. */
  readonly congestionWindow: number
  readonly slowStartThreshold: number
  readonly sendWindow: number
  readonly receiveWindow: number
  /** Bytes sent and not acknowledged, written and not sent, received and not read. */
  readonly inFlight: number
  readonly unsent: number
  readonly unread: number
  /** Totals in bytes of payload. */
  readonly bytesAcked: number
  readonly bytesReceived: number
  readonly bytesRetransmitted: number
  readonly segmentsSent: number
  readonly segmentsReceived: number
  readonly segmentsRetransmitted: number
  /** Times the retransmission timer has fired since the last progress, and probes of a closed window. */
  readonly backoff: number
  readonly probes: number
  readonly congestionControl: string
  readonly caState: "open" | "disorder" | "recovery" | "loss"
}

/** The snapshot of a connection. */
export const of = (self: Connection): Info => ({
  connection: self.id,
  state: self.state,
  local: self.tuple.local,
  localPort: self.tuple.localPort,
  remote: self.tuple.remote,
  remotePort: self.tuple.remotePort,
  timestamps: self.agreed.timestamps,
  sack: self.agreed.sack,
  windowScaling: self.agreed.scaling,
  ecn: self.agreed.ecn,
  sendScale: self.agreed.sendScale,
  receiveScale: self.agreed.receiveScale,
  sendMss: self.snd.mss,
  receiveMss: self.rcv.mss,
  pathMtu: self.path.mtu,
  rto: Rtt.rtoOf(self.rtt, self.config),
  smoothedRtt: self.rtt.srtt ?? Time.zero,
  rttVariation: self.rtt.rttvar,
  minimumRtt: Rtt.minimum(self.rtt) ?? Time.zero,
  congestionWindow: Control.window(self.control),
  slowStartThreshold: self.control.controller.ssthresh(self.control.state),
  sendWindow: self.snd.wnd,
  receiveWindow: Connections.receiveWindow(self),
  inFlight: Connections.inFlight(self),
  unsent: Connections.unsent(self),
  unread: ReceiveBuffer.ready(self.buffer),
  bytesAcked: self.snd.acked,
  bytesReceived: self.rcv.bytes,
  bytesRetransmitted: self.snd.retransmittedBytes,
  segmentsSent: self.snd.segments,
  segmentsReceived: self.rcv.segments,
  segmentsRetransmitted: self.snd.retransmittedSegments,
  backoff: self.recovery.timeouts,
  probes: self.recovery.probes,
  congestionControl: self.control.controller.name,
  caState: caState(self)
})

const caState = (self: Connection): Info["caState"] => {
  switch (self.recovery.phase) {
    case "open":
      return self.recovery.duplicates > 0 ? "disorder" : "open"
    case "fast":
      return "recovery"
    case "timeout":
      return "loss"
  }
}
