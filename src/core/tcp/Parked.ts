/**
 * The requests that wait in a connection, in the order in which they came.
 */
import type * as Sequence from "../../wire/Sequence.ts"
import * as Fifo from "../data/Fifo.ts"
import type { Ticket } from "../Request.ts"

export interface Reader {
  readonly ticket: Ticket
  readonly max: number
  readonly copies: boolean
  /** Where a read ends that goes on until then. */
  readonly until: Sequence.Sequence | undefined
}

/** A write of which the bytes up to `at` are in the send buffer. */
export interface Writer {
  readonly ticket: Ticket
  readonly bytes: Uint8Array
  readonly start: number
  readonly at: number
  readonly end: number
  readonly owned: boolean
  readonly endOfRecord: boolean
}

export interface Waiter {
  readonly ticket: Ticket
  /** `connect` gets the endpoint, `linger` is a close that waits. */
  readonly until: "connect" | "established" | "drained" | "closed" | "linger"
}

export interface Parked {
  readonly readers: Fifo.Fifo<Reader>
  readonly writers: Fifo.Fifo<Writer>
  readonly waiters: Fifo.Fifo<Waiter>
}

/** Nobody waits; shared by all connections of which that is true. */
export const none: Parked = Object.freeze({
  readers: Fifo.empty<Reader>(),
  writers: Fifo.empty<Writer>(),
  waiters: Fifo.empty<Waiter>()
})

export const isEmpty = (self: Parked): boolean =>
  Fifo.isEmpty(self.readers) && Fifo.isEmpty(self.writers) && Fifo.isEmpty(self.waiters)

const normal = (self: Parked): Parked => isEmpty(self) ? none : self

export const withReaders = (self: Parked, readers: Fifo.Fifo<Reader>): Parked => normal({ ...self, readers })

export const withWriters = (self: Parked, writers: Fifo.Fifo<Writer>): Parked => normal({ ...self, writers })

export const withWaiters = (self: Parked, waiters: Fifo.Fifo<Waiter>): Parked => normal({ ...self, waiters })

/** Without what a ticket has parked here. */
export const without = (self: Parked, ticket: Ticket): Parked =>
  normal({
    readers: Fifo.filter(self.readers, (reader) => reader.ticket !== ticket),
    writers: Fifo.filter(self.writers, (writer) => writer.ticket !== ticket),
    waiters: Fifo.filter(self.waiters, (waiter) => waiter.ticket !== ticket)
  })
