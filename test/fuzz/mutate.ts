/**
 * Small damage to a frame: what a bad wire, a bad program or a bad person does to it.
 */
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import type { Random } from "./Random.ts"

/** Values at which lengths, offsets and counters turn over. */
const edges = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 19, 20, 21, 28, 40, 60, 63, 64, 127, 128, 254, 255] as const
const edges16 = [
  0,
  1,
  7,
  8,
  19,
  20,
  536,
  1460,
  1500,
  0x1fff,
  0x2000,
  0x3fff,
  0x4000,
  0x7fff,
  0x8000,
  0xfffe,
  0xffff
] as const
const edges32 = [0, 1, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff] as const

/** Headers are where damage counts: most of it goes to the first bytes. */
const place = (random: Random, end: number): number => random.below(random.chance(0.85) ? Math.min(end, 80) : end)

const put = (bytes: Uint8Array, at: number, size: number, end: number, value: number): void => {
  for (let i = 0; i < size && at + i < end; i++) bytes[at + i] = value >>> (8 * (size - 1 - i))
}

type Damage = (frame: Frames.Buffer, random: Random) => void

const flipBit: Damage = ({ bytes, end }, random) => {
  const at = place(random, end)
  bytes[at] = bytes[at]! ^ (1 << random.below(8))
}

const setByte: Damage = ({ bytes, end }, random) => {
  bytes[place(random, end)] = random.chance(0.5) ? random.pick(edges) : random.next()
}

const setWord: Damage = ({ bytes, end }, random) => put(bytes, place(random, end), 2, end, random.pick(edges16))

const setLong: Damage = ({ bytes, end }, random) => put(bytes, place(random, end), 4, end, random.pick(edges32))

/** Counts a 32-bit field up or down a little: sequence numbers at the edge of a window. */
const nudge: Damage = ({ bytes, end }, random) => {
  const at = place(random, end) & ~1
  if (at + 4 > end) return
  const value = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  put(bytes, at, 4, end, value + random.between(-3, 3))
}

const truncate: Damage = (frame, random) => {
  frame.end = random.below(frame.end + 1)
}

const extend: Damage = (frame, random) => {
  const end = Math.min(Frames.capacity, frame.end + random.between(1, 64))
  random.fill(frame.bytes, frame.end, end)
  frame.end = end
}

/** Takes a piece out, so that all behind it stands elsewhere. */
const cut: Damage = (frame, random) => {
  const from = place(random, frame.end)
  const to = Math.min(frame.end, from + random.between(1, 8))
  frame.bytes.copyWithin(from, to, frame.end)
  frame.end -= to - from
}

const insert: Damage = (frame, random) => {
  const at = place(random, frame.end)
  const length = Math.min(random.between(1, 8), Frames.capacity - frame.end)
  frame.bytes.copyWithin(at + length, at, frame.end)
  random.fill(frame.bytes, at, at + length)
  frame.end += length
}

const overwrite: Damage = ({ bytes, end }, random) => {
  const from = place(random, end)
  random.fill(bytes, from, Math.min(end, from + random.between(1, 16)))
}

const damages: ReadonlyArray<readonly [number, Damage]> = [
  [4, flipBit],
  [4, setByte],
  [3, setWord],
  [2, setLong],
  [2, nudge],
  [2, truncate],
  [1, extend],
  [1, cut],
  [1, insert],
  [1, overwrite]
]

/** Damages a frame a few times and, mostly, makes its checksums right again, so that it gets past the door. */
export const mutate = (frame: Frames.Buffer, random: Random): void => {
  const times = random.chance(0.6) ? 1 : random.between(1, 6)
  for (let i = 0; i < times && frame.end > 0; i++) random.weighted(damages)(frame, random)
  if (random.chance(0.15)) return
  Frames.repair(frame)
  Ipv6Packets.repair(frame)
}
