/**
 * Explicit congestion notification (rfc: 9293 §3.8.2 SHLD-8): routers mark what they would otherwise drop, and the receiver tells the sender, classically (RFC 3168) or
 * accurately (RFC 9768, from knowledge: its text is not among our sources).
 *
 *     sender                     router            receiver
 *       │── text, ECT(0) ──────── CE ────────────────▶ │
 *       │ ◀──────────────────────────── ACK, ECE ──────│  classic: on every ACK, until
 *       │── text, CWR ─────────────────────────────▶   │  this arrives
 *       │ ◀──────────────────────────── ACK, ACE=6 ────│  accurate: how many marks came, modulo 8, in the bits AE, CWR and ECE
 *
 *     setup, classic      SYN with ECE and CWR ──▶  ◀── SYN/ACK with ECE
 *            accurate     SYN with AE, CWR, ECE ──▶ ◀── SYN/ACK that says how the SYN came, and the same back with the last ACK
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type * as TcpOptions from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import * as AccurateEcn from "./AccurateEcn.ts"
import * as AckPolicy from "./AckPolicy.ts"
import type { Config } from "./Config.ts"
import type { Agreed, Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as EcnHandshake from "./EcnHandshake.ts"
import * as Loss from "./Loss.ts"
import * as Rtt from "./Rtt.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as Segment from "./Segment.ts"
import * as Deadlines from "./Timer.ts"

export interface Ecn {
  /** Receiver, classic: a mark has come and the sender has not answered it yet. */
  readonly echoes: boolean
  /** Sender, classic: the window was reduced; the next new text says so. */
  readonly reduced: boolean
  /** Sender: where the first new text after the last reduction begins; marks are of the same congestion until some of it is acknowledged. */
  readonly recover: Sequence.Sequence | undefined
  /** r.cep and s.cep (RFC 9768 §3.2.1): marked packets received, and those that the peer has told of; both begin with 5. */
  readonly received: number
  readonly told: number
  /** Marks that no ACK has told yet. */
  readonly untold: number
  /** What the next segment says instead of a count: how the peer's SYN/ACK came; -1 for nothing. */
  readonly handshake: number
  /** Nothing is sent as capable of marks, and what is told of marks is not believed: a SYN went without, or somebody on the way rewrites the bits. */
  readonly mute: boolean
  /** No count of the peer's has come yet. */
  readonly untested: boolean
  /** The newest timestamp of the peer's, and whether the segment that came last has brought it: then its count is the newest as well. */
  readonly stamp: number
  readonly isLater: boolean
  /** The counts of bytes, and the option. */
  readonly bytes: AccurateEcn.AccurateEcn
}

export const initial: Ecn = Object.freeze({
  echoes: false,
  reduced: false,
  recover: undefined,
  received: 5,
  told: 5,
  untold: 0,
  handshake: -1,
  mute: false,
  untested: true,
  stamp: 0,
  isLater: false,
  bytes: AccurateEcn.initial
})

/** The ECN bits of the traffic class. */
const mask = 3
const capable = 2
const congested = 3

/** Of a connection that has agreed so. */
export const make = ({ ecn, hasPlainSyn, synMarks }: Agreed): Ecn =>
  ecn === "accurate" && (synMarks !== 0 || hasPlainSyn)
    ? { ...initial, mute: hasPlainSyn, bytes: { ...AccurateEcn.initial, mark: synMarks } }
    : initial

/**
 * A SYN/ACK has come for our SYN, which was sent `retransmissions` times again: with accurate marks the next segment says how. Our SYN was not capable of
 * marks; if it came so, its bits were rewritten (RFC 9768 §3.2.2.3). Who has sent a SYN without asking sends nothing that could be marked (rfc: 3168 §6.1.1 MUST NOT).
 */
export const introduced = (
  config: Config,
  self: Ecn,
  use: EcnHandshake.Use,
  segment: Segment.Segment,
  retransmissions: number
): Ecn => {
  if (use === "off" || !Segment.has(segment, Tcp.ACK)) return self
  const isRewritten = use === "accurate" && EcnHandshake.aceOf(segment.flags) !== EcnHandshake.encodings[0]
  const mute = isRewritten || EcnHandshake.ofSyn(config, retransmissions) === 0
  if (use === "classic") return mute ? { ...self, mute } : self
  const marks = EcnHandshake.marksOf(segment)
  return {
    ...self,
    handshake: EcnHandshake.encodings[marks]!,
    received: marks === congested ? 6 : 5,
    mute,
    bytes: AccurateEcn.introduced(self.bytes, segment.options.accurateEcn)
  }
}

/**
 * The SYN/ACK came again: the ACK that it wants says once more how it came (RFC 9768 §3.2.2.1). One without the bits says that they are swallowed on the way:
 * nothing is sent that could be marked (§3.1.5).
 */
export const reintroduced = (self: Connection, segment: Segment.Segment): Connection => {
  const isAgain = segment.seq === self.rcv.irs && Segment.has(segment, Tcp.SYN) && Segment.has(segment, Tcp.ACK)
  if (self.agreed.ecn !== "accurate" || !isAgain) return self
  const handshake = EcnHandshake.encodings[EcnHandshake.marksOf(segment)]!
  const mute = self.ecn.mute || EcnHandshake.aceOf(segment.flags) === 0
  return { ...self, ecn: { ...self.ecn, handshake, mute } }
}

/** Text that was there before: see {@link AccurateEcn.repeated}. */
export const repeated = (self: Connection, segment: Segment.Segment): Connection => {
  if (self.agreed.ecn !== "accurate") return self
  const bytes = AccurateEcn.repeated(self.ecn.bytes, Segment.textStart(segment))
  return bytes === self.ecn.bytes ? self : { ...self, ecn: { ...self.ecn, bytes } }
}

/** Packets that a segment came in: a link that offloads hands over several of one flow and mark in one. */
const packetsOf = (segment: Segment.Segment): number => {
  const { segmentSize } = segment.packet
  return segmentSize > 0 ? Math.max(1, Math.ceil(Segment.textLength(segment) / segmentSize)) : 1
}

/**
 * Counts what came. So that the three bits never go round unseen, every second mark is told at once; of ACKs every third, or they would never end
 * (RFC 9768 §3.2.2.5.1). Text that comes with another mark than what came before is acknowledged at once too (§3.2.3.3).
 */
const counting = (self: Connection, segment: Segment.Segment): Connection => {
  const { ecn } = self
  const mark = EcnHandshake.marksOf(segment)
  const length = Segment.textLength(segment)
  const stamp = segment.options.timestampValue
  const isLater = stamp !== undefined && Sequence.after(stamp, ecn.stamp)
  const packets = mark === congested ? packetsOf(segment) : 0
  const untold = ecn.untold + packets
  const isDue = (packets > 0 && untold >= (length > 0 ? 2 : 3)) || (length > 0 && mark !== ecn.bytes.mark)
  return {
    ...self,
    ecn: {
      ...ecn,
      received: ecn.received + packets,
      untold,
      stamp: isLater ? stamp : ecn.stamp,
      isLater,
      bytes: AccurateEcn.received(ecn.bytes, mark, length)
    },
    ack: isDue ? AckPolicy.now(self.ack) : self.ack
  }
}

/** A segment came, of which `kept` lies in the window: a mark is echoed from now on, or counted. */
export const received = (self: Connection, segment: Segment.Segment, kept: Segment.Segment): Connection => {
  const { ecn } = self
  switch (self.agreed.ecn) {
    case "off":
      return self
    case "classic": {
      // rfc: 3168 §6.1.3: of segments with text; a CWR ends the echo.
      if (Segment.textLength(kept) === 0) return self
      const isMarked = EcnHandshake.marksOf(segment) === congested
      const echoes = isMarked || (ecn.echoes && !Segment.has(segment, Tcp.CWR))
      return echoes === ecn.echoes ? self : { ...self, ecn: { ...ecn, echoes } }
    }
    case "accurate":
      return counting(self, segment)
  }
}

/**
 * The window answers to marks as to a loss, once for each window of text (rfc: 3168 §6.1.2): what was sent before the answer says nothing new. A window of one
 * segment can't be halved: then the next waits for as long as the retransmission timer would (rfc: 3168 §6.1.2 MUST).
 */
const reduced = (ctx: Context, self: Connection, ecn: Ecn): Connection => {
  const isSame = ecn.reduced || (ecn.recover !== undefined && !Sequence.after(self.snd.una, ecn.recover))
  if (isSame || self.recovery.phase !== "open") return { ...self, ecn }
  const { controller, state } = self.control
  const mark = { now: ctx.at, flightSize: Loss.flightToCut(self) }
  const answered: Connection = {
    ...self,
    control: Control.moved(self.control, controller.onEcn(state, mark)),
    ecn: { ...ecn, reduced: true }
  }
  return controller.window(state) <= self.snd.mss
    ? Deadlines.withPace(answered, Time.plus(ctx.at, Rtt.rtoOf(self.rtt, self.config)))
    : answered
}

/** The window was reduced for another reason: the next new text says so as well (rfc: 3168 §6.1.2), and marks of before it are no news. */
export const afterLoss = (self: Connection): Ecn =>
  self.agreed.ecn === "off" || self.ecn.reduced ? self.ecn : { ...self.ecn, reduced: true }

/** Whether an ACK has told of congestion, as {@link acknowledged} found: the window does not grow by it (rfc: 3168 §6.1.2 SHOULD NOT). */
export const hasTold = (before: Connection, after: Connection, segment: Segment.Segment): boolean => {
  if (before.ecn.mute) return false
  switch (before.agreed.ecn) {
    case "off":
      return false
    case "classic":
      return Segment.has(segment, Tcp.ECE)
    case "accurate":
      return after.ecn.told !== before.ecn.told
  }
}

/** Text of a full segment, less the option if each of them has one. */
const fullSegment = (self: Connection): number => self.snd.mss - (isOptionAlways(self) ? AccurateEcn.optionLength : 0)

/** An ACK whose counts may be older than those that are known; that the peer sends options, and that its bits come through, it tells all the same. */
const unordered = (self: Connection, segment: Segment.Segment): Connection => {
  const { ecn } = self
  const bytes = AccurateEcn.noticed(ecn.bytes, segment.options.accurateEcn)
  return ecn.untested || bytes !== ecn.bytes ? { ...self, ecn: { ...ecn, untested: false, bytes } } : self
}

/** An accurate count; the ACK delivers `delivered` bytes. */
const counted = (ctx: Context, self: Connection, segment: Segment.Segment, delivered: number): Connection => {
  const { ecn } = self
  const ace = EcnHandshake.aceOf(segment.flags)
  // RFC 9768 §3.2.2.4: counts begin with five, so somebody on the way has cleared the bits.
  if (ecn.untested && ace === 0) return { ...self, ecn: { ...ecn, untested: false, mute: true } }
  // Nobody knows the order of ACKs that acknowledge nothing, unless their timestamps tell.
  if (delivered === 0 && !ecn.isLater) return unordered(self, segment)
  const sentBytes = self.snd.acked + Connections.inFlight(self)
  const [bytes, isSure] = AccurateEcn.acknowledged(ecn.bytes, segment.options.accurateEcn, delivered, sentBytes)
  const mss = fullSegment(self)
  const packets = Math.ceil(delivered / mss)
  const noted = { ...ecn, untested: false, bytes: AccurateEcn.averaged(bytes, packets) }
  const marks = AccurateEcn.marks(noted.bytes, {
    least: (ace - ecn.told) & 7,
    packets,
    bytes: delivered,
    markedBytes: isSure ? bytes.told.ce - ecn.bytes.told.ce : undefined,
    mss
  })
  return marks === 0 ? { ...self, ecn: noted } : reduced(ctx, self, { ...noted, told: ecn.told + marks })
}

/** Bytes that an ACK says have arrived; SND.UNA has been moved up to it already. */
const deliveredBy = (self: Connection, segment: Segment.Segment): number => {
  const { board, snd } = self
  const { sackBlocks } = segment.options
  if (board.tree === undefined && sackBlocks.length === 0) return Math.max(0, Sequence.distance(board.una, snd.una))
  return Scoreboard.update(board, snd.una, self.agreed.sack ? sackBlocks : []).delivered
}

/** What was sent after the last reduction is arriving: its number is forgotten, or marks would seem to be of before once numbers have gone half way round. */
const settled = (self: Connection): Connection =>
  self.ecn.recover !== undefined && Sequence.after(self.snd.una, self.ecn.recover)
    ? { ...self, ecn: { ...self.ecn, recover: undefined } }
    : self

/**
 * An ACK may tell of marks, but not the last one of a handshake, which tells something else ({@link completed}). Where nothing is on its way any more (`isOver`)
 * a classic one has nothing to tell.
 */
export const acknowledged = (
  ctx: Context,
  connection: Connection,
  segment: Segment.Segment,
  isOver: boolean
): Connection => {
  const self = settled(connection)
  if (self.ecn.mute) return self
  switch (self.agreed.ecn) {
    case "off":
      return self
    case "classic":
      return Segment.has(segment, Tcp.ECE) && !isOver ? reduced(ctx, self, self.ecn) : self
    case "accurate":
      return self.rcv.segments > 1 ? counted(ctx, self, segment, deliveredBy(self, segment)) : self
  }
}

/**
 * The last ACK of a handshake, whose SYN/ACK was sent `retransmissions` times again. With accurate marks it says how our SYN/ACK came, if it has no text
 * (RFC 9768 §3.2.2.1): a mark counts. Nothing was capable of marks, so what says otherwise, or nothing at all, was rewritten (§3.2.2.3, §3.2.2.4).
 */
export const completed = (self: Ecn, use: EcnHandshake.Use, segment: Segment.Segment, retransmissions: number): Ecn => {
  if (use !== "accurate") return self
  const isSilent = EcnHandshake.ofSynAck(use, 0, retransmissions) === 0
  const ace = EcnHandshake.aceOf(segment.flags)
  const isReport = Segment.textLength(segment) === 0
  const isRewritten = ace === 0 ||
    (isReport && EcnHandshake.encodings.includes(ace) && ace !== EcnHandshake.encodings[0])
  const { bytes } = self
  return {
    ...self,
    told: isReport && ace === EcnHandshake.encodings[congested] ? 6 : self.told,
    mute: self.mute || isSilent || isRewritten,
    // What the client's option says is answered with at least one (RFC 9768 §3.2.3.2.1).
    bytes: { ...AccurateEcn.introduced(bytes, segment.options.accurateEcn), demand: Math.max(1, bytes.demand) }
  }
}

/** What every segment says of marks that came; only a pure ACK says how the SYN/ACK came (RFC 9768 §3.2.2.1). */
export const flags = (self: Connection, length: number): number => {
  const { ecn } = self
  if (self.agreed.ecn !== "accurate") return ecn.echoes ? Tcp.ECE : 0
  return EcnHandshake.flagsOf(ecn.handshake >= 0 && length === 0 ? ecn.handshake : ecn.received)
}

/** Whether every segment has an option. */
const isOptionAlways = ({ agreed, config, ecn }: Connection): boolean =>
  agreed.ecn === "accurate" && config.ecnOption === "always" && ecn.bytes.seen !== "nothing" && !ecn.bytes.isRefused

/** Whether the next segment has an option. */
export const hasOption = (ctx: Context, self: Connection): boolean =>
  self.agreed.ecn === "accurate" && AccurateEcn.isDue(self.ecn.bytes, self.config, ctx.at, self.rtt.srtt)

/** The options of a segment, with ours where it is due. */
export const withOption = (ctx: Context, self: Connection, options: TcpOptions.Options): TcpOptions.Options =>
  hasOption(ctx, self) ? AccurateEcn.added(self.ecn.bytes, options) : options

/** The options of a SYN/ACK: with ours the first time only, since some boxes swallow what they do not know (RFC 9768 §3.2.3.2.2). */
export const ofSynAckOptions = (
  use: EcnHandshake.Use,
  config: Config,
  isFirst: boolean,
  options: TcpOptions.Options
): TcpOptions.Options => use === "accurate" && isFirst ? AccurateEcn.offered(options, config) : options

/** A segment has left with the given options, and has told what there was to tell. */
export const toldBy = (ctx: Context, self: Connection, options: TcpOptions.Options): Ecn => {
  const { ecn } = self
  if (self.agreed.ecn !== "accurate") return ecn
  const bytes = AccurateEcn.sent(ecn.bytes, options, ctx.at, self.ack.duplicate?.left)
  return ecn.handshake < 0 && ecn.untold === 0 && bytes === ecn.bytes
    ? ecn
    : { ...ecn, handshake: -1, untold: 0, bytes }
}

/** Whether a segment may be marked: new text (rfc: 3168 §6.1.4 MUST, §6.1.5 MUST NOT, §6.1.6 MUST NOT), or whatever an accurate connection sends. */
const isCapable = ({ agreed, config, ecn }: Connection, isFresh: boolean): boolean =>
  agreed.ecn !== "off" && !ecn.mute && (isFresh || (agreed.ecn === "accurate" && config.ecnPackets === "all"))

/** The traffic class of a segment. */
export const trafficClass = (self: Connection, isFresh: boolean): number =>
  (self.config.trafficClass & ~mask) | (isCapable(self, isFresh) ? capable : 0)

/** CWR for the first new text after a reduction (rfc: 3168 §6.1.2). */
export const freshFlags = (self: Connection): number => self.ecn.reduced && self.agreed.ecn === "classic" ? Tcp.CWR : 0

/** New text is about to be noted as sent: it has told of the reduction. */
export const told = (self: Connection): Connection =>
  self.ecn.reduced ? { ...self, ecn: { ...self.ecn, reduced: false, recover: self.snd.nxt } } : self

/** Whether the CWR bit of a super-segment is a part of a count, which each of its packets tells, and not a message of the first alone. */
export const isCount = (self: Connection): boolean => self.agreed.ecn === "accurate"
