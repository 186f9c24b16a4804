/**
 * The echo requests that wait for their answers.
 */
import type * as Address from "../../wire/Address.ts"
import { Cell, Table } from "../Journal.ts"
import type { Ticket } from "../Request.ts"
import type { Instant } from "../Time.ts"
import type { Armed } from "../Timer.ts"

export interface Echo {
  readonly id: number
  readonly ticket: Ticket
  readonly destination: Address.Address
  readonly identifier: number
  readonly sequence: number
  /** A copy, to compare the answer with. */
  readonly payload: Uint8Array
  readonly sentAt: Instant
  readonly timer: Armed
}

export interface State {
  readonly echoes: Table<number, Echo>
  /** By identifier · 2^16 + sequence. */
  readonly index: Table<number, number>
  readonly sequence: Cell<number>
}

export const make = (): State => ({
  echoes: new Table("ping.echoes"),
  index: new Table("ping.index"),
  sequence: new Cell("ping.sequence", 0)
})
