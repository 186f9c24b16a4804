/**
 * Explicit congestion notification: routers mark what they would otherwise drop, and the receiver tells the sender, classically (RFC 3168) or
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
import * as AckPolicy from "./AckPolicy.ts"
import type { Config } from "./Config.ts"
import type { Connection } from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as Segment from "./Segment.ts"

/** What both sides have agreed on. */
export type Use = "off" | "classic" | "accurate"

export interface Ecn {
  /** Receiver, classic: a mark has come and the sender has not answered it yet. */
  readonly echoes: boolean
  /** Sender, classic: the window was reduced; the next new text says so. */
  readonly reduced: boolean
  /** Sender: further marks are of the same congestion until this is acknowledged. */
  readonly recover: Sequence.Sequence
  /** r.cep and s.cep (RFC 9768 §3.2.1): marked packets received, and those that the peer has told of; both begin with 5. */
  readonly received: number
  readonly told: number
  /** Marks that no ACK has told yet. */
  readonly untold: number
  /** What the next segment says instead of a count: how the peer's SYN/ACK came; -1 for nothing. */
  readonly handshake: number
}

export const initial: Ecn = Object.freeze({
  echoes: false,
  reduced: false,
  recover: 0,
  received: 5,
  told: 5,
  untold: 0,
  handshake: -1
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
const encodings = [0b010, 0b011, 0b100, 0b110] as const

export const marksOf = (segment: Segment.Segment): number => segment.packet.trafficClass & mask

/** The flags of our SYN (rfc: 3168 §6.1.1): those of the use that we ask for. */
export const ofSyn = (config: Config): number =>
  config.ecn === "accurate" ? all : config.ecn === "active" ? Tcp.ECE | Tcp.CWR : 0

/** What a peer's SYN asks for, and we agree to: who asks for accurate marks can do with classic ones. */
const wantedBy = (config: Config, ace: number): Use => {
  if (config.ecn === "off") return "off"
  if (ace === 0b111) return config.ecn === "accurate" ? "accurate" : "classic"
  return ace === 0b011 ? "classic" : "off"
}

/** What the peer's SYN/ACK agrees to, of what our SYN asked for. */
const answeredBy = (config: Config, ace: number): Use => {
  if (ofSyn(config) === 0 || ace === 0b000 || ace === 0b111) return "off"
  if (config.ecn === "active") return ace === 0b001 ? "classic" : "off"
  return ace === 0b001 || ace === 0b101 ? "classic" : "accurate"
}

/** What a SYN or SYN/ACK of the peer's leads to. */
export const useOf = (config: Config, segment: Segment.Segment): Use => {
  const ace = aceOf(segment.flags)
  return Segment.has(segment, Tcp.ACK) ? answeredBy(config, ace) : wantedBy(config, ace)
}

/** The flags of our SYN/ACK; `marks` are those that the SYN came with. */
export const ofSynAck = (use: Use, marks: number): number =>
  use === "off" ? 0 : use === "classic" ? Tcp.ECE : flagsOf(encodings[marks & mask]!)

/** A SYN/ACK has come: with accurate marks the next segment says how. */
export const introduced = (self: Ecn, use: Use, segment: Segment.Segment): Ecn => {
  if (use !== "accurate" || !Segment.has(segment, Tcp.ACK)) return self
  const marks = marksOf(segment)
  return { ...self, handshake: encodings[marks]!, received: marks === congested ? 6 : 5 }
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
      // RFC 9768 §3.2.2.5.1: so that the three bits never go round unseen, every second mark is told at once.
      const ack = counted.untold >= 2 ? AckPolicy.now(self.ack) : self.ack
      return { ...self, ecn: counted, ack }
    }
  }
}

/** The window answers to marks as to a loss, once per round trip (rfc: 3168 §6.1.2 MUST). */
const reduced = (ctx: Context, self: Connection, ecn: Ecn): Connection => {
  const isSame = ecn.recover !== 0 && Sequence.before(self.snd.una, ecn.recover)
  if (isSame || self.recovery.phase !== "open") return { ...self, ecn }
  const { controller, state } = self.control
  const mark = { now: ctx.at, flightSize: Scoreboard.flightSize(self.board) }
  return {
    ...self,
    control: Control.moved(self.control, controller.onEcn(state, mark)),
    ecn: { ...ecn, reduced: true, recover: self.snd.nxt }
  }
}

/** An ACK may tell of marks. */
export const acknowledged = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  const { ecn } = self
  switch (self.agreed.ecn) {
    case "off":
      return self
    case "classic":
      return Segment.has(segment, Tcp.ECE) ? reduced(ctx, self, ecn) : self
    case "accurate": {
      const marks = (aceOf(segment.flags) - ecn.told) & 7
      return marks === 0 ? self : reduced(ctx, self, { ...ecn, told: ecn.told + marks })
    }
  }
}

/** The last ACK of a handshake says how our SYN/ACK came: a mark counts, and no count is taken from it (RFC 9768 §3.2.2.1). */
export const completed = (self: Ecn, use: Use, segment: Segment.Segment): Ecn =>
  use === "accurate" && aceOf(segment.flags) === encodings[congested] ? { ...self, told: 6 } : self

/** What every segment says of marks that came. */
export const flags = (self: Connection): number => {
  const { ecn } = self
  if (self.agreed.ecn !== "accurate") return ecn.echoes ? Tcp.ECE : 0
  return flagsOf(ecn.handshake >= 0 ? ecn.handshake : ecn.received)
}

/** A segment has left, and has told it. */
export const toldBy = (self: Ecn): Ecn =>
  self.handshake < 0 && self.untold === 0 ? self : { ...self, handshake: -1, untold: 0 }

/** The traffic class of a segment: only new text is sent as capable of marks (rfc: 3168 §6.1.4, §6.1.5 MUST NOT). */
export const trafficClass = (self: Connection, isFresh: boolean): number =>
  (self.config.trafficClass & ~mask) | (isFresh && self.agreed.ecn !== "off" ? capable : 0)

/** CWR for the first new text after a reduction. */
export const freshFlags = (self: Connection): number => self.ecn.reduced && self.agreed.ecn === "classic" ? Tcp.CWR : 0

/** New text has left: it has told of the reduction. */
export const told = (self: Connection): Connection =>
  self.ecn.reduced ? { ...self, ecn: { ...self.ecn, reduced: false } } : self

/** Cutting a super-segment clears CWR behind its first packet (RFC 3168), which would falsify a count. */
export const mayBeCut = (self: Connection): boolean => self.agreed.ecn !== "accurate"
