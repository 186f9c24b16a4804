/**
 * What IP remembers between packets: incomplete ones, path MTUs, and where identifications stand.
 */
import type * as Address from "../../wire/Address.ts"
import * as HashIndex from "../data/HashIndex.ts"
import { Cell, Table, Tally } from "../Journal.ts"
import type { Instant } from "../Time.ts"
import { type Armed, idle } from "../Timer.ts"
import type { Incomplete } from "./Assembly.ts"

/** The smallest MTU that a router on the way to a destination has told (RFC 1191 §3, RFC 8201 §4). */
export interface PathMtu {
  readonly destination: Address.Address
  readonly mtu: number
  /** When to try the link's MTU again (RFC 1191 §6.3). */
  readonly until: Instant
  readonly order: number
}

/** Numbers records in the order in which they were made, so that the oldest is found by counting up. */
export interface Ages {
  readonly oldest: number
  readonly next: number
}

export interface State {
  /** By their number in `incompleteAges`. */
  readonly incomplete: Table<number, Incomplete>
  readonly incompleteIndex: HashIndex.HashIndex
  readonly incompleteAges: Cell<Ages>
  /** Bytes of all incomplete packets. */
  readonly incompleteTotal: Cell<number>
  /** Bytes of incomplete packets by `Address.key` of their source. */
  readonly incompleteBytes: Table<number | string, number>
  /** All wait equally long, so one timer for the oldest is enough. */
  readonly incompleteTimer: Cell<Armed>
  /** By `Address.key` of the destination. */
  readonly pathMtus: Table<number | string, PathMtu>
  /** The keys of `pathMtus` in the order of their making. */
  readonly pathMtuOrder: Table<number, number | string>
  readonly pathMtuAges: Cell<Ages>
  /** Packets with an identification sent so far, by hash of source, destination and protocol (RFC 6864 §4.3). */
  readonly identifications: Tally
}

export const identificationCounters = 1024

const noAges: Ages = Object.freeze({ oldest: 0, next: 0 })

export const make = (): State => ({
  incomplete: new Table("ip.incomplete"),
  incompleteIndex: HashIndex.make("ip.incompleteIndex"),
  incompleteAges: new Cell("ip.incompleteAges", noAges),
  incompleteTotal: new Cell("ip.incompleteTotal", 0),
  incompleteBytes: new Table("ip.incompleteBytes"),
  incompleteTimer: new Cell("ip.incompleteTimer", idle),
  pathMtus: new Table("ip.pathMtus"),
  pathMtuOrder: new Table("ip.pathMtuOrder"),
  pathMtuAges: new Cell("ip.pathMtuAges", noAges),
  identifications: new Tally("ip.identifications", identificationCounters)
})
