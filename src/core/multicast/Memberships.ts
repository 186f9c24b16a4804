/**
 * Which groups the interfaces listen to, of both families, told to the routers of their links (RFC 3376, RFC 3810): `Gmp.ts` decides, here are its timers;
 * `Igmp.ts` and `ListenerDiscovery.ts` carry its messages.
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import type * as Filter from "../data/SourceFilter.ts"
import type { Interface, LinkId } from "../Device.ts"
import * as Entropy from "../Entropy.ts"
import type * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import * as Gmp from "./Gmp.ts"
import * as Igmp from "./Igmp.ts"
import * as ListenerDiscovery from "./ListenerDiscovery.ts"
import type { State } from "./State.ts"

/** Set the random numbers of this file apart from others', and those of the families from each other. */
const purpose = { 4: 0x49_474d, 6: 0x4d_4c44 } as const
const timers = { 4: "GroupMembership", 6: "ListenerDiscovery" } as const

const settingsOf = (ctx: Context, self: Interface, version: Address.Version): Gmp.Settings => ({
  mtu: self.mtu,
  limits: ctx.config.limits,
  fraction: (draw) => Entropy.fraction(ctx.keys.jitter, [purpose[version], self.id, draw])
})

/** Somebody on this host listens to a group otherwise than before; `undefined` for not at all. Answers the bound that forbids it, if one does. */
export const listen = (
  ctx: Context,
  state: State,
  self: Interface,
  group: Address.Address,
  before: Filter.Filter | undefined,
  after: Filter.Filter | undefined
): "multicastGroups" | "multicastSources" | undefined =>
  tell(ctx, state, self, Address.versionOf(group), { _tag: "Listen", group, before, after })

/** Whether packets of a source to a group are wanted on an interface. */
export const accepts = (state: State, link: LinkId, group: Address.Address, source: Address.Address): boolean => {
  const membership = state.memberships[Address.versionOf(group)].get(link)
  return membership !== undefined && Gmp.accepts(membership.machine, group, source)
}

/** Whether anybody listens to the group, or did until a moment ago. */
export const isKnown = (state: State, link: LinkId, group: Address.Address): boolean => {
  const membership = state.memberships[Address.versionOf(group)].get(link)
  return membership !== undefined && membership.machine.groups.has(Address.key(group))
}

/** Routers may not know of this host: the link came up, or has an address now from which they take reports (rfc: 3810 §5.2.13). */
export const announce = (ctx: Context, state: State, self: Interface, version: Address.Version): void => {
  if (state.memberships[version].has(self.id)) tell(ctx, state, self, version, { _tag: "Announce" })
}

/** A message came that its carrier has nothing against. */
export const hear = (
  ctx: Context,
  state: State,
  self: Interface,
  version: Address.Version,
  input: Extract<Gmp.Input, { readonly _tag: "Query" | "Report" }>
): void => {
  tell(ctx, state, self, version, input)
}

export const alarm = (ctx: Context, state: State, version: Address.Version, link: LinkId, due: Time.Instant): void => {
  const membership = state.memberships[version].get(link)
  const self = ctx.links.get(link)
  if (membership === undefined || self === undefined) return
  const { armed, isDue } = Timer.fired(ctx, { _tag: timers[version], key: link }, membership.timer, due)
  ctx.put(state.memberships[version], link, { ...membership, timer: armed })
  if (isDue) tell(ctx, state, self, version, { _tag: "Alarm" })
}

/** The alarm threw: what was about to be said is left out, and the next query is answered. */
export const lost = (ctx: Context, state: State, version: Address.Version, link: LinkId): void => {
  const membership = state.memberships[version].get(link)
  if (membership !== undefined) ctx.put(state.memberships[version], link, { ...membership, timer: Timer.idle })
}

/** The link is gone. */
export const forget = (ctx: Context, state: State, link: LinkId): void => {
  for (const version of [4, 6] as const) {
    if (state.memberships[version].has(link)) ctx.remove(state.memberships[version], link)
  }
}

const tell = (
  ctx: Context,
  state: State,
  self: Interface,
  version: Address.Version,
  input: Gmp.Input
): "multicastGroups" | "multicastSources" | undefined => {
  const table = state.memberships[version]
  const before = table.get(self.id) ?? { machine: Gmp.make(version), timer: Timer.idle }
  const [machine, actions] = Gmp.step(before.machine, input, ctx.at, settingsOf(ctx, self, version))
  const timer = Timer.arm(ctx, { _tag: timers[version], key: self.id }, before.timer, machine.deadline)
  ctx.put(table, self.id, { machine, timer })
  for (const action of actions) {
    if (action._tag === "Refuse") return action.bound
    if (self.up && self.medium !== "loopback") send(ctx, self, machine, action)
  }
  return undefined
}

/** The machine of a family speaks of its own groups and sources only. */
const send = (
  ctx: Context,
  self: Interface,
  machine: Gmp.Gmp,
  { destination, message }: Extract<Gmp.Action, { readonly _tag: "Send" }>
): void => {
  if (Address.isV4(destination)) Igmp.send(ctx, self, destination, message, Gmp.modeOf(machine))
  else ListenerDiscovery.send(ctx, self, destination, message)
}
