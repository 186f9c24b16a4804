/**
 * TCP (RFC 9293) as the rest of the core sees it: the transport that takes packets and ICMP errors, and the handler of alarms, credits and
 * tickets.
 */
import * as Checksum from "../../wire/Checksum.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Wire from "../../wire/Tcp.ts"
import type { Context, Transport } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Fifo from "../data/Fifo.ts"
import type { Packet } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import type * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Emit from "./Emit.ts"
import * as Finish from "./Finish.ts"
import * as IcmpErrors from "./IcmpErrors.ts"
import * as Closed from "./input/Closed.ts"
import * as Listen from "./input/Listen.ts"
import * as Synchronized from "./input/Synchronized.ts"
import * as SynReceived from "./input/SynReceived.ts"
import * as SynSent from "./input/SynSent.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Listener from "./Listener.ts"
import * as Lookup from "./Lookup.ts"
import * as Parked from "./Parked.ts"
import * as Receive from "./Receive.ts"
import type { Endpoint, Received, TcpRequest } from "./Requests.ts"
import * as Segment from "./Segment.ts"
import * as Send from "./Send.ts"
import type { Entry, State } from "./State.ts"
import * as Timeouts from "./Timeouts.ts"
import * as TimeWait from "./TimeWait.ts"

/** Whether the checksum is right, or the link vouches for it (rfc: 9293 §3.1 MUST-2 MUST-3). */
const isIntact = (packet: Packet, header: Wire.Header): boolean =>
  packet.checksum !== "none" ||
  Wire.verify(
    packet.bytes,
    header,
    Checksum.pseudo(packet.source, packet.destination, IpProtocol.tcp, packet.end - packet.start)
  )

/** A segment that no record takes: a listener's, or nobody's. */
const unclaimed = (ctx: Context, state: State, segment: Segment.Segment): void => {
  const { packet } = segment
  const listener = Lookup.listenerFor(state, packet.destination, segment.destinationPort, packet.link)
  if (listener === undefined) Closed.arrives(ctx, segment)
  else Listen.arrives(ctx, state, listener, segment)
}

const deliver = (ctx: Context, state: State, entry: Entry, segment: Segment.Segment): void => {
  switch (entry._tag) {
    case "Connection":
      if (entry.state === "SYN-SENT") SynSent.arrives(ctx, state, entry, segment)
      else if (Synchronized.arrives(ctx, state, entry, segment)) unclaimed(ctx, state, segment)
      return
    case "HalfOpen":
      return SynReceived.arrives(ctx, state, entry, segment)
    case "TimeWait":
      if (TimeWait.arrives(ctx, state, entry, segment) === "done") return
      TimeWait.remove(ctx, state, entry)
      return unclaimed(ctx, state, segment)
  }
}

/** SEGMENT ARRIVES (RFC 9293 §3.10.7). */
const receive = (ctx: Context, state: State, packet: Packet): void => {
  ctx.count(Counter.index.tcpSegmentsReceived)
  const header = Wire.parse(packet.bytes, packet.start, packet.end)
  if (Malformed.isMalformed(header)) return ctx.drop("Malformed", packet.link, header.detail)
  if (!isIntact(packet, header)) return ctx.drop("TcpChecksum", packet.link)
  // No connection here has a key, so whoever signs means another one (RFC 2385 §2.0, RFC 5925 §7.5): no answer, no change.
  if (header.options.signed) return ctx.drop("TcpSigned", packet.link)
  const segment = Segment.make(header, packet)
  const { destinationPort, sourcePort } = header
  const entry = Lookup.find(ctx, state, packet.destination, destinationPort, packet.source, sourcePort)
  if (entry === undefined) unclaimed(ctx, state, segment)
  else deliver(ctx, state, entry, segment)
}

export const transport = (state: State): Transport => ({
  protocol: IpProtocol.tcp,
  receive: (ctx, packet) => receive(ctx, state, packet),
  error: (ctx, error) => IcmpErrors.arrives(ctx, state, error)
})

/** An alarm rang for a record. */
export const alarm = (ctx: Context, state: State, key: number, due: Time.Instant): void => {
  const entry = state.entries.get(key)
  switch (entry?._tag) {
    case undefined:
      return
    case "Connection":
      return Timeouts.alarm(ctx, state, entry, due)
    case "HalfOpen":
      return Listener.alarm(ctx, state, entry, due)
    case "TimeWait":
      return TimeWait.alarm(ctx, state, entry, due)
  }
}

/** The handler of an alarm threw: the record can't be trusted to go on. */
export const lost = (ctx: Context, state: State, key: number): void => {
  const entry = state.entries.get(key)
  switch (entry?._tag) {
    case undefined:
      return
    case "Connection":
      if (entry.state === "CLOSED") return
      Emit.abort(ctx, entry)
      return Lifecycle.end(ctx, state, entry, Reason.connectionAborted)
    case "HalfOpen":
      return Listener.forget(ctx, state, entry)
    case "TimeWait":
      return TimeWait.remove(ctx, state, entry)
  }
}

/** Bytes of a connection have left a link's transmit queue: room for more. */
export const sent = (ctx: Context, state: State, id: number, bytes: number): void => {
  const self = state.entries.get(id)
  if (self?._tag !== "Connection" || self.state === "CLOSED" || self.state === "TIME-WAIT") return
  const returned: Connection = { ...self, snd: { ...self.snd, credit: Math.max(0, self.snd.credit - bytes) } }
  if (Send.isPending(returned)) Finish.event(ctx, state, returned)
  else ctx.put(state.entries, id, returned)
}

/** Whoever waited has been interrupted. A connect that nobody waits for any more is given up. */
export const abandon = (ctx: Context, state: State, id: number, ticket: Ticket): void => {
  ctx.unpark(ticket)
  const self = state.entries.get(id)
  if (self?._tag !== "Connection") return
  if (self.holder === "opening") return Lifecycle.end(ctx, state, { ...self, parked: Parked.none }, undefined)
  ctx.put(state.entries, id, { ...self, parked: Parked.without(self.parked, ticket) })
}

/** The same for an accept. */
export const abandonAccept = (ctx: Context, state: State, id: number, ticket: Ticket): void => {
  ctx.unpark(ticket)
  const listener = state.listeners.get(id)
  if (listener === undefined) return
  const accepts = Fifo.filter(listener.accepts, (other) => other !== ticket)
  ctx.put(state.listeners, id, { ...listener, accepts })
}

/** A reply found nobody: bytes go back in front, an accepted connection back into its queue, one that was connected is reset. */
export const returned = (ctx: Context, state: State, request: TcpRequest, value: unknown): void => {
  switch (request._tag) {
    case "TcpRead": {
      const received = value as Received
      const self = state.entries.get(request.connection)
      if (self?._tag === "Connection") returnBytes(ctx, state, self, received, request.copies === true)
      for (const memory of received.spent) ctx.spend(memory)
      return
    }
    case "TcpAccept": {
      const self = state.entries.get((value as Endpoint).connection)
      if (self?._tag === "Connection") returnAccepted(ctx, state, request.listener, self)
      return
    }
    case "TcpConnect": {
      const self = state.entries.get((value as Endpoint).connection)
      if (self?._tag === "Connection") lost(ctx, state, self.id)
      if (state.entries.has((value as Endpoint).connection)) Lifecycle.remove(ctx, state, self as Connection)
      return
    }
    case "TcpListen":
    case "TcpCloseListener":
    case "TcpWrite":
    case "TcpShutdown":
    case "TcpClose":
    case "TcpAbort":
    case "TcpAwait":
    case "TcpSetOptions":
    case "TcpGetInfo":
    case "TcpList":
      return
  }
}

const returnBytes = (ctx: Context, state: State, self: Connection, received: Received, copies: boolean): void => {
  if (self.state === "CLOSED" && self.error !== undefined) return
  const back = Receive.unread(ctx, self, received, copies)
  if (self.state === "CLOSED" || self.state === "TIME-WAIT") return ctx.put(state.entries, self.id, back)
  Finish.event(ctx, state, back)
}

/** An accepted connection that found nobody: in front of the queue again, or reset when its listener is gone. */
const returnAccepted = (ctx: Context, state: State, listenerId: number, self: Connection): void => {
  const listener = state.listeners.get(listenerId)
  if (listener === undefined || self.state === "CLOSED") {
    if (self.state !== "CLOSED") Emit.abort(ctx, self)
    if (self.state === "CLOSED") return Lifecycle.remove(ctx, state, self)
    return Lifecycle.end(ctx, state, { ...self, holder: "nobody" }, Reason.connectionAborted)
  }
  const ticket = Fifo.head(listener.accepts)
  if (ticket !== undefined) {
    ctx.put(state.listeners, listenerId, { ...listener, accepts: Fifo.shift(listener.accepts) })
    return Lifecycle.answer(ctx, ticket, Listener.endpointOf(self))
  }
  ctx.put(state.entries, self.id, { ...self, holder: "queued" })
  const queue = Fifo.unshift(listener.queue, [self.id])
  ctx.put(state.listeners, listenerId, { ...listener, queue, waiting: listener.waiting + 1 })
}
