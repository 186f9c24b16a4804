/**
 * The `lo` link (RFC 1122 §3.2.1.3): what the stack sends comes back to it.
 *
 * Nothing can be damaged on the way, so the frames arrive as verified, and checksums need not be computed.
 */
import * as Effect from "effect/Effect"
import type { Frame } from "../wire/Frame.ts"
import * as Inbox from "./Inbox.ts"
import type { Link, Port } from "./Link.ts"
import * as Offload from "./Offload.ts"

export interface Options {
  /** `lo` if absent. */
  readonly name?: string
  /** Largest IP packet in bytes; 65535, the largest there is, if absent. */
  readonly mtu?: number
  /** Bound on the frames that wait for delivery. */
  readonly queueFrames?: number
  /** Bound on the memory of frames that wait or that the stack has not yet released. */
  readonly bufferBytes?: number
}

export const defaultMtu = 65_535
export const defaultQueueFrames = 1024
export const defaultBufferBytes = 16 * 1024 * 1024

/** A partial checksum stays marked as such, so that a capture can complete it; any other needs no look. */
const vouchedFor = (frame: Frame): Frame =>
  frame.checksum === "none" ? { ...frame, checksum: "verified", slab: undefined } : frame

export const make = (options: Options = {}): Link => {
  const name = options.name ?? "lo"
  const mtu = options.mtu ?? defaultMtu
  const capabilities = { checksumOffload: true, segmentation: new Set<never>(), maxSegmentBytes: mtu }
  const limits: Offload.Limits = { medium: "ip", mtu, capabilities }
  const inbox = Inbox.make({
    medium: Inbox.medium(),
    queueFrames: options.queueFrames ?? defaultQueueFrames,
    bufferBytes: options.bufferBytes ?? defaultBufferBytes,
    maxFrameBytes: Offload.maxFrameBytes(limits)
  })
  const lost = { tooLong: 0, unsupported: 0, closed: 0 }

  const take = (frame: Frame): Inbox.Verdict => {
    const refusal = Offload.refusal(limits, frame)
    if (refusal !== undefined) {
      lost[refusal] += 1
      return "Taken"
    }
    const verdict = inbox.put(vouchedFor(frame))
    if (verdict === "Closed") lost.closed += 1
    return verdict
  }
  const port: Port = {
    send: (frames, from) => {
      let at = from
      while (at < frames.length && take(frames[at]!) !== "Full") at += 1
      inbox.flush()
      return at - from
    },
    writable: Effect.suspend(() => inbox.isFull() ? inbox.room.wait : Effect.void),
    counters: () => ({ ...lost, closed: lost.closed + inbox.abandoned() })
  }
  return {
    name,
    mac: undefined,
    medium: "ip",
    mtu,
    capabilities,
    headroom: 0,
    open: (sink) => Effect.as(Inbox.open(inbox, name, sink), port)
  }
}
