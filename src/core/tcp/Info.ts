/**
 * What a program may know about a connection (RFC 9293 §3.9.1 STATUS), by the names of Linux's `TCP_INFO` in words.
 */
import type * as Address from "../../wire/Address.ts"
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import type { Reason } from "../Reason.ts"
import type { Span } from "../Time.ts"
import * as Time from "../Time.ts"
import type * as AccurateEcn from "./AccurateEcn.ts"
import * as Chronograph from "./Chronograph.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Ecn from "./Ecn.ts"
import type { Use as EcnUse } from "./EcnHandshake.ts"
import * as MtuProbe from "./MtuProbe.ts"
import * as Options from "./Options.ts"
import * as Pace from "./Pace.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import * as Recovery from "./Recovery.ts"
import * as Rtt from "./Rtt.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as UserTimeoutOption from "./UserTimeoutOption.ts"
import * as Write from "./Write.ts"

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
  /** This side has connected; the other one listened. */
  readonly isActive: boolean
  /** Our FIN is acknowledged: the peer has all that we had to say. */
  readonly isFinAcked: boolean
  readonly local: Address.Address
  readonly localPort: number
  readonly remote: Address.Address
  readonly remotePort: number
  /** Options in force. */
  readonly timestamps: boolean
  readonly sack: boolean
  readonly windowScaling: boolean
  readonly ecn: boolean
  readonly ecnUse: EcnUse
  /** The peer has taken text with our SYN, or we with its (RFC 7413). */
  readonly hadTextInSyn: boolean
  /** Shift of the windows we receive and of those we send. */
  readonly sendScale: number
  readonly receiveScale: number
  /** Payload bytes of a full segment, sent and received. */
  readonly sendMss: number
  readonly receiveMss: number
  /** What our SYN told the peer. */
  readonly advertisedMss: number
  readonly pathMtu: number
  readonly rto: Span
  readonly smoothedRtt: Span
  readonly rttVariation: Span
  readonly minimumRtt: Span
  /** Text unacknowledged for so long ends the connection, as the program or the peer's advice has it (RFC 5482); 0 leaves it to `retries`. */
  readonly userTimeout: Span
  /** How long an ACK may wait for company. */
  readonly ackDelay: Span
  /** Since text was sent, since text came, and since anything came; since the beginning if none did. Where none was sent, the first is as the second. */
  readonly sinceSent: Span
  readonly sinceText: Span
  readonly sinceHeard: Span
  /** Bytes. */
  readonly congestionWindow: number
  readonly slowStartThreshold: number
  readonly sendWindow: number
  readonly receiveWindow: number
  /** Bytes sent and not acknowledged, written and not sent, received and not read. */
  readonly inFlight: number
  readonly unsent: number
  readonly unread: number
  /** Of what is to come or unread: up to the end of announced urgent data (RFC 9293 §3.8.5). */
  readonly urgent: number
  /** Of what is in flight: selectively acknowledged, taken for lost (while a timeout is tested, all that it concerns), and thought to be in the network (pipe). */
  readonly sacked: number
  readonly lost: number
  readonly pipe: number
  /** Of these, sent again and not acknowledged since. */
  readonly sentAgain: number
  /** Sizes of the buffers, as auto-tuning has them now. */
  readonly receiveBuffer: number
  readonly sendBuffer: number
  /** Bytes per second, if the connection is paced. */
  readonly pacingRate: number | undefined
  /** Bytes per second that the path delivered when it was measured last, and whether the program was the limit then. */
  readonly deliveryRate: number | undefined
  readonly isDeliveryRateAppLimited: boolean
  /** For how long something was sent or waited to be, and of that, for how long the peer's window and the own send buffer were what limited it. */
  readonly busyTime: Span
  readonly windowLimitedTime: Span
  readonly bufferLimitedTime: Span
  /** Timeouts in a row count as one of these periods; how long the ended ones have lasted. */
  readonly timeoutPeriods: number
  readonly timeoutTime: Span
  /** The round trip as the receiver measures it; zero before it could. */
  readonly receiveRtt: Span
  /** Congestion marks that came, and, where they are counted (RFC 9768), that the peer has told of. */
  readonly marksReceived: number
  readonly marksTold: number
  /** Where the AccECN option is in use: bytes of text by the mark that they came with, and that the peer has told of (RFC 9768 §3.2.3). */
  readonly bytesReceivedWith: AccurateEcn.Bytes
  readonly bytesToldWith: AccurateEcn.Bytes
  /** What has been seen of the peer's options, and whether ours seem to get lost. */
  readonly ecnOptionSeen: AccurateEcn.Seen
  readonly isEcnOptionRefused: boolean
  /** Nothing is sent that could be marked, though marks were agreed on: somebody on the way rewrites or swallows the bits. */
  readonly isEcnMute: boolean
  /** Totals in bytes of payload. */
  readonly bytesAcked: number
  readonly bytesReceived: number
  readonly bytesRetransmitted: number
  readonly segmentsSent: number
  readonly segmentsReceived: number
  readonly segmentsRetransmitted: number
  readonly textSegmentsSent: number
  readonly textSegmentsReceived: number
  readonly segmentsAhead: number
  readonly bytesSent: number
  readonly bytesDelivered: number
  readonly timeouts: number
  /** Duplicates that the peer has reported (RFC 2883), and whether it was seen to reorder (RFC 8985 §6.2). */
  readonly duplicatesReported: number
  readonly reorderingSeen: boolean
  /** Duplicate ACKs that mean a loss. */
  readonly reordering: number
  /** The program, not the window, is what limits sending. */
  readonly isAppLimited: boolean
  /** Times the retransmission timer has fired since the last progress, and probes of a closed window. */
  readonly backoff: number
  readonly probes: number
  /** What a router says of the way to the peer (RFC 9293 §3.9.1.8), or why the connection has ended. */
  readonly lastError: Reason | undefined
  readonly congestionControl: string
  readonly caState: "open" | "disorder" | "recovery" | "loss"
}

/** A FIN that has left in the handshake is as good as one behind it (RFC 9293 §3.10.4). */
const stateOf = (self: Connection): StateName =>
  self.state === "SYN-RECEIVED" && self.snd.fin && !Connections.finUnsent(self) && self.listener === 0
    ? "FIN-WAIT-1"
    : self.state

/** Who, and what was agreed on. */
const identity = (ctx: Context, self: Connection) => ({
  connection: self.id,
  state: stateOf(self),
  isActive: self.listener === 0,
  isFinAcked: Connections.finAcked(self),
  local: self.tuple.local,
  localPort: self.tuple.localPort,
  remote: self.tuple.remote,
  remotePort: self.tuple.remotePort,
  timestamps: self.agreed.timestamps,
  sack: self.agreed.sack,
  windowScaling: self.agreed.scaling,
  ecn: self.agreed.ecn !== "off",
  ecnUse: self.agreed.ecn,
  hadTextInSyn: self.fastOpen === "taken" || self.fastOpen === "accepted",
  sendScale: self.agreed.sendScale,
  receiveScale: self.agreed.receiveScale,
  sendMss: self.snd.mss,
  receiveMss: self.rcv.mss,
  advertisedMss: Options.receiveMss(ctx, self.path, self.config),
  pathMtu: MtuProbe.mtuOf(self),
  congestionControl: self.control.controller.name,
  reordering: self.config.reordering
})

const times = (ctx: Context, self: Connection) => ({
  rto: Rtt.rtoOf(self.rtt, self.config),
  smoothedRtt: self.rtt.srtt ?? Time.zero,
  rttVariation: self.rtt.rttvar,
  minimumRtt: Rtt.minimum(self.rtt) ?? Time.zero,
  userTimeout: UserTimeoutOption.inForce(self),
  ackDelay: self.config.delayedAck,
  sinceSent: Time.max(Time.zero, Time.between(self.snd.lastAt === 0 ? self.rcv.textAt : self.snd.lastAt, ctx.at)),
  sinceText: Time.between(self.rcv.textAt, ctx.at),
  sinceHeard: Time.between(self.rcv.lastAt, ctx.at),
  receiveRtt: self.tuning.rtt ?? Time.zero,
  ...Chronograph.read(self.limits, ctx.at)
})

const sizes = (self: Connection) => ({
  congestionWindow: Control.window(self.control),
  slowStartThreshold: self.control.controller.ssthresh(self.control.state),
  sendWindow: self.snd.wnd,
  receiveWindow: Connections.receiveWindow(self),
  inFlight: Connections.inFlight(self),
  unsent: Connections.unsent(self),
  unread: ReceiveBuffer.ready(self.buffer),
  urgent: self.rcv.hasUrgent ? Math.max(0, Sequence.distance(self.buffer.read, self.rcv.up)) : 0,
  sacked: Scoreboard.sackedBytes(self.board),
  lost: lostBytes(self),
  pipe: Recovery.pipe(self),
  sentAgain: Scoreboard.sentAgain(self.board),
  receiveBuffer: self.rcv.size,
  sendBuffer: Write.sendBuffer(self),
  pacingRate: Pace.rateOf(self),
  deliveryRate: self.rate.latest,
  isDeliveryRateAppLimited: self.rate.isLatestAppLimited
})

/** Until a timeout has proven to be for nothing, it means that all is lost that was sent before it (RFC 6298 §5.4, RFC 5682 §2.1). */
const lostBytes = (self: Connection): number => {
  const { board, recovery, snd } = self
  if (recovery.frto.step === "off") return Scoreboard.lostBytes(board)
  const concerned = Sequence.distance(snd.una, Sequence.earlier(recovery.recover, snd.nxt))
  return Math.max(0, concerned - Scoreboard.sackedBytes(board) - Scoreboard.sentAgain(board))
}

/** Payload of ours that was acknowledged: a FIN is none. */
const bytesAcked = (self: Connection): number => self.snd.acked - (Connections.finAcked(self) ? 1 : 0)

/** Payload on its way. */
const bytesInFlight = ({ queue, snd }: Connection): number =>
  Math.max(0, Sequence.distance(snd.una, Sequence.earlier(snd.nxt, queue.end)))

const totals = (self: Connection) => ({
  bytesAcked: bytesAcked(self),
  bytesReceived: self.rcv.bytes,
  bytesRetransmitted: self.snd.retransmittedBytes,
  bytesSent: bytesAcked(self) + bytesInFlight(self) + self.snd.retransmittedBytes,
  bytesDelivered: self.rate.delivered,
  segmentsSent: self.snd.segments,
  segmentsReceived: self.rcv.segments,
  segmentsRetransmitted: self.snd.retransmittedSegments,
  textSegmentsSent: self.snd.textSegments,
  textSegmentsReceived: self.rcv.textSegments,
  segmentsAhead: self.rcv.aheadSegments,
  timeouts: self.recovery.totalTimeouts,
  timeoutPeriods: self.recovery.timeoutPeriods,
  timeoutTime: self.recovery.timeoutTime,
  duplicatesReported: self.recovery.dsacks,
  marksReceived: self.ecn.received - Ecn.initial.received,
  marksTold: self.ecn.told - Ecn.initial.told,
  bytesReceivedWith: self.ecn.bytes.received,
  bytesToldWith: self.ecn.bytes.told,
  ecnOptionSeen: self.ecn.bytes.seen,
  isEcnOptionRefused: self.ecn.bytes.isRefused,
  isEcnMute: self.ecn.mute
})

/** The snapshot of a connection. */
export const of = (ctx: Context, self: Connection): Info => ({
  ...identity(ctx, self),
  ...times(ctx, self),
  ...sizes(self),
  ...totals(self),
  backoff: self.recovery.timeouts,
  probes: self.recovery.probes,
  reorderingSeen: self.rack.reorderingSeen,
  isAppLimited: self.snd.isAppLimited,
  lastError: self.error,
  caState: caState(self)
})

/** Something was overtaken, or sent again for safety. */
const hasDoubts = (board: Scoreboard.Scoreboard): boolean =>
  Scoreboard.sackedBytes(board) > 0 || Scoreboard.sentAgain(board) > 0

const caState = (self: Connection): Info["caState"] => {
  switch (self.recovery.phase) {
    case "open":
      return self.recovery.duplicates > 0 || hasDoubts(self.board) ? "disorder" : "open"
    case "fast":
      return "recovery"
    case "timeout":
      return "loss"
  }
}
