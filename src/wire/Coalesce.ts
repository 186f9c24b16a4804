/**
 * Merges received TCP segments that continue each other into one large segment, as network cards and kernels do, so that the core
 * decides, and acknowledges, once per batch instead of once per packet.
 *
 *     [eth ip tcp|text 1][eth ip tcp|text 2][eth ip tcp|text 3]   ──▶   [eth ip tcp|text 1|text 2|text 3]
 *
 * Frames are merged in place, in the slab that they lie in: only neighbours in the batch that are neighbours in the slab, whose
 * headers agree in all but length, identification, sequence number, checksum and PSH, and whose checksums are right. Nothing is
 * reordered, and nothing else is touched: what cannot be merged is handed on as it is.
 */
import * as Checksum from "./Checksum.ts"
import * as Ethernet from "./Ethernet.ts"
import type { Frame } from "./Frame.ts"
import * as IpProtocol from "./IpProtocol.ts"
import * as Sequence from "./Sequence.ts"
import * as Tcp from "./Tcp.ts"
import * as Word from "./Word.ts"

/** The total length of an IPv4 packet has 16 bits (RFC 791 §3.1). */
const longestPacket = 0xffff
/** Flags and offset but for "don't fragment": anything there is a fragment. */
const fragmentBits = 0x3fff

/** A segment that may be continued, and what has been appended to it so far. */
interface Run {
  readonly frame: Frame
  readonly ip: number
  readonly tcp: number
  readonly text: number
  /** Text bytes of each packet; a shorter one ends the run. */
  readonly size: number
  /** Behind the last byte. */
  end: number
  /** The sequence number that continues it. */
  next: Sequence.Sequence
  packets: number
  isFull: boolean
  push: number
}

/** Where the TCP header begins, if the packet is a whole one without IP options or extension headers; 0 if not. */
const transportAt = (bytes: Uint8Array, ip: number, end: number): number => {
  if (end - ip < 40) return 0
  if (bytes[ip] === 0x45) {
    const isPlain = bytes[ip + 9] === IpProtocol.tcp && (Word.read16(bytes, ip + 6) & fragmentBits) === 0
    return isPlain ? ip + 20 : 0
  }
  return bytes[ip]! >>> 4 === 6 && bytes[ip + 6] === IpProtocol.tcp ? ip + 40 : 0
}

const packetEnd = (bytes: Uint8Array, ip: number): number =>
  bytes[ip]! >>> 4 === 4 ? ip + Word.read16(bytes, ip + 2) : ip + 40 + Word.read16(bytes, ip + 4)

/** Whether the checksums are right, of the IPv4 header and of the segment. */
const isIntact = (bytes: Uint8Array, ip: number, tcp: number, end: number): boolean => {
  const isV4 = tcp - ip === 20
  if (isV4 && !Checksum.verify(bytes, ip, tcp, 0)) return false
  const pseudo = Checksum.sum(bytes, isV4 ? ip + 12 : ip + 8, tcp, IpProtocol.tcp + end - tcp)
  return Checksum.verify(bytes, tcp, end, pseudo)
}

/** The frame as the beginning of a run, if it is text with nothing special about it. */
const begin = (frame: Frame, linkHeaderLength: number): Run | undefined => {
  const { bytes, start } = frame
  if (frame.slab === undefined || frame.gso !== undefined || frame.end - start < linkHeaderLength + 40) return undefined
  if (linkHeaderLength === Ethernet.headerLength) {
    const type = Word.read16(bytes, start + 12)
    if (type !== Ethernet.EtherType.ipv4 && type !== Ethernet.EtherType.ipv6) return undefined
  }
  const ip = start + linkHeaderLength
  const tcp = transportAt(bytes, ip, frame.end)
  if (tcp === 0) return undefined
  const end = packetEnd(bytes, ip)
  const text = tcp + ((bytes[tcp + 12]! >>> 2) & 0x3c)
  if (end > frame.end || text - tcp < Tcp.minimumHeaderLength || text >= end) return undefined
  const flags = bytes[tcp + 13]!
  if ((flags & ~Tcp.PSH) !== Tcp.ACK || (bytes[tcp + 12]! & 0xf) !== 0) return undefined
  if (frame.checksum === "none" && !isIntact(bytes, ip, tcp, end)) return undefined
  const next = Sequence.add(Word.read32(bytes, tcp + 4), end - text)
  return { frame, ip, tcp, text, size: end - text, end, next, packets: 1, isFull: false, push: flags & Tcp.PSH }
}

const areEqual = (bytes: Uint8Array, a: number, b: number, length: number): boolean => {
  for (let i = 0; i < length; i++) {
    if (bytes[a + i] !== bytes[b + i]) return false
  }
  return true
}

/** Whether both headers say the same but for length, identification, sequence number, checksum and PSH. */
const agree = (bytes: Uint8Array, a: Run, b: Run): boolean => {
  const header = a.text - a.tcp
  if (b.text - b.tcp !== header || a.tcp - a.ip !== b.tcp - b.ip) return false
  const isV4 = a.tcp - a.ip === 20
  const areAlike = isV4
    ? areEqual(bytes, a.ip, b.ip, 2) && areEqual(bytes, a.ip + 6, b.ip + 6, 4) &&
      areEqual(bytes, a.ip + 12, b.ip + 12, 8)
    : areEqual(bytes, a.ip, b.ip, 4) && areEqual(bytes, a.ip + 6, b.ip + 6, 34)
  return areAlike && areEqual(bytes, a.frame.start, b.frame.start, a.ip - a.frame.start) &&
    // Ports; acknowledgment number and header length; window; urgent pointer and options.
    areEqual(bytes, a.tcp, b.tcp, 4) && areEqual(bytes, a.tcp + 8, b.tcp + 8, 5) &&
    areEqual(bytes, a.tcp + 14, b.tcp + 14, 2) && areEqual(bytes, a.tcp + 18, b.tcp + 18, header - 18)
}

const continues = (run: Run, other: Run): boolean =>
  !run.isFull && other.frame.bytes === run.frame.bytes && other.frame.slab === run.frame.slab &&
  other.frame.checksum === run.frame.checksum &&
  other.frame.start >= run.end && Word.read32(other.frame.bytes, other.tcp + 4) === run.next &&
  other.size <= run.size && run.end - run.ip + other.size <= longestPacket && agree(run.frame.bytes, run, other)

const append = (run: Run, other: Run): void => {
  run.frame.bytes.copyWithin(run.end, other.text, other.end)
  run.end += other.size
  run.next = other.next
  run.packets += 1
  run.isFull = other.size < run.size
  run.push |= other.push
}

/** A packet on its own. What has been verified need not be verified again; a checksum that is to be completed stays so. */
const alone = ({ end, frame }: Run): Frame => ({
  ...frame,
  end,
  checksum: frame.checksum === "none" ? "verified" : frame.checksum,
  slab: undefined
})

/** The frame of a run: the first one's headers with the length of all. */
const finish = (run: Run): Frame => {
  if (run.packets === 1) return alone(run)
  const { bytes, start } = run.frame
  const frame = { bytes, start, end: run.end, checksum: "verified", checksumStart: 0, checksumOffset: 0 } as const
  const isV4 = run.tcp - run.ip === 20
  if (isV4) {
    Word.write16(run.end - run.ip, bytes, run.ip + 2)
    Word.write16(0, bytes, run.ip + 10)
    Word.write16(Checksum.finish(Checksum.sum(bytes, run.ip, run.tcp, 0)), bytes, run.ip + 10)
  } else {
    Word.write16(run.end - run.tcp, bytes, run.ip + 4)
  }
  bytes[run.tcp + 13] = Tcp.ACK | run.push
  const gso = { kind: isV4 ? "tcp4" : "tcp6", size: run.size, headerLength: run.text - start } as const
  // Its text is copied to its reader soon, and the slab is warm again sooner for that.
  return { ...frame, gso, slab: undefined }
}

/** Where the IP packet begins, if the frame is one; -1 if not. */
const packetAt = ({ bytes, start }: Frame, linkHeaderLength: number): number => {
  if (linkHeaderLength === Ethernet.headerLength) {
    const type = Word.read16(bytes, start + 12)
    if (type !== Ethernet.EtherType.ipv4 && type !== Ethernet.EtherType.ipv6) return -1
  }
  return start + linkHeaderLength
}

/** Whether a link vouches for the frame, and it holds text that nothing is special about. */
const isPlainText = (frame: Frame, tcp: number, end: number): boolean => {
  const { bytes } = frame
  return tcp !== 0 && end <= frame.end && frame.checksum !== "none" &&
    textAt(bytes, tcp) >= tcp + Tcp.minimumHeaderLength && textAt(bytes, tcp) < end &&
    (bytes[tcp + 13]! & ~Tcp.PSH) === Tcp.ACK
}

const textAt = (bytes: Uint8Array, tcp: number): number => tcp + ((bytes[tcp + 12]! >>> 2) & 0x3c)

const areSame = (a: Uint8Array, from: number, b: Uint8Array, at: number, length: number): boolean => {
  for (let i = 0; i < length; i++) {
    if (a[from + i] !== b[at + i]) return false
  }
  return true
}

/**
 * Whether `next` brings the text right behind that of `frame`, in the same flow, and both are sound: who takes the one takes the other. For frames that
 * {@link merge} has answered, which are too long, or too far from each other, to be one.
 */
export const isFollowed = (frame: Frame, next: Frame, linkHeaderLength: number): boolean => {
  const shortest = linkHeaderLength + 40
  if (frame.end - frame.start < shortest || next.end - next.start < shortest) return false
  const a = packetAt(frame, linkHeaderLength)
  const b = packetAt(next, linkHeaderLength)
  if (a < 0 || b < 0) return false
  const tcp = transportAt(frame.bytes, a, frame.end)
  const nextTcp = transportAt(next.bytes, b, next.end)
  const end = packetEnd(frame.bytes, a)
  if (!isPlainText(frame, tcp, end) || !isPlainText(next, nextTcp, packetEnd(next.bytes, b))) return false
  const addresses = tcp - a === 20 ? 8 : 32
  const length = end - textAt(frame.bytes, tcp)
  return nextTcp - b === tcp - a &&
    areSame(frame.bytes, tcp - addresses, next.bytes, nextTcp - addresses, addresses + 4) &&
    Word.read32(next.bytes, nextTcp + 4) === Sequence.add(Word.read32(frame.bytes, tcp + 4), length)
}

/**
 * The frames in order, with those merged that continue each other. The caller owns the bytes of all frames that have a slab, and
 * releases the frames that it gave, not the answer's: what was looked at has no slab. A frame on its own comes back as it went in.
 */
export const merge = (frames: ReadonlyArray<Frame>, linkHeaderLength: number): ReadonlyArray<Frame> => {
  const merged: Array<Frame> = []
  let run: Run | undefined
  for (const frame of frames) {
    const next = begin(frame, linkHeaderLength)
    if (run !== undefined && next !== undefined && continues(run, next)) {
      append(run, next)
      continue
    }
    if (run !== undefined) merged.push(finish(run))
    run = next
    if (next === undefined) merged.push(frame)
  }
  if (run !== undefined) merged.push(finish(run))
  return merged
}
