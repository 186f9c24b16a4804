/**
 * One link of a running stack: a ring of received frames, a queue of frames to send, and a worker for each.
 *
 * ```
 *   sink.frames ─▶ ring (drops when full, as a card would) ─▶ receive worker ─▶ core
 *   core ─▶ queue (bounded by credit) ─▶ transmit worker ─▶ port.send … port.writable …
 * ```
 *
 * A slow link holds up its own transmit worker and nobody else.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { LinkId } from "../core/Device.ts"
import type { Event } from "../core/Event.ts"
import type { Transmit } from "../core/Output.ts"
import type { Link, LinkChange, Port, Sink } from "../link/Link.ts"
import * as Coalesce from "../wire/Coalesce.ts"
import * as Ethernet from "../wire/Ethernet.ts"
import type { Frame } from "../wire/Frame.ts"
import * as Bell from "./Bell.ts"
import type { Core } from "./Core.ts"
import type { Ledger } from "./Ledger.ts"
import * as Packer from "./Packer.ts"

/** Received frames that may wait, as in the ring of a network card. */
export const ringFrames = 1024
/** Frames of one batch, so that no other worker waits for long. */
const batchSize = 64
/**
 * Frames that are sent before the event loop has its turn, in which the link is read. What is sent to a fast link is answered while it is sent: who never
 * looked up would find the answers lost, since a device holds no more than a thousand. More than a link reads in a turn, so that what is forwarded leaves as fast
 * as it comes.
 */
const framesPerTurn = 512

type FrameEvent = Extract<Event, { readonly _tag: "Frame" }>

export interface Attachment {
  readonly id: LinkId
  readonly link: Link
  /** Where the link delivers. */
  readonly sink: Sink
  /** Appends a frame to send; under the permit. */
  readonly enqueue: (transmit: Transmit) => void
  /** Lets the transmit worker run if there is something to send. */
  readonly flush: () => void
  readonly receiveWorker: Effect.Effect<never>
  readonly transmitWorker: (port: Port) => Effect.Effect<never>
  /** Gives back what still waits: slabs to the link, unsent bytes to the ledger. */
  readonly close: Effect.Effect<void>
  /** Frames that found the ring full. */
  readonly overflowed: () => number
  /** Bare ACKs that another segment of their connection has told instead. */
  readonly yielded: () => number
  /** Frames that wait for the core, and packets that wait for the link. */
  readonly depths: () => { readonly receive: number; readonly transmit: number }
}

export interface Options {
  readonly id: LinkId
  readonly link: Link
  readonly core: Core
  readonly ledger: Ledger
  /** What the link tells of itself while it is open. */
  readonly changed: (change: LinkChange) => void
}

const noEvents: ReadonlyArray<Event> = Object.freeze([])

/**
 * The batch as the core gets it: segments that continue each other are one, or know it where they can't be. A frame on its own costs nothing here.
 */
const coalesced = (batch: ReadonlyArray<FrameEvent>, linkHeaderLength: number): ReadonlyArray<FrameEvent> => {
  if (batch.length === 1) return batch
  const { link, receivedAt } = batch[0]!
  const frames = Coalesce.merge(batch.map(({ frame }) => frame), linkHeaderLength)
  return frames.map((frame, i): FrameEvent => {
    const next = frames[i + 1]
    const isFollowed = next !== undefined && Coalesce.isFollowed(frame, next, linkHeaderLength)
    return { _tag: "Frame", link, frame, receivedAt, isFollowed, isLent: frame.slab?.mayKeep !== undefined }
  })
}

const release = (events: ReadonlyArray<FrameEvent>): void => {
  for (const { frame } of events) frame.slab?.release()
}

class QueuedAttachment implements Attachment {
  readonly id: LinkId
  readonly link: Link
  readonly sink: Sink
  private readonly core: Core
  private readonly ledger: Ledger
  private readonly ring: Queue.Queue<FrameEvent>
  private readonly outgoing: Queue.Queue<Transmit>
  private readonly received = Bell.make()
  private readonly enqueued = Bell.make()
  private readonly packer: Packer.Packer
  /** What the transmit worker has taken from its queue and not yet reported: `batch[reported..]`. */
  private batch: ReadonlyArray<Transmit> = []
  private reported = 0
  /** Frames sent since the event loop had its turn. */
  private sentInTurn = 0
  private lost = 0

  constructor(options: Options, ring: Queue.Queue<FrameEvent>, outgoing: Queue.Queue<Transmit>) {
    this.id = options.id
    this.link = options.link
    this.core = options.core
    this.ledger = options.ledger
    this.ring = ring
    this.outgoing = outgoing
    this.packer = Packer.make(options.link)
    this.sink = { frames: (frames) => this.receive(frames), changed: options.changed }
  }

  private receive(frames: ReadonlyArray<Frame>): void {
    const receivedAt = this.core.now()
    for (const frame of frames) {
      const isLent = frame.slab?.mayKeep !== undefined
      const event: FrameEvent = { _tag: "Frame", link: this.id, frame, receivedAt, isFollowed: false, isLent }
      const taken = Queue.offerUnsafe(this.ring, event)
      if (taken) continue
      this.lost += 1
      frame.slab?.release()
    }
    this.received.ring()
  }

  get receiveWorker(): Effect.Effect<never> {
    const { core, link, ring } = this
    const linkHeaderLength = link.medium === "ethernet" ? Ethernet.headerLength : 0
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function*() {
        const rung = restore(this.received.rung)
        const taken = restore(Queue.takeBetween(ring, 1, batchSize))
        while (true) {
          if (Queue.sizeUnsafe(ring) === 0) yield* rung
          const batch = yield* taken
          yield* core.run(coalesced(batch, linkHeaderLength), () => release(batch))
        }
      })
    )
  }

  enqueue(transmit: Transmit): void {
    transmit.packet.slab?.keep?.()
    Queue.offerUnsafe(this.outgoing, transmit)
  }

  flush(): void {
    this.enqueued.ring()
  }

  transmitWorker(port: Port): Effect.Effect<never> {
    const { core, outgoing } = this
    return Effect.gen({ self: this }, function*() {
      const taken = Queue.takeBetween(outgoing, 1, batchSize)
      while (true) {
        if (Queue.sizeUnsafe(outgoing) === 0) yield* this.enqueued.rung
        this.batch = yield* taken
        this.reported = 0
        const held = this.send(port, 0)
        if (held !== undefined) yield* held
        // Nobody waits for frames without a credit: the next batch takes their bytes along.
        if (this.report(this.batch.length)) yield* Effect.uninterruptible(core.run(noEvents))
        if (this.sentInTurn >= framesPerTurn) yield* this.turn
      }
    })
  }

  /** Sends the batch from `from` on. A link that takes it all, as most do, costs no operation of the fiber. */
  private send(port: Port, from: number): Effect.Effect<void> | undefined {
    let next = from
    while (next < this.batch.length) {
      const packed = this.packer.pack(this.batch, next, port.gathers === port)
      const sent = port.send(packed.frames, 0)
      if (sent < packed.frames.length) return this.sendRest(port, packed, sent)
      next = packed.next
      this.sentInTurn += packed.frames.length
      if (this.sentInTurn >= framesPerTurn && next < this.batch.length) return this.sendInTurn(port, next)
    }
    return undefined
  }

  /** The event loop's turn. */
  private readonly turn: Effect.Effect<void> = Effect.suspend(() => {
    this.sentInTurn = 0
    return Effect.yieldNow
  })

  /** Lets others have their turn, then sends the batch from `from` on. */
  private sendInTurn(port: Port, from: number): Effect.Effect<void> {
    return Effect.andThen(this.turn, Effect.suspend(() => this.send(port, from) ?? Effect.void))
  }

  /** Waits for the link to take the frames from `from` on, then sends what is left of the batch. */
  private sendRest(port: Port, packed: Packer.Packed, from: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      let sent = from
      while (sent < packed.frames.length) {
        yield* port.writable
        sent += port.send(packed.frames, sent)
      }
      const held = this.send(port, packed.next)
      if (held !== undefined) yield* held
    })
  }

  /** Tells the ledger of the batch up to `end`; true if somebody waits to hear of it. */
  private report(end: number): boolean {
    let isAwaited = false
    for (; this.reported < end; this.reported++) {
      const transmit = this.batch[this.reported]!
      isAwaited = this.ledger.add(transmit) || isAwaited
      const { block, slab } = transmit.packet
      if (block !== undefined) this.core.giveBack([block])
      slab?.release()
    }
    return isAwaited
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.report(this.batch.length)
    return Effect.gen({ self: this }, function*() {
      release(yield* Queue.clear(this.ring))
      this.batch = yield* Queue.clear(this.outgoing)
      this.reported = 0
      this.report(this.batch.length)
      yield* Queue.shutdown(this.ring)
      yield* Queue.shutdown(this.outgoing)
    })
  })

  overflowed(): number {
    return this.lost
  }

  yielded(): number {
    return this.packer.yielded()
  }

  depths(): ReturnType<Attachment["depths"]> {
    return { receive: Queue.sizeUnsafe(this.ring), transmit: Queue.sizeUnsafe(this.outgoing) }
  }
}

export const make = (options: Options): Effect.Effect<Attachment> =>
  Effect.map(
    Effect.all([Queue.dropping<FrameEvent>(ringFrames), Queue.unbounded<Transmit>()]),
    ([ring, outgoing]) => new QueuedAttachment(options, ring, outgoing)
  )
