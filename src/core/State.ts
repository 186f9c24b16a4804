/**
 * The whole of what a stack knows, in one record of journaled tables. There is one per stack, in one Ref, behind one lock.
 */
import type { Config } from "./Config.ts"
import type { TicketHolder } from "./Context.ts"
import * as Counter from "./Counter.ts"
import { type LinkId, loopback } from "./Device.ts"
import * as Device from "./device/State.ts"
import * as Drop from "./Drop.ts"
import type { Keys } from "./Entropy.ts"
import * as Icmp from "./icmp/State.ts"
import * as Ip from "./ip/State.ts"
import * as Ipv6 from "./ipv6/State.ts"
import { Cell, Table, Tally } from "./Journal.ts"
import * as Multicast from "./multicast/State.ts"
import * as Neighbor from "./neighbor/State.ts"
import * as Ping from "./ping/State.ts"
import * as Raw from "./raw/State.ts"
import type { Ticket } from "./Request.ts"
import * as Route from "./route/State.ts"
import * as Tcp from "./tcp/State.ts"
import * as Udp from "./udp/State.ts"

export interface State {
  readonly config: Config
  readonly keys: Keys
  /** Counters of `core/Counter.ts`. */
  readonly counters: Tally
  /** Drops by reason, in the order of `Drop.reasons`. */
  readonly drops: Tally
  /** Bytes held, in the order of {@link pools}; the last entry is their sum. */
  readonly memory: Tally
  readonly lastId: Cell<number>
  /** Tickets that wait, and in which record. */
  readonly tickets: Table<Ticket, TicketHolder>
  /** Bytes in each link's transmit queue. */
  readonly queued: Table<LinkId, number>
  readonly device: Device.State
  readonly neighbor: Neighbor.State
  readonly route: Route.State
  readonly ip: Ip.State
  readonly ipv6: Ipv6.State
  readonly multicast: Multicast.State
  readonly icmp: Icmp.State
  readonly udp: Udp.State
  readonly ping: Ping.State
  readonly raw: Raw.State
  readonly tcp: Tcp.State
}

/** The rows of the memory account. */
export const pools = ["tcpReceive", "tcpSend", "tcpOutOfOrder", "datagrams", "fragments", "parkedPackets"] as const

/** The loopback link is there from the start, and so is its queue. */
const queues = (): Table<LinkId, number> => {
  const table = new Table<LinkId, number>("queued")
  table.map.set(loopback, 0)
  return table
}

export const make = (config: Config, keys: Keys): State => ({
  config,
  keys,
  counters: new Tally("counters", Counter.names.length),
  drops: new Tally("drops", Drop.reasons.length),
  memory: new Tally("memory", pools.length + 1),
  lastId: new Cell("lastId", 0),
  tickets: new Table("tickets"),
  queued: queues(),
  device: Device.make(),
  neighbor: Neighbor.make(),
  route: Route.make(),
  ip: Ip.make(),
  ipv6: Ipv6.make(),
  multicast: Multicast.make(),
  icmp: Icmp.make(config),
  udp: Udp.make(),
  ping: Ping.make(),
  raw: Raw.make(),
  tcp: Tcp.make(config)
})

/** A plain copy of every table, cell and tally, for readers, comparisons and saves. Records are immutable, so they are shared. */
export const snapshot = (state: State): Readonly<Record<string, unknown>> => {
  const copied: Record<string, unknown> = {}
  const walk = (prefix: string, value: object): void => {
    for (const [name, part] of Object.entries(value)) {
      const path = prefix === "" ? name : `${prefix}.${name}`
      if (part instanceof Table) copied[path] = new Map(part.map)
      else if (part instanceof Cell) copied[path] = part.value
      else if (part instanceof Tally) copied[path] = Array.from(part.values)
      else if (typeof part === "object" && part !== null && name !== "config" && name !== "keys") {
        walk(path, part)
      }
    }
  }
  walk("", state)
  return copied
}
