/**
 * The end of a handshake: the connection enters ESTABLISHED, and those who waited for that hear of it.
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as KeepAlive from "./KeepAlive.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Listener from "./Listener.ts"
import * as LossTimer from "./LossTimer.ts"
import * as MtuProbe from "./MtuProbe.ts"
import * as Parked from "./Parked.ts"
import * as Recovery from "./Recovery.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as SendQueue from "./SendQueue.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"

/** Answers a connect that waits; from then on a program holds the connection. */
const answerConnect = (ctx: Context, self: Connection): Connection => {
  const { waiters } = self.parked
  if (Fifo.isEmpty(waiters)) return self
  let holder = self.holder
  for (let i = 0; i < Fifo.size(waiters); i++) {
    const waiter = Fifo.get(waiters, i)!
    if (waiter.until === "connect") {
      Lifecycle.answer(ctx, waiter.ticket, Listener.endpointOf(self))
      holder = "program"
    } else if (waiter.until === "established") Lifecycle.answer(ctx, waiter.ticket, undefined)
  }
  const left = Fifo.filter(waiters, (waiter) => waiter.until !== "connect" && waiter.until !== "established")
  return { ...self, holder, parked: Parked.withWaiters(self.parked, left) }
}

/** A connect gets its answer; what came to a listener goes to its queue, unless it was there from its SYN on. */
const handedOut = (ctx: Context, state: State, self: Connection): Connection => {
  const answered = answerConnect(ctx, self)
  if (self.fastOpen === "accepted") {
    ctx.set(state.fastOpens, state.fastOpens.value - 1)
    return { ...answered, fastOpen: "taken" }
  }
  return self.listener === 0 ? answered : Listener.enqueue(ctx, state, answered)
}

/** What of our text the SYN took along and the peer has acknowledged; the rest counts as not sent. */
const withEarlyText = (ctx: Context, self: Connection, una: Sequence.Sequence): Connection => {
  if (self.fastOpen !== "sent") return self
  const queue = SendQueue.acknowledge(self.queue, Sequence.earlier(una, self.queue.end))
  if (queue.held < self.queue.held) ctx.discharge("tcpSend", self.queue.held - queue.held)
  const acked = Sequence.distance(Sequence.add(self.snd.iss, 1), una)
  const snd = { ...self.snd, nxt: una, acked: self.snd.acked + acked }
  return { ...self, fastOpen: acked > 0 ? "taken" : "no", queue, board: Scoreboard.make(una), snd }
}

/** Our SYN is acknowledged up to `una` (RFC 9293 §3.10.7.3, §3.10.7.4 fifth check). A close that came before is carried out now. */
export const enter = (ctx: Context, state: State, self: Connection, una: Sequence.Sequence): Connection => {
  const begun = withEarlyText(ctx, self, una)
  const first = Sequence.later(una, Sequence.add(self.snd.iss, 1))
  // A server that trusted its client may have sent text already: it can be sent again from now on (RFC 7413 §4.2.2).
  const hasSent = begun.snd.nxt !== first
  const opened: Connection = {
    ...begun,
    snd: {
      ...begun.snd,
      una: first,
      lastAt: hasSent ? begun.snd.lastAt : Time.instantOf(0),
      retransmittedSegments: begun.snd.retransmittedSegments + self.recovery.timeouts
    },
    recovery: Recovery.afterHandshake(self.recovery.timeouts),
    deadlines: Deadlines.none,
    error: undefined
  }
  const open = hasSent ? LossTimer.restart(ctx, opened) : opened
  const named = Lifecycle.become(ctx, open, self.snd.fin ? "FIN-WAIT-1" : "ESTABLISHED")
  return MtuProbe.start(KeepAlive.start(ctx, handedOut(ctx, state, named)))
}
