/**
 * Answering SYNs that there is no room for (RFC 4987 §3.6): the SYN/ACK carries all that is to be remembered, and the ACK brings it back. `SynCookies.ts` has
 * the arithmetic.
 *
 *     SYN ──▶ table full ── SYN/ACK with a cookie ──▶ nothing is kept
 *     ACK ──▶ the cookie is ours and young ──▶ the half-open record that would have been kept, completed at once
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import type { Path } from "../Ip.ts"
import * as Time from "../Time.ts"
import * as Alarm from "../Timer.ts"
import type { Config } from "./Config.ts"
import type { Agreed, Tuple } from "./Connection.ts"
import * as Ecn from "./Ecn.ts"
import * as EcnHandshake from "./EcnHandshake.ts"
import * as Emit from "./Emit.ts"
import * as InitialSequence from "./InitialSequence.ts"
import * as Lookup from "./Lookup.ts"
import * as Options from "./Options.ts"
import type * as Segment from "./Segment.ts"
import type { HalfOpen, Listener, State } from "./State.ts"
import * as SynCookies from "./SynCookies.ts"
import * as Timestamps from "./Timestamps.ts"

/** Cookies are looked for in stray ACKs for so long after one was sent: as long as one is good. */
const goodFor = Time.seconds(128)

/**
 * Without timestamps there is no room for anything but the MSS, unless the cookie itself is to keep options; that marks are accurate, the bits of the ACK
 * tell.
 */
const agreedOn = (ctx: Context, config: Config, segment: Segment.Segment): Agreed => {
  const agreed = Options.agree(config, segment)
  if (agreed.timestamps) return agreed
  const { ecn, receiveScale, sack, scaling, sendScale, synMarks } = agreed
  const kept = ctx.config.tcp.cookiesKeepOptions ? { sack, scaling, sendScale, receiveScale } : {}
  return { ...Options.nothingAgreed, ...kept, ...(ecn === "accurate" ? { ecn, synMarks } : {}) }
}

/** Answers a SYN and forgets it. */
export const send = (
  ctx: Context,
  state: State,
  listener: Listener,
  segment: Segment.Segment,
  tuple: Tuple,
  path: Path
): void => {
  const { config } = listener
  const agreed = agreedOn(ctx, config, segment)
  const offset = InitialSequence.timestampOffset(ctx.keys.sequence, tuple)
  const options: SynCookies.Options = {
    windowScale: agreed.scaling ? agreed.sendScale : undefined,
    sack: agreed.sack,
    ecn: agreed.ecn === "classic"
  }
  const stamp = SynCookies.timestamp(Timestamps.value(0, ctx.at), options)
  const mss = Options.peerMss(path, segment.options)
  const kept = ctx.config.tcp.cookiesKeepOptions ? options : undefined
  ctx.count(Counter.index.tcpSynCookiesSent)
  ctx.set(state.cookiesUntil, Time.plus(ctx.at, goodFor))
  Emit.bare(ctx, tuple, path, config, {
    seq: SynCookies.make(ctx.keys.cookie, ctx.at, tuple, segment.seq, mss, kept),
    ack: Sequence.add(segment.seq, 1),
    flags: Tcp.SYN | Tcp.ACK | EcnHandshake.ofSynAck(agreed.ecn, agreed.synMarks, 0),
    window: Options.firstWindow(ctx, path, config, agreed.timestamps),
    options: Ecn.ofSynAckOptions(
      agreed.ecn,
      config,
      true,
      Options.accept(ctx, path, config, agreed, (stamp + offset) | 0, segment.options.timestampValue ?? 0)
    )
  })
}

/** What the echoed timestamp, or the cookie itself, has kept of the SYN's options. */
const recalled = (config: Config, segment: Segment.Segment, offset: number, inCookie: SynCookies.Options): Agreed => {
  const echo = segment.options.timestampEcho
  const timestamps = echo !== undefined && config.timestamps
  const kept = timestamps ? SynCookies.options((echo - offset) | 0) : inCookie
  const scaling = kept.windowScale !== undefined && config.windowScaling
  return {
    timestamps,
    sack: kept.sack && config.sack,
    scaling,
    sendScale: scaling ? kept.windowScale! : 0,
    receiveScale: scaling ? Options.receiveShift(config) : 0,
    ecn: EcnHandshake.recalled(config, segment, kept.ecn),
    synMarks: 0,
    hasPlainSyn: false,
    userTimeout: undefined
  }
}

/** What a cookie of ours tells. */
interface Checked {
  readonly mss: number
  readonly options: SynCookies.Options
}

const noOptions: SynCookies.Options = Object.freeze({ windowScale: undefined, sack: false, ecn: false })

const check = (ctx: Context, tuple: Tuple, irs: Sequence.Sequence, cookie: Sequence.Sequence): Checked | undefined => {
  if (ctx.config.tcp.cookiesKeepOptions) {
    return SynCookies.checkWithOptions(ctx.keys.cookie, ctx.at, tuple, irs, cookie)
  }
  const mss = SynCookies.check(ctx.keys.cookie, ctx.at, tuple, irs, cookie)
  return mss === undefined ? undefined : { mss, options: noOptions }
}

/** The half-open record that would have been kept. */
const recordOf = (
  ctx: Context,
  state: State,
  listener: Listener,
  segment: Segment.Segment,
  tuple: Tuple,
  path: Path,
  { mss, options }: Checked
): HalfOpen => {
  const offset = InitialSequence.timestampOffset(ctx.keys.sequence, tuple)
  const agreed = recalled(listener.config, segment, offset, options)
  return {
    _tag: "HalfOpen",
    id: ctx.nextId(),
    next: Lookup.firstOf(state, tuple.hash),
    tuple,
    path,
    listener: listener.id,
    irs: Sequence.add(segment.seq, -1),
    iss: Sequence.add(segment.ack, -1),
    agreed,
    window: segment.window,
    peerMss: mss,
    offset,
    recent: segment.options.timestampValue ?? 0,
    startedAt: ctx.at,
    // When the SYN/ACK left is forgotten, so without timestamps no round trip can be measured.
    retransmissions: 1,
    // Nothing is kept that could wait for text (`deferAccept`).
    timeouts: Infinity,
    isDeferred: false,
    challengedAt: Time.instantOf(-Infinity),
    cookie: "no",
    offered: Options.firstWindow(ctx, path, listener.config, agreed.timestamps),
    timer: Alarm.idle
  }
}

/** The half-open record that an ACK proves, in its place among the entries; `undefined` if the ACK proves nothing. */
export const recall = (
  ctx: Context,
  state: State,
  listener: Listener,
  segment: Segment.Segment
): HalfOpen | undefined => {
  if (state.cookiesUntil.value < ctx.at || listener.config.synCookies === "never") return undefined
  const { packet } = segment
  const tuple = Lookup.tupleOf(ctx, packet.destination, segment.destinationPort, packet.source, segment.sourcePort)
  const irs = Sequence.add(segment.seq, -1)
  const checked = check(ctx, tuple, irs, Sequence.add(segment.ack, -1))
  if (checked === undefined || !Lookup.hasRoom(ctx, state, tuple.hash)) return undefined
  const path = ctx.ip.path(ctx, packet.source, packet.destination, listener.link)
  if ("_tag" in path) return undefined
  ctx.count(Counter.index.tcpSynCookiesAccepted)
  ctx.count(Counter.index.tcpPassiveOpens)
  const record = recordOf(ctx, state, listener, segment, tuple, path, checked)
  Lookup.add(ctx, state, record)
  ctx.set(state.halfOpen, state.halfOpen.value + 1)
  return record
}
