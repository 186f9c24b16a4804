/**
 * What accurate ECN counts beside the three bits of the header (RFC 9768 §3.2.3, from knowledge: its text is not among our sources): the bytes of text that
 * came with each codepoint, and the option that tells them.
 *
 *     +------+--------+-------------+-------------+-------------+
 *     | 172  | length |  ECT(0) + 1 |     CE      |  ECT(1) + 1 |   24 bits each; a short option leaves out the last ones,
 *     | 174  | length |  ECT(1) + 1 |     CE      |  ECT(0) + 1 |   an empty one all of them
 *     +------+--------+-------------+-------------+-------------+
 *
 * The first and the last begin with one, so that an option that somebody has filled with zeros is known for what it is. The bits of the header go round after
 * eight marks; the bytes tell how often they have, where an ACK covers more packets than that.
 */
import type * as Option from "../../wire/AccurateEcnOption.ts"
import type * as Sequence from "../../wire/Sequence.ts"
import * as TcpOptions from "../../wire/TcpOptions.ts"
import * as Time from "../Time.ts"
import type { Config } from "./Config.ts"

/** The ECN bits of the traffic class. */
export const Mark = { none: 0, ect1: 1, ect0: 2, ce: 3 } as const

/** Bytes of text by the mark that they came with. */
export interface Bytes {
  readonly ect0: number
  readonly ect1: number
  readonly ce: number
}

/** What has been seen of the peer's options: none yet, an empty one, counters; or zeros where none can be, and then they are not believed. */
export type Seen = "nothing" | "empty" | "counters" | "zeroed"

export interface AccurateEcn {
  /** Receiver: r.e0b, r.e1b and r.ceb without what they begin with. */
  readonly received: Bytes
  /** Sender: s.e0b, s.e1b and s.ceb, the same of what the peer has told. */
  readonly told: Bytes
  readonly seen: Seen
  /** Segments that are still to carry an option though nothing has changed meanwhile. */
  readonly demand: number
  /** How many counters the next option must have: up to the last that has changed since the one before. */
  readonly required: number
  /** When an option was sent last. */
  readonly sentAt: Time.Instant
  /** The mark of the segment that came last. */
  readonly mark: number
  /** The counter that what we send goes to, as far as the peer's options let know; 0 for unknown. */
  readonly expected: number
  /** Packets that an ACK covers, averaged: many mean that ACKs are thinned out on the way. */
  readonly packetsPerAck: number
  /** Where the duplicate begins that an option went out beside; the same again means that the ACK with it got lost. */
  readonly beside: Sequence.Sequence | undefined
  /** Options are sent no more: segments with one seem not to arrive. */
  readonly isRefused: boolean
}

const nothing: Bytes = Object.freeze({ ect0: 0, ect1: 0, ce: 0 })

export const initial: AccurateEcn = Object.freeze({
  received: nothing,
  told: nothing,
  seen: "nothing",
  demand: 0,
  required: 0,
  sentAt: Time.instantOf(0),
  mark: Mark.none,
  expected: 0,
  packetsPerAck: 0,
  beside: undefined,
  isRefused: false
})

const low24 = 0xff_ffff

/** RFC 9768 §3.2.1: what the counters begin with. */
const first: Bytes = { ect0: 1, ect1: 1, ce: 0 }

/** Where a mark's counter stands in the options that we send, counted from 1. */
const placeOf = (mark: number): number => mark === Mark.ect1 ? 1 : mark === Mark.ce ? 2 : mark === Mark.ect0 ? 3 : 0

const nameOf = (mark: number): keyof Bytes => mark === Mark.ect0 ? "ect0" : mark === Mark.ect1 ? "ect1" : "ce"

/** An option goes out at least as often as one of the counters has grown by so much: four times before it goes round. */
const stepBits = 22

/** Text of `length` bytes came with a mark. A change, and congestion, are told twice (RFC 9768 §3.2.3.3). */
export const received = (self: AccurateEcn, mark: number, length: number): AccurateEcn => {
  const isNews = mark !== self.mark || mark === Mark.ce
  const demand = isNews ? 2 : self.demand
  if (mark === Mark.none || length === 0) return isNews ? { ...self, mark, demand } : self
  const name = nameOf(mark)
  const before = self.received[name]
  const isStep = Math.floor(before / 2 ** stepBits) !== Math.floor((before + length) / 2 ** stepBits)
  return {
    ...self,
    received: { ...self.received, [name]: before + length },
    mark,
    demand: isStep ? Math.max(demand, 1) : demand,
    required: Math.max(self.required, placeOf(mark))
  }
}

/** A round trip sees an option at least so often (RFC 9768 §3.2.3.3); every segment has one while none was measured. */
const isBeaconDue = (self: AccurateEcn, config: Config, now: Time.Instant, srtt: Time.Span | undefined): boolean =>
  config.ecnOptionBeacons > 0 && Time.between(self.sentAt, now) * config.ecnOptionBeacons >= (srtt ?? 0)

/**
 * Whether the next segment has an option. Who has seen none of the peer's sends none: either the peer does not know them, or somebody takes them away.
 */
export const isDue = (self: AccurateEcn, config: Config, now: Time.Instant, srtt: Time.Span | undefined): boolean => {
  if (self.seen === "nothing" || self.isRefused) return false
  switch (config.ecnOption) {
    case "never":
      return false
    case "always":
      return true
    case "changes":
      return self.demand > 0 || isBeaconDue(self, config, now, srtt)
  }
}

/** An option with the first `count` counters. */
const optionOf = ({ ce, ect0, ect1 }: Bytes, count: number): Option.AccurateEcn => ({
  order: 1,
  ect1Bytes: count > 0 ? (ect1 + first.ect1) & low24 : undefined,
  ceBytes: count > 1 ? (ce + first.ce) & low24 : undefined,
  ect0Bytes: count > 2 ? (ect0 + first.ect0) & low24 : undefined
})

/** The given options with one of ours, of as many counters as there is room for. */
const withMost = (options: TcpOptions.Options, bytes: Bytes, required: number): TcpOptions.Options | undefined => {
  for (let count = 3; count >= required; count--) {
    const all = { ...options, accurateEcn: optionOf(bytes, count) }
    if (TcpOptions.fits(all)) return all
  }
  return undefined
}

/**
 * The given options of a segment with an option, if there is room for what it must tell. Losses are told first (RFC 9768 §3.2.3.3): only a third SACK block
 * gives way.
 */
export const added = (self: AccurateEcn, options: TcpOptions.Options): TcpOptions.Options => {
  const { received, required } = self
  if (options.sackBlocks.length === 0 && options.userTimeout === undefined) {
    return { ...options, accurateEcn: optionOf(received, 3) }
  }
  for (let blocks = options.sackBlocks; blocks.length > 0; blocks = blocks.slice(0, -1)) {
    const all = withMost({ ...options, sackBlocks: blocks }, received, required)
    if (all !== undefined) return all
    if (blocks.length <= 2) return options
  }
  return withMost(options, received, required) ?? options
}

/** The same for a SYN/ACK: nothing has come yet. */
export const offered = (options: TcpOptions.Options, config: Config): TcpOptions.Options =>
  config.ecnOption === "never" ? options : withMost(options, nothing, 0) ?? options

/** Octets that an option takes of each full segment. */
export const optionLength = 12

/** A segment has left with the given options. */
export const sent = (
  self: AccurateEcn,
  options: TcpOptions.Options,
  now: Time.Instant,
  duplicate: Sequence.Sequence | undefined
): AccurateEcn =>
  options.accurateEcn === undefined
    ? self
    : { ...self, required: 0, demand: Math.max(0, self.demand - 1), sentAt: now, beside: duplicate }

/**
 * Text from `start` on came that was there before. If that was told already, beside an option, the ACK with the option seems to be lost each time: no more of
 * them (RFC 9768 §3.2.3.2.2).
 */
export const repeated = (self: AccurateEcn, start: Sequence.Sequence): AccurateEcn =>
  self.beside === start && !self.isRefused ? { ...self, isRefused: true } : self

/** The first option of the peer's: zeros where it can't have them are somebody else's (RFC 9768 §3.2.3.2.4). */
const seenIn = (option: Option.AccurateEcn): Seen => {
  const [head, tail] = option.order === 0 ? [option.ect0Bytes, option.ect1Bytes] : [option.ect1Bytes, option.ect0Bytes]
  if (head === undefined) return "empty"
  return head === 0 || tail === 0 ? "zeroed" : "counters"
}

/** Takes note of an option in the peer's SYN/ACK or first segment, which is answered with two. */
export const introduced = (self: AccurateEcn, option: Option.AccurateEcn | undefined): AccurateEcn =>
  option === undefined ? self : { ...self, seen: seenIn(option), demand: 2 }

/** Takes note of the first option of the peer's, but not of what it tells. */
export const noticed = (self: AccurateEcn, option: Option.AccurateEcn | undefined): AccurateEcn =>
  option === undefined || self.seen === "counters" || self.seen === "zeroed" ? self : { ...self, seen: seenIn(option) }

/** By how much a counter of 24 bits has moved, also backwards. */
const moved = (before: number, initialValue: number, field: number): number => (field - initialValue - before) << 8 >> 8

/** Options that come so late, in bytes sent, may have gone round unseen. */
const tooLate = 2 ** 23 - 1

/** What an ACK without an option lets conclude: what was delivered had the mark that all had up to now. */
const concluded = (self: AccurateEcn, delivered: number, sentBytes: number): AccurateEcn => {
  if (self.seen === "nothing") return sentBytes >= tooLate ? { ...self, seen: "zeroed" } : self
  if (self.expected === 0 || delivered === 0) return self
  const name = nameOf(self.expected)
  return { ...self, told: { ...self.told, [name]: self.told[name] + delivered } }
}

const marksInOrder = [[Mark.ect0, Mark.ce, Mark.ect1], [Mark.ect1, Mark.ce, Mark.ect0]] as const

/** Takes the counters of an option; a counter beside the expected one that has moved is the expected one from now on, two leave it open. */
const taken = (self: AccurateEcn, option: Option.AccurateEcn): readonly [AccurateEcn, isSure: boolean] => {
  const told = { ...self.told }
  let isAmbiguous = false
  let other = 0
  for (const mark of marksInOrder[option.order]) {
    const name = nameOf(mark)
    const field = option[`${name}Bytes`]
    if (field === undefined) break
    const delta = moved(told[name], first[name], field)
    told[name] += delta
    if (delta < 0) isAmbiguous = true
    if (delta === 0 || mark === self.expected) continue
    if (other === 0) other = mark
    else isAmbiguous = true
  }
  const expected = isAmbiguous ? 0 : other || self.expected
  return [{ ...self, told, expected }, self.expected !== 0 && !isAmbiguous]
}

/**
 * An ACK came that delivers `delivered` bytes, of `sentBytes` that were ever sent. Answers whether the bytes that it tells to be marked are sure.
 */
export const acknowledged = (
  self: AccurateEcn,
  option: Option.AccurateEcn | undefined,
  delivered: number,
  sentBytes: number
): readonly [AccurateEcn, isSure: boolean] => {
  if (self.seen === "zeroed") return [self, false]
  if (option === undefined) return [concluded(self, delivered, sentBytes), self.expected !== 0]
  const known = noticed(self, option)
  return known.seen === "zeroed" ? [known, false] : taken(known, option)
}

/** Weight of the newest ACK in the average. */
const ackWeight = 1 / 64

/** An ACK covers so many packets. */
export const averaged = (self: AccurateEcn, packets: number): AccurateEcn => {
  if (packets === 0) return self
  const before = self.packetsPerAck
  const packetsPerAck = before === 0 ? packets : before + (packets - before) * ackWeight
  return packetsPerAck === before ? self : { ...self, packetsPerAck }
}

/** What an ACK covers, and what it tells. */
export interface Report {
  /** What the three bits have moved by, modulo 8. */
  readonly least: number
  readonly packets: number
  readonly bytes: number
  /** Bytes newly told to be marked; `undefined` if the options leave that open. */
  readonly markedBytes: number | undefined
  /** Text of a full segment. */
  readonly mss: number
}

/** More packets for an ACK than this, on average, mean that ACKs are thinned out: covering many is then no sign of a lost count. */
const thinned = 4

/**
 * How many marks a report stands for (RFC 9768 §3.2.2.5.2 and its appendix A.2): the three bits may have gone round where an ACK covers more than seven
 * packets. The safest count that is likely is the largest one, unless the bytes say that it can't be.
 */
export const marks = (self: AccurateEcn, report: Report): number => {
  const { bytes, least, markedBytes, mss, packets } = report
  if (packets <= 7) return least
  const most = packets - ((packets - least) & 7)
  if (markedBytes === undefined) return self.packetsPerAck > thinned ? least : most
  if (markedBytes <= 0) return least
  if (packets >= 16) {
    if (bytes <= markedBytes) return most
    return Math.min(most, least + (Math.ceil(markedBytes * packets / bytes) & ~7))
  }
  if (markedBytes > least * mss) return most
  return markedBytes < most * mss / 2 ? least : most
}
