/**
 * A range of somebody else's bytes: a payload view, a quoted packet, an option's value. It owns nothing and costs no view object.
 */

/** The bytes `start` (inclusive) to `end` (exclusive) of `bytes`. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** All of `bytes`, or a part of it. */
export const make = (bytes: Uint8Array, start = 0, end = bytes.length): Piece => ({ bytes, start, end })

export const size = (piece: Piece): number => piece.end - piece.start

/** A fresh copy of what the piece covers. */
export const copy = (piece: Piece): Uint8Array => piece.bytes.slice(piece.start, piece.end)

/** Up to here a plain loop is quicker than making the view that `Uint8Array.set` wants (measured). */
const loopLimit = 32

/** Copies `source[start..end)` to `target[at..]` and returns the offset behind it; the caller has checked the room. */
export const copyRange = (source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number => {
  const length = end - start
  if (length > loopLimit) {
    target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
  } else {
    for (let i = 0; i < length; i++) target[at + i] = source[start + i]!
  }
  return at + length
}

/** Copies the piece to `bytes[at..]` and returns the offset behind it. */
export const into = (piece: Piece, bytes: Uint8Array, at: number): number =>
  copyRange(piece.bytes, piece.start, piece.end, bytes, at)

/** Copies the pieces to `bytes[at..]`, one behind the other, and returns the offset behind the last. */
export const joinInto = (pieces: ReadonlyArray<Piece>, bytes: Uint8Array, at: number): number => {
  let end = at
  for (const piece of pieces) end = into(piece, bytes, end)
  return end
}

/** Whether both hold the same bytes. */
export const equals = (a: Piece, b: Piece): boolean => {
  if (size(a) !== size(b)) return false
  for (let i = a.start, j = b.start; i < a.end; i++, j++) {
    if (a.bytes[i] !== b.bytes[j]) return false
  }
  return true
}
