/**
 * Challenge ACKs (RFC 5961): the answer to what may be an attack and may be a peer that has lost its mind. It tells an honest peer
 * where we are and an attacker nothing. Limited per stack (§7), and per connection, so that two confused ends do not answer each other for ever.
 */
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as TokenBucket from "../data/TokenBucket.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Emit from "./Emit.ts"
import { challengeRate, type State } from "./State.ts"

/** Takes a challenge ACK from the allowance of the stack; false when it is used up. */
// rfc: 5961 §7 SHOULD
export const isAllowed = (ctx: Context, state: State): boolean => {
  const left = TokenBucket.take(state.challenges.value, challengeRate(ctx.config), ctx.at)
  if (left === undefined) return false
  ctx.set(state.challenges, left)
  ctx.count(Counter.index.tcpChallengeAcks)
  return true
}

/** Whether so much time has passed since the last one of a connection that another may leave. */
export const isDue = (ctx: Context, last: Time.Instant): boolean =>
  Time.between(last, ctx.at) >= ctx.config.tcp.challengeInterval

/** Sends a challenge ACK if the allowances permit. */
export const send = (ctx: Context, state: State, self: Connection): Connection => {
  if (!isDue(ctx, self.rcv.challengedAt) || !isAllowed(ctx, state)) return self
  return Emit.ack(ctx, { ...self, rcv: { ...self.rcv, challengedAt: ctx.at } })
}
