/**
 * Datagrams that wait to be read, and who waits for them.
 */
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import type { Datagram, UdpReceive } from "./Requests.ts"
import type { Socket, State } from "./State.ts"

/** Beside its bytes, what a waiting datagram costs. */
const datagramOverhead = 256

const costOf = (datagram: Datagram): number => datagram.bytes.length + datagramOverhead

const costOfAll = (datagrams: ReadonlyArray<Datagram>): number =>
  datagrams.reduce((sum, datagram) => sum + costOf(datagram), 0)

/** Hands a datagram to who waits, or queues it within the bound. */
export const deliver = (ctx: Context, state: State, socket: Socket, datagram: Datagram): void => {
  const receiver = Fifo.head(socket.receivers)
  if (receiver !== undefined) {
    ctx.put(state.sockets, socket.id, { ...socket, receivers: Fifo.shift(socket.receivers) })
    ctx.unpark(receiver.ticket)
    return ctx.reply(receiver.ticket, [datagram])
  }
  const cost = costOf(datagram)
  const fits = socket.receivedBytes + cost <= ctx.config.limits.datagramReceiveBytes
  if (!fits || !ctx.charge("datagrams", cost)) {
    ctx.put(state.sockets, socket.id, { ...socket, dropped: socket.dropped + 1 })
    return ctx.drop(fits ? "MemoryBudget" : "UdpReceiveQueueFull", datagram.link)
  }
  const received = Fifo.push(socket.received, datagram)
  ctx.put(state.sockets, socket.id, { ...socket, received, receivedBytes: socket.receivedBytes + cost })
}

/** A request to read: what is there, an error that came, or parked. */
export const start = (ctx: Context, state: State, ticket: Ticket, socket: Socket, request: UdpReceive): void => {
  if (!(request.max >= 1)) return ctx.fail(ticket, Reason.invalidArgument("max must be at least 1"))
  if (!Fifo.isEmpty(socket.received)) {
    const taken = Fifo.toArray(socket.received).slice(0, request.max)
    const cost = costOfAll(taken)
    ctx.discharge("datagrams", cost)
    const received = Fifo.drop(socket.received, taken.length)
    ctx.put(state.sockets, socket.id, { ...socket, received, receivedBytes: socket.receivedBytes - cost })
    return ctx.reply(ticket, taken)
  }
  if (socket.failure !== undefined) {
    ctx.put(state.sockets, socket.id, { ...socket, failure: undefined })
    return ctx.fail(ticket, socket.failure)
  }
  if (!request.block) return ctx.fail(ticket, Reason.wouldBlock)
  if (!ctx.park(ticket, { owner: "Udp", id: socket.id })) return ctx.fail(ticket, Reason.limitReached("parkedRequests"))
  const receivers = Fifo.push(socket.receivers, { ticket, max: request.max })
  ctx.put(state.sockets, socket.id, { ...socket, receivers })
}

/** An ICMP error ends a waiting read, or is kept for the next call (RFC 1122 §4.1.3.3). */
export const fail = (ctx: Context, state: State, socket: Socket, reason: Reason.Reason): void => {
  const receiver = Fifo.head(socket.receivers)
  if (receiver === undefined) return ctx.put(state.sockets, socket.id, { ...socket, failure: reason })
  ctx.put(state.sockets, socket.id, { ...socket, receivers: Fifo.shift(socket.receivers) })
  ctx.unpark(receiver.ticket)
  ctx.fail(receiver.ticket, reason)
}

/** Datagrams that nobody took go back in front, unless the memory has gone to others meanwhile. */
export const returned = (ctx: Context, state: State, socket: Socket, datagrams: ReadonlyArray<Datagram>): void => {
  const kept = datagrams.filter((datagram) => {
    if (ctx.charge("datagrams", costOf(datagram))) return true
    ctx.drop("MemoryBudget", datagram.link)
    return false
  })
  ctx.put(state.sockets, socket.id, {
    ...socket,
    received: Fifo.unshift(socket.received, kept),
    receivedBytes: socket.receivedBytes + costOfAll(kept)
  })
}
