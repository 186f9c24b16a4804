/**
 * Path MTU discovery (RFC 1191, RFC 8201, RFC 5927 §7.2): a router that could not forward a segment says how large one may be.
 */
import type { Context } from "../Context.ts"
import type { LinkId } from "../Device.ts"
import * as Family from "../Family.ts"
import type { IcmpError } from "../Ip.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Finish from "./Finish.ts"
import * as Loss from "./Loss.ts"
import * as MtuProbe from "./MtuProbe.ts"
import type { State } from "./State.ts"

/** The path as IP knows it now, with the segment size that it carries. */
export const refreshed = (ctx: Context, self: Connection): Connection => {
  const { tuple } = self
  const path = ctx.ip.path(ctx, tuple.remote, tuple.local, self.link)
  return "_tag" in path ? self : MtuProbe.withMss(MtuProbe.limit({ ...self, path }))
}

/** A link of this host carries another size from now on: what leaves over it is cut anew, and what is on its way is not believed lost for that. */
export const onResized = (ctx: Context, state: State, link: LinkId): void => {
  const affected = Array.from(state.entries.values()).filter((entry) =>
    entry._tag === "Connection" && entry.path.link === link && Connections.isSynchronized(entry.state)
  )
  for (const { id } of affected.toSorted((a, b) => a.id - b.id)) {
    const entry = state.entries.get(id)
    if (entry?._tag !== "Connection") continue
    const self = refreshed(ctx, entry)
    if (self.state === "TIME-WAIT") ctx.put(state.entries, id, self)
    else Finish.event(ctx, state, self)
  }
}

/** The error quotes what is in flight: the size is learned, and what was too large is sent again in smaller pieces. */
export const tooBig = (ctx: Context, state: State, self: Connection, error: IcmpError): void => {
  const { path } = self
  const least = (path.version === 4 ? Family.v4 : Family.v6).minimumMtu
  if (!self.config.pathMtuDiscovery || error.mtu >= path.mtu || (error.mtu !== 0 && error.mtu < least)) {
    return ctx.drop("IcmpErrorNotOurs", error.link)
  }
  ctx.ip.learnMtu(ctx, path, error.mtu)
  const smaller = refreshed(ctx, self)
  if (smaller.snd.mss >= self.snd.mss) return
  Finish.event(ctx, state, { ...smaller, board: Loss.everything(smaller.board).board })
}
