/**
 * Opening (RFC 9293 §3.10.1): connect, listen, accept, and the end of a listener.
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as Config from "./Config.ts"
import type { Connection, Tuple } from "./Connection.ts"
import * as Create from "./Create.ts"
import * as Emit from "./Emit.ts"
import * as FastOpen from "./FastOpen.ts"
import * as Handshake from "./Handshake.ts"
import * as InitialSequence from "./InitialSequence.ts"
import * as Knobs from "./Knobs.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Listener from "./Listener.ts"
import * as Lookup from "./Lookup.ts"
import * as Options from "./Options.ts"
import * as Parked from "./Parked.ts"
import * as Ports from "./Ports.ts"
import type { TcpAccept, TcpCloseListener, TcpConnect, TcpListen } from "./Requests.ts"
import type { Listener as ListenerRecord, State } from "./State.ts"
import * as Deadlines from "./Timer.ts"

/** Rejects what no connection could be opened with; `undefined` when all is well. */
const invalid = (request: TcpConnect): Reason.Reason | undefined => {
  const { local, localPort, options, remote, remotePort } = request
  if (Address.isUnspecified(remote) || Address.isMulticast(remote) || remote === Address.broadcastV4) {
    // rfc: 9293 §3.9.2.3 MUST-46
    return Reason.invalidArgument("TCP connects to a single host")
  }
  if (!isPort(remotePort) || remotePort === 0 || !isPort(localPort)) return Reason.invalidArgument("port")
  if (local !== undefined && Address.versionOf(local) !== Address.versionOf(remote)) {
    return Reason.invalidArgument("local and remote address are of different versions")
  }
  return invalidOptions(options)
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 0xffff

const invalidOptions = (options: Config.Options): Reason.Reason | undefined => {
  const refusal = Knobs.refusal(options)
  return refusal === undefined ? undefined : Reason.invalidArgument(refusal)
}

/** The four-tuple of a new connection: with the program's port, or with one that is free towards this remote socket (RFC 6056). */
const chooseTuple = (
  ctx: Context,
  state: State,
  request: TcpConnect,
  local: Address.Address
): Tuple | Reason.Reason => {
  const { remote, remotePort } = request
  const isFree = (port: number): boolean => Lookup.find(ctx, state, local, port, remote, remotePort) === undefined
  if (request.localPort !== 0) {
    return isFree(request.localPort)
      ? Lookup.tupleOf(ctx, local, request.localPort, remote, remotePort)
      : Reason.addressInUse
  }
  const { firstEphemeralPort, lastEphemeralPort } = ctx.config.tcp
  const choice = Ports.choose(
    ctx.keys.port,
    { local, remote, remotePort },
    { first: firstEphemeralPort, last: lastEphemeralPort },
    state.portSalt.value,
    (port) => isFree(port) && !state.listening.has(port)
  )
  if (choice === undefined) return Reason.portsExhausted
  ctx.set(state.portSalt, choice.next)
  return Lookup.tupleOf(ctx, local, choice.port, remote, remotePort)
}

/** The record of an active opener before its SYN; the source is the program's, or IP's choice for the destination. */
// rfc: 9293 §3.9.1.1 MUST-43 MUST-44 MUST-45
const opened = (ctx: Context, state: State, request: TcpConnect): Connection | Reason.Reason => {
  const wrong = invalid(request)
  if (wrong !== undefined) return wrong
  if (state.connections.value >= ctx.config.limits.tcpConnections) return Reason.limitReached("tcpConnections")
  const path = ctx.ip.path(ctx, request.remote, request.local, request.link)
  if ("_tag" in path) return path
  const tuple = chooseTuple(ctx, state, request, path.source)
  if ("_tag" in tuple) return tuple
  if (!Lookup.hasRoom(ctx, state, tuple.hash)) return Reason.limitReached("demuxChain")
  const config = Config.withOptions(ctx.config.tcp, request.options)
  const connection = Create.connection(ctx, {
    id: ctx.nextId(),
    next: Lookup.firstOf(state, tuple.hash),
    tuple,
    path,
    link: request.link,
    config,
    state: "SYN-SENT",
    holder: request.block ? "opening" : "program",
    listener: 0,
    agreed: Options.nothingAgreed,
    iss: InitialSequence.generate(ctx.keys.sequence, ctx.at, tuple),
    irs: 0,
    offered: Options.firstWindow(ctx, path, config, false),
    mss: 0,
    peerMss: 0,
    offset: InitialSequence.timestampOffset(ctx.keys.sequence, tuple)
  })
  const fastOpen = FastOpen.phaseOf(ctx, state, config, tuple)
  return {
    ...connection,
    fastOpen,
    // A connection that waits for its first write is the program's at once.
    holder: fastOpen === "waits" ? "program" : connection.holder,
    snd: { ...connection.snd, lastAt: ctx.at }
  }
}

/** Active OPEN (RFC 9293 §3.10.1): a SYN leaves, and the ticket waits for the end of the handshake. */
export const connect = (ctx: Context, state: State, ticket: Ticket, request: TcpConnect): void => {
  const connection = opened(ctx, state, request)
  if (connection._tag !== "Connection") return ctx.fail(ticket, connection)
  const blocks = connection.holder === "opening"
  if (blocks && !ctx.park(ticket, { owner: "Tcp", id: connection.id })) {
    return ctx.fail(ticket, Reason.limitReached("parkedRequests"))
  }
  const waiter: Parked.Waiter = { ticket, until: "connect" }
  const waiters = Fifo.push(Fifo.empty<Parked.Waiter>(), waiter)
  const waiting = blocks ? { ...connection, parked: Parked.withWaiters(connection.parked, waiters) } : connection
  ctx.set(state.connections, state.connections.value + 1)
  ctx.notice({ _tag: "ConnectionState", connection: connection.id, from: "CLOSED", to: "SYN-SENT" })
  Lookup.add(ctx, state, connection.fastOpen === "waits" ? waiting : launched(ctx, waiting))
  if (!blocks) ctx.reply(ticket, Listener.endpointOf(connection))
}

/** Sends the SYN and sets its timers. */
const launched = (ctx: Context, self: Connection): Connection => {
  Handshake.syn(ctx, self)
  return Deadlines.arm(ctx, Handshake.begun(ctx, self))
}

/** A port for a listener that wants any: one that no listener has. */
const listenPort = (ctx: Context, state: State, request: TcpListen): number | undefined => {
  if (request.port !== 0) return request.port
  const { firstEphemeralPort, lastEphemeralPort } = ctx.config.tcp
  const anywhere = Address.unspecified(request.version ?? 4)
  const choice = Ports.choose(
    ctx.keys.port,
    { local: request.local ?? anywhere, remote: anywhere, remotePort: 0 },
    { first: firstEphemeralPort, last: lastEphemeralPort },
    state.portSalt.value,
    (port) => !state.listening.has(port)
  )
  if (choice === undefined) return undefined
  ctx.set(state.portSalt, choice.next)
  return choice.port
}

const invalidListen = (ctx: Context, state: State, request: TcpListen): Reason.Reason | undefined => {
  if (!isPort(request.port)) return Reason.invalidArgument("port")
  if (request.local !== undefined && !ctx.ip.isOurs(request.local)) return Reason.addressNotAvailable
  if (state.listeners.size >= ctx.config.limits.sockets) return Reason.limitReached("sockets")
  return invalidOptions(request.options)
}

/** Passive OPEN (RFC 9293 §3.10.1); listeners of other ends, or of other ports, are no matter to it. */
// rfc: 9293 §3.9.1.1 MUST-41 MUST-42
export const listen = (ctx: Context, state: State, ticket: Ticket, request: TcpListen): void => {
  const wrong = invalidListen(ctx, state, request)
  if (wrong !== undefined) return ctx.fail(ticket, wrong)
  const local = request.local !== undefined && Address.isUnspecified(request.local) ? undefined : request.local
  const port = listenPort(ctx, state, request)
  if (port === undefined) return ctx.fail(ticket, Reason.portsExhausted)
  const listener: ListenerRecord = {
    id: ctx.nextId(),
    local,
    version: request.local === undefined ? request.version : Address.versionOf(request.local),
    port,
    link: request.link,
    backlog: Math.max(1, Math.min(request.backlog, ctx.config.limits.tcpBacklog)),
    options: request.options,
    config: Config.withOptions(ctx.config.tcp, request.options),
    queue: Fifo.empty(),
    waiting: 0,
    accepts: Fifo.empty()
  }
  if (!Lookup.addListener(ctx, state, listener)) return ctx.fail(ticket, Reason.addressInUse)
  ctx.reply(ticket, { listener: listener.id, local, port })
}

/** The oldest connection that waits, or a place in the queue of those who wait for one. */
export const accept = (ctx: Context, state: State, ticket: Ticket, request: TcpAccept): void => {
  const listener = state.listeners.get(request.listener)
  if (listener === undefined) return ctx.fail(ticket, Reason.closed)
  const connection = Listener.dequeue(ctx, state, listener)
  if (connection !== undefined) return ctx.reply(ticket, Listener.endpointOf(connection))
  if (!request.block) return ctx.fail(ticket, Reason.wouldBlock)
  if (!ctx.park(ticket, { owner: "TcpListener", id: listener.id })) {
    return ctx.fail(ticket, Reason.limitReached("parkedRequests"))
  }
  ctx.put(state.listeners, listener.id, { ...listener, accepts: Fifo.push(listener.accepts, ticket) })
}

/** Nobody will accept any more: what waits is reset (RFC 9293 §3.10.4), half-open connections are forgotten. */
export const closeListener = (ctx: Context, state: State, ticket: Ticket, request: TcpCloseListener): void => {
  const listener = state.listeners.get(request.listener)
  if (listener === undefined) return ctx.fail(ticket, Reason.closed)
  for (const accept of Fifo.toArray(listener.accepts)) Lifecycle.refuse(ctx, accept, Reason.closed)
  for (const id of Fifo.toArray(listener.queue)) {
    const entry = state.entries.get(id)
    if (entry?._tag !== "Connection" || entry.holder !== "queued") continue
    if (entry.state === "CLOSED") {
      Lifecycle.remove(ctx, state, entry)
      continue
    }
    Emit.abort(ctx, entry)
    Lifecycle.end(ctx, state, { ...entry, holder: "nobody" }, Reason.connectionAborted)
  }
  Lookup.removeListener(ctx, state, listener)
  ctx.reply(ticket, undefined)
}
