/**
 * Memory that is used again: blocks of four sizes, of which each stack keeps some for the next who needs one.
 *
 * A fresh array outside of the engine's heap costs half a microsecond, is filled with zeros, and makes work for the collector, which took a fifth of the time of
 * bulk data in memory (row `memory-offload`). What a block holds does not matter: who takes it reads nothing that it has not written.
 */

/** Bytes that a block has room for. */
export type Size = 512 | 4096 | 16_384 | 65_536

const sizes: ReadonlyArray<Size> = [512, 4096, 16_384, 65_536]

/** The largest blocks also hold the longest packet with its headroom before and behind it. */
export const headroom = 96

/** Blocks of each size that are kept. */
const most = 64

/** The largest size that `count` bytes fill, or the smallest. */
export const sizeFor = (count: number): Size =>
  count >= 65_536 ? 65_536 : count >= 16_384 ? 16_384 : count > 512 ? 4096 : 512

const lengthOf = (size: Size): number => size === 65_536 ? size + 2 * headroom : size

export interface Blocks {
  readonly take: (size: Size) => Uint8Array
  /** Nobody looks at the block any more. Memory that is no block is left to the collector. */
  readonly give: (block: Uint8Array) => void
}

export const make = (): Blocks => {
  const kept = new Map(sizes.map((size): [number, Array<Uint8Array>] => [lengthOf(size), []]))
  return {
    take: (size) => {
      const length = lengthOf(size)
      return kept.get(length)!.pop() ?? new Uint8Array(length)
    },
    give: (block) => {
      const same = kept.get(block.length)
      if (same !== undefined && same.length < most) same.push(block)
    }
  }
}
