/**
 * What readers may know of a stack's state: copies, made under the permit.
 */
import * as Counter from "../core/Counter.ts"
import type { Interface } from "../core/Device.ts"
import * as Drop from "../core/Drop.ts"
import { pools, type State } from "../core/State.ts"

/** The interfaces by their number. Records are immutable, so they may leave. */
export const interfaces = (state: State): ReadonlyArray<Interface> =>
  Array.from(state.device.interfaces.values()).toSorted((a, b) => a.id - b.id)

/** Every counter by its name. */
export const counters = (state: State): Record<Counter.Name, number> =>
  Object.fromEntries(Counter.names.map((name, i) => [name, state.counters.get(i)])) as Record<Counter.Name, number>

/** Dropped packets by reason; every reason is there. */
export const drops = (state: State): Record<Drop.DropReason, number> =>
  Object.fromEntries(Drop.reasons.map((reason, i) => [reason, state.drops.get(i)])) as Record<Drop.DropReason, number>

export type Pool = typeof pools[number] | "total"

/** Bytes held, by what for. */
export const memory = (state: State): Record<Pool, number> =>
  Object.fromEntries([...pools, "total"].map((pool, i) => [pool, state.memory.get(i)])) as Record<Pool, number>

/** Requests that wait in the core. */
export const parkedRequests = (state: State): number => state.tickets.size
