/** Random numbers that a seed decides, for properties over lists of actions (xorshift32 of Marsaglia, "Xorshift RNGs", 2003). */

export interface Seeded {
  /** A whole number in [0, limit). */
  readonly below: (limit: number) => number
  /** Whether an event of the given probability happens. */
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(from: ReadonlyArray<A>) => A
}

export const make = (seed: number): Seeded => {
  let x = Math.imul(seed, 0x9e3779b1) | 1
  const next = (): number => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) / 0x1_0000_0000
  }
  for (let i = 0; i < 8; i++) next()
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (from) => from[below(from.length)]!
  }
}
