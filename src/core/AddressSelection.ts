/**
 * Default address selection (RFC 6724): from which of its addresses a host sends to a destination, and which of several destinations it tries first.
 * For both families alike: IPv4 addresses count as IPv4-mapped ones (RFC 6724 §3.2).
 *
 * The rules are tables, asked in order; the first that prefers one of two decides.
 */
import * as Address from "../wire/Address.ts"
import type { AddressState, LinkId } from "./Device.ts"

/** An entry of the policy table (RFC 6724 §2.1). */
export interface Policy {
  readonly prefix: Address.Ipv6
  readonly length: number
  readonly precedence: number
  readonly label: number
}

const policy = (w0: number, w1: number, w2: number, w3: number, length: number, precedence: number, label: number) =>
  Object.freeze({ prefix: Address.v6(w0, w1, w2, w3), length, precedence, label })

/** rfc: 6724 §2.1 SHOULD */
export const defaultPolicies: ReadonlyArray<Policy> = Object.freeze([
  policy(0, 0, 0, 1, 128, 50, 0),
  policy(0, 0, 0, 0, 0, 40, 1),
  policy(0, 0, 0xffff, 0, 96, 35, 4),
  policy(0x20020000, 0, 0, 0, 16, 30, 2),
  policy(0x20010000, 0, 0, 0, 32, 5, 5),
  policy(0xfc000000, 0, 0, 0, 7, 3, 13),
  policy(0, 0, 0, 0, 96, 1, 3),
  policy(0xfec00000, 0, 0, 0, 10, 1, 11),
  policy(0x3ffe0000, 0, 0, 0, 16, 1, 12)
])

/** rfc: 6724 §3.2 MUST */
const mapped = (address: Address.Address): Address.Ipv6 =>
  Address.isV4(address) ? Address.v6(0, 0, 0xffff, address) : address

/** Where no entry fits: what the default table has for everything. */
const elsewhere: Policy = policy(0, 0, 0, 0, 0, 40, 1)

/** The entry of the longest prefix that the address is in. */
export const policyOf = (policies: ReadonlyArray<Policy>, address: Address.Address): Policy => {
  const subject = mapped(address)
  let best = elsewhere
  let length = -1
  for (const entry of policies) {
    if (entry.length <= length || !Address.samePrefix(entry.prefix, subject, entry.length)) continue
    best = entry
    length = entry.length
  }
  return best
}

/** The scopes of RFC 4291 §2.7. */
const Scope = { linkLocal: 2, siteLocal: 5, global: 14 } as const

/** How far an address means the same (rfc: 6724 §3.1 to §3.4 MUST). */
export const scopeOf = (address: Address.Address): number => {
  if (Address.isLinkLocal(address) || Address.isLoopback(address)) return Scope.linkLocal
  // RFC 2365 gives IPv4's groups scopes; those of one link are what matters here.
  if (Address.isV4(address)) return address >>> 8 === 0xe00000 ? Scope.linkLocal : Scope.global
  if (Address.isMulticast(address)) return (address.w0 >>> 16) & 0xf
  return address.w0 >>> 22 === 0x3fb ? Scope.siteLocal : Scope.global
}

/** Leading bits that two addresses of one family have in common, up to `limit`; IPv4's count as such (rfc: 6724 §2.2). */
export const commonPrefixLength = (a: Address.Address, b: Address.Address, limit: number): number => {
  let low = 0
  let high = limit
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (Address.samePrefix(a, b, middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** An address that could be sent from. */
export interface Candidate {
  readonly address: Address.Address
  readonly prefixLength: number
  readonly state: AddressState
  readonly isTemporary: boolean
  /** The interface that has it. */
  readonly link: LinkId
  /** Whether the next hop has advertised its prefix; absent where nobody keeps track (RFC 6724 §5 rule 5.5). */
  readonly isOfNextHop?: boolean
  /** RFC 6724 §3.5; absent on hosts that don't move. */
  readonly mobility?: "home" | "careOf" | "both"
}

export interface Settings {
  readonly policies: ReadonlyArray<Policy>
  /** rfc: 6724 §5 rule 7 MUST: a program may want the stable address rather than a temporary one. */
  readonly prefersTemporary: boolean
}

export const defaults: Settings = Object.freeze({ policies: defaultPolicies, prefersTemporary: true })

/** What a source is chosen for. */
export interface Target {
  readonly destination: Address.Address
  /** The interface that packets leave by. */
  readonly link: LinkId
}

/** Positive if `a` is preferred to `b`, negative if `b` is, 0 if the rule does not tell. */
type SourceRule = (a: Candidate, b: Candidate, target: Target, settings: Settings) => number

/** Of two answers, the positive one wins. */
const prefer = (a: boolean, b: boolean): number => Number(a) - Number(b)

const isDeprecated = ({ address, state }: Candidate): boolean => !Address.isV4(address) && state === "deprecated"

const mobilityRank = ({ mobility }: Candidate): number =>
  mobility === "both" ? 2 : mobility === "home" ? 1 : mobility === "careOf" ? -1 : 0

/** Rule 1: the same address. */
const sameAddress: SourceRule = (a, b, { destination }) =>
  prefer(Address.equals(a.address, destination), Address.equals(b.address, destination))

/** Rule 2: a scope that is wide enough, and no wider. */
const appropriateScope: SourceRule = (a, b, { destination }) => {
  const scope = scopeOf(destination)
  const scopeA = scopeOf(a.address)
  const scopeB = scopeOf(b.address)
  if (scopeA < scopeB) return scopeA < scope ? -1 : 1
  if (scopeB < scopeA) return scopeB < scope ? 1 : -1
  return 0
}

/** Rule 3: not a deprecated one. An optimistic one counts as such (RFC 4429 §3.3). */
const notDeprecated: SourceRule = (a, b) =>
  prefer(isDeprecated(b) || b.state === "optimistic", isDeprecated(a) || a.state === "optimistic")

/** Rule 4: a home address. */
const homeAddress: SourceRule = (a, b) => mobilityRank(a) - mobilityRank(b)

/** Rule 5: of the interface that the packet leaves by. */
const outgoingInterface: SourceRule = (a, b, { link }) => prefer(a.link === link, b.link === link)

/** Rule 5.5: in a prefix that the next hop has advertised. */
const nextHopPrefix: SourceRule = (a, b) => prefer(a.isOfNextHop === true, b.isOfNextHop === true)

/** Rule 6: of the destination's label. */
const matchingLabel: SourceRule = (a, b, { destination }, { policies }) => {
  const { label } = policyOf(policies, destination)
  return prefer(policyOf(policies, a.address).label === label, policyOf(policies, b.address).label === label)
}

/** Rule 7: a temporary one, since it tells less of who sends. */
const temporary: SourceRule = (a, b, _, { prefersTemporary }) =>
  prefersTemporary ? prefer(a.isTemporary, b.isTemporary) : prefer(b.isTemporary, a.isTemporary)

/** Rule 8: the longest common prefix. */
const longestPrefix: SourceRule = (a, b, { destination }) =>
  commonPrefixLength(a.address, destination, a.prefixLength) -
  commonPrefixLength(b.address, destination, b.prefixLength)

/** rfc: 6724 §5, in the order in which they MUST be applied. */
const sourceRules: ReadonlyArray<SourceRule> = [
  sameAddress,
  appropriateScope,
  notDeprecated,
  homeAddress,
  outgoingInterface,
  nextHopPrefix,
  matchingLabel,
  temporary,
  longestPrefix
]

/** rfc: 6724 §4 MUST NOT: what can't be a source whatever the rules say. */
const isSource = ({ address, state }: Candidate, target: Target): boolean =>
  Address.versionOf(address) === Address.versionOf(target.destination) &&
  state !== "tentative" && state !== "duplicated" &&
  !Address.isMulticast(address) && !Address.isUnspecified(address)

/** rfc: 6724 §4 MUST: to what is on one link, only addresses of that link may be the source. */
const isOfLink = ({ link }: Candidate, target: Target): boolean =>
  link === target.link ||
  !(Address.isMulticast(target.destination) || Address.isLinkLocal(target.destination))

/** The address to send from; the first of equals. `undefined` if there is none of the destination's family. */
export const selectSource = (
  candidates: Iterable<Candidate>,
  target: Target,
  settings: Settings = defaults
): Candidate | undefined => {
  let best: Candidate | undefined = undefined
  for (const candidate of candidates) {
    if (!isSource(candidate, target) || !isOfLink(candidate, target)) continue
    if (best === undefined || compareSources(candidate, best, target, settings) > 0) best = candidate
  }
  return best
}

const compareSources = (a: Candidate, b: Candidate, target: Target, settings: Settings): number => {
  for (const rule of sourceRules) {
    const verdict = rule(a, b, target, settings)
    if (verdict !== 0) return verdict
  }
  return 0
}

/** An address to connect to, with what sending to it would look like. */
export interface Destination {
  readonly address: Address.Address
  /** What {@link selectSource} has found for it; `undefined` if nothing, or if there is no way to it. */
  readonly source: Candidate | undefined
  /** Reached through a tunnel (RFC 6724 §6 rule 7). */
  readonly isEncapsulated?: boolean
}

/** A destination that has a source. */
interface Pair extends Destination {
  readonly source: Candidate
}

type DestinationRule = (a: Pair, b: Pair, settings: Settings) => number

/** Rule 2: source and destination of the same scope. */
const matchingScope: DestinationRule = (a, b) =>
  prefer(
    scopeOf(a.address) === scopeOf(a.source.address),
    scopeOf(b.address) === scopeOf(b.source.address)
  )

/** Rule 5: source and destination of the same label. */
const matchingLabels: DestinationRule = (a, b, { policies }) => {
  const matches = ({ address, source }: Pair): boolean =>
    policyOf(policies, address).label === policyOf(policies, source.address).label
  return prefer(matches(a), matches(b))
}

/** Rule 6: the higher precedence. */
const higherPrecedence: DestinationRule = (a, b, { policies }) =>
  policyOf(policies, a.address).precedence - policyOf(policies, b.address).precedence

/** Rule 9: the longest common prefix, within one family. */
const longestPrefixes: DestinationRule = (a, b) => {
  if (Address.versionOf(a.address) !== Address.versionOf(b.address)) return 0
  const length = ({ address, source }: Pair): number => commonPrefixLength(source.address, address, source.prefixLength)
  return length(a) - length(b)
}

/** rfc: 6724 §6, in the order in which they MUST be applied; rule 1 stands before them, and rule 10 is that sorting keeps the order of equals. */
const destinationRules: ReadonlyArray<DestinationRule> = [
  matchingScope,
  // Rule 3: no deprecated source.
  (a, b) => prefer(isDeprecated(b.source), isDeprecated(a.source)),
  // Rule 4: a home address as source.
  (a, b) => mobilityRank(a.source) - mobilityRank(b.source),
  matchingLabels,
  higherPrecedence,
  // Rule 7: no tunnel.
  (a, b) => prefer(b.isEncapsulated === true, a.isEncapsulated === true),
  // Rule 8: the smaller scope.
  (a, b) => scopeOf(b.address) - scopeOf(a.address),
  longestPrefixes
]

const hasSource = (self: Destination): self is Pair => self.source !== undefined

const compareDestinations = (a: Destination, b: Destination, settings: Settings): number => {
  // Rule 1: one that can be reached at all.
  if (!hasSource(a) || !hasSource(b)) return prefer(hasSource(b), hasSource(a))
  for (const rule of destinationRules) {
    const verdict = rule(b, a, settings)
    if (verdict !== 0) return verdict
  }
  return 0
}

/** The destinations in the order in which to try them (RFC 6724 §6). */
export const sortDestinations = (
  destinations: ReadonlyArray<Destination>,
  settings: Settings = defaults
): ReadonlyArray<Destination> => destinations.toSorted((a, b) => compareDestinations(a, b, settings))
