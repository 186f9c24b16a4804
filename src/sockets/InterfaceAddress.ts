/**
 * An address of an interface as programs see it: where it comes from, what may be done with it, and for how long (RFC 4862 §2, §5.5.4).
 */
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as IpInterface from "effect/net/IpInterface"
import * as Edge from "../workers/Edge.ts"
import type * as Readings from "../workers/Readings.ts"

type CoreAddress = ReturnType<typeof Readings.interfaces>[number]["addresses"][number]

export interface InterfaceAddress {
  readonly interface: IpInterface.IpInterface
  /** Only `preferred`, `deprecated` and `optimistic` addresses are in use. */
  readonly state: CoreAddress["state"]
  readonly origin: CoreAddress["origin"]
  /** How long new traffic may start from it; absent for ever. */
  readonly preferredFor: Duration.Duration | undefined
  /** How long it is the interface's; absent for ever. */
  readonly validFor: Duration.Duration | undefined
}

export const of = (entry: CoreAddress, clock: Clock.Clock): InterfaceAddress => ({
  interface: IpInterface.makeUnsafe(Edge.ipOf(entry.address), entry.prefixLength),
  state: entry.state,
  origin: entry.origin,
  preferredFor: Edge.durationUntil(clock, entry.preferredUntil),
  validFor: Edge.durationUntil(clock, entry.validUntil)
})
