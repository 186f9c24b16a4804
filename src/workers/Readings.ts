/**
 * What readers may know of a stack's state: copies, made under the permit.
 */
import * as Counter from "../core/Counter.ts"
import type { Interface } from "../core/Device.ts"
import * as Drop from "../core/Drop.ts"
import { pools, type State } from "../core/State.ts"
import type { StateName } from "../core/tcp/Info.ts"
import { roundTripBounds } from "../core/tcp/State.ts"
import type * as Address from "../wire/Address.ts"
import type { Classes } from "./Probe.ts"

/** The interfaces by their number. Records are immutable, so they may leave. */
export const interfaces = (state: State): ReadonlyArray<Interface> =>
  Array.from(state.device.interfaces.values()).toSorted((a, b) => a.id - b.id)

/** Name servers and search domains that IPv6 routers have told (RFC 8106), of all interfaces. */
export const advertisedResolvers = (
  state: State
): { readonly servers: ReadonlyArray<Address.Address>; readonly domains: ReadonlyArray<string> } => {
  const told = Array.from(state.ipv6.hosts.values(), ({ machine }) => machine.nameServers)
  return {
    servers: told.flatMap(({ servers }) => servers.map(({ value }) => value)),
    domains: told.flatMap(({ domains }) => domains.map(({ value }) => value))
  }
}

/** Every counter by its name. */
export const counters = (state: State): Record<Counter.Name, number> =>
  Object.fromEntries(Counter.names.map((name, i) => [name, state.counters.get(i)])) as Record<Counter.Name, number>

/** Dropped packets by reason; every reason is there. */
export const drops = (state: State): Record<Drop.DropReason, number> =>
  Object.fromEntries(Drop.reasons.map((reason, i) => [reason, state.drops.get(i)])) as Record<Drop.DropReason, number>

export { pools } from "../core/State.ts"
export const dropReasons = Drop.reasons

export type Pool = typeof pools[number] | "total"

/** Bytes held, by what for. */
export const memory = (state: State): Record<Pool, number> =>
  Object.fromEntries([...pools, "total"].map((pool, i) => [pool, state.memory.get(i)])) as Record<Pool, number>

/** Requests that wait in the core. */
export const parkedRequests = (state: State): number => state.tickets.size

/** The states of RFC 9293 §3.3.2 that a connection, or a listener, may be in. */
export const stateNames: ReadonlyArray<Exclude<StateName, "CLOSED">> = [
  "LISTEN",
  "SYN-SENT",
  "SYN-RECEIVED",
  "ESTABLISHED",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "CLOSE-WAIT",
  "CLOSING",
  "LAST-ACK",
  "TIME-WAIT"
]

/** How many connections are in each state; walks over all of them. */
export const connectionStates = (state: State): Record<StateName, number> => {
  const found = Object.fromEntries(["CLOSED", ...stateNames].map((name) => [name, 0])) as Record<StateName, number>
  found.LISTEN = state.tcp.listeners.size
  for (const entry of state.tcp.entries.values()) {
    if (entry._tag === "Connection") found[entry.state] += 1
    else if (entry._tag === "HalfOpen") found["SYN-RECEIVED"] += 1
    else found["TIME-WAIT"] += 1
  }
  return found
}

/** Measured round trips in seconds; empty without `Config.telemetry`. */
export const roundTrips = (state: State): Classes => {
  const { longestRoundTrip, roundTrips: tally, shortestRoundTrip } = state.tcp
  const counts = Array.from(tally.values.subarray(0, roundTripBounds.length + 1))
  const isEmpty = longestRoundTrip.value < shortestRoundTrip.value
  return {
    bounds: roundTripBounds.map((micros) => micros / 1e6),
    counts,
    sum: tally.get(roundTripBounds.length + 1) / 1e6,
    min: isEmpty ? 0 : shortestRoundTrip.value / 1e6,
    max: longestRoundTrip.value / 1e6
  }
}

/** Bytes that wait for links. */
export const transmitQueued = (state: State): number => {
  let sum = 0
  for (const bytes of state.queued.values()) sum += bytes
  return sum
}
