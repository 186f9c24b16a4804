/**
 * Reads capture files: pcapng and classic pcap, of either byte order, sorted out by their first four bytes.
 *
 *     pcapng   [type|length|body ...|length] [type|length|body ...|length] ...      the first is a section header
 *     pcap     [magic, version, snap length, link type] [seconds, fraction, kept, original|bytes] ...
 *
 * Total: garbage gives a verdict. Blocks and options that it does not know are skipped.
 */
import * as Malformed from "./Malformed.ts"
import {
  BlockType,
  byteOrderMagic,
  type Contents,
  type Direction,
  type Interface,
  OptionCode,
  type Packet,
  type Statistics
} from "./PcapngBlock.ts"
import * as Word from "./Word.ts"

const truncated = Malformed.make("Pcapng", "Truncated", "the file ends within a block")
const notACapture = Malformed.make("Pcapng", "BadField", "neither pcapng nor pcap")
const badVersion = Malformed.make("Pcapng", "BadVersion", "major version is not known")
const badLength = Malformed.make("Pcapng", "BadLength", "a length that can't be")
const badInterface = Malformed.make("Pcapng", "BadField", "a packet of an interface that is not described")
const badOption = Malformed.make("Pcapng", "BadOption", "an option is longer than its block")

/** How a file's integers are read. */
interface Order {
  readonly u16: (bytes: Uint8Array, at: number) => number
  readonly u32: (bytes: Uint8Array, at: number) => number
}

const bigEndian: Order = {
  u16: Word.read16,
  u32: (bytes, at) => Word.read32(bytes, at) >>> 0
}

const littleEndian: Order = {
  u16: (bytes, at) => bytes[at]! | (bytes[at + 1]! << 8),
  u32: (bytes, at) => (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

const text = new TextDecoder()

/** What a block needs to know of its interface. */
interface Clocked extends Interface {
  readonly ticksPerMicrosecond: number
  /** Added to every time, in microseconds. */
  readonly offset: number
}

/** A reading in progress. */
interface Reading {
  readonly bytes: Uint8Array
  order: Order
  /** Where the present section's interfaces begin in `interfaces`. */
  firstInterface: number
  readonly interfaces: Array<Clocked>
  readonly packets: Array<Packet>
  readonly statistics: Array<Statistics>
}

type Verdict = Malformed.Malformed | undefined

/** Calls `visit` with each option between `start` and `end`. */
const eachOption = (
  { bytes, order }: Reading,
  start: number,
  end: number,
  visit: (code: number, start: number, end: number) => void
): Verdict => {
  let at = start
  while (at + 4 <= end) {
    const code = order.u16(bytes, at)
    if (code === OptionCode.endOfOptions) return undefined
    const valueStart = at + 4
    const valueEnd = valueStart + order.u16(bytes, at + 2)
    if (valueEnd > end) return badOption
    visit(code, valueStart, valueEnd)
    at = valueStart + ((valueEnd - valueStart + 3) & ~3)
  }
  return undefined
}

/** A 64-bit count in the file's byte order (low half first if little-endian); exact up to 2^53. */
const read64 = ({ bytes, order }: Reading, at: number): number =>
  order === bigEndian
    ? order.u32(bytes, at) * 0x1_0000_0000 + order.u32(bytes, at + 4)
    : order.u32(bytes, at + 4) * 0x1_0000_0000 + order.u32(bytes, at)

/** Times are a pair of halves, the high one first, in both byte orders. */
const readTime = ({ bytes, order }: Reading, at: number, clock: Clocked): number =>
  (order.u32(bytes, at) * 0x1_0000_0000 + order.u32(bytes, at + 4)) / clock.ticksPerMicrosecond + clock.offset

/** The resolution octet: a power of ten, or of two with the top bit. */
const ticksPerMicrosecond = (octet: number): number =>
  (octet & 0x80) === 0 ? 10 ** (octet - 6) : 2 ** (octet & 0x7f) / 1e6

const readSection = (reading: Reading, start: number, end: number): Verdict => {
  if (end - start < 16) return badLength
  if (reading.order.u16(reading.bytes, start + 4) !== 1) return badVersion
  reading.firstInterface = reading.interfaces.length
  return undefined
}

const readInterface = (reading: Reading, start: number, end: number): Verdict => {
  if (end - start < 8) return badLength
  const { bytes, order } = reading
  let name: string | undefined = undefined
  let ticks = 1
  let offset = 0
  const verdict = eachOption(reading, start + 8, end, (code, from, to) => {
    if (code === OptionCode.interfaceName) name = text.decode(bytes.subarray(from, to))
    if (code === OptionCode.interfaceTimestampResolution && to > from) ticks = ticksPerMicrosecond(bytes[from]!)
    if (code === OptionCode.interfaceTimestampOffset && to - from === 8) offset = read64(reading, from) * 1e6
  })
  if (verdict !== undefined) return verdict
  const linkType = order.u16(bytes, start)
  const snapLength = order.u32(bytes, start + 4)
  reading.interfaces.push({ linkType, name, snapLength, ticksPerMicrosecond: ticks, offset })
  return undefined
}

const directions: ReadonlyArray<Direction | undefined> = [undefined, "in", "out", undefined]

const readEnhancedPacket = (reading: Reading, start: number, end: number): Verdict => {
  if (end - start < 20) return badLength
  const { bytes, order } = reading
  const index = reading.firstInterface + order.u32(bytes, start)
  const clock = reading.interfaces[index]
  if (clock === undefined) return badInterface
  const dataStart = start + 20
  const dataEnd = dataStart + order.u32(bytes, start + 12)
  if (dataEnd > end) return badLength
  const comments: Array<string> = []
  let direction: Direction | undefined = undefined
  const options = dataStart + ((dataEnd - dataStart + 3) & ~3)
  const verdict = eachOption(reading, options, end, (code, from, to) => {
    if (code === OptionCode.comment) comments.push(text.decode(bytes.subarray(from, to)))
    if (code === OptionCode.packetFlags && to - from === 4) direction = directions[order.u32(bytes, from) & 3]
  })
  if (verdict !== undefined) return verdict
  reading.packets.push({
    bytes,
    start: dataStart,
    end: dataEnd,
    interface: index,
    at: readTime(reading, start + 4, clock),
    originalLength: order.u32(bytes, start + 16),
    direction,
    comments
  })
  return undefined
}

const readSimplePacket = (reading: Reading, start: number, end: number): Verdict => {
  if (end - start < 4) return badLength
  const { bytes, firstInterface, order } = reading
  const of = reading.interfaces[firstInterface]
  if (of === undefined) return badInterface
  const originalLength = order.u32(bytes, start)
  const kept = of.snapLength === 0 ? originalLength : Math.min(originalLength, of.snapLength)
  const dataStart = start + 4
  if (dataStart + kept > end) return badLength
  reading.packets.push({
    bytes,
    start: dataStart,
    end: dataStart + kept,
    interface: firstInterface,
    at: undefined,
    originalLength,
    direction: undefined,
    comments: []
  })
  return undefined
}

const readStatistics = (reading: Reading, start: number, end: number): Verdict => {
  if (end - start < 12) return badLength
  const index = reading.firstInterface + reading.order.u32(reading.bytes, start)
  const clock = reading.interfaces[index]
  if (clock === undefined) return badInterface
  let received: number | undefined = undefined
  let dropped: number | undefined = undefined
  const verdict = eachOption(reading, start + 12, end, (code, from, to) => {
    if (to - from !== 8) return
    if (code === OptionCode.statisticsReceived) received = read64(reading, from)
    if (code === OptionCode.statisticsDropped) dropped = read64(reading, from)
  })
  if (verdict !== undefined) return verdict
  reading.statistics.push({ interface: index, at: readTime(reading, start + 4, clock), received, dropped })
  return undefined
}

const readBlock = (reading: Reading, type: number, start: number, end: number): Verdict => {
  switch (type) {
    case BlockType.sectionHeader:
      return readSection(reading, start, end)
    case BlockType.interfaceDescription:
      return readInterface(reading, start, end)
    case BlockType.enhancedPacket:
      return readEnhancedPacket(reading, start, end)
    case BlockType.simplePacket:
      return readSimplePacket(reading, start, end)
    case BlockType.interfaceStatistics:
      return readStatistics(reading, start, end)
    default:
      return undefined
  }
}

/** A section header settles the byte order of everything up to the next one, its own length included. */
const orderOfSection = (bytes: Uint8Array, at: number): Order | undefined =>
  bigEndian.u32(bytes, at + 8) === byteOrderMagic
    ? bigEndian
    : littleEndian.u32(bytes, at + 8) === byteOrderMagic
    ? littleEndian
    : undefined

const readPcapng = (bytes: Uint8Array): Contents | Malformed.Malformed => {
  const reading: Reading = {
    bytes,
    order: littleEndian,
    firstInterface: 0,
    interfaces: [],
    packets: [],
    statistics: []
  }
  for (let at = 0; at < bytes.length;) {
    if (at + 12 > bytes.length) return truncated
    // The section header's type reads the same in both byte orders.
    if (bigEndian.u32(bytes, at) === BlockType.sectionHeader) {
      const order = orderOfSection(bytes, at)
      if (order === undefined) return notACapture
      reading.order = order
    }
    const length = reading.order.u32(bytes, at + 4)
    if (length < 12 || length % 4 !== 0) return badLength
    const end = at + length
    if (end > bytes.length) return truncated
    if (reading.order.u32(bytes, end - 4) !== length) return badLength
    const verdict = readBlock(reading, reading.order.u32(bytes, at), at + 8, end - 4)
    if (verdict !== undefined) return verdict
    at = end
  }
  const interfaces = reading.interfaces.map(({ linkType, name, snapLength }) => ({ linkType, name, snapLength }))
  return { interfaces, packets: reading.packets, statistics: reading.statistics }
}

const pcapMicroseconds = 0xa1b2_c3d4
const pcapNanoseconds = 0xa1b2_3c4d
const pcapHeaderLength = 24
const pcapRecordLength = 16

const readPcap = (bytes: Uint8Array, order: Order): Contents | Malformed.Malformed => {
  if (bytes.length < pcapHeaderLength) return truncated
  if (order.u16(bytes, 4) !== 2) return badVersion
  const fractionsPerMicrosecond = order.u32(bytes, 0) === pcapNanoseconds ? 1000 : 1
  // The upper bits of the link type tell of frame check sequences.
  const linkType = order.u32(bytes, 20) & 0xffff
  const packets: Array<Packet> = []
  for (let at = pcapHeaderLength; at < bytes.length;) {
    const start = at + pcapRecordLength
    if (start > bytes.length) return truncated
    const end = start + order.u32(bytes, at + 8)
    if (end > bytes.length) return truncated
    packets.push({
      bytes,
      start,
      end,
      interface: 0,
      at: order.u32(bytes, at) * 1e6 + order.u32(bytes, at + 4) / fractionsPerMicrosecond,
      originalLength: order.u32(bytes, at + 12),
      direction: undefined,
      comments: []
    })
    at = end
  }
  return { interfaces: [{ linkType, name: undefined, snapLength: order.u32(bytes, 16) }], packets, statistics: [] }
}

/** Reads a whole file. Packets are ranges of `bytes`, not copies. */
export const read = (bytes: Uint8Array): Contents | Malformed.Malformed => {
  if (bytes.length < 4) return truncated
  if (bigEndian.u32(bytes, 0) === BlockType.sectionHeader) return readPcapng(bytes)
  for (const order of [littleEndian, bigEndian]) {
    const magic = order.u32(bytes, 0)
    if (magic === pcapMicroseconds || magic === pcapNanoseconds) return readPcap(bytes, order)
  }
  return notACapture
}
