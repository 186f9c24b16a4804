/**
 * One event, processed to its end by ordinary function calls.
 *
 * `step` is synchronous and deterministic: it reads its arguments and the keys in the state, and touches nothing but the tables that it is handed, through
 * a journal. It takes no decision of its own; `core/Protocols.ts` knows who takes what.
 */
import type { Slab } from "../wire/Frame.ts"
import type { Outgoing } from "../wire/Gather.ts"
import * as Gather from "../wire/Gather.ts"
import type { Config } from "./Config.ts"
import type {
  Context,
  GroupLayer,
  IpLayer,
  LinkLayer,
  Pool,
  RouteLayer,
  Spent,
  TicketHolder,
  Transports
} from "./Context.ts"
import * as Counter from "./Counter.ts"
import * as Blocks from "./data/Blocks.ts"
import type { LinkId } from "./Device.ts"
import * as Drop from "./Drop.ts"
import type { Keys } from "./Entropy.ts"
import type { Event } from "./Event.ts"
import * as Family from "./Family.ts"
import type { Head } from "./Ip.ts"
import { type Cell, Journal, type Table, type Tally } from "./Journal.ts"
import * as Layers from "./Layers.ts"
import type { Change } from "./Notice.ts"
import type { Output } from "./Output.ts"
import * as Protocols from "./Protocols.ts"
import type { Reason } from "./Reason.ts"
import { type Credit, noTicket, type Ticket } from "./Request.ts"
import { pools, type State } from "./State.ts"
import { type Instant, instantOf } from "./Time.ts"
import type { TimerId } from "./Timer.ts"

/** Room before every transport header: the longest IP header we send (IPv4 with options, or IPv6 with a fragment header), Ethernet, a VLAN tag, a virtio-net header. */
const { headroom } = Blocks
const arenaSize = 64 * 1024

const poolIndex: { readonly [K in Pool]: number } = Object.freeze(
  Object.fromEntries(pools.map((pool, i) => [pool, i]))
) as { readonly [K in Pool]: number }
const total = pools.length

/**
 * The workbench of a stack's steps: its state with the journal, the outbox and the arena for headers. One exists per stack, and it
 * implements the context that handlers see.
 */
export class Step implements Context {
  readonly state: State
  readonly journal: Journal = new Journal()
  /** What the events since the last {@link takeOutputs} have emitted, in commit order. */
  outputs: Array<Output> = []
  at: Instant = instantOf(0)
  isFollowed = false
  isLent = false
  readonly config: Config
  readonly keys: Keys
  readonly families = { 4: Family.v4, 6: Family.v6 } as const
  readonly ip: IpLayer
  readonly links: LinkLayer
  readonly routes: RouteLayer
  readonly groups: GroupLayer
  readonly transports: Transports
  readonly frameHandlers: Protocols.FrameHandlers
  /** Credits to give back when the event is done: their payer may be in the middle of a handler now. */
  private refunds: Array<Credit> = []
  private arena: Uint8Array = new Uint8Array(arenaSize)
  private arenaUsed = 0
  /** Memory is no state: what is taken from here is written before it is read. */
  private readonly blocks: Blocks.Blocks = Blocks.make()
  /** What nobody needs if the event comes to its end, and what is kept then. */
  private readonly spent: Array<Spent> = []
  private readonly kept: Array<Slab> = []

  constructor(state: State) {
    this.state = state
    this.config = state.config
    this.keys = state.keys
    const layers = Layers.bind(state)
    this.ip = layers.ip
    this.links = layers.links
    this.routes = layers.routes
    this.groups = layers.groups
    this.transports = layers.transports
    this.frameHandlers = Protocols.frameHandlers(state)
  }

  put<K, V>(table: Table<K, V>, key: K, value: V): void {
    this.journal.put(table, key, value)
  }

  remove<K, V>(table: Table<K, V>, key: K): void {
    this.journal.remove(table, key)
  }

  set<T>(cell: Cell<T>, value: T): void {
    this.journal.set(cell, value)
  }

  add(tally: Tally, index: number, by: number): void {
    this.journal.add(tally, index, by)
  }

  transmit(link: LinkId, packet: Outgoing, credit: Credit | undefined): void {
    const size = Gather.size(packet)
    const queued = this.state.queued.get(link)
    if (queued === undefined) {
      this.refund(credit)
      return this.drop("DetachedInterface", link)
    }
    const isFree = credit === undefined || credit.mayYield !== undefined
    if (isFree && queued + size > this.config.limits.transmitQueueBytes) {
      return this.drop("TransmitQueueFull", link)
    }
    this.put(this.state.queued, link, queued + size)
    this.count(Counter.index.framesSent)
    this.count(Counter.index.bytesSent, size)
    this.outputs.push({ _tag: "Transmit", link, packet, size, credit })
  }

  refund(credit: Credit | undefined): void {
    if (credit !== undefined) this.refunds.push(credit)
  }

  reply(ticket: Ticket, value: unknown): void {
    if (ticket !== noTicket) this.outputs.push({ _tag: "Reply", ticket, reason: undefined, value, isPart: false })
  }

  replyPart(ticket: Ticket, value: unknown): void {
    if (ticket !== noTicket) this.outputs.push({ _tag: "Reply", ticket, reason: undefined, value, isPart: true })
  }

  fail(ticket: Ticket, reason: Reason): void {
    if (ticket !== noTicket) this.outputs.push({ _tag: "Reply", ticket, reason, value: undefined, isPart: false })
  }

  setTimer(timer: TimerId, at: Instant): void {
    this.outputs.push({ _tag: "SetTimer", timer, at })
  }

  notice(change: Change): void {
    this.outputs.push({ _tag: "Notice", change })
  }

  drop(reason: Drop.DropReason, link: LinkId, detail?: string): void {
    this.journal.add(this.state.drops, Drop.index[reason], 1)
    this.outputs.push({ _tag: "Drop", reason, link, detail })
  }

  count(counter: number, by = 1): void {
    this.journal.add(this.state.counters, counter, by)
  }

  reserve(size: number): Head {
    const need = headroom + size
    if (this.arenaUsed + need > this.arena.length) {
      this.arena = new Uint8Array(Math.max(arenaSize, need))
      this.arenaUsed = 0
    }
    const at = this.arenaUsed + headroom
    this.arenaUsed += need
    return { bytes: this.arena, at }
  }

  block(size: Blocks.Size): Uint8Array {
    return this.blocks.take(size)
  }

  spend(memory: Spent): void {
    this.spent.push(memory)
  }

  keep(slab: Slab): void {
    this.kept.push(slab)
  }

  /** The event is over: nothing can bring the state back in which its spent memory was needed. */
  settleMemory(): void {
    if (this.kept.length > 0) { for (const slab of this.kept.splice(0)) slab.keep?.() }
    if (this.spent.length > 0) this.giveBack(this.spent.splice(0))
  }

  /** The event before was rolled back: what it spent is needed still, and what it kept is not. */
  forgetMemory(): void {
    this.spent.length = 0
    this.kept.length = 0
  }

  /** Memory that nobody looks at any more. Between events. */
  giveBack(spent: ReadonlyArray<Spent>): void {
    for (const memory of spent) {
      if (memory instanceof Uint8Array) this.blocks.give(memory)
      else memory.release()
    }
  }

  nextId(): number {
    const id = this.state.lastId.value + 1
    this.set(this.state.lastId, id)
    return id
  }

  park(ticket: Ticket, holder: TicketHolder): boolean {
    if (ticket === noTicket) return true
    if (this.state.tickets.size >= this.config.limits.parkedRequests) return false
    this.put(this.state.tickets, ticket, holder)
    return true
  }

  unpark(ticket: Ticket): void {
    this.remove(this.state.tickets, ticket)
  }

  charge(pool: Pool, bytes: number): boolean {
    if (this.state.memory.get(total) + bytes > this.config.limits.memoryBytes) return false
    this.journal.add(this.state.memory, poolIndex[pool], bytes)
    this.journal.add(this.state.memory, total, bytes)
    return true
  }

  discharge(pool: Pool, bytes: number): void {
    this.journal.add(this.state.memory, poolIndex[pool], -bytes)
    this.journal.add(this.state.memory, total, -bytes)
  }

  /** Takes the credits that wait to be given back. */
  takeRefunds(): Array<Credit> {
    const refunds = this.refunds
    if (refunds.length > 0) this.refunds = []
    return refunds
  }

  /** The outputs so far; the outbox is empty afterwards. */
  takeOutputs(): Array<Output> {
    const outputs = this.outputs
    this.outputs = []
    return outputs
  }
}

/** Processes one event. What it changed is in `self.journal` until that is committed or rolled back, what it emits at the end of `self.outputs`. */
export const step = (self: Step, at: Instant, event: Event): void => {
  self.at = at
  self.isFollowed = event._tag === "Frame" && event.isFollowed === true
  self.isLent = event._tag === "Frame" && event.isLent === true
  // What an event before this one left when it threw was rolled back with it.
  self.takeRefunds()
  self.forgetMemory()
  dispatch(self, event)
  settle(self)
  self.settleMemory()
}

/** Gives back the credits of what was dropped. That may send more, of which something may be dropped again, but only as much as came back. */
const settle = (self: Step): void => {
  for (let refunds = self.takeRefunds(); refunds.length > 0; refunds = self.takeRefunds()) {
    for (const credit of refunds) Protocols.onCredit(self, self.state, credit)
  }
}

const dispatch = (self: Step, event: Event): void => {
  switch (event._tag) {
    case "Frame":
      return Protocols.onFrame(self, self.state, self.frameHandlers, event)
    case "Request":
      return Protocols.onRequest(self, self.state, event.ticket, event.request)
    case "Timer":
      return Protocols.onTimer(self, self.state, event.timer, event.due)
  }
}

/** What is left to do for an event that threw and was rolled back: nothing may wait for it for ever. */
export const afterDefect = (self: Step, at: Instant, event: Event, cause: unknown): void => {
  self.at = at
  self.isFollowed = false
  self.takeRefunds()
  self.forgetMemory()
  self.count(Counter.index.defects)
  self.notice({ _tag: "Defect", event: event._tag, cause })
  switch (event._tag) {
    case "Frame":
      self.drop("Defect", event.link)
      break
    case "Request":
      self.fail(event.ticket, { _tag: "Defect", cause })
      break
    case "Timer":
      Protocols.onLostTimer(self, self.state, event.timer)
      break
  }
  settle(self)
}
