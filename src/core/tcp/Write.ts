/**
 * SEND (RFC 9293 §3.10.2): a program's bytes enter the send buffer, as much as there is room for; a blocking write waits for the rest.
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Parked from "./Parked.ts"
import * as Recovery from "./Recovery.ts"
import * as SendQueue from "./SendQueue.ts"

/**
 * Bytes that the send buffer takes now. While less than the low water waits unsent it takes at least a segment, so that a low water of one byte means that nothing
 * is written before it can be sent, and not that bytes are written one by one.
 */
export const room = (self: Connection): number => {
  const free = Math.max(0, sendBuffer(self) - SendQueue.length(self.queue))
  if (self.config.notSentLowWater === Infinity) return free
  const lacking = self.config.notSentLowWater + sendable(self) - Connections.unsent(self)
  return lacking <= 0 ? 0 : Math.min(free, Math.max(lacking, self.snd.mss))
}

/**
 * Windows that the send buffer holds. What is sent behind a hole stays in the buffer until the hole is filled: a round trip for the first sign of it, a quarter of one
 * for the reordering window (RFC 8985 §6.2), one more for the retransmission, and some to write in meanwhile.
 */
const windowsBuffered = 3

/** What can leave at once does not wait unsent. */
const sendable = (self: Connection): number => {
  const { snd } = self
  const offered = snd.wnd - Sequence.distance(snd.una, snd.nxt)
  return Math.max(0, Math.min(offered, Recovery.allowance(self), Connections.creditLeft(self, snd.mss)))
}

/** The send buffer grows with the window that the network has proven to take (auto-sizing). */
export const sendBuffer = (self: Connection): number => {
  const { config } = self
  const wanted = windowsBuffered * self.control.controller.window(self.control.state)
  return Math.max(config.sendBuffer, Math.min(config.sendBufferLimit, wanted))
}

/** Takes bytes into the queue; all of `start` to `end` has room. Fewer are taken when the memory budget is used up: none. */
const take = (
  ctx: Context,
  self: Connection,
  bytes: Uint8Array,
  start: number,
  end: number,
  owned: boolean
): Connection => {
  const queue = SendQueue.write(self.queue, bytes, start, end, owned, ctx)
  const held = queue.held - self.queue.held
  if (held > 0 && !ctx.charge("tcpSend", held)) return self
  return { ...self, queue }
}

/** As many of the bytes as fit now; tells how many by the queue's length. */
export const some = (
  ctx: Context,
  self: Connection,
  bytes: Uint8Array,
  start: number,
  end: number,
  owned: boolean
): Connection => {
  const count = Math.min(room(self), end - start)
  return count <= 0 ? self : take(ctx, self, bytes, start, start + count, owned)
}

/** What has been written is urgent, with what waits to be written and `more` bytes behind that (rfc: 9293 §3.8.5 MUST-30 MUST-31 MUST-62). */
export const urgent = (self: Connection, more: number): Connection => {
  const { writers } = self.parked
  let waiting = more
  for (let i = 0; i < Fifo.size(writers); i++) {
    const writer = Fifo.get(writers, i)!
    waiting += writer.end - writer.at
  }
  return { ...self, snd: { ...self.snd, up: Sequence.add(self.queue.end, waiting), hasUrgent: true } }
}

/**
 * A write that waits goes on when it can end, when a third of the send buffer is free, or when all is sent. Else each ACK would bring a scrap of it: an event's work
 * for two segments' worth, and a copy where the buffer could have pointed into the program's own bytes.
 */
const isWorthServing = (self: Connection, writer: Parked.Writer): boolean => {
  const possible = room(self)
  return possible >= writer.end - writer.at
    || 3 * possible >= Math.min(sendBuffer(self), self.config.notSentLowWater)
    || Connections.unsent(self) === 0
}

/** Goes on with the writes that wait, in the order in which they came. */
export const serveWriters = (ctx: Context, self: Connection): Connection => {
  let writers = self.parked.writers
  if (Fifo.isEmpty(writers)) return self
  let served = self
  for (;;) {
    const writer = Fifo.head(writers)
    if (writer === undefined || !isWorthServing(served, writer)) break
    const before = SendQueue.length(served.queue)
    served = some(ctx, served, writer.bytes, writer.at, writer.end, writer.owned)
    const at = writer.at + SendQueue.length(served.queue) - before
    if (at === writer.at && at < writer.end) break
    writers = Fifo.shift(writers)
    if (at < writer.end) {
      writers = Fifo.unshift(writers, [{ ...writer, at }])
      break
    }
    if (writer.endOfRecord) served = { ...served, queue: SendQueue.endRecord(served.queue) }
    Lifecycle.answer(ctx, writer.ticket, writer.end - writer.start)
  }
  return writers === self.parked.writers
    ? served
    : { ...served, parked: Parked.withWriters(served.parked, writers) }
}
