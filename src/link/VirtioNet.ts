/**
 * The virtio-net header that precedes each frame of a link with offload (VIRTIO 1.2 §5.1.6), in its little-endian form.
 *
 * ```
 *    0       1          2           4           6             8              10
 *   | flags | GSO type | header    | GSO size  | checksum    | checksum     |
 *   |       |          | length    |           | start       | offset       |
 * ```
 */
import type { Checksum, Frame, Gso, GsoKind } from "../wire/Frame.ts"
import type { PooledSlab } from "./SlabPool.ts"

export const headerBytes = 10

const needsChecksum = 1
const dataValid = 2

const gsoTypes: Readonly<Record<GsoKind, number>> = { tcp4: 1, tcp6: 4, udp: 5 }

/** The bit that may stand beside the type of a TCP segment whose CWR flag is set. */
const ecnBit = 0x80

const gsoKind = (type: number): GsoKind | undefined => {
  switch (type & ~ecnBit) {
    case 1:
      return "tcp4"
    case 4:
      return "tcp6"
    case 5:
      return "udp"
    default:
      return undefined
  }
}

const read16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8)

const write16 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

const udpHeaderBytes = 8
const tcpDataOffsetAt = 12

/** Bytes up to the transport payload. The kernel's own figure may reach into it, so the transport header is asked. */
const headerLength = (kind: GsoKind, bytes: Uint8Array, start: number, end: number, transportAt: number): number => {
  if (kind === "udp") return transportAt + udpHeaderBytes
  const at = start + transportAt + tcpDataOffsetAt
  return at < end ? transportAt + (bytes[at]! >>> 4) * 4 : end - start
}

/**
 * Cuts the frame that lies behind the header at `at` and ends at `end` from its slab. Undefined if the header promises what
 * is not there: the frame is to be dropped.
 */
export const cut = (slab: PooledSlab, at: number, end: number, length: number): Frame | undefined => {
  const { bytes } = slab
  const start = at + length
  if (start > end) return undefined
  const flags = bytes[at]!
  const type = bytes[at + 1]!
  const partial = (flags & needsChecksum) !== 0
  const checksum: Checksum = partial ? "partial" : (flags & dataValid) !== 0 ? "verified" : "none"
  const checksumStart = partial ? read16(bytes, at + 6) : 0
  const checksumOffset = partial ? read16(bytes, at + 8) : 0
  if (partial && start + checksumStart + checksumOffset + 2 > end) return undefined
  if (type === 0) return slab.cut(start, end, checksum, checksumStart, checksumOffset, undefined)
  const kind = gsoKind(type)
  if (kind === undefined || !partial) return undefined
  const gso: Gso = {
    kind,
    size: read16(bytes, at + 4),
    headerLength: headerLength(kind, bytes, start, end, checksumStart)
  }
  return slab.cut(start, end, checksum, checksumStart, checksumOffset, gso)
}

/** Writes the header of a frame at `at`, `length` octets of it. */
export const emit = (frame: Frame, bytes: Uint8Array, at: number, length: number): void => {
  const { gso } = frame
  const partial = frame.checksum === "partial"
  // A loop: `fill` costs more to call than this takes.
  for (let i = at; i < at + length; i++) bytes[i] = 0
  if (partial) {
    bytes[at] = needsChecksum
    write16(bytes, at + 6, frame.checksumStart)
    write16(bytes, at + 8, frame.checksumOffset)
  }
  if (gso === undefined) return
  bytes[at + 1] = gsoTypes[gso.kind]
  write16(bytes, at + 2, gso.headerLength)
  write16(bytes, at + 4, gso.size)
}
