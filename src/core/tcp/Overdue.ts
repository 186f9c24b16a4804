/**
 * The sender's timer has fired: nothing came for too long (RFC 6298 §5.4, RFC 8985 §7.3, RFC 9293 §3.8.6.1, §3.8.3).
 */
import type { Piece } from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { noPieces } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Emit from "./Emit.ts"
import * as Feedback from "./Feedback.ts"
import * as Handshake from "./Handshake.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Loss from "./Loss.ts"
import * as LossTimer from "./LossTimer.ts"
import * as MtuProbe from "./MtuProbe.ts"
import * as PathMtu from "./PathMtu.ts"
import * as Retransmit from "./Retransmit.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as Send from "./Send.ts"
import * as SendQueue from "./SendQueue.ts"
import * as Spurious from "./Spurious.ts"
import type { State } from "./State.ts"
import * as TailLossProbe from "./TailLossProbe.ts"
import * as Deadlines from "./Timer.ts"

/** Nobody answers any more (RFC 9293 §3.8.3 R2). */
const giveUp = (ctx: Context, state: State, self: Connection): undefined => {
  if (ctx.config.tcp.resetsUnanswered) Emit.abort(ctx, self)
  Lifecycle.end(ctx, state, self, self.error ?? Reason.timedOut("retransmission"))
}

/**
 * The peer has taken its window back below what is on its way, and goes on answering: that is its right, and no reason to give it up
 * (rfc: 9293 §3.8.6 MUST-34 SHLD-16 SHLD-17 MAY-7).
 */
const isShutOut = (ctx: Context, self: Connection): boolean =>
  self.snd.wnd < Math.min(self.snd.mss, Connections.inFlight(self)) &&
  Time.between(self.rcv.lastAt, ctx.at) <= self.config.maxRto

/** rfc: 9293 §3.8.3 SHLD-10: R1 is at least three retransmissions. */
const retransmissionsOfDoubt = 3

/** The RTO: the oldest goes again, by a way that is looked up anew (RFC 1122 §3.3.1.4 asks for that: the next hop may be what failed). */
const retransmit = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  if (Connections.inFlight(self) === 0) return self
  const { config, path, recovery } = self
  // rfc: 9293 §3.8.3 MUST-20 MUST-21 SHLD-11: at R1 the next hop is doubted, at every timeout the way is looked up anew; R2 is the knob.
  // A user timeout that the peer has advised takes the place of the count (RFC 5482 §3.1).
  if (recovery.timeouts >= config.retries && self.timeoutOption.adopted === 0 && !isShutOut(ctx, self)) {
    return giveUp(ctx, state, self)
  }
  if (recovery.timeouts + 1 >= retransmissionsOfDoubt) ctx.links.doubt(ctx, path.link, path.nextHop)
  return LossTimer.restart(ctx, Spurious.onTimeout(ctx, MtuProbe.onTimeout(PathMtu.refreshed(ctx, self))))
}

/** TLP_send_probe (rfc: 8985 §7.3): a new segment if there is one, else the last one again. */
const probeTail = (ctx: Context, self: Connection): Connection => {
  ctx.count(Counter.index.tcpTailLossProbes)
  const fresh = Send.one(ctx, self)
  const last = fresh === undefined ? Scoreboard.lastSegment(self.board) : undefined
  const probed = fresh ??
    (last === undefined ? self : Retransmit.again(ctx, self, last.start, last.end, Emit.segmentSize(ctx, self)))
  const tail = TailLossProbe.probed(
    probed.snd.nxt,
    fresh === undefined,
    Loss.flightSize(self.board, Connections.duplicateBytes(self))
  )
  return LossTimer.restart(ctx, { ...probed, tail })
}

/** RACK's reordering timer: what waited for it may be lost now; the RTO goes on as it was. */
const lookAgain = (ctx: Context, self: Connection): Connection => {
  const looked = Feedback.lookAgain(ctx, { ...self, recovery: { ...self.recovery, lookAgain: Time.never } })
  return LossTimer.resume(ctx, looked)
}

/** A probe with the next octet, which counts as sent only when the peer has taken it (`input/Ack.ts`): a closed window need not. */
const withOctet = (ctx: Context, self: Connection): Connection => {
  const pieces: Array<Piece> = []
  const queue = SendQueue.read(self.queue, self.snd.nxt, 1, pieces, false)
  const flags = Connections.unsent(self) === 1 ? Tcp.ACK | Tcp.PSH : Tcp.ACK
  return Emit.segment(ctx, { ...self, queue }, self.snd.nxt, flags, pieces, 1, self.snd.mss, true)
}

/**
 * Asks a closed window whether it has opened (rfc: 9293 §3.8.6.1 MUST-35 MUST-36): an old number without text, which must be answered by an ACK with the window.
 * The peer may keep it closed for ever as long as it answers (rfc: 9293 §3.8.6.1 MUST-37). A window that is open by a little is used instead: the count of timeouts lets a
 * short segment leave (RFC 9293 §3.8.6.2.1, the override timeout).
 */
const persist = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  const { recovery } = self
  if (recovery.probes >= self.config.retries) return giveUp(ctx, state, self)
  ctx.count(Counter.index.tcpZeroWindowProbes)
  const counted: Connection = {
    ...self,
    recovery: { ...recovery, timeouts: recovery.timeouts + 1, probes: recovery.probes + 1 }
  }
  if (self.snd.wnd > 0) return counted
  const asked = ctx.config.tcp.probesWithText && Connections.unsent(self) > 0
    ? withOctet(ctx, counted)
    : Emit.segment(ctx, counted, Sequence.add(self.snd.una, -1), Tcp.ACK, noPieces, 0, self.snd.mss, false)
  return Deadlines.withLoss(asked, "persist", Time.plus(ctx.at, LossTimer.probeAfter(counted)), Time.never)
}

/** The timer has fired, for what it was set. `undefined` when the connection is no more. */
export const timeout = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  const { purpose, rtoAt } = self.deadlines
  const stopped = Deadlines.withLoss(self, purpose, Time.never, rtoAt)
  switch (purpose) {
    case "handshake":
      return Handshake.timeout(ctx, state, stopped)
    case "retransmit":
      return retransmit(ctx, state, stopped)
    case "tailLossProbe":
      return probeTail(ctx, stopped)
    case "reordering":
      return lookAgain(ctx, stopped)
    case "persist":
      return persist(ctx, state, stopped)
  }
}
