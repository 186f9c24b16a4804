/**
 * What a stack knows of itself, as plain data: for the page and the JSON of `StatusSite`, and for `netstack watch`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Netstack } from "../sockets/Netstack.ts"
import * as Network from "../sockets/Network.ts"
import type { TcpInfo } from "../sockets/TcpInfo.ts"

const Counts = Schema.Record(Schema.String, Schema.Finite)
type Counts = typeof Counts.Type

export const Interface = Schema.Struct({
  name: Schema.String,
  link: Schema.Int,
  medium: Schema.String,
  mac: Schema.String,
  mtu: Schema.Int,
  /** What the link does in the stack's place: `checksums`, and the super-segments that it cuts. */
  offload: Schema.Array(Schema.String),
  up: Schema.Boolean,
  addresses: Schema.Array(Schema.String),
  lost: Counts
})
export type Interface = typeof Interface.Type

/** Times are in milliseconds, everything else in bytes or segments; totals are since the beginning. */
export const Connection = Schema.Struct({
  id: Schema.Int,
  state: Schema.String,
  local: Schema.String,
  remote: Schema.String,
  rtt: Schema.Finite,
  cwnd: Schema.Finite,
  /** 0 for none yet. */
  ssthresh: Schema.Finite,
  inFlight: Schema.Finite,
  unsent: Schema.Finite,
  unread: Schema.Finite,
  sent: Schema.Finite,
  received: Schema.Finite,
  retransmitted: Schema.Finite,
  timeouts: Schema.Finite,
  congestionControl: Schema.String
})
export type Connection = typeof Connection.Type

const Neighbor = Schema.Struct({
  address: Schema.String,
  mac: Schema.String,
  link: Schema.Int,
  state: Schema.String
})

const Route = Schema.Struct({
  to: Schema.String,
  gateway: Schema.String,
  link: Schema.Int,
  metric: Schema.Finite,
  origin: Schema.String
})

export const Status = Schema.Struct({
  /** Milliseconds since 1970. */
  at: Schema.Finite,
  interfaces: Schema.Array(Interface),
  neighbors: Schema.Array(Neighbor),
  routes: Schema.Array(Route),
  connections: Schema.Array(Connection),
  /** Only what has happened: the rest of the names would hide it. */
  counters: Counts,
  drops: Counts,
  memory: Counts
})
export type Status = typeof Status.Type

const nonZero = (counts: Counts): Counts =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))

const interfaceOf = (self: Network.NetworkInterface): Interface => ({
  name: self.name,
  link: self.link,
  medium: self.medium,
  mac: self.mac?.toString() ?? "",
  mtu: self.mtu,
  offload: [...(self.offload.checksum ? ["checksums"] : []), ...self.offload.segmentation],
  up: self.up,
  addresses: self.addresses.map((address) => `${address.interface} (${address.state})`),
  lost: nonZero(self.lost)
})

const connectionOf = (info: TcpInfo): Connection => ({
  id: info.connection,
  state: info.state,
  local: info.local.toString(),
  remote: info.remote.toString(),
  rtt: Duration.toMillis(info.smoothedRtt),
  cwnd: info.congestionWindow,
  // None yet: JSON has no infinity.
  ssthresh: Number.isFinite(info.slowStartThreshold) ? info.slowStartThreshold : 0,
  inFlight: info.inFlight,
  unsent: info.unsent,
  unread: info.unread,
  sent: info.bytesAcked,
  received: info.bytesReceived,
  retransmitted: info.segmentsRetransmitted,
  timeouts: info.timeouts,
  congestionControl: info.congestionControl
})

/** What the stack knows now. */
export const read: Effect.Effect<Status, Network.NetworkError, Netstack> = Effect.gen(function*() {
  return {
    at: yield* Clock.currentTimeMillis,
    interfaces: (yield* Network.interfaces).map(interfaceOf),
    neighbors: (yield* Network.neighbors()).map(({ address, link, mac, state }) => ({
      address: address.toString(),
      mac: mac?.toString() ?? "",
      link,
      state
    })),
    routes: (yield* Network.routes).map(({ gateway, link, metric, origin, to }) => ({
      to: to.toString(),
      gateway: gateway?.toString() ?? "",
      link,
      metric,
      origin
    })),
    connections: (yield* Network.connections).map(connectionOf),
    counters: nonZero(yield* Network.counters),
    drops: nonZero(yield* Network.drops),
    memory: nonZero(yield* Network.memory)
  }
})
