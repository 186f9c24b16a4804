/**
 * Name servers and search domains that routers advertise (RFC 8106 §5.3.1, §6), in the order in which a resolver should use them.
 */
import * as Address from "../../wire/Address.ts"
import type * as NdpOptions from "../../wire/NdpOptions.ts"
import * as Time from "../Time.ts"
import * as AddressLifetimes from "./AddressLifetimes.ts"

export interface Entry<A> {
  readonly value: A
  readonly until: Time.Instant
}

export interface NameServers {
  /** The first is to be asked first. */
  readonly servers: ReadonlyArray<Entry<Address.Ipv6>>
  readonly domains: ReadonlyArray<Entry<string>>
  readonly deadline: Time.Instant
}

export type Input =
  /** A valid router advertisement with these options came. */
  | {
    readonly _tag: "Advertised"
    readonly dnsServers: ReadonlyArray<NdpOptions.DnsServers>
    readonly dnsSearchLists: ReadonlyArray<NdpOptions.DnsSearchList>
  }
  /** The interface went down. */
  | { readonly _tag: "Disable" }
  | { readonly _tag: "Alarm" }

export type Action =
  /** The servers, or their order, are others now. A link-local one is reached over this link only (RFC 8106 §5.1 MUST). */
  | { readonly _tag: "ServersChanged"; readonly servers: ReadonlyArray<Address.Ipv6> }
  | { readonly _tag: "DomainsChanged"; readonly domains: ReadonlyArray<string> }

export type Outcome = readonly [NameServers, ReadonlyArray<Action>]

export interface Settings {
  readonly limits: { readonly nameServers: number; readonly searchDomains: number }
}

export const empty: NameServers = Object.freeze({
  servers: Object.freeze([]),
  domains: Object.freeze([]),
  deadline: Time.never
})

export const step = (self: NameServers, input: Input, at: Time.Instant, { limits }: Settings): Outcome => {
  const servers = take(self.servers, serversOf(input), input, at, limits.nameServers, Address.equals)
  const domains = take(self.domains, domainsOf(input), input, at, limits.searchDomains, isSameName)
  const actions: Array<Action> = []
  if (!hasSameValues(self.servers, servers)) {
    actions.push({ _tag: "ServersChanged", servers: servers.map(({ value }) => value) })
  }
  if (!hasSameValues(self.domains, domains)) {
    actions.push({ _tag: "DomainsChanged", domains: domains.map(({ value }) => value) })
  }
  const deadline = [...servers, ...domains].reduce((first, { until }) => Time.earliest(first, until), Time.never)
  return [{ servers, domains, deadline }, actions]
}

/** An option: values with the lifetime that they share. */
interface Option<A> {
  readonly lifetime: number
  readonly values: ReadonlyArray<A>
}

/** rfc: 8106 §5.3.1: the addresses have to be those of single hosts. */
const isServer = (address: Address.Ipv6): boolean =>
  !Address.isMulticast(address) && !Address.isUnspecified(address) && !Address.isLoopback(address)

const serversOf = (input: Input): ReadonlyArray<Option<Address.Ipv6>> =>
  input._tag === "Advertised"
    ? input.dnsServers.map(({ lifetime, servers }) => ({ lifetime, values: servers.filter(isServer) }))
    : []

const domainsOf = (input: Input): ReadonlyArray<Option<string>> =>
  input._tag === "Advertised"
    ? input.dnsSearchLists.map(({ domains, lifetime }) => ({ lifetime, values: domains }))
    : []

/** RFC 1035 §2.3.3: letters of both cases are the same. */
const isSameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

const hasSameValues = <A>(before: ReadonlyArray<Entry<A>>, after: ReadonlyArray<Entry<A>>): boolean =>
  before.length === after.length && before.every(({ value }, i) => value === after[i]!.value)

const take = <A>(
  entries: ReadonlyArray<Entry<A>>,
  options: ReadonlyArray<Option<A>>,
  input: Input,
  at: Time.Instant,
  limit: number,
  isSame: (a: A, b: A) => boolean
): ReadonlyArray<Entry<A>> => {
  if (input._tag === "Disable") return []
  const alive = entries.filter(({ until }) => until > at)
  return options.reduce<ReadonlyArray<Entry<A>>>((all, option) => update(all, option, at, limit, isSame), alive)
}

/** RFC 8106 §6.2, §6.3, steps (b) to (d). */
const update = <A>(
  entries: ReadonlyArray<Entry<A>>,
  { lifetime, values }: Option<A>,
  at: Time.Instant,
  limit: number,
  isSame: (a: A, b: A) => boolean
): ReadonlyArray<Entry<A>> => {
  // rfc: 8106 §5.1 MUST: a lifetime of zero ends the use
  if (lifetime === 0) return entries.filter(({ value }) => !values.some((other) => isSame(value, other)))
  const until = AddressLifetimes.after(at, lifetime)
  const renewed = entries.map((entry) =>
    values.some((value) => isSame(value, entry.value)) ? { ...entry, until } : entry
  )
  const added: Array<Entry<A>> = []
  for (const value of values) {
    const isKnown = [...renewed, ...added].some((entry) => isSame(entry.value, value))
    // Of one option no more than fit, its first ones.
    if (!isKnown && added.length < limit) added.push({ value, until })
  }
  return [...added, ...withRoom(renewed, Math.max(0, limit - added.length))]
}

/** rfc: 8106 §6.2 (d): those go that would be the first to expire. */
const withRoom = <A>(entries: ReadonlyArray<Entry<A>>, room: number): ReadonlyArray<Entry<A>> => {
  if (entries.length <= room) return entries
  const lasting = entries.map((entry, index) => ({ entry, index }))
    .toSorted((a, b) => compare(b.entry.until, a.entry.until) || a.index - b.index)
    .slice(0, room)
  return entries.filter((entry) => lasting.some((other) => other.entry === entry))
}

/** Of instants, two of which may be infinite. */
const compare = (a: Time.Instant, b: Time.Instant): number => a === b ? 0 : a < b ? -1 : 1
