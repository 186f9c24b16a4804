/**
 * The core and the synchronous parts of its shell, with an Ethernet link whose far end is the fuzzer. Everything that ships is what
 * ships: `runBatch`, the heap of alarms, the ledger of what was sent, the packer that cuts and checksums.
 */
import * as Bounds from "../../src/core/Bounds.ts"
import * as Config from "../../src/core/Config.ts"
import { loopback } from "../../src/core/Device.ts"
import * as Entropy from "../../src/core/Entropy.ts"
import type { Event } from "../../src/core/Event.ts"
import type { Output, Transmit } from "../../src/core/Output.ts"
import { noTicket, type Request, type Ticket } from "../../src/core/Request.ts"
import * as State from "../../src/core/State.ts"
import * as Time from "../../src/core/Time.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Alarms from "../../src/workers/Alarms.ts"
import * as Ledger from "../../src/workers/Ledger.ts"
import * as Packer from "../../src/workers/Packer.ts"
import { runBatch, Step } from "../../src/workers/runBatch.ts"
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import { type Answer, met, type Subject } from "./Subject.ts"

const link = 1
const alarmsPerBatch = 64
/** Batches of alarms at one instant, beyond which they are taken for endless. */
const batchesAtOnce = 10_000

/** What goes out by the loopback interface comes in again. */
const isLoopback = (transmit: Transmit): boolean => transmit.link === loopback

export class FuzzHost implements Subject {
  readonly state: State.State
  readonly defects: Array<unknown> = []
  /** The core's workbench; the fuzzer's own tests plant faults in its journal. */
  readonly step: Step
  private readonly alarms = Alarms.make()
  private readonly ledger = Ledger.make()
  private readonly packer: Packer.Packer
  private readonly answers = new Map<Ticket, Answer<unknown>>()
  private frames: Array<Uint8Array> = []
  private now = Time.instantOf(1_000_000)
  private lastTicket = noTicket

  constructor(config: Config.Config, seed: Uint8Array, wire: ReturnType<typeof MemoryLink.pair>[0]) {
    this.state = State.make(config, Entropy.derive(seed))
    this.step = new Step(this.state)
    this.packer = Packer.make(wire)
  }

  deliver(bytes: Uint8Array, start: number, end: number): void {
    this.run([{ _tag: "Frame", link, frame: Frame.plain(bytes, start, end), receivedAt: this.now }])
  }

  advance(span: Time.Span): void {
    const until = Time.plus(this.now, span)
    let restless = 0
    while (this.alarms.earliest() <= until) {
      const earliest = this.alarms.earliest()
      restless = earliest > this.now ? 0 : restless + 1
      if (restless > batchesAtOnce) throw new Error(`timers ring without end at ${this.now}`)
      this.now = Time.latest(this.now, earliest)
      this.run(this.alarms.takeDue(this.now, alarmsPerBatch))
    }
    this.now = until
  }

  ask(request: Request): Ticket {
    const ticket = ++this.lastTicket
    this.run([{ _tag: "Request", ticket, request }])
    return ticket
  }

  answer(ticket: Ticket): Answer<unknown> | undefined {
    const answer = this.answers.get(ticket)
    this.answers.delete(ticket)
    return answer
  }

  tell(request: Request): void {
    this.run([{ _tag: "Request", ticket: noTicket, request }])
  }

  abandon(ticket: Ticket): void {
    this.answers.delete(ticket)
    this.tell({ _tag: "Abandoned", abandoned: ticket })
  }

  takeFrames(): ReadonlyArray<Uint8Array> {
    const { frames } = this
    this.frames = []
    return frames
  }

  /** Runs events and what follows from them, until nothing is left to tell the core. */
  private run(events: ReadonlyArray<Event>): void {
    let next = events
    while (next.length > 0) {
      const returning: Array<Event> = []
      for (const output of runBatch(this.step, this.now, next)) this.act(output, returning)
      next = [...this.ledger.take(), ...returning]
    }
  }

  private act(output: Output, returning: Array<Event>): void {
    switch (output._tag) {
      case "Transmit":
        this.ledger.add(output)
        this.transmit(output, returning)
        return
      case "Reply":
        this.answers.set(
          output.ticket,
          output.reason === undefined
            ? { _tag: "Met", value: output.value }
            : { _tag: "Refused", reason: output.reason }
        )
        return
      case "SetTimer":
        this.alarms.add(output.timer, output.at)
        return
      case "Notice":
        if (output.change._tag === "Defect") this.defects.push(output.change.cause)
        return
      case "Drop":
    }
  }

  private transmit(transmit: Transmit, returning: Array<Event>): void {
    for (let from = 0; from < 1;) {
      const packed = this.packer.pack([transmit], from, false)
      for (const frame of packed.frames) {
        const bytes = Frame.copy(frame)
        if (!isLoopback(transmit)) this.frames.push(bytes)
        else returning.push({ _tag: "Frame", link: loopback, frame: Frame.plain(bytes), receivedAt: this.now })
      }
      from = packed.next
    }
  }
}

/** A host with an address on the wire. */
export const make = (host: Frames.Host, limits: Bounds.Limits = Bounds.defaults): FuzzHost => {
  const seed = new Uint8Array(16).fill(host.address)
  const wire = MemoryLink.pair()[0]
  const self = new FuzzHost({ ...Config.defaults, limits }, seed, wire)
  met(self, {
    _tag: "AttachLink",
    interface: {
      id: link,
      name: wire.name,
      medium: "ethernet",
      mac: host.mac,
      mtu: wire.mtu,
      checksumOffload: false,
      segmentation: wire.capabilities.segmentation,
      maxSegmentBytes: wire.capabilities.maxSegmentBytes,
      up: true,
      addresses: []
    }
  })
  const { prefixLength } = Frames
  const address6 = Ipv6Packets.of(host.address)
  met(self, { _tag: "AddAddress", link, address: host.address, prefixLength, origin: "static" })
  met(self, {
    _tag: "AddRoute",
    prefix: 0,
    length: 0,
    gateway: Frames.gateway,
    link,
    metric: 0,
    source: undefined
  })
  met(self, {
    _tag: "AddAddress",
    link,
    address: address6,
    prefixLength: Ipv6Packets.prefixLength,
    origin: "static"
  })
  met(self, {
    _tag: "AddRoute",
    prefix: Address.unspecifiedV6,
    length: 0,
    gateway: Ipv6Packets.of(Frames.gateway),
    link,
    metric: 0,
    source: undefined
  })
  return self
}

/** Lets the host take whatever addresses, routes and parameters routers advertise. */
export const autoconfigure = (self: FuzzHost): void => {
  met(self, { _tag: "SetAutoconfiguration", link, isOn: true })
}
