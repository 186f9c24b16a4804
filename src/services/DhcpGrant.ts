/**
 * What a DHCP server gives, read from its offer or acknowledgement (RFC 2131 §4.3.1, RFC 2132), and for how long (RFC 2131 §4.4.5).
 *
 *     sent           T1                     T2            expiry
 *      |── bound ────|── renewing ──────────|─ rebinding ─|
 *                     asks its own server    asks any
 *
 * All times are seconds: those of a {@link Lease} on whatever monotonic clock the caller has, those of a {@link Grant} from its start.
 */
import * as Address from "../wire/Address.ts"
import type * as DhcpOptions from "../wire/DhcpOptions.ts"
import type * as Dhcpv4 from "../wire/Dhcpv4.ts"

export interface Grant {
  readonly address: Address.Ipv4
  readonly prefixLength: number
  /** Who gave it, and whom to ask for more. */
  readonly server: Address.Ipv4
  /** `Infinity` for one without end. */
  readonly seconds: number
  readonly renewalSeconds: number | undefined
  readonly rebindingSeconds: number | undefined
  /** The classless ones if there are any, otherwise a default route by each router; a router of 0 stands for the link. */
  readonly routes: ReadonlyArray<DhcpOptions.Route>
  readonly nameServers: ReadonlyArray<Address.Ipv4>
  /** Domains to try behind names, without the dot at the end. */
  readonly searchDomains: ReadonlyArray<string>
  readonly domainName: string | undefined
  readonly hostName: string | undefined
  readonly ntpServers: ReadonlyArray<Address.Ipv4>
  readonly mtu: number | undefined
}

/** A grant and when its phases begin. */
export interface Lease {
  readonly grant: Grant
  readonly renewAt: number
  readonly rebindAt: number
  readonly expiresAt: number
}

/** Routes, servers and domains of one message that are looked at: what a server sends grows nothing without a bound. */
export const mostEntries = 32

/** rfc: 2131 §3.3: all ones stand for a lease without end. */
const withoutEnd = 0xffff_ffff

/** The shortest lease that is taken: whoever gives less would have its client ask without pause. */
export const shortestSeconds = 10

/** The length of a mask; nothing for one whose ones are not all in front. */
const lengthOf = (mask: Address.Ipv4): number | undefined => {
  const length = Math.clz32(~mask)
  return Address.mask32(length) === mask ? length : undefined
}

/** Without a mask the address's class tells the network, as hosts had it before masks (RFC 950 §2.1). */
const lengthOfClass = (address: Address.Ipv4): number => address >= 0 ? 8 : address >>> 30 === 2 ? 16 : 24

/** rfc: 1122 §3.2.1.3: one host, on a network of its own kind. */
const isHost = (address: Address.Ipv4): boolean =>
  address >>> 24 !== 0 && address >>> 28 < 14 && !Address.isLoopback(address)

/** rfc: 2132 §5.1: at least 68. */
const mtuOf = (mtu: number | undefined): number | undefined => mtu !== undefined && mtu >= 68 ? mtu : undefined

/** rfc: 3442 MUST: with classless routes the routers are not looked at. */
const routesOf = ({ classlessRoutes, routers = [] }: DhcpOptions.Options): ReadonlyArray<DhcpOptions.Route> =>
  (classlessRoutes ?? routers.map((router) => ({ destination: 0, length: 0, router }))).slice(0, mostEntries)

const domainsOf = ({ domainName, domainSearch }: DhcpOptions.Options): ReadonlyArray<string> => {
  const found = domainSearch ?? (domainName === undefined ? [] : [domainName])
  return found.slice(0, mostEntries).map((name) => name.replace(/\.$/, "")).filter((name) => name !== "")
}

/** What an offer or an acknowledgement gives; nothing if it lacks what a client can't do without (RFC 2131 §4.3.1, table 3). */
export const read = ({ options, yourAddress }: Dhcpv4.Message): Grant | undefined => {
  const { leaseTime, serverIdentifier, subnetMask } = options
  if (!isHost(yourAddress) || serverIdentifier === undefined) return undefined
  if (leaseTime === undefined || leaseTime < shortestSeconds) return undefined
  return {
    address: yourAddress,
    prefixLength: (subnetMask === undefined ? undefined : lengthOf(subnetMask)) ?? lengthOfClass(yourAddress),
    server: serverIdentifier,
    seconds: leaseTime === withoutEnd ? Infinity : leaseTime,
    renewalSeconds: options.renewalTime,
    rebindingSeconds: options.rebindingTime,
    routes: routesOf(options),
    nameServers: (options.dnsServers ?? []).slice(0, mostEntries),
    searchDomains: domainsOf(options),
    domainName: options.domainName,
    hostName: options.hostName,
    ntpServers: (options.ntpServers ?? []).slice(0, mostEntries),
    mtu: mtuOf(options.interfaceMtu)
  }
}

/** How far from their usual place T1 and T2 may lie, as a share of the lease (rfc: 2131 §4.4.5 SHOULD). */
const fuzz = 0.05

/**
 * The lease of a grant that was asked for at `from`. rfc: 2131 §4.4.1: its end counts from the request, not from the answer. `chance` is a number from 0 to 1.
 */
export const begin = (grant: Grant, from: number, chance: number): Lease => {
  const { rebindingSeconds, renewalSeconds, seconds } = grant
  if (seconds === Infinity) return { grant, renewAt: Infinity, rebindAt: Infinity, expiresAt: Infinity }
  // rfc: 2131 §4.4.5 MUST: T1 before T2 before the end; a server's times that are not so are as good as none.
  const within = (given: number | undefined, end: number): number | undefined =>
    given !== undefined && given > 0 && given < end ? given : undefined
  const rebinding = within(rebindingSeconds, seconds) ?? seconds * (0.875 - fuzz * chance)
  const usual = within(seconds * (0.5 - fuzz * chance), rebinding) ?? rebinding / 2
  const renewal = within(renewalSeconds, rebinding) ?? usual
  return { grant, renewAt: from + renewal, rebindAt: from + rebinding, expiresAt: from + seconds }
}
