/**
 * The Internet checksum: the one's complement of the one's complement sum of 16-bit words (RFC 1071, RFC 1624).
 *
 * A *sum* here is a non-negative integer that is congruent to the words' sum modulo 0xffff and not yet folded to 16 bits.
 * Sums of pieces are added by passing one as the `initial` of the next. A piece that begins at an odd offset of the whole
 * goes through {@link sumOdd}: swapping the bytes of a sum is the same as shifting its words by one byte (RFC 1071 §2 (B)).
 *
 *     finish(sumOdd(b, 0, 7, sum(a, 0, 5, pseudo(source, destination, 6, 12))))
 *
 * Byte order does not matter while adding, only at the ends, so words are added as the processor likes them, 32 bits
 * at a time, and the result is swapped once.
 */
import type * as Address from "./Address.ts"

/** Ranges below this are added byte by byte: a view does not pay for them. */
const viewLimit = 48

/** Keeps the partial sums of one run within 32 bits: 2^14 words of at most 2^16 each. */
const runBytes = 0x10000

// The view of the buffer that was summed last. A memo and no state: whatever it holds, the results are the same.
// Slabs are used many thousand times in a row and making a view costs as much as adding 400 bytes.
let memoBuffer: ArrayBufferLike | undefined = undefined
let memoView: DataView = new DataView(new ArrayBuffer(0))

const viewOf = (bytes: Uint8Array): DataView => {
  const buffer = bytes.buffer
  if (buffer !== memoBuffer) {
    memoBuffer = buffer
    memoView = new DataView(buffer)
  }
  return memoView
}

/** The 16 bits of a sum (RFC 1071 §1): carries are added back at the low end. */
export const fold = (sum: number): number => {
  const once = (sum & 0xffff) + (sum >>> 16)
  return (once & 0xffff) + (once >>> 16)
}

const swap = (folded: number): number => ((folded & 0xff) << 8) | (folded >>> 8)

const sumBytes = (bytes: Uint8Array, start: number, end: number): number => {
  let high = 0
  let low = 0
  const even = end - ((end - start) & 1)
  for (let i = start; i < even; i += 2) {
    high += bytes[i]!
    low += bytes[i + 1]!
  }
  if (even < end) high += bytes[even]!
  return (high << 8) + low
}

/** The sum of `count` 32-bit little-endian words as a folded 16-bit little-endian word; `count` is a multiple of 4, at most 2^14. */
const sumRun = (view: DataView, at: number, end: number): number => {
  // The whole words wrap modulo 2^32; subtracting the high halves leaves the low halves' exact sum.
  let words0 = 0
  let words1 = 0
  let high0 = 0
  let high1 = 0
  for (let i = at; i < end; i += 16) {
    const a = view.getInt32(i, true)
    const b = view.getInt32(i + 4, true)
    const c = view.getInt32(i + 8, true)
    const d = view.getInt32(i + 12, true)
    words0 = (words0 + a) | 0
    words1 = (words1 + b) | 0
    high0 = (high0 + (a >>> 16)) | 0
    high1 = (high1 + (b >>> 16)) | 0
    words0 = (words0 + c) | 0
    words1 = (words1 + d) | 0
    high0 = (high0 + (c >>> 16)) | 0
    high1 = (high1 + (d >>> 16)) | 0
  }
  const high = (high0 + high1) | 0
  const low = (words0 + words1 - (high << 16)) | 0
  return fold(fold(low) + fold(high))
}

const sumWords = (bytes: Uint8Array, start: number, end: number): number => {
  const view = viewOf(bytes)
  const offset = bytes.byteOffset
  const wordsEnd = start + ((end - start) & ~15)
  let total = 0
  for (let i = start; i < wordsEnd; i += runBytes) {
    const runEnd = i + runBytes < wordsEnd ? i + runBytes : wordsEnd
    total = fold(total + sumRun(view, offset + i, offset + runEnd))
  }
  return swap(total) + sumBytes(bytes, wordsEnd, end)
}

/** Adds the words of `bytes[start..end)` to `initial`. An odd last byte counts as the high half of a word (RFC 1071 §4.1). */
export const sum = (bytes: Uint8Array, start: number, end: number, initial: number): number =>
  fold(initial) + (end - start < viewLimit ? sumBytes(bytes, start, end) : sumWords(bytes, start, end))

/** The same for a piece whose first byte is the low half of a word of the whole. */
export const sumOdd = (bytes: Uint8Array, start: number, end: number, initial: number): number =>
  fold(initial) + swap(fold(sum(bytes, start, end, 0)))

/** What goes into a checksum field: the complement of the folded sum. */
export const finish = (sum: number): number => fold(sum) ^ 0xffff

/** Whether a range that includes its checksum field is intact; `initial` is the pseudo-header's sum, or 0. */
export const verify = (bytes: Uint8Array, start: number, end: number, initial: number): boolean =>
  fold(sum(bytes, start, end, initial)) === 0xffff

/**
 * Completes a partial checksum: adds `bytes[start..end)`, whose field at `fieldAt` holds what was added so far (the
 * pseudo-header's folded sum, or 0), and writes the complement there.
 *
 * A zero goes out as 0xffff, its other form: RFC 768 demands it of UDP, and to everybody else both are equal.
 */
export const complete = (bytes: Uint8Array, start: number, end: number, fieldAt: number): void => {
  const value = finish(sum(bytes, start, end, 0)) || 0xffff
  bytes[fieldAt] = value >>> 8
  bytes[fieldAt + 1] = value
}

const words32 = (value: number): number => (value >>> 16) + (value & 0xffff)

/** The pseudo-header of TCP and UDP over IPv4 (RFC 9293 §3.1); `length` is the transport header's and payload's. */
export const pseudoV4 = (source: Address.Ipv4, destination: Address.Ipv4, protocol: number, length: number): number =>
  words32(source) + words32(destination) + protocol + words32(length)

/** The pseudo-header over IPv6 (RFC 8200 §8.1). */
export const pseudoV6 = (source: Address.Ipv6, destination: Address.Ipv6, protocol: number, length: number): number =>
  words32(source.w0) + words32(source.w1) + words32(source.w2) + words32(source.w3) +
  words32(destination.w0) + words32(destination.w1) + words32(destination.w2) + words32(destination.w3) +
  protocol + words32(length)

/** The pseudo-header of either family; 0 if the addresses are of different ones, which no packet has. */
export const pseudo = (
  source: Address.Address,
  destination: Address.Address,
  protocol: number,
  length: number
): number => {
  if (typeof source === "number") {
    return typeof destination === "number" ? pseudoV4(source, destination, protocol, length) : 0
  }
  return typeof destination === "number" ? 0 : pseudoV6(source, destination, protocol, length)
}

/** The checksum after one 16-bit word under it changed (RFC 1624 §3, equation 3, which is right for zero too). */
export const update = (checksum: number, oldWord: number, newWord: number): number =>
  finish((checksum ^ 0xffff) + (oldWord ^ 0xffff) + newWord)
