/**
 * The laws of a codec, each applied by one line per protocol. Everything random comes from a seed, so a failure repeats.
 */
import { assert, it } from "@effect/vitest"
import * as Malformed from "../../src/wire/Malformed.ts"

/** A small generator (mulberry32), good enough to pick test values. */
export interface Random {
  /** 0 to `limit - 1` */
  readonly int: (limit: number) => number
  readonly int32: () => number
  readonly boolean: () => boolean
  readonly bytes: (length: number) => Uint8Array<ArrayBuffer>
  readonly of: <A>(...choices: ReadonlyArray<A>) => A
  readonly maybe: <A>(make: () => A) => A | undefined
  readonly list: <A>(limit: number, make: () => A) => ReadonlyArray<A>
}

export const random = (seed: number): Random => {
  let state = seed | 0
  const int32 = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) | 0
  }
  const int = (limit: number): number => Math.floor(((int32() >>> 0) / 0x1_0000_0000) * limit)
  const boolean = (): boolean => int(2) === 1
  return {
    int,
    int32,
    boolean,
    bytes: (length) => Uint8Array.from({ length }, () => int(256)),
    of: (...choices) => choices[int(choices.length)]!,
    maybe: (make) => boolean() ? make() : undefined,
    list: (limit, make) => Array.from({ length: int(limit + 1) }, make)
  }
}

/** All parts, one behind the other. */
export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** What the laws need to know of a codec. */
export interface Codec<Fields> {
  readonly name: string
  readonly parse: (bytes: Uint8Array, start: number, end: number) => unknown
  readonly size: (fields: Fields) => number
  readonly emit: (fields: Fields, bytes: Uint8Array, at: number) => number
  readonly random: (random: Random) => Fields
  /** Bytes that a header promises to be behind it; none by default. */
  readonly payload?: (fields: Fields) => number
  /** Makes a written packet ready for `parse`: finishes a checksum, say. */
  readonly seal?: (bytes: Uint8Array, start: number, end: number) => void
  /** Shorter lengths that are legal, since nothing in the packet says how long it is. */
  readonly mayEnd?: (fields: Fields, length: number) => boolean
}

const rounds = 200

/** Ranges of bytes compare by content, everything else as it is; only what `expected` has counts. */
export const project = (expected: unknown, actual: unknown): unknown => {
  if (typeof actual !== "object" || actual === null) return actual
  const record = actual as Record<string, unknown>
  if (record["bytes"] instanceof Uint8Array) {
    return Array.from(record["bytes"].slice(record["start"] as number, record["end"] as number))
  }
  if (actual instanceof Uint8Array) return Array.from(actual)
  if (Array.isArray(actual)) return actual.map((item, i) => project((expected as Array<unknown>)?.[i], item))
  if (Malformed.isMalformed(actual)) return { _tag: actual._tag, reason: actual.reason, detail: actual.detail }
  const keys = typeof expected === "object" && expected !== null ? Object.keys(expected) : Object.keys(record)
  return Object.fromEntries(
    keys.map((key) => [key, project((expected as Record<string, unknown>)?.[key], record[key])])
  )
}

const assertSame = (actual: unknown, expected: unknown, message: string): void =>
  assert.deepStrictEqual(project(expected, actual), project(expected, expected), message)

interface Written {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly start: number
  readonly end: number
}

/** Writes into a dirty buffer, with room on both sides. */
const write = <Fields>(codec: Codec<Fields>, fields: Fields, source: Random): Written => {
  const length = codec.size(fields) + (codec.payload?.(fields) ?? 0)
  const start = source.int(8)
  const bytes = source.bytes(start + length + source.int(8))
  codec.emit(fields, bytes, start)
  codec.seal?.(bytes, start, start + length)
  return { bytes, start, end: start + length }
}

/** Where a representation says that something lies must be within what was parsed. */
const assertInside = (parsed: unknown, start: number, end: number): void => {
  if (Malformed.isMalformed(parsed) || typeof parsed !== "object" || parsed === null) return
  const { payloadEnd, payloadStart } = parsed as { payloadStart?: number; payloadEnd?: number }
  if (payloadStart === undefined || payloadEnd === undefined) return
  assert.isTrue(start <= payloadStart && payloadStart <= payloadEnd && payloadEnd <= end, "payload lies inside")
}

/** Parse gives back what was emitted, whatever lies around it. */
export const roundTrips = <Fields>(codec: Codec<Fields>): void =>
  it(`${codec.name}: parse gives back what emit wrote`, () => {
    const source = random(1)
    for (let i = 0; i < rounds; i++) {
      const fields = codec.random(source)
      const { bytes, end, start } = write(codec, fields, source)
      const parsed = codec.parse(bytes, start, end)
      assertSame(parsed, fields, `round ${i}`)
      assertInside(parsed, start, end)
    }
  })

/** Emit writes exactly `size` bytes, the same ones whatever was there before. */
export const writesItsSize = <Fields>(codec: Codec<Fields>): void =>
  it(`${codec.name}: emit writes exactly its size into a dirty buffer`, () => {
    const source = random(2)
    for (let i = 0; i < rounds; i++) {
      const fields = codec.random(source)
      const length = codec.size(fields)
      const before = source.bytes(length + 16)
      const after = before.slice()
      assert.strictEqual(codec.emit(fields, after, 8), 8 + length)
      assert.deepStrictEqual(after.subarray(0, 8), before.subarray(0, 8), "nothing before")
      assert.deepStrictEqual(after.subarray(8 + length), before.subarray(8 + length), "nothing behind")
      const inverse = before.map((byte) => byte ^ 0xff)
      codec.emit(fields, inverse, 8)
      assert.deepStrictEqual(inverse.subarray(8, 8 + length), after.subarray(8, 8 + length), "every byte is written")
    }
  })

/** Every shorter range is `Truncated`, but for the lengths that the codec declares legal. */
export const noticesTruncation = <Fields>(codec: Codec<Fields>): void =>
  it(`${codec.name}: every truncation fails as Truncated`, () => {
    const source = random(3)
    for (let i = 0; i < rounds / 4; i++) {
      const fields = codec.random(source)
      const { bytes, end, start } = write(codec, fields, source)
      for (let length = 0; length < end - start; length++) {
        if (codec.mayEnd?.(fields, length) === true) continue
        const parsed = codec.parse(bytes, start, start + length)
        assert.strictEqual(Malformed.isMalformed(parsed) && parsed.reason, "Truncated", `${length} bytes`)
      }
    }
  })

/** Random bytes, and packets with a few bytes changed, give a representation or a verdict, and no range outside. */
export const neverThrows = <Fields>(codec: Codec<Fields>): void =>
  it(`${codec.name}: parse never throws on any bytes`, () => {
    const source = random(4)
    for (let i = 0; i < rounds * 4; i++) {
      const bytes = source.bytes(source.int(120))
      const start = source.int(bytes.length + 1)
      const end = start + source.int(bytes.length - start + 1)
      assertInside(codec.parse(bytes, start, end), start, end)
      const packet = write(codec, codec.random(source), source)
      for (let n = source.int(4); n >= 0; n--) {
        packet.bytes[packet.start + source.int(packet.end - packet.start)] = source.int(256)
      }
      assertInside(codec.parse(packet.bytes, packet.start, packet.end), packet.start, packet.end)
    }
  })

/** All of them. */
export const holdFor = <Fields>(codec: Codec<Fields>): void => {
  roundTrips(codec)
  writesItsSize(codec)
  noticesTruncation(codec)
  neverThrows(codec)
}

/** A packet under a checksum: intact it passes, and with any single bit flipped it does not. */
export const noticesBitFlips = (
  name: string,
  isIntact: (bytes: Uint8Array, start: number, end: number) => boolean,
  packet: Uint8Array
): void =>
  it(`${name}: every single bit flip under the checksum fails`, () => {
    assert.isTrue(isIntact(packet, 0, packet.length), "intact as given")
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const flipped = packet.slice()
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (0x80 >> (bit & 7))
      assert.isFalse(isIntact(flipped, 0, flipped.length), `bit ${bit}`)
    }
  })
