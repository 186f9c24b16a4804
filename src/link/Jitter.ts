/**
 * How much later than the delay of its link a frame arrives: a share of randomness by one of four laws.
 *
 * ```
 *   uniform      ▐████████▌        0 to `jitter`, each as likely
 *   normal        ▂▅██▅▂           around `jitter`, with a third of it as deviation; never below 0, nor above 2 × `jitter`
 *   exponential  █▅▃▂▁▁            `jitter` on average: a queue of many others ahead
 *   pareto       █▃▂▁▁▁ ▁   ▁    ▁ `jitter` on average, with a heavy tail: some frames are very late
 * ```
 *
 * All of it is additions, comparisons, divisions and a square root, which IEEE 754 rounds the same on every machine; so no logarithm
 * and no sine, whose last digit is the machine's own.
 */
import type { Random } from "./Random.ts"

export type Distribution = "uniform" | "normal" | "exponential" | "pareto"

export const distributions: ReadonlyArray<Distribution> = ["uniform", "normal", "exponential", "pareto"]

/** Uniform numbers whose sum is taken for a normal one (Irwin and Hall): as many have a variance of 1. */
const summands = 12

/** Mean 1, deviation 1/3; its range of 0 to 3 would be reached by one in 10^9, and 2 is the end. */
const normal = (random: Random): number => {
  let sum = 0
  for (let i = 0; i < summands; i++) sum += random.unit()
  return Math.min(2, Math.max(0, 1 + (sum - summands / 2) / 3))
}

/**
 * Mean 1, by comparisons alone (von Neumann 1951): as long as numbers fall, the run goes on; the parity of its length decides whether its
 * first number is taken, and each run that is not adds one.
 */
const exponential = (random: Random): number => {
  for (let whole = 0;; whole++) {
    const first = random.unit()
    let last = first
    let length = 0
    for (let next = random.unit(); next <= last; next = random.unit()) {
      last = next
      length++
    }
    if (length % 2 === 0) return whole + first
  }
}

/** Mean 1, shape 2, from 0 on: one in a hundred is above 9, one in ten thousand above 99. */
const pareto = (random: Random): number => 1 / Math.sqrt(1 - random.unit()) - 1

/** A share of the jitter, at least 0. */
export const draw = (distribution: Distribution, random: Random): number => {
  switch (distribution) {
    case "uniform":
      return random.unit()
    case "normal":
      return normal(random)
    case "exponential":
      return exponential(random)
    case "pareto":
      return pareto(random)
  }
}
