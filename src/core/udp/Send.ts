/**
 * Datagrams as they go out (RFC 768, RFC 1122 §4.1.3, RFC 8085 §3): from where, whether they may, and who waits for room.
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Piece from "../../wire/Piece.ts"
import * as Wire from "../../wire/Udp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Fifo from "../data/Fifo.ts"
import { isBroadcast, type LinkId, loopback } from "../Device.ts"
import * as Family from "../Family.ts"
import { noPieces, type Path } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as Groups from "./Groups.ts"
import * as Receive from "./Receive.ts"
import type { Message, UdpSend, UdpSendMany } from "./Requests.ts"
import * as Sockets from "./Sockets.ts"
import type { Sender, Socket, State } from "./State.ts"
import * as Train from "./Train.ts"

/** A request to send: done at once, or parked until bytes have left. */
export const start = (
  ctx: Context,
  state: State,
  ticket: Ticket,
  { id, senders }: Socket,
  request: UdpSend | UdpSendMany
): void => {
  const at = Fifo.isEmpty(senders) ? advance(ctx, state, { ticket, request, at: 0 }) : 0
  if (at === undefined) return
  if (request._tag === "UdpSend" && !request.block) return ctx.fail(ticket, Reason.wouldBlock)
  const socket = state.sockets.get(id)
  if (socket === undefined) return stop(ctx, { ticket, request, at }, Reason.closed)
  if (!ctx.park(ticket, { owner: "Udp", id })) {
    return stop(ctx, { ticket, request, at }, Reason.limitReached("parkedRequests"))
  }
  ctx.put(state.sockets, id, { ...socket, senders: Fifo.push(socket.senders, { ticket, request, at }) })
}

/** Nothing more is sent: what was sent counts, or else the reason. */
const stop = (ctx: Context, { at, request, ticket }: Sender, reason: Reason.Reason): void =>
  at > 0 && request._tag === "UdpSendMany" ? ctx.reply(ticket, at) : ctx.fail(ticket, reason)

/** Sends while there is room, and answers the request if that was all of it; else how far it has come. */
const advance = (ctx: Context, state: State, { at, request, ticket }: Sender): number | undefined => {
  const isMany = request._tag === "UdpSendMany"
  const count = isMany ? request.messages.length : 1
  let next = at
  while (next < count) {
    const message = isMany ? request.messages[next]! : request
    const socket = state.sockets.get(request.socket)
    if (socket === undefined) return void stop(ctx, { ticket, request, at: next }, Reason.closed)
    if (!hasRoom(ctx, socket, message)) return next
    const train = isMany ? Train.from(ctx, socket, request.messages, next) : Train.of(message)
    const sent = send(ctx, state, socket, message, train)
    if (typeof sent === "object") return void stop(ctx, { ticket, request, at: next }, sent)
    next += sent
  }
  return void ctx.reply(ticket, isMany ? count : undefined)
}

/** One datagram may always wait, however long it is. */
const hasRoom = (ctx: Context, socket: Socket, request: Message): boolean =>
  socket.unsentBytes === 0 || socket.unsentBytes + request.bytes.length <= ctx.config.limits.datagramSendBytes

interface Target {
  readonly address: Address.Address
  readonly port: number
  readonly link: LinkId | undefined
}

const targetOf = (socket: Socket, request: Message): Target | Reason.Reason => {
  const { remote } = socket
  if (request.remote === undefined) {
    return remote === undefined ? Reason.notConnected : remote
  }
  if (remote !== undefined) return Reason.alreadyConnected
  if (!isPort(request.remotePort)) return Reason.invalidArgument(`port ${request.remotePort}`)
  return { address: request.remote, port: request.remotePort, link: request.link }
}

/** The interface by which a datagram has to leave: that of the socket, that which the destination names, or what is set for groups. */
export const linkTo = (
  { link, options }: Socket,
  destination: Address.Address,
  named: LinkId | undefined
): LinkId | undefined | Reason.Reason => {
  if (named !== undefined && link !== undefined && named !== link) {
    return Reason.invalidArgument("the socket is bound to another interface")
  }
  return named ?? link ?? (Address.isMulticast(destination) ? options.multicastLink : undefined)
}

/** Who listens to a group by its address speaks from another. */
const sourceOf = ({ local }: Socket): Address.Address | undefined =>
  local !== undefined && Address.isMulticast(local) ? undefined : local

/** Port 0 means that no answer is wanted (RFC 768), so it can't be a destination. */
export const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port <= 0xffff

/** Sends a datagram, and those behind it where the link cuts them apart; answers how many that was. */
const send = (
  ctx: Context,
  state: State,
  socket: Socket,
  request: Message,
  train: Train.Train
): Reason.Reason | number => {
  const target = targetOf(socket, request)
  if ("_tag" in target) return target
  const failure = takeFailure(ctx, state, socket, target)
  if (failure !== undefined) return failure
  const limit = 0xffff - Wire.headerLength - (Address.isV4(target.address) ? Family.v4.headerLength : 0)
  if (request.bytes.length > limit) return Reason.messageTooLarge(limit)
  const link = linkTo(socket, target.address, target.link)
  if (typeof link === "object") return link
  const path = ctx.ip.path(ctx, target.address, request.source ?? sourceOf(socket), link)
  if ("_tag" in path) return path
  if (!socket.options.broadcast && isToBroadcast(ctx, path)) {
    // rfc: 8085 §3.7: only who has said so may send to everybody
    return Reason.invalidArgument("broadcasting is not allowed on this socket")
  }
  if (Address.isMulticast(path.destination)) {
    return sendToGroup(ctx, state, socket, path, target.port, request.bytes) ?? 1
  }
  const carried = Train.fits(ctx, path, train) ? train : Train.of(request)
  return transmit(ctx, state, socket, path, target.port, carried) ?? carried.messages.length
}

/** rfc: 1112 §6.1: out of the interface, unless no hop is allowed, and to those of this host that listen there */
const sendToGroup = (
  ctx: Context,
  state: State,
  socket: Socket,
  path: Path,
  port: number,
  bytes: Uint8Array
): Reason.Reason | undefined => {
  const hopLimit = hopLimitOf(ctx, socket, path)
  const refusal = hopLimit === 0 ? undefined : transmit(ctx, state, socket, path, port, Train.of({ bytes }))
  if (refusal !== undefined) return refusal
  // What goes out of the loopback interface comes in again by itself.
  if (!socket.options.multicastLoopback || path.link === loopback) return undefined
  const { destination, link, source } = path
  const ends = { local: destination, port, remote: source, remotePort: socket.port, link }
  for (const { id } of Sockets.findAll(ctx, state, ends)) {
    const listener = state.sockets.get(id)
    if (listener === undefined || !Groups.accepts(listener, link, destination, source)) continue
    ctx.count(Counter.index.udpReceived)
    Receive.deliver(ctx, state, listener, {
      bytes: bytes.slice(),
      source,
      sourcePort: socket.port,
      destination,
      link,
      hopLimit,
      trafficClass: socket.options.trafficClass,
      receivedAt: ctx.at
    })
  }
  return undefined
}

const isToBroadcast = (ctx: Context, path: Path): boolean => {
  const self = ctx.links.get(path.link)
  return self !== undefined && isBroadcast(self, path.destination)
}

const transmit = (
  ctx: Context,
  state: State,
  socket: Socket,
  path: Path,
  destinationPort: number,
  train: Train.Train
): Reason.Reason | undefined => {
  const { messages, size } = train
  const length = Wire.headerLength + size
  const head = ctx.reserve(length)
  const pseudo = Checksum.pseudo(path.source, path.destination, IpProtocol.udp, length)
  // rfc: 1122 §4.1.3.4 MUST: a checksum is always sent
  const fields = { sourcePort: socket.port, destinationPort, length, checksum: Checksum.fold(pseudo) }
  const at = Wire.emit(fields, head.bytes, head.at)
  let headEnd = at
  for (const { bytes } of messages) headEnd = Piece.copyRange(bytes, 0, bytes.length, head.bytes, headEnd)
  const refusal = ctx.ip.send(ctx, {
    path,
    protocol: IpProtocol.udp,
    head,
    headEnd,
    pieces: noPieces,
    checksumOffset: Wire.checksumOffset,
    hopLimit: hopLimitOf(ctx, socket, path),
    trafficClass: socket.options.trafficClass,
    dontFragment: socket.options.dontFragment,
    gso: Train.cutting(train),
    credit: { owner: "Udp", id: socket.id, bytes: size, isAwaited: true }
  })
  if (refusal !== undefined) {
    return refusal._tag === "MessageTooLarge" ? Reason.messageTooLarge(refusal.limit - Wire.headerLength) : refusal
  }
  ctx.count(Counter.index.udpSent, messages.length)
  ctx.put(state.sockets, socket.id, { ...socket, unsentBytes: socket.unsentBytes + size })
  return undefined
}

/** rfc: 1112 §6.1 a datagram to a group stays on the link unless the program says otherwise */
const hopLimitOf = (ctx: Context, { options }: Socket, path: Path): number =>
  Address.isMulticast(path.destination)
    ? options.multicastHopLimit ?? options.hopLimit ?? 1
    : options.hopLimit ?? ctx.ip.hopLimit(ctx, path)

/** What an ICMP error has left for this call (RFC 1122 §4.1.3.3); told once. */
const takeFailure = (ctx: Context, state: State, socket: Socket, target: Target): Reason.Reason | undefined => {
  if (socket.failure !== undefined) {
    ctx.put(state.sockets, socket.id, { ...socket, failure: undefined })
    return socket.failure
  }
  if (socket.failures.length === 0) return undefined
  const found = socket.failures.find(({ remote, remotePort }) =>
    remotePort === target.port && Address.equals(remote, target.address)
  )
  if (found === undefined) return undefined
  ctx.put(state.sockets, socket.id, { ...socket, failures: socket.failures.filter((other) => other !== found) })
  return found.reason
}

/** Bytes have left the transmit queue, or were dropped: the next sends go. */
export const sent = (ctx: Context, state: State, id: number, bytes: number): void => {
  const before = state.sockets.get(id)
  if (before === undefined) return
  ctx.put(state.sockets, id, { ...before, unsentBytes: before.unsentBytes - bytes })
  for (;;) {
    const next = waiting(state, id)
    if (next === undefined) return
    const at = advance(ctx, state, next)
    const socket = state.sockets.get(id)
    if (socket === undefined || at === next.at) return
    const rest = Fifo.shift(socket.senders)
    if (at !== undefined) {
      return ctx.put(state.sockets, id, { ...socket, senders: Fifo.unshift(rest, [{ ...next, at }]) })
    }
    ctx.unpark(next.ticket)
    ctx.put(state.sockets, id, { ...socket, senders: rest })
  }
}

const waiting = (state: State, id: number): Sender | undefined => {
  const socket = state.sockets.get(id)
  return socket === undefined ? undefined : Fifo.head(socket.senders)
}
