/**
 * How large the receive buffer should be: as much as the program reads in two round trips, so that the window never is what limits the peer
 * (dynamic right-sizing, as deployed stacks have it; RFC 7323 §2 gives the room for it).
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"

export interface Tuning {
  /** When the present measurement began, and what had been read by then. */
  readonly since: Time.Instant
  readonly read: Sequence.Sequence
}

export const make = (at: Time.Instant, read: Sequence.Sequence): Tuning => ({ since: at, read })

/** Without a measured round trip. */
const assumedRtt = Time.millis(100)

/** Full segments that may be on their way beside what is measured, while the peer's window still grows. */
const headroom = 16

/** The program has read: once in a round trip the buffer is made to hold what two of them bring. */
export const afterRead = (ctx: Context, self: Connection): Connection => {
  const { buffer, config, rcv, tuning } = self
  if (rcv.size >= config.receiveBufferLimit) return self
  if (Time.between(tuning.since, ctx.at) < (self.rtt.srtt ?? assumedRtt)) return self
  const copied = Sequence.distance(tuning.read, buffer.read)
  const wanted = 2 * copied + headroom * rcv.mss
  const size = Math.min(config.receiveBufferLimit, Math.max(rcv.size, wanted))
  const next = { since: ctx.at, read: buffer.read }
  return { ...self, tuning: next, rcv: size === rcv.size ? rcv : { ...rcv, size } }
}
