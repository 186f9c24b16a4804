/**
 * What routers have told about the packets that fit (RFC 1191, RFC 8201): a bounded memory of destinations with a smaller MTU than
 * the link's.
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import * as Family from "../Family.ts"
import * as Time from "../Time.ts"
import type { State } from "./State.ts"

/** After this the link's MTU is tried again (RFC 1191 §6.3: 10 minutes; RFC 8201 §4: not within 5 minutes). */
const lifetime = Time.seconds(600)

/** MTUs that links really have, for routers that don't tell theirs (RFC 1191 §7.1, table 7-1). */
const plateaus = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68]

/** The MTU towards a destination: that of the link, or less. */
export const get = (ctx: Context, state: State, destination: Address.Address, linkMtu: number): number => {
  if (state.pathMtus.size === 0) return linkMtu
  const known = state.pathMtus.get(Address.key(destination))
  return known === undefined || known.until <= ctx.at || known.mtu > linkMtu ? linkMtu : known.mtu
}

/** A packet of `current` bytes was too big; the router told `mtu`, or 0. */
export const learn = (
  ctx: Context,
  state: State,
  destination: Address.Address,
  current: number,
  told: number
): void => {
  // rfc: 1191 §5: a router that does not tell is answered with the next smaller usual size.
  const next = told === 0 ? plateaus.find((plateau) => plateau < current) ?? 0 : told
  const mtu = Math.max(next, Family.of(destination).minimumMtu)
  // rfc: 1191 §3, 8201 §4: a message never makes the estimate larger, only time does
  if (mtu >= current) return
  const key = Address.key(destination)
  const before = state.pathMtus.get(key)
  const order = before === undefined ? makeRoom(ctx, state, key) : before.order
  ctx.put(state.pathMtus, key, { destination, mtu, until: Time.plus(ctx.at, lifetime), order })
}

/** A number for a new entry; the one learnt first goes if there are too many. */
const makeRoom = (ctx: Context, state: State, key: number | string): number => {
  let { oldest, next } = state.pathMtuAges.value
  while (state.pathMtus.size >= ctx.config.limits.pathMtus && oldest < next) {
    const gone = state.pathMtuOrder.get(oldest)
    if (gone !== undefined) {
      ctx.remove(state.pathMtus, gone)
      ctx.remove(state.pathMtuOrder, oldest)
    }
    oldest++
  }
  ctx.put(state.pathMtuOrder, next, key)
  ctx.set(state.pathMtuAges, { oldest, next: next + 1 })
  return next
}
