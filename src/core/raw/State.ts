/**
 * The raw sockets of a stack, by id and by the protocol that they listen to.
 */
import type * as Address from "../../wire/Address.ts"
import type { Fifo } from "../data/Fifo.ts"
import * as HashIndex from "../data/HashIndex.ts"
import type { LinkId } from "../Device.ts"
import { Table } from "../Journal.ts"
import type { Ticket } from "../Request.ts"
import type { RawPacket, RawSend } from "./Requests.ts"

export interface Socket {
  readonly id: number
  readonly version: Address.Version
  readonly protocol: number
  readonly link: LinkId | undefined
  readonly received: Fifo<RawPacket>
  readonly receivedBytes: number
  readonly receivers: Fifo<{ readonly ticket: Ticket; readonly max: number }>
  readonly unsentBytes: number
  readonly senders: Fifo<{ readonly ticket: Ticket; readonly request: RawSend }>
}

export interface State {
  readonly sockets: Table<number, Socket>
  /** By version · 256 + protocol. */
  readonly index: HashIndex.HashIndex
}

export const make = (): State => ({ sockets: new Table("raw.sockets"), index: HashIndex.make("raw.index") })
