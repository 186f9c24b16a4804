/**
 * A host by itself: one core driven through `runBatch`, with time that moves when it is told to, and no fiber anywhere.
 *
 *     deliver(link, frame) ─▶ ┌──────┐ ─▶ takeFrames(link)
 *     request(…) ───────────▶ │ core │ ─▶ outcome of each request, notices, drops
 *     advance(span) ────────▶ └──────┘ ─▶ nextTimer()
 *
 * It does what the shell's workers do, at once and in order: loopback frames come back in, sent frames return their credit, alarms
 * ring when their time has come. The same seed and the same calls give the same bytes. {@link Wire} joins several.
 */
import * as Bounds from "../core/Bounds.ts"
import * as Config from "../core/Config.ts"
import * as Counter from "../core/Counter.ts"
import { type LinkId, loopback } from "../core/Device.ts"
import * as Drop from "../core/Drop.ts"
import * as Entropy from "../core/Entropy.ts"
import type { Event } from "../core/Event.ts"
import type { Change } from "../core/Notice.ts"
import type { Output, Transmit } from "../core/Output.ts"
import type { Reason } from "../core/Reason.ts"
import { noTicket, type Request, type Ticket } from "../core/Request.ts"
import * as State from "../core/State.ts"
import type { StateName } from "../core/tcp/Info.ts"
import * as Time from "../core/Time.ts"
import * as Address from "../wire/Address.ts"
import * as Frame from "../wire/Frame.ts"
import * as Gather from "../wire/Gather.ts"
import * as Alarms from "../workers/Alarms.ts"
import * as Recording from "../workers/Recording.ts"
import type { Answered, Asked as Question } from "../workers/Requests.ts"
import { runBatch, Step } from "../workers/runBatch.ts"
import { connectionsOf } from "./connectionsOf.ts"
import * as Cut from "./Cut.ts"
import { interfaceOf, type InterfaceOptions, type Options, seedBytes } from "./HostOptions.ts"

export { type InterfaceOptions, macOf, type Options } from "./HostOptions.ts"

/** What became of a request. */
export type Outcome<A> =
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Failed"; readonly reason: Reason }

/** A request that was made. */
export interface Asked<A> {
  readonly ticket: Ticket
  /** What became of it so far. */
  readonly outcome: () => Outcome<A>
  /** Answers before the last one, to a request that goes on. */
  readonly parts: ReadonlyArray<A>
}

const pending: Outcome<never> = Object.freeze({ _tag: "Pending" })
const none: ReadonlyArray<never> = Object.freeze([])

/** What a ticket that waits will be told. */
interface Answer {
  outcome: Outcome<unknown>
  readonly parts: Array<unknown>
}

/** One link's frames on their way out. */
interface Port {
  /** Frames as they would be on a wire; those of one super-segment share their memory. */
  readonly frames: Array<Frame.Frame>
  /** What waits while the link is stalled. */
  readonly waiting: Array<Transmit>
  isStalled: boolean
}

/** A host; {@link make} makes one. */
export class Host {
  /** The core's workbench: its state and journal, for tests that look inside. */
  readonly step: Step
  private readonly observer: Options["observer"]
  private readonly recorder: Recording.Recorder | undefined
  private time: Time.Instant
  private lastTicket = 0
  private isSending = false
  private readonly alarms: Alarms.Alarms = Alarms.make()
  private readonly ports: Map<LinkId, Port> = new Map()
  /** Tickets that wait. */
  private readonly waiting: Map<Ticket, Answer> = new Map()
  private changes: Array<Change> = []
  private dropped: Array<Drop.Drop> = []

  constructor(options: Options) {
    const config: Config.Config = {
      ...Config.defaults,
      ...options.config,
      limits: Bounds.withOverrides(options.limits ?? {})
    }
    const seed = seedBytes(options.seed ?? 1)
    this.step = new Step(State.make(config, Entropy.derive(seed)))
    this.time = options.startAt ?? Time.instantOf(0)
    this.observer = options.observer
    this.recorder = options.record === undefined ? undefined : Recording.record(options.record)(config, seed)
  }

  /** The time on this host's clock. */
  get now(): Time.Instant {
    return this.time
  }

  get state(): State.State {
    return this.step.state
  }

  /** A frame arrives on a link now. Bytes are a frame with nothing known of its checksums. */
  deliver(link: LinkId, frame: Uint8Array | Frame.Frame): void {
    const whole = frame instanceof Uint8Array ? Frame.plain(frame) : frame
    this.run([{ _tag: "Frame", link, frame: whole, receivedAt: this.time }])
  }

  /** The frames that have left a link since the last call: joined, with their checksums, super-segments cut. */
  takeFrames(link: LinkId): Array<Uint8Array> {
    return this.takeOutgoing(link).map(Frame.copy)
  }

  /** The same without a copy: nobody may write to these frames. */
  takeOutgoing(link: LinkId): ReadonlyArray<Frame.Frame> {
    const { frames } = this.port(link)
    return frames.length === 0 ? none : frames.splice(0)
  }

  /** From now on a link keeps what it is given, as a slow one would. */
  stall(link: LinkId): void {
    this.port(link).isStalled = true
  }

  /** The link takes all that waits, and goes on taking. */
  resume(link: LinkId): void {
    this.port(link).isStalled = false
    this.sendWaiting()
  }

  /** A stalled link takes one more frame; false if none waits. */
  release(link: LinkId): boolean {
    const transmit = this.port(link).waiting.shift()
    if (transmit === undefined) return false
    this.send(transmit)
    return true
  }

  /** Asks for something and returns at once; what comes of it can be looked up. */
  request<Tag extends Request["_tag"]>(request: Question<Tag>): Asked<Answered<Tag>> {
    const ticket = ++this.lastTicket
    const answer: Answer = { outcome: pending, parts: [] }
    this.waiting.set(ticket, answer)
    this.run([{ _tag: "Request", ticket, request }])
    return {
      ticket,
      outcome: () => answer.outcome as Outcome<Answered<Tag>>,
      parts: answer.parts as Array<Answered<Tag>>
    }
  }

  /** Asks for something that is met at once, and returns its value. Throws if it failed or waits. */
  call<Tag extends Request["_tag"]>(request: Question<Tag>): Answered<Tag> {
    const outcome = this.request(request).outcome()
    if (outcome._tag === "Done") return outcome.value
    const why = outcome._tag === "Pending" ? "waits" : `failed: ${JSON.stringify(outcome.reason)}`
    throw new Error(`${request._tag} ${why}`)
  }

  /** Tells the core something that has no answer. */
  tell(request: Request): void {
    this.run([{ _tag: "Request", ticket: noTicket, request }])
  }

  /** Gives up waiting for a request, as an interrupted fiber does. */
  abandon(asked: Asked<unknown>): void {
    this.waiting.delete(asked.ticket)
    this.tell({ _tag: "Abandoned", abandoned: asked.ticket })
  }

  /** When the next alarm rings, stale or not; `undefined` if none is set. The clock shows whole microseconds, as a stack's does. */
  nextTimer(): Time.Instant | undefined {
    const at = this.alarms.earliest()
    return at === Time.never ? undefined : Time.instantOf(Math.ceil(at))
  }

  /** Lets time pass; alarms ring on the way, each at its time. */
  advance(by: Time.Span): void {
    this.advanceTo(Time.plus(this.time, by))
  }

  /** Lets time pass up to an instant. Going back is not possible. */
  advanceTo(at: Time.Instant): void {
    for (let next = this.nextTimer(); next !== undefined && next <= at; next = this.nextTimer()) {
      this.time = Time.latest(this.time, next)
      this.run(this.alarms.takeDue(this.time, 1))
    }
    this.time = Time.latest(this.time, at)
  }

  /** What has changed since the last call, oldest first. */
  notices(): Array<Change> {
    const changes = this.changes
    this.changes = []
    return changes
  }

  /** What was discarded since the last call, oldest first. */
  drops(): Array<Drop.Drop> {
    const dropped = this.dropped
    this.dropped = []
    return dropped
  }

  /** A counter's value since the host was made. */
  counter(name: Counter.Name): number {
    return this.state.counters.get(Counter.index[name])
  }

  /** How many packets were dropped for this reason since the host was made. */
  dropCount(reason: Drop.DropReason): number {
    return this.state.drops.get(Drop.index[reason])
  }

  /** How many TCP connections there are in each state, half-open ones and those in TIME-WAIT included; listeners are not. */
  connections(): ReadonlyMap<StateName, number> {
    return connectionsOf(this.state)
  }

  /** Bytes that the host holds for a pool of its memory account, or for all. */
  memory(pool?: typeof State.pools[number]): number {
    return this.state.memory.get(pool === undefined ? State.pools.length : State.pools.indexOf(pool))
  }

  /** A copy of all tables, to compare. */
  snapshot(): Readonly<Record<string, unknown>> {
    return State.snapshot(this.state)
  }

  /** Runs events as one batch at the present time, and what they lead to. For tests that make events themselves. */
  run(events: ReadonlyArray<Event>): ReadonlyArray<Output> {
    this.recorder?.(this.time, events)
    const outputs = runBatch(this.step, this.time, events)
    this.observer?.(this.time, outputs)
    for (const output of outputs) this.consume(output)
    this.sendWaiting()
    return outputs
  }

  private consume(output: Output): void {
    switch (output._tag) {
      case "Transmit":
        this.port(output.link).waiting.push(output)
        return
      case "Reply":
        return this.answer(output)
      case "SetTimer":
        if (output.at !== Time.never) this.alarms.add(output.timer, output.at)
        return
      case "Notice":
        this.changes.push(output.change)
        return
      case "Drop":
        this.dropped.push(output)
        return
    }
  }

  private port(link: LinkId): Port {
    let port = this.ports.get(link)
    if (port === undefined) {
      port = { frames: [], waiting: [], isStalled: false }
      this.ports.set(link, port)
    }
    return port
  }

  /**
   * Sends what waits, in the order in which it was emitted. What one frame's credit lets go queues up behind all that was emitted before
   * it, as with the workers' queues; so a call from within a call leaves it to the outer one.
   */
  private sendWaiting(): void {
    if (this.isSending) return
    this.isSending = true
    try {
      for (const port of this.ports.values()) {
        while (!port.isStalled && port.waiting.length > 0) this.send(port.waiting.shift()!)
      }
    } finally {
      this.isSending = false
    }
    if (this.mayTransmit()) this.sendWaiting()
  }

  private mayTransmit(): boolean {
    for (const port of this.ports.values()) if (!port.isStalled && port.waiting.length > 0) return true
    return false
  }

  private send(transmit: Transmit): void {
    const { credit, link, packet, size } = transmit
    const events: Array<Event> = []
    if (link === loopback) events.push({ _tag: "Frame", link, frame: joined(packet), receivedAt: this.time })
    else this.port(link).frames.push(...Cut.frames(packet, this.isEthernet(link)))
    const credits = credit === undefined ? [] : [credit]
    events.push({ _tag: "Request", ticket: noTicket, request: { _tag: "Sent", link, bytes: size, credits } })
    this.run(events)
  }

  private isEthernet(link: LinkId): boolean {
    return this.state.device.interfaces.get(link)?.medium === "ethernet"
  }

  private answer(reply: Extract<Output, { readonly _tag: "Reply" }>): void {
    const answer = this.waiting.get(reply.ticket)
    if (answer === undefined) return
    if (reply.isPart) return void answer.parts.push(reply.value)
    answer.outcome = outcomeOf(reply)
    this.waiting.delete(reply.ticket)
  }
}

const outcomeOf = (reply: Extract<Output, { readonly _tag: "Reply" }>): Outcome<unknown> =>
  reply.reason === undefined ? { _tag: "Done", value: reply.value } : { _tag: "Failed", reason: reply.reason }

/** A frame that never leaves the host: what was left to the link to do stays so. */
const joined = (packet: Gather.Outgoing): Frame.Frame => {
  const bytes = new Uint8Array(Gather.size(packet))
  Gather.into(packet, bytes, 0, false)
  const isPartial = packet.checksum === "partial"
  return {
    ...Frame.plain(bytes),
    checksum: isPartial ? "partial" : "verified",
    checksumStart: isPartial ? packet.checksumStart : 0,
    checksumOffset: isPartial ? packet.checksumOffset : 0,
    gso: packet.gso
  }
}

/** Attaches another interface to a running host; answers its link id. */
export const attach = (host: Host, link: LinkId, options: InterfaceOptions, seed = 1): LinkId => {
  host.call({ _tag: "AttachLink", interface: interfaceOf(seed, link, options) })
  for (const [address, prefixLength] of options.addresses ?? []) {
    host.call({ _tag: "AddAddress", link, address, prefixLength, origin: "static" })
  }
  const { gateway } = options
  if (gateway === undefined) return link
  const prefix = Address.unspecified(Address.versionOf(gateway))
  host.call({ _tag: "AddRoute", prefix, length: 0, gateway, link, metric: 0, source: undefined })
  return link
}

/** How long a host goes on announcing an address that it was given without probing (RFC 5227 §2.3). */
export const announcing = Time.seconds(2)

/**
 * Makes a host. The two seconds in which it announces its addresses have passed, and the frames and notices of that are taken away,
 * so what it says from now on is what it was asked for.
 */
export const make = (options: Options = {}): Host => {
  const host = new Host(options)
  const interfaces = options.interfaces ?? []
  const seed = typeof options.seed === "number" ? options.seed : undefined
  interfaces.forEach((given, i) => attach(host, i + 1, given, seed))
  host.advance(announcing)
  interfaces.forEach((_, i) => host.takeFrames(i + 1))
  host.notices()
  return host
}
