/**
 * Prefixes whose addresses are neighbours, because a router says so (RFC 4861 §6.3.4, §6.3.5; RFC 5942 §4: for no other reason but an address's own).
 */
import * as Address from "../../wire/Address.ts"
import type * as NdpOptions from "../../wire/NdpOptions.ts"
import * as Time from "../Time.ts"
import * as AddressLifetimes from "./AddressLifetimes.ts"

export interface Prefix {
  readonly prefix: Address.Ipv6
  readonly length: number
  readonly until: Time.Instant
}

export interface Prefixes {
  /** In order of their coming. */
  readonly prefixes: ReadonlyArray<Prefix>
  readonly deadline: Time.Instant
}

export type Input =
  /** A valid router advertisement with these prefixes came. */
  | { readonly _tag: "Advertised"; readonly prefixes: ReadonlyArray<NdpOptions.Prefix> }
  /** The interface went down. */
  | { readonly _tag: "Disable" }
  | { readonly _tag: "Alarm" }

export type Action =
  | { readonly _tag: "Add"; readonly prefix: Prefix }
  | { readonly _tag: "Remove"; readonly prefix: Prefix }
  /** There is no room for another prefix. */
  | { readonly _tag: "Ignore"; readonly bound: "onLinkPrefixes" }

export type Outcome = readonly [Prefixes, ReadonlyArray<Action>]

export interface Settings {
  readonly limits: { readonly onLinkPrefixes: number }
}

export const empty: Prefixes = Object.freeze({ prefixes: Object.freeze([]), deadline: Time.never })

export const isOnLink = (self: Prefixes, address: Address.Address): boolean =>
  self.prefixes.some(({ length, prefix }) => Address.samePrefix(prefix, address, length))

export const step = (self: Prefixes, input: Input, at: Time.Instant, settings: Settings): Outcome => {
  const actions: Array<Action> = []
  const alive = keep(self.prefixes, actions, ({ until }) => until > at)
  const prefixes = take(alive, input, at, settings, actions)
  const deadline = prefixes.reduce((first, { until }) => Time.earliest(first, until), Time.never)
  return [{ prefixes, deadline }, actions]
}

const take = (
  prefixes: ReadonlyArray<Prefix>,
  input: Input,
  at: Time.Instant,
  settings: Settings,
  actions: Array<Action>
): ReadonlyArray<Prefix> => {
  switch (input._tag) {
    case "Advertised":
      return input.prefixes.reduce((all, option) => update(all, option, at, settings, actions), prefixes)
    case "Disable":
      return keep(prefixes, actions, () => false)
    case "Alarm":
      return prefixes
  }
}

/** The prefixes that stay; each other one is removed. */
const keep = (
  prefixes: ReadonlyArray<Prefix>,
  actions: Array<Action>,
  stays: (prefix: Prefix) => boolean
): ReadonlyArray<Prefix> =>
  prefixes.filter((prefix) => {
    const isKept = stays(prefix)
    if (!isKept) actions.push({ _tag: "Remove", prefix })
    return isKept
  })

/** rfc: 4861 §6.3.4 */
const update = (
  prefixes: ReadonlyArray<Prefix>,
  option: NdpOptions.Prefix,
  at: Time.Instant,
  { limits }: Settings,
  actions: Array<Action>
): ReadonlyArray<Prefix> => {
  // rfc: 4861 §6.3.4 MUST NOT: without the flag nothing is said, neither for nor against; groups are no neighbours
  if (!option.onLink || Address.isLinkLocal(option.prefix) || Address.isMulticast(option.prefix)) return prefixes
  const prefix: Prefix = {
    prefix: Address.network(option.prefix, option.length) as Address.Ipv6,
    length: option.length,
    until: AddressLifetimes.after(at, option.validLifetime)
  }
  const known = prefixes.find((other) => other.length === prefix.length && Address.equals(other.prefix, prefix.prefix))
  if (option.validLifetime === 0) return keep(prefixes, actions, (other) => other !== known)
  if (known !== undefined) return prefixes.map((other) => other === known ? prefix : other)
  if (prefixes.length >= limits.onLinkPrefixes) {
    actions.push({ _tag: "Ignore", bound: "onLinkPrefixes" })
    return prefixes
  }
  actions.push({ _tag: "Add", prefix })
  return [...prefixes, prefix]
}
