/**
 * What TCP knows: connections in three sizes, the listeners, and the index that finds a segment's.
 *
 *     segment ──hash──▶ demux ──id──▶ entries: Connection │ HalfOpen (SYN-RECEIVED) │ TimeWait
 *        │                               ╰── next ──▶ another of the same hash
 *        ╰──port──▶ listening ──id──▶ listeners
 */
import type * as Address from "../../wire/Address.ts"
import type { Sequence } from "../../wire/Sequence.ts"
import type { Config as StackConfig } from "../Config.ts"
import * as Fifo from "../data/Fifo.ts"
import * as TokenBucket from "../data/TokenBucket.ts"
import type { LinkId } from "../Device.ts"
import type { Path } from "../Ip.ts"
import { Cell, Table, Tally } from "../Journal.ts"
import type { Ticket } from "../Request.ts"
import * as Time from "../Time.ts"
import type { Armed } from "../Timer.ts"
import type { Config, Options } from "./Config.ts"
import type { Agreed, Connection, Tuple } from "./Connection.ts"
import type { Memory } from "./FastOpen.ts"

/** A passive open that waits for the last ACK of its handshake: all that an unanswered SYN costs. */
export interface HalfOpen {
  readonly _tag: "HalfOpen"
  readonly id: number
  readonly next: number
  readonly tuple: Tuple
  readonly path: Path
  readonly listener: number
  readonly irs: Sequence
  readonly iss: Sequence
  readonly agreed: Agreed
  /** The window of the SYN, never scaled (RFC 7323 §2.2). */
  readonly window: number
  readonly peerMss: number
  /** Added to our timestamp clock. */
  readonly offset: number
  /** The SYN's TSval, to be echoed. */
  readonly recent: number
  /** When the first SYN/ACK left. */
  readonly startedAt: Time.Instant
  readonly retransmissions: number
  /** Timeouts of the SYN/ACK; those that a deferred connection lets pass in silence retransmit nothing. */
  readonly timeouts: number
  /** The SYN/ACK was acknowledged without text, which the listener waits for. */
  readonly isDeferred: boolean
  /** The SYN asked for a cookie, in this form. */
  readonly cookie: "no" | "standard" | "experimental"
  /** When it answered last what was not acceptable, a repeated SYN included. */
  readonly challengedAt: Time.Instant
  /** The SYN/ACK's window, from which the connection's right edge follows. */
  readonly offered: number
  readonly timer: Armed
}

/** A connection in TIME-WAIT that no program holds: what answers old segments and new SYNs. */
export interface TimeWait {
  readonly _tag: "TimeWait"
  readonly id: number
  readonly next: number
  readonly tuple: Tuple
  readonly path: Path
  readonly config: Config
  readonly sndNxt: Sequence
  readonly rcvNxt: Sequence
  readonly window: number
  readonly timestamps: boolean
  readonly offset: number
  readonly recent: number
  readonly recentAt: Time.Instant
  /** When it answered last what brought no text. */
  readonly challengedAt: Time.Instant
  readonly timer: Armed
  /** Neighbours in the order in which they entered, 0 at the ends; for the eviction of the oldest. */
  readonly older: number
  readonly newer: number
}

export type Entry = Connection | HalfOpen | TimeWait

export interface Listener {
  readonly id: number
  readonly local: Address.Address | undefined
  readonly version: Address.Version | undefined
  readonly port: number
  readonly link: LinkId | undefined
  readonly backlog: number
  readonly options: Options
  readonly config: Config
  /** Connections that wait to be accepted, oldest first, with those that have ended meanwhile. */
  readonly queue: Fifo.Fifo<number>
  /** How many they are. */
  readonly waiting: number
  /** Accepts that wait for a connection. */
  readonly accepts: Fifo.Fifo<Ticket>
}

export interface State {
  readonly entries: Table<number, Entry>
  /** From a tuple's hash to the id of the first record that has it. */
  readonly demux: Table<number, number>
  readonly listeners: Table<number, Listener>
  /** From a port to its listeners, the most specific first. */
  readonly listening: Table<number, ReadonlyArray<number>>
  /** How many entries there are of each size. */
  readonly connections: Cell<number>
  readonly halfOpen: Cell<number>
  readonly timeWaits: Cell<number>
  readonly oldestTimeWait: Cell<number>
  readonly newestTimeWait: Cell<number>
  /** Until when an ACK may bring a SYN cookie back. */
  readonly cookiesUntil: Cell<Time.Instant>
  /** Connections in SYN-RECEIVED whose text was taken with their SYN (RFC 7413 §4.2, PendingFastOpenRequests). */
  readonly fastOpens: Cell<number>
  /** What is known of servers' cookies, and in which order it was learnt. */
  readonly fastOpenMemory: Table<string, Memory>
  readonly fastOpenOrder: Cell<Fifo.Fifo<string>>
  /** Challenge ACKs left (RFC 5961 §7). */
  readonly challenges: Cell<TokenBucket.TokenBucket>
  /** Advances with each ephemeral port (RFC 6056 §3.3.4). */
  readonly portSalt: Cell<number>
  /** Measured round trips: how many in each class of {@link roundTripBounds} and above, then their sum in microseconds. */
  readonly roundTrips: Tally
  /** The shortest and the longest of them. */
  readonly shortestRoundTrip: Cell<number>
  readonly longestRoundTrip: Cell<number>
}

/** Upper limits of the classes that round trips are counted in, in microseconds. */
export const roundTripBounds: ReadonlyArray<number> = Object.freeze(
  [100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5, 1e6, 2.5e6, 5e6, 1e7]
)

export const make = (config: StackConfig): State => ({
  entries: new Table("tcp.entries"),
  demux: new Table("tcp.demux"),
  listeners: new Table("tcp.listeners"),
  listening: new Table("tcp.listening"),
  connections: new Cell("tcp.connections", 0),
  halfOpen: new Cell("tcp.halfOpen", 0),
  timeWaits: new Cell("tcp.timeWaits", 0),
  oldestTimeWait: new Cell("tcp.oldestTimeWait", 0),
  newestTimeWait: new Cell("tcp.newestTimeWait", 0),
  cookiesUntil: new Cell("tcp.cookiesUntil", Time.instantOf(-Infinity)),
  fastOpens: new Cell("tcp.fastOpens", 0),
  fastOpenMemory: new Table("tcp.fastOpenMemory"),
  fastOpenOrder: new Cell("tcp.fastOpenOrder", Fifo.empty()),
  challenges: new Cell("tcp.challenges", TokenBucket.make(challengeRate(config))),
  portSalt: new Cell("tcp.portSalt", 0),
  roundTrips: new Tally("tcp.roundTrips", roundTripBounds.length + 2),
  shortestRoundTrip: new Cell("tcp.shortestRoundTrip", Infinity),
  longestRoundTrip: new Cell("tcp.longestRoundTrip", 0)
})

/** RFC 5961 §7: the rate limit of challenge ACKs, with a burst of the same size. */
export const challengeRate = (config: StackConfig): TokenBucket.Rate => ({
  perSecond: config.limits.tcpChallengeAcksPerSecond,
  burst: config.limits.tcpChallengeAcksPerSecond
})
