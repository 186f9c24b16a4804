/**
 * Joins what the stack sends: a finished header and views of payload become one frame, or, from a super-segment, many.
 *
 *     head                pieces                              segments, each with the headers
 *     +----+----+-----+   +--------------+-----------+        [eth ip tcp|payload 0..size)
 *     | eth| ip | tcp | + | chunk        | chunk     |   ──▶  [eth ip tcp|payload size..2·size)
 *     +----+----+-----+   +--------------+-----------+        [eth ip tcp|the rest)
 *
 * Cutting follows what network cards do: each packet gets its own lengths, IPv4 identification, sequence number and
 * checksums; FIN and PSH stay on the last one, CWR on the first (RFC 3168 §6.1.2: one reduction is told once).
 */
import * as Checksum from "./Checksum.ts"
import type * as Frame from "./Frame.ts"
import * as IpProtocol from "./IpProtocol.ts"
import * as Piece from "./Piece.ts"
import * as Tcp from "./Tcp.ts"
import * as Udp from "./Udp.ts"
import * as Word from "./Word.ts"

export type { Piece } from "./Piece.ts"

/** A frame in parts. Offsets of the checksum count from `headStart`, as in `Frame`. */
export interface Outgoing {
  readonly head: Uint8Array
  readonly headStart: number
  readonly headEnd: number
  /** Views of immutable chunks, in order, behind the head. */
  readonly pieces: ReadonlyArray<Piece.Piece>
  readonly checksum: Frame.Checksum
  readonly checksumStart: number
  readonly checksumOffset: number
  /** A super-segment's checksum is `"partial"`: that also tells where the transport header begins. */
  readonly gso: Frame.Gso | undefined
}

/** Bytes of the whole frame. */
export const size = (outgoing: Outgoing): number => {
  let total = outgoing.headEnd - outgoing.headStart
  for (const piece of outgoing.pieces) total += piece.end - piece.start
  return total
}

/**
 * Copies the frame to `bytes[at..]` and returns the offset behind it; `complete` also finishes a partial checksum. The
 * caller has checked the room, by {@link size}.
 */
export const into = (outgoing: Outgoing, bytes: Uint8Array, at: number, complete: boolean): number => {
  let end = Piece.copyRange(outgoing.head, outgoing.headStart, outgoing.headEnd, bytes, at)
  for (const piece of outgoing.pieces) end = Piece.copyRange(piece.bytes, piece.start, piece.end, bytes, end)
  if (complete && outgoing.checksum === "partial") {
    const start = at + outgoing.checksumStart
    Checksum.complete(bytes, start, end, start + outgoing.checksumOffset)
  }
  return end
}

/** Where packets go: `bytes[at..end)`, each with `gap` free bytes before it (the link's headroom). */
export interface Room {
  readonly bytes: Uint8Array
  readonly at: number
  readonly end: number
  readonly gap: number
}

const payloadSize = (outgoing: Outgoing, gso: Frame.Gso): number => size(outgoing) - gso.headerLength

/** Packets that the frame is cut into: 1 if it is no super-segment. */
export const segmentCount = (outgoing: Outgoing): number => {
  const gso = outgoing.gso
  return gso === undefined || gso.size < 1 ? 1 : Math.max(1, Math.ceil(payloadSize(outgoing, gso) / gso.size))
}

/** Bytes of slab that all packets of the frame take, with `gap` bytes before each. */
export const segmentsSize = (outgoing: Outgoing, gap: number): number => {
  const count = segmentCount(outgoing)
  const headers = outgoing.gso === undefined ? 0 : outgoing.gso.headerLength * (count - 1)
  return size(outgoing) + headers + gap * count
}

/** A place in the payload: the head's bytes behind the headers come first, then the pieces. */
interface Cursor {
  /** Index of the piece, -1 for the head. */
  piece: number
  /** Offset in that piece's bytes. */
  offset: number
}

/** Copies the next `length` payload bytes; without `bytes` it only moves on. */
const take = (outgoing: Outgoing, cursor: Cursor, length: number, bytes: Uint8Array | undefined, at: number): void => {
  let left = length
  let to = at
  while (left > 0) {
    const piece = outgoing.pieces[cursor.piece]
    const source = piece === undefined ? outgoing.head : piece.bytes
    const sourceEnd = piece === undefined ? outgoing.headEnd : piece.end
    const count = Math.min(left, sourceEnd - cursor.offset)
    if (bytes !== undefined) Piece.copyRange(source, cursor.offset, cursor.offset + count, bytes, to)
    to += count
    left -= count
    cursor.offset += count
    if (left > 0) {
      cursor.piece++
      cursor.offset = outgoing.pieces[cursor.piece]?.start ?? 0
    }
  }
}

/** Lengths, identification and checksum of the IP header of packet number `index` (RFC 791 §3.1, RFC 8200 §3). */
const patchIp = (bytes: Uint8Array, ip: number, end: number, index: number): void => {
  if (bytes[ip]! >>> 4 === 6) {
    Word.write16(end - ip - 40, bytes, ip + 4)
    return
  }
  Word.write16(end - ip, bytes, ip + 2)
  Word.write16(Word.read16(bytes, ip + 4) + index, bytes, ip + 4)
  Word.write16(0, bytes, ip + 10)
  const headerEnd = ip + ((bytes[ip]! & 0xf) << 2)
  Word.write16(Checksum.finish(Checksum.sum(bytes, ip, headerEnd, 0)), bytes, ip + 10)
}

const patchTcp = (bytes: Uint8Array, tcp: number, offset: number, isFirst: boolean, isLast: boolean): void => {
  Word.write32(Word.read32(bytes, tcp + 4) + offset, bytes, tcp + 4)
  const cleared = (isFirst ? 0 : Tcp.CWR) | (isLast ? 0 : Tcp.FIN | Tcp.PSH)
  bytes[tcp + 13] = bytes[tcp + 13]! & ~cleared
}

/** Sum of the pseudo-header but for its length, from the addresses in the header. */
const pseudoWithoutLength = (head: Uint8Array, ip: number, protocol: number): number =>
  head[ip]! >>> 4 === 6
    ? Checksum.sum(head, ip + 8, ip + 40, protocol)
    : Checksum.sum(head, ip + 12, ip + 20, protocol)

/**
 * Cuts a frame into packets, from packet number `from` on, as far as `room` goes, and returns the number of the first
 * packet that found no room: {@link segmentCount} when all are done.
 *
 * Pushes the start and the end of each packet to `bounds`. `linkHeaderLength` is where the IP header begins in the head;
 * `complete` finishes the checksums, otherwise they stay partial. A frame that is no super-segment is one packet.
 */
export const segments = (
  outgoing: Outgoing,
  linkHeaderLength: number,
  from: number,
  room: Room,
  complete: boolean,
  bounds: Array<number>
): number => {
  const gso = outgoing.gso
  const count = segmentCount(outgoing)
  if (gso === undefined || count === 1) return single(outgoing, from, room, complete, bounds)
  const { bytes, gap } = room
  const { headerLength } = gso
  const total = payloadSize(outgoing, gso)
  const isUdp = gso.kind === "udp"
  const pseudo = pseudoWithoutLength(
    outgoing.head,
    outgoing.headStart + linkHeaderLength,
    isUdp ? IpProtocol.udp : IpProtocol.tcp
  )
  const cursor: Cursor = { piece: -1, offset: outgoing.headStart + headerLength }
  take(outgoing, cursor, Math.min(total, from * gso.size), undefined, 0)
  let at = room.at
  for (let index = from; index < count; index++) {
    const start = at + gap
    const offset = index * gso.size
    const length = Math.min(gso.size, total - offset)
    const end = start + headerLength + length
    if (end > room.end) return index
    Piece.copyRange(outgoing.head, outgoing.headStart, outgoing.headStart + headerLength, bytes, start)
    take(outgoing, cursor, length, bytes, start + headerLength)
    patchIp(bytes, start + linkHeaderLength, end, index)
    const transport = start + outgoing.checksumStart
    if (isUdp) Word.write16(end - transport, bytes, transport + 4)
    else patchTcp(bytes, transport, offset, index === 0, index === count - 1)
    const field = transport + (isUdp ? Udp.checksumOffset : Tcp.checksumOffset)
    Word.write16(Checksum.fold(pseudo + end - transport), bytes, field)
    if (complete) Checksum.complete(bytes, transport, end, field)
    bounds.push(start, end)
    at = end
  }
  return count
}

const single = (
  outgoing: Outgoing,
  from: number,
  room: Room,
  complete: boolean,
  bounds: Array<number>
): number => {
  const start = room.at + room.gap
  if (from > 0 || start + size(outgoing) > room.end) return from
  bounds.push(start, into(outgoing, room.bytes, start, complete))
  return 1
}
