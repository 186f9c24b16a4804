/**
 * What is believed of one neighbour: its link-layer address, and whether it still answers (RFC 4861 §7.3, Appendix C; RFC 7048; the
 * same machine serves ARP, as RFC 1122 §2.3.2.1 asks for no more).
 *
 *                 send                 no answer to 3
 *        (none) ────────▶ Incomplete ────────────────▶ Failed ──send──▶ Incomplete
 *                            │ answered
 *              ┌─────────────┴── Reachable ◀───────── any answer to us, or progress above ─────────┐
 *              │                   │ 15…45 s                                                       │
 *     heard ─▶ └──────▶ Stale ◀────┘                                                               │
 *                         │ send           5 s                  no answer to 3                     │
 *                         └──────▶ Delay ───────▶ Probe ─────────────────────────▶ Unreachable ────┘
 *                                          asks the address itself                 asks everybody, ever more rarely
 *
 * A leaf machine: it gets an input and the time, and answers what it became and what is to be done. The caller keeps the packets.
 */
import type { Mac } from "../../wire/Mac.ts"
import * as Time from "../Time.ts"

export type NeighborState =
  | { readonly _tag: "Incomplete"; readonly sent: number }
  | { readonly _tag: "Reachable"; readonly mac: Mac }
  | { readonly _tag: "Stale"; readonly mac: Mac }
  | { readonly _tag: "Delay"; readonly mac: Mac }
  | { readonly _tag: "Probe"; readonly mac: Mac; readonly sent: number }
  /** `isUsed`: a packet went to it since the last solicitation (RFC 7048 §3: without, nothing more is asked). */
  | { readonly _tag: "Unreachable"; readonly mac: Mac; readonly sent: number; readonly isUsed: boolean }
  | { readonly _tag: "Failed" }
  | { readonly _tag: "Static"; readonly mac: Mac }

export interface Neighbor {
  readonly state: NeighborState
  /** When the state has something to do by itself; `never` if it waits for an input. */
  readonly deadline: Time.Instant
  /** It said that it forwards packets (RFC 4861 §7.3.3); never true of an ARP neighbour. */
  readonly isRouter: boolean
  /** It did not answer when it was last asked for, and nothing was heard of it since. */
  readonly hasFailed: boolean
}

export type Input =
  /** A packet is to be sent to it. */
  | { readonly _tag: "Send" }
  /** It told its address without being asked: it asked for ours, or solicited us (RFC 4861 §7.2.3). */
  | { readonly _tag: "Heard"; readonly mac: Mac; readonly isRouter?: boolean }
  /** It advertised itself (RFC 4861 §7.2.5). `mac` may be missing in an answer to a unicast question. */
  | {
    readonly _tag: "Advertised"
    readonly mac: Mac | undefined
    readonly solicited: boolean
    readonly override: boolean
    readonly isRouter: boolean | undefined
  }
  /** A transport saw that the neighbour forwards or answers (RFC 4861 §7.3.1). */
  | { readonly _tag: "Confirmed" }
  /** A transport hears nothing through the neighbour for long (RFC 1122 §3.3.1.4, negative advice). */
  | { readonly _tag: "Doubted" }
  | { readonly _tag: "Alarm" }
  /** A program fixed its address. */
  | { readonly _tag: "Fixed"; readonly mac: Mac }

export type Action =
  /** Ask for its address: everybody, or the one address that is believed to be its own. */
  | { readonly _tag: "Solicit"; readonly to: Mac | "everybody" }
  /** Its address is known now: send what waits. */
  | { readonly _tag: "Release" }
  /** It does not answer: what waits can't be sent. */
  | { readonly _tag: "GiveUp" }

export type Outcome = readonly [Neighbor, ReadonlyArray<Action>]

/** Constants of RFC 4861 §10 and RFC 7048 §4; an interface's routers may tell other times (RFC 4861 §6.3.2). */
export interface Timing {
  /** RETRANS_TIMER */
  readonly retransmit: Time.Span
  /** How long an answer is good for: REACHABLE_TIME times a random factor of 0.5 to 1.5, drawn by the caller. */
  readonly reachable: Time.Span
}

export const baseReachableTime = Time.seconds(30)
export const retransmitTime = Time.seconds(1)
const delayFirstProbe = Time.seconds(5)
const maxMulticastSolicit = 3
const maxUnicastSolicit = 3
/** RFC 7048 §4 */
const backoffMultiple = 3
const maxRetransmitTime = Time.seconds(60)

const nothing: ReadonlyArray<Action> = Object.freeze([])
const release: ReadonlyArray<Action> = Object.freeze([Object.freeze({ _tag: "Release" })])
const giveUp: ReadonlyArray<Action> = Object.freeze([Object.freeze({ _tag: "GiveUp" })])
const askEverybody: ReadonlyArray<Action> = Object.freeze([Object.freeze({ _tag: "Solicit", to: "everybody" })])

/** A neighbour of which nothing is known; the first input decides. */
export const unknown: Neighbor = Object.freeze({
  state: Object.freeze({ _tag: "Failed" }),
  deadline: Time.never,
  isRouter: false,
  hasFailed: false
})

/** Where to send packets now; `undefined` while the address is not known. */
export const macOf = (self: Neighbor): Mac | undefined =>
  self.state._tag === "Incomplete" || self.state._tag === "Failed" ? undefined : self.state.mac

/** Whether packets had better go another way, if there is one (RFC 4861 §6.3.6, RFC 1122 §3.3.1.4). */
export const isDoubtful = (self: Neighbor): boolean => self.hasFailed || self.state._tag === "Unreachable"

const to = (self: Neighbor, state: NeighborState, deadline: Time.Instant): Neighbor => ({
  state,
  deadline,
  isRouter: self.isRouter,
  hasFailed: self.hasFailed && (state._tag === "Incomplete" || state._tag === "Failed")
})

const unchanged = (self: Neighbor): Outcome => [self, nothing]

export const step = (self: Neighbor, input: Input, at: Time.Instant, timing: Timing): Outcome => {
  if (self.state._tag === "Static" && input._tag !== "Fixed") return unchanged(self)
  switch (input._tag) {
    case "Send":
      return onSend(self, at, timing)
    case "Heard":
      return onHeard(self, input)
    case "Advertised":
      return onAdvertised(self, input, at, timing)
    case "Confirmed":
      return onConfirmed(self, at, timing)
    case "Doubted":
      return onDoubted(self, at, timing)
    case "Alarm":
      return self.deadline <= at ? onAlarm(self, at, timing) : unchanged(self)
    case "Fixed":
      return [to(self, { _tag: "Static", mac: input.mac }, Time.never), release]
  }
}

/** Whether a packet that is sent may change what is believed; of most neighbours it does not, and most packets need no more of this machine. */
export const heedsPackets = ({ state: { _tag } }: Neighbor): boolean =>
  _tag === "Failed" || _tag === "Stale" || _tag === "Unreachable"

const onSend = (self: Neighbor, at: Time.Instant, timing: Timing): Outcome => {
  switch (self.state._tag) {
    case "Failed":
      // rfc: 4861 §7.2.2
      return [to(self, { _tag: "Incomplete", sent: 1 }, Time.plus(at, timing.retransmit)), askEverybody]
    case "Stale":
      // rfc: 4861 §7.3.3: the first packet to a stale neighbour starts the doubt; upper layers get time to dispel it.
      return [to(self, { _tag: "Delay", mac: self.state.mac }, Time.plus(at, delayFirstProbe)), nothing]
    case "Unreachable":
      return onSendUnreachable(self, self.state, at, timing)
    case "Incomplete":
    case "Reachable":
    case "Delay":
    case "Probe":
    case "Static":
      return unchanged(self)
  }
}

const onSendUnreachable = (
  self: Neighbor,
  state: Extract<NeighborState, { _tag: "Unreachable" }>,
  at: Time.Instant,
  timing: Timing
): Outcome => {
  if (state.isUsed) return unchanged(self)
  const used: NeighborState = { ...state, isUsed: true }
  if (self.deadline !== Time.never) return [to(self, used, self.deadline), nothing]
  // The questions had stopped since nobody used the entry (RFC 7048 §3); they go on where they were.
  return [to(self, { ...used, sent: state.sent + 1 }, Time.plus(at, backoff(state.sent, timing))), askEverybody]
}

/** RFC 7048 §4: the time between questions grows threefold, up to a minute. */
const backoff = (sent: number, timing: Timing): Time.Span =>
  Time.min(
    maxRetransmitTime,
    Time.scale(timing.retransmit, backoffMultiple ** Math.min(sent - maxUnicastSolicit + 1, 8))
  )

const onHeard = (before: Neighbor, { isRouter, mac }: Extract<Input, { _tag: "Heard" }>): Outcome => {
  const known = macOf(before)
  const self = isRouter === undefined || isRouter === before.isRouter ? before : { ...before, isRouter }
  // rfc: 4861 §7.2.3: only another address makes the entry stale; the same one tells nothing about the way to it.
  if (known === mac) return unchanged(self)
  return [to(self, { _tag: "Stale", mac }, Time.never), known === undefined ? release : nothing]
}

const reachable = (self: Neighbor, mac: Mac, at: Time.Instant, timing: Timing): Neighbor =>
  to(self, { _tag: "Reachable", mac }, Time.plus(at, timing.reachable))

const onAdvertised = (
  before: Neighbor,
  input: Extract<Input, { _tag: "Advertised" }>,
  at: Time.Instant,
  timing: Timing
): Outcome => {
  const self = input.isRouter === undefined || input.isRouter === before.isRouter
    ? before
    : { ...before, isRouter: input.isRouter }
  // rfc: 4861 §7.2.5: an advertisement does not create an entry.
  if (self.state._tag === "Failed") return unchanged(before)
  if (self.state._tag === "Incomplete") {
    if (input.mac === undefined) return unchanged(self)
    const known = input.solicited
      ? reachable(self, input.mac, at, timing)
      : to(self, { _tag: "Stale", mac: input.mac }, Time.never)
    return [known, release]
  }
  const isOther = input.mac !== undefined && input.mac !== self.state.mac
  if (isOther && !input.override) {
    // It contradicts what was believed but may not replace it: doubt it, unless it is doubted already.
    if (self.state._tag !== "Reachable") return unchanged(self)
    return [to(self, { _tag: "Stale", mac: self.state.mac }, Time.never), nothing]
  }
  if (input.solicited) return [reachable(self, input.mac ?? self.state.mac, at, timing), nothing]
  if (isOther) return [to(self, { _tag: "Stale", mac: input.mac! }, Time.never), nothing]
  return unchanged(self)
}

const onConfirmed = (self: Neighbor, at: Time.Instant, timing: Timing): Outcome => {
  switch (self.state._tag) {
    case "Reachable":
    case "Stale":
    case "Delay":
    case "Probe":
    case "Unreachable":
      // rfc: 4861 §7.3.1
      return [reachable(self, self.state.mac, at, timing), nothing]
    case "Incomplete":
    case "Failed":
    case "Static":
      return unchanged(self)
  }
}

/** The neighbour is asked soon, and not at once: whoever doubts and is contradicted by turns would ask more than once a second. */
const onDoubted = (self: Neighbor, at: Time.Instant, timing: Timing): Outcome => {
  switch (self.state._tag) {
    case "Reachable":
    case "Stale":
      return [to(self, { _tag: "Delay", mac: self.state.mac }, Time.plus(at, timing.retransmit)), nothing]
    case "Delay":
    case "Incomplete":
    case "Probe":
    case "Unreachable":
    case "Failed":
    case "Static":
      return unchanged(self)
  }
}

const onAlarm = (self: Neighbor, at: Time.Instant, timing: Timing): Outcome => {
  const { state } = self
  switch (state._tag) {
    case "Incomplete":
      if (state.sent >= maxMulticastSolicit) {
        return [{ ...to(self, { _tag: "Failed" }, Time.never), hasFailed: true }, giveUp]
      }
      return [
        to(self, { _tag: "Incomplete", sent: state.sent + 1 }, Time.plus(at, timing.retransmit)),
        askEverybody
      ]
    case "Reachable":
      return [to(self, { _tag: "Stale", mac: state.mac }, Time.never), nothing]
    case "Delay":
      return [
        to(self, { _tag: "Probe", mac: state.mac, sent: 1 }, Time.plus(at, timing.retransmit)),
        [{ _tag: "Solicit", to: state.mac }]
      ]
    case "Probe":
      if (state.sent >= maxUnicastSolicit) {
        // rfc: 7048 §3: the entry is kept and used, but everybody is asked from now on, in case its address changed.
        const doubted: NeighborState = { _tag: "Unreachable", mac: state.mac, sent: state.sent + 1, isUsed: false }
        return [to(self, doubted, Time.plus(at, backoff(state.sent, timing))), askEverybody]
      }
      return [
        to(self, { ...state, sent: state.sent + 1 }, Time.plus(at, timing.retransmit)),
        [{ _tag: "Solicit", to: state.mac }]
      ]
    case "Unreachable":
      if (!state.isUsed) return [to(self, state, Time.never), nothing]
      return [
        to(self, { ...state, sent: state.sent + 1, isUsed: false }, Time.plus(at, backoff(state.sent, timing))),
        askEverybody
      ]
    case "Stale":
    case "Failed":
    case "Static":
      return [to(self, state, Time.never), nothing]
  }
}
