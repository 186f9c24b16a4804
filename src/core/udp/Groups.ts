/**
 * Groups that sockets listen to, each by a filter of its own for every interface (RFC 3376 §2, RFC 3810 §3, RFC 3678): joining, leaving, and which
 * datagrams they get by that.
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import * as SourceFilter from "../data/SourceFilter.ts"
import type { LinkId } from "../Device.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as WellKnown from "../WellKnown.ts"
import type { UdpSetFilter } from "./Requests.ts"
import type { Membership, Socket, State } from "./State.ts"

const find = (socket: Socket, link: LinkId, group: Address.Address): Membership | undefined =>
  socket.memberships.find((membership) => membership.link === link && Address.equals(membership.group, group))

/** Every host is a member of these for as long as it lives, so whoever is bound to the port gets what comes to them. */
const isAllNodes = (group: Address.Address): boolean =>
  Address.equals(group, WellKnown.allHosts) || Address.equals(group, WellKnown.allNodes)

/** Whether a socket wants a source's datagrams to a group. Broadcasts are no matter of groups. */
export const accepts = (
  socket: Socket,
  link: LinkId,
  destination: Address.Address,
  source: Address.Address
): boolean => {
  if (!Address.isMulticast(destination)) return true
  const membership = find(socket, link, destination)
  return membership === undefined ? isAllNodes(destination) : SourceFilter.accepts(membership.filter, source)
}

const isHost = (address: Address.Address): boolean => !Address.isMulticast(address) && !Address.isUnspecified(address)

const refusalOf = (socket: Socket, { group, sources }: UdpSetFilter): Reason.Reason | undefined => {
  if (!Address.isMulticast(group)) return Reason.invalidArgument("not a multicast address")
  const version = Address.versionOf(group)
  if (socket.version !== undefined && socket.version !== version) {
    return Reason.invalidArgument("the group is of another IP version")
  }
  return sources.every((source) => Address.versionOf(source) === version && isHost(source))
    ? undefined
    : Reason.invalidArgument("a source is no host of the group's IP version")
}

/** Listens to a group through a filter from now on, or not at all; the routers of the link hear of it. */
export const setFilter = (
  ctx: Context,
  state: State,
  ticket: Ticket,
  socket: Socket,
  request: UdpSetFilter
): void => {
  const refusal = refusalOf(socket, request)
  if (refusal !== undefined) return ctx.fail(ticket, refusal)
  const { group } = request
  const link = request.link ?? socket.link ?? ctx.ip.groupLink(ctx, group)
  if (link === undefined) return ctx.fail(ticket, Reason.unreachable("network"))
  if (ctx.links.get(link) === undefined) return ctx.fail(ticket, Reason.notFound("interface"))
  const before = find(socket, link, group)
  const filter = SourceFilter.make(request.mode, request.sources)
  const after = SourceFilter.isNothing(filter) ? undefined : filter
  const refused = ctx.groups.listen(ctx, link, group, before?.filter, after)
  if (refused !== undefined) return ctx.fail(ticket, refused)
  const others = socket.memberships.filter((membership) => membership !== before)
  const memberships = after === undefined ? others : [...others, { group, link, filter: after }]
  ctx.put(state.sockets, socket.id, { ...socket, memberships })
  ctx.reply(ticket, link)
}

/** The socket is closed. */
export const leaveAll = (ctx: Context, socket: Socket): void => {
  for (const { filter, group, link } of socket.memberships) ctx.groups.listen(ctx, link, group, filter, undefined)
}

/** The link is gone, and all that was listened to on it. */
export const onDetached = (ctx: Context, state: State, link: LinkId): void => {
  for (const socket of Array.from(state.sockets.values())) {
    const memberships = socket.memberships.filter((membership) => membership.link !== link)
    if (memberships.length < socket.memberships.length) ctx.put(state.sockets, socket.id, { ...socket, memberships })
  }
}
