/**
 * Which of several routers takes a packet (RFC 4861 §6.3.6, RFC 4191 §3.2), and which better one is asked whether it is back (RFC 4191 §3.5).
 *
 *     longest prefix, then preference     first of them whose router is not known to be unreachable
 *     none of them reachable              the best, in turn with its equals, while all are probed
 */
import * as Address from "../../wire/Address.ts"
import * as Time from "../Time.ts"

/** What neighbour discovery knows of a router: it answers; nothing; it does not answer, or is being asked for the first time. */
export type Reachability = "reachable" | "unknown" | "unreachable"

/** A route that fits the destination. */
export interface Candidate {
  readonly router: Address.Address
  /** Of the prefix. */
  readonly length: number
  /** The higher is preferred (RFC 4191 §2.1); of routes that a program gives, the lower their metric the higher. */
  readonly preference: number
  readonly reachability: Reachability
}

export interface RouterSelection {
  /** Choices among routers of which none is reachable, so far. */
  readonly turns: number
  /** When a router was last probed for being avoided, by `Address.key`; of the last minute. */
  readonly probed: ReadonlyMap<number | string, Time.Instant>
}

export const make: RouterSelection = Object.freeze({ turns: 0, probed: new Map() })

export interface Choice {
  /** The index of the candidate. */
  readonly index: number
  /** Routers to send one neighbour solicitation each. */
  readonly probes: ReadonlyArray<Address.Address>
}

/** rfc: 4191 §3.5 MUST: no router is probed more often. */
const probeInterval = Time.seconds(60)

const isReachable = ({ reachability }: Candidate): boolean => reachability !== "unreachable"

/** What comes first: the longer prefix and the higher preference; of equals the router that is known to answer (RFC 4861 §6.3.6 1). */
const order = (a: Candidate, b: Candidate): number =>
  b.length - a.length || b.preference - a.preference ||
  Number(b.reachability === "reachable") - Number(a.reachability === "reachable")

const isEqual = (a: Candidate, b: Candidate): boolean => a.length === b.length && a.preference === b.preference

/** Chooses among the routes to a destination; `undefined` if there are none. */
export const choose = (
  self: RouterSelection,
  candidates: ReadonlyArray<Candidate>,
  at: Time.Instant
): readonly [RouterSelection, Choice | undefined] => {
  const ranked = candidates.map((candidate, index) => ({ candidate, index }))
    .toSorted((a, b) => order(a.candidate, b.candidate) || a.index - b.index)
  const best = ranked[0]
  if (best === undefined) return [self, undefined]
  const first = ranked.findIndex(({ candidate }) => isReachable(candidate))
  if (first >= 0) {
    // rfc: 4191 §3.2, §3.5 SHOULD: those that would have been taken are asked again
    const avoided = ranked.slice(0, first).map(({ candidate }) => candidate.router)
    return withProbes(self, ranked[first]!.index, avoided, at)
  }
  // rfc: 4861 §6.3.6 2 SHOULD: in turn, so that all of them are tried; a worse one only if no better one is there (rfc: 4191 §3.6)
  const equals = ranked.filter(({ candidate }) => isEqual(candidate, best.candidate))
  const chosen = equals[self.turns % equals.length]!
  const others = ranked.filter((other) => other !== chosen).map(({ candidate }) => candidate.router)
  return withProbes({ ...self, turns: self.turns + 1 }, chosen.index, others, at)
}

/** Leaves out the routers that were probed within the last minute. */
const withProbes = (
  self: RouterSelection,
  index: number,
  avoided: ReadonlyArray<Address.Address>,
  at: Time.Instant
): readonly [RouterSelection, Choice] => {
  if (avoided.length === 0) return [self, { index, probes: [] }]
  const recent = Array.from(self.probed).filter(([, probedAt]) => Time.between(probedAt, at) < probeInterval)
  const probed = new Map(recent)
  const probes: Array<Address.Address> = []
  for (const router of avoided) {
    const key = Address.key(router)
    if (probed.has(key)) continue
    probed.set(key, at)
    probes.push(router)
  }
  return [{ ...self, probed }, { index, probes }]
}
