/**
 * The neighbour caches of all links: entries by id, found by link and address.
 */
import type * as Address from "../../wire/Address.ts"
import type { Outgoing } from "../../wire/Gather.ts"
import type { Fifo } from "../data/Fifo.ts"
import * as HashIndex from "../data/HashIndex.ts"
import type { LinkId } from "../Device.ts"
import { Table } from "../Journal.ts"
import type { Credit } from "../Request.ts"
import type { Instant } from "../Time.ts"
import type { Armed } from "../Timer.ts"
import type { Neighbor } from "./Neighbor.ts"

export interface Entry {
  readonly id: number
  readonly link: LinkId
  readonly address: Address.Address
  readonly neighbor: Neighbor
  /** When a packet last went to it, in steps of about a second: who is evicted first. */
  readonly usedAt: Instant
  /** Packets for destinations beyond it take another router, so that nothing above IP can tell whether it answers. */
  readonly isAvoided: boolean
  readonly parked: Fifo<Parked>
  readonly timer: Armed
}

/** A packet that waits for its neighbour's address; its header bytes are a copy. */
export interface Parked {
  readonly packet: Outgoing
  /** What the budget is charged for it. */
  readonly charged: number
  readonly credit: Credit | undefined
}

/** What a link's cache holds, for its bounds. */
export interface Usage {
  readonly entries: number
  readonly parkedBytes: number
}

export interface State {
  readonly entries: Table<number, Entry>
  readonly index: HashIndex.HashIndex
  readonly usage: Table<LinkId, Usage>
}

export const make = (): State => ({
  entries: new Table("neighbor.entries"),
  index: HashIndex.make("neighbor.index"),
  usage: new Table("neighbor.usage")
})
