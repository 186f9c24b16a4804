/**
 * What a router says of itself and its link (RFC 4861 §6.2.1, §6.2.3; RFC 4191 §4; RFC 8106 §5): configured, checked, put into messages that
 * fit, and compared with what other routers say (RFC 4861 §6.2.7).
 */
import * as Address from "../../wire/Address.ts"
import * as DomainName from "../../wire/DomainName.ts"
import type { Mac } from "../../wire/Mac.ts"
import * as Ndp from "../../wire/Ndp.ts"
import * as NdpOptions from "../../wire/NdpOptions.ts"
import * as Time from "../Time.ts"

export interface Advertisement {
  /** MaxRtrAdvInterval and MinRtrAdvInterval. */
  readonly maximumInterval: Time.Span
  readonly minimumInterval: Time.Span
  readonly managed: boolean
  readonly otherConfiguration: boolean
  /** AdvLinkMTU; absent to say nothing, as zero is in the three below. */
  readonly mtu: number | undefined
  readonly reachableTime: Time.Span
  readonly retransmit: Time.Span
  readonly hopLimit: number
  /** AdvDefaultLifetime; zero for who is no default router. */
  readonly routerLifetime: Time.Span
  readonly preference: NdpOptions.Preference
  readonly prefixes: ReadonlyArray<NdpOptions.Prefix>
  readonly routes: ReadonlyArray<NdpOptions.Route>
  readonly dnsServers: ReadonlyArray<NdpOptions.DnsServers>
  readonly dnsSearchLists: ReadonlyArray<NdpOptions.DnsSearchList>
}

/** rfc: 4861 §6.2.1 */
export const defaults: Advertisement = Object.freeze({
  maximumInterval: Time.seconds(600),
  minimumInterval: Time.seconds(198),
  managed: false,
  otherConfiguration: false,
  mtu: undefined,
  reachableTime: Time.zero,
  retransmit: Time.zero,
  hopLimit: 64,
  routerLifetime: Time.seconds(1800),
  preference: 0,
  prefixes: Object.freeze([]),
  routes: Object.freeze([]),
  dnsServers: Object.freeze([]),
  dnsSearchLists: Object.freeze([])
})

/** A prefix with the flags and lifetimes of RFC 4861 §6.2.1. */
export const prefix = (address: Address.Ipv6, length: number): NdpOptions.Prefix => ({
  prefix: Address.network(address, length) as Address.Ipv6,
  length,
  onLink: true,
  autonomous: true,
  validLifetime: 2_592_000,
  preferredLifetime: 604_800
})

type Rule = (self: Advertisement, linkMtu: number) => string | undefined

const between = (value: Time.Span, low: Time.Span, high: Time.Span): boolean => value >= low && value <= high

const isOctet = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255

/** What stands in 32 bits: a lifetime in seconds. */
const isLifetime = (value: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= NdpOptions.infiniteLifetime

/** Bytes of one option of name servers or of domains, whose length counts 255 times eight octets at most. */
const fitsOption = (size: number): boolean => size <= 255 * 8

/** What a configuration must not be. */
const rules: ReadonlyArray<Rule> = [
  // rfc: 4861 §6.2.1 MUST
  ({ maximumInterval }) =>
    between(maximumInterval, Time.seconds(4), Time.seconds(1800))
      ? undefined
      : "the maximum interval is not 4 to 1800 s",
  // rfc: 4861 §6.2.1 MUST; below 9 s the default is the maximum itself
  ({ maximumInterval, minimumInterval }) =>
    between(minimumInterval, Time.seconds(3), Time.scale(maximumInterval, 0.75)) ||
      (maximumInterval < Time.seconds(9) && minimumInterval === maximumInterval)
      ? undefined
      : "the minimum interval is not 3 s to three quarters of the maximum",
  // rfc: 4861 §6.2.1 MUST
  ({ maximumInterval, routerLifetime }) =>
    routerLifetime === 0 || between(routerLifetime, maximumInterval, Time.seconds(9000))
      ? undefined
      : "the router lifetime is neither 0 nor from the maximum interval to 9000 s",
  // rfc: 4861 §6.2.1 MUST
  ({ reachableTime }) =>
    between(reachableTime, Time.zero, Time.seconds(3600)) ? undefined : "the reachable time is over an hour",
  ({ mtu }, linkMtu) =>
    mtu === undefined || (mtu >= 1280 && mtu <= linkMtu) ? undefined : "the MTU is below 1280 or above the link's",
  ({ hopLimit }) => isOctet(hopLimit) ? undefined : "the hop limit is not an octet",
  ({ retransmit }) =>
    between(retransmit, Time.zero, Time.millis(0xffff_ffff)) ? undefined : "the retransmission timer exceeds its field",
  ({ prefixes, routes }) =>
    [...prefixes, ...routes].every(({ length }) => Number.isInteger(length) && length >= 0 && length <= 128)
      ? undefined
      : "a prefix length is not 0 to 128",
  ({ dnsSearchLists, dnsServers, prefixes, routes }) =>
    [
        ...prefixes.flatMap(({ preferredLifetime, validLifetime }) => [preferredLifetime, validLifetime]),
        ...[...routes, ...dnsServers, ...dnsSearchLists].map(({ lifetime }) => lifetime)
      ].every(isLifetime)
      ? undefined
      : "a lifetime is not a number of seconds in 32 bits",
  ({ dnsSearchLists }) =>
    dnsSearchLists.every(({ domains }) => domains.every(DomainName.isValid)) ? undefined : "a domain is no name",
  ({ dnsSearchLists, dnsServers }) =>
    [...dnsServers.map((one) => ({ dnsServers: [one] })), ...dnsSearchLists.map((one) => ({ dnsSearchLists: [one] }))]
        .every((option) => fitsOption(NdpOptions.size(NdpOptions.make(option))))
      ? undefined
      : "more name servers or domains than an option holds",
  // rfc: 4861 §6.2.1 MUST NOT, SHOULD NOT
  ({ prefixes }) =>
    prefixes.every(({ preferredLifetime, validLifetime }) => preferredLifetime <= validLifetime)
      ? undefined
      : "a prefix is preferred for longer than it is valid",
  ({ prefixes }) => prefixes.some((option) => Address.isLinkLocal(option.prefix)) ? "a link-local prefix" : undefined,
  // rfc: 4191 §4 SHOULD NOT
  ({ routes }) => routes.length <= 17 ? undefined : "more than 17 routes",
  // rfc: 4191 §2.3 MUST NOT
  ({ routes }) =>
    routes.some((a, i) => routes.some((b, j) => j < i && a.length === b.length && Address.equals(a.prefix, b.prefix)))
      ? "a route twice"
      : undefined
]

/** Why a configuration may not be used; `undefined` if it may. */
export const fault = (self: Advertisement, linkMtu: number): string | undefined => {
  for (const rule of rules) {
    const found = rule(self, linkMtu)
    if (found !== undefined) return found
  }
  return undefined
}

const secondsOf = (span: Time.Span): number => Math.round(span / Time.seconds(1))
const millisOf = (span: Time.Span): number => Math.round(Time.toMillis(span))

/** One option of each that may be many, so that they can be spread over several messages. */
const optionsOf = (self: Advertisement): ReadonlyArray<Partial<NdpOptions.Options>> => [
  ...self.prefixes.map((option) => ({ prefixes: [option] })),
  ...self.routes.map((option) => ({ routes: [option] })),
  ...self.dnsServers.map((option) => ({ dnsServers: [option] })),
  ...self.dnsSearchLists.map((option) => ({ dnsSearchLists: [option] }))
]

const joined = (a: NdpOptions.Options, b: Partial<NdpOptions.Options>): NdpOptions.Options => ({
  ...a,
  prefixes: [...a.prefixes, ...b.prefixes ?? []],
  routes: [...a.routes, ...b.routes ?? []],
  dnsServers: [...a.dnsServers, ...b.dnsServers ?? []],
  dnsSearchLists: [...a.dnsSearchLists, ...b.dnsSearchLists ?? []]
})

/** The IPv6 header before the message. */
const overhead = 40

/**
 * The messages that say all of it: one, or as many as it takes for each to fit the link (rfc: 4861 §6.2.3). `isLast` says farewell: the router is none any
 * more, and its routes end (rfc: 4861 §6.2.5 SHOULD, 4191 §4 SHOULD).
 */
export const messages = (
  self: Advertisement,
  mac: Mac | undefined,
  linkMtu: number,
  isLast: boolean
): ReadonlyArray<Ndp.RouterAdvertisement> => {
  const said = isLast ? farewell(self) : self
  const base = NdpOptions.make({ sourceLinkLayer: mac, mtu: said.mtu })
  const packets: Array<NdpOptions.Options> = [base]
  for (const option of optionsOf(said)) {
    const longer = joined(packets[packets.length - 1]!, option)
    if (Ndp.size(messageOf(said, longer)) + overhead <= linkMtu) packets[packets.length - 1] = longer
    else packets.push(joined(base, option))
  }
  return packets.map((options) => messageOf(said, options))
}

const farewell = (self: Advertisement): Advertisement => ({
  ...self,
  routerLifetime: Time.zero,
  routes: self.routes.map((route) => ({ ...route, lifetime: 0 }))
})

const messageOf = (self: Advertisement, options: NdpOptions.Options): Ndp.RouterAdvertisement => ({
  _tag: "RouterAdvertisement",
  hopLimit: self.hopLimit,
  managed: self.managed,
  otherConfiguration: self.otherConfiguration,
  // rfc: 4191 §2.2 MUST
  preference: self.routerLifetime === 0 ? 0 : self.preference,
  routerLifetime: secondsOf(self.routerLifetime),
  reachableTime: millisOf(self.reachableTime),
  retransmitTimer: millisOf(self.retransmit),
  options
})

/** Both say something, and not the same. */
const differs = (a: number, b: number): boolean => a !== 0 && b !== 0 && a !== b

/** In what another router's advertisement contradicts this one (rfc: 4861 §6.2.7 SHOULD); what one of them leaves open is none. */
export const contradictions = (self: Advertisement, heard: Ndp.RouterAdvertisement): ReadonlyArray<string> => {
  const own = messageOf(self, NdpOptions.none)
  const found: Array<string> = []
  if (differs(own.hopLimit, heard.hopLimit)) found.push("hop limit")
  if (own.managed !== heard.managed) found.push("managed flag")
  if (own.otherConfiguration !== heard.otherConfiguration) found.push("other configuration flag")
  if (differs(own.reachableTime, heard.reachableTime)) found.push("reachable time")
  if (differs(own.retransmitTimer, heard.retransmitTimer)) found.push("retransmission timer")
  if (differs(self.mtu ?? 0, heard.options.mtu ?? 0)) found.push("MTU")
  for (const option of heard.options.prefixes) {
    const same = self.prefixes.find(({ length, prefix }) =>
      length === option.length && Address.samePrefix(prefix, option.prefix, length)
    )
    if (same === undefined) continue
    if (same.preferredLifetime !== option.preferredLifetime) found.push("preferred lifetime")
    if (same.validLifetime !== option.validLifetime) found.push("valid lifetime")
  }
  return found
}
