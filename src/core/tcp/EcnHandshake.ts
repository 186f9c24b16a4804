/**
 * How two ends agree on congestion marks (RFC 3168 §6.1.1; RFC 9768 §3.1, from knowledge: its text is not among our sources): what the three bits AE, CWR
 * and ECE of the SYNs say.
 *
 *     SYN      111  accurate, or as much of it as you can     011  classic     000  nothing
 *     SYN/ACK  010 011 100 110  accurate, and your SYN came as not capable, ECT(1), ECT(0), CE     001  classic     000  nothing
 */
import * as Tcp from "../../wire/Tcp.ts"
import type { Config } from "./Config.ts"
import type { Agreed } from "./Connection.ts"
import * as Segment from "./Segment.ts"

/** What both sides have agreed on. */
export type Use = "off" | "classic" | "accurate"

/** The ECN bits of the traffic class. */
const mask = 3

const all = Tcp.AE | Tcp.CWR | Tcp.ECE

/** The three bits as a number: AE, CWR, ECE. */
export const aceOf = (flags: number): number => (flags & all) >>> 6

export const flagsOf = (ace: number): number => (ace & 7) << 6

/** How a SYN came, as the three bits say it (RFC 9768 §3.1.1, table 2): not capable, ECT(1), ECT(0), CE. */
export const encodings: ReadonlyArray<number> = Object.freeze([0b010, 0b011, 0b100, 0b110])

export const marksOf = (segment: Segment.Segment): number => segment.packet.trafficClass & mask

/**
 * The flags of our SYN (rfc: 3168 §6.1.1), sent `retransmissions` times again: those of the use that we ask for. A path that swallows them gets a plain SYN in
 * the end: the first that goes again (rfc: 3168 §6.1.1.1 MAY), or the second if it asks for accurate marks (RFC 9768 §3.1.4.1).
 */
export const ofSyn = (config: Config, retransmissions: number): number => {
  switch (config.ecn) {
    case "off":
    case "passive":
    case "accuratePassive":
      return 0
    case "active":
    case "accurateActive":
      return retransmissions < 1 ? Tcp.ECE | Tcp.CWR : 0
    case "accurate":
      return retransmissions < 2 ? all : 0
  }
}

/** Whether a SYN that asks for accurate marks gets them. */
const agreesToAccurate = ({ ecn }: Config): boolean =>
  ecn === "accurate" || ecn === "accuratePassive" || ecn === "accurateActive"

/**
 * What a peer's SYN asks for, and we agree to: who asks for accurate marks can do with classic ones, and what is asked for in a way that nobody knows yet
 * is accurate marks too (RFC 9768 §3.1.3, forward compatibility).
 */
const wantedBy = (config: Config, ace: number): Use => {
  if (config.ecn === "off" || ace === 0b000) return "off"
  if (agreesToAccurate(config)) return ace === 0b011 ? "classic" : "accurate"
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

/**
 * A SYN comes again. One that asks for nothing takes back what the first has asked for (rfc: 3168 §6.1.1 SHOULD NOT, §6.1.1.1), but for accurate marks: they
 * stay agreed on, and nothing may be marked any more. The SYN/ACK says how the newest SYN came (RFC 9768 §3.1.5).
 */
export const repeated = (self: Agreed, segment: Segment.Segment): Agreed => {
  const ace = aceOf(segment.flags)
  switch (self.ecn) {
    case "off":
      return self
    case "classic":
      return (ace & 0b011) === 0b000 ? { ...self, ecn: "off" } : self
    case "accurate":
      return { ...self, synMarks: marksOf(segment), hasPlainSyn: self.hasPlainSyn || ace === 0 }
  }
}

/**
 * What was agreed on by the ACK of a SYN cookie, which keeps whether it was classic marks: the bits of an accurate client are never 000 or 001 there
 * (RFC 9768 §5.1), those of others always.
 */
export const recalled = (config: Config, segment: Segment.Segment, isClassic: boolean): Use => {
  if (agreesToAccurate(config) && aceOf(segment.flags) > 0b001) return "accurate"
  return isClassic ? "classic" : "off"
}
