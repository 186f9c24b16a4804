/**
 * What a DHCP server has granted to an interface (RFC 2131), as programs see and keep it.
 *
 * It is a schema, so that a program can write a lease down and give it to the next run, which then asks for the same address.
 */
import * as Schema from "effect/Schema"

/** A way that came with a lease; without a router the network is on the link. */
const Route = Schema.Struct({
  to: Schema.Ipv4NetworkFromString,
  gateway: Schema.optionalKey(Schema.Ipv4AddressFromString)
})

export const Lease = Schema.Struct({
  /** The number of the interface. */
  link: Schema.Int,
  /** The address and its prefix. */
  address: Schema.Ipv4InterfaceFromString,
  /** The server that granted it. */
  server: Schema.Ipv4AddressFromString,
  routes: Schema.Array(Route),
  nameServers: Schema.Array(Schema.Ipv4AddressFromString),
  /** To try behind names, without the dot at the end. */
  searchDomains: Schema.Array(Schema.String),
  domainName: Schema.optionalKey(Schema.String),
  /** What the server calls this host. */
  hostName: Schema.optionalKey(Schema.String),
  ntpServers: Schema.Array(Schema.Ipv4AddressFromString),
  /** Largest IP packet in bytes. */
  mtu: Schema.optionalKey(Schema.Int),
  /** When the server is asked for more time, and when any server is. Absent, as `expiresAt`, for a lease without end. */
  renewAt: Schema.optionalKey(Schema.DateTimeUtcFromMillis),
  rebindAt: Schema.optionalKey(Schema.DateTimeUtcFromMillis),
  /** When the address is gone. */
  expiresAt: Schema.optionalKey(Schema.DateTimeUtcFromMillis)
})

export type Lease = typeof Lease.Type
