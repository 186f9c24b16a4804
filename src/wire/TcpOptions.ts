/**
 * TCP options (RFC 9293 §3.2; window scale and timestamps RFC 7323, SACK RFC 2018 and 2883, fast open RFC 7413, user
 * timeout RFC 5482, accurate ECN RFC 9768).
 *
 *     +------+--------+---------- - -
 *     | kind | length | value           kind 0 ends the list, kind 1 is padding: single octets
 *     +------+--------+---------- - -
 *
 * One flat record says what a segment carries. Of an option that is there twice the last one wins: that is what a plain
 * loop over the options gives, as in the deployed stacks, and so firewalls in between see what the endpoint sees.
 * Unknown options are skipped by their length (rfc: 9293 §3.1 MUST-6), which every other kind has (rfc: 9293 §3.1 MUST-68).
 */
import * as AccurateEcnOption from "./AccurateEcnOption.ts"
import * as Malformed from "./Malformed.ts"
import * as Piece from "./Piece.ts"
import type { Sequence } from "./Sequence.ts"
import * as Word from "./Word.ts"

/** The option-kind octets. */
export const Kind = {
  endOfList: 0,
  noOperation: 1,
  maximumSegmentSize: 2,
  windowScale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamps: 8,
  signature: 19,
  userTimeout: 28,
  authentication: 29,
  fastOpen: 34,
  accurateEcn0: 172,
  accurateEcn1: 174,
  experiment: 254
} as const

/** Data that arrived out of order: `left` is its first sequence number, `right` the one behind its last (RFC 2018 §3). */
export interface SackBlock {
  readonly left: Sequence
  readonly right: Sequence
}

export interface Options {
  readonly maximumSegmentSize: number | undefined
  /** The shift as sent, 0 to 255; above 14 counts as 14 (RFC 7323 §2.3). */
  readonly windowScale: number | undefined
  readonly sackPermitted: boolean
  /** TSval as int32; defined exactly if `timestampEcho` is. */
  readonly timestampValue: number | undefined
  /** TSecr as int32. */
  readonly timestampEcho: number | undefined
  /** At most four (three beside timestamps). */
  readonly sackBlocks: ReadonlyArray<SackBlock>
  /** 4 to 16 bytes, or none, which asks for a cookie (RFC 7413 §4.1.1). */
  readonly fastOpenCookie: Piece.Piece | undefined
  /** The cookie travels in the experimental option that older peers speak (kind 254, 0xf989). */
  readonly fastOpenExperimental: boolean
  readonly accurateEcn: AccurateEcnOption.AccurateEcn | undefined
  /** In seconds; sent in minutes when it is longer than 15 bits hold (RFC 5482 §3.3). */
  readonly userTimeout: number | undefined
  /** A signature was there (RFC 2385, RFC 5925). This stack has no keys: never sent. */
  readonly signed: boolean
}

export const noSackBlocks: ReadonlyArray<SackBlock> = Object.freeze([])

/** No option at all. */
export const none: Options = Object.freeze({
  maximumSegmentSize: undefined,
  windowScale: undefined,
  sackPermitted: false,
  timestampValue: undefined,
  timestampEcho: undefined,
  sackBlocks: noSackBlocks,
  fastOpenCookie: undefined,
  fastOpenExperimental: false,
  accurateEcn: undefined,
  userTimeout: undefined,
  signed: false
})

/** The given options and nothing else. */
export const make = (given: Partial<Options>): Options => ({ ...none, ...given })

/** Timestamps and nothing else, as nearly every segment has them. */
export const timestamps = (value: number, echo: number): Options => ({
  maximumSegmentSize: undefined,
  windowScale: undefined,
  sackPermitted: false,
  timestampValue: value | 0,
  timestampEcho: echo | 0,
  sackBlocks: noSackBlocks,
  fastOpenCookie: undefined,
  fastOpenExperimental: false,
  accurateEcn: undefined,
  userTimeout: undefined,
  signed: false
})

/** Room for options in a header. */
export const maximumLength = 40

const badLength = Malformed.make("Tcp", "BadOption", "length of an option")

/** Of timestamps with their padding. */
export const timestampsLength = 12
/** NOP, NOP, kind 8, length 10: how deployed stacks align timestamps (RFC 7323 appendix A). */
const alignedTimestamps = 0x0101_080a
/** From the registry of experiment identifiers (RFC 7413 §9). */
const fastOpenExperiment = 0xf989

type Building = { -readonly [K in keyof Options]: Options[K] }

const readSackBlocks = (bytes: Uint8Array, start: number, end: number): ReadonlyArray<SackBlock> => {
  const blocks: Array<SackBlock> = []
  for (let at = start; at < end; at += 8) {
    blocks.push({ left: Word.read32(bytes, at), right: Word.read32(bytes, at + 4) })
  }
  return blocks
}

/** RFC 7413 §4.1.1: none, or an even number of bytes from 4 to 16. */
const isCookieLength = (length: number): boolean => length === 0 || (length >= 4 && length <= 16 && (length & 1) === 0)

const readCookie = (into: Building, bytes: Uint8Array, start: number, end: number, experimental: boolean): void => {
  if (!isCookieLength(end - start)) return
  into.fastOpenCookie = { bytes, start, end }
  into.fastOpenExperimental = experimental
}

/** RFC 5482 §3.3: the top bit tells minutes from seconds. Zero is reserved and ignored (rfc: 5482 §3.4 MUST). */
const readUserTimeout = (field: number): number | undefined =>
  (field & 0x7fff) === 0 ? undefined : (field & 0x8000) === 0 ? field : (field & 0x7fff) * 60

/** Options that come seldom; those that are unknown pass untouched. */
const readExtension = (into: Building, bytes: Uint8Array, start: number, length: number): boolean => {
  switch (bytes[start]) {
    case Kind.userTimeout:
      if (length !== 4) return false
      into.userTimeout = readUserTimeout(Word.read16(bytes, start + 2))
      return true
    case Kind.fastOpen:
      readCookie(into, bytes, start + 2, start + length, false)
      return true
    case Kind.experiment:
      if (length >= 4 && Word.read16(bytes, start + 2) === fastOpenExperiment) {
        readCookie(into, bytes, start + 4, start + length, true)
      }
      return true
    case Kind.accurateEcn0:
    case Kind.accurateEcn1:
      into.accurateEcn = AccurateEcnOption.parse(bytes, start, length) ?? into.accurateEcn
      return true
    case Kind.signature:
    case Kind.authentication:
      into.signed = true
      return true
    default:
      return true
  }
}

/** Takes one option into the record; false if its length can't be. */
const read = (into: Building, bytes: Uint8Array, start: number, length: number): boolean => {
  switch (bytes[start]) {
    case Kind.maximumSegmentSize:
      if (length !== 4) return false
      into.maximumSegmentSize = Word.read16(bytes, start + 2)
      return true
    case Kind.windowScale:
      if (length !== 3) return false
      into.windowScale = bytes[start + 2]!
      return true
    case Kind.sackPermitted:
      if (length !== 2) return false
      into.sackPermitted = true
      return true
    case Kind.sack:
      if (length < 10 || (length & 7) !== 2) return false
      into.sackBlocks = readSackBlocks(bytes, start + 2, start + length)
      return true
    case Kind.timestamps:
      if (length !== 10) return false
      into.timestampValue = Word.read32(bytes, start + 2)
      into.timestampEcho = Word.read32(bytes, start + 6)
      return true
    default:
      return readExtension(into, bytes, start, length)
  }
}

/** Reads the options of a header, of any segment and at any octet. A length that can't be spoils the segment (rfc: 9293 §3.1 MUST-4 MUST-5 MUST-7 MUST-64). */
export const parse = (bytes: Uint8Array, start: number, end: number): Options | Malformed.Malformed => {
  if (start === end) return none
  if (end - start === timestampsLength && Word.read32(bytes, start) === alignedTimestamps) {
    return timestamps(Word.read32(bytes, start + 4), Word.read32(bytes, start + 8))
  }
  const options: Building = { ...none }
  let at = start
  while (at < end) {
    const kind = bytes[at]!
    if (kind === Kind.endOfList) break
    if (kind === Kind.noOperation) {
      at++
      continue
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0
    if (length < 2 || length > end - at || !read(options, bytes, at, length)) return badLength
    at += length
  }
  return options
}

/** How an option goes out behind `used` octets of others: its length with the padding before it, 0 if it is absent, and its content. */
interface Writer {
  readonly size: (options: Options, used: number) => number
  readonly write: (options: Options, bytes: Uint8Array, at: number, length: number) => void
}

/** Fills with NOPs, so that no header needs padding behind its options (rfc: 9293 §3.1 MUST-69); ranges of one or two octets, for which `fill` is slow. */
const pad = (bytes: Uint8Array, from: number, to: number): void => {
  for (let at = from; at < to; at++) bytes[at] = Kind.noOperation
}

/** Kind and length as the first two octets of an option that ends where `length` octets do, with NOPs before them; answers where its value begins. */
const head = (kind: number, size: number, length: number, bytes: Uint8Array, at: number): number => {
  const start = at + length - size
  pad(bytes, at, start)
  bytes[start] = kind
  bytes[start + 1] = size
  return start + 2
}

const aligned = (length: number): number => (length + 3) & ~3

/** The length of an option of `size` octets with so many NOPs before it that it ends on a whole word. */
const upToWord = (size: number, used: number): number => size + (-(size + used) & 3)

const maximumSegmentSizeWriter: Writer = {
  size: (options) => options.maximumSegmentSize === undefined ? 0 : 4,
  write: (options, bytes, at, length) =>
    Word.write16(options.maximumSegmentSize!, bytes, head(Kind.maximumSegmentSize, 4, length, bytes, at))
}

/** SACK permitted takes the place of the padding when both are there. */
const timestampsWriter: Writer = {
  size: (options) => options.timestampValue === undefined ? 0 : timestampsLength,
  write: (options, bytes, at, length) => {
    const value = head(Kind.timestamps, 10, length, bytes, at)
    if (options.sackPermitted) head(Kind.sackPermitted, 2, 2, bytes, at)
    Word.write32(options.timestampValue!, bytes, value)
    Word.write32(options.timestampEcho ?? 0, bytes, value + 4)
  }
}

const sackPermittedWriter: Writer = {
  size: (options, used) => options.sackPermitted && options.timestampValue === undefined ? upToWord(2, used) : 0,
  write: (_, bytes, at, length) => void head(Kind.sackPermitted, 2, length, bytes, at)
}

const windowScaleWriter: Writer = {
  size: (options, used) => options.windowScale === undefined ? 0 : upToWord(3, used),
  write: (options, bytes, at, length) => {
    bytes[head(Kind.windowScale, 3, length, bytes, at)] = options.windowScale!
  }
}

const userTimeoutWriter: Writer = {
  // rfc: 5482 §3.4 MUST NOT: zero is never sent.
  size: ({ userTimeout }, used) => userTimeout === undefined || userTimeout < 1 ? 0 : upToWord(4, used),
  write: (options, bytes, at, length) => {
    const seconds = options.userTimeout!
    const field = seconds <= 0x7fff ? seconds : 0x8000 | Math.min(0x7fff, Math.ceil(seconds / 60))
    Word.write16(field, bytes, head(Kind.userTimeout, 4, length, bytes, at))
  }
}

const fastOpenSize = (cookie: Piece.Piece, isExperimental: boolean): number =>
  Piece.size(cookie) + (isExperimental ? 4 : 2)

const fastOpenWriter: Writer = {
  size: ({ fastOpenCookie, fastOpenExperimental }, used) =>
    fastOpenCookie === undefined ? 0 : aligned(used + fastOpenSize(fastOpenCookie, fastOpenExperimental)) - used,
  write: (options, bytes, at, length) => {
    const cookie = options.fastOpenCookie!
    const size = fastOpenSize(cookie, options.fastOpenExperimental)
    let value = head(options.fastOpenExperimental ? Kind.experiment : Kind.fastOpen, size, size, bytes, at)
    if (options.fastOpenExperimental) {
      Word.write16(fastOpenExperiment, bytes, value)
      value += 2
    }
    pad(bytes, Piece.into(cookie, bytes, value), at + length)
  }
}

/** Not aligned: what comes behind has padding before it, in which a part of this fits. */
const accurateEcnWriter: Writer = {
  size: ({ accurateEcn }) => accurateEcn === undefined ? 0 : AccurateEcnOption.size(accurateEcn),
  write: ({ accurateEcn }, bytes, at) => void AccurateEcnOption.emit(accurateEcn!, bytes, at)
}

/** rfc: 2018 §3: as many blocks as there is room for, the first ones first. */
const sackWriter: Writer = {
  size: ({ sackBlocks }, used) => {
    const least = upToWord(2, used)
    const count = Math.min(sackBlocks.length, (maximumLength - used - least) >> 3)
    return count <= 0 ? 0 : least + 8 * count
  },
  write: (options, bytes, at, length) => {
    const size = 2 + 8 * ((length - 2) >> 3)
    let value = head(Kind.sack, size, length, bytes, at)
    for (const block of options.sackBlocks) {
      if (value === at + length) return
      Word.write32(block.left, bytes, value)
      Word.write32(block.right, bytes, value + 4)
      value += 8
    }
  }
}

/** In the order in which Linux sends them, which fingerprinting firewalls know. */
const writers: ReadonlyArray<Writer> = [
  maximumSegmentSizeWriter,
  timestampsWriter,
  accurateEcnWriter,
  sackPermittedWriter,
  windowScaleWriter,
  userTimeoutWriter,
  fastOpenWriter,
  sackWriter
]

const onlyTimestamps = (options: Options): boolean =>
  options.timestampValue !== undefined && options.sackBlocks.length === 0 && !options.sackPermitted &&
  options.maximumSegmentSize === undefined && options.windowScale === undefined &&
  options.accurateEcn === undefined && options.fastOpenCookie === undefined && options.userTimeout === undefined

/** Whether a header has room for all of them. */
export const fits = (options: Options): boolean => {
  let used = 0
  for (const writer of writers) if (writer !== sackWriter) used += writer.size(options, used)
  const { sackBlocks } = options
  const blocks = sackBlocks.length === 0 ? 0 : upToWord(2 + 8 * sackBlocks.length, used)
  return used + blocks <= maximumLength
}

/** In bytes with their padding, a multiple of four, at most 40: what does not fit any more is left out, SACK blocks one by one. */
export const size = (options: Options): number => {
  if (options === none) return 0
  if (onlyTimestamps(options)) return timestampsLength
  let used = 0
  for (const writer of writers) {
    const length = writer.size(options, used)
    if (used + length <= maximumLength) used += length
  }
  return aligned(used)
}

/** Writes the options with their padding. */
export const emit = (options: Options, bytes: Uint8Array, at: number): number => {
  if (options === none) return at
  if (onlyTimestamps(options)) {
    Word.write32(alignedTimestamps, bytes, at)
    Word.write32(options.timestampValue!, bytes, at + 4)
    Word.write32(options.timestampEcho ?? 0, bytes, at + 8)
    return at + timestampsLength
  }
  let used = 0
  for (const writer of writers) {
    const length = writer.size(options, used)
    if (length === 0 || used + length > maximumLength) continue
    writer.write(options, bytes, at + used, length)
    used += length
  }
  const end = at + aligned(used)
  pad(bytes, at + used, end)
  return end
}
