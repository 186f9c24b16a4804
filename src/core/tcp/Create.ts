/**
 * New connection records, as the handshake leaves them.
 */
import * as Sequence from "../../wire/Sequence.ts"
import type { Context } from "../Context.ts"
import type { LinkId } from "../Device.ts"
import type { Path } from "../Ip.ts"
import * as Time from "../Time.ts"
import * as Alarm from "../Timer.ts"
import * as AckPolicy from "./AckPolicy.ts"
import * as Chronograph from "./Chronograph.ts"
import type { Config } from "./Config.ts"
import type { Agreed, Connection, Holder, Tuple } from "./Connection.ts"
import * as Control from "./Control.ts"
import * as DeliveryRate from "./DeliveryRate.ts"
import * as Ecn from "./Ecn.ts"
import type { StateName } from "./Info.ts"
import * as MtuProbe from "./MtuProbe.ts"
import * as Options from "./Options.ts"
import * as Parked from "./Parked.ts"
import * as Rack from "./Rack.ts"
import * as ReceiveBuffer from "./ReceiveBuffer.ts"
import * as Recovery from "./Recovery.ts"
import * as Rtt from "./Rtt.ts"
import * as Scoreboard from "./Scoreboard.ts"
import * as SendQueue from "./SendQueue.ts"
import * as TailLossProbe from "./TailLossProbe.ts"
import * as Deadlines from "./Timer.ts"
import * as Timestamps from "./Timestamps.ts"
import * as Tuning from "./Tuning.ts"
import * as UserTimeoutOption from "./UserTimeoutOption.ts"

/** What differs between the ways in which a connection begins. */
export interface Beginning {
  readonly id: number
  readonly next: number
  readonly tuple: Tuple
  readonly path: Path
  readonly link: LinkId | undefined
  readonly config: Config
  readonly state: StateName
  readonly holder: Holder
  readonly listener: number
  readonly agreed: Agreed
  readonly iss: Sequence.Sequence
  readonly irs: Sequence.Sequence
  /** The window of our SYN. */
  readonly offered: number
  readonly mss: number
  readonly peerMss: number
  /** Added to our timestamp clock. */
  readonly offset: number
}

/** The text that a full segment of a peer has at least, until larger ones are seen. */
const smallestFull = 536

const send = (from: Beginning): Connection["snd"] => ({
  iss: from.iss,
  una: from.iss,
  nxt: Sequence.add(from.iss, 1),
  wnd: 0,
  wl1: 0,
  wl2: 0,
  maxWnd: 0,
  mss: from.mss,
  peerMss: from.peerMss,
  fin: false,
  up: from.iss,
  hasUrgent: false,
  credit: 0,
  isAppLimited: false,
  mostOut: 0,
  mostOutUntil: from.iss,
  smallEnd: from.iss,
  lastAt: Time.instantOf(0),
  acked: 0,
  segments: 0,
  textSegments: 0,
  retransmittedSegments: 0,
  retransmittedBytes: 0
})

const receive = (ctx: Context, from: Beginning): Connection["rcv"] => {
  const nxt = Sequence.add(from.irs, 1)
  return {
    irs: from.irs,
    nxt,
    edge: Sequence.add(nxt, from.offered),
    size: Options.receiveSize(from.config, from.mss, from.agreed.timestamps),
    first: Options.firstSize(ctx, from.path, from.config, from.agreed.timestamps),
    ended: false,
    finAhead: 0,
    hasFinAhead: false,
    up: nxt,
    hasUrgent: false,
    discards: false,
    isShut: false,
    mss: smallestFull,
    lastAt: ctx.at,
    textAt: ctx.at,
    challengedAt: Time.instantOf(-Infinity),
    bytes: 0,
    segments: 0,
    textSegments: 0,
    aheadSegments: 0
  }
}

export const connection = (ctx: Context, from: Beginning): Connection => {
  const first = Sequence.add(from.iss, 1)
  return {
    _tag: "Connection",
    id: from.id,
    next: from.next,
    tuple: from.tuple,
    path: from.path,
    link: from.link,
    config: from.config,
    state: from.state,
    holder: from.holder,
    listener: from.listener,
    agreed: from.agreed,
    fastOpen: "no",
    snd: send(from),
    rcv: receive(ctx, from),
    stamps: Timestamps.make(from.offset),
    queue: SendQueue.empty(first),
    buffer: ReceiveBuffer.empty(Sequence.add(from.irs, 1)),
    ack: AckPolicy.make(from.config),
    board: Scoreboard.make(first),
    rtt: Rtt.make(from.config),
    rate: DeliveryRate.initial,
    control: Control.start(from.config, from.mss, ctx.at),
    recovery: Recovery.initial,
    rack: Rack.initial,
    tail: TailLossProbe.initial,
    ecn: Ecn.make(from.agreed),
    timeoutOption: UserTimeoutOption.make(from.config),
    mtu: MtuProbe.off,
    tuning: Tuning.make(ctx.at, Sequence.add(from.irs, 1)),
    limits: Chronograph.initial,
    deadlines: Deadlines.none,
    timer: Alarm.idle,
    parked: Parked.none,
    error: undefined
  }
}
