/**
 * Numbers by seed: the small fast counter generator of Chris Doty-Humphrey (PractRand, sfc32). The same seed gives the same
 * numbers on any machine, so a run of the fuzzer is told by its seed.
 */
export class Random {
  private a: number
  private b: number
  private c = 0
  private counter = 1

  /** Seeds are whole numbers; `stream` tells apart the generators of one seed. */
  constructor(seed: number, stream = 0) {
    this.a = seed | 0
    this.b = Math.imul(stream + 1, 0x9e37_79b9) ^ Math.floor(seed / 0x1_0000_0000)
    for (let i = 0; i < 12; i++) this.next()
  }

  /** 32 bits, as an unsigned number. */
  next(): number {
    const out = (this.a + this.b + this.counter++) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + out | 0
    return out >>> 0
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() / 0x1_0000_0000 * limit)
  }

  /** `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  chance(probability: number): boolean {
    return this.next() < probability * 0x1_0000_0000
  }

  pick<A>(list: ReadonlyArray<A>): A {
    return list[this.below(list.length)]!
  }

  /** One of the list's values, each as likely as its weight. */
  weighted<A>(list: ReadonlyArray<readonly [weight: number, value: A]>): A {
    let left = this.next() / 0x1_0000_0000 * list.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of list) {
      left -= weight
      if (left < 0) return value
    }
    return list.at(-1)![1]
  }

  /** A length: mostly small, now and then as long as allowed. */
  length(most: number): number {
    return this.chance(0.1) ? this.between(0, most) : this.below(Math.min(most, 64) + 1)
  }

  fill(bytes: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) bytes[i] = this.next()
  }
}
