/**
 * Which IPv6 groups the interfaces listen to, told to the routers of their links (RFC 3810; RFC 2710 beside older routers): `Gmp.ts` decides, here are its
 * timers and its messages.
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as Icmpv6 from "../../wire/Icmpv6.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Mld from "../../wire/Mld.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { type Interface, isUsable, type LinkId } from "../Device.ts"
import * as Entropy from "../Entropy.ts"
import { noPieces, type Packet } from "../Ip.ts"
import type * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import type * as Filter from "./Filter.ts"
import * as Gmp from "./Gmp.ts"
import type { State } from "./State.ts"
import * as Validity from "./Validity.ts"

/** Numbers the keys of this file's random numbers apart from others'. */
const purpose = 0x4d_4c44

const settingsOf = (ctx: Context, self: Interface): Gmp.Settings => ({
  mtu: self.mtu,
  limits: ctx.config.limits,
  fraction: (draw) => Entropy.fraction(ctx.keys.jitter, [purpose, self.id, draw])
})

/** Somebody on this host listens to a group otherwise than before; `undefined` for not at all. False if there is no room. */
export const listen = (
  ctx: Context,
  state: State,
  self: Interface,
  group: Address.Ipv6,
  before: Filter.Filter | undefined,
  after: Filter.Filter | undefined
): boolean => tell(ctx, state, self, { _tag: "Listen", group, before, after })

/** Whether packets of a source to a group are wanted. */
export const isListened = (state: State, self: Interface, group: Address.Ipv6): boolean => {
  const membership = state.memberships.get(self.id)
  return membership !== undefined && membership.machine.groups.has(Address.key(group))
}

/** Routers may not know of this host: the link came up, or has an address now from which they take reports (rfc: 3810 §5.2.13). */
export const announce = (ctx: Context, state: State, self: Interface): void => {
  if (state.memberships.has(self.id)) tell(ctx, state, self, { _tag: "Announce" })
}

export const receive = (ctx: Context, state: State, packet: Packet): void => {
  const { bytes, destination, end, hopLimit, link, source, start } = packet
  const message = Mld.parse(bytes, start, end)
  if (Malformed.isMalformed(message)) return ctx.drop("Malformed", link, message.detail)
  const hasRouterAlert = packet.extensions?.routerAlert !== undefined
  const envelope: Validity.Envelope = { source, destination, hopLimit, hasRouterAlert }
  const self = ctx.links.get(link)
  if (self === undefined || !state.memberships.has(link)) return ctx.drop("GroupInvalid", link)
  switch (message._tag) {
    case "Query": {
      const fault = Validity.queryFault(envelope, message)
      if (fault !== undefined) return ctx.drop("GroupInvalid", link, fault)
      tell(ctx, state, self, { _tag: "Query", query: message })
      return
    }
    case "Report": {
      const fault = Validity.reportFault(envelope)
      if (fault !== undefined) return ctx.drop("GroupInvalid", link, fault)
      tell(ctx, state, self, { _tag: "Report", group: message.group })
      return
    }
    case "Leave":
    case "Records":
      // For routers.
      return ctx.drop("GroupInvalid", link)
  }
}

export const alarm = (ctx: Context, state: State, link: LinkId, due: Time.Instant): void => {
  const membership = state.memberships.get(link)
  const self = ctx.links.get(link)
  if (membership === undefined || self === undefined) return
  const { armed, isDue } = Timer.fired(ctx, { _tag: "ListenerDiscovery", key: link }, membership.timer, due)
  ctx.put(state.memberships, link, { ...membership, timer: armed })
  if (isDue) tell(ctx, state, self, { _tag: "Alarm" })
}

/** The alarm threw: what was about to be said is left out, and the next query is answered. */
export const lost = (ctx: Context, state: State, link: LinkId): void => {
  const membership = state.memberships.get(link)
  if (membership !== undefined) ctx.put(state.memberships, link, { ...membership, timer: Timer.idle })
}

/** The link is gone. */
export const forget = (ctx: Context, state: State, link: LinkId): void => {
  if (state.memberships.has(link)) ctx.remove(state.memberships, link)
}

const tell = (ctx: Context, state: State, self: Interface, input: Gmp.Input): boolean => {
  const before = state.memberships.get(self.id) ?? { machine: Gmp.make(6), timer: Timer.idle }
  const [machine, actions] = Gmp.step(before.machine, input, ctx.at, settingsOf(ctx, self))
  const timer = Timer.arm(ctx, { _tag: "ListenerDiscovery", key: self.id }, before.timer, machine.deadline)
  ctx.put(state.memberships, self.id, { machine, timer })
  let isTaken = true
  for (const action of actions) {
    if (action._tag === "Refuse") isTaken = false
    else if (self.up && !Address.isV4(action.destination)) send(ctx, self, action.destination, action.message)
  }
  return isTaken
}

/** rfc: 3810 §5.2.13: from a link-local address, or from none while there is none yet */
const sourceOf = (self: Interface): Address.Ipv6 => {
  for (const entry of self.addresses) {
    const { address } = entry
    if (!Address.isV4(address) && Address.isLinkLocal(address) && isUsable(entry)) return address
  }
  return Address.unspecifiedV6
}

const send = (ctx: Context, self: Interface, destination: Address.Ipv6, message: Gmp.Message): void => {
  // The machine of IPv6 speaks of IPv6 groups and sources only.
  const mld = message as Mld.Message
  const source = sourceOf(self)
  const length = Mld.size(mld)
  const head = ctx.reserve(length)
  const pseudo = Checksum.pseudoV6(source, destination, IpProtocol.icmpv6, length)
  const headEnd = Mld.emit(mld, head.bytes, head.at, Checksum.fold(pseudo))
  ctx.count(Counter.index.icmpSent)
  ctx.ip.send(ctx, {
    path: {
      version: 6,
      link: self.id,
      source,
      destination,
      nextHop: destination,
      mtu: self.mtu,
      maxSegmentBytes: self.mtu
    },
    protocol: IpProtocol.icmpv6,
    head,
    headEnd,
    pieces: noPieces,
    checksumOffset: Icmpv6.checksumOffset,
    // rfc: 3810 §5 MUST
    hopLimit: 1,
    routerAlert: true,
    trafficClass: 0,
    dontFragment: true,
    gso: undefined,
    credit: undefined
  })
}
