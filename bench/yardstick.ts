/**
 * How fast this core is at the moment: how many bytes a second a plain loop adds up. Figures that no kernel can be compared with
 * are compared with this, measured right before and right after, so that a machine that is shared, or slow, does not blur them.
 */
const words = new Int32Array(4096).map((_, i) => i * 0x9e37)
const rounds = 20_000

/**
 * MB/s where the goals were set, with the machine to itself: found by proportion, from the 137 ns that summing 1500 bytes for a
 * checksum took there and what both take beside each other here.
 */
export const reference = 4000

const addAll = (): number => {
  let a = 0
  let b = 0
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 4096; i += 2) {
      a = (a + words[i]!) | 0
      b = (b ^ words[i + 1]!) | 0
    }
  }
  return a ^ b
}

/** MB/s added up now. */
export const measure = (): number => {
  const begin = performance.now()
  if (Number.isNaN(addAll())) throw new Error("no sum")
  return rounds * words.byteLength / (performance.now() - begin) / 1000
}

// The first calls compile.
measure()
measure()
