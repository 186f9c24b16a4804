/**
 * Packets that wait for a neighbour's address (RFC 4861 §7.2.2, RFC 1122 §2.3.2.2): copied, charged, and within the bounds of their link.
 */
import * as Ethernet from "../../wire/Ethernet.ts"
import * as Gather from "../../wire/Gather.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import type { LinkId } from "../Device.ts"
import type { Credit } from "../Request.ts"
import type { Entry, Parked, State, Usage } from "./State.ts"

/** Beside its bytes, what a parked packet costs. */
const parkedOverhead = 256
const noUsage: Usage = Object.freeze({ entries: 0, parkedBytes: 0 })

/** What the cache of a link holds. */
export const usageOf = (state: State, link: LinkId): Usage => state.usage.get(link) ?? noUsage

/** Keeps a packet until the neighbour's address is known (RFC 1122 §2.3.2.2, RFC 4861 §7.2.2). */
export const park = (
  ctx: Context,
  state: State,
  entry: Entry,
  packet: Gather.Outgoing,
  credit: Credit | undefined
): void => {
  const { limits } = ctx.config
  const charged = Gather.size(packet) + parkedOverhead
  let parked = entry.parked
  if (Fifo.size(parked) >= limits.neighborParkedPackets) {
    // rfc: 4861 §7.2.2: when the queue overflows, the new packet takes the place of the oldest.
    const oldest = Fifo.head(parked)
    if (oldest !== undefined) discard(ctx, state, entry.link, oldest)
    parked = Fifo.shift(parked)
  }
  const usage = usageOf(state, entry.link)
  const fits = usage.parkedBytes + charged <= limits.neighborParkedBytes && limits.neighborParkedPackets > 0
  if (!fits || !ctx.charge("parkedPackets", charged)) {
    ctx.refund(credit)
    ctx.drop(fits ? "MemoryBudget" : "NeighborQueueFull", entry.link)
  } else {
    ctx.put(state.usage, entry.link, { ...usage, parkedBytes: usage.parkedBytes + charged })
    parked = Fifo.push(parked, { packet: keep(packet), charged, credit })
  }
  if (parked !== entry.parked) ctx.put(state.entries, entry.id, { ...entry, parked })
}

/** The packet with a header of its own, so that it does not hold on to the step's arena. */
const keep = (packet: Gather.Outgoing): Gather.Outgoing => {
  const room = Ethernet.headerLength
  const head = new Uint8Array(room + packet.headEnd - packet.headStart)
  head.set(packet.head.subarray(packet.headStart, packet.headEnd), room)
  return { ...packet, head, headStart: room, headEnd: head.length, block: undefined, slab: undefined }
}

/** What a packet took is free again. */
export const uncharge = (ctx: Context, state: State, link: LinkId, bytes: number): void => {
  ctx.discharge("parkedPackets", bytes)
  const usage = state.usage.get(link)
  if (usage !== undefined) ctx.put(state.usage, link, { ...usage, parkedBytes: usage.parkedBytes - bytes })
}

const discard = (ctx: Context, state: State, link: LinkId, parked: Parked): void => {
  uncharge(ctx, state, link, parked.charged)
  ctx.refund(parked.credit)
  ctx.drop("NeighborQueueFull", link)
}
