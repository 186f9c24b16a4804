/**
 * Leases between the two sides: the client's machine has packed addresses and seconds of a monotonic clock, programs have addresses as
 * `effect/net` has them and dates.
 */
import * as DateTime from "effect/DateTime"
import * as IpInterface from "effect/net/IpInterface"
import * as IpNetwork from "effect/net/IpNetwork"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Network from "../sockets/Network.ts"
import * as Address from "../wire/Address.ts"
import type * as DhcpGrant from "./DhcpGrant.ts"

/** The two clocks at one moment, and the interface that it is about. */
export interface AsOf {
  readonly link: Network.LinkId
  readonly seconds: number
  readonly wallMillis: number
}

const ipv4 = (address: Address.Ipv4): NetAddress.Ipv4Address => Address.toNet(address) as NetAddress.Ipv4Address

const packed = (address: NetAddress.Ipv4Address): Address.Ipv4 => Address.fromNet(address) as Address.Ipv4

const networkOf = (destination: Address.Ipv4, length: number): IpNetwork.Ipv4Network =>
  IpNetwork.fromAddressUnsafe(ipv4(destination), length) as IpNetwork.Ipv4Network

export const interfaceOf = ({ address, prefixLength }: DhcpGrant.Grant): IpInterface.Ipv4Interface =>
  IpInterface.makeUnsafe(ipv4(address), prefixLength) as IpInterface.Ipv4Interface

const waysOf = ({ routes }: DhcpGrant.Grant): Network.Lease["routes"] =>
  routes.map(({ destination, length, router }) => ({
    to: networkOf(destination, length),
    // rfc: 3442: no router stands for the link itself
    ...(router === 0 ? {} : { gateway: ipv4(router) })
  }))

/** Those on the link first, since the routers of others may be behind them. */
export const routesOf = (grant: DhcpGrant.Grant, link: Network.LinkId): ReadonlyArray<Network.RouteInput> => {
  const routes: Array<Network.RouteInput> = []
  for (const way of waysOf(grant)) {
    const route = { ...way, link, origin: "dhcp" } as const
    if (way.gateway === undefined) routes.unshift(route)
    else routes.push(route)
  }
  return routes
}

const present = <K extends string, A>(key: K, value: A | undefined): { readonly [P in K]?: A } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: A }

const dateOf = (at: number, { seconds, wallMillis }: AsOf): DateTime.Utc | undefined =>
  at === Infinity ? undefined : DateTime.makeUnsafe(Math.round(wallMillis + (at - seconds) * 1000))

/** A lease as programs see it. */
export const of = ({ expiresAt, grant, rebindAt, renewAt }: DhcpGrant.Lease, asOf: AsOf): Network.Lease => ({
  link: asOf.link,
  address: interfaceOf(grant),
  server: ipv4(grant.server),
  routes: waysOf(grant),
  nameServers: grant.nameServers.map(ipv4),
  searchDomains: grant.searchDomains,
  ...present("domainName", grant.domainName),
  ...present("hostName", grant.hostName),
  ntpServers: grant.ntpServers.map(ipv4),
  ...present("mtu", grant.mtu),
  ...present("renewAt", dateOf(renewAt, asOf)),
  ...present("rebindAt", dateOf(rebindAt, asOf)),
  ...present("expiresAt", dateOf(expiresAt, asOf))
})

const instantOf = (date: DateTime.Utc | undefined, { seconds, wallMillis }: AsOf): number =>
  date === undefined ? Infinity : seconds + (DateTime.toEpochMillis(date) - wallMillis) / 1000

const grantOf = (lease: Network.Lease, seconds: number): DhcpGrant.Grant => ({
  address: packed(lease.address.address),
  prefixLength: lease.address.prefixLength,
  server: packed(lease.server),
  seconds,
  renewalSeconds: undefined,
  rebindingSeconds: undefined,
  routes: lease.routes.map(({ gateway, to }) => ({
    destination: packed(to.address),
    length: to.prefixLength,
    router: gateway === undefined ? 0 : packed(gateway)
  })),
  nameServers: lease.nameServers.map(packed),
  searchDomains: lease.searchDomains,
  domainName: lease.domainName,
  hostName: lease.hostName,
  ntpServers: lease.ntpServers.map(packed),
  mtu: lease.mtu
})

/** What a lease of an earlier run is worth now: its address in any case, the rest while it lasts. */
export const remembered = (
  lease: Network.Lease,
  asOf: AsOf
): { readonly address: Address.Ipv4; readonly lease: DhcpGrant.Lease | undefined } => {
  const expiresAt = instantOf(lease.expiresAt, asOf)
  const grant = grantOf(lease, expiresAt - asOf.seconds)
  const kept: DhcpGrant.Lease = {
    grant,
    renewAt: instantOf(lease.renewAt, asOf),
    rebindAt: instantOf(lease.rebindAt, asOf),
    expiresAt
  }
  return { address: grant.address, lease: expiresAt > asOf.seconds ? kept : undefined }
}
