/**
 * Better first hops for single destinations, as routers tell them (RFC 4861 §8): to another router, or to the destination itself when it is a neighbour.
 */
import * as Address from "../../wire/Address.ts"
import type { Redirect } from "../../wire/Ndp.ts"

export interface Entry {
  readonly destination: Address.Ipv6
  /** The first hop; the destination itself if it is on the link. */
  readonly target: Address.Ipv6
}

/** The part of the destination cache that redirects have made, of one link. Packets find it as routes to single addresses. */
export interface Redirects {
  /** Oldest first. */
  readonly entries: ReadonlyArray<Entry>
}

export const empty: Redirects = Object.freeze({ entries: Object.freeze([]) })

export const isOnLink = ({ destination, target }: Entry): boolean => Address.equals(destination, target)

/**
 * Why a redirect that `NdpValidity.fault` has nothing against is still not obeyed; `undefined` if it is. `firstHop` is where packets for its
 * destination go now, of this link; `undefined` if they don't leave by it.
 */
export const fault = (
  source: Address.Ipv6,
  redirect: Redirect,
  firstHop: Address.Address | undefined
): string | undefined => {
  // rfc: 4861 §8.1 MUST: only who is asked may answer
  if (firstHop === undefined || !Address.equals(source, firstHop)) return "it is not from the first hop"
  // Nobody but the host itself decides how its own link's neighbours are reached, and a group has no first hop.
  if (Address.isLinkLocal(redirect.destination) || Address.isMulticast(redirect.destination)) {
    return "its destination has no first hop"
  }
  return Address.isUnspecified(redirect.target) || Address.isLoopback(redirect.target)
    ? "its target is nobody"
    : undefined
}

/** What becomes of a redirect. */
export interface Outcome {
  readonly self: Redirects
  readonly entry: Entry
  /** The target is a router (rfc: 4861 §8.3 MUST); otherwise nothing is known about that. */
  readonly isRouter: boolean
  /** The entry that made room. */
  readonly evicted: Entry | undefined
}

/** Obeys a redirect (rfc: 4861 §8.3 SHOULD); at most `limit` destinations are remembered. */
export const learn = (self: Redirects, redirect: Redirect, limit: number): Outcome => {
  const entry: Entry = { destination: redirect.destination, target: redirect.target }
  const others = self.entries.filter(({ destination }) => !Address.equals(destination, entry.destination))
  const evicted = others.length >= limit ? others[0] : undefined
  return {
    self: { entries: [...(evicted === undefined ? others : others.slice(1)), entry] },
    entry,
    isRouter: !isOnLink(entry),
    evicted
  }
}

/**
 * The target is no router any more, or does not answer: destinations that use it find their way anew (rfc: 4861 §6.3.5 MUST, §7.3.3). Answers what is
 * left and what was forgotten.
 */
export const forget = (self: Redirects, target: Address.Address): readonly [Redirects, ReadonlyArray<Entry>] => {
  const forgotten = self.entries.filter((entry) => Address.equals(entry.target, target))
  if (forgotten.length === 0) return [self, []]
  return [{ entries: self.entries.filter((entry) => !forgotten.includes(entry)) }, forgotten]
}
