/**
 * The SYN of an active opener and what becomes of it (RFC 9293 §3.5): sent again with backoff, given up after `synRetries`.
 */
import * as Tcp from "../../wire/Tcp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Reason from "../Reason.ts"
import * as Time from "../Time.ts"
import type { Config } from "./Config.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Ecn from "./Ecn.ts"
import * as EcnHandshake from "./EcnHandshake.ts"
import * as Emit from "./Emit.ts"
import * as FastOpen from "./FastOpen.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Options from "./Options.ts"
import * as Rtt from "./Rtt.ts"
import type * as Segment from "./Segment.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"
import * as Timestamps from "./Timestamps.ts"

/** <SEQ=ISS><CTL=SYN> */
export const syn = (ctx: Context, self: Connection): void =>
  Emit.bare(ctx, self.tuple, self.path, self.config, {
    seq: self.snd.iss,
    ack: 0,
    flags: Tcp.SYN | EcnHandshake.ofSyn(self.config, self.recovery.timeouts),
    window: Math.min(0xffff, Connections.receiveWindow(self)),
    options: {
      ...Options.offer(ctx, self.path, self.config, Timestamps.value(self.stamps.offset, ctx.at)),
      // rfc: 7413 §4.2.1 RECOMMENDED: not again in a SYN that is sent again.
      ...(self.fastOpen === "asks" && self.recovery.timeouts === 0 ? FastOpen.asking : {})
    }
  })

/** <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> of a simultaneous open. */
export const synAck = (ctx: Context, self: Connection): void =>
  Emit.bare(ctx, self.tuple, self.path, self.config, {
    seq: self.snd.iss,
    ack: self.rcv.nxt,
    flags: Tcp.SYN | Tcp.ACK | EcnHandshake.ofSynAck(self.agreed.ecn, self.agreed.synMarks, self.recovery.timeouts),
    window: Math.min(0xffff, Connections.receiveWindow(self)),
    options: Ecn.ofSynAckOptions(
      self.agreed.ecn,
      self.config,
      self.recovery.timeouts === 0,
      Options.accept(
        ctx,
        self.path,
        self.config,
        self.agreed,
        Timestamps.value(self.stamps.offset, ctx.at),
        self.stamps.recent
      )
    )
  })

/** Sets the timer for the SYN, sent `retransmissions` times again (RFC 6298 §2.1, §5.5). */
export const retryAt = (ctx: Context, self: Connection, retransmissions: number): Connection => {
  const wait = Rtt.patience(self.config.initialRto, retransmissions, false, self.config)
  const timed = Deadlines.withLoss(self, "handshake", Time.plus(ctx.at, wait), Time.never)
  return { ...timed, recovery: { ...self.recovery, timeouts: retransmissions } }
}

/** How long an open may take at most: a user timeout holds in any state (rfc: 9293 §3.10.8). */
export const patience = ({ connectTimeout, userTimeout }: Config): Time.Span =>
  userTimeout === 0 ? connectTimeout : Time.min(connectTimeout, userTimeout)

/** The first SYN has left: SYN-SENT, with its timers (rfc: 4022 §3, tcpActiveOpens). */
export const begun = (ctx: Context, self: Connection): Connection => {
  ctx.count(Counter.index.tcpActiveOpens)
  const limit = Time.plus(ctx.at, patience(self.config))
  return Deadlines.withSlow(retryAt(ctx, self, 0), "user", limit)
}

/** The SYN's timer: again, or the end. `undefined` when the connection is no more. */
export const timeout = (ctx: Context, state: State, self: Connection): Connection | undefined => {
  const sent = self.recovery.timeouts
  const most = self.state === "SYN-SENT" ? self.config.synRetries : self.config.synAckRetries
  if (sent >= most) {
    ctx.count(Counter.index.tcpAttemptFails)
    Lifecycle.end(ctx, state, self, self.error ?? Reason.timedOut("connect"))
    return undefined
  }
  ctx.count(Counter.index.tcpSegmentsRetransmitted)
  if (self.fastOpen === "sent") FastOpen.disable(ctx, state, self.tuple)
  const next = retryAt(ctx, self, sent + 1)
  if (self.state === "SYN-SENT") syn(ctx, next)
  else synAck(ctx, next)
  return next
}

/**
 * The round trip of the handshake: exactly if the SYN went out once (Karn's rule, rfc: 9293 §3.8.1 MUST-18, RFC 6298 §3), else by its timestamp, which counts
 * whole milliseconds.
 */
export const measured = (ctx: Context, self: Connection, segment: Segment.Segment): Rtt.Rtt => {
  const echo = segment.options.timestampEcho
  const rtt = self.recovery.timeouts === 0
    ? Time.between(self.snd.lastAt, ctx.at)
    : self.agreed.timestamps && echo !== undefined && echo !== 0
    ? Timestamps.roundTrip(self.stamps, echo, ctx.at)
    : undefined
  if (rtt !== undefined) return Rtt.sample(self.rtt, rtt, ctx.at, self.config)
  return Rtt.begin(Rtt.backedOff(self.rtt, self.config), self.config)
}
