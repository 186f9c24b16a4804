/**
 * The table of protocols: which handler takes which frame, packet, request and alarm. It is the only place that knows all of
 * them, and the only way from one to another: a protocol reaches its neighbours through the layers that are bound here.
 *
 * A new transport is a codec in `wire/`, a folder in `core/` and its lines in this file.
 */
import type { Context, IpLayer, LinkLayer, RouteLayer, TicketHolder, Transport, Transports } from "./Context.ts"
import * as Device from "./device/Requests.ts"
import * as Ethernet from "./device/Ethernet.ts"
import type { Event } from "./Event.ts"
import * as IcmpErrors from "./icmp/Errors.ts"
import * as Icmpv4 from "./icmp/Icmpv4.ts"
import * as Ipv4 from "./ip/Ipv4.ts"
import * as IpOutput from "./ip/Output.ts"
import * as Reassembly from "./ip/Reassembly.ts"
import * as Arp from "./neighbor/Arp.ts"
import * as Neighbors from "./neighbor/Neighbors.ts"
import * as NeighborRequests from "./neighbor/Requests.ts"
import * as PingRequests from "./ping/Requests.ts"
import * as RawRequests from "./raw/Requests.ts"
import type { Request, Ticket } from "./Request.ts"
import * as RouteRequests from "./route/Requests.ts"
import * as Routes from "./route/Routes.ts"
import type { State } from "./State.ts"
import * as TcpRequests from "./tcp/Requests.ts"
import * as Tcp from "./tcp/Tcp.ts"
import type { Instant } from "./Time.ts"
import type { TimerId } from "./Timer.ts"
import * as UdpRequests from "./udp/Requests.ts"
import * as Udp from "./udp/Udp.ts"

/** The layers of one stack, bound to its state. */
export interface Layers {
  readonly ip: IpLayer
  readonly links: LinkLayer
  readonly routes: RouteLayer
  readonly transports: Transports
}

const linkLayer = (state: State): LinkLayer => ({
  get: (link) => state.device.interfaces.get(link),
  all: () => state.device.interfaces.values(),
  send: (ctx, link, nextHop, packet, credit) => Neighbors.send(ctx, state.neighbor, link, nextHop, packet, credit),
  confirm: (ctx, link, nextHop) => Neighbors.confirm(ctx, state.neighbor, link, nextHop)
})

const ipLayer = (state: State): IpLayer => ({
  path: (ctx, destination, source, link) => IpOutput.path(ctx, state.ip, destination, source, link),
  send: (ctx, send) => IpOutput.send(ctx, state.ip, send),
  learnMtu: (ctx, path, mtu) => IpOutput.learnMtu(ctx, state.ip, path, mtu),
  error: (ctx, kind, packet) => IcmpErrors.send(ctx, state.icmp, kind, packet),
  isOurs: (address) => IpOutput.isOurs(state.device, address)
})

/** The transports by protocol number. */
const transports = (state: State): Transports => {
  const table: Array<Transport | undefined> = new Array(256).fill(undefined)
  const add = (transport: Transport): void => {
    table[transport.protocol] = transport
  }
  add(Icmpv4.transport(state.icmp, state.ping))
  add(Udp.transport(state.udp))
  add(Tcp.transport(state.tcp))
  return {
    get: (protocol) => table[protocol],
    raw: (ctx, packet) => RawRequests.receive(ctx, state.raw, packet)
  }
}

export const bind = (state: State): Layers => ({
  ip: ipLayer(state),
  links: linkLayer(state),
  routes: { lookup: (destination, link) => Routes.lookup(state.route, destination, link) },
  transports: transports(state)
})

/** A frame came in. */
export const onFrame = (ctx: Context, state: State, event: Extract<Event, { _tag: "Frame" }>): void => {
  Ethernet.receive(ctx, state.device, event, {
    ipv4: (packet) => Ipv4.receive(ctx, state.ip, packet),
    arp: (packet) => Arp.receive(ctx, state.neighbor, state.device, packet)
  })
}

/** A local program, or the shell, asks for something. */
export const onRequest = (ctx: Context, state: State, ticket: Ticket, request: Request): void => {
  switch (request._tag) {
    case "Abandoned":
      return onAbandoned(ctx, state, request.abandoned)
    case "Returned":
      return onReturned(ctx, state, request.request, request.value)
    // … one line per request: the exhaustive switch over the sum
  }
}

/** An alarm rang; the owner's record knows whether it is stale. */
export const onTimer = (ctx: Context, state: State, timer: TimerId, due: Instant): void => {
  switch (timer._tag) {
    case "Tcp":
      return Tcp.alarm(ctx, state.tcp, timer.key, due)
    case "Neighbor":
      return Neighbors.alarm(ctx, state.neighbor, timer.key, due)
    case "Reassembly":
      return Reassembly.alarm(ctx, state.ip, timer.key, due)
  }
}
