/**
 * How long an address is preferred and valid, and what an advertisement may change of that (RFC 4862 §5.5.3, §5.5.4).
 *
 *     ── preferred ──▶│── deprecated ──▶│ invalid
 *                 preferredUntil    validUntil
 */
import { infiniteLifetime } from "../../wire/NdpOptions.ts"
import * as Time from "../Time.ts"

export interface AddressLifetimes {
  readonly preferredUntil: Time.Instant
  readonly validUntil: Time.Instant
}

/** What an option of an advertisement says, in seconds. */
export interface Advertised {
  readonly preferredLifetime: number
  readonly validLifetime: number
}

/** Of link-local addresses (rfc: 4862 §5.3). */
export const unlimited: AddressLifetimes = Object.freeze({ preferredUntil: Time.never, validUntil: Time.never })

/** When a lifetime of so many seconds ends. */
export const after = (at: Time.Instant, seconds: number): Time.Instant =>
  seconds >= infiniteLifetime ? Time.never : Time.plus(at, Time.seconds(seconds))

export const make = (at: Time.Instant, advertised: Advertised): AddressLifetimes => ({
  preferredUntil: after(at, advertised.preferredLifetime),
  validUntil: after(at, advertised.validLifetime)
})

/** RFC 4862 §5.5.3 e): less than this can't be taken from an address by anybody on the link. */
export const protectedLifetime = Time.seconds(7200)

/**
 * An advertisement of the prefix came again (rfc: 4862 §5.5.3 e). It decides on the preferred lifetime alone, but may shorten the valid one only
 * to two hours, so that a forged one does no harm that the next genuine one can't undo.
 */
export const renew = (self: AddressLifetimes, advertised: Advertised, at: Time.Instant): AddressLifetimes => {
  const given = make(at, advertised)
  return { preferredUntil: given.preferredUntil, validUntil: renewedValidity(self.validUntil, given.validUntil, at) }
}

const renewedValidity = (current: Time.Instant, given: Time.Instant, at: Time.Instant): Time.Instant => {
  const floor = Time.plus(at, protectedLifetime)
  // 1.
  if (given > floor || given > current) return given
  // 2. and 3.
  return current <= floor ? current : floor
}

export const stateOf = (self: AddressLifetimes, at: Time.Instant): "preferred" | "deprecated" | "invalid" =>
  self.validUntil <= at ? "invalid" : self.preferredUntil <= at ? "deprecated" : "preferred"

/** The shorter of both, each by itself. */
export const within = (self: AddressLifetimes, limit: AddressLifetimes): AddressLifetimes => ({
  preferredUntil: Time.earliest(self.preferredUntil, limit.preferredUntil),
  validUntil: Time.earliest(self.validUntil, limit.validUntil)
})

export const equals = (a: AddressLifetimes, b: AddressLifetimes): boolean =>
  a.preferredUntil === b.preferredUntil && a.validUntil === b.validUntil

/** When the state next changes by itself; `never` if it does not. */
export const nextChange = (self: AddressLifetimes, at: Time.Instant): Time.Instant =>
  self.preferredUntil > at
    ? Time.earliest(self.preferredUntil, self.validUntil)
    : self.validUntil > at
    ? self.validUntil
    : Time.never
