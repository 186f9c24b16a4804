/**
 * How fast this core is at the moment: how many bytes a second it sums for a checksum. Figures that no kernel can be compared with
 * are compared with this, measured right before and right after, so that a machine that is shared, or slow, does not blur them.
 */
import * as Checksum from "../src/wire/Checksum.ts"

const packet = new Uint8Array(1500).map((_, i) => i)
const rounds = 200_000

/** MB/s where the goals were set (`MEASURED.md`: 1500 bytes in 137 ns). */
export const reference = 1500 / 137 * 1000

const sumAll = (): number => {
  let sum = 0
  for (let i = 0; i < rounds; i++) sum = Checksum.sum(packet, 0, packet.length, sum)
  return sum
}

/** MB/s summed now. */
export const measure = (): number => {
  const begin = performance.now()
  if (Number.isNaN(sumAll())) throw new Error("no sum")
  return rounds * packet.length / (performance.now() - begin) / 1000
}

// The first call compiles.
measure()
