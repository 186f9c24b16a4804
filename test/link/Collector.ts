/** A sink for tests that copies what it gets, releases it, and remembers the batches and changes. */
import type { LinkChange, Sink } from "../../src/link/Link.ts"
import * as Frame from "../../src/wire/Frame.ts"

export interface Collector extends Sink {
  readonly received: Array<Frame.Frame>
  readonly batches: Array<number>
  readonly changes: Array<LinkChange>
}

/** `onBatch` runs after the batch has been noted, inside the delivery. */
export const make = (onBatch: (batch: ReadonlyArray<Frame.Frame>) => void = () => {}): Collector => {
  const received: Array<Frame.Frame> = []
  const batches: Array<number> = []
  const changes: Array<LinkChange> = []
  return {
    received,
    batches,
    changes,
    frames: (batch) => {
      batches.push(batch.length)
      for (const frame of batch) {
        const bytes = Frame.copy(frame)
        received.push({ ...frame, bytes, start: 0, end: bytes.length, slab: undefined })
      }
      onBatch(batch)
      for (const frame of batch) frame.slab?.release()
    },
    changed: (change) => {
      changes.push(change)
    }
  }
}

/** A frame of `length` octets that begins with `tag` as four octets. */
export const frame = (tag: number, length = 64): Frame.Frame => {
  const bytes = new Uint8Array(length)
  new DataView(bytes.buffer).setUint32(0, tag)
  return Frame.plain(bytes)
}

export const tag = (of: Frame.Frame): number => new DataView(of.bytes.buffer, of.bytes.byteOffset).getUint32(of.start)

export const tags = (self: Collector): Array<number> => self.received.map(tag)

export const range = (count: number, from = 0): Array<number> => Array.from({ length: count }, (_, i) => from + i)

export const frames = (count: number, length = 64): Array<Frame.Frame> => range(count).map((i) => frame(i, length))
