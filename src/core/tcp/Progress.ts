/**
 * What tracing and metrics want to know of connections, told only where `Config.telemetry` asks.
 *
 * No handler takes part: what an event has done is found by comparing the record before it with the one after it, where every event ends.
 *
 *     entries ── before ──╮
 *                         ├──▶ notices (`ConnectionEvent`), round trips
 *     Finish.event ─ after ╯
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import type { ConnectionEvent } from "../Notice.ts"
import type { Reason } from "../Reason.ts"
import { noTicket, type Ticket } from "../Request.ts"
import type * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import { type Entry, type HalfOpen, roundTripBounds, type State } from "./State.ts"

/** The connect that waits for it, if one does. */
const ticketOf = (entry: Entry): Ticket =>
  entry._tag === "Connection" ? Fifo.head(entry.parked.waiters)?.ticket ?? noTicket : noTicket

const listenerOf = (entry: Entry): number => entry._tag === "TimeWait" ? 0 : entry.listener

/** A record has been made. */
export const opening = (ctx: Context, entry: Entry): void => {
  const { local, localPort, remote, remotePort } = entry.tuple
  const ends = { local, localPort, remote, remotePort }
  const from = { listener: listenerOf(entry), ticket: ticketOf(entry) }
  ctx.notice({ _tag: "ConnectionOpening", connection: entry.id, ...from, ...ends })
}

/** All is over but TIME-WAIT. */
export const ended = (ctx: Context, self: Connection, reason: Reason | undefined): void => {
  ctx.notice({
    _tag: "ConnectionEnded",
    connection: self.id,
    reason,
    totals: {
      bytesAcked: self.snd.acked - (Connections.finAcked(self) ? 1 : 0),
      bytesReceived: self.rcv.bytes,
      segmentsRetransmitted: self.snd.retransmittedSegments,
      timeouts: self.recovery.totalTimeouts,
      smoothedRtt: self.rtt.srtt
    }
  })
}

/** A peer never completed its handshake. */
export const forgotten = (ctx: Context, self: HalfOpen): void => {
  const nothing = { bytesAcked: 0, bytesReceived: 0, timeouts: 0, smoothedRtt: undefined }
  const totals = { ...nothing, segmentsRetransmitted: self.retransmissions }
  ctx.notice({ _tag: "ConnectionEnded", connection: self.id, reason: undefined, totals })
}

/** A closed window holds text back, and only probes go out (RFC 9293 §3.8.6.1). */
const isStuck = ({ deadlines }: Connection): boolean => deadlines.purpose === "persist" && deadlines.loss < Infinity

const note = (ctx: Context, self: Connection, event: ConnectionEvent, detail: number): void =>
  ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event, detail })

/** Segments that the event has sent again, a SYN among them (its retransmissions count as timeouts until the handshake ends). */
const sentAgain = (before: Connection, after: Connection): number =>
  // Those of the handshake were told one by one.
  Connections.isOpening(before.state) && !Connections.isOpening(after.state) ?
    0 :
    after.snd.retransmittedSegments - before.snd.retransmittedSegments +
    (after.state === "SYN-SENT" ? Math.max(0, after.recovery.timeouts - before.recovery.timeouts) : 0)

const compare = (ctx: Context, before: Connection, after: Connection): void => {
  if (before.snd.textSegments === 0 && after.snd.textSegments > 0) note(ctx, after, "firstByteSent", 0)
  if (before.rcv.bytes === 0 && after.rcv.bytes > 0) note(ctx, after, "firstByteReceived", 0)
  const again = sentAgain(before, after)
  if (again > 0) note(ctx, after, "retransmission", again)
  if (before.recovery.phase !== "open" && after.recovery.phase === "open") note(ctx, after, "recovered", 0)
  if (isStuck(before) !== isStuck(after)) {
    const waiting = Math.max(0, Sequence.distance(after.snd.nxt, after.queue.end))
    note(ctx, after, isStuck(after) ? "windowClosed" : "windowOpened", waiting)
  }
}

/** Counts a round trip in its class. */
const measured = (ctx: Context, state: State, rtt: Time.Span): void => {
  let index = 0
  while (index < roundTripBounds.length && rtt > roundTripBounds[index]!) index += 1
  ctx.add(state.roundTrips, index, 1)
  ctx.add(state.roundTrips, roundTripBounds.length + 1, rtt)
  if (rtt < state.shortestRoundTrip.value) ctx.set(state.shortestRoundTrip, rtt)
  if (rtt > state.longestRoundTrip.value) ctx.set(state.longestRoundTrip, rtt)
}

/** Tells what an event has done to a connection; `after` is about to take the place of the record before it. */
export const tell = (ctx: Context, state: State, after: Connection): void => {
  const entry = state.entries.get(after.id)
  const before = entry?._tag === "Connection" ? entry : undefined
  const { latest, samples } = after.rtt
  if (latest !== undefined && samples !== (before?.rtt.samples ?? 0)) measured(ctx, state, latest)
  if (before !== undefined) compare(ctx, before, after)
}
