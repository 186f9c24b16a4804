/**
 * Sockets from their birth to their end: binding, connecting, options, closing.
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as HashIndex from "../data/HashIndex.ts"
import { isBroadcast, type LinkId } from "../Device.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as Groups from "./Groups.ts"
import type { UdpBind, UdpConnect, UdpOptions } from "./Requests.ts"
import { isPort, linkTo } from "./Send.ts"
import * as Sockets from "./Sockets.ts"
import type { Socket, State } from "./State.ts"

const defaults: UdpOptions = {
  reuseAddress: false,
  broadcast: false,
  hopLimit: undefined,
  trafficClass: 0,
  multicastLink: undefined,
  multicastHopLimit: undefined,
  multicastLoopback: true,
  dontFragment: false
}

/** The options with those changed that are given; a reason if one makes no sense. */
export const withOptions = (before: UdpOptions, given: Partial<UdpOptions>): UdpOptions | Reason.Reason => {
  const options = { ...before, ...given }
  const { hopLimit, multicastHopLimit, trafficClass } = options
  if (hopLimit !== undefined && !(Number.isInteger(hopLimit) && hopLimit >= 1 && hopLimit <= 255)) {
    return Reason.invalidArgument(`hop limit ${hopLimit}`)
  }
  if (multicastHopLimit !== undefined && !isOctet(multicastHopLimit)) {
    return Reason.invalidArgument(`multicast hop limit ${multicastHopLimit}`)
  }
  if (!isOctet(trafficClass)) {
    return Reason.invalidArgument(`traffic class ${trafficClass}`)
  }
  return options
}

const isOctet = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255

export const bind = (ctx: Context, state: State, ticket: Ticket, request: UdpBind): void => {
  const options = withOptions(defaults, request.options)
  if ("_tag" in options) return ctx.fail(ticket, options)
  const refusal = refusalOf(ctx, request)
  if (refusal !== undefined) return ctx.fail(ticket, refusal)
  const isAny = request.local === undefined || Address.isUnspecified(request.local)
  const local = isAny ? undefined : request.local
  const version = request.local === undefined ? request.version : Address.versionOf(request.local)
  const port = request.port === 0 ? Sockets.choosePort(ctx, state) : request.port
  if (port === undefined) return ctx.fail(ticket, Reason.portsExhausted)
  if (!Sockets.isFree(state, { local, version, port, link: request.link, options })) {
    return ctx.fail(ticket, Reason.addressInUse)
  }
  const socket: Socket = {
    id: ctx.nextId(),
    local,
    version,
    port,
    link: request.link,
    remote: undefined,
    options,
    memberships: [],
    received: Fifo.empty(),
    receivedBytes: 0,
    dropped: 0,
    receivers: Fifo.empty(),
    unsentBytes: 0,
    senders: Fifo.empty(),
    failure: undefined,
    failures: []
  }
  ctx.put(state.sockets, socket.id, socket)
  HashIndex.add(ctx, state.ports, port, socket.id)
  Sockets.index(ctx, state, socket)
  ctx.reply(ticket, { socket: socket.id, local, port })
}

const refusalOf = (ctx: Context, request: UdpBind): Reason.Reason | undefined => {
  const { link, local, port } = request
  if (port !== 0 && !isPort(port)) return Reason.invalidArgument(`port ${port}`)
  if (link !== undefined && ctx.links.get(link) === undefined) return Reason.notFound("interface")
  return local === undefined || mayBind(ctx, local, link) ? undefined : Reason.addressNotAvailable
}

/** Own addresses, and those by which groups are heard. */
const mayBind = (ctx: Context, local: Address.Address, link: LinkId | undefined): boolean => {
  if (Address.isUnspecified(local) || Address.isLoopback(local) || Address.isMulticast(local)) return true
  if (ctx.ip.isOurs(local)) return true
  for (const self of ctx.links.all()) {
    if ((link === undefined || link === self.id) && isBroadcast(self, local)) return true
  }
  return false
}

export const connect = (ctx: Context, state: State, ticket: Ticket, socket: Socket, request: UdpConnect): void => {
  const { remote, remotePort } = request
  if (!isPort(remotePort)) return ctx.fail(ticket, Reason.invalidArgument(`port ${remotePort}`))
  if (socket.version !== undefined && socket.version !== Address.versionOf(remote)) {
    return ctx.fail(ticket, Reason.invalidArgument("the remote address is of another IP version"))
  }
  const bound = socket.remote?.choseLocal === true ? undefined : socket.local
  const link = linkTo(socket, remote, request.link)
  if (typeof link === "object") return ctx.fail(ticket, link)
  const path = ctx.ip.path(ctx, remote, bound, link)
  if ("_tag" in path) return ctx.fail(ticket, path)
  Sockets.unindex(ctx, state, socket)
  const connected: Socket = {
    ...socket,
    local: path.source,
    remote: { address: remote, port: remotePort, link: request.link, choseLocal: bound === undefined },
    failure: undefined,
    failures: []
  }
  ctx.put(state.sockets, socket.id, connected)
  Sockets.index(ctx, state, connected)
  ctx.reply(ticket, { local: path.source, port: socket.port })
}

export const disconnect = (ctx: Context, state: State, ticket: Ticket, socket: Socket): void => {
  if (socket.remote === undefined) return ctx.fail(ticket, Reason.notConnected)
  Sockets.unindex(ctx, state, socket)
  const local = socket.remote.choseLocal ? undefined : socket.local
  const open: Socket = { ...socket, local, remote: undefined, failure: undefined }
  ctx.put(state.sockets, socket.id, open)
  Sockets.index(ctx, state, open)
  ctx.reply(ticket, undefined)
}

export const close = (ctx: Context, state: State, ticket: Ticket, socket: Socket): void => {
  Sockets.unindex(ctx, state, socket)
  HashIndex.remove(ctx, state.ports, socket.port, socket.id)
  Groups.leaveAll(ctx, socket)
  ctx.remove(state.sockets, socket.id)
  ctx.discharge("datagrams", socket.receivedBytes)
  failWaiting(ctx, socket, Reason.closed)
  ctx.reply(ticket, undefined)
}

const failWaiting = (ctx: Context, socket: Socket, reason: Reason.Reason): void => {
  for (const { ticket } of [...Fifo.toArray(socket.receivers), ...Fifo.toArray(socket.senders)]) {
    ctx.unpark(ticket)
    ctx.fail(ticket, reason)
  }
}

/** Who waited is gone. */
export const abandon = (ctx: Context, state: State, id: number, ticket: Ticket): void => {
  const socket = state.sockets.get(id)
  if (socket === undefined) return
  const isOther = (waiting: { readonly ticket: Ticket }): boolean => waiting.ticket !== ticket
  ctx.put(state.sockets, id, {
    ...socket,
    receivers: Fifo.filter(socket.receivers, isOther),
    senders: Fifo.filter(socket.senders, isOther)
  })
}

/** The link to which sockets were bound is gone: nothing will come any more, so nobody may wait for it. */
export const onDetached = (ctx: Context, state: State, link: LinkId): void => {
  Groups.onDetached(ctx, state, link)
  for (const socket of Array.from(state.sockets.values())) {
    if (socket.link !== link) continue
    failWaiting(ctx, socket, Reason.linkDown)
    ctx.put(state.sockets, socket.id, { ...socket, receivers: Fifo.empty(), senders: Fifo.empty() })
  }
}
