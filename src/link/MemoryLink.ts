/**
 * A wire in memory: two links, what one sends the other receives.
 *
 * Without latency and rate a frame is delivered in the call that sends it (see `Inbox.ts`); with either, one fiber per
 * direction delivers when the frame is due by the `Clock`, so that virtual time settles. The wire itself loses nothing:
 * when the receiver does not keep up, `send` takes fewer frames and `writable` waits. Loss is what `Faults.ts` is for,
 * and a far end that nobody has opened, which is a cable without carrier: those frames are dropped and counted.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Frame, GsoKind } from "../wire/Frame.ts"
import type * as Mac from "../wire/Mac.ts"
import * as Delay from "./Delay.ts"
import * as Inbox from "./Inbox.ts"
import { type Capabilities, type Link, type LinkError, ownMac, type Port, type Sink } from "./Link.ts"
import * as Offload from "./Offload.ts"
import * as SlabPool from "./SlabPool.ts"

export interface Options {
  /** Names of the two ends; `memory0` and `memory1` if absent. */
  readonly names?: readonly [string, string]
  /** The ends' own addresses, such as `02:00:00:00:00:01`; the stack chooses one if absent. A text that is none fails who opens the end. */
  readonly macs?: readonly [Mac.Input, Mac.Input]
  readonly medium?: "ethernet" | "ip"
  /** Largest IP packet in bytes; 1500 if absent. */
  readonly mtu?: number
  /** Time from the last bit sent to delivery. */
  readonly latency?: Duration.Input
  /** Line rate in bits per second, of each direction; unlimited if absent. */
  readonly rate?: number
  /** Bound on the frames that wait in one direction; 1024, or 16384 with latency or rate. */
  readonly queueFrames?: number
  /** Bound on the memory of the frames of one direction that wait or that the receiver has not yet released; 32 MiB. */
  readonly bufferBytes?: number
  /** What happens to frames beyond those bounds: the sender waits (the default), or they are dropped and counted. */
  readonly overflow?: "wait" | "drop"
  /** Frames with partial checksums may be sent and arrive as they are. */
  readonly checksumOffload?: boolean
  /** Kinds of super-segments that pass whole. */
  readonly segmentation?: Iterable<GsoKind>
  /** The largest super-segment in bytes of IP packet; 65535 where `segmentation` names a kind. */
  readonly maxSegmentBytes?: number
}

export const defaultQueueFrames = 1024
export const defaultDelayedQueueFrames = 16_384
export const defaultBufferBytes = 32 * 1024 * 1024

/** What both directions of a wire have in common. */
interface Wire {
  readonly medium: "ethernet" | "ip"
  readonly mtu: number
  readonly capabilities: Capabilities
  readonly latencyNanos: number
  /** Nanoseconds that a byte takes on the line. */
  readonly nanosPerByte: number
  readonly queueFrames: number
  readonly overflow: "wait" | "drop"
}

/** One direction: the inbox of its receiver, and the frames under way if it takes time. */
interface Direction {
  readonly inbox: Inbox.Inbox
  delay: Delay.Delay<Frame> | undefined
  /** When the last frame will have left the sender. */
  lineFree: number
  readonly lost: Record<LossReason, number>
}

type LossReason = Offload.Refusal | "peerClosed" | "overflow"

const makeWire = (options: Options): Wire => {
  const mtu = options.mtu ?? 1500
  const segmentation = new Set(options.segmentation ?? [])
  const latencyNanos = Duration.toMillis(options.latency ?? 0) * 1e6
  const nanosPerByte = options.rate === undefined ? 0 : 8e9 / options.rate
  const delayed = latencyNanos > 0 || nanosPerByte > 0
  return {
    medium: options.medium ?? "ethernet",
    mtu,
    capabilities: {
      checksumOffload: options.checksumOffload ?? false,
      segmentation,
      maxSegmentBytes: segmentation.size === 0 ? mtu : options.maxSegmentBytes ?? 65_535
    },
    latencyNanos,
    nanosPerByte,
    queueFrames: options.queueFrames ?? (delayed ? defaultDelayedQueueFrames : defaultQueueFrames),
    overflow: options.overflow ?? "wait"
  }
}

const makeDirection = (wire: Wire, medium: Inbox.Medium, bufferBytes: number): Direction => ({
  inbox: Inbox.make({
    medium,
    queueFrames: wire.queueFrames,
    bufferBytes,
    maxFrameBytes: Offload.maxFrameBytes(wire)
  }),
  delay: undefined,
  lineFree: 0,
  lost: { tooLong: 0, unsupported: 0, peerClosed: 0, overflow: 0 }
})

/** Puts one frame under way for its due time. */
const putDelayed = (wire: Wire, direction: Direction, delay: Delay.Delay<Frame>, frame: Frame): Inbox.Verdict => {
  const copied = delay.size() < wire.queueFrames ? direction.inbox.hold(frame) : undefined
  if (copied === undefined) {
    direction.inbox.awaitRoom()
    return "Full"
  }
  const starts = Math.max(delay.now(), direction.lineFree)
  direction.lineFree = starts + (frame.end - frame.start) * wire.nanosPerByte
  delay.put(direction.lineFree + wire.latencyNanos, copied)
  return "Taken"
}

const put = (wire: Wire, direction: Direction, frame: Frame): Inbox.Verdict => {
  const refusal = Offload.refusal(wire, frame)
  if (refusal !== undefined) {
    direction.lost[refusal] += 1
    return "Taken"
  }
  const verdict = direction.delay === undefined || !direction.inbox.isOpen()
    ? direction.inbox.put(frame)
    : putDelayed(wire, direction, direction.delay, frame)
  if (verdict === "Closed") direction.lost.peerClosed += 1
  if (verdict === "Full" && wire.overflow === "drop") direction.lost.overflow += 1
  return verdict
}

const makePort = (wire: Wire, outbound: Direction): Port => ({
  send: (frames, from) => {
    let at = from
    for (; at < frames.length; at++) {
      if (put(wire, outbound, frames[at]!) === "Full" && wire.overflow === "wait") break
    }
    outbound.inbox.flush()
    return at - from
  },
  writable: Effect.suspend(() =>
    wire.overflow === "wait" && outbound.inbox.isFull() ? outbound.inbox.room.wait : Effect.void
  ),
  counters: () => ({ ...outbound.lost, peerClosed: outbound.lost.peerClosed + outbound.inbox.abandoned() })
})

/** Opens the receiving end of a direction. When it closes it takes no frames before those under way are lost. */
const attach = (
  wire: Wire,
  inbound: Direction,
  sink: Sink,
  name: string
): Effect.Effect<void, LinkError, Scope.Scope> =>
  Effect.gen(function*() {
    const delay = wire.latencyNanos + wire.nanosPerByte === 0 ? undefined : yield* Delay.make<Frame>({
      deliver: inbound.inbox.deliver,
      discard: (frames) => {
        SlabPool.release(frames)
        inbound.lost.peerClosed += frames.length
      }
    })
    yield* Inbox.open(inbound.inbox, name, sink)
    inbound.delay = delay
    inbound.lineFree = 0
  })

/** A wire and its two ends. */
export const pair = (options: Options = {}): readonly [Link, Link] => {
  const wire = makeWire(options)
  const medium = Inbox.medium()
  const bufferBytes = options.bufferBytes ?? defaultBufferBytes
  const toFirst = makeDirection(wire, medium, bufferBytes)
  const toSecond = makeDirection(wire, medium, bufferBytes)
  const end = (index: 0 | 1, inbound: Direction, outbound: Direction): Link => {
    const name = options.names?.[index] ?? `memory${index}`
    const mac = ownMac(name, options.macs?.[index])
    return {
      name,
      mac: Result.getOrUndefined(mac),
      medium: wire.medium,
      mtu: wire.mtu,
      capabilities: wire.capabilities,
      isClosed: true,
      headroom: 0,
      open: (sink) =>
        Effect.andThen(
          Effect.fromResult(mac),
          Effect.as(attach(wire, inbound, sink, name), makePort(wire, outbound))
        )
    }
  }
  return [end(0, toFirst, toSecond), end(1, toSecond, toFirst)]
}
