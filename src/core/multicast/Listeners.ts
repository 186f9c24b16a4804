/**
 * What all sockets of an interface together want of one group (RFC 3376 §3.2, RFC 3810 §4.2).
 *
 *     any of them excludes    EXCLUDE what all excluding ones exclude and no including one includes
 *     all of them include     INCLUDE what any of them includes
 *
 * Counts how many sockets name each source, so that a socket which comes or goes costs as much as the group has sources, however many
 * sockets listen.
 */
import * as Address from "../../wire/Address.ts"
import * as Filter from "../data/SourceFilter.ts"

/** How many of the sockets include a source, and how many exclude it. */
export interface Tally {
  readonly source: Address.Address
  readonly included: number
  readonly excluded: number
}

export interface Listeners {
  /** Sockets with a filter of mode EXCLUDE. */
  readonly excluding: number
  /** In order of the sources. */
  readonly tallies: ReadonlyArray<Tally>
}

export const none: Listeners = Object.freeze({ excluding: 0, tallies: Object.freeze([]) })

const countOf = (self: Tally): number => self.included + self.excluded

const counted = (self: Listeners, filter: Filter.Filter, by: 1 | -1): Listeners => {
  const isIncluding = filter.mode === "include"
  const bySource = new Map(self.tallies.map((tally) => [Address.key(tally.source), tally]))
  for (const source of filter.sources) {
    const key = Address.key(source)
    const before = bySource.get(key) ?? { source, included: 0, excluded: 0 }
    bySource.set(
      key,
      isIncluding ? { ...before, included: before.included + by } : { ...before, excluded: before.excluded + by }
    )
  }
  return {
    excluding: self.excluding + (isIncluding ? 0 : by),
    tallies: filter.sources.length === 0 ? self.tallies : Array.from(bySource.values())
      .filter((tally) => countOf(tally) > 0)
      .toSorted((a, b) => Address.compare(a.source, b.source))
  }
}

/** With a socket that listens through `filter`. */
export const add = (self: Listeners, filter: Filter.Filter): Listeners => counted(self, filter, 1)

/** Without a socket that was added with exactly this filter. */
export const remove = (self: Listeners, filter: Filter.Filter): Listeners => counted(self, filter, -1)

/** Sources that any socket names, for the bound on them. */
export const sourceCount = (self: Listeners): number => self.tallies.length

/** The filter of the interface. */
export const filterOf = (self: Listeners): Filter.Filter => {
  const wanted = self.excluding > 0
    // rfc: 3810 §4.2: excluded by all that exclude, and asked for by nobody
    ? self.tallies.filter(({ excluded, included }) => excluded === self.excluding && included === 0)
    : self.tallies.filter(({ included }) => included > 0)
  return { mode: self.excluding > 0 ? "exclude" : "include", sources: wanted.map(({ source }) => source) }
}
