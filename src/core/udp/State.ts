/**
 * The UDP sockets of a stack: records by id, found by their addresses and ports.
 */
import type * as Address from "../../wire/Address.ts"
import type { Fifo } from "../data/Fifo.ts"
import * as HashIndex from "../data/HashIndex.ts"
import type * as SourceFilter from "../data/SourceFilter.ts"
import type { LinkId } from "../Device.ts"
import { Cell, Table } from "../Journal.ts"
import type { Reason } from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import type { Datagram, UdpOptions, UdpSend, UdpSendMany } from "./Requests.ts"

export interface Socket {
  readonly id: number
  /** Absent while any address of the stack will do. */
  readonly local: Address.Address | undefined
  /** Absent for both versions. */
  readonly version: Address.Version | undefined
  readonly port: number
  readonly link: LinkId | undefined
  readonly remote: Remote | undefined
  readonly options: UdpOptions
  /** The groups that it listens to. */
  readonly memberships: ReadonlyArray<Membership>
  readonly received: Fifo<Datagram>
  /** Bytes of `received` with their bookkeeping, as charged. */
  readonly receivedBytes: number
  readonly dropped: number
  readonly receivers: Fifo<Receiver>
  /** Bytes handed to IP that have not left yet. */
  readonly unsentBytes: number
  /** Sends that wait for those to leave. */
  readonly senders: Fifo<Sender>
  /** What an ICMP error left for the next call on a connected socket. */
  readonly failure: Reason | undefined
  /** What ICMP errors left for the next send to those destinations (RFC 1122 §4.1.3.3). */
  readonly failures: ReadonlyArray<Failure>
}

/** A group on an interface, and which of its sources are wanted. */
export interface Membership {
  readonly group: Address.Address
  readonly link: LinkId
  readonly filter: SourceFilter.Filter
}

export interface Remote {
  readonly address: Address.Address
  readonly port: number
  /** The interface that leads there, where the program has said it. */
  readonly link: LinkId | undefined
  /** The local address was chosen by connecting, so disconnecting gives it up again. */
  readonly choseLocal: boolean
}

export interface Receiver {
  readonly ticket: Ticket
  readonly max: number
}

export interface Sender {
  readonly ticket: Ticket
  readonly request: UdpSend | UdpSendMany
  /** Datagrams of the request that have been sent. */
  readonly at: number
}

export interface Failure {
  readonly remote: Address.Address
  readonly remotePort: number
  readonly reason: Reason
}

export interface State {
  readonly sockets: Table<number, Socket>
  /** By hash of local address, local port, remote address, remote port; unspecified and 0 where a socket has none. */
  readonly index: HashIndex.HashIndex
  /** By local port. */
  readonly ports: HashIndex.HashIndex
  /** Ephemeral ports given so far: makes the next one differ (RFC 6056 §3.3). */
  readonly ephemeral: Cell<number>
}

export const make = (): State => ({
  sockets: new Table("udp.sockets"),
  index: HashIndex.make("udp.index"),
  ports: HashIndex.make("udp.ports"),
  ephemeral: new Cell("udp.ephemeral", 0)
})
