/**
 * A connection: the transmission control block of RFC 9293 §3.3.1, under the RFC's names.
 *
 * It is one immutable record of small ones; what an event changes is a copy of the small record that it touches. Sequence numbers are int32
 * (`wire/Sequence.ts`), lengths and windows bytes.
 *
 *        SND.UNA             SND.NXT        SND.UNA + SND.WND            RCV.NXT            edge
 *           │ sent, not acked   │ may be sent    │                          │ may be received │
 *       ────┴───────────────────┴────────────────┴────                  ────┴─────────────────┴────
 */
import type * as Address from "../../wire/Address.ts"
import * as Sequence from "../../wire/Sequence.ts"
import type { LinkId } from "../Device.ts"
import type { Path } from "../Ip.ts"
import type { Reason } from "../Reason.ts"
import type * as Time from "../Time.ts"
import type { Armed } from "../Timer.ts"
import type { AckPolicy } from "./AckPolicy.ts"
import type { Chronograph } from "./Chronograph.ts"
import type { Config } from "./Config.ts"
import type { Control } from "./Control.ts"
import type { DeliveryRate } from "./DeliveryRate.ts"
import type { Ecn } from "./Ecn.ts"
import type { Use as EcnUse } from "./EcnHandshake.ts"
import type { Phase as FastOpenPhase } from "./FastOpen.ts"
import type { StateName } from "./Info.ts"
import type { MtuProbe } from "./MtuProbe.ts"
import type { Parked } from "./Parked.ts"
import type { Rack } from "./Rack.ts"
import type { ReceiveBuffer } from "./ReceiveBuffer.ts"
import type { Recovery } from "./Recovery.ts"
import type { Rtt } from "./Rtt.ts"
import type { Scoreboard } from "./Scoreboard.ts"
import type { SendQueue } from "./SendQueue.ts"
import type { TailLossProbe } from "./TailLossProbe.ts"
import type { Deadlines } from "./Timer.ts"
import type { Timestamps } from "./Timestamps.ts"
import type { Tuning } from "./Tuning.ts"
import type { UserTimeoutOption } from "./UserTimeoutOption.ts"

/** Both ends; shared by all versions of the record. */
export interface Tuple {
  readonly local: Address.Address
  readonly localPort: number
  readonly remote: Address.Address
  readonly remotePort: number
  /** Key of the demultiplexing table (`core/Demux.ts`). */
  readonly hash: number
  /** Sum of the pseudo-header but for the length. */
  readonly pseudo: number
}

/** The options that both sides have offered, and what follows from them. Fixed when the handshake ends. */
export interface Agreed {
  readonly timestamps: boolean
  readonly sack: boolean
  /** Shifts of the windows that the peer sends and that we send (RFC 7323 §2); 0 without scaling. */
  readonly sendScale: number
  readonly receiveScale: number
  readonly scaling: boolean
  readonly ecn: EcnUse
  /** The ECN bits that the peer's SYN came with, which an accurate SYN/ACK repeats. */
  readonly synMarks: number
  /** A SYN that asks for nothing came as well: nothing that is sent may be marked (RFC 9768 §3.1.5). */
  readonly hasPlainSyn: boolean
  /** The user timeout that the peer's SYN advises, in seconds (RFC 5482). */
  readonly userTimeout: number | undefined
}

/** The send sequence space (RFC 9293 §3.3.1, figure 4). */
export interface Snd {
  readonly iss: Sequence.Sequence
  readonly una: Sequence.Sequence
  readonly nxt: Sequence.Sequence
  /** Unscaled, of up to 30 bits (rfc: 9293 §3.1 MUST-1 REC-1). */
  readonly wnd: number
  readonly wl1: Sequence.Sequence
  readonly wl2: Sequence.Sequence
  /** The largest window the peer has offered (MAX.SND.WND, RFC 9293 §3.10.7.4). */
  readonly maxWnd: number
  /** Text bytes of a full segment: Eff.snd.MSS (RFC 9293 §3.7.1). */
  readonly mss: number
  /** What the peer's MSS option said, or the default. */
  readonly peerMss: number
  /** A FIN stands behind the last byte of the queue. */
  readonly fin: boolean
  /** Behind the last byte of urgent data, while not all of it is acknowledged (SND.UP, RFC 9293 §3.8.5). */
  readonly up: Sequence.Sequence
  readonly hasUrgent: boolean
  /** Bytes of ours in the link's transmit queue. */
  readonly credit: number
  /** Sending stopped because the program had no more, not because a window was full. */
  readonly isAppLimited: boolean
  /** In slow start: the most that was on its way since the last transmissions up to {@link mostOutUntil}; Infinity if it was all that the window takes. */
  readonly mostOut: number
  readonly mostOutUntil: Sequence.Sequence
  /** Behind the last segment that was shorter than a full one. */
  readonly smallEnd: Sequence.Sequence
  /** When text or a FIN was sent last. */
  readonly lastAt: Time.Instant
  /** Totals. */
  readonly acked: number
  readonly segments: number
  readonly textSegments: number
  readonly retransmittedSegments: number
  readonly retransmittedBytes: number
}

/** The receive sequence space (RFC 9293 §3.3.1, figure 5). */
export interface Rcv {
  readonly irs: Sequence.Sequence
  readonly nxt: Sequence.Sequence
  /** RCV.NXT + RCV.WND as last told to the peer; never goes back. */
  readonly edge: Sequence.Sequence
  /** The buffer's size, which auto-tuning moves. */
  readonly size: number
  /** What of it is offered until it grows. */
  readonly first: number
  /** The peer's FIN has been taken: nothing comes after it. */
  readonly ended: boolean
  /** Where a FIN that came ahead of a gap stands, once {@link hasFinAhead}. */
  readonly finAhead: Sequence.Sequence
  readonly hasFinAhead: boolean
  /** Behind the last byte of urgent data that was announced, once {@link hasUrgent} (RCV.UP, RFC 9293 §3.8.5). */
  readonly up: Sequence.Sequence
  readonly hasUrgent: boolean
  /** The program wants no more text; it is acknowledged and dropped. */
  readonly discards: boolean
  /** The program has shut its reading side: once our FIN is behind what it wrote too, further text is refused. */
  readonly isShut: boolean
  /** The largest text seen in one packet: what the peer's full segments are like. */
  readonly mss: number
  /** When a segment of this connection came last. */
  readonly lastAt: Time.Instant
  /** When one with text came last. */
  readonly textAt: Time.Instant
  /** When one was answered last that was not acceptable and brought no text. */
  readonly challengedAt: Time.Instant
  readonly bytes: number
  readonly segments: number
  readonly textSegments: number
  /** Segments that came ahead of a gap. */
  readonly aheadSegments: number
}

/** Who has the connection's id: a connect that waits, a listener's queue, a program, or nobody any more. */
export type Holder = "opening" | "queued" | "program" | "nobody"

export interface Connection {
  readonly _tag: "Connection"
  readonly id: number
  /** The next record with the same hash, 0 for none. */
  readonly next: number
  readonly tuple: Tuple
  readonly path: Path
  /** The interface that the program has bound the connection to. */
  readonly link: LinkId | undefined
  readonly config: Config
  readonly state: StateName
  readonly holder: Holder
  /** The listener that it came from, 0 for an active opener (rfc: 9293 §3.5.1 MUST-11). */
  readonly listener: number
  readonly agreed: Agreed
  readonly fastOpen: FastOpenPhase
  readonly snd: Snd
  readonly rcv: Rcv
  readonly stamps: Timestamps
  readonly queue: SendQueue
  readonly buffer: ReceiveBuffer
  readonly ack: AckPolicy
  readonly board: Scoreboard
  readonly rtt: Rtt
  readonly rate: DeliveryRate
  readonly control: Control
  readonly recovery: Recovery
  readonly rack: Rack
  readonly tail: TailLossProbe
  readonly ecn: Ecn
  readonly timeoutOption: UserTimeoutOption
  readonly mtu: MtuProbe
  readonly tuning: Tuning
  readonly limits: Chronograph
  readonly deadlines: Deadlines
  readonly timer: Armed
  readonly parked: Parked
  /** Why the connection ended, or what a router says about it meanwhile. */
  readonly error: Reason | undefined
}

/** RFC 9293 §3.10.7.4: the states in which both sides know each other's numbers. */
export const isSynchronized = (state: StateName): boolean =>
  state !== "CLOSED" && state !== "LISTEN" && state !== "SYN-SENT" && state !== "SYN-RECEIVED"

/** The states in which the program may still write. */
export const canSend = (self: Connection): boolean =>
  !self.snd.fin && (self.state === "ESTABLISHED" || self.state === "CLOSE-WAIT" || isOpening(self.state))

export const isOpening = (state: StateName): boolean => state === "SYN-SENT" || state === "SYN-RECEIVED"

/** The states in which the peer may still send text. */
export const canReceive = (state: StateName): boolean =>
  state === "ESTABLISHED" || state === "FIN-WAIT-1" || state === "FIN-WAIT-2"

/** RCV.WND: what of the offered window is left. */
export const receiveWindow = (self: Connection): number => Sequence.distance(self.rcv.nxt, self.rcv.edge)

/** Sent and not acknowledged. */
export const inFlight = (self: Connection): number => Sequence.distance(self.snd.una, self.snd.nxt)

/** Bytes that have left the network by what duplicate ACKs say: without SACK each stands for a segment, though not for which. */
export const duplicateBytes = (self: Connection): number =>
  self.agreed.sack ? 0 : self.recovery.duplicates * self.snd.mss

/** Written and not sent; a FIN that was sent counts for nothing. */
export const unsent = (self: Connection): number => Math.max(0, Sequence.distance(self.snd.nxt, self.queue.end))

/** A FIN waits to be sent. */
export const finUnsent = (self: Connection): boolean => self.snd.fin && !Sequence.after(self.snd.nxt, self.queue.end)

/** What the link's transmit queue still takes of this connection: always a segment when it has none. */
export const creditLeft = (self: Connection, mss: number): number =>
  Math.max(mss, self.config.transmitCreditBytes) - self.snd.credit

/** Our FIN has been acknowledged. */
export const finAcked = (self: Connection): boolean => self.snd.fin && Sequence.after(self.snd.una, self.queue.end)
