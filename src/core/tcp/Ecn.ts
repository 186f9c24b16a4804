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
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import * as AckPolicy from "./AckPolicy.ts"
import type { Config } from "./Config.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Loss from "./Loss.ts"
import * as Rtt from "./Rtt.ts"
import * as Segment from "./Segment.ts"
import * as Deadlines from "./Timer.ts"

/** What both sides have agreed on. */
export type Use = "off" | "classic" | "accurate"

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
  untested: true
})

/** The ECN bits of the traffic class. */
const mask = 3
const capable = 2
const congested = 3

const all = Tcp.AE | Tcp.CWR | Tcp.ECE

/** The three bits as a number: AE, CWR, ECE. */
const aceOf = (flags: number): number => (flags & all) >>> 6

const flagsOf = (ace: number): number => (ace & 7) << 6

/** How a SYN came, as the three bits say it (RFC 9768 §3.1.1, table 2): not capable, ECT(1), ECT(0), CE. */
const encodings: ReadonlyArray<number> = Object.freeze([0b010, 0b011, 0b100, 0b110])

export const marksOf = (segment: Segment.Segment): number => segment.packet.trafficClass & mask

/**
 * The flags of our SYN (rfc: 3168 §6.1.1), sent `retransmissions` times again: those of the use that we ask for. A path that swallows them gets a plain SYN in
 * the end: the first that goes again (rfc: 3168 §6.1.1.1 MAY), or the second if it asks for accurate marks (RFC 9768 §3.1.4.1).
 */
export const ofSyn = (config: Config, retransmissions: number): number => {
  switch (config.ecn) {
    case "off":
    case "passive":
      return 0
    case "active":
      return retransmissions < 1 ? Tcp.ECE | Tcp.CWR : 0
    case "accurate":
      return retransmissions < 2 ? all : 0
  }
}

/**
 * What a peer's SYN asks for, and we agree to: who asks for accurate marks can do with classic ones, and what is asked for in a way that nobody knows yet
 * is accurate marks too (RFC 9768 §3.1.3, forward compatibility).
 */
const wantedBy = (config: Config, ace: number): Use => {
  if (config.ecn === "off" || ace === 0b000) return "off"
  if (config.ecn === "accurate") return ace === 0b011 ? "classic" : "accurate"
  return (ace & 0b011) === 0b011 ? "classic" : "off"
}

/** What the peer's SYN/ACK agrees to, of what our first SYN asked for; who reflects all flags knows nothing of marks (rfc: 3168 §6.1.1.2). */
const answeredBy = (config: Config, ace: number): Use => {
  if (ofSyn(config, 0) === 0 || ace === 0b000 || ace === 0b111) return "off"
  if ((ace & 0b011) === 0b001) return "classic"
  return config.ecn === "accurate" ? "accurate" : "off"
}

/** What a SYN or SYN/ACK of the peer's leads to. */
export const useOf = (config: Config, segment: Segment.Segment): Use => {
  const ace = aceOf(segment.flags)
  return Segment.has(segment, Tcp.ACK) ? answeredBy(config, ace) : wantedBy(config, ace)
}

/**
 * The flags of our SYN/ACK, sent `retransmissions` times again; `marks` are those that the SYN came with. An accurate one that is not answered twice goes
 * without (RFC 9768 §3.1.4.2).
 */
export const ofSynAck = (use: Use, marks: number, retransmissions: number): number => {
  if (use === "off") return 0
  if (use === "classic") return Tcp.ECE
  return retransmissions < 2 ? flagsOf(encodings[marks & mask]!) : 0
}

/** A SYN that comes again without asking takes back what the first has asked for (rfc: 3168 §6.1.1 SHOULD NOT, §6.1.1.1). */
export const isWithdrawnBy = (use: Use, segment: Segment.Segment): boolean =>
  use !== "off" && (aceOf(segment.flags) & 0b011) === 0b000

/**
 * A SYN/ACK has come for our SYN, which was sent `retransmissions` times again: with accurate marks the next segment says how. Our SYN was not capable of
 * marks; if it came so, its bits were rewritten (RFC 9768 §3.2.2.3). Who has sent a SYN without asking sends nothing that could be marked (rfc: 3168 §6.1.1 MUST NOT).
 */
export const introduced = (
  config: Config,
  self: Ecn,
  use: Use,
  segment: Segment.Segment,
  retransmissions: number
): Ecn => {
  if (use === "off" || !Segment.has(segment, Tcp.ACK)) return self
  const isRewritten = use === "accurate" && aceOf(segment.flags) !== encodings[0]
  const mute = isRewritten || ofSyn(config, retransmissions) === 0
  if (use === "classic") return mute ? { ...self, mute } : self
  const marks = marksOf(segment)
  return { ...self, handshake: encodings[marks]!, received: marks === congested ? 6 : 5, mute }
}

/** A segment came: a mark is echoed from now on, or counted. */
export const received = (self: Connection, segment: Segment.Segment): Connection => {
  const { ecn } = self
  const isMarked = marksOf(segment) === congested
  switch (self.agreed.ecn) {
    case "off":
      return self
    case "classic": {
      // rfc: 3168 §6.1.3: of segments with text; a CWR ends the echo.
      if (Segment.textLength(segment) === 0) return self
      const echoes = isMarked || (ecn.echoes && !Segment.has(segment, Tcp.CWR))
      return echoes === ecn.echoes ? self : { ...self, ecn: { ...ecn, echoes } }
    }
    case "accurate": {
      if (!isMarked) return self
      const counted = { ...ecn, received: ecn.received + 1, untold: ecn.untold + 1 }
      // RFC 9768 §3.2.2.5.1: so that the three bits never go round unseen, every second mark is told at once; of ACKs every third, or they would never end.
      const ack = counted.untold >= (Segment.textLength(segment) > 0 ? 2 : 3) ? AckPolicy.now(self.ack) : self.ack
      return { ...self, ecn: counted, ack }
    }
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
  const mark = { now: ctx.at, flightSize: Loss.flightSize(self.board, Connections.duplicateBytes(self)) }
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

/** Marks that an ACK tells of for the first time, modulo 8. */
const newMarks = (self: Connection, segment: Segment.Segment): number => {
  // An ACK from before says how many there were then.
  if (segment.ack !== self.snd.una) return 0
  return (aceOf(segment.flags) - self.ecn.told) & 7
}

/** Whether an ACK tells of congestion: the window does not grow by it (rfc: 3168 §6.1.2 SHOULD NOT). */
export const tells = (self: Connection, segment: Segment.Segment): boolean => {
  if (self.ecn.mute) return false
  switch (self.agreed.ecn) {
    case "off":
      return false
    case "classic":
      return Segment.has(segment, Tcp.ECE)
    case "accurate":
      return newMarks(self, segment) > 0
  }
}

/** An accurate count; `isNew`: the ACK has moved SND.UNA, which is done already. */
const counted = (ctx: Context, self: Connection, segment: Segment.Segment, isNew: boolean): Connection => {
  const { ecn } = self
  // RFC 9768 §3.2.2.4: counts begin with five, so somebody on the way has cleared the bits.
  if (ecn.untested && aceOf(segment.flags) === 0) return { ...self, ecn: { ...ecn, untested: false, mute: true } }
  const marks = newMarks(self, segment)
  // Nobody knows the order of ACKs of the same number: a count that seems to have gone half way round has gone back.
  if (marks === 0 || (!isNew && marks > 3)) return ecn.untested ? { ...self, ecn: { ...ecn, untested: false } } : self
  return reduced(ctx, self, { ...ecn, told: ecn.told + marks, untested: false })
}

/** An ACK may tell of marks. */
export const acknowledged = (
  ctx: Context,
  self: Connection,
  segment: Segment.Segment,
  isNew: boolean
): Connection => {
  if (self.ecn.mute) return self
  switch (self.agreed.ecn) {
    case "off":
      return self
    case "classic":
      return Segment.has(segment, Tcp.ECE) ? reduced(ctx, self, self.ecn) : self
    case "accurate":
      return counted(ctx, self, segment, isNew)
  }
}

/**
 * The last ACK of a handshake, whose SYN/ACK was sent `retransmissions` times again. With accurate marks it says how our SYN/ACK came, if it has no text
 * (RFC 9768 §3.2.2.1): a mark counts. Nothing was capable of marks, so what says otherwise, or nothing at all, was rewritten (§3.2.2.3, §3.2.2.4).
 */
export const completed = (self: Ecn, use: Use, segment: Segment.Segment, retransmissions: number): Ecn => {
  if (use !== "accurate") return self
  const isSilent = ofSynAck(use, 0, retransmissions) === 0
  const ace = aceOf(segment.flags)
  const isReport = Segment.textLength(segment) === 0
  const isRewritten = ace === 0 || (isReport && encodings.includes(ace) && ace !== encodings[0])
  return {
    ...self,
    told: isReport && ace === encodings[congested] ? 6 : self.told,
    mute: isSilent || isRewritten
  }
}

/** What every segment says of marks that came; only a pure ACK says how the SYN/ACK came (RFC 9768 §3.2.2.1). */
export const flags = (self: Connection, length: number): number => {
  const { ecn } = self
  if (self.agreed.ecn !== "accurate") return ecn.echoes ? Tcp.ECE : 0
  return flagsOf(ecn.handshake >= 0 && length === 0 ? ecn.handshake : ecn.received)
}

/** A segment has left, and has told it. */
export const toldBy = (self: Ecn): Ecn =>
  self.handshake < 0 && self.untold === 0 ? self : { ...self, handshake: -1, untold: 0 }

/** The traffic class of a segment: only new text is sent as capable of marks (rfc: 3168 §6.1.4 MUST, §6.1.5 MUST NOT, §6.1.6 MUST NOT). */
export const trafficClass = (self: Connection, isFresh: boolean): number =>
  (self.config.trafficClass & ~mask) | (isFresh && self.agreed.ecn !== "off" && !self.ecn.mute ? capable : 0)

/** CWR for the first new text after a reduction (rfc: 3168 §6.1.2). */
export const freshFlags = (self: Connection): number => self.ecn.reduced && self.agreed.ecn === "classic" ? Tcp.CWR : 0

/** New text is about to be noted as sent: it has told of the reduction. */
export const told = (self: Connection): Connection =>
  self.ecn.reduced ? { ...self, ecn: { ...self.ecn, reduced: false, recover: self.snd.nxt } } : self

/** Whether the CWR bit of a super-segment is a part of a count, which each of its packets tells, and not a message of the first alone. */
export const isCount = (self: Connection): boolean => self.agreed.ecn === "accurate"
