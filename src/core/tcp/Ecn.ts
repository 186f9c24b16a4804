/**
 * Explicit congestion notification (RFC 3168): routers mark what they would otherwise drop, the receiver echoes the mark until the sender has answered it.
 *
 *     sender                     router            receiver
 *       │── text, ECT(0) ──────── CE ────────────────▶ │
 *       │ ◀──────────────────────────── ACK, ECE ──────│  on every ACK, until
 *       │── text, CWR ─────────────────────────────▶   │  this arrives
 *
 *     setup:  SYN with ECE and CWR ──▶  ◀── SYN/ACK with ECE
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Context } from "../Context.ts"
import type { Config } from "./Config.ts"
import type { Connection } from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as Segment from "./Segment.ts"

export interface Ecn {
  /** Receiver: a mark has come and the sender has not answered it yet. */
  readonly echoes: boolean
  /** Sender: the window was reduced; the next new text says so. */
  readonly reduced: boolean
  /** Sender: further echoes are of the same congestion until this is acknowledged. */
  readonly recover: Sequence.Sequence
}

export const initial: Ecn = Object.freeze({ echoes: false, reduced: false, recover: 0 })

/** The ECN bits of the traffic class. */
const mask = 3
const capable = 2
const congested = 3

/** The flags of our SYN (rfc: 3168 §6.1.1): both when we ask for it. */
export const ofSyn = (config: Config): number =>
  config.ecn === "active" || config.ecn === "accurate" ? Tcp.ECE | Tcp.CWR : 0

/** Whether a peer's SYN asks for it and we agree. */
export const agreesTo = (config: Config, segment: Segment.Segment): boolean =>
  config.ecn !== "off" && (segment.flags & (Tcp.ECE | Tcp.CWR)) === (Tcp.ECE | Tcp.CWR)

/** The flags of our SYN/ACK. */
export const ofSynAck = (agreed: boolean): number => agreed ? Tcp.ECE : 0

/** Whether the peer's SYN/ACK agrees to what our SYN asked for. */
export const isAgreed = (config: Config, segment: Segment.Segment): boolean =>
  ofSyn(config) !== 0 && (segment.flags & (Tcp.ECE | Tcp.CWR)) === Tcp.ECE

/** A segment with text came: a mark is echoed from now on, a CWR ends that (rfc: 3168 §6.1.3). */
export const received = (self: Connection, segment: Segment.Segment): Connection => {
  if (!self.agreed.ecn || Segment.textLength(segment) === 0) return self
  const isMarked = (segment.packet.trafficClass & mask) === congested
  const echoes = isMarked || (self.ecn.echoes && !Segment.has(segment, Tcp.CWR))
  return echoes === self.ecn.echoes ? self : { ...self, ecn: { ...self.ecn, echoes } }
}

/** An ACK with ECE: the window answers as to a loss, once per round trip (rfc: 3168 §6.1.2 MUST). */
export const acknowledged = (ctx: Context, self: Connection, segment: Segment.Segment): Connection => {
  if (!self.agreed.ecn || !Segment.has(segment, Tcp.ECE) || self.recovery.phase !== "open") return self
  if (self.ecn.recover !== 0 && Sequence.before(self.snd.una, self.ecn.recover)) return self
  const { controller, state } = self.control
  const mark = { now: ctx.at, flightSize: Scoreboard.flightSize(self.board) }
  return {
    ...self,
    control: Control.moved(self.control, controller.onEcn(state, mark)),
    ecn: { echoes: self.ecn.echoes, reduced: true, recover: self.snd.nxt }
  }
}

/** What every segment says of marks that came. */
export const flags = (self: Connection): number => self.ecn.echoes ? Tcp.ECE : 0

/** The traffic class of a segment: only new text is sent as capable of marks (rfc: 3168 §6.1.4, §6.1.5 MUST NOT). */
export const trafficClass = (self: Connection, isFresh: boolean): number =>
  (self.config.trafficClass & ~mask) | (isFresh && self.agreed.ecn ? capable : 0)

/** CWR for the first new text after a reduction. */
export const freshFlags = (self: Connection): number => self.ecn.reduced ? Tcp.CWR : 0

/** New text has left: it has told of the reduction. */
export const told = (self: Connection): Connection =>
  self.ecn.reduced ? { ...self, ecn: { ...self.ecn, reduced: false } } : self
