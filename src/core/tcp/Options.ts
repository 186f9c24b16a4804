/**
 * What the two SYNs agree on (RFC 9293 §3.7.1, RFC 7323 §2 and §3, RFC 2018 §2): each option is in force only when both carried it.
 */
import * as Tcp from "../../wire/Tcp.ts"
import * as TcpOptions from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Family from "../Family.ts"
import type { Path } from "../Ip.ts"
import type { Config } from "./Config.ts"
import type { Agreed } from "./Connection.ts"
import * as EcnHandshake from "./EcnHandshake.ts"
import type * as Segment from "./Segment.ts"
import * as UserTimeoutOption from "./UserTimeoutOption.ts"

/** RFC 7323 §2.3: a shift above 14 counts as 14. */
const largestShift = 14
const largestUnscaled = 0xffff

/** The least shift with which the whole receive buffer, grown as far as it may, can be offered. */
export const receiveShift = (config: Config): number => {
  const largest = Math.max(config.receiveBuffer, config.receiveBufferLimit)
  let shift = 0
  while (shift < largestShift && largestUnscaled << shift < largest) shift++
  return shift
}

/** The two headers without options. */
export const headersOf = (path: Path): number =>
  (path.version === 4 ? Family.v4 : Family.v6).headerLength + Tcp.minimumHeaderLength

/**
 * The MSS option (RFC 9293 §3.7.1): what the interface can receive less the two headers without options, whatever the path to the
 * peer carries; at least what each path does.
 */
// rfc: 9293 §3.7.1 MUST-14 MUST-67
export const receiveMss = (ctx: Context, path: Path, config: Config): number => {
  const mtu = ctx.links.get(path.link)?.mtu ?? path.mtu
  const mss = Math.min(mtu - headersOf(path), 0xffff)
  return config.maxSegment > 0 ? Math.min(mss, config.maxSegment) : mss
}

/** Text bytes of the segments we send: the least of what the peer takes, the path carries and the program allows, less the options of each segment. */
// rfc: 9293 §3.7.1 MUST-16 SHLD-6
export const sendMss = (path: Path, peerMss: number, timestamps: boolean, config: Config): number => {
  const carried = Math.min(Math.max(peerMss, config.leastSegment), path.mtu - headersOf(path))
  const allowed = config.maxSegment > 0 ? Math.min(carried, config.maxSegment) : carried
  return Math.max(1, allowed - (timestamps ? TcpOptions.timestampsLength : 0))
}

/** The receive buffer of a connection whose segments carry so much: where windows open by quarters, a whole number of segments. */
export const receiveSize = ({ receiveBuffer, windowSteps }: Config, mss: number, timestamps: boolean): number => {
  if (windowSteps !== "quarters") return receiveBuffer
  const whole = mss + (timestamps ? TcpOptions.timestampsLength : 0)
  return Math.ceil(receiveBuffer / whole) * whole
}

/** What is offered before text has come: the receive buffer, or what it holds of the longest segments that the peer may send. */
export const firstSize = (ctx: Context, path: Path, config: Config, timestamps: boolean): number => {
  const size = config.receiveBuffer
  const whole = receiveMss(ctx, path, config) - (timestamps ? TcpOptions.timestampsLength : 0)
  return config.windowSteps !== "segments" || size <= whole || whole <= 0 ? size : size - size % whole
}

/** The window of our SYN, which no scale applies to. */
export const firstWindow = (ctx: Context, path: Path, config: Config, timestamps: boolean): number =>
  Math.min(largestUnscaled, firstSize(ctx, path, config, timestamps))

/** The peer's MSS: what its SYN says, or the family's default (rfc: 9293 §3.7.1 MUST-15). A zero counts as absent. */
export const peerMss = (path: Path, options: TcpOptions.Options): number =>
  options.maximumSegmentSize || (path.version === 4 ? Family.v4 : Family.v6).defaultMss

/** What both SYNs offer: ours by its `config`, and the peer's SYN or SYN/ACK (rfc: 7323 §1.3, 2018 §2). */
export const agree = (config: Config, segment: Segment.Segment): Agreed => {
  const { options } = segment
  const scaling = config.windowScaling && options.windowScale !== undefined
  return {
    timestamps: config.timestamps && options.timestampValue !== undefined,
    sack: config.sack && options.sackPermitted,
    scaling,
    sendScale: scaling ? Math.min(options.windowScale!, largestShift) : 0,
    receiveScale: scaling ? receiveShift(config) : 0,
    ecn: EcnHandshake.useOf(config, segment),
    synMarks: EcnHandshake.marksOf(segment),
    hasPlainSyn: false,
    userTimeout: options.userTimeout
  }
}

/** Before the peer has said anything. */
export const nothingAgreed: Agreed = Object.freeze({
  timestamps: false,
  sack: false,
  scaling: false,
  sendScale: 0,
  receiveScale: 0,
  ecn: "off",
  synMarks: 0,
  hasPlainSyn: false,
  userTimeout: undefined
})

/** The options of our SYN; the MSS is in every SYN and in nothing else. */
// rfc: 9293 §3.7.1 SHLD-5 MAY-3 MUST-65
export const offer = (ctx: Context, path: Path, config: Config, tsval: number): TcpOptions.Options => ({
  ...TcpOptions.none,
  maximumSegmentSize: config.tellsSegment ? receiveMss(ctx, path, config) : undefined,
  windowScale: config.windowScaling ? receiveShift(config) : undefined,
  sackPermitted: config.sack,
  userTimeout: UserTimeoutOption.ofSyn(config),
  timestampValue: config.timestamps ? tsval : undefined,
  timestampEcho: config.timestamps ? 0 : undefined
})

/** The options of our SYN/ACK: only what the SYN offered (rfc: 7323 §2.2, §3.2). */
export const accept = (
  ctx: Context,
  path: Path,
  config: Config,
  agreed: Agreed,
  tsval: number,
  tsecr: number
): TcpOptions.Options => ({
  ...TcpOptions.none,
  maximumSegmentSize: config.tellsSegment ? receiveMss(ctx, path, config) : undefined,
  windowScale: agreed.scaling ? agreed.receiveScale : undefined,
  sackPermitted: agreed.sack,
  userTimeout: UserTimeoutOption.ofSyn(config),
  timestampValue: agreed.timestamps ? tsval : undefined,
  timestampEcho: agreed.timestamps ? tsecr : undefined
})
