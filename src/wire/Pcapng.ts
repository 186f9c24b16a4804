/**
 * Writes capture files that Wireshark reads (IETF draft "PCAP Next Generation (pcapng) Capture File Format").
 *
 * A file is a section header, a description of each interface, then packets; every function here gives one block, and
 * appending them makes the file. Integers are little-endian, times microseconds since 1970.
 *
 *     +------+--------+-----------------+------------------------+--------+
 *     | type | length | fixed fields    | options: code, length, | length |
 *     |      |        | and packet data | value padded to four   |        |
 *     +------+--------+-----------------+------------------------+--------+
 */
import { BlockType, byteOrderMagic, type Direction, OptionCode } from "./PcapngBlock.ts"
import * as Piece from "./Piece.ts"

export { type Contents, type Direction, type Interface, LinkType, type Packet, type Statistics } from "./PcapngBlock.ts"
export { read } from "./PcapReader.ts"

interface Option {
  readonly code: number
  readonly value: Uint8Array
}

const utf8 = new TextEncoder()

/** An option's length has 16 bits; text beyond them is cut. */
const maximumText = 0xffff

const textOption = (code: number, text: string | undefined): ReadonlyArray<Option> =>
  text === undefined ? [] : [{ code, value: utf8.encode(text).subarray(0, maximumText) }]

const write16 = (value: number, bytes: Uint8Array, at: number): void => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

const write32 = (value: number, bytes: Uint8Array, at: number): void => {
  write16(value, bytes, at)
  write16(value >>> 16, bytes, at + 2)
}

const high = (value: number): number => Math.floor(value / 0x1_0000_0000)

/** A time: its high half first, whatever the byte order. */
const writeTime = (at: number, bytes: Uint8Array, offset: number): void => {
  const whole = Math.floor(at)
  write32(high(whole), bytes, offset)
  write32(whole, bytes, offset + 4)
}

const countOption = (code: number, count: number | undefined): ReadonlyArray<Option> => {
  if (count === undefined) return []
  const value = new Uint8Array(8)
  write32(count, value, 0)
  write32(high(count), value, 4)
  return [{ code, value }]
}

const padded = (length: number): number => (length + 3) & ~3

/** A block with room for `bodyLength` bytes after its type and length, which {@link bodyAt} finds; options are written. */
const block = (type: number, bodyLength: number, options: ReadonlyArray<Option>): Uint8Array<ArrayBuffer> => {
  // The list ends with an option of code and length zero.
  const optionsLength = options.reduce((sum, { value }) => sum + 4 + padded(value.length), 0) +
    (options.length === 0 ? 0 : 4)
  const bytes = new Uint8Array(bodyAt + padded(bodyLength) + optionsLength + 4)
  write32(type, bytes, 0)
  write32(bytes.length, bytes, 4)
  let at = bodyAt + padded(bodyLength)
  for (const { code, value } of options) {
    write16(code, bytes, at)
    write16(value.length, bytes, at + 2)
    bytes.set(value, at + 4)
    at += 4 + padded(value.length)
  }
  write32(bytes.length, bytes, bytes.length - 4)
  return bytes
}

const bodyAt = 8

/** The first block of a file. */
export const sectionHeader = (about?: {
  readonly hardware?: string
  readonly system?: string
  readonly application?: string
  readonly comment?: string
}): Uint8Array<ArrayBuffer> => {
  const bytes = block(BlockType.sectionHeader, 16, [
    ...textOption(OptionCode.comment, about?.comment),
    ...textOption(OptionCode.sectionHardware, about?.hardware),
    ...textOption(OptionCode.sectionSystem, about?.system),
    ...textOption(OptionCode.sectionApplication, about?.application)
  ])
  write32(byteOrderMagic, bytes, bodyAt)
  write16(1, bytes, bodyAt + 4)
  // The section's length is not known while it is written: all ones.
  bytes.fill(0xff, bodyAt + 8, bodyAt + 16)
  return bytes
}

/** Describes the next interface; packets name it by its place in the file, counted from 0. */
export const interfaceDescription = (about: {
  readonly linkType: number
  readonly name?: string
  readonly comment?: string
  /** Most bytes of a packet that are kept; 0, the default, for no limit. */
  readonly snapLength?: number
}): Uint8Array<ArrayBuffer> => {
  const bytes = block(BlockType.interfaceDescription, 8, [
    ...textOption(OptionCode.comment, about.comment),
    ...textOption(OptionCode.interfaceName, about.name),
    { code: OptionCode.interfaceTimestampResolution, value: Uint8Array.of(6) }
  ])
  write16(about.linkType, bytes, bodyAt)
  write32(about.snapLength ?? 0, bytes, bodyAt + 4)
  return bytes
}

const flagsOption = (direction: Direction | undefined): ReadonlyArray<Option> =>
  direction === undefined
    ? []
    : [{ code: OptionCode.packetFlags, value: Uint8Array.of(direction === "in" ? 1 : 2, 0, 0, 0) }]

/** One packet, whole or cut. */
export const enhancedPacket = (packet: {
  readonly interface: number
  /** Microseconds since 1970. */
  readonly at: number
  readonly data: Piece.Piece
  /** Of the packet on the wire in bytes, if `data` is only its start. */
  readonly originalLength?: number
  readonly direction?: Direction | undefined
  readonly comments?: ReadonlyArray<string>
}): Uint8Array<ArrayBuffer> => {
  const length = Piece.size(packet.data)
  const bytes = block(BlockType.enhancedPacket, 20 + length, [
    ...(packet.comments ?? []).flatMap((comment) => textOption(OptionCode.comment, comment)),
    ...flagsOption(packet.direction)
  ])
  write32(packet.interface, bytes, bodyAt)
  writeTime(packet.at, bytes, bodyAt + 4)
  write32(length, bytes, bodyAt + 12)
  write32(packet.originalLength ?? length, bytes, bodyAt + 16)
  Piece.into(packet.data, bytes, bodyAt + 20)
  return bytes
}

/** What an interface has counted so far. */
export const interfaceStatistics = (statistics: {
  readonly interface: number
  /** Microseconds since 1970. */
  readonly at: number
  readonly received?: number
  readonly dropped?: number
}): Uint8Array<ArrayBuffer> => {
  const bytes = block(BlockType.interfaceStatistics, 12, [
    ...countOption(OptionCode.statisticsReceived, statistics.received),
    ...countOption(OptionCode.statisticsDropped, statistics.dropped)
  ])
  write32(statistics.interface, bytes, bodyAt)
  writeTime(statistics.at, bytes, bodyAt + 4)
  return bytes
}
