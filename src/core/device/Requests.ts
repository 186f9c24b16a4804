/**
 * What programs ask of the interfaces: addresses to add and to take away. Links come and go by the shell's own requests.
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import { type AddressOrigin, find, type Interface, type InterfaceAddress, type LinkId } from "../Device.ts"
import * as Family from "../Family.ts"
import * as Reason from "../Reason.ts"
import type { Answers, Ticket } from "../Request.ts"
import * as Time from "../Time.ts"
import * as Addresses from "./Addresses.ts"
import type { Effects } from "./Effects.ts"
import type { State } from "./State.ts"

/** Gives an interface an address, or new lifetimes to one that it has. Answers at once, perhaps while the address is still being probed. */
export interface AddAddress extends Answers<void> {
  readonly _tag: "AddAddress"
  readonly link: LinkId
  readonly address: Address.Address
  readonly prefixLength: number
  readonly origin: AddressOrigin
  /** After this, no new traffic starts from it (RFC 4862 §5.5.4); never if absent. */
  readonly preferredUntil?: Time.Instant
  /** After this, it is gone; never if absent. */
  readonly validUntil?: Time.Instant
  /** Probes an IPv4 address before it is used (RFC 5227 §2.1); as `Config.addressProbing` says if absent. */
  readonly probe?: boolean
}

/** Takes an address away. What was bound to it can't send any more. */
export interface RemoveAddress extends Answers<void> {
  readonly _tag: "RemoveAddress"
  readonly link: LinkId
  readonly address: Address.Address
}

/** Makes the host a router for who sends to this interface, or not, whatever the stack does (`Config.forwarding`). */
export interface SetForwarding extends Answers<void> {
  readonly _tag: "SetForwarding"
  readonly link: LinkId
  readonly isOn: boolean
}

export type DeviceRequest = AddAddress | RemoveAddress | SetForwarding

export const handle = (ctx: Context, state: State, effects: Effects, ticket: Ticket, request: DeviceRequest): void => {
  const self = state.interfaces.get(request.link)
  if (self === undefined) return ctx.fail(ticket, Reason.notFound("interface"))
  switch (request._tag) {
    case "AddAddress":
      return add(ctx, state, effects, ticket, self, request)
    case "RemoveAddress": {
      const entry = find(self, request.address)
      if (entry === undefined) return ctx.fail(ticket, Reason.notFound("address"))
      Addresses.unassign(ctx, state, effects, self.id, entry)
      return ctx.reply(ticket, undefined)
    }
    case "SetForwarding": {
      if (self.medium === "loopback") return ctx.fail(ticket, Reason.invalidArgument("the loopback interface"))
      const changed: Interface = { ...self, forwarding: request.isOn }
      ctx.put(state.interfaces, self.id, changed)
      effects.forwarding(ctx, changed)
      return ctx.reply(ticket, undefined)
    }
  }
}

const add = (
  ctx: Context,
  state: State,
  effects: Effects,
  ticket: Ticket,
  self: Interface,
  request: AddAddress
): void => {
  const refusal = refusalOf(ctx, state, self, request)
  if (refusal !== undefined) return ctx.fail(ticket, refusal)
  const preferredUntil = request.preferredUntil ?? Time.never
  const validUntil = request.validUntil ?? Time.never
  const { address, origin, prefixLength } = request
  const before = find(self, address)
  if (before !== undefined && before.prefixLength === prefixLength) {
    const revived = before.state === "deprecated" && preferredUntil > ctx.at ? "preferred" : before.state
    Addresses.renew(ctx, state, self.id, { ...before, origin, state: revived, preferredUntil, validUntil })
    return ctx.reply(ticket, undefined)
  }
  // Another prefix means other routes, so the old entry goes first.
  if (before !== undefined) Addresses.unassign(ctx, state, effects, self.id, before)
  if (!Address.isV4(address) && !Address.isLinkLocal(address)) addLinkLocal(ctx, state, effects, self.id)
  const current = state.interfaces.get(self.id) ?? self
  const entry: InterfaceAddress = {
    id: ctx.nextId(),
    address,
    prefixLength,
    state: preferredUntil > ctx.at ? "preferred" : "deprecated",
    origin,
    preferredUntil,
    validUntil
  }
  const probing = request.probe === undefined ? undefined : request.probe ? "tentative" : "none"
  Addresses.assign(ctx, state, effects, current, entry, probing)
  ctx.reply(ticket, undefined)
}

/** rfc: 4291 §2.1 MUST: whoever speaks IPv6 on a link has an address of that link. */
const addLinkLocal = (ctx: Context, state: State, effects: Effects, link: LinkId): void => {
  const self = state.interfaces.get(link)
  if (self === undefined || self.addresses.length + 1 >= ctx.config.limits.addresses) return
  if (self.addresses.some(({ address }) => !Address.isV4(address) && Address.isLinkLocal(address))) return
  const address = effects.linkLocalOf(ctx, self)
  if (address === undefined) return
  Addresses.assign(ctx, state, effects, self, {
    id: ctx.nextId(),
    address,
    prefixLength: 64,
    state: "preferred",
    origin: "linkLocal",
    preferredUntil: Time.never,
    validUntil: Time.never
  })
}

const refusalOf = (ctx: Context, state: State, self: Interface, request: AddAddress): Reason.Reason | undefined => {
  const { address, prefixLength } = request
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > Family.of(address).addressBits) {
    return Reason.invalidArgument(`prefix length ${prefixLength}`)
  }
  if (!(Address.isV4(address) ? isHostAddress(address, prefixLength) : isHostAddressV6(address))) {
    return Reason.invalidArgument("not the address of a single host")
  }
  // rfc: 8200 §5 MUST
  if (self.mtu < Family.of(address).minimumMtu) return Reason.invalidArgument(`an MTU of ${self.mtu}`)
  if (Address.isLoopback(address) && self.medium !== "loopback") {
    return Reason.invalidArgument("a loopback address on a link")
  }
  const owners = state.owners.get(Address.key(address))
  const isElsewhere = owners !== undefined && !owners.includes(self.id)
  // Link-local ones are of their link only (RFC 4007 §6).
  if (isElsewhere && (Address.isV4(address) || !Address.isLinkLocal(address))) return Reason.addressInUse
  if ((owners === undefined || isElsewhere) && self.addresses.length >= ctx.config.limits.addresses) {
    return Reason.limitReached("addresses")
  }
  return undefined
}

/** rfc: 1122 §3.2.1.3; with 31 and 32 bits there is no broadcast address to be confused with (RFC 3021 §2.1). */
const isHostAddress = (address: Address.Ipv4, prefixLength: number): boolean => {
  if (address >>> 24 === 0 || address >>> 28 >= 14) return false
  const hostBits = ~Address.mask32(prefixLength)
  return prefixLength >= 31 || ((address & hostBits) !== 0 && (address & hostBits) !== hostBits)
}

/** rfc: 4291 §2.7, §2.5.2, §2.5.5.2: neither a group nor nobody, nor an IPv4 address in disguise */
const isHostAddressV6 = (address: Address.Ipv6): boolean =>
  !Address.isMulticast(address) && !Address.isUnspecified(address) &&
  !(address.w0 === 0 && address.w1 === 0 && address.w2 === 0xffff)
