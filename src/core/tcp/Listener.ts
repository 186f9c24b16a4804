/**
 * Passive opens (RFC 9293 §3.10.1, §3.10.7.2): from the SYN that finds a listener to the connection that a program accepts.
 *
 *     SYN ──▶ HalfOpen ── ACK ──▶ Connection ──▶ the listener's queue ── accept ──▶ the program
 *              │  ▲ SYN/ACK again, `synAckRetries` times
 *              ╰──╯
 *
 * An unanswered SYN costs one compact record out of a bounded number (`tcpHalfOpen`); the queue holds as many connections as the
 * program asked for.
 */
import * as Address from "../../wire/Address.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Fifo from "../data/Fifo.ts"
import type { LinkId } from "../Device.ts"
import type { Path } from "../Ip.ts"
import * as Time from "../Time.ts"
import * as Alarm from "../Timer.ts"
import type { Config } from "./Config.ts"
import type { Connection, Tuple } from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Cookies from "./Cookies.ts"
import * as Create from "./Create.ts"
import * as Ecn from "./Ecn.ts"
import * as EcnHandshake from "./EcnHandshake.ts"
import * as Emit from "./Emit.ts"
import * as FastOpen from "./FastOpen.ts"
import * as InitialSequence from "./InitialSequence.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Lookup from "./Lookup.ts"
import * as Options from "./Options.ts"
import * as Progress from "./Progress.ts"
import type { Endpoint } from "./Requests.ts"
import * as Rtt from "./Rtt.ts"
import * as Segment from "./Segment.ts"
import type { HalfOpen, Listener, State } from "./State.ts"
import * as TailLossProbe from "./TailLossProbe.ts"
import * as Timestamps from "./Timestamps.ts"
import * as UserTimeoutOption from "./UserTimeoutOption.ts"

/** The interface that answers are bound to: the listener's, or the one that a link-local peer is on. */
const linkOf = (self: Listener, segment: Segment.Segment): LinkId | undefined =>
  self.link ?? (Address.isLinkLocal(segment.packet.source) ? segment.packet.link : undefined)

/** Whether the listener's queue takes no more (the backlog of `TcpListen`). */
export const isFull = (self: Listener): boolean => self.waiting >= self.backlog

/** The SYN/ACK has left again because the SYN did: it waits for its ACK from now on. */
export const waitAgain = (ctx: Context, self: HalfOpen, config: Config): HalfOpen => {
  const at = Time.plus(ctx.at, patience(config, self.timeouts))
  return { ...self, timer: Alarm.arm(ctx, { _tag: "Tcp", key: self.id }, self.timer, at) }
}

/** How long the SYN/ACK waits for its ACK, by how often it has waited in vain (RFC 6298 §5.5). */
const patience = (config: Config, timeouts: number): Time.Span =>
  Rtt.patience(config.initialRto, timeouts, false, config)

/** How many timeouts of the SYN/ACK the listener waits for text. */
const deferrals = (config: Config): number => {
  let count = 0
  for (let waited: number = Time.zero; waited < config.deferAccept && count < mostDeferrals; count++) {
    waited += patience(config, count)
  }
  return count
}

/** A day of the shortest timeouts is beyond what `synAckRetries` may be. */
const mostDeferrals = 255

/** Whether an ACK that brings neither text nor a FIN is to be ignored, so that its connection goes on waiting for them. */
export const isDeferring = (self: HalfOpen, { config }: Listener, segment: Segment.Segment): boolean =>
  config.deferAccept > 0 && Segment.length(segment) === 0 && self.timeouts < deferrals(config)

/** Sends the SYN/ACK, for the first time or again. */
export const synAck = (ctx: Context, self: HalfOpen, config: Config, isFirst: boolean): void => {
  const tsval = Timestamps.value(self.offset, ctx.at)
  Emit.bare(ctx, self.tuple, self.path, config, {
    seq: self.iss,
    ack: Sequence.add(self.irs, 1),
    flags: Tcp.SYN | Tcp.ACK | EcnHandshake.ofSynAck(self.agreed.ecn, self.agreed.synMarks, self.retransmissions),
    window: self.offered,
    options: Ecn.ofSynAckOptions(self.agreed.ecn, config, isFirst, {
      ...Options.accept(ctx, self.path, config, self.agreed, tsval, self.recent),
      // rfc: 7413 §4.2.1 RECOMMENDED: not again in a SYN/ACK that is sent again.
      ...(self.cookie === "no" || self.retransmissions > 0
        ? {}
        : FastOpen.given(ctx, self.tuple.remote, self.cookie === "experimental"))
    })
  })
}

/** The compact record of a SYN. */
const halfOpen = (
  ctx: Context,
  state: State,
  listener: Listener,
  segment: Segment.Segment,
  tuple: Tuple,
  path: Path,
  wantsFastOpen: boolean
): HalfOpen => {
  const id = ctx.nextId()
  const agreed = Options.agree(listener.config, segment)
  const at = Time.plus(ctx.at, patience(listener.config, 0))
  return {
    _tag: "HalfOpen",
    id,
    next: Lookup.firstOf(state, tuple.hash),
    tuple,
    path,
    listener: listener.id,
    irs: segment.seq,
    iss: InitialSequence.generate(ctx.keys.sequence, ctx.at, tuple),
    agreed,
    window: segment.window,
    peerMss: Options.peerMss(path, segment.options),
    offset: agreed.timestamps ? InitialSequence.timestampOffset(ctx.keys.sequence, tuple) : 0,
    recent: segment.options.timestampValue ?? 0,
    startedAt: ctx.at,
    retransmissions: 0,
    timeouts: 0,
    isDeferred: false,
    challengedAt: Time.instantOf(-Infinity),
    cookie: !wantsFastOpen ? "no" : segment.options.fastOpenExperimental ? "experimental" : "standard",
    offered: Options.firstWindow(ctx, path, listener.config, agreed.timestamps),
    timer: Alarm.arm(ctx, { _tag: "Tcp", key: id }, Alarm.idle, at)
  }
}

/** Takes a SYN whose cookie is valid, with its text (`EarlyData.ts`). */
export type Accept = (
  ctx: Context,
  state: State,
  listener: Listener,
  segment: Segment.Segment,
  tuple: Tuple,
  path: Path
) => void

/** Whether the SYN is to be answered without being remembered. */
const wantsCookie = (ctx: Context, state: State, listener: Listener): boolean => {
  switch (listener.config.synCookies) {
    case "always":
      return true
    case "whenFull":
      return state.halfOpen.value >= ctx.config.limits.tcpHalfOpen
    case "never":
      return false
  }
}

/** A SYN for a listener (RFC 9293 §3.10.7.2, third check). */
// rfc: 9293 §3.10.7.2
export const syn = (
  ctx: Context,
  state: State,
  listener: Listener,
  segment: Segment.Segment,
  accept: Accept
): void => {
  const { packet } = segment
  const isCookie = wantsCookie(ctx, state, listener)
  const isRefused = isFull(listener) && !ctx.config.tcp.answersWhenFull
  if (isRefused || (!isCookie && state.halfOpen.value >= ctx.config.limits.tcpHalfOpen)) {
    return ctx.drop("TcpBacklogFull", packet.link)
  }
  const tuple = Lookup.tupleOf(ctx, packet.destination, segment.destinationPort, packet.source, segment.sourcePort)
  if (!Lookup.hasRoom(ctx, state, tuple.hash)) return ctx.drop("TcpConnectionLimit", packet.link)
  const path = ctx.ip.path(ctx, packet.source, packet.destination, linkOf(listener, segment))
  if ("_tag" in path) return ctx.drop("IpNoRoute", packet.link)
  if (isCookie) return Cookies.send(ctx, state, listener, segment, tuple, path)
  const wish = FastOpen.wishOf(ctx, state, listener.config, segment)
  if (wish === "accept") return accept(ctx, state, listener, segment, tuple, path)
  remember(ctx, state, listener, segment, tuple, path, wish === "cookie")
}

/** Keeps a SYN in a compact record, and answers it. */
const remember = (
  ctx: Context,
  state: State,
  listener: Listener,
  segment: Segment.Segment,
  tuple: Tuple,
  path: Path,
  wantsFastOpen: boolean
): void => {
  const record = halfOpen(ctx, state, listener, segment, tuple, path, wantsFastOpen)
  Lookup.add(ctx, state, record)
  ctx.set(state.halfOpen, state.halfOpen.value + 1)
  ctx.count(Counter.index.tcpPassiveOpens)
  ctx.notice({
    _tag: "ConnectionIncoming",
    listener: listener.id,
    connection: record.id,
    remote: tuple.remote,
    remotePort: tuple.remotePort
  })
  synAck(ctx, record, listener.config, true)
}

/** A half-open connection is forgotten: its peer is back at a listener (RFC 9293 §3.10.7.4, second and fourth check). */
export const forget = (ctx: Context, state: State, self: HalfOpen): void => {
  if (ctx.config.telemetry) Progress.forgotten(ctx, self)
  Lookup.unlink(ctx, state, self)
  ctx.remove(state.entries, self.id)
  ctx.set(state.halfOpen, state.halfOpen.value - 1)
}

/** Whether the SYN/ACK is to go out again: a peer that has acknowledged it is asked for another ACK only when the wait for its text is about to end. */
const isRepeating = (self: HalfOpen, config: Config): boolean =>
  !self.isDeferred || self.timeouts + 1 >= deferrals(config)

const isGivenUp = (self: HalfOpen, config: Config): boolean =>
  self.timeouts >= config.synAckRetries && (!self.isDeferred || self.timeouts >= deferrals(config))

/** An alarm rang: the SYN/ACK goes out again, or the peer is given up. */
export const alarm = (ctx: Context, state: State, self: HalfOpen, due: Time.Instant): void => {
  const id = { _tag: "Tcp", key: self.id } as const
  const { armed, isDue } = Alarm.fired(ctx, id, self.timer, due)
  if (!isDue) return ctx.put(state.entries, self.id, { ...self, timer: armed })
  const config = state.listeners.get(self.listener)?.config ?? ctx.config.tcp
  if (isGivenUp(self, config)) {
    ctx.count(Counter.index.tcpAttemptFails)
    return forget(ctx, state, self)
  }
  const timeouts = self.timeouts + 1
  const waiting: HalfOpen = {
    ...self,
    timeouts,
    timer: Alarm.arm(ctx, id, armed, Time.plus(ctx.at, patience(config, timeouts)))
  }
  if (!isRepeating(self, config)) return ctx.put(state.entries, self.id, waiting)
  ctx.count(Counter.index.tcpSegmentsRetransmitted)
  const again: HalfOpen = { ...waiting, retransmissions: self.retransmissions + 1 }
  ctx.put(state.entries, self.id, again)
  synAck(ctx, again, config, false)
}

/** The round trip of the handshake: by its timestamp, else if the SYN/ACK went out once (Karn's rule, RFC 6298 §3). */
const measured = (ctx: Context, self: HalfOpen, connection: Connection, segment: Segment.Segment): Rtt.Rtt => {
  const echo = segment.options.timestampEcho
  const rtt = self.agreed.timestamps && echo !== undefined
    ? Timestamps.roundTrip(connection.stamps, echo, ctx.at)
    : self.retransmissions === 0 && ctx.config.tcp.measuresSynAck
    ? Time.between(self.startedAt, ctx.at)
    : undefined
  const { config } = connection
  // The SYN/ACK went out once: there is nothing to be careful about.
  if (rtt === undefined && self.retransmissions === 0) return connection.rtt
  if (rtt !== undefined) return Rtt.sample(connection.rtt, rtt, ctx.at, config)
  return Rtt.begin(Rtt.backedOff(connection.rtt, config), config)
}

/**
 * The handshake is complete: the compact record becomes a connection in SYN-RECEIVED with the same id, for the ACK processing to establish. `undefined` when
 * the listener is gone or its queue is full, which the caller has asked before.
 */
export const promote = (
  ctx: Context,
  state: State,
  self: HalfOpen,
  listener: Listener,
  segment: Segment.Segment
): Connection => {
  ctx.set(state.halfOpen, state.halfOpen.value - 1)
  ctx.set(state.connections, state.connections.value + 1)
  const connection = Create.connection(ctx, {
    id: self.id,
    next: self.next,
    tuple: self.tuple,
    path: self.path,
    link: linkOf(listener, segment),
    config: listener.config,
    state: "SYN-RECEIVED",
    holder: "queued",
    listener: listener.id,
    agreed: self.agreed,
    iss: self.iss,
    irs: self.irs,
    offered: self.offered,
    mss: Options.sendMss(self.path, self.peerMss, self.agreed.timestamps, listener.config),
    peerMss: self.peerMss,
    offset: self.offset
  })
  const stamps = self.agreed.timestamps
    ? { ...connection.stamps, recent: self.recent, recentAt: self.startedAt, lastAck: connection.rcv.nxt }
    : connection.stamps
  const rtt = measured(ctx, self, connection, segment)
  const snd = { ...connection.snd, wnd: self.window, maxWnd: self.window, wl1: self.irs, wl2: self.iss }
  const recovery = { ...connection.recovery, timeouts: self.retransmissions }
  // The handshake's round trip is one since the beginning (RFC 8985 §7.3).
  const tail = rtt.srtt === undefined ? connection.tail : TailLossProbe.sampled(connection.tail)
  const control = self.retransmissions > 1
    ? Control.afterHandshake(connection.config, connection.snd.mss, ctx.at, self.retransmissions)
    : connection.control
  const promoted: Connection = { ...connection, stamps, rtt, snd, recovery, tail, control, timer: self.timer }
  return UserTimeoutOption.heard(ctx, promoted, self.agreed.userTimeout)
}

export const endpointOf = (self: Connection): Endpoint => ({
  connection: self.id,
  local: self.tuple.local,
  localPort: self.tuple.localPort,
  remote: self.tuple.remote,
  remotePort: self.tuple.remotePort
})

/** Puts an established connection in its listener's queue, or hands it to an accept that waits. Answers its holder. */
export const enqueue = (ctx: Context, state: State, self: Connection): Connection => {
  const listener = state.listeners.get(self.listener)
  if (listener === undefined) return self
  const ticket = Fifo.head(listener.accepts)
  if (ticket === undefined) {
    const queue = Fifo.push(listener.queue, self.id)
    ctx.put(state.listeners, listener.id, { ...listener, queue, waiting: listener.waiting + 1 })
    return self
  }
  ctx.put(state.listeners, listener.id, { ...listener, accepts: Fifo.shift(listener.accepts) })
  Lifecycle.answer(ctx, ticket, endpointOf(self))
  return { ...self, holder: "program" }
}

/** Takes the connection that has waited longest out of the queue. */
export const dequeue = (ctx: Context, state: State, listener: Listener): Connection | undefined => {
  let queue = listener.queue
  for (;;) {
    const id = Fifo.head(queue)
    if (id === undefined) return undefined
    queue = Fifo.shift(queue)
    const entry = state.entries.get(id)
    if (entry?._tag !== "Connection" || entry.holder !== "queued") continue
    ctx.put(state.listeners, listener.id, { ...listener, queue, waiting: listener.waiting - 1 })
    const accepted: Connection = { ...entry, holder: "program" }
    ctx.put(state.entries, id, accepted)
    return accepted
  }
}
