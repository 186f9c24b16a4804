/**
 * A small generator of reproducible pseudo-random numbers, for faults that a seed repeats on any machine.
 *
 * The algorithm is sfc32 of the PractRand suite (Chris Doty-Humphrey, public domain): three words of chaotic state and a
 * counter, period at least 2^32, about three nanoseconds a number. It is not for secrets.
 *
 * ```
 *   out = a + b + counter++        a = b ^ (b >>> 9)        b = c + (c << 3)        c = rotate(c, 21) + out
 * ```
 */

export interface Random {
  /** Evenly distributed in [0, 2^32). */
  readonly word: () => number
  /** Evenly distributed in [0, 1). */
  readonly unit: () => number
  /** True with this probability. Draws nothing at 0, so that a fault that is off costs and changes nothing. */
  readonly chance: (probability: number) => boolean
}

/** Numbers drawn and thrown away, after which similar seeds no longer show. */
const warmUp = 15

export const make = (seed: number, stream: number, substream: number): Random => {
  let a = seed | 0
  let b = stream | 0
  let c = substream | 0
  let counter = 1
  const word = (): number => {
    const out = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + out) | 0
    return out >>> 0
  }
  for (let i = 0; i < warmUp; i++) word()
  const unit = () => word() / 0x1_0000_0000
  return { word, unit, chance: (probability) => probability > 0 && unit() < probability }
}

/** A number of a name (FNV-1a), so that each link of a seed has a stream of its own. */
export const streamOf = (name: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash
}
