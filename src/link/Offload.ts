/**
 * What a link that offloads owes to a frame, and which frames a link can't carry.
 */
import * as Checksum from "../wire/Checksum.ts"
import { type Frame, plain, size } from "../wire/Frame.ts"
import * as Gather from "../wire/Gather.ts"
import type { Capabilities } from "./Link.ts"

/** Why a link takes a frame but does not carry it: longer than the MTU, or it asks for an offload that the link lacks. */
export type Refusal = "tooLong" | "unsupported"

/** The part of a link that says what it can carry. */
export interface Limits {
  readonly medium: "ethernet" | "ip"
  readonly mtu: number
  readonly capabilities: Capabilities
}

const ethernetHeaderBytes = 14
const vlanTagBytes = 4
/** A frame may carry two 802.1Q tags beyond the MTU (IEEE 802.1Q §9.6). */
const mostVlanTags = 2

/** The longest frame that passes a link. */
export const maxFrameBytes = (limits: Limits): number =>
  Math.max(limits.mtu, limits.capabilities.maxSegmentBytes) +
  (limits.medium === "ethernet" ? ethernetHeaderBytes + mostVlanTags * vlanTagBytes : 0)

const isVlanTag = (bytes: Uint8Array, at: number): boolean =>
  (bytes[at] === 0x81 && bytes[at + 1] === 0x00) || (bytes[at] === 0x88 && bytes[at + 1] === 0xa8)

/** Octets before the IP packet of an Ethernet frame, with its VLAN tags. */
export const ethernetBytes = (frame: Frame): number => {
  let length = ethernetHeaderBytes
  for (let tags = 0; tags < mostVlanTags; tags++) {
    if (frame.start + length > frame.end || !isVlanTag(frame.bytes, frame.start + length - 2)) break
    length += vlanTagBytes
  }
  return length
}

/** Why the link can't carry the frame; undefined if it can. */
export const refusal = (limits: Limits, frame: Frame): Refusal | undefined => {
  const { capabilities } = limits
  if (frame.checksum === "partial" && !capabilities.checksumOffload) return "unsupported"
  if (frame.gso !== undefined && !capabilities.segmentation.has(frame.gso.kind)) return "unsupported"
  const limit = frame.gso === undefined ? limits.mtu : capabilities.maxSegmentBytes
  const length = size(frame)
  if (length <= limit) return undefined
  const header = limits.medium === "ethernet" ? ethernetBytes(frame) : 0
  return length - header > limit ? "tooLong" : undefined
}

/** Completes a partial checksum of a frame in `bytes`, to which it was copied at `at`. */
export const completeChecksum = (frame: Frame, bytes: Uint8Array, at: number): void => {
  if (frame.checksum !== "partial") return
  const end = at + frame.end - frame.start
  const start = at + frame.checksumStart
  const field = start + frame.checksumOffset
  if (field + 2 <= end) Checksum.complete(bytes, start, end, field)
}

/**
 * The frame as it would stand on a wire without offload: itself, or a copy with its checksum complete. A super-segment stays
 * whole: its lengths and checksum are those of one large packet.
 */
export const completed = (frame: Frame): Pick<Frame, "bytes" | "start" | "end"> => {
  if (frame.checksum !== "partial") return frame
  const bytes = frame.bytes.slice(frame.start, frame.end)
  completeChecksum(frame, bytes, 0)
  return { bytes, start: 0, end: bytes.length }
}

/** A frame without the offload that the link lacks: with its checksum complete, and cut where it is a super-segment. */
const done = (limits: Limits, headroom: number, frame: Frame): ReadonlyArray<Frame> => {
  const isPartial = limits.capabilities.checksumOffload
  const outgoing: Gather.Outgoing = {
    ...frame,
    head: frame.bytes,
    headStart: frame.start,
    headEnd: frame.end,
    pieces: []
  }
  const bytes = new Uint8Array(Gather.segmentsSize(outgoing, headroom))
  const room: Gather.Room = { bytes, at: 0, end: bytes.length, gap: headroom }
  const bounds: Array<number> = []
  const linkHeaderBytes = limits.medium === "ethernet" ? ethernetBytes(frame) : 0
  Gather.segments(outgoing, linkHeaderBytes, 0, room, !isPartial, bounds)
  const checksum = isPartial ? frame : plain(bytes)
  const frames: Array<Frame> = []
  for (let i = 0; i < bounds.length; i += 2) {
    frames.push({ ...checksum, bytes, start: bounds[i]!, end: bounds[i + 1]!, gso: undefined, slab: undefined })
  }
  return frames
}

/**
 * The frames as a link takes them that can do less than the one that they come from, each with `headroom` before it. A frame
 * that the link can carry is itself; the others are copies in memory of their own, and theirs are released.
 */
export const lowered = (limits: Limits, headroom: number, frames: ReadonlyArray<Frame>): ReadonlyArray<Frame> => {
  const { checksumOffload, segmentation } = limits.capabilities
  const needsWork = (frame: Frame): boolean =>
    (frame.checksum === "partial" && !checksumOffload) || (frame.gso !== undefined && !segmentation.has(frame.gso.kind))
  if (!frames.some(needsWork)) return frames
  return frames.flatMap((frame) => {
    if (!needsWork(frame)) return [frame]
    const copies = done(limits, headroom, frame)
    frame.slab?.release()
    return copies
  })
}
