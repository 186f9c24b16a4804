/**
 * Raw IP sockets: each gets a copy of every packet of its protocol, beside the transport, and sends packets of it.
 */
import * as Address from "../../wire/Address.ts"
import * as Piece from "../../wire/Piece.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as HashIndex from "../data/HashIndex.ts"
import type { LinkId } from "../Device.ts"
import * as Family from "../Family.ts"
import { type IcmpError, noPieces, type Packet } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import type { RawOpen, RawPacket, RawReceive, RawSend } from "./Requests.ts"
import type { Socket, State } from "./State.ts"

/** Beside its bytes, what a waiting packet costs. */
const packetOverhead = 256

const costOf = (packet: RawPacket): number => packet.bytes.length + packetOverhead

const keyOf = (version: Address.Version, protocol: number): number => version * 256 + protocol

export const open = (ctx: Context, state: State, ticket: Ticket, request: RawOpen): void => {
  const { link, protocol, version } = request
  if (!Number.isInteger(protocol) || protocol < 0 || protocol > 255) {
    return ctx.fail(ticket, Reason.invalidArgument(`protocol ${protocol}`))
  }
  if (link !== undefined && ctx.links.get(link) === undefined) return ctx.fail(ticket, Reason.notFound("interface"))
  const id = ctx.nextId()
  const socket: Socket = {
    id,
    version,
    protocol,
    link,
    received: Fifo.empty(),
    receivedBytes: 0,
    receivers: Fifo.empty(),
    unsentBytes: 0,
    senders: Fifo.empty()
  }
  ctx.put(state.sockets, id, socket)
  HashIndex.add(ctx, state.index, keyOf(version, protocol), id)
  ctx.reply(ticket, { socket: id })
}

export const close = (ctx: Context, state: State, ticket: Ticket, id: number): void => {
  const socket = state.sockets.get(id)
  if (socket === undefined) return ctx.fail(ticket, Reason.closed)
  ctx.remove(state.sockets, id)
  HashIndex.remove(ctx, state.index, keyOf(socket.version, socket.protocol), id)
  ctx.discharge("datagrams", socket.receivedBytes)
  failWaiting(ctx, socket, Reason.closed)
  ctx.reply(ticket, undefined)
}

const failWaiting = (ctx: Context, socket: Socket, reason: Reason.Reason): void => {
  for (const { ticket } of [...Fifo.toArray(socket.receivers), ...Fifo.toArray(socket.senders)]) {
    ctx.unpark(ticket)
    ctx.fail(ticket, reason)
  }
}

/** Gives a copy to each socket of the protocol; true if there is one. */
export const receive = (ctx: Context, state: State, packet: Packet): boolean => {
  let isTaken = false
  for (const id of HashIndex.get(state.index, keyOf(packet.version, packet.protocol))) {
    const socket = state.sockets.get(id)
    if (socket === undefined || (socket.link !== undefined && socket.link !== packet.link)) continue
    isTaken = true
    deliver(ctx, state, socket, packet)
  }
  return isTaken
}

/**
 * An ICMP error about a packet of a protocol that only raw sockets speak; false if there is none of them. What was too big for the way tells the way's MTU
 * (RFC 8201 §4, RFC 1191 §3); anything else they read by themselves, from ICMP.
 */
export const failed = (ctx: Context, state: State, error: IcmpError): boolean => {
  for (const id of HashIndex.get(state.index, keyOf(error.version, error.protocol))) {
    const socket = state.sockets.get(id)
    if (socket === undefined) continue
    const path = error.kind === "tooBig" ? ctx.ip.path(ctx, error.destination, error.source, socket.link) : undefined
    if (path !== undefined && !("_tag" in path)) ctx.ip.learnMtu(ctx, path, error.mtu)
    return true
  }
  return false
}

const deliver = (ctx: Context, state: State, socket: Socket, packet: Packet): void => {
  const copied: RawPacket = {
    bytes: packet.bytes.slice(packet.ipStart, packet.end),
    payloadStart: packet.start - packet.ipStart,
    source: packet.source,
    destination: packet.destination,
    link: packet.link,
    receivedAt: packet.receivedAt
  }
  const receiver = Fifo.head(socket.receivers)
  if (receiver !== undefined) {
    ctx.put(state.sockets, socket.id, { ...socket, receivers: Fifo.shift(socket.receivers) })
    ctx.unpark(receiver.ticket)
    return ctx.reply(receiver.ticket, [copied])
  }
  const cost = costOf(copied)
  if (socket.receivedBytes + cost > ctx.config.limits.datagramReceiveBytes) {
    return ctx.drop("RawReceiveQueueFull", packet.link)
  }
  if (!ctx.charge("datagrams", cost)) return ctx.drop("MemoryBudget", packet.link)
  const received = Fifo.push(socket.received, copied)
  ctx.put(state.sockets, socket.id, { ...socket, received, receivedBytes: socket.receivedBytes + cost })
}

export const read = (ctx: Context, state: State, ticket: Ticket, request: RawReceive): void => {
  const socket = state.sockets.get(request.socket)
  if (socket === undefined) return ctx.fail(ticket, Reason.closed)
  if (!(request.max >= 1)) return ctx.fail(ticket, Reason.invalidArgument("max must be at least 1"))
  if (Fifo.isEmpty(socket.received)) {
    if (!request.block) return ctx.fail(ticket, Reason.wouldBlock)
    if (!ctx.park(ticket, { owner: "Raw", id: socket.id })) {
      return ctx.fail(ticket, Reason.limitReached("parkedRequests"))
    }
    const receivers = Fifo.push(socket.receivers, { ticket, max: request.max })
    return ctx.put(state.sockets, socket.id, { ...socket, receivers })
  }
  const taken = Fifo.toArray(socket.received).slice(0, request.max)
  const bytes = taken.reduce((sum, packet) => sum + costOf(packet), 0)
  ctx.discharge("datagrams", bytes)
  const received = Fifo.drop(socket.received, taken.length)
  ctx.put(state.sockets, socket.id, { ...socket, received, receivedBytes: socket.receivedBytes - bytes })
  ctx.reply(ticket, taken)
}

export const write = (ctx: Context, state: State, ticket: Ticket, request: RawSend): void => {
  const socket = state.sockets.get(request.socket)
  if (socket === undefined) return ctx.fail(ticket, Reason.closed)
  if (hasRoom(ctx, socket, request)) return finish(ctx, ticket, send(ctx, state, socket, request))
  if (!request.block) return ctx.fail(ticket, Reason.wouldBlock)
  if (!ctx.park(ticket, { owner: "Raw", id: socket.id })) return ctx.fail(ticket, Reason.limitReached("parkedRequests"))
  ctx.put(state.sockets, socket.id, { ...socket, senders: Fifo.push(socket.senders, { ticket, request }) })
}

const finish = (ctx: Context, ticket: Ticket, refusal: Reason.Reason | undefined): void =>
  refusal === undefined ? ctx.reply(ticket, undefined) : ctx.fail(ticket, refusal)

/** One packet may always wait, however long it is. */
const hasRoom = (ctx: Context, socket: Socket, request: RawSend): boolean =>
  Fifo.isEmpty(socket.senders) && (socket.unsentBytes === 0 ||
    socket.unsentBytes + request.bytes.length <= ctx.config.limits.datagramSendBytes)

const send = (ctx: Context, state: State, socket: Socket, request: RawSend): Reason.Reason | undefined => {
  const { bytes, destination } = request
  if (Address.versionOf(destination) !== socket.version) {
    return Reason.invalidArgument("destination of another IP version")
  }
  const limit = 65_535 - Family.of(destination).headerLength
  if (bytes.length > limit) return Reason.messageTooLarge(limit)
  const path = ctx.ip.path(ctx, destination, request.source, socket.link)
  if ("_tag" in path) return path
  const head = ctx.reserve(bytes.length)
  const refusal = ctx.ip.send(ctx, {
    path,
    protocol: socket.protocol,
    head,
    headEnd: Piece.copyRange(bytes, 0, bytes.length, head.bytes, head.at),
    pieces: noPieces,
    checksumOffset: -1,
    hopLimit: request.hopLimit ?? ctx.ip.hopLimit(ctx, path),
    trafficClass: request.trafficClass,
    dontFragment: request.dontFragment,
    gso: undefined,
    credit: { owner: "Raw", id: socket.id, bytes: bytes.length, isAwaited: true }
  })
  if (refusal !== undefined) return refusal
  ctx.put(state.sockets, socket.id, { ...socket, unsentBytes: socket.unsentBytes + bytes.length })
  return undefined
}

/** Bytes have left: the next sends go. */
export const sent = (ctx: Context, state: State, id: number, bytes: number): void => {
  const before = state.sockets.get(id)
  if (before === undefined) return
  let socket: Socket = { ...before, unsentBytes: before.unsentBytes - bytes }
  ctx.put(state.sockets, id, socket)
  for (let next = Fifo.head(socket.senders); next !== undefined; next = Fifo.head(socket.senders)) {
    const rest: Socket = { ...socket, senders: Fifo.shift(socket.senders) }
    if (!hasRoom(ctx, { ...rest, senders: Fifo.empty() }, next.request)) return
    ctx.put(state.sockets, id, rest)
    ctx.unpark(next.ticket)
    finish(ctx, next.ticket, send(ctx, state, rest, next.request))
    socket = state.sockets.get(id) ?? rest
  }
}

/** Who waited is gone. */
export const abandon = (ctx: Context, state: State, id: number, ticket: Ticket): void => {
  const socket = state.sockets.get(id)
  if (socket === undefined) return
  const isOther = (waiting: { readonly ticket: Ticket }): boolean => waiting.ticket !== ticket
  ctx.put(state.sockets, id, {
    ...socket,
    receivers: Fifo.filter(socket.receivers, isOther),
    senders: Fifo.filter(socket.senders, isOther)
  })
}

/** Packets that nobody took go back in front. */
export const returned = (ctx: Context, state: State, id: number, packets: ReadonlyArray<RawPacket>): void => {
  const socket = state.sockets.get(id)
  if (socket === undefined) return
  const kept = packets.filter((packet) => {
    if (ctx.charge("datagrams", costOf(packet))) return true
    ctx.drop("MemoryBudget", packet.link)
    return false
  })
  const bytes = kept.reduce((sum, packet) => sum + costOf(packet), 0)
  ctx.put(state.sockets, id, {
    ...socket,
    received: Fifo.unshift(socket.received, kept),
    receivedBytes: socket.receivedBytes + bytes
  })
}

/** The link to which sockets were bound is gone: nothing will come any more, so nobody may wait for it. */
export const onDetached = (ctx: Context, state: State, link: LinkId): void => {
  for (const socket of Array.from(state.sockets.values())) {
    if (socket.link !== link) continue
    failWaiting(ctx, socket, Reason.linkDown)
    ctx.put(state.sockets, socket.id, { ...socket, receivers: Fifo.empty(), senders: Fifo.empty() })
  }
}
