/**
 * Taking back what was done for nothing: a timeout that only came too early (F-RTO, RFC 5682; `Frto.ts` holds the test), a loss that was none (by timestamps or by
 * D-SACK; `Undo.ts` tells it). The window, the threshold and the timer return to what they were (RFC 4015 §3).
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Emit from "./Emit.ts"
import * as Frto from "./Frto.ts"
import * as Loss from "./Loss.ts"
import * as Rack from "./Rack.ts"
import * as Recovery from "./Recovery.ts"
import * as Retransmit from "./Retransmit.ts"
import * as Rtt from "./Rtt.ts"
import * as Scoreboard from "./Scoreboard.ts"
import type * as Segment from "./Segment.ts"
import * as Send from "./Send.ts"
import * as SendQueue from "./SendQueue.ts"
import * as Undo from "./Undo.ts"

/** The congestion response was for nothing. */
const takenBack = (ctx: Context, self: Connection): Connection => {
  ctx.count(Counter.index.tcpSpuriousRecoveries)
  ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event: "spurious", detail: Connections.inFlight(self) })
  const { controller, state } = self.control
  return {
    ...self,
    board: Loss.undo(self.board),
    // What was sent again too soon can't show by itself that it came late (rfc: 8985 §6.2 steps 3 and 4); this does.
    rack: self.recovery.phase === "fast" ? Rack.overtaken(self.rack) : self.rack,
    rtt: Rtt.withoutBackoff(self.rtt),
    control: Control.moved(self.control, controller.undo(state, ctx.at)),
    recovery: {
      ...self.recovery,
      phase: "open",
      duplicates: 0,
      prr: undefined,
      budget: 0,
      undo: undefined,
      frto: Frto.off
    }
  }
}

/** Where what goes first again ends: a short segment takes along what fits beside it, a FIN too, unless a SACK tells that some of that has come. */
const endOfFirst = (self: Connection, first: Scoreboard.Range, mss: number): Sequence.Sequence => {
  if (Sequence.distance(first.start, first.end) >= mss || Scoreboard.sackedBytes(self.board) > 0) return first.end
  const { queue, snd } = self
  const end = Sequence.add(first.start, SendQueue.inRecord(queue, first.start, mss))
  const isAll = !Sequence.before(end, queue.end)
  return Sequence.later(first.end, Sequence.earlier(isAll ? Sequence.add(queue.end, 1) : end, snd.nxt))
}

/** A timeout is tested before it is believed: only the first segment goes again now (RFC 5682 §2.1 step 1). */
export const onTimeout = (ctx: Context, self: Connection): Connection => {
  const { recovery } = self
  const first = Scoreboard.firstSegment(self.board)
  const isRecovering = recovery.phase !== "open" || recovery.timeouts > 0
  const timedOut = Recovery.onTimeout(ctx, self)
  if (first === undefined || !self.config.frto || isRecovering) return withLosses(ctx, timedOut)
  const mss = Emit.segmentSize(ctx, timedOut)
  const end = endOfFirst(self, first, mss)
  const marked = Recovery.withLosses(ctx, timedOut, Loss.until(timedOut.board, end))
  const sent = Retransmit.again(ctx, marked, first.start, end, mss)
  return { ...sent, recovery: { ...sent.recovery, frto: Frto.start(end, self.snd.nxt, false) } }
}

/** What the timeout takes for lost: all, or with RACK what is old enough (RFC 8985 §6.3); SACKs that are not true are forgotten first. */
const withLosses = (ctx: Context, self: Connection): Connection => {
  const board = Loss.isReneged(self.board) ? Loss.forgetSacks(self.board) : self.board
  const lost = Recovery.usesRack(self)
    ? Rack.timeout(self.rack, board, Recovery.surroundings(ctx, self))
    : Loss.everything(board)
  const noted = Recovery.withLosses(ctx, self, lost)
  return { ...noted, recovery: { ...noted.recovery, frto: Frto.off } }
}

/** Up to two new segments instead of old ones (RFC 5682 §2.1 step 2b); without any the test can't be made. */
const withNew = (ctx: Context, self: Connection): Connection => {
  const first = Send.one(ctx, self)
  return first === undefined ? withLosses(ctx, self) : Send.one(ctx, first) ?? first
}

/** The test's next step. */
const tested = (
  ctx: Context,
  self: Connection,
  update: Scoreboard.Update,
  isDuplicate: boolean
): Connection => {
  const { frto, verdict } = Frto.onAck(self.recovery.frto, {
    una: self.snd.una,
    nxt: self.snd.nxt,
    isNew: update.acked > 0,
    isDuplicate,
    delivered: update.delivered,
    fack: update.board.fack,
    hasSack: self.agreed.sack
  })
  const next = frto === self.recovery.frto ? self : { ...self, recovery: { ...self.recovery, frto } }
  switch (verdict._tag) {
    case "Nothing":
      return next
    case "SendNew":
      return withNew(ctx, next)
    case "Conventional":
      return withLosses(ctx, next)
    case "Spurious":
      return takenBack(ctx, next)
  }
}

/** What an ACK proves of the last loss. */
export const onAck = (
  ctx: Context,
  self: Connection,
  segment: Segment.Segment,
  update: Scoreboard.Update,
  isDuplicate: boolean
): Connection => {
  const { phase, undo, undoUntil } = self.recovery
  let next = self
  if (undo !== undefined && phase === "open" && Sequence.afterOrEqual(self.snd.una, undoUntil) && update.acked > 0) {
    return { ...self, recovery: { ...self.recovery, undo: undefined } }
  }
  if (undo !== undefined && self.config.undo) {
    const proof = Undo.onAck(undo, {
      isNew: update.acked > 0,
      echo: self.agreed.timestamps ? segment.options.timestampEcho : undefined,
      duplicate: update.duplicate,
      mss: self.snd.mss
    })
    if (proof.isSpurious) return takenBack(ctx, self)
    if (proof.undo !== undo) next = { ...self, recovery: { ...self.recovery, undo: proof.undo } }
  }
  return next.recovery.frto.step === "off" ? next : tested(ctx, next, update, isDuplicate)
}

/** The path of an unbelieved timeout ends with the recovery that it began. */
export const isTesting = (self: Connection): boolean => self.recovery.frto.step !== "off"
