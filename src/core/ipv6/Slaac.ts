/**
 * The addresses that an interface makes for itself (RFC 4862 §5.3, §5.5): a link-local one, and for each prefix that routers advertise for it
 * a stable one (RFC 7217) and temporary ones (RFC 8981).
 *
 *     Enable     ─▶ Add fe80::…                        Duplicate  ─▶ Remove, and after a while Add another, three times at most
 *     Advertised ─▶ Add stable, Add temporary; later Renew
 *     Alarm      ─▶ Add the next temporary             Disable    ─▶ Remove all
 *
 * A leaf machine. Whoever obeys it probes each address before use (`DuplicateDetection.ts`) and ends it by its lifetimes: an address
 * that becomes invalid is forgotten here without a word.
 */
import * as Address from "../../wire/Address.ts"
import type { Mac } from "../../wire/Mac.ts"
import type * as NdpOptions from "../../wire/NdpOptions.ts"
import type { Key } from "../Entropy.ts"
import * as Time from "../Time.ts"
import { linkLocalPrefix } from "../WellKnown.ts"
import * as AddressLifetimes from "./AddressLifetimes.ts"
import * as InterfaceId from "./InterfaceId.ts"
import * as Temporary from "./Temporary.ts"

/** The stable address of a prefix. */
export type Stable =
  | { readonly _tag: "Configured"; readonly address: Address.Ipv6 }
  /** The last one was a duplicate; another is tried at `at` (RFC 7217 §6). */
  | { readonly _tag: "Waiting"; readonly at: Time.Instant }
  /** All attempts were duplicates. */
  | { readonly _tag: "Failed" }

export interface Prefix {
  readonly prefix: Address.Ipv6
  readonly lifetimes: AddressLifetimes.AddressLifetimes
  readonly stable: Stable
  /** DAD_Counter (RFC 7217 §5). */
  readonly duplicateCounter: number
  /** Oldest first. */
  readonly temporaries: ReadonlyArray<Temporary.Temporary>
  /** Temporary addresses in a row that were duplicates. */
  readonly temporaryFailures: number
}

export interface Slaac {
  /** In order of their coming; the link-local one is first. */
  readonly prefixes: ReadonlyArray<Prefix>
  /** Random numbers drawn, and temporary addresses made, so far. */
  readonly draws: number
  readonly deadline: Time.Instant
}

export type Input =
  /** The interface may speak IPv6 from now on (RFC 4862 §5.3). */
  | { readonly _tag: "Enable" }
  /** It may not any more, or is on another link now (rfc: 8981 §3.6 MUST): all its addresses go. */
  | { readonly _tag: "Disable" }
  /** A valid router advertisement with these prefixes came. */
  | { readonly _tag: "Advertised"; readonly prefixes: ReadonlyArray<NdpOptions.Prefix> }
  /** Detection found that the address is another host's. */
  | { readonly _tag: "Duplicate"; readonly address: Address.Ipv6 }
  /** Detection found nothing against the address. */
  | { readonly _tag: "Unique"; readonly address: Address.Ipv6 }
  | { readonly _tag: "Alarm" }

export type Origin = "linkLocal" | "slaac" | "temporary"

export type Action =
  /** Give the interface an address, when it turns out to be unique. */
  | {
    readonly _tag: "Add"
    readonly address: Address.Ipv6
    readonly prefixLength: number
    readonly origin: Origin
    readonly lifetimes: AddressLifetimes.AddressLifetimes
  }
  | { readonly _tag: "Renew"; readonly address: Address.Ipv6; readonly lifetimes: AddressLifetimes.AddressLifetimes }
  | { readonly _tag: "Remove"; readonly address: Address.Ipv6 }
  /** No address that nobody has was found for the prefix: a system management error (RFC 4862 §5.4.5, RFC 7217 §6, RFC 8981 §3.4 7). */
  | { readonly _tag: "GiveUp"; readonly prefix: Address.Ipv6; readonly origin: Origin }
  /** There is no room for another prefix. */
  | { readonly _tag: "Ignore"; readonly bound: "autonomousPrefixes" }

export type Outcome = readonly [Slaac, ReadonlyArray<Action>]

export interface Settings {
  readonly stableSecret: Key
  readonly temporarySecret: Key
  /** RFC 7217 §5: Net_Iface and Network_ID, as words. */
  readonly netInterface: ReadonlyArray<number>
  readonly networkId: ReadonlyArray<number>
  readonly mac: Mac
  /** How stable identifiers are made; `eui64` shows the MAC address to everybody (RFC 8064 §3). */
  readonly identifiers: "opaque" | "eui64"
  /** Whether a prefix gets temporary addresses (rfc: 8981 §3.7 MUST, for each prefix SHOULD). */
  readonly hasTemporary: (prefix: Address.Ipv6) => boolean
  readonly temporary: Temporary.Settings
  readonly limits: { readonly autonomousPrefixes: number }
  /** A number in [0, 1) that nobody can guess, different for every `draw`. */
  readonly fraction: (draw: number) => number
  /** Added to an instant it gives microseconds since 1970, so that temporary identifiers differ after a restart with the same keys. */
  readonly wallOffset: number
  /** Whether the interface has the address for another reason than this machine. */
  readonly isTaken: (address: Address.Ipv6) => boolean
}

/** RFC 7217 §7: IDGEN_RETRIES and IDGEN_DELAY. */
const stableRetries = 3
const stableDelay = Time.seconds(1)

export const empty: Slaac = Object.freeze({ prefixes: Object.freeze([]), draws: 0, deadline: Time.never })

/** One step's work: what it draws and asks for. */
interface Work {
  readonly at: Time.Instant
  readonly settings: Settings
  readonly actions: Array<Action>
  draws: number
}

export const step = (self: Slaac, input: Input, at: Time.Instant, settings: Settings): Outcome => {
  const work: Work = { at, settings, actions: [], draws: self.draws }
  const alive = self.prefixes.flatMap((prefix) => withoutInvalid(prefix, at))
  const taken = take(work, alive, input)
  const prefixes = taken.map((prefix) => maintain(work, prefix))
  return [{ prefixes, draws: work.draws, deadline: deadlineOf(work, prefixes) }, work.actions]
}

const take = (work: Work, prefixes: ReadonlyArray<Prefix>, input: Input): ReadonlyArray<Prefix> => {
  switch (input._tag) {
    case "Enable":
      return prefixes.some(isLinkLocal)
        ? prefixes
        : [begin(work, linkLocalPrefix, AddressLifetimes.unlimited), ...prefixes]
    case "Disable":
      for (const address of prefixes.flatMap(addressesOf)) work.actions.push({ _tag: "Remove", address })
      return []
    case "Advertised":
      return input.prefixes.reduce((all, advertised) => onAdvertised(work, all, advertised), prefixes)
    case "Duplicate":
      return prefixes.map((prefix) => onDuplicate(work, prefix, input.address))
    case "Unique":
      return prefixes.map((prefix) => onUnique(prefix, input.address))
    case "Alarm":
      return prefixes
  }
}

const isLinkLocal = ({ prefix }: Prefix): boolean => Address.isLinkLocal(prefix)

const originOf = (prefix: Prefix): Origin => isLinkLocal(prefix) ? "linkLocal" : "slaac"

/** The addresses of a prefix that the interface has. */
const addressesOf = ({ stable, temporaries }: Prefix): ReadonlyArray<Address.Ipv6> => [
  ...(stable._tag === "Configured" ? [stable.address] : []),
  ...temporaries.map(({ address }) => address)
]

// Advertisements

/** rfc: 4862 §5.5.3 a) to c), and what d) MUST ignore; a prefix of groups or of no address makes none. */
const isUsable = (advertised: NdpOptions.Prefix): boolean =>
  advertised.autonomous &&
  advertised.preferredLifetime <= advertised.validLifetime &&
  advertised.length === InterfaceId.prefixLength &&
  !Address.isLinkLocal(advertised.prefix) &&
  !Address.isMulticast(advertised.prefix) &&
  (advertised.prefix.w0 | advertised.prefix.w1) !== 0

const onAdvertised = (
  work: Work,
  prefixes: ReadonlyArray<Prefix>,
  advertised: NdpOptions.Prefix
): ReadonlyArray<Prefix> => {
  if (!isUsable(advertised)) return prefixes
  const known = prefixes.find(({ prefix }) => Address.samePrefix(prefix, advertised.prefix, InterfaceId.prefixLength))
  if (known !== undefined) {
    const renewed = renew(work, known, advertised)
    return prefixes.map((prefix) => prefix === known ? renewed : prefix)
  }
  // rfc: 4862 §5.5.3 d)
  if (advertised.validLifetime === 0) return prefixes
  if (prefixes.filter((prefix) => !isLinkLocal(prefix)).length >= work.settings.limits.autonomousPrefixes) {
    work.actions.push({ _tag: "Ignore", bound: "autonomousPrefixes" })
    return prefixes
  }
  const prefix = Address.v6(advertised.prefix.w0, advertised.prefix.w1, 0, 0)
  return [...prefixes, begin(work, prefix, AddressLifetimes.make(work.at, advertised))]
}

const begin = (work: Work, prefix: Address.Ipv6, lifetimes: AddressLifetimes.AddressLifetimes): Prefix =>
  configure(work, {
    prefix,
    lifetimes,
    stable: { _tag: "Failed" },
    duplicateCounter: 0,
    temporaries: [],
    temporaryFailures: 0
  })

/** Makes the stable address of a prefix. */
const configure = (work: Work, self: Prefix): Prefix => {
  const { identifiers, isTaken, mac, netInterface, networkId, stableSecret } = work.settings
  const input: InterfaceId.StableInput = {
    prefix: self.prefix,
    netInterface,
    networkId,
    duplicateCounter: self.duplicateCounter
  }
  const found = identifiers === "eui64"
    ? { address: InterfaceId.join(self.prefix, InterfaceId.eui64(mac)), duplicateCounter: self.duplicateCounter }
    : InterfaceId.find((given) => InterfaceId.stable(stableSecret, given), input, isTaken)
  if (found === undefined) return giveUp(work, self)
  work.actions.push({
    _tag: "Add",
    address: found.address,
    prefixLength: InterfaceId.prefixLength,
    origin: originOf(self),
    lifetimes: self.lifetimes
  })
  return {
    ...self,
    stable: { _tag: "Configured", address: found.address },
    duplicateCounter: found.duplicateCounter
  }
}

const giveUp = (work: Work, self: Prefix): Prefix => {
  work.actions.push({ _tag: "GiveUp", prefix: self.prefix, origin: originOf(self) })
  return { ...self, stable: { _tag: "Failed" } }
}

/** rfc: 4862 §5.5.3 e), 8981 §3.4 1 */
const renew = (work: Work, self: Prefix, advertised: NdpOptions.Prefix): Prefix => {
  const lifetimes = AddressLifetimes.renew(self.lifetimes, advertised, work.at)
  if (self.stable._tag === "Configured" && !AddressLifetimes.equals(lifetimes, self.lifetimes)) {
    work.actions.push({ _tag: "Renew", address: self.stable.address, lifetimes })
  }
  const temporaries = self.temporaries.map((temporary) => {
    const renewed = Temporary.renew(temporary, lifetimes)
    if (renewed !== temporary) {
      work.actions.push({ _tag: "Renew", address: temporary.address, lifetimes: renewed.lifetimes })
    }
    return renewed
  })
  return { ...self, lifetimes, temporaries }
}

// Duplicates

const onDuplicate = (work: Work, self: Prefix, address: Address.Ipv6): Prefix => {
  if (self.stable._tag === "Configured" && Address.equals(self.stable.address, address)) {
    work.actions.push({ _tag: "Remove", address })
    // rfc: 7217 §6: another one after a random delay, but not for ever; a MAC address has only one (rfc: 4862 §5.4.5)
    if (work.settings.identifiers === "eui64" || self.duplicateCounter >= stableRetries) return giveUp(work, self)
    const delay = Time.scale(stableDelay, work.settings.fraction(work.draws++))
    return {
      ...self,
      duplicateCounter: self.duplicateCounter + 1,
      stable: { _tag: "Waiting", at: Time.plus(work.at, delay) }
    }
  }
  const temporaries = self.temporaries.filter((temporary) => !Address.equals(temporary.address, address))
  if (temporaries.length === self.temporaries.length) return self
  work.actions.push({ _tag: "Remove", address })
  // rfc: 8981 §3.4 7
  const temporaryFailures = self.temporaryFailures + 1
  if (temporaryFailures === Temporary.maximumAttempts) {
    work.actions.push({ _tag: "GiveUp", prefix: self.prefix, origin: "temporary" })
  }
  return { ...self, temporaries, temporaryFailures }
}

const onUnique = (self: Prefix, address: Address.Ipv6): Prefix =>
  self.temporaries.some((temporary) => Address.equals(temporary.address, address))
    ? { ...self, temporaryFailures: 0 }
    : self

// Time

/** The prefix without what has become invalid; nothing if it has itself (RFC 4862 §5.5.4). */
const withoutInvalid = (self: Prefix, at: Time.Instant): ReadonlyArray<Prefix> => {
  if (self.lifetimes.validUntil <= at) return []
  const temporaries = self.temporaries.filter(({ lifetimes }) => lifetimes.validUntil > at)
  return [temporaries.length === self.temporaries.length ? self : { ...self, temporaries }]
}

/** Does what is due for a prefix: another stable address, the next temporary one. */
const maintain = (work: Work, self: Prefix): Prefix => {
  const stabled = self.stable._tag === "Waiting" && self.stable.at <= work.at ? configure(work, self) : self
  return needsTemporary(work, stabled) ? withTemporary(work, stabled) : stabled
}

/** rfc: 8981 §3.4 3 SHOULD, §3.5 MUST: when there is none, or none that stays preferred for long enough to make another. */
const needsTemporary = ({ at, settings }: Work, self: Prefix): boolean =>
  !isLinkLocal(self) &&
  self.temporaryFailures < Temporary.maximumAttempts &&
  settings.hasTemporary(self.prefix) &&
  Temporary.regenerateAt(self.temporaries, settings.temporary) <= at

const withTemporary = (work: Work, self: Prefix): Prefix => {
  const { isTaken, mac, networkId, temporary, temporarySecret } = work.settings
  const draw = work.draws++
  const limit = Temporary.limitOf(work.at, work.settings.fraction(draw), temporary)
  const lifetimes = AddressLifetimes.within(self.lifetimes, limit)
  if (!Temporary.isWorthwhile(lifetimes, work.at, temporary)) return self
  const found = InterfaceId.find(
    (given) => InterfaceId.temporary(temporarySecret, given),
    {
      prefix: self.prefix,
      netInterface: [mac | 0, Math.floor(mac / 0x1_0000_0000)],
      networkId,
      duplicateCounter: self.temporaryFailures,
      time: Math.floor(work.settings.wallOffset + work.at) + draw
    },
    (address) => isTaken(address) || addressesOf(self).some((other) => Address.equals(other, address))
  )
  if (found === undefined) return { ...self, temporaryFailures: Temporary.maximumAttempts }
  const { address } = found
  work.actions.push({
    _tag: "Add",
    address,
    prefixLength: InterfaceId.prefixLength,
    origin: "temporary",
    lifetimes
  })
  return { ...self, temporaries: [...self.temporaries, { address, limit, lifetimes }] }
}

const deadlineOf = ({ at, settings }: Work, prefixes: ReadonlyArray<Prefix>): Time.Instant => {
  let deadline: Time.Instant = Time.never
  for (const prefix of prefixes) {
    deadline = Time.earliest(deadline, prefix.lifetimes.validUntil)
    if (prefix.stable._tag === "Waiting") deadline = Time.earliest(deadline, prefix.stable.at)
    for (const { lifetimes } of prefix.temporaries) deadline = Time.earliest(deadline, lifetimes.validUntil)
    const next = Temporary.regenerateAt(prefix.temporaries, settings.temporary)
    const isPlanned = next > at && prefix.temporaryFailures < Temporary.maximumAttempts
    if (isPlanned) deadline = Time.earliest(deadline, next)
  }
  return deadline
}
