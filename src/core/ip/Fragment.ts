/**
 * Cutting a packet that is larger than its path (RFC 791 §3.2): the same message as several packets, each with a header of its own.
 *
 *     message   [ transport header | payload … ]                    ranges of immutable bytes, never copied
 *     packets   [ip 0      ][ip 1480   ][ip 2960 ]                  all but the last a multiple of eight octets
 */
import * as Checksum from "../../wire/Checksum.ts"
import type { Piece } from "../../wire/Piece.ts"

/** Bytes `from` to `to` of the pieces as if they were one, as views. */
export const slice = (pieces: ReadonlyArray<Piece>, from: number, to: number): ReadonlyArray<Piece> => {
  const found: Array<Piece> = []
  let at = 0
  for (const { bytes, end, start } of pieces) {
    const next = at + end - start
    const low = Math.max(from, at)
    const high = Math.min(to, next)
    if (low < high) found.push({ bytes, start: start + low - at, end: start + high - at })
    at = next
  }
  return found
}

export const size = (pieces: ReadonlyArray<Piece>): number => {
  let total = 0
  for (const piece of pieces) total += piece.end - piece.start
  return total
}

/** The checksum over all pieces, of which the first holds the partial sum in its field; nobody can complete it once the message is cut. */
export const checksumOf = (pieces: ReadonlyArray<Piece>): number => {
  let sum = 0
  let isOdd = false
  for (const { bytes, end, start } of pieces) {
    sum = isOdd ? Checksum.sumOdd(bytes, start, end, sum) : Checksum.sum(bytes, start, end, sum)
    isOdd = isOdd !== ((end - start) % 2 === 1)
  }
  // Zero goes out in its other form, as everywhere (RFC 768).
  return Checksum.finish(sum) || 0xffff
}

/** Payload bytes of all fragments but the last: what fits behind the header, rounded down to eight octets. */
export const payloadOf = (mtu: number, headerLength: number): number => (mtu - headerLength) & ~7
