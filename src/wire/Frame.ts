/**
 * What crosses a link: one frame, as a range of a slab that somebody else owns.
 *
 * A received frame is **borrowed** until the step of its event returns; what outlives the step is copied. A frame to send
 * is borrowed until the link's `send` has accepted it.
 */
import * as Piece from "./Piece.ts"

/**
 * What is known of the transport checksum (as in the virtio-net header, VIRTIO 1.2 §5.1.6):
 * - `"none"`: nothing; it stands in the frame and is to be verified,
 * - `"verified"`: the link vouches for it,
 * - `"partial"`: the field holds the folded, not inverted pseudo-header sum; who puts the frame on a real wire completes it
 *   over the bytes from `checksumStart` to the end and writes it at `checksumStart + checksumOffset`. On receipt it counts as verified.
 */
export type Checksum = "none" | "verified" | "partial"

/** The kind of a super-segment, which a link with segmentation offload cuts. */
export type GsoKind = "tcp4" | "tcp6" | "udp"

/** How to cut a super-segment into packets. */
export interface Gso {
  readonly kind: GsoKind
  /** Payload bytes of each packet but the last (the MSS in force). */
  readonly size: number
  /** Bytes from the start of the frame to the transport payload. */
  readonly headerLength: number
  /** The CWR bit stays on every packet: it is a part of a count (RFC 9768 §3.2.2). Otherwise it stays on the first alone (RFC 3168 §6.1.2); so do links that cut. */
  readonly keepsCwr?: boolean
}

export interface Frame {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly checksum: Checksum
  /** Offset from `start` at which the checksummed range begins; 0 unless `checksum` is `"partial"`. */
  readonly checksumStart: number
  /** Offset of the checksum field from `checksumStart`; 0 unless `checksum` is `"partial"`. */
  readonly checksumOffset: number
  readonly gso: Gso | undefined
  /** Who gets the slab back when the frame has been processed; absent if nobody waits for it. */
  readonly slab: Slab | undefined
  /** What follows on `bytes[start..end)`, in memory of its own; only ports that say so get such frames (`Port.gathers`). Absent: nothing. */
  readonly rest?: ReadonlyArray<Piece.Piece> | undefined
}

/** A pooled block of memory that frames lie in; its owner reuses it once every frame has been released. */
export interface Slab {
  /** One frame of the slab has been processed. */
  readonly release: () => void
  /**
   * Whether the slab may be kept after a frame was processed, until the frame has been sent on or its text was read: by as many {@link keep}, each with a
   * {@link release} of its own. Absent if never.
   */
  readonly mayKeep?: (() => boolean) | undefined
  readonly keep?: () => void
  /** Bytes before each frame that belong to it, and may be written as the frame may; absent if its bytes are not its receiver's alone, or nothing is free before them. */
  readonly headroom?: number | undefined
}

/** A frame with nothing special about it: all of `bytes`, checksum to be verified. */
export const plain = (bytes: Uint8Array, start = 0, end = bytes.length): Frame => ({
  bytes,
  start,
  end,
  checksum: "none",
  checksumStart: 0,
  checksumOffset: 0,
  gso: undefined,
  slab: undefined
})

/** Bytes of the whole frame. */
export const size = (frame: Frame): number => {
  let total = frame.end - frame.start
  if (frame.rest !== undefined) { for (const piece of frame.rest) total += Piece.size(piece) }
  return total
}

/** A fresh copy of the frame's bytes. */
export const copy = (frame: Frame): Uint8Array => {
  if (frame.rest === undefined) return frame.bytes.slice(frame.start, frame.end)
  const bytes = new Uint8Array(size(frame))
  Piece.joinInto(frame.rest, bytes, Piece.copyRange(frame.bytes, frame.start, frame.end, bytes, 0))
  return bytes
}
