/**
 * Temporary addresses of one prefix: made, renewed and replaced so that one is always preferred and none is for long (RFC 8981 §3.4 to §3.6).
 *
 *     created                                          preferredUntil          validUntil ≤ created + 2 days
 *       ├──────────── preferred ──────────────┬──────────────┤──── deprecated ────┤
 *       │                       ◀ regenAdvance ▶
 *       │                                     ├──── the next one ──── …
 *       └─ at most a day, less a random part (desync) of it
 */
import type * as Address from "../../wire/Address.ts"
import * as Time from "../Time.ts"
import * as AddressLifetimes from "./AddressLifetimes.ts"

export interface Temporary {
  readonly address: Address.Ipv6
  /** How long it may live at most, whatever routers say: counted from its creation. */
  readonly limit: AddressLifetimes.AddressLifetimes
  readonly lifetimes: AddressLifetimes.AddressLifetimes
}

export interface Settings {
  /** TEMP_PREFERRED_LIFETIME and TEMP_VALID_LIFETIME (RFC 8981 §3.8); the first must be the smaller. */
  readonly preferredLifetime: Time.Span
  readonly validLifetime: Time.Span
  /** DupAddrDetectTransmits and RetransTimer, which say how long before its end an address needs a successor. */
  readonly transmits: number
  readonly retransmit: Time.Span
}

/** rfc: 8981 §3.8 */
export const defaultPreferredLifetime = Time.seconds(86_400)
export const defaultValidLifetime = Time.seconds(2 * 86_400)
/** TEMP_IDGEN_RETRIES: attempts in a row that may turn out to be duplicates (RFC 8981 §3.4 7). */
export const maximumAttempts = 3
/** MAX_DESYNC_FACTOR as a part of the preferred lifetime (RFC 8981 §3.8). */
const maximumDesync = 0.4

/** REGEN_ADVANCE (RFC 8981 §3.8): time for all attempts to find an address that nobody has. */
export const regenAdvance = (settings: Settings): Time.Span =>
  Time.add(Time.seconds(2), Time.scale(settings.retransmit, maximumAttempts * settings.transmits))

/** What an address that is made now may live at most; `fraction` of the desynchronization is its own (rfc: 8981 §3.4 4 MUST). */
export const limitOf = (at: Time.Instant, fraction: number, settings: Settings): AddressLifetimes.AddressLifetimes => {
  // rfc: 8981 §3.8 MUST: smaller than what is left after the advance
  const room = Math.max(0, settings.preferredLifetime - regenAdvance(settings))
  const desync = Math.min(settings.preferredLifetime * maximumDesync, room) * fraction
  return {
    preferredUntil: Time.plus(at, Time.micros(settings.preferredLifetime - desync)),
    validUntil: Time.plus(at, settings.validLifetime)
  }
}

/** Whether an address with these lifetimes is worth making (rfc: 8981 §3.4 5 MUST NOT). */
export const isWorthwhile = (
  lifetimes: AddressLifetimes.AddressLifetimes,
  at: Time.Instant,
  settings: Settings
): boolean => lifetimes.preferredUntil > Time.plus(at, regenAdvance(settings))

/** The prefix has other lifetimes now (rfc: 8981 §3.4 1 and 2). */
export const renew = (self: Temporary, prefix: AddressLifetimes.AddressLifetimes): Temporary => {
  const lifetimes = AddressLifetimes.within(prefix, self.limit)
  return AddressLifetimes.equals(lifetimes, self.lifetimes) ? self : { ...self, lifetimes }
}

/** When the last of the addresses needs a successor (rfc: 8981 §3.5 SHOULD); that may have been before. */
export const regenerateAt = (all: ReadonlyArray<Temporary>, settings: Settings): Time.Instant => {
  const last = all.reduce((latest, { lifetimes }) => Math.max(latest, lifetimes.preferredUntil), 0)
  return Time.minus(Time.instantOf(last), regenAdvance(settings))
}
