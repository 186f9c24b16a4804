/**
 * Where a stack's keys come from: 128 bits of the operating system's generator (RFC 4086), read once when the stack starts.
 * Everything unpredictable in the core is derived from them (`core/Entropy.ts`).
 */
import * as Context from "effect/Context"

/** Bytes that a stack takes when it starts. */
export const seedBytes = 16

/** Gives `length` bytes that nobody can guess. */
export type Generator = (length: number) => Uint8Array

/**
 * The generator in force: `crypto.getRandomValues` unless a program or a test provides another one. Whoever knows the bytes
 * can forge segments, so a fixed generator is for tests.
 *
 * @example
 * ```ts
 * Effect.provideService(EntropySource.EntropySource, EntropySource.seeded(7))
 * ```
 */
export const EntropySource: Context.Reference<Generator> = Context.Reference<Generator>(
  "effect-netstack/workers/EntropySource",
  { defaultValue: () => (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)) }
)

/**
 * A generator that gives the same bytes for the same seed (splitmix32). For tests and simulations: a stack with it is
 * predictable to everybody.
 */
export const seeded = (seed: number): Generator => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
  return (length) => Uint8Array.from({ length }, () => next() & 0xff)
}
