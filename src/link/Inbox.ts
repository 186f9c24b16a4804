/**
 * The receiving end of an in-memory link: copies frames into its own slabs and hands them to the sink in batches.
 *
 * Delivery is synchronous, in the call that put the frames, but never nested: while a medium delivers, what its receivers
 * send in answer only queues, and is delivered one scheduler turn later. So however hosts answer each other, the stack
 * is one delivery deep and the event loop gets its turn.
 *
 * ```
 *   A.send ─ put ─▶ B's queue ─ flush ─▶ B's sink ─ B.send ─ put ─▶ A's queue … next turn … ─ flush ─▶ A's sink
 * ```
 */
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import type { Frame } from "../wire/Frame.ts"
import { inUse, type LinkError, type Sink } from "./Link.ts"
import * as Signal from "./Signal.ts"
import * as SlabPool from "./SlabPool.ts"

/** What several inboxes share so that only one of them delivers at a time. */
export interface Medium {
  delivering: boolean
}

export const medium = (): Medium => ({ delivering: false })

/** Why a frame was not taken; `Full` frames may be offered again after `room`. */
export type Verdict = "Taken" | "Full" | "Closed"

export interface Inbox {
  readonly attach: (sink: Sink, dispatcher: Scheduler.SchedulerDispatcher) => void
  /** Forgets the sink and what is queued for it. */
  readonly detach: () => void
  readonly isOpen: () => boolean
  /** Frames that were queued when their receiver closed. */
  readonly abandoned: () => number
  /** Copies the frame into the queue. */
  readonly put: (frame: Frame) => Verdict
  /** Delivers what is queued: now, or in the next turn if the medium is delivering already. */
  readonly flush: () => void
  /** Copies the frame for a later `deliver`, past the queue; undefined while there is no room (which counts as `Full`). */
  readonly hold: (frame: Frame) => Frame | undefined
  /** Delivers held frames at once. */
  readonly deliver: (batch: ReadonlyArray<Frame>) => void
  /** Has the next delivery announce `room`, as a `Full` verdict has. */
  readonly awaitRoom: () => void
  /** A frame was refused as `Full` and there has been no `room` since. */
  readonly isFull: () => boolean
  /** Notified when there may be room again. */
  readonly room: Signal.Signal
}

export interface Options {
  readonly medium: Medium
  /** Bound on the frames that wait for delivery. */
  readonly queueFrames: number
  /** Bound on the memory of frames that wait or that the receiver has not yet released. */
  readonly bufferBytes: number
  /** The longest frame. */
  readonly maxFrameBytes: number
  /** Bytes left free before each frame that is delivered; none if absent. */
  readonly headroom?: number
}

export const make = (options: Options): Inbox => {
  const { headroom = 0, medium, queueFrames } = options
  let sink: Sink | undefined
  let dispatcher: Scheduler.SchedulerDispatcher | undefined
  let queue: Array<Frame> = []
  let scheduled = false
  let full = false
  let abandoned = 0
  const room = Signal.make()

  const openUp = () => {
    full = false
    room.notify()
  }
  // A release may run deep inside the receiver's work: senders are woken in a turn of their own.
  const announceRoom = () => {
    if (!full) return
    if (dispatcher === undefined) openUp()
    else dispatcher.scheduleTask(openUp, 0)
  }
  const pool = SlabPool.forCopies(options.maxFrameBytes + headroom, options.bufferBytes, announceRoom)

  const later = () => {
    if (scheduled || dispatcher === undefined) return
    scheduled = true
    dispatcher.scheduleTask(() => {
      scheduled = false
      flush()
    }, 0)
  }
  const deliver = (batch: ReadonlyArray<Frame>) => {
    announceRoom()
    if (sink === undefined) return SlabPool.release(batch)
    medium.delivering = true
    try {
      sink.frames(batch)
    } finally {
      medium.delivering = false
    }
  }
  const flush = () => {
    if (queue.length === 0) return
    if (medium.delivering) return later()
    const batch = queue
    queue = []
    deliver(batch)
  }
  const awaitRoom = () => {
    full = true
  }
  const hold = (frame: Frame): Frame | undefined => {
    const copied = SlabPool.copy(pool, frame, headroom)
    if (copied === undefined) awaitRoom()
    return copied
  }
  const put = (frame: Frame): Verdict => {
    if (sink === undefined) return "Closed"
    const copied = queue.length < queueFrames ? hold(frame) : undefined
    if (copied === undefined) {
      awaitRoom()
      return "Full"
    }
    queue.push(copied)
    return "Taken"
  }

  return {
    room,
    isOpen: () => sink !== undefined,
    abandoned: () => abandoned,
    attach: (to, on) => {
      sink = to
      dispatcher = on
    },
    detach: () => {
      const lost = queue
      queue = []
      sink = undefined
      abandoned += lost.length
      SlabPool.release(lost)
      announceRoom()
      dispatcher = undefined
    },
    put,
    flush,
    deliver,
    hold,
    awaitRoom,
    isFull: () => full
  }
}

/** Delivers to `sink` until the scope closes. */
export const open = (inbox: Inbox, link: string, sink: Sink): Effect.Effect<void, LinkError, Scope.Scope> =>
  Effect.flatMap(Scheduler.Scheduler, (scheduler) =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        if (inbox.isOpen()) return Effect.fail(inUse(link))
        inbox.attach(sink, scheduler.makeDispatcher())
        return Effect.void
      }),
      () => Effect.sync(inbox.detach)
    ))
