/**
 * Finding the path MTU without ICMP (RFC 4821, RFC 8899 §6): some paths swallow large packets and say nothing.
 *
 *     low ── a size that has come through        high ── one that may
 *      │◀──────────── search ─────────────▶│
 *      a segment of the middle size leaves: acknowledged, low rises; lost while its neighbours arrive, high falls
 *
 * It begins when large segments time out again and again (a black hole), or with the connection where the knob `mtuProbing` says so. The loss of a
 * probe is no congestion (RFC 4821 §7.5).
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as TcpOptions from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Family from "../Family.ts"
import * as Time from "../Time.ts"
import type { Connection } from "./Connection.ts"
import * as Control from "./Control.ts"
import * as Options from "./Options.ts"
import type { Range } from "./Scoreboard.ts"

export interface MtuProbe {
  readonly isOn: boolean
  /** IP packets of this size come through, as far as is known; of more than `high` they do not. */
  readonly low: number
  readonly high: number
  /** The size that is being tried, 0 for none, and the text that carries it. */
  readonly size: number
  readonly start: Sequence.Sequence
  readonly end: Sequence.Sequence
  /** The search is over, or has just failed, until then. */
  readonly nextAt: Time.Instant
}

export const off: MtuProbe = Object.freeze({
  isOn: false,
  low: 0,
  high: 0,
  size: 0,
  start: 0,
  end: 0,
  nextAt: Time.instantOf(0)
})

/** Nearly every path carries this (rfc: 4821 §7.2 SHOULD). */
const baseMtu = 1024
/** A search that is this narrow is over (RFC 4821 §7.6.1 leaves the resolution to the implementer). */
const resolution = 8
/** Timeouts in a row that make a black hole likely (RFC 4821 §7.5.1 speaks of several). */
const suspicious = 3
/** Smaller packets are not tried: RFC 1122 §3.3.3 lets every host expect 576 bytes, RFC 8200 §5 1280. */
const leastMtu = (self: Connection): number => self.path.version === 4 ? 576 : Family.v6.minimumMtu
/** A path may have become wider: looked at again after ten minutes (rfc: 4821 §7.6.4 SHOULD). */
const searchAgain = Time.seconds(600)
/** Segments that must be able to follow a probe, so that its loss is noticed without a timeout (RFC 4821 §7.4). */
const followers = 4
/** The window must be wide enough that a probe does not matter to it. */
const leastWindow = 6

/** The size of packets to send: what has come through while a search is on. */
export const mtuOf = (self: Connection): number => self.mtu.isOn ? Math.min(self.path.mtu, self.mtu.low) : self.path.mtu

/** The connection with the segment size that its path, and the search, allow now. */
export const withMss = (self: Connection): Connection => {
  const path = { ...self.path, mtu: mtuOf(self) }
  const mss = Options.sendMss(path, self.snd.peerMss, self.agreed.timestamps, self.config)
  if (mss === self.snd.mss) return self
  const { controller, state } = self.control
  return {
    ...self,
    snd: { ...self.snd, mss },
    control: Control.moved(self.control, controller.onMss(state, mss))
  }
}

const begun = (self: Connection, low: number): Connection =>
  withMss({ ...self, mtu: { ...off, isOn: true, low: Math.min(low, self.path.mtu), high: self.path.mtu } })

/** Linux takes the figure for the text of a segment, beside which there is what its SYN offers. */
const firstMtu = ({ config, path }: Connection): number =>
  config.windowRules === "deployed"
    ? baseMtu + Options.headersOf(path) + (config.timestamps ? TcpOptions.timestampsLength : 0)
    : baseMtu

/** At the start of a connection, for those who want to probe in any case; but Linux's servers begin with whole segments. */
export const start = (self: Connection): Connection => {
  const isSearching = self.config.mtuProbing === "always" && self.path.mtu > firstMtu(self)
  const isWhole = self.config.windowRules === "deployed" && self.listener !== 0
  return isSearching && !isWhole ? begun(self, firstMtu(self)) : self
}

/** A retransmission timeout: after several, large packets are suspected (rfc: 4821 §7.5.1, 8899 §4.3). */
export const onTimeout = (self: Connection): Connection => {
  if (self.config.mtuProbing === "off" || self.recovery.timeouts + 1 < suspicious) return self
  if (!self.mtu.isOn) return self.path.mtu > baseMtu ? begun(self, baseMtu) : self
  const low = Math.max(Math.min(leastMtu(self), self.path.mtu), self.mtu.low >>> 1)
  return low >= self.mtu.low ? self : withMss({ ...self, mtu: { ...self.mtu, low, size: 0 } })
}

/** Text bytes of the next probe; 0 when none may be sent now. */
export const nextProbe = (ctx: Context, self: Connection, unsent: number, allowed: number): number => {
  const { mtu, recovery, snd } = self
  if (!mtu.isOn || mtu.size !== 0 || mtu.nextAt > ctx.at || sizeOf(mtu, self.path.mtu) <= mtu.low) return 0
  if (recovery.phase !== "open" || recovery.duplicates > 0) return 0
  const text = snd.mss + sizeOf(mtu, self.path.mtu) - mtuOf(self)
  const isRoomy = Control.window(self.control) >= leastWindow * snd.mss && unsent >= text + followers * snd.mss
  return isRoomy && allowed >= text ? text : 0
}

/** The middle of what is left to search; of all that the path might carry, when a search is over and its rest too. */
const sizeOf = (mtu: MtuProbe, widest: number): number =>
  (mtu.low + (mtu.high - mtu.low <= resolution ? widest : mtu.high) + 1) >>> 1

/** A probe has left with the text `[start, end)`. */
export const sent = (self: Connection, start: Sequence.Sequence, end: Sequence.Sequence): Connection => ({
  ...self,
  mtu: {
    ...self.mtu,
    high: self.mtu.high - self.mtu.low <= resolution ? self.path.mtu : self.mtu.high,
    size: sizeOf(self.mtu, self.path.mtu),
    start,
    end
  }
})

/** The search after `low` or `high` has moved: when it is narrow enough it rests, and begins anew for all that the path might carry. */
const moved = (ctx: Context, self: MtuProbe, low: number, high: number): MtuProbe => {
  const isOver = high - low <= resolution
  const nextAt = isOver ? Time.plus(ctx.at, searchAgain) : ctx.at
  return { ...self, size: 0, low, high, nextAt }
}

/** The probe has been acknowledged. */
export const onAck = (ctx: Context, self: Connection): Connection => {
  const { mtu, snd } = self
  if (mtu.size === 0 || Sequence.before(snd.una, mtu.end)) return self
  return withMss({ ...self, mtu: moved(ctx, mtu, mtu.size, mtu.high) })
}

/** Something was found lost: if it is the probe, and the probe alone, so large a packet does not come through. */
export const afterLosses = (ctx: Context, self: MtuProbe, lost: ReadonlyArray<Range>): MtuProbe => {
  if (self.size === 0) return self
  for (const { end, start } of lost) {
    if (Sequence.before(start, self.start) || Sequence.after(end, self.end)) return { ...self, size: 0 }
  }
  return moved(ctx, self, self.low, self.size - 1)
}

/** Whether the only loss of an event was that of a probe: `before` and `after` are the search before and after it. */
export const hasFailed = (before: MtuProbe, after: MtuProbe): boolean =>
  before.size !== 0 && after.size === 0 && after.high < before.size

/** A router has named a size (RFC 1191): the search goes no further. */
export const limit = (self: Connection): Connection =>
  self.mtu.isOn
    ? {
      ...self,
      mtu: { ...self.mtu, high: Math.min(self.mtu.high, self.path.mtu), low: Math.min(self.mtu.low, self.path.mtu) }
    }
    : self
