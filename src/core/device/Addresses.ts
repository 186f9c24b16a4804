/**
 * Addresses of interfaces: their lifetimes (RFC 4862 §5.5.4, which leases of DHCP fit as well), and, on Ethernet, the probes before
 * an IPv4 address is used, the announcements after, and its defence (RFC 5227). IPv6 addresses are found unique elsewhere (RFC 4862 §5.4).
 *
 *     add ──▶ tentative ──3 probes unanswered──▶ preferred ──2 announcements──▶ (settled) ──▶ deprecated ──▶ removed
 *                 │ somebody has it                  │ somebody claims it: defend, or give up
 *                 └──────────────▶ duplicated ◀──────┘
 */
import * as Address from "../../wire/Address.ts"
import type { Mac } from "../../wire/Mac.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { type AddressState, find, type Interface, type InterfaceAddress, isUsable, type LinkId } from "../Device.ts"
import * as Entropy from "../Entropy.ts"
import * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import type { Effects } from "./Effects.ts"
import type { Claim, Phase, State } from "./State.ts"

/** Constants of RFC 5227 §1.1. */
const probeWait = Time.seconds(1)
const probeCount = 3
const probeMin = Time.seconds(1)
const probeMax = Time.seconds(2)
const announceWait = Time.seconds(2)
const announceCount = 2
const announceInterval = Time.seconds(2)
const defendInterval = Time.seconds(10)

const settled: Phase = Object.freeze({ _tag: "Settled" })

/** What is asked before an address is used: nothing, or whether anybody has it, while it waits or while it is used with care already. */
export type Probing = "none" | "tentative" | "optimistic"

/**
 * rfc: 4862 §5.4 MUST: IPv6 addresses are probed, however they came; where a link is closed nobody can have them. Optimism is for addresses that hardly anybody
 * else has, not for those that people type (RFC 4429 §3.1).
 */
export const probingOf = (ctx: Context, self: Interface, { address, origin }: InterfaceAddress): Probing => {
  if (Address.isV4(address)) return ctx.config.addressProbing ? "tentative" : "none"
  const isGenerated = origin === "slaac" || origin === "temporary" || origin === "linkLocal"
  if (isGenerated && ctx.config.optimisticDetection) return "optimistic"
  return self.isClosed === true && !ctx.config.addressProbing ? "none" : "tentative"
}

/** Puts a new entry on an interface and starts what it needs before use. */
export const assign = (
  ctx: Context,
  state: State,
  effects: Effects,
  self: Interface,
  entry: InterfaceAddress,
  probing: Probing = probingOf(ctx, self, entry)
): void => {
  const { address } = entry
  const isProbed = probing !== "none" && self.medium === "ethernet"
  const added: InterfaceAddress = isProbed ? { ...entry, state: probing } : entry
  ctx.put(state.interfaces, self.id, { ...self, addresses: [...self.addresses, added] })
  own(ctx, state, self.id, address)
  const claim: Claim = {
    id: entry.id,
    link: self.id,
    address,
    phase: settled,
    next: Time.never,
    defended: undefined,
    timer: Timer.idle
  }
  noticeState(ctx, self.id, added)
  effects.added(ctx, self, added)
  if (!isProbed) return use(ctx, state, effects, claim, added)
  if (!Address.isV4(address)) {
    if (probing === "optimistic") use(ctx, state, effects, claim, added)
    else settle(ctx, state, claim)
    return effects.detect(ctx, self, added, address)
  }
  // rfc: 5227 §2.1.1: hosts that start together wait unequally.
  const wait = Time.scale(probeWait, Entropy.fraction(ctx.keys.jitter, [entry.id, 0]))
  settle(ctx, state, { ...claim, phase: { _tag: "Probing", sent: 0 }, next: Time.plus(ctx.at, wait) })
}

/** Takes an entry away, as asked or because its time is over. */
export const unassign = (ctx: Context, state: State, effects: Effects, link: LinkId, entry: InterfaceAddress): void => {
  const self = state.interfaces.get(link)
  if (self === undefined) return
  ctx.put(state.interfaces, link, { ...self, addresses: self.addresses.filter((other) => other.id !== entry.id) })
  ctx.remove(state.claims, entry.id)
  disown(ctx, state, link, entry.address)
  ctx.notice({ _tag: "AddressChanged", link, address: entry.address, state: "removed" })
  effects.removed(ctx, link, entry)
  if (isUsable(entry)) effects.unassigned(ctx, link, entry)
}

/** Nobody else has the tentative address: it is ours. */
export const adopt = (ctx: Context, state: State, effects: Effects, id: number): void => {
  const claim = state.claims.get(id)
  const entry = claim === undefined ? undefined : entryOf(state, claim)
  if (claim === undefined || entry === undefined || isDetected(entry)) return
  const to = entry.preferredUntil > ctx.at ? "preferred" : "deprecated"
  const adopted = changeState(ctx, state, claim.link, entry, to)
  if (entry.state === "optimistic") settle(ctx, state, claim)
  else use(ctx, state, effects, claim, adopted)
}

const isDetected = ({ state }: InterfaceAddress): boolean => state !== "tentative" && state !== "optimistic"

/** Somebody else has it. */
export const refuse = (ctx: Context, state: State, effects: Effects, id: number): void => {
  const claim = state.claims.get(id)
  const entry = claim === undefined ? undefined : entryOf(state, claim)
  if (claim !== undefined && entry !== undefined) giveUp(ctx, state, effects, claim, entry)
}

/** Gives an entry other lifetimes; one that had been deprecated may be preferred again. */
export const renew = (ctx: Context, state: State, link: LinkId, entry: InterfaceAddress): void => {
  replace(ctx, state, link, entry)
  const claim = state.claims.get(entry.id)
  if (claim !== undefined) settle(ctx, state, claim)
}

/** The link has come up: who was there before may have changed meanwhile (RFC 5227 §2.1, §2.3). */
export const onLinkUp = (ctx: Context, state: State, effects: Effects, self: Interface): void => {
  for (const entry of self.addresses) {
    const claim = state.claims.get(entry.id)
    if (claim === undefined) continue
    if (entry.state === "tentative" && !Address.isV4(entry.address)) {
      effects.detect(ctx, self, entry, entry.address)
    } else if (entry.state === "tentative") {
      settle(ctx, state, { ...claim, phase: { _tag: "Probing", sent: 0 }, next: ctx.at })
    } else if (isUsable(entry)) {
      announce(ctx, state, effects, claim, 0)
    }
  }
}

export const alarm = (ctx: Context, state: State, effects: Effects, id: number, due: Time.Instant): void => {
  const claim = state.claims.get(id)
  if (claim === undefined) return
  const { armed, isDue } = Timer.fired(ctx, { _tag: "Address", key: id }, claim.timer, due)
  const kept: Claim = { ...claim, timer: armed }
  if (!isDue) return ctx.put(state.claims, id, kept)
  const entry = entryOf(state, kept)
  if (entry === undefined) return ctx.remove(state.claims, id)
  if (entry.validUntil <= ctx.at) return unassign(ctx, state, effects, claim.link, entry)
  if (entry.preferredUntil <= ctx.at && entry.state === "preferred") {
    changeState(ctx, state, claim.link, entry, "deprecated")
  }
  if (kept.next <= ctx.at) return advance(ctx, state, effects, kept, entry)
  settle(ctx, state, kept)
}

/** The alarm of this address threw: what it has left to do by itself is given up, and its use if it was not decided yet. */
export const lost = (ctx: Context, state: State, effects: Effects, id: number): void => {
  const claim = state.claims.get(id)
  const entry = claim === undefined ? undefined : entryOf(state, claim)
  if (claim === undefined || entry === undefined) return
  if (entry.state === "tentative") return giveUp(ctx, state, effects, claim, entry)
  ctx.put(state.claims, id, { ...claim, phase: settled, next: Time.never, timer: Timer.idle })
}

/** The next probe or announcement. */
const advance = (ctx: Context, state: State, effects: Effects, claim: Claim, entry: InterfaceAddress): void => {
  const self = state.interfaces.get(claim.link)
  if (self === undefined) return
  switch (claim.phase._tag) {
    case "Probing": {
      const { sent } = claim.phase
      // A link that is down carries neither questions nor answers; probing begins when it comes up (RFC 5227 §2.1).
      if (!self.up) return settle(ctx, state, { ...claim, phase: { _tag: "Probing", sent: 0 }, next: Time.never })
      // rfc: 5227 §2.1.1: nobody has answered the last probe for ANNOUNCE_WAIT.
      if (sent === probeCount) {
        return use(ctx, state, effects, claim, changeState(ctx, state, claim.link, entry, "preferred"))
      }
      effects.probe(ctx, self, claim.address)
      const spread = Entropy.fraction(ctx.keys.jitter, [claim.id, sent + 1])
      const wait = sent + 1 === probeCount
        ? announceWait
        : Time.add(probeMin, Time.scale(Time.add(probeMax, Time.scale(probeMin, -1)), spread))
      return settle(ctx, state, { ...claim, phase: { _tag: "Probing", sent: sent + 1 }, next: Time.plus(ctx.at, wait) })
    }
    case "Announcing":
      return announce(ctx, state, effects, claim, claim.phase.sent)
    case "Settled":
      return settle(ctx, state, { ...claim, next: Time.never })
  }
}

/** The address is ours: routes and transports may use it, and the link is told. */
const use = (ctx: Context, state: State, effects: Effects, claim: Claim, entry: InterfaceAddress): void => {
  announce(ctx, state, effects, claim, 0)
  effects.assigned(ctx, claim.link, entry)
}

/** rfc: 5227 §2.3 */
const announce = (ctx: Context, state: State, effects: Effects, claim: Claim, sent: number): void => {
  const self = state.interfaces.get(claim.link)
  if (self === undefined || self.medium !== "ethernet" || !Address.isV4(claim.address)) {
    return settle(ctx, state, { ...claim, phase: settled, next: Time.never })
  }
  if (self.up) effects.announce(ctx, self, claim.address)
  const isLast = sent + 1 >= announceCount
  settle(ctx, state, {
    ...claim,
    phase: isLast ? settled : { _tag: "Announcing", sent: sent + 1 },
    next: isLast ? Time.never : Time.plus(ctx.at, announceInterval)
  })
}

/**
 * Another host has, or asks for, an address of this interface (RFC 5227 §2.1.1, §2.4). True if the packet speaks of an address
 * that is no neighbour's.
 */
export const conflict = (
  ctx: Context,
  state: State,
  effects: Effects,
  link: LinkId,
  address: Address.Address,
  mac: Mac,
  isProbe: boolean
): boolean => {
  const self = state.interfaces.get(link)
  const entry = self === undefined ? undefined : find(self, address)
  if (self === undefined || entry === undefined) return false
  const claim = state.claims.get(entry.id)
  if (claim === undefined || entry.state === "duplicated") return true
  // A probe for an address in use is answered by ARP's own reply; only who probes at the same time is in conflict.
  if (isProbe && entry.state !== "tentative") return true
  ctx.count(Counter.index.addressConflicts)
  ctx.notice({ _tag: "AddressConflict", link, address, mac })
  if (entry.state === "tentative") {
    giveUp(ctx, state, effects, claim, entry)
    return true
  }
  const defendedRecently = claim.defended !== undefined && Time.between(claim.defended, ctx.at) < defendInterval
  if (!defendedRecently) {
    // rfc: 5227 §2.4 (b), (c): one announcement, at most every ten seconds.
    effects.announce(ctx, self, address)
    ctx.put(state.claims, claim.id, { ...claim, defended: ctx.at })
  } else if (entry.origin === "dhcp" || entry.origin === "linkLocal") {
    // rfc: 5227 §2.4 (b): a second conflict within the interval ends the use. What a person has configured stays, by (c).
    giveUp(ctx, state, effects, claim, entry)
  }
  return true
}

const giveUp = (ctx: Context, state: State, effects: Effects, claim: Claim, entry: InterfaceAddress): void => {
  changeState(ctx, state, claim.link, entry, "duplicated")
  settle(ctx, state, { ...claim, phase: settled, next: Time.never })
  if (isUsable(entry)) effects.unassigned(ctx, claim.link, entry)
}

/** Stores a claim with its timer at the first thing that it has to do. */
const settle = (ctx: Context, state: State, claim: Claim): void => {
  const entry = entryOf(state, claim)
  if (entry === undefined) return ctx.remove(state.claims, claim.id)
  const preferred = entry.state === "preferred" ? entry.preferredUntil : Time.never
  const deadline = Time.earliest(claim.next, Time.earliest(preferred, entry.validUntil))
  const timer = Timer.arm(ctx, { _tag: "Address", key: claim.id }, claim.timer, deadline)
  ctx.put(state.claims, claim.id, { ...claim, timer })
}

const entryOf = (state: State, claim: Claim): InterfaceAddress | undefined =>
  state.interfaces.get(claim.link)?.addresses.find((entry) => entry.id === claim.id)

const replace = (ctx: Context, state: State, link: LinkId, entry: InterfaceAddress): void => {
  const self = state.interfaces.get(link)
  if (self === undefined) return
  const addresses = self.addresses.map((other) => other.id === entry.id ? entry : other)
  ctx.put(state.interfaces, link, { ...self, addresses })
}

const changeState = (
  ctx: Context,
  state: State,
  link: LinkId,
  entry: InterfaceAddress,
  to: AddressState
): InterfaceAddress => {
  const changed = { ...entry, state: to }
  replace(ctx, state, link, changed)
  noticeState(ctx, link, changed)
  return changed
}

const noticeState = (ctx: Context, link: LinkId, entry: InterfaceAddress): void =>
  ctx.notice({ _tag: "AddressChanged", link, address: entry.address, state: entry.state })

const own = (ctx: Context, state: State, link: LinkId, address: Address.Address): void => {
  const key = Address.key(address)
  ctx.put(state.owners, key, [...state.owners.get(key) ?? [], link])
}

const disown = (ctx: Context, state: State, link: LinkId, address: Address.Address): void => {
  const key = Address.key(address)
  const left = (state.owners.get(key) ?? []).filter((other) => other !== link)
  if (left.length === 0) ctx.remove(state.owners, key)
  else ctx.put(state.owners, key, left)
}

/** The link on which the address is usable; the first, if it is on several. */
export const linkOf = (state: State, address: Address.Address): LinkId | undefined => {
  const links = state.owners.get(Address.key(address))
  if (links === undefined) return undefined
  for (const link of links) {
    const self = state.interfaces.get(link)
    const entry = self === undefined ? undefined : find(self, address)
    if (entry !== undefined && isUsable(entry)) return link
  }
  return undefined
}
