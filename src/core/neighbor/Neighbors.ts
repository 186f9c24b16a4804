/**
 * The neighbour caches (RFC 4861 §5.1, §7.2, §7.3): who gets a packet on an Ethernet link, and what waits until that is known.
 *
 *     send ─▶ a group? its mapped address ─▶ known? the cached address ─▶ else park, and solicit
 *
 * `Neighbor.ts` decides; this file keeps the packets, the bounds and the timers. How to ask is the family's own, by {@link Hooks}.
 */
import * as Address from "../../wire/Address.ts"
import * as Ethernet from "../../wire/Ethernet.ts"
import * as Gather from "../../wire/Gather.ts"
import * as Mac from "../../wire/Mac.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Fifo from "../data/Fifo.ts"
import * as HashIndex from "../data/HashIndex.ts"
import * as Demux from "../Demux.ts"
import { type Interface, isBroadcast, type LinkId } from "../Device.ts"
import * as Entropy from "../Entropy.ts"
import type { Credit } from "../Request.ts"
import * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import * as Neighbor from "./Neighbor.ts"
import * as Parking from "./Parking.ts"
import type { Entry, State } from "./State.ts"

/** What differs between ARP and NDP, and what concerns others. */
export interface Hooks {
  /** Asks for a neighbour's address: everybody, or the one address that is believed to be its own. */
  readonly solicit: (ctx: Context, self: Interface, address: Address.Address, to: Mac.Mac | "everybody") => void
  /** Another router of the link for a packet whose next hop does not answer, and routers to ask whether they are back (RFC 4861 §6.3.6, RFC 4191 §3.5). */
  readonly detour: (
    ctx: Context,
    self: Interface,
    nextHop: Address.Address,
    packet: Gather.Outgoing
  ) => Detour | undefined
  /** A neighbour does not answer any more: what was told about ways through it is forgotten (RFC 4861 §7.3.3). */
  readonly failed: (ctx: Context, link: LinkId, address: Address.Address) => void
  /** How often and for how long neighbours are asked on this interface, where its routers have said it (RFC 4861 §6.3.4). */
  readonly times: (self: Interface | undefined, address: Address.Address) => Times
  /** An IP packet of this stack can't be delivered, since its next hop does not answer. */
  readonly unreachable: (ctx: Context, link: LinkId, packet: Gather.Outgoing) => void
}

/** A way around a router. */
export interface Detour {
  readonly nextHop: Address.Address
  /** It is not doubted itself. */
  readonly isGood: boolean
  readonly probes: ReadonlyArray<Address.Address>
}

/** BaseReachableTime and RetransTimer (RFC 4861 §6.3.2). */
export interface Times {
  readonly reachable: Time.Span
  readonly retransmit: Time.Span
}

/** How exact the order of eviction is; saves a write for every packet. */
const usageStep = Time.seconds(1)
const hashOf = (ctx: Context, link: LinkId, address: Address.Address): number =>
  Demux.hash(ctx.keys.demux, address, link, Address.unspecifiedV4, 0)

export const find = (ctx: Context, state: State, link: LinkId, address: Address.Address): Entry | undefined => {
  for (const id of HashIndex.get(state.index, hashOf(ctx, link, address))) {
    const entry = state.entries.get(id)
    if (entry !== undefined && entry.link === link && Address.equals(entry.address, address)) return entry
  }
  return undefined
}

/** Hands an IP packet to the link, for a neighbour or a group. */
export const send = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  link: LinkId,
  nextHop: Address.Address,
  packet: Gather.Outgoing,
  credit: Credit | undefined
): void => {
  const self = ctx.links.get(link)
  if (self === undefined || !self.up) {
    ctx.refund(credit)
    return ctx.drop(self === undefined ? "DetachedInterface" : "InterfaceDown", link)
  }
  if (self.medium !== "ethernet") return ctx.transmit(link, packet, credit)
  const group = groupMac(self, nextHop)
  if (group !== undefined) return transmit(ctx, self, group, packet, credit)
  const known = find(ctx, state, link, nextHop)
  const detour = known !== undefined && Neighbor.isDoubtful(known.neighbor)
    ? hooks.detour(ctx, self, nextHop, packet)
    : undefined
  if (known === undefined || detour === undefined) {
    return deliver(ctx, state, hooks, self, nextHop, known, packet, credit)
  }
  avoid(ctx, state, hooks, known, detour)
  deliver(ctx, state, hooks, self, detour.nextHop, find(ctx, state, link, detour.nextHop), packet, credit)
}

/** A router is left aside for now; those that might be back are asked. */
const avoid = (ctx: Context, state: State, hooks: Hooks, entry: Entry, { probes }: Detour): void => {
  if (!entry.isAvoided) ctx.put(state.entries, entry.id, { ...entry, isAvoided: true })
  for (const router of probes) {
    const asked = find(ctx, state, entry.link, router)
    if (asked !== undefined) apply(ctx, state, hooks, asked, { _tag: "Send" })
  }
}

const deliver = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  self: Interface,
  nextHop: Address.Address,
  known: Entry | undefined,
  packet: Gather.Outgoing,
  credit: Credit | undefined
): void => {
  const entry = known ?? create(ctx, state, hooks, self, nextHop)
  if (entry === undefined) {
    ctx.refund(credit)
    return ctx.drop("NeighborCacheFull", self.id)
  }
  const told = Neighbor.heedsPackets(entry.neighbor) ? apply(ctx, state, hooks, entry, { _tag: "Send" }) : entry
  const used = markUsed(ctx, state, told)
  const mac = Neighbor.macOf(used.neighbor)
  if (mac !== undefined) return transmit(ctx, self, mac, packet, credit)
  Parking.park(ctx, state, used, packet, credit)
}

/** The link-layer address that a group or broadcast address maps to (RFC 1112 §6.4, RFC 894, RFC 2464 §7). */
const groupMac = (self: Interface, address: Address.Address): Mac.Mac | undefined => {
  if (Address.isMulticast(address)) {
    return Address.isV4(address) ? Mac.ofMulticastV4(address) : Mac.ofMulticastV6(address.w3)
  }
  return isBroadcast(self, address) ? Mac.broadcast : undefined
}

/** Puts the Ethernet header into the room before the IP header. */
const transmit = (
  ctx: Context,
  self: Interface,
  destination: Mac.Mac,
  packet: Gather.Outgoing,
  credit: Credit | undefined
): void => {
  const headStart = packet.headStart - Ethernet.headerLength
  const type = packet.head[packet.headStart]! >>> 4 === 4 ? Ethernet.EtherType.ipv4 : Ethernet.EtherType.ipv6
  Ethernet.emit({ destination, source: self.mac, type }, packet.head, headStart)
  const { block, checksum, checksumOffset, checksumStart, gso, head, headEnd, pieces, slab } = packet
  // Every field by name: a spread costs as much as the rest of this function.
  const framed: Required<Gather.Outgoing> = {
    head,
    headStart,
    headEnd,
    pieces,
    checksum,
    checksumStart: checksum === "partial" ? checksumStart + Ethernet.headerLength : 0,
    checksumOffset,
    block,
    slab,
    gso: gso === undefined ? undefined : { ...gso, headerLength: gso.headerLength + Ethernet.headerLength }
  }
  ctx.transmit(self.id, framed, credit)
}

/** A new entry of which nothing is known; `undefined` when the cache is full of entries that may not go. */
const create = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  self: Interface,
  address: Address.Address
): Entry | undefined => {
  if (
    Parking.usageOf(state, self.id).entries >= ctx.config.limits.neighborEntries && !evict(ctx, state, hooks, self.id)
  ) {
    return undefined
  }
  const entry: Entry = {
    id: ctx.nextId(),
    link: self.id,
    address,
    neighbor: Neighbor.unknown,
    usedAt: ctx.at,
    isAvoided: false,
    parked: Fifo.empty(),
    timer: Timer.idle
  }
  ctx.put(state.entries, entry.id, entry)
  HashIndex.add(ctx, state.index, hashOf(ctx, self.id, address), entry.id)
  const usage = Parking.usageOf(state, self.id)
  ctx.put(state.usage, self.id, { ...usage, entries: usage.entries + 1 })
  return entry
}

const isOlder = (entry: Entry, than: Entry | undefined): boolean =>
  than === undefined || entry.usedAt < than.usedAt || (entry.usedAt === than.usedAt && entry.id < than.id)

/**
 * Makes room in the cache of a link; only a full one of static entries has none. Neighbours that are known go first, the one unused for
 * longest before the others, but those of whom nobody has heard may fill half of the cache and no more: beyond that the one that was
 * asked for first goes, with what waits for it. So who makes us look for hosts that don't exist, by sources of his own making, can
 * neither push those out who do nor keep a new one from being found (the attack of RFC 6583).
 */
const evict = (ctx: Context, state: State, hooks: Hooks, link: LinkId): boolean => {
  let unused: Entry | undefined = undefined
  let unheard: Entry | undefined = undefined
  let silent = 0
  for (const entry of state.entries.values()) {
    if (entry.link !== link || entry.neighbor.state._tag === "Static") continue
    if (Neighbor.macOf(entry.neighbor) === undefined) {
      silent += 1
      if (unheard === undefined || entry.id < unheard.id) unheard = entry
    } else if (isOlder(entry, unused)) unused = entry
  }
  const evicted = 2 * silent > ctx.config.limits.neighborEntries ? unheard : unused ?? unheard
  if (evicted === undefined) return false
  ctx.count(Counter.index.neighborEvicted)
  // Nobody is told of packets that go with it: an error would want a neighbour of its own.
  for (const { charged, credit } of Fifo.toArray(evicted.parked)) {
    Parking.uncharge(ctx, state, link, charged)
    ctx.refund(credit)
    ctx.drop("NeighborCacheFull", link)
  }
  forget(ctx, state, hooks, { ...evicted, parked: Fifo.empty() })
  return true
}

/** Takes an entry out; what waits for it is dropped. */
export const forget = (ctx: Context, state: State, hooks: Hooks, entry: Entry): void => {
  HashIndex.remove(ctx, state.index, hashOf(ctx, entry.link, entry.address), entry.id)
  ctx.remove(state.entries, entry.id)
  const usage = Parking.usageOf(state, entry.link)
  if (usage.entries <= 1) ctx.remove(state.usage, entry.link)
  else ctx.put(state.usage, entry.link, { ...usage, entries: usage.entries - 1 })
  giveUp(ctx, state, hooks, entry, false)
}

/** Feeds the machine, stores what became of the entry, and does what the machine asks for. Answers the stored entry. */
export const apply = (ctx: Context, state: State, hooks: Hooks, entry: Entry, input: Neighbor.Input): Entry => {
  const [neighbor, actions] = Neighbor.step(entry.neighbor, input, ctx.at, timing(ctx, hooks, entry, input))
  if (neighbor === entry.neighbor) return entry
  const isReleased = actions.some((action) => action._tag !== "Solicit")
  const timer = Timer.arm(ctx, { _tag: "Neighbor", key: entry.id }, entry.timer, neighbor.deadline)
  const isAvoided = entry.isAvoided && neighbor.state._tag !== "Reachable"
  const changed: Entry = { ...entry, neighbor, timer, isAvoided, parked: isReleased ? Fifo.empty() : entry.parked }
  ctx.put(state.entries, entry.id, changed)
  noticeChange(ctx, entry, changed)
  if (Neighbor.isDoubtful(neighbor) && !Neighbor.isDoubtful(entry.neighbor)) {
    hooks.failed(ctx, entry.link, entry.address)
  }
  const self = ctx.links.get(entry.link)
  for (const action of actions) {
    if (action._tag === "Solicit") {
      if (self !== undefined && self.up) hooks.solicit(ctx, self, entry.address, action.to)
    } else if (action._tag === "GiveUp") {
      ctx.count(Counter.index.neighborFailed)
      giveUp(ctx, state, hooks, entry, true)
    } else {
      ctx.count(Counter.index.neighborResolved)
      release(ctx, state, self, Neighbor.macOf(neighbor), entry)
    }
  }
  return changed
}

/** RFC 4861 §6.3.2: the reachable time is drawn anew from half to one and a half times its base. */
const timing = (ctx: Context, hooks: Hooks, entry: Entry, input: Neighbor.Input): Neighbor.Timing => {
  const { reachable, retransmit } = hooks.times(ctx.links.get(entry.link), entry.address)
  const factor = input._tag === "Send" ? 1 : 0.5 + Entropy.fraction(ctx.keys.jitter, [entry.id, ctx.at % 0x1_0000_0000])
  return {
    retransmit,
    reachable: Time.micros(Math.round(reachable * factor))
  }
}

const noticeChange = (ctx: Context, before: Entry, after: Entry): void => {
  const mac = Neighbor.macOf(after.neighbor)
  const state = after.neighbor.state._tag
  if (state === before.neighbor.state._tag && mac === Neighbor.macOf(before.neighbor)) return
  ctx.notice({ _tag: "NeighborChanged", link: after.link, address: after.address, state, mac })
}

const markUsed = (ctx: Context, state: State, entry: Entry): Entry => {
  if (Time.between(entry.usedAt, ctx.at) < usageStep) return entry
  const used: Entry = { ...entry, usedAt: ctx.at }
  ctx.put(state.entries, entry.id, used)
  return used
}

const release = (
  ctx: Context,
  state: State,
  self: Interface | undefined,
  mac: Mac.Mac | undefined,
  entry: Entry
): void => {
  for (const { charged, credit, packet } of Fifo.toArray(entry.parked)) {
    Parking.uncharge(ctx, state, entry.link, charged)
    if (self !== undefined && mac !== undefined) transmit(ctx, self, mac, packet, credit)
  }
}

/** The neighbour does not answer, or is forgotten: what waits for it goes another way, if there is a good one, or nowhere. */
const giveUp = (ctx: Context, state: State, hooks: Hooks, entry: Entry, mayDetour: boolean): void => {
  const { link } = entry
  const self = mayDetour ? ctx.links.get(link) : undefined
  for (const { charged, credit, packet } of Fifo.toArray(entry.parked)) {
    Parking.uncharge(ctx, state, link, charged)
    const detour = self === undefined ? undefined : hooks.detour(ctx, self, entry.address, packet)
    if (self !== undefined && detour !== undefined && detour.isGood) {
      const { nextHop } = detour
      deliver(ctx, state, hooks, self, nextHop, find(ctx, state, link, nextHop), packet, credit)
      continue
    }
    ctx.refund(credit)
    ctx.drop("NeighborUnreachable", link)
    hooks.unreachable(ctx, link, packet)
  }
}

/** Somebody on the link told its address: updates its entry, makes one if `isForUs` says that it is about to talk to this host. */
export const hear = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  self: Interface,
  address: Address.Address,
  input: Extract<Neighbor.Input, { readonly _tag: "Heard" | "Advertised" }>,
  isForUs: boolean
): boolean => {
  const entry = find(ctx, state, self.id, address) ?? (isForUs ? create(ctx, state, hooks, self, address) : undefined)
  if (entry === undefined) return false
  apply(ctx, state, hooks, entry, input)
  return true
}

/** A transport saw progress through this neighbour (RFC 4861 §7.3.1). Costs nothing while it is known to be reachable for long. */
export const confirm = (ctx: Context, state: State, hooks: Hooks, link: LinkId, nextHop: Address.Address): void => {
  const entry = find(ctx, state, link, nextHop)
  if (entry === undefined) return
  const { deadline, state: { _tag } } = entry.neighbor
  if (entry.isAvoided) return
  if (_tag === "Reachable" && Time.between(ctx.at, deadline) > Neighbor.baseReachableTime / 4) return
  apply(ctx, state, hooks, entry, { _tag: "Confirmed" })
}

/** A transport has sent again and again through this neighbour, and hears nothing (RFC 1122 §3.3.1.4). */
export const doubt = (ctx: Context, state: State, hooks: Hooks, link: LinkId, nextHop: Address.Address): void => {
  const entry = find(ctx, state, link, nextHop)
  if (entry !== undefined) apply(ctx, state, hooks, entry, { _tag: "Doubted" })
}

export const alarm = (ctx: Context, state: State, hooks: Hooks, id: number, due: Time.Instant): void => {
  const entry = state.entries.get(id)
  if (entry === undefined) return
  const { armed, isDue } = Timer.fired(ctx, { _tag: "Neighbor", key: id }, entry.timer, due)
  const rung: Entry = { ...entry, timer: armed }
  ctx.put(state.entries, id, rung)
  if (isDue) apply(ctx, state, hooks, rung, { _tag: "Alarm" })
}

/** The alarm of this entry threw: it is forgotten, with what waits for it. */
export const lost = (ctx: Context, state: State, hooks: Hooks, id: number): void => {
  const entry = state.entries.get(id)
  if (entry !== undefined) forget(ctx, state, hooks, entry)
}

/** Forgets the neighbours of a link; the static ones too if `isGone`. Answers how many. */
export const flush = (ctx: Context, state: State, hooks: Hooks, link: LinkId, isGone: boolean): number => {
  const entries = Array.from(state.entries.values())
    .filter((entry) => entry.link === link && (isGone || entry.neighbor.state._tag !== "Static"))
  for (const entry of entries) forget(ctx, state, hooks, entry)
  return entries.length
}

/** Fixes a neighbour's address; false when there is no room for it. */
export const fix = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  self: Interface,
  address: Address.Address,
  mac: Mac.Mac
): boolean => {
  const entry = find(ctx, state, self.id, address) ?? create(ctx, state, hooks, self, address)
  if (entry === undefined) return false
  apply(ctx, state, hooks, entry, { _tag: "Fixed", mac })
  return true
}
