/**
 * What programs ask of UDP (RFC 768, RFC 1122 §4.1, RFC 8085), as data: one request per verb, each with the type of its answer.
 */
import type * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import type { LinkId } from "../Device.ts"
import * as Reason from "../Reason.ts"
import { type Answers, noTicket, type Ticket } from "../Request.ts"
import type { Instant } from "../Time.ts"
import * as Bind from "./Bind.ts"
import * as Groups from "./Groups.ts"
import * as Receive from "./Receive.ts"
import * as Send from "./Send.ts"
import type { Membership, Socket, State } from "./State.ts"

/** What a program may set per socket. */
export interface UdpOptions {
  /** Others with the same option may bind the same port; each group datagram goes to all, any other to the last bound. */
  readonly reuseAddress: boolean
  /** Sending to broadcast addresses is allowed (RFC 8085 §3.7: not by accident). */
  readonly broadcast: boolean
  /** Absent for the stack's (RFC 1122 §4.1.4). */
  readonly hopLimit: number | undefined
  /** DSCP and ECN (RFC 1122 §4.1.4). */
  readonly trafficClass: number
  /** Interface by which datagrams to groups leave, where neither the socket nor the destination names one; absent for that of a route, or the only one. */
  readonly multicastLink: LinkId | undefined
  /** Hop limit of datagrams to groups, from 0, which keeps them in this host; absent for `hopLimit`, or 1 (RFC 1112 §6.1). */
  readonly multicastHopLimit: number | undefined
  /** Datagrams to groups that this host listens to on the same interface come back to it (RFC 1112 §6.1, §7.1). */
  readonly multicastLoopback: boolean
  /** Sets DF: what exceeds the path MTU fails with `MessageTooLarge` and is never cut (RFC 8085 §3.2). */
  readonly dontFragment: boolean
}

export interface UdpBind extends Answers<UdpBound> {
  readonly _tag: "UdpBind"
  /** Absent for any address of the stack. */
  readonly local: Address.Address | undefined
  /** Absent for both versions; ignored when `local` is given. */
  readonly version: Address.Version | undefined
  /** 0 for an ephemeral one (RFC 6056). */
  readonly port: number
  /** Takes and sends datagrams over this interface only. */
  readonly link: LinkId | undefined
  readonly options: Partial<UdpOptions>
}

export interface UdpBound {
  readonly socket: number
  readonly local: Address.Address | undefined
  readonly port: number
}

/** Fixes the far side: datagrams of others don't come in any more, and ICMP errors end calls (RFC 1122 §4.1.3.3). */
export interface UdpConnect extends Answers<UdpConnected> {
  readonly _tag: "UdpConnect"
  readonly socket: number
  readonly remote: Address.Address
  readonly remotePort: number
  /** The interface that leads there; for link-local addresses, which mean nothing without. */
  readonly link?: LinkId | undefined
}

export interface UdpConnected {
  readonly local: Address.Address
  readonly port: number
}

export interface UdpDisconnect extends Answers<void> {
  readonly _tag: "UdpDisconnect"
  readonly socket: number
}

/** A datagram to send. */
export interface Message {
  /** Absent for the connected far side. */
  readonly remote: Address.Address | undefined
  readonly remotePort: number
  /** Up to 65,507 over IPv4. The program leaves them alone until the answer. */
  readonly bytes: Uint8Array
  /** The interface that leads there; for link-local addresses and groups, which mean nothing without. */
  readonly link?: LinkId | undefined
  /** What to send from; absent for the bound address, or the best one. */
  readonly source?: Address.Address | undefined
}

/** Sends one datagram. The bytes are copied before the request is done. */
export interface UdpSend extends Message, Answers<void> {
  readonly _tag: "UdpSend"
  readonly socket: number
  /** Fails with `WouldBlock` instead of waiting for room in the link's queue. */
  readonly block: boolean
}

/**
 * Sends datagrams in their order, as there is room for them, up to the first that is refused. Answers how many were sent; fails if the first one is refused, as it would be by itself.
 */
export interface UdpSendMany extends Answers<number> {
  readonly _tag: "UdpSendMany"
  readonly socket: number
  readonly messages: ReadonlyArray<Message>
}

/** Takes datagrams: at least one, at most `max`. */
export interface UdpReceive extends Answers<ReadonlyArray<Datagram>> {
  readonly _tag: "UdpReceive"
  readonly socket: number
  readonly max: number
  readonly block: boolean
}

/** A received datagram. `bytes` belongs to the reader. */
export interface Datagram {
  readonly bytes: Uint8Array
  readonly source: Address.Address
  readonly sourcePort: number
  readonly destination: Address.Address
  readonly link: LinkId
  readonly hopLimit: number
  readonly trafficClass: number
  readonly receivedAt: Instant
}

/**
 * Listens to a group on an interface through a filter, instead of the one before; `include` without sources ends it. Answers the interface
 * (IPMulticastListen of RFC 3376 §2, IPv6MulticastListen of RFC 3810 §3).
 */
export interface UdpSetFilter extends Answers<LinkId> {
  readonly _tag: "UdpSetFilter"
  readonly socket: number
  readonly group: Address.Address
  /** Absent for that of the socket, of a route to the group, or the only one. */
  readonly link: LinkId | undefined
  readonly mode: "include" | "exclude"
  readonly sources: ReadonlyArray<Address.Address>
}

export interface UdpSetOptions extends Answers<void> {
  readonly _tag: "UdpSetOptions"
  readonly socket: number
  readonly options: Partial<UdpOptions>
}

/** What a socket holds, for inspection. */
export interface UdpGetInfo extends Answers<UdpInfo> {
  readonly _tag: "UdpGetInfo"
  readonly socket: number
}

export interface UdpInfo {
  readonly local: Address.Address | undefined
  readonly port: number
  readonly remote: Address.Address | undefined
  readonly remotePort: number
  readonly options: UdpOptions
  readonly memberships: ReadonlyArray<Membership>
  readonly datagramsWaiting: number
  readonly bytesWaiting: number
  /** Datagrams that found the receive queue full. */
  readonly datagramsDropped: number
  /** Bytes that wait in a transmit queue. */
  readonly bytesUnsent: number
}

/** Closes the socket; what waits fails with `Closed`, what is queued to send still goes. */
export interface UdpClose extends Answers<void> {
  readonly _tag: "UdpClose"
  readonly socket: number
}

export type UdpRequest =
  | UdpBind
  | UdpConnect
  | UdpDisconnect
  | UdpSend
  | UdpSendMany
  | UdpReceive
  | UdpSetFilter
  | UdpSetOptions
  | UdpGetInfo
  | UdpClose

export const handle = (ctx: Context, state: State, ticket: Ticket, request: UdpRequest): void => {
  if (request._tag === "UdpBind") return Bind.bind(ctx, state, ticket, request)
  const socket = state.sockets.get(request.socket)
  if (socket === undefined) return ctx.fail(ticket, Reason.closed)
  switch (request._tag) {
    case "UdpConnect":
      return Bind.connect(ctx, state, ticket, socket, request)
    case "UdpDisconnect":
      return Bind.disconnect(ctx, state, ticket, socket)
    case "UdpSend":
    case "UdpSendMany":
      return Send.start(ctx, state, ticket, socket, request)
    case "UdpReceive":
      return Receive.start(ctx, state, ticket, socket, request)
    case "UdpSetFilter":
      return Groups.setFilter(ctx, state, ticket, socket, request)
    case "UdpSetOptions": {
      const options = Bind.withOptions(socket.options, request.options)
      if ("_tag" in options) return ctx.fail(ticket, options)
      ctx.put(state.sockets, socket.id, { ...socket, options })
      return ctx.reply(ticket, undefined)
    }
    case "UdpGetInfo":
      return ctx.reply(ticket, infoOf(socket))
    case "UdpClose":
      return Bind.close(ctx, state, ticket, socket)
  }
}

const infoOf = (socket: Socket): UdpInfo => ({
  local: socket.local,
  port: socket.port,
  remote: socket.remote?.address,
  remotePort: socket.remote?.port ?? 0,
  options: socket.options,
  memberships: socket.memberships,
  datagramsWaiting: Fifo.size(socket.received),
  bytesWaiting: socket.receivedBytes,
  datagramsDropped: socket.dropped,
  bytesUnsent: socket.unsentBytes
})

/** A reply found nobody: datagrams go back into their queue, a socket that nobody holds is closed. */
export const returned = (ctx: Context, state: State, request: UdpRequest, value: unknown): void => {
  switch (request._tag) {
    case "UdpBind": {
      const socket = state.sockets.get((value as UdpBound).socket)
      return socket === undefined ? undefined : Bind.close(ctx, state, noTicket, socket)
    }
    case "UdpReceive": {
      const socket = state.sockets.get(request.socket)
      if (socket === undefined) return
      return Receive.returned(ctx, state, socket, value as ReadonlyArray<Datagram>)
    }
    case "UdpConnect":
    case "UdpDisconnect":
    case "UdpSend":
    case "UdpSendMany":
    case "UdpSetFilter":
    case "UdpSetOptions":
    case "UdpGetInfo":
    case "UdpClose":
      return
  }
}
