/**
 * A stream of bytes without end that is the same for everybody, so that a transfer can be checked byte by byte and nobody has to
 * keep what was sent. No shift of it by less than its period looks like it.
 */
import * as Random from "../link/Random.ts"
import type { Piece } from "../wire/Piece.ts"

/** A prime, so that a stream which skips or repeats a segment, or any power of two, is found out. */
const period = 65_521

/** Two periods, so that any range of up to one period lies in one piece. */
const block: Uint8Array = (() => {
  const random = Random.make(1, 2, 3)
  const once = Uint8Array.from({ length: period }, () => random.word())
  const twice = new Uint8Array(2 * period)
  twice.set(once, 0)
  twice.set(once, period)
  return twice
})()

/** The longest range that {@link range} gives. */
export const longest = period

/** The range from an offset on, at most {@link longest} bytes. Nobody may write to it. */
export const range = (offset: number, length: number): Piece => {
  const start = offset % period
  return { bytes: block, start, end: start + Math.min(length, longest) }
}

/** A fresh copy of a range of any length. */
export const bytes = (length: number, offset = 0): Uint8Array => {
  const all = new Uint8Array(length)
  for (let at = 0; at < length; at += period) {
    const { end, start } = range(offset + at, length - at)
    all.set(block.subarray(start, end), at)
  }
  return all
}

const words = new DataView(block.buffer)

/** The offset of the first byte of a piece that is not as the stream has it at `offset`; -1 if all are. */
export const mismatch = ({ bytes, end, start }: Piece, offset: number): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = offset % period
  let i = start
  while (i + 4 <= end && view.getInt32(i) === words.getInt32(at)) {
    i += 4
    at += 4
    if (at >= period) at -= period
  }
  for (; i < end; i++) {
    if (bytes[i] !== block[at]) return offset + i - start
    if (++at === period) at = 0
  }
  return -1
}
