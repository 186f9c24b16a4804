/**
 * What a program may know about a connection (RFC 9293 §3.9.1 STATUS), by the names of Linux's `TCP_INFO` in words.
 */
import type * as Address from "../../wire/Address.ts"
import type { Span } from "../Time.ts"

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
