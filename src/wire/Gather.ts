/**
 * Joins what the stack sends: a finished header and views of payload become one frame, or, from a super-segment, many.
 *
 *     head                pieces                              segments, each with the headers
 *     +----+----+-----+   +--------------+-----------+        [eth ip tcp|payload 0..size)
 *     | eth| ip | tcp | + | chunk        | chunk     |   ──▶  [eth ip tcp|payload size..2·size)
 *     +----+----+-----+   +--------------+-----------+        [eth ip tcp|the rest)
 *
 * Cutting follows what network cards do: each packet gets its own lengths, IPv4 identification, sequence number and
 * checksums; FIN and PSH stay on the last one, CWR on the first (RFC 3168 §6.1.2: one reduction is told once) unless it is a part of a count (RFC 9768).
 */
import * as Checksum from "./Checksum.ts"
import type * as Frame from "./Frame.ts"
import * as IpProtocol from "./IpProtocol.ts"
import * as Piece from "./Piece.ts"
import * as Tcp from "./Tcp.ts"
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
  /** Memory of the core that the head lies in alone, to give back when the frame has been sent; whoever drops the frame may leave it to the collector. */
  readonly block?: Uint8Array | undefined
  /** A received frame's slab, of which the head is a part: whoever keeps the packet for longer than the step keeps the slab, or copies. */
  readonly slab?: Frame.Slab | undefined
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
  const payload = Piece.copyRange(outgoing.head, outgoing.headStart, outgoing.headEnd, bytes, at)
  const end = Piece.joinInto(outgoing.pieces, bytes, payload)
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

/** Moves the cursor to the first byte that it does not stand behind, and tells how many follow in the same piece. */
const settle = (outgoing: Outgoing, cursor: Cursor): number => {
  let end = cursor.piece < 0 ? outgoing.headEnd : outgoing.pieces[cursor.piece]!.end
  while (cursor.offset >= end && cursor.piece + 1 < outgoing.pieces.length) {
    cursor.piece++
    const piece = outgoing.pieces[cursor.piece]!
    cursor.offset = piece.start
    end = piece.end
  }
  return end - cursor.offset
}

const skip = (outgoing: Outgoing, cursor: Cursor, length: number): void => {
  let left = length
  while (left > 0) {
    const count = Math.min(left, settle(outgoing, cursor))
    cursor.offset += count
    left -= count
  }
}

/** Copies the next `length` payload bytes to `bytes[at..]`. */
const take = (outgoing: Outgoing, cursor: Cursor, length: number, bytes: Uint8Array, at: number): void => {
  const end = at + length
  let to = at
  while (to < end) {
    const count = Math.min(end - to, settle(outgoing, cursor))
    const source = cursor.piece < 0 ? outgoing.head : outgoing.pieces[cursor.piece]!.bytes
    to = Piece.copyRange(source, cursor.offset, cursor.offset + count, bytes, to)
    cursor.offset += count
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

const patchTcp = (bytes: Uint8Array, tcp: number, offset: number, keepsCwr: boolean, isLast: boolean): void => {
  Word.write32(Word.read32(bytes, tcp + 4) + offset, bytes, tcp + 4)
  const cleared = (keepsCwr ? 0 : Tcp.CWR) | (isLast ? 0 : Tcp.FIN | Tcp.PSH)
  bytes[tcp + 13] = bytes[tcp + 13]! & ~cleared
}

/** Sum of the pseudo-header but for its length, from the addresses in the header. */
const pseudoWithoutLength = (head: Uint8Array, ip: number, protocol: number): number =>
  head[ip]! >>> 4 === 6
    ? Checksum.sum(head, ip + 8, ip + 40, protocol)
    : Checksum.sum(head, ip + 12, ip + 20, protocol)

/** What all packets of one super-segment have in common. */
interface Cut {
  readonly outgoing: Outgoing
  readonly gso: Frame.Gso
  readonly linkHeaderLength: number
  readonly count: number
  readonly pseudo: number
  readonly complete: boolean
}

/** Writes packet number `index`, which fills `bytes[start..end)`. */
const writeSegment = (cut: Cut, cursor: Cursor, index: number, bytes: Uint8Array, start: number, end: number): void => {
  const { gso, outgoing } = cut
  const payload = Piece.copyRange(
    outgoing.head,
    outgoing.headStart,
    outgoing.headStart + gso.headerLength,
    bytes,
    start
  )
  take(outgoing, cursor, end - payload, bytes, payload)
  patchIp(bytes, start + cut.linkHeaderLength, end, index)
  const transport = start + outgoing.checksumStart
  if (gso.kind === "udp") Word.write16(end - transport, bytes, transport + 4)
  else patchTcp(bytes, transport, index * gso.size, index === 0 || gso.keepsCwr === true, index === cut.count - 1)
  const field = transport + outgoing.checksumOffset
  Word.write16(Checksum.fold(cut.pseudo + end - transport), bytes, field)
  if (cut.complete) Checksum.complete(bytes, transport, end, field)
}

const single = (outgoing: Outgoing, from: number, room: Room, complete: boolean, bounds: Array<number>): number => {
  const start = room.at + room.gap
  if (from > 0 || start + size(outgoing) > room.end) return from
  bounds.push(start, into(outgoing, room.bytes, start, complete))
  return 1
}

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
  const protocol = gso.kind === "udp" ? IpProtocol.udp : IpProtocol.tcp
  const pseudo = pseudoWithoutLength(outgoing.head, outgoing.headStart + linkHeaderLength, protocol)
  const cut: Cut = { outgoing, gso, linkHeaderLength, count, pseudo, complete }
  const total = payloadSize(outgoing, gso)
  const cursor: Cursor = { piece: -1, offset: outgoing.headStart + gso.headerLength }
  skip(outgoing, cursor, Math.min(total, from * gso.size))
  let at = room.at
  for (let index = from; index < count; index++) {
    const start = at + room.gap
    const end = start + gso.headerLength + Math.min(gso.size, total - index * gso.size)
    if (end > room.end) return index
    writeSegment(cut, cursor, index, room.bytes, start, end)
    bounds.push(start, end)
    at = end
  }
  return count
}
