/**
 * Blocks of memory that received frames lie in, reused without a fresh ArrayBuffer per frame or per batch.
 *
 * A slab is filled from the front. It may be reused from the front as soon as every frame cut from it has been released;
 * until then the pool goes on with another one, up to a named bound. Beyond the bound `reserve` gives nothing, and the
 * owner stops reading or refuses frames until a slab comes back.
 *
 * ```
 *   | frame | frame | frame |      free      |
 *     held    released  held   ^ at            a slab that is being filled; back to 0 when nothing of it is held
 * ```
 */
import type { Checksum, Frame, Gso, Slab } from "../wire/Frame.ts"
import * as VectorMemory from "../wire/VectorMemory.ts"

/** A slab that is being filled. */
export interface PooledSlab extends Slab {
  readonly bytes: Uint8Array
  /** The first free byte. */
  readonly at: number
  /** Cuts the frame `bytes[start..end)`, which begins at or behind `at`, and holds the slab until it is released. */
  readonly cut: (
    start: number,
    end: number,
    checksum: Checksum,
    checksumStart: number,
    checksumOffset: number,
    gso: Gso | undefined
  ) => Frame
}

export interface SlabPool {
  /** The slab to fill next, with `room` bytes free behind `at`; undefined while every slab within the bound is held. */
  readonly reserve: (room: number) => PooledSlab | undefined
  readonly slabBytes: number
  /** Whether the slab is one of this pool. */
  readonly owns: (slab: Slab | undefined) => boolean
  /** Slabs allocated so far; never more than the bound. */
  readonly allocated: () => number
  /** Frames that have been cut and not yet released. */
  readonly held: () => number
}

export interface Options {
  /** Bytes of one slab; no frame can be longer. */
  readonly slabBytes: number
  /** Bound on the number of slabs. */
  readonly slabs: number
  /** Bytes before each frame that are left free, and may be written by whoever sends it on from where it lies; nobody may, if absent. */
  readonly headroom?: number
  /** The checksums of what lies in the slabs are added up here: all of them lie in one memory that vector instructions may read. */
  readonly isSummed?: boolean
  /**
   * Called when a slab comes back after `reserve` gave nothing. It runs inside somebody's `release`, so it must not do
   * more than note that there is room.
   */
  readonly onRoom?: () => void
}

/** Frames begin at multiples of this, so that word-wise readers find them aligned. */
const alignment = 8

interface Pool {
  current: ReusableSlab | undefined
  readonly free: Array<ReusableSlab>
  allocated: number
  held: number
  starved: boolean
  readonly slabs: number
  readonly headroom: number
  readonly onRoom: () => void
}

/** Whether at least half of the slabs wait to be filled, so that neither a slow way out nor a slow reader keeps a link from being read. */
const isPlentiful = ({ allocated, free, slabs }: Pool): boolean => 2 * (slabs - allocated + free.length) >= slabs

class ReusableSlab implements PooledSlab {
  readonly bytes: Uint8Array
  at = 0
  readonly pool: Pool
  readonly headroom: number | undefined
  readonly mayKeep: () => boolean
  private held = 0

  constructor(pool: Pool, bytes: Uint8Array) {
    this.pool = pool
    this.bytes = bytes
    this.headroom = pool.headroom > 0 ? pool.headroom : undefined
    this.mayKeep = () => isPlentiful(pool)
  }

  keep(): void {
    this.held += 1
    this.pool.held += 1
  }

  cut(
    start: number,
    end: number,
    checksum: Checksum,
    checksumStart: number,
    checksumOffset: number,
    gso: Gso | undefined
  ): Frame {
    this.held += 1
    this.pool.held += 1
    this.at = (end + alignment - 1) & -alignment
    return { bytes: this.bytes, start, end, checksum, checksumStart, checksumOffset, gso, slab: this }
  }

  release(): void {
    // One release too many must not hand out memory that another frame still uses.
    if (this.held === 0) return
    this.held -= 1
    this.pool.held -= 1
    if (this.held > 0) return
    this.at = 0
    if (this.pool.current === this) return
    this.pool.free.push(this)
    if (!this.pool.starved) return
    this.pool.starved = false
    this.pool.onRoom()
  }
}

export const make = (options: Options): SlabPool => {
  const { slabBytes, slabs } = options
  const pool: Pool = {
    current: undefined,
    free: [],
    allocated: 0,
    held: 0,
    starved: false,
    slabs,
    headroom: options.headroom ?? 0,
    onRoom: options.onRoom ?? (() => {})
  }
  // The system finds memory for pages only once they are written, so that slabs which never are cost none.
  const memory = options.isSummed === true ? VectorMemory.make(slabs * slabBytes) : undefined
  const next = (): ReusableSlab | undefined => {
    const reused = pool.free.pop()
    if (reused !== undefined) return reused
    if (pool.allocated === slabs) {
      pool.starved = true
      return undefined
    }
    const at = pool.allocated * slabBytes
    pool.allocated += 1
    return new ReusableSlab(pool, memory?.subarray(at, at + slabBytes) ?? new Uint8Array(slabBytes))
  }
  return {
    slabBytes,
    owns: (slab) => slab instanceof ReusableSlab && slab.pool === pool,
    allocated: () => pool.allocated,
    held: () => pool.held,
    reserve: (room) => {
      const current = pool.current
      if (current !== undefined && current.at + room <= slabBytes) return current
      if (room > slabBytes) return undefined
      pool.current = next()
      return pool.current
    }
  }
}

/** Slabs of a pool for copies hold at least this many bytes, so that a batch lies in one or two of them. */
const leastSlabBytes = 256 * 1024

/** A pool for copies of frames of up to `maxFrameBytes`, in about `bufferBytes` of memory. */
export const forCopies = (maxFrameBytes: number, bufferBytes: number, onRoom: () => void = () => {}): SlabPool => {
  const slabBytes = Math.max(leastSlabBytes, maxFrameBytes)
  return make({ slabBytes, slabs: Math.max(2, Math.floor(bufferBytes / slabBytes)), onRoom })
}

/** Copies a frame with its offload metadata, with `headroom` bytes of its own before it; undefined while there is no room. */
export const copy = (pool: SlabPool, frame: Frame, headroom = 0): Frame | undefined => {
  const length = frame.end - frame.start
  const slab = pool.reserve(headroom + length)
  if (slab === undefined) return undefined
  const at = slab.at + headroom
  copyBytes(frame.bytes, frame.start, frame.end, slab.bytes, at)
  return slab.cut(at, at + length, frame.checksum, frame.checksumStart, frame.checksumOffset, frame.gso)
}

/** Below this many bytes a loop is faster than making the view that `set` needs. */
const loopBytes = 64

const copyBytes = (from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void => {
  if (end - start > loopBytes) {
    to.set(from.subarray(start, end), at)
    return
  }
  for (let i = start, j = at; i < end; i++, j++) to[j] = from[i]!
}

/** Releases every frame of a batch. */
export const release = (batch: ReadonlyArray<Frame>): void => {
  for (const frame of batch) frame.slab?.release()
}
