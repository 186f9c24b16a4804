/**
 * The table of protocols: which handler takes which frame, packet, request and alarm. It is, with `Layers.ts`, the only place
 * that knows all of them, and the only way from one to another: a protocol reaches its neighbours through the layers that are bound there.
 *
 * A new transport is a codec in `wire/`, a folder in `core/` and its lines in these two files.
 */
import type { Context } from "./Context.ts"
import * as Addresses from "./device/Addresses.ts"
import * as Ethernet from "./device/Ethernet.ts"
import * as Interfaces from "./device/Interfaces.ts"
import * as DeviceRequests from "./device/Requests.ts"
import type { Event } from "./Event.ts"
import * as Destinations from "./ip/Destinations.ts"
import * as Ipv4 from "./ip/Ipv4.ts"
import * as Reassembly from "./ip/Reassembly.ts"
import * as Advertising from "./ipv6/Advertising.ts"
import * as Autoconfiguration from "./ipv6/Autoconfiguration.ts"
import * as Detections from "./ipv6/Detections.ts"
import * as Ipv6 from "./ipv6/Ipv6.ts"
import * as Ipv6Requests from "./ipv6/Requests.ts"
import * as Ipv6Bindings from "./Ipv6Bindings.ts"
import * as Layers from "./Layers.ts"
import * as Memberships from "./multicast/Memberships.ts"
import * as Arp from "./neighbor/Arp.ts"
import * as Neighbors from "./neighbor/Neighbors.ts"
import * as NeighborRequests from "./neighbor/Requests.ts"
import * as Ping from "./ping/Ping.ts"
import * as PingRequests from "./ping/Requests.ts"
import * as Raw from "./raw/Raw.ts"
import * as RawRequests from "./raw/Requests.ts"
import * as Reason from "./Reason.ts"
import type { Credit, Request, ShellRequest, Ticket } from "./Request.ts"
import * as RouteRequests from "./route/Requests.ts"
import type { State } from "./State.ts"
import * as TcpRequests from "./tcp/Requests.ts"
import * as Tcp from "./tcp/Tcp.ts"
import type { Instant } from "./Time.ts"
import type { TimerId } from "./Timer.ts"
import * as UdpBind from "./udp/Bind.ts"
import * as UdpRequests from "./udp/Requests.ts"
import * as UdpSend from "./udp/Send.ts"

export type FrameHandlers = Ethernet.Handlers

/** Who takes what frames carry: made once for a stack, and not for each frame. */
export const frameHandlers = (state: State): FrameHandlers => {
  const hooks = { ipv4: Layers.ipv4Hooks(state), ipv6: Layers.ipv6Hooks(state), neighbor: Layers.neighborHooks(state) }
  const conflict: Arp.Conflict = (ctx, link, address, mac, isProbe) =>
    Addresses.conflict(ctx, state.device, Layers.deviceEffects(state), link, address, mac, isProbe)
  return {
    ipv4: (ctx, inbound) => Ipv4.receive(ctx, state.ip, hooks.ipv4, inbound),
    ipv6: (ctx, inbound) => Ipv6.receive(ctx, hooks.ipv6, inbound),
    arp: (ctx, inbound) => Arp.receive(ctx, state.neighbor, hooks.neighbor, conflict, inbound)
  }
}

/** A frame came in. */
export const onFrame = (
  ctx: Context,
  state: State,
  handlers: FrameHandlers,
  event: Extract<Event, { _tag: "Frame" }>
): void => Ethernet.receive(ctx, state.device, event, handlers)

/** A local program, or the shell, asks for something. */
export const onRequest = (ctx: Context, state: State, ticket: Ticket, request: Request): void => {
  switch (request._tag) {
    case "Abandoned":
    case "Returned":
    case "Sent":
    case "AttachLink":
    case "DetachLink":
    case "LinkChanged":
      return onShellRequest(ctx, state, ticket, request)
    case "AddAddress":
    case "RemoveAddress":
    case "SetForwarding":
      return DeviceRequests.handle(ctx, state.device, Layers.deviceEffects(state), ticket, request)
    case "SetAutoconfiguration":
    case "SetProxy":
    case "SetRouterAdvertising": {
      const hooks = Ipv6Bindings.autoconfigurationHooks(state, Layers.deviceEffects(state))
      return Ipv6Requests.handle(ctx, state.ipv6, hooks, ticket, request)
    }
    case "SetNeighbor":
    case "RemoveNeighbor":
    case "FlushNeighbors":
    case "ListNeighbors":
      return NeighborRequests.handle(ctx, state.neighbor, Layers.neighborHooks(state), ticket, request)
    case "AddRoute":
    case "RemoveRoute":
    case "ListRoutes":
      return RouteRequests.handle(ctx, state.route, ticket, request)
    case "RankDestinations":
      return Destinations.handle(ctx, state.ip, ticket, request)
    case "Ping":
      if (isSocketTableFull(state)) return ctx.fail(ticket, Reason.limitReached("sockets"))
      return PingRequests.handle(ctx, state.ping, ticket, request)
    case "RawOpen":
      if (isSocketTableFull(state)) return ctx.fail(ticket, Reason.limitReached("sockets"))
      return RawRequests.handle(ctx, state.raw, ticket, request)
    case "RawSend":
    case "RawReceive":
    case "RawClose":
      return RawRequests.handle(ctx, state.raw, ticket, request)
    case "UdpBind":
      if (isSocketTableFull(state)) return ctx.fail(ticket, Reason.limitReached("sockets"))
      return UdpRequests.handle(ctx, state.udp, ticket, request)
    case "UdpConnect":
    case "UdpDisconnect":
    case "UdpSend":
    case "UdpSendMany":
    case "UdpReceive":
    case "UdpSetFilter":
    case "UdpSetOptions":
    case "UdpGetInfo":
    case "UdpClose":
      return UdpRequests.handle(ctx, state.udp, ticket, request)
    case "TcpConnect":
    case "TcpListen":
    case "TcpAccept":
    case "TcpCloseListener":
    case "TcpRead":
    case "TcpWrite":
    case "TcpShutdown":
    case "TcpClose":
    case "TcpAbort":
    case "TcpAwait":
    case "TcpSetOptions":
    case "TcpGetInfo":
    case "TcpList":
      return TcpRequests.handle(ctx, state.tcp, ticket, request)
  }
}

/** Datagram, ping and raw sockets share one bound. */
const isSocketTableFull = (state: State): boolean =>
  state.udp.sockets.size + state.ping.echoes.size + state.raw.sockets.size >= state.config.limits.sockets

const onShellRequest = (ctx: Context, state: State, ticket: Ticket, request: ShellRequest): void => {
  switch (request._tag) {
    case "Abandoned":
      return onAbandoned(ctx, state, request.abandoned)
    case "Returned":
      return onReturned(ctx, state, request.request, request.value)
    case "Sent": {
      const queued = state.queued.get(request.link)
      if (queued !== undefined) ctx.put(state.queued, request.link, Math.max(0, queued - request.bytes))
      for (const credit of request.credits) onCredit(ctx, state, credit)
      return
    }
    case "AttachLink":
      return Interfaces.attach(ctx, state.device, Layers.deviceEffects(state), ticket, request)
    case "DetachLink":
      Interfaces.detach(ctx, state.device, Layers.deviceEffects(state), request.link)
      return ctx.reply(ticket, undefined)
    case "LinkChanged":
      Interfaces.change(ctx, state.device, Layers.deviceEffects(state), request)
      return ctx.reply(ticket, undefined)
  }
}

/** Who waited for a ticket is gone: it is taken out of the record in which it waits. */
const onAbandoned = (ctx: Context, state: State, ticket: Ticket): void => {
  const holder = state.tickets.get(ticket)
  if (holder === undefined) return
  ctx.unpark(ticket)
  switch (holder.owner) {
    case "Tcp":
      return Tcp.abandon(ctx, state.tcp, holder.id, ticket)
    case "TcpListener":
      return Tcp.abandonAccept(ctx, state.tcp, holder.id, ticket)
    case "Udp":
      return UdpBind.abandon(ctx, state.udp, holder.id, ticket)
    case "Ping":
      return Ping.abandon(ctx, state.ping, holder.id)
    case "Raw":
      return Raw.abandon(ctx, state.raw, holder.id, ticket)
  }
}

/** A reply found nobody: what can be kept goes back where it came from. */
const onReturned = (ctx: Context, state: State, request: Request, value: unknown): void => {
  switch (request._tag) {
    case "TcpConnect":
    case "TcpListen":
    case "TcpAccept":
    case "TcpCloseListener":
    case "TcpRead":
    case "TcpWrite":
    case "TcpShutdown":
    case "TcpClose":
    case "TcpAbort":
    case "TcpAwait":
    case "TcpSetOptions":
    case "TcpGetInfo":
    case "TcpList":
      return Tcp.returned(ctx, state.tcp, request, value)
    case "UdpBind":
    case "UdpConnect":
    case "UdpDisconnect":
    case "UdpSend":
    case "UdpSendMany":
    case "UdpReceive":
    case "UdpSetFilter":
    case "UdpSetOptions":
    case "UdpGetInfo":
    case "UdpClose":
      return UdpRequests.returned(ctx, state.udp, request, value)
    case "RawOpen":
    case "RawSend":
    case "RawReceive":
    case "RawClose":
      return RawRequests.returned(ctx, state.raw, request, value)
    case "AttachLink":
      return Interfaces.detach(ctx, state.device, Layers.deviceEffects(state), request.interface.id)
    case "Abandoned":
    case "Returned":
    case "Sent":
    case "DetachLink":
    case "LinkChanged":
    case "AddAddress":
    case "RemoveAddress":
    case "SetForwarding":
    case "SetAutoconfiguration":
    case "SetProxy":
    case "SetRouterAdvertising":
    case "SetNeighbor":
    case "RemoveNeighbor":
    case "FlushNeighbors":
    case "ListNeighbors":
    case "AddRoute":
    case "RemoveRoute":
    case "ListRoutes":
    case "RankDestinations":
    case "Ping":
      return
  }
}

/** Bytes that somebody has paid for have left, or were dropped. */
export const onCredit = (ctx: Context, state: State, { bytes, id, owner }: Credit): void => {
  switch (owner) {
    case "Tcp":
      return Tcp.sent(ctx, state.tcp, id, bytes)
    case "Udp":
      return UdpSend.sent(ctx, state.udp, id, bytes)
    case "Raw":
      return Raw.sent(ctx, state.raw, id, bytes)
  }
}

/** An alarm rang; the owner's record knows whether it is stale. */
export const onTimer = (ctx: Context, state: State, { _tag, key }: TimerId, due: Instant): void => {
  switch (_tag) {
    case "Tcp":
      return Tcp.alarm(ctx, state.tcp, key, due)
    case "Neighbor":
      return Neighbors.alarm(ctx, state.neighbor, Layers.neighborHooks(state), key, due)
    case "Address":
      return Addresses.alarm(ctx, state.device, Layers.deviceEffects(state), key, due)
    case "Detection":
      return Detections.alarm(
        ctx,
        state.ipv6,
        Ipv6Bindings.detectionHooks(state, Layers.deviceEffects(state)),
        key,
        due
      )
    case "Autoconfiguration": {
      const hooks = Ipv6Bindings.autoconfigurationHooks(state, Layers.deviceEffects(state))
      return Autoconfiguration.alarm(ctx, state.ipv6, hooks, key, due)
    }
    case "Advertising":
      return Advertising.alarm(ctx, state.ipv6, key, due)
    case "ListenerDiscovery":
      return Memberships.alarm(ctx, state.multicast, 6, key, due)
    case "GroupMembership":
      return Memberships.alarm(ctx, state.multicast, 4, key, due)
    case "Reassembly":
      return Reassembly.alarm(ctx, state.ip, key, due)
    case "Ping":
      return Ping.alarm(ctx, state.ping, key, due)
  }
}

/** The handler of an alarm threw and was rolled back: the record that it belongs to ends, so that nothing waits for it for ever. */
export const onLostTimer = (ctx: Context, state: State, { _tag, key }: TimerId): void => {
  switch (_tag) {
    case "Tcp":
      return Tcp.lost(ctx, state.tcp, key)
    case "Neighbor":
      return Neighbors.lost(ctx, state.neighbor, Layers.neighborHooks(state), key)
    case "Address":
      return Addresses.lost(ctx, state.device, Layers.deviceEffects(state), key)
    case "Detection":
      return Detections.lost(ctx, state.ipv6, Ipv6Bindings.detectionHooks(state, Layers.deviceEffects(state)), key)
    case "Autoconfiguration":
      return Autoconfiguration.lost(ctx, state.ipv6, key)
    case "Advertising":
      return Advertising.lost(ctx, state.ipv6, key)
    case "ListenerDiscovery":
      return Memberships.lost(ctx, state.multicast, 6, key)
    case "GroupMembership":
      return Memberships.lost(ctx, state.multicast, 4, key)
    case "Reassembly":
      return Reassembly.lost(ctx, state.ip)
    case "Ping":
      return Ping.lost(ctx, state.ping, key)
  }
}
