/**
 * The client's side of DHCP as a machine (RFC 2131 §4.4, figure 5): what it does next depends on its state, what came in, and the time.
 *
 *     Start ─▶ Selecting ─OFFER─▶ Requesting ─ACK─▶ Verifying ─unique─▶ Bound ─T1─▶ Renewing ─T2─▶ Rebinding
 *       │         ▲                   │ NAK            │ taken: DECLINE   ▲  ◀──ACK────┴───────────────┤
 *       │         └─────── Init ◀─────┴────────────────┘                  │                            │
 *       │   (waits)         ▲─────────────────────────────────────────────┼────── NAK, or expired ─────┘
 *       └─ with an address ─▶ Rebooting ──────────── ACK ─────────────────┘
 *
 * It does nothing itself: it says what is to be sent, configured and withdrawn. Times are seconds on a monotonic clock.
 */
import * as Address from "../wire/Address.ts"
import * as DhcpOptions from "../wire/DhcpOptions.ts"
import * as Dhcpv4 from "../wire/Dhcpv4.ts"
import * as DhcpGrant from "./DhcpGrant.ts"
import * as DhcpMessages from "./DhcpMessages.ts"

type Lease = DhcpGrant.Lease

/** Messages of one kind until an answer comes. */
export interface Exchange extends DhcpMessages.Exchange {
  /** When it went out first, from which its lease counts. */
  readonly askedAt: number
  /** How often the message has gone out. */
  readonly tries: number
  /** When it goes out again. */
  readonly nextAt: number
}

export type State =
  | { readonly _tag: "Stopped" }
  /** Waits before it asks (anew). */
  | { readonly _tag: "Init"; readonly discoverAt: number }
  | { readonly _tag: "Selecting"; readonly exchange: Exchange }
  | { readonly _tag: "Requesting"; readonly exchange: Exchange; readonly offer: DhcpGrant.Grant }
  /** `lease` goes on if nobody answers and its time is not over; without one only the address is known. */
  | {
    readonly _tag: "Rebooting"
    readonly exchange: Exchange
    readonly address: Address.Ipv4
    readonly lease: Lease | undefined
  }
  /** The address is given, and is being looked for on the link (RFC 5227 §2.1). */
  | { readonly _tag: "Verifying"; readonly lease: Lease }
  | { readonly _tag: "Bound"; readonly lease: Lease }
  | { readonly _tag: "Renewing"; readonly exchange: Exchange; readonly lease: Lease }
  | { readonly _tag: "Rebinding"; readonly exchange: Exchange; readonly lease: Lease }

export interface Machine {
  readonly identity: DhcpMessages.Identity
  readonly state: State
  /** The lease whose address the interface has, whatever the state. */
  readonly held: Lease | undefined
  /** When it began to look for an address. */
  readonly began: number
  /** Beginnings since the last lease. */
  readonly attempts: number
}

export type Input =
  /** `address` was this host's before (INIT-REBOOT); `lease` if it may still be used. */
  | { readonly _tag: "Start"; readonly address?: Address.Ipv4 | undefined; readonly lease?: Lease | undefined }
  | { readonly _tag: "Alarm" }
  | { readonly _tag: "Received"; readonly message: Dhcpv4.Message }
  /** The address that was to be configured may be used. */
  | { readonly _tag: "Verified" }
  /** Somebody else has the address, or the interface can't have it. */
  | { readonly _tag: "Conflict" }
  /** The link has come up again: the host may be in another network now. */
  | { readonly _tag: "LinkUp" }
  | { readonly _tag: "Stop"; readonly release: boolean }

export type Action =
  | { readonly _tag: "Send"; readonly message: Dhcpv4.Message; readonly to: Address.Ipv4 }
  /** A new address, which is to be verified. */
  | { readonly _tag: "Configure"; readonly lease: Lease }
  /** The interface has the address: its time, which may be new, and the options that come with it. */
  | { readonly _tag: "Use"; readonly lease: Lease }
  /** The address must not be used any more. */
  | { readonly _tag: "Withdraw"; readonly lease: Lease }

export type Outcome = readonly [Machine, ReadonlyArray<Action>]

/** What a step may use of the world. */
export interface Now {
  readonly at: number
  /** A number from 0 to 1 that others can't foresee. */
  readonly draw: () => number
}

export const make = (identity: DhcpMessages.Identity): Machine => ({
  identity,
  state: { _tag: "Stopped" },
  held: undefined,
  began: 0,
  attempts: 0
})

/** rfc: 2131 §3.1 (5): after some tries without an answer everything begins anew; four take a minute. */
const requestTries = 4
/** Fewer where the address may belong to a network that the host has left: there nobody will ever answer. */
const rebootTries = 2
/** rfc: 2131 §3.1 (5) SHOULD: ten seconds after a conflict. */
const declineWait = 10
/** rfc: 2131 §4.4.5 SHOULD: not more often than once a minute. */
const shortestRenewal = 60

/** rfc: 2131 §4.1: 4 s, 8 s, to 64 s, each up to a second more or less. */
const backoff = (tries: number, now: Now): number => Math.min(64, 4 * 2 ** (tries - 1)) + 2 * now.draw() - 1

const exchangeOf = (began: number, now: Now): Exchange => ({
  transaction: Math.floor(now.draw() * 2 ** 32) | 0,
  began,
  sentAt: now.at,
  askedAt: now.at,
  tries: 1,
  nextAt: now.at + backoff(1, now)
})

const again = (exchange: Exchange, now: Now): Exchange => ({
  ...exchange,
  tries: exchange.tries + 1,
  nextAt: now.at + backoff(exchange.tries + 1, now)
})

const broadcast = (message: Dhcpv4.Message): Action => ({ _tag: "Send", message, to: Address.broadcastV4 })

/** When the machine wants an alarm. */
export const deadline = ({ state }: Machine): number => {
  switch (state._tag) {
    case "Stopped":
      return Infinity
    case "Verifying":
      return state.lease.expiresAt
    case "Init":
      return state.discoverAt
    case "Selecting":
    case "Requesting":
      return state.exchange.nextAt
    case "Rebooting":
      return Math.min(state.exchange.nextAt, state.lease?.expiresAt ?? Infinity)
    case "Bound":
      return state.lease.renewAt
    case "Renewing":
      return Math.min(state.exchange.nextAt, state.lease.rebindAt)
    case "Rebinding":
      return Math.min(state.exchange.nextAt, state.lease.expiresAt)
  }
}

export const step = (self: Machine, input: Input, now: Now): Outcome => {
  switch (input._tag) {
    case "Start":
      return start({ ...self, began: now.at, attempts: 0 }, input.address, input.lease, now)
    case "Alarm":
      return now.at < deadline(self) ? [self, []] : alarm(self, now)
    case "Received":
      return received(self, input.message, now)
    case "Verified":
      return self.state._tag === "Verifying" ? bind(self, self.state.lease) : [self, []]
    case "Conflict":
      return self.held === undefined ? [self, []] : decline(self, self.held, now)
    case "LinkUp":
      return self.state._tag === "Stopped"
        ? [self, []]
        : start({ ...self, began: now.at }, self.held?.grant.address, self.held, now)
    case "Stop":
      return stop(self, input.release, now)
  }
}

const start = (
  self: Machine,
  address: Address.Ipv4 | undefined,
  lease: Lease | undefined,
  now: Now
): Outcome => {
  if (address === undefined) return discover(self, now)
  const exchange = exchangeOf(self.began, now)
  const message = DhcpMessages.reboot(self.identity, exchange, address)
  return [{ ...self, state: { _tag: "Rebooting", exchange, address, lease } }, [broadcast(message)]]
}

const discover = (self: Machine, now: Now): Outcome => {
  const exchange = exchangeOf(self.began, now)
  const message = DhcpMessages.discover(self.identity, exchange, undefined)
  const attempts = self.attempts + 1
  return [{ ...self, attempts, state: { _tag: "Selecting", exchange } }, [broadcast(message)]]
}

/**
 * Gives up what it has and begins anew. rfc: 2131 §4.4.1 SHOULD: after one to ten seconds, so that hosts that start together do not ask together; the
 * first time at once, since a program waits for it.
 */
const restart = (self: Machine, now: Now, wait = 0): Outcome => {
  const actions: ReadonlyArray<Action> = self.held === undefined ? [] : [{ _tag: "Withdraw", lease: self.held }]
  const fresh: Machine = { ...self, held: undefined, began: now.at }
  if (wait === 0 && self.attempts === 0) {
    const [next, sent] = discover(fresh, now)
    return [next, [...actions, ...sent]]
  }
  const discoverAt = now.at + Math.max(wait, 1 + 9 * now.draw())
  return [{ ...fresh, state: { _tag: "Init", discoverAt } }, actions]
}

const decline = (self: Machine, lease: Lease, now: Now): Outcome => {
  const exchange = exchangeOf(now.at, now)
  const [next, actions] = restart(self, now, declineWait)
  // The address goes first: from nobody's address to everybody, as from a host that has none.
  return [next, [...actions, broadcast(DhcpMessages.decline(self.identity, exchange, lease.grant))]]
}

const stop = (self: Machine, release: boolean, now: Now): Outcome => {
  const { held } = self
  const next: Machine = { ...self, held: undefined, state: { _tag: "Stopped" } }
  if (held === undefined) return [next, []]
  const withdrawn: Action = { _tag: "Withdraw", lease: held }
  if (!release || self.state._tag === "Verifying") return [next, [withdrawn]]
  const message = DhcpMessages.release(self.identity, exchangeOf(now.at, now), held.grant)
  return [next, [{ _tag: "Send", message, to: held.grant.server }, withdrawn]]
}

const alarm = (self: Machine, now: Now): Outcome => {
  const { identity, state } = self
  switch (state._tag) {
    case "Stopped":
      return [self, []]
    case "Init":
      return discover(self, now)
    case "Selecting": {
      const exchange = { ...again(state.exchange, now), sentAt: now.at }
      const message = DhcpMessages.discover(identity, exchange, undefined)
      return [{ ...self, state: { ...state, exchange } }, [broadcast(message)]]
    }
    case "Requesting": {
      if (state.exchange.tries >= requestTries) return restart(self, now)
      const message = DhcpMessages.select(identity, state.exchange, state.offer)
      return [{ ...self, state: { ...state, exchange: again(state.exchange, now) } }, [broadcast(message)]]
    }
    case "Rebooting":
      return rebootAgain(self, state, now)
    case "Verifying":
      return restart(self, now)
    case "Bound":
    case "Renewing":
    case "Rebinding":
      return extend(self, state.lease, now)
  }
}

const rebootAgain = (self: Machine, state: Extract<State, { readonly _tag: "Rebooting" }>, now: Now): Outcome => {
  const { address, exchange, lease } = state
  const isOver = lease === undefined || lease.expiresAt <= now.at
  if (exchange.tries < rebootTries && !(lease !== undefined && isOver)) {
    const message = DhcpMessages.reboot(self.identity, exchange, address)
    return [{ ...self, state: { ...state, exchange: again(exchange, now) } }, [broadcast(message)]]
  }
  // rfc: 2131 §3.2 (4) MAY: nobody answers, but the time of the lease is not over.
  return isOver ? restart(self, now) : adopt(self, lease)
}

/** From T1 on the server is asked for more time, from T2 on everybody is, and at the end of the lease it is over (rfc: 2131 §4.4.5). */
const extend = (self: Machine, lease: Lease, now: Now): Outcome => {
  if (now.at >= lease.expiresAt) return restart({ ...self, attempts: 0 }, now)
  const isRebinding = now.at >= lease.rebindAt
  const before = self.state._tag === "Renewing" || self.state._tag === "Rebinding" ? self.state.exchange : undefined
  const until = isRebinding ? lease.expiresAt : lease.rebindAt
  const exchange: Exchange = {
    ...before ?? exchangeOf(now.at, now),
    sentAt: now.at,
    askedAt: now.at,
    // rfc: 2131 §4.4.5 SHOULD: half of the time that is left, at least a minute
    nextAt: now.at + Math.max(shortestRenewal, (until - now.at) / 2)
  }
  const message = DhcpMessages.renew(self.identity, exchange, lease.grant.address)
  const to = isRebinding ? Address.broadcastV4 : lease.grant.server
  const state: State = { _tag: isRebinding ? "Rebinding" : "Renewing", exchange, lease }
  return [{ ...self, state }, [{ _tag: "Send", message, to }]]
}

/** Whether a message answers what the client has asked; anything else is left lying (rfc: 2131 §4.4.1). */
const isAnswer = ({ identity }: Machine, exchange: Exchange, message: Dhcpv4.Message): boolean =>
  message.operation === Dhcpv4.Operation.reply && message.transaction === exchange.transaction &&
  message.clientMac === identity.mac

const received = (self: Machine, message: Dhcpv4.Message, now: Now): Outcome => {
  const { state } = self
  if (!("exchange" in state) || !isAnswer(self, state.exchange, message)) return [self, []]
  switch (message.options.messageType) {
    case DhcpOptions.MessageType.offer:
      return state._tag === "Selecting" ? offered(self, state.exchange, message, now) : [self, []]
    case DhcpOptions.MessageType.acknowledge:
      return state._tag === "Selecting" ? [self, []] : acknowledged(self, state, message, now)
    case DhcpOptions.MessageType.refuse:
      return state._tag === "Selecting" || !isFromChosen(state, message) ? [self, []] : restart(self, now)
    default:
      return [self, []]
  }
}

/** Of several servers only the one that was chosen has a say while its offer is being taken. */
const isFromChosen = (state: State, { options }: Dhcpv4.Message): boolean =>
  state._tag !== "Requesting" || options.serverIdentifier === undefined ||
  options.serverIdentifier === state.offer.server

/** rfc: 2131 §4.4.1: the first offer that says all it must is taken. */
const offered = (self: Machine, before: Exchange, message: Dhcpv4.Message, now: Now): Outcome => {
  const offer = DhcpGrant.read(message)
  if (offer === undefined) return [self, []]
  // rfc: 2131 §3.1 (3) MUST: seconds and transaction as in the message that was answered
  const exchange: Exchange = { ...before, askedAt: now.at, tries: 1, nextAt: now.at + backoff(1, now) }
  const request = DhcpMessages.select(self.identity, exchange, offer)
  return [{ ...self, state: { _tag: "Requesting", exchange, offer } }, [broadcast(request)]]
}

type Asking = Exclude<Extract<State, { readonly exchange: Exchange }>, { readonly _tag: "Selecting" }>

const acknowledged = (self: Machine, state: Asking, message: Dhcpv4.Message, now: Now): Outcome => {
  const grant = DhcpGrant.read(message)
  if (grant === undefined || !isFromChosen(state, message)) return [self, []]
  return adopt(self, DhcpGrant.begin(grant, state.exchange.askedAt, now.draw()))
}

const isSameAddress = (one: DhcpGrant.Grant, other: DhcpGrant.Grant): boolean =>
  one.address === other.address && one.prefixLength === other.prefixLength

const bind = (self: Machine, lease: Lease): Outcome => [
  { ...self, held: lease, attempts: 0, state: { _tag: "Bound", lease } },
  [{ _tag: "Use", lease }]
]

const adopt = (self: Machine, lease: Lease): Outcome => {
  const { held } = self
  if (held !== undefined && isSameAddress(held.grant, lease.grant)) return bind(self, lease)
  const configured: Action = { _tag: "Configure", lease }
  return [
    { ...self, held: lease, state: { _tag: "Verifying", lease } },
    held === undefined ? [configured] : [{ _tag: "Withdraw", lease: held }, configured]
  ]
}
