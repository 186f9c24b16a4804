/**
 * All incomplete packets of a stack, within their bounds: in bytes altogether, in bytes of one source, in fragments of one packet, in time.
 *
 * Each waits equally long from its first fragment on (RFC 1122 §3.3.2 SHOULD: the time does not start anew), so they end in the order in
 * which they began, and one alarm for the oldest serves all.
 */
import * as Address from "../../wire/Address.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Wire from "../../wire/Ipv4.ts"
import * as Ipv6 from "../../wire/Ipv6.ts"
import * as Ipv6Extension from "../../wire/Ipv6Extension.ts"
import * as Malformed from "../../wire/Malformed.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as HashIndex from "../data/HashIndex.ts"
import * as Demux from "../Demux.ts"
import type { DropReason } from "../Drop.ts"
import type { Packet } from "../Ip.ts"
import * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import * as Assembly from "./Assembly.ts"
import type { State } from "./State.ts"
import * as Whole from "./Whole.ts"

/** Beside their bytes, what an incomplete packet and each of its fragments cost. */
const packetOverhead = 512
const fragmentOverhead = 160

/** What is behind the first eight octets of a TCP header must not come in another fragment (RFC 1858 §3, RFC 3128 §4). */
const smallestTcpFragment = 16

const timer: Timer.TimerId = Object.freeze({ _tag: "Reassembly", key: 0 })

/** Takes a fragment; answers the whole packet when this was the last that had been missing. */
export const receiveV4 = (
  ctx: Context,
  state: State,
  packet: Packet,
  header: Wire.Header
): Packet | undefined => {
  ctx.count(Counter.index.fragmentsReceived)
  const fault = shapeFault(header)
  if (fault !== undefined) {
    ctx.drop(fault, packet.link)
    return undefined
  }
  const fragment: Assembly.Fragment = {
    offset: header.fragmentOffset,
    isLast: !header.moreFragments,
    bytes: packet.bytes,
    start: packet.start,
    end: packet.end
  }
  const complete = insert(ctx, state, packet, header.identification, fragment, headerV4(packet))
  return complete === undefined ? undefined : Whole.v4(ctx, packet, complete)
}

/** The headers that a whole packet takes over from a fragment, and where in them the number of what follows stands. */
interface Headers {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly protocolAt: number
}

const headerV4 = (packet: Packet): Headers => ({
  bytes: packet.bytes,
  start: packet.ipStart,
  end: packet.start,
  protocolAt: 9
})

/** A fragment of an IPv6 packet: its header, where that stands, and where its number does. */
export interface FragmentV6 {
  readonly header: Ipv6Extension.FragmentHeader
  readonly at: number
  readonly protocolAt: number
}

/** The same as {@link receiveV4}; the caller has judged the fragment by itself (rfc: 8200 §4.5). */
export const receiveV6 = (ctx: Context, state: State, packet: Packet, given: FragmentV6): Whole.WholeV6 | undefined => {
  const { at, header, protocolAt } = given
  ctx.count(Counter.index.fragmentsReceived)
  const fragment: Assembly.Fragment = {
    offset: header.fragmentOffset,
    isLast: !header.moreFragments,
    bytes: packet.bytes,
    start: header.payloadStart,
    end: header.payloadEnd
  }
  const headers = { bytes: packet.bytes, start: packet.ipStart, end: at, protocolAt: protocolAt - packet.ipStart }
  // rfc: 8200 §4.5: only the first fragment's next header counts, so it is no part of the name.
  const named: Packet = { ...packet, protocol: IpProtocol.fragment }
  const complete = insert(ctx, state, named, header.identification, fragment, headers, header.protocol)
  return complete === undefined ? undefined : Whole.v6(ctx, packet, complete)
}

/** What no fragment is, whatever the others say. */
const shapeFault = (header: Wire.Header): DropReason | undefined => {
  const length = header.payloadEnd - header.payloadStart
  if (length === 0) return "FragmentTooSmall"
  // rfc: 791 §3.2: all fragments but the last are cut at multiples of eight octets.
  if (header.moreFragments && length % 8 !== 0) return "FragmentTooSmall"
  if (header.protocol === IpProtocol.tcp) {
    const isTiny = header.fragmentOffset === 0 && length < smallestTcpFragment
    // rfc: 3128 §4: a fragment at offset 8 would rewrite the flags of a header that was let through.
    if (isTiny || header.fragmentOffset === 8) return "FragmentTooSmall"
  }
  const end = header.fragmentOffset + length
  return header.headerLength + end > Wire.maximumLength ? "FragmentTooLong" : undefined
}

const hashOf = (ctx: Context, key: Assembly.Key): number =>
  Demux.hash(ctx.keys.demux, key.destination, key.protocol, key.source, key.identification)

const find = (ctx: Context, state: State, key: Assembly.Key): Assembly.Incomplete | undefined => {
  for (const order of HashIndex.get(state.incompleteIndex, hashOf(ctx, key))) {
    const found = state.incomplete.get(order)
    if (
      found !== undefined && found.version === key.version && found.identification === key.identification &&
      found.protocol === key.protocol && Address.equals(found.source, key.source) &&
      Address.equals(found.destination, key.destination)
    ) return found
  }
  return undefined
}

/** Puts a fragment to its packet, and the packet out of the table if it is whole then. */
const insert = (
  ctx: Context,
  state: State,
  packet: Packet,
  identification: number,
  fragment: Assembly.Fragment,
  headers: Headers,
  next?: number
): Assembly.Incomplete | undefined => {
  const { destination, protocol, source, version } = packet
  const key: Assembly.Key = { version, source, destination, protocol, identification }
  const self = find(ctx, state, key) ?? begin(ctx, state, packet, identification)
  if (self === undefined) return undefined
  if (self.isRefused) return refuse(ctx, packet, "FragmentOverlap")
  const index = Assembly.place(self, fragment)
  if (index === "Duplicate") return undefined
  if (typeof index !== "number") return poison(ctx, state, self, packet, index)
  if (self.parts.length >= ctx.config.limits.reassemblyFragments) {
    return poison(ctx, state, self, packet, "FragmentLimit")
  }
  const charged = fragment.end - fragment.start + fragmentOverhead
  const full = charge(ctx, state, self, charged)
  if (full !== undefined) return refuse(ctx, packet, full)
  const added: Assembly.Incomplete = {
    ...Assembly.add(self, index, fragment, charged),
    ...(fragment.offset === 0 ? { header: headerOf(headers, next), protocolAt: headers.protocolAt } : {}),
    marks: self.marks | Assembly.markOf(packet.trafficClass),
    isGroup: self.isGroup || packet.isGroup,
    receivedAt: packet.receivedAt
  }
  if (!Assembly.isComplete(added)) {
    ctx.put(state.incomplete, self.order, added)
    return undefined
  }
  ctx.put(state.incomplete, self.order, added)
  remove(ctx, state, added)
  return added
}

/** A copy of the headers; what follows them is what follows the fragment header, which is left out. */
const headerOf = ({ bytes, end, protocolAt, start }: Headers, next: number | undefined): Uint8Array => {
  const header = bytes.slice(start, end)
  if (next !== undefined) header[protocolAt] = next
  return header
}

const refuse = (ctx: Context, packet: Packet, reason: DropReason): undefined => {
  ctx.drop(reason, packet.link)
  return undefined
}

const begin = (
  ctx: Context,
  state: State,
  packet: Packet,
  identification: number
): Assembly.Incomplete | undefined => {
  const ages = state.incompleteAges.value
  const self: Assembly.Incomplete = {
    version: packet.version,
    source: packet.source,
    destination: packet.destination,
    protocol: packet.protocol,
    identification,
    link: packet.link,
    order: ages.next,
    deadline: Time.plus(ctx.at, ctx.config.reassemblyTimeout),
    receivedAt: packet.receivedAt,
    parts: [],
    receivedBytes: 0,
    total: undefined,
    header: undefined,
    protocolAt: 0,
    marks: 0,
    isGroup: packet.isGroup,
    charged: packetOverhead,
    isRefused: false
  }
  const full = charge(ctx, state, self, packetOverhead)
  if (full !== undefined) return refuse(ctx, packet, full)
  // Making room may have moved the oldest on.
  ctx.set(state.incompleteAges, { ...state.incompleteAges.value, next: ages.next + 1 })
  ctx.put(state.incomplete, self.order, self)
  HashIndex.add(ctx, state.incompleteIndex, hashOf(ctx, self), self.order)
  armOldest(ctx, state)
  return self
}

/** Charges bytes for a packet to its source and to the whole; makes room by ending the oldest. Answers what is full, if something is. */
const charge = (ctx: Context, state: State, self: Assembly.Incomplete, bytes: number): DropReason | undefined => {
  const { limits } = ctx.config
  const source = Address.key(self.source)
  const ofSource = state.incompleteBytes.get(source) ?? 0
  if (ofSource + bytes > limits.reassemblyBytesPerPeer) return "FragmentLimit"
  while (state.incompleteTotal.value + bytes > limits.reassemblyBytes) {
    const oldest = oldestOf(ctx, state)
    // With nothing older than the packet itself there is nobody whose room it could take.
    if (oldest === undefined || oldest.order === self.order) return "FragmentLimit"
    end(ctx, state, oldest, "FragmentLimit")
  }
  if (!ctx.charge("fragments", bytes)) return "MemoryBudget"
  ctx.set(state.incompleteTotal, state.incompleteTotal.value + bytes)
  ctx.put(state.incompleteBytes, source, (state.incompleteBytes.get(source) ?? 0) + bytes)
  return undefined
}

const uncharge = (ctx: Context, state: State, self: Assembly.Incomplete, bytes: number): void => {
  const source = Address.key(self.source)
  const left = (state.incompleteBytes.get(source) ?? 0) - bytes
  if (left <= 0) ctx.remove(state.incompleteBytes, source)
  else ctx.put(state.incompleteBytes, source, left)
  ctx.set(state.incompleteTotal, state.incompleteTotal.value - bytes)
  ctx.discharge("fragments", bytes)
}

/** The oldest incomplete packet: the numbers of those that are gone are skipped once and for all. */
const oldestOf = (ctx: Context, state: State): Assembly.Incomplete | undefined => {
  const ages = state.incompleteAges.value
  let oldest = ages.oldest
  while (oldest < ages.next && !state.incomplete.has(oldest)) oldest++
  if (oldest !== ages.oldest) ctx.set(state.incompleteAges, { ...ages, oldest })
  return state.incomplete.get(oldest)
}

const remove = (ctx: Context, state: State, self: Assembly.Incomplete): void => {
  uncharge(ctx, state, self, self.charged)
  ctx.remove(state.incomplete, self.order)
  HashIndex.remove(ctx, state.incompleteIndex, hashOf(ctx, self), self.order)
}

/** Ends a packet that will not become whole. */
const end = (ctx: Context, state: State, self: Assembly.Incomplete, reason: DropReason): void => {
  remove(ctx, state, self)
  if (self.isRefused) return
  ctx.count(Counter.index.reassemblyFailed)
  ctx.drop(reason, self.link)
}

/** Refuses a packet for good: its bytes go, and its name stays so that later fragments don't begin it again (RFC 5722 §4). */
const poison = (
  ctx: Context,
  state: State,
  self: Assembly.Incomplete,
  packet: Packet,
  reason: DropReason
): undefined => {
  uncharge(ctx, state, self, self.charged - packetOverhead)
  ctx.put(state.incomplete, self.order, {
    ...self,
    parts: [],
    receivedBytes: 0,
    header: undefined,
    charged: packetOverhead,
    isRefused: true
  })
  ctx.count(Counter.index.reassemblyFailed)
  return refuse(ctx, packet, reason)
}

const armOldest = (ctx: Context, state: State): void => {
  const oldest = oldestOf(ctx, state)
  const before = state.incompleteTimer.value
  const armed = Timer.arm(ctx, timer, before, oldest === undefined ? Time.never : oldest.deadline)
  if (armed !== before) ctx.set(state.incompleteTimer, armed)
}

/** The oldest have waited long enough. */
export const alarm = (ctx: Context, state: State, _key: number, due: Time.Instant): void => {
  const { armed, isDue } = Timer.fired(ctx, timer, state.incompleteTimer.value, due)
  ctx.set(state.incompleteTimer, armed)
  if (!isDue) return
  for (let oldest = oldestOf(ctx, state); oldest !== undefined && oldest.deadline <= ctx.at;) {
    expire(ctx, state, oldest)
    oldest = oldestOf(ctx, state)
  }
  armOldest(ctx, state)
}

/** The alarm threw: the packet that it was for is forgotten in silence, and the next one gets its alarm. */
export const lost = (ctx: Context, state: State): void => {
  ctx.set(state.incompleteTimer, Timer.idle)
  const oldest = oldestOf(ctx, state)
  if (oldest !== undefined) end(ctx, state, oldest, "FragmentTimeout")
  armOldest(ctx, state)
}

const expire = (ctx: Context, state: State, self: Assembly.Incomplete): void => {
  end(ctx, state, self, "FragmentTimeout")
  // rfc: 1122 §3.3.2 MUST: only if the first fragment is there, since it tells whose packet it was.
  const first = self.parts[0]
  if (self.header === undefined || first === undefined || first.offset !== 0) return
  const bytes = Assembly.firstOf(self, self.header, first)
  const isV4 = self.version === 4
  const parsed = isV4 ? Wire.parse(bytes, 0, bytes.length) : Ipv6.parse(bytes, 0, bytes.length)
  if (Malformed.isMalformed(parsed)) return
  const upper = isV4 ? undefined : Ipv6Extension.upperLayer(parsed.protocol, bytes, parsed.payloadStart, bytes.length)
  ctx.ip.error(ctx, "reassemblyTimeout", {
    version: self.version,
    link: self.link,
    bytes,
    ipStart: 0,
    start: upper?.start ?? parsed.payloadStart,
    end: bytes.length,
    source: self.source,
    destination: self.destination,
    protocol: upper?.protocol ?? self.protocol,
    hopLimit: parsed.hopLimit,
    trafficClass: parsed.trafficClass,
    checksum: "none",
    segmentSize: 0,
    isGroup: self.isGroup,
    receivedAt: self.receivedAt
  })
}
