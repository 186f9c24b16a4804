/**
 * Connections whose local address is gone (a lease that ended, a conflict, a detached interface): nobody can reach them any more, and what they
 * sent would come from an address that may be another host's by now.
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import * as Reason from "../Reason.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Listener from "./Listener.ts"
import type { Entry, State } from "./State.ts"
import * as TimeWait from "./TimeWait.ts"

/** Ends all connections from an address, without a segment; their programs hear `ConnectionAborted`. */
export const end = (ctx: Context, state: State, address: Address.Address): void => {
  const orphans = Array.from(state.entries.values()).filter(({ tuple }) => Address.equals(tuple.local, address))
  for (const orphan of orphans.toSorted((a, b) => a.id - b.id)) endOne(ctx, state, orphan.id)
}

/** By id, since the end of one may have changed the record of another. */
const endOne = (ctx: Context, state: State, id: number): void => {
  const entry: Entry | undefined = state.entries.get(id)
  switch (entry?._tag) {
    case undefined:
      return
    case "Connection":
      return entry.state === "CLOSED" ? undefined : Lifecycle.end(ctx, state, entry, Reason.connectionAborted)
    case "HalfOpen":
      return Listener.forget(ctx, state, entry)
    case "TimeWait":
      return TimeWait.remove(ctx, state, entry)
  }
}
