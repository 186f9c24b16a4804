/**
 * SipHash-2-4: a short-input pseudorandom function under a 128-bit key (Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF", 2012).
 *
 * Everything that a blind attacker must not guess is a SipHash of what it is for, so this is the root of the core's entropy. JavaScript has no
 * fast 64-bit integers: each of the four state words is two int32, the low half at an even index of one array.
 *
 *     index   0  1 | 2  3 | 4  5 | 6  7
 *             v0   | v1   | v2   | v3        low half, high half
 */

/** A 128-bit key as four int32: the little-endian words of the sixteen bytes in order. */
export interface Key {
  readonly k0: number
  readonly k1: number
  readonly k2: number
  readonly k3: number
}

/** A 64-bit result as two int32. */
export interface Hash {
  readonly low: number
  readonly high: number
}

const v0 = 0
const v1 = 2
const v2 = 4
const v3 = 6

/** `v[a] += v[b]; v[b] = rotate(v[b], bits) ^ v[a]`, the half of a SipRound's half; `bits` is below 32. */
const mix = (v: Array<number>, a: number, b: number, bits: number): void => {
  const low = v[b]!
  const high = v[b + 1]!
  const sumLow = (v[a]! + low) | 0
  const carry = (sumLow >>> 0) < (low >>> 0) ? 1 : 0
  const sumHigh = (v[a + 1]! + high + carry) | 0
  v[a] = sumLow
  v[a + 1] = sumHigh
  v[b] = ((low << bits) | (high >>> (32 - bits))) ^ sumLow
  v[b + 1] = ((high << bits) | (low >>> (32 - bits))) ^ sumHigh
}

/** Rotates a state word by 32 bits. */
const swap = (v: Array<number>, a: number): void => {
  const low = v[a]!
  v[a] = v[a + 1]!
  v[a + 1] = low
}

const round = (v: Array<number>): void => {
  mix(v, v0, v1, 13)
  swap(v, v0)
  mix(v, v2, v3, 16)
  mix(v, v0, v3, 21)
  mix(v, v2, v1, 17)
  swap(v, v2)
}

/** The state before the first block: the key under the constants of the paper's §2.1 ("somepseudorandomlygeneratedbytes"). */
const initial = (key: Key): Array<number> => [
  key.k0 ^ 0x70736575,
  key.k1 ^ 0x736f6d65,
  key.k2 ^ 0x6e646f6d,
  key.k3 ^ 0x646f7261,
  key.k0 ^ 0x6e657261,
  key.k1 ^ 0x6c796765,
  key.k2 ^ 0x79746573,
  key.k3 ^ 0x74656462
]

/** Hashes `length` bytes that are given as little-endian words, the last padded with zeros. */
const run = (key: Key, words: ReadonlyArray<number>, length: number): Hash => {
  const v = initial(key)
  const last = length >>> 3
  for (let block = 0; block <= last; block++) {
    const at = block * 2
    const low = at < words.length ? words[at]! | 0 : 0
    // The last block, which may hold no input at all, ends in the length modulo 256 (§2.2).
    const high = (at + 1 < words.length ? words[at + 1]! | 0 : 0) | (block === last ? length << 24 : 0)
    v[v3] = v[v3]! ^ low
    v[v3 + 1] = v[v3 + 1]! ^ high
    round(v)
    round(v)
    v[v0] = v[v0]! ^ low
    v[v0 + 1] = v[v0 + 1]! ^ high
  }
  v[v2] = v[v2]! ^ 0xff
  for (let i = 0; i < 4; i++) round(v)
  return { low: v[0]! ^ v[2]! ^ v[4]! ^ v[6]!, high: v[1]! ^ v[3]! ^ v[5]! ^ v[7]! }
}

/** Up to four bytes as a little-endian word; bytes at or after `end` count as zero. */
const wordAt = (bytes: Uint8Array, at: number, end: number): number => {
  let word = 0
  for (let i = 0; i < 4 && at + i < end; i++) word |= bytes[at + i]! << (8 * i)
  return word
}

/** The key that sixteen bytes make; what is missing of them counts as zero. */
export const keyFrom = (seed: Uint8Array): Key => ({
  k0: wordAt(seed, 0, seed.length),
  k1: wordAt(seed, 4, seed.length),
  k2: wordAt(seed, 8, seed.length),
  k3: wordAt(seed, 12, seed.length)
})

/** The hash of 32-bit words, as if each were four bytes in little-endian order. */
export const hashWords = (key: Key, words: ReadonlyArray<number>): Hash => run(key, words, words.length * 4)

/** The hash of `bytes[start..end)`. */
export const hash = (key: Key, bytes: Uint8Array, start = 0, end: number = bytes.length): Hash => {
  const words: Array<number> = []
  for (let at = start; at < end; at += 4) words.push(wordAt(bytes, at, end))
  return run(key, words, end - start)
}
