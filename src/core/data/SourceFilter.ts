/**
 * From which sources packets of a multicast group are wanted (RFC 3376 §2, RFC 3810 §3): only from those listed, or from all but those.
 */
import type * as Address from "../../wire/Address.ts"
import * as Sources from "./Sources.ts"

export interface Filter {
  readonly mode: "include" | "exclude"
  readonly sources: Sources.Sources
}

/** Not listening: what a group has of which nothing is known (RFC 3376 §5.1). */
export const nothing: Filter = Object.freeze({ mode: "include", sources: Sources.empty })

/** A plain join: any source. */
export const everything: Filter = Object.freeze({ mode: "exclude", sources: Sources.empty })

export const make = (mode: Filter["mode"], sources: Iterable<Address.Address>): Filter => ({
  mode,
  sources: Sources.of(sources)
})

/** Including nobody is the same as not listening (RFC 3376 §3.1). */
export const isNothing = (self: Filter): boolean => self.mode === "include" && self.sources.length === 0

export const accepts = (self: Filter, source: Address.Address): boolean =>
  Sources.has(self.sources, source) === (self.mode === "include")

export const equals = (a: Filter, b: Filter): boolean => a.mode === b.mode && Sources.equals(a.sources, b.sources)

/** The sources whose treatment differs between two filters of the same mode. */
export const changed = (before: Filter, after: Filter): Sources.Sources =>
  Sources.union(
    Sources.difference(before.sources, after.sources),
    Sources.difference(after.sources, before.sources)
  )
