/** How many TCP connections of a stack are in which state. */
import type { State } from "../core/State.ts"
import type { StateName } from "../core/tcp/Info.ts"
import type { Entry } from "../core/tcp/State.ts"

const stateOf = (entry: Entry): StateName => {
  switch (entry._tag) {
    case "Connection":
      return entry.state
    case "HalfOpen":
      return "SYN-RECEIVED"
    case "TimeWait":
      return "TIME-WAIT"
  }
}

/** Half-open connections and those in TIME-WAIT included; listeners are none. */
export const connectionsOf = (state: State): ReadonlyMap<StateName, number> => {
  const counts = new Map<StateName, number>()
  for (const entry of state.tcp.entries.values()) {
    const name = stateOf(entry)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}
