/**
 * The Internet checksum: the one's complement of the one's complement sum of 16-bit words (RFC 1071, RFC 1624).
 *
 * A *sum* here is a non-negative integer below 2^32 that stands for the words' one's complement sum; {@link fold} makes 16
 * bits of it. Sums of pieces are added by passing one as the `initial` of the next. A piece that begins at an odd offset of the whole
 * goes through {@link sumOdd}: swapping the bytes of a sum is the same as shifting its words by one byte (RFC 1071 §2 (B)).
 *
 *     finish(sumOdd(b, 0, 7, sum(a, 0, 5, pseudo(source, destination, 6, 12))))
 *
 * Byte order does not matter while adding, only at the ends (RFC 1071 §2 (B)), so long ranges are added as the processor
 * likes them, in aligned words of 32 bits, and the result is swapped once.
 */
import type * as Address from "./Address.ts"
import * as VectorMemory from "./VectorMemory.ts"

/** Shorter ranges are added byte by byte: they don't earn the view (measured: equal at 128 bytes). */
const viewLimit = 128

/** Exact in a double: 2^20 words below 2^32. */
const runWords = 0x10_0000

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The 16 bits of a sum (RFC 1071 §1): carries are added back at the low end. */
export const fold = (sum: number): number => {
  const once = (sum & 0xffff) + (sum >>> 16)
  return (once & 0xffff) + (once >>> 16)
}

const swap = (folded: number): number => ((folded & 0xff) << 8) | (folded >>> 8)

const sumBytes = (bytes: Uint8Array, start: number, end: number): number => {
  let high = 0
  let low = 0
  let i = start
  for (; i + 8 <= end; i += 8) {
    high += bytes[i]! + bytes[i + 2]! + bytes[i + 4]! + bytes[i + 6]!
    low += bytes[i + 1]! + bytes[i + 3]! + bytes[i + 5]! + bytes[i + 7]!
  }
  for (; i + 2 <= end; i += 2) {
    high += bytes[i]!
    low += bytes[i + 1]!
  }
  if (i < end) high += bytes[i]!
  return (high << 8) + low
}

/** The folded sum of aligned words as the processor reads them. Doubles add without carries to look after. */
const sumRun = (words: Uint32Array, from: number, to: number): number => {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  let i = from
  for (; i + 8 <= to; i += 8) {
    a += words[i]! + words[i + 4]!
    b += words[i + 1]! + words[i + 5]!
    c += words[i + 2]! + words[i + 6]!
    d += words[i + 3]! + words[i + 7]!
  }
  for (; i < to; i++) a += words[i]!
  const total = a + b + c + d
  const high = Math.floor(total / 0x1_0000_0000)
  return fold(fold(high) + fold((total - high * 0x1_0000_0000) | 0))
}

/**
 *     start   first                          last   end
 *     |-lead--|---- aligned 32-bit words ----|-tail-|
 *
 * A lead of odd length puts all that follows it on odd offsets, which asks for one swap more.
 */
const sumWords = (bytes: Uint8Array, start: number, end: number): number => {
  const first = start + (-(bytes.byteOffset + start) & 3)
  const count = (end - first) >>> 2
  const last = first + count * 4
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + first, count)
  let native = 0
  for (let i = 0; i < count; i += runWords) native = fold(native + sumRun(words, i, Math.min(count, i + runWords)))
  const aligned = isLittleEndian ? swap(native) : native
  const rest = fold(aligned + sumBytes(bytes, last, end))
  return sumBytes(bytes, start, first) + (((first - start) & 1) === 0 ? rest : swap(rest))
}

/** The same by vectors, as far as they go. */
const sumVectors = (add: VectorMemory.Add, bytes: Uint8Array, start: number, end: number): number => {
  const last = start + (end - start & -VectorMemory.step)
  let sum = 0
  for (let at = start; at < last; at += VectorMemory.longest) {
    const from = bytes.byteOffset + at
    sum = fold(sum + fold(add(from, from + Math.min(VectorMemory.longest, last - at))))
  }
  return fold(swap(sum) + sumBytes(bytes, last, end))
}

const sumLong = (bytes: Uint8Array, start: number, end: number): number => {
  const add = VectorMemory.adderOf(bytes)
  return add === undefined ? sumWords(bytes, start, end) : sumVectors(add, bytes, start, end)
}

/** Adds the words of `bytes[start..end)` to `initial`. An odd last byte counts as the high half of a word (RFC 1071 §4.1). */
export const sum = (bytes: Uint8Array, start: number, end: number, initial: number): number =>
  fold(fold(initial) + (end - start < viewLimit ? sumBytes(bytes, start, end) : sumLong(bytes, start, end)))

/** The same for a piece whose first byte is the low half of a word of the whole. */
export const sumOdd = (bytes: Uint8Array, start: number, end: number, initial: number): number =>
  fold(fold(initial) + swap(sum(bytes, start, end, 0)))

/** What goes into a checksum field: the complement of the folded sum. */
export const finish = (sum: number): number => fold(sum) ^ 0xffff

/** Whether a range that includes its checksum field is intact; `initial` is the pseudo-header's sum, or 0. */
export const verify = (bytes: Uint8Array, start: number, end: number, initial: number): boolean =>
  sum(bytes, start, end, initial) === 0xffff

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
