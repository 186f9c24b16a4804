/**
 * The scoreboard's slow twin: one record for each byte that was ever sent, and everything computed from these by the letter. Positions are offsets from the
 * first sequence number.
 */

export interface Byte {
  readonly sentAt: number
  readonly transmissions: number
  readonly copies: number
  readonly sacked: boolean
  /** Segments begin at `anchor` plus multiples of `segment`. */
  readonly anchor: number
  readonly segment: number
}

export interface Block {
  readonly start: number
  readonly end: number
}

export interface Told {
  readonly acked: number
  readonly delivered: number
  readonly sacked: number
  readonly newest: { readonly sentAt: number; readonly end: number } | undefined
  readonly sampled: number | undefined
  readonly hasOriginal: boolean
  readonly isReordered: boolean
}

export class Twin {
  una = 0
  fack = 0
  bytes: Array<Byte> = []

  clone(): Twin {
    const copy = new Twin()
    copy.una = this.una
    copy.fack = this.fack
    copy.bytes = [...this.bytes]
    return copy
  }

  get nxt(): number {
    return this.bytes.length
  }

  private sum(measure: (byte: Byte) => number): number {
    let sum = 0
    for (let i = this.una; i < this.nxt; i++) sum += measure(this.bytes[i]!)
    return sum
  }

  get pipe(): number {
    return this.sum((byte) => byte.sacked ? 0 : byte.copies)
  }

  get lost(): number {
    return this.sum((byte) => !byte.sacked && byte.copies === 0 ? 1 : 0)
  }

  get sacked(): number {
    return this.sum((byte) => byte.sacked ? 1 : 0)
  }

  /** Whether two bytes side by side belong to one segment of one run. */
  private isTogether(a: number, b: number): boolean {
    const [x, y] = [this.bytes[a]!, this.bytes[b]!]
    return x.anchor === y.anchor && x.segment === y.segment && x.transmissions === y.transmissions &&
      x.copies === y.copies && x.sacked === y.sacked && x.sentAt === y.sentAt &&
      Math.floor((a - x.anchor) / x.segment) === Math.floor((b - y.anchor) / y.segment)
  }

  /** The outstanding bytes from `start` to `end` cut into segments. */
  segments(start = this.una, end = this.nxt): Array<Block> {
    const found: Array<Block> = []
    for (let at = start; at < end;) {
      let stop = at + 1
      while (stop < end && this.isTogether(stop - 1, stop)) stop += 1
      found.push({ start: at, end: stop })
      at = stop
    }
    return found
  }

  sent(size: number, segment: number, at: number): void {
    const anchor = this.nxt
    for (let i = 0; i < size; i++) {
      this.bytes.push({ sentAt: at, transmissions: 1, copies: 1, sacked: false, anchor, segment })
    }
  }

  retransmitted(start: number, end: number, segment: number, at: number): void {
    for (let i = Math.max(start, this.una); i < end; i++) {
      const byte = this.bytes[i]!
      if (byte.sacked) continue
      this.bytes[i] = {
        ...byte,
        sentAt: at,
        transmissions: byte.transmissions + 1,
        copies: byte.copies + 1,
        anchor: start,
        segment
      }
    }
  }

  update(una: number, blocks: ReadonlyArray<Block>, credible: number): Told {
    const acked: Array<number> = []
    const sacked: Array<number> = []
    const before = this.una
    for (let i = this.una; i < una; i++) if (!this.bytes[i]!.sacked) acked.push(i)
    this.una = Math.max(this.una, una)
    for (const block of blocks) {
      for (const segment of this.segments()) {
        if (segment.start < block.start || segment.end > block.end || this.bytes[segment.start]!.sacked) continue
        for (let i = segment.start; i < segment.end; i++) sacked.push(i)
      }
      for (const i of sacked) this.bytes[i] = { ...this.bytes[i]!, sacked: true }
    }
    return this.tell(this.una - before, acked, sacked.toSorted((a, b) => a - b), credible)
  }

  private tell(moved: number, acked: Array<number>, sacked: Array<number>, credible: number): Told {
    const news = [...acked, ...sacked]
    const isOriginal = (i: number): boolean => this.bytes[i]!.transmissions === 1
    const sentAt = (i: number): number => this.bytes[i]!.sentAt
    const oldest = (from: Array<number>): number => Math.min(...from.filter(isOriginal).map(sentAt))
    let newest: Told["newest"] = undefined
    let isReordered = false
    for (const i of news) {
      if (isOriginal(i) && i + 1 < this.fack) isReordered = true
      this.fack = Math.max(this.fack, i + 1)
      if (!isOriginal(i) && sentAt(i) > credible) continue
      const candidate = { sentAt: sentAt(i), end: i + 1 }
      if (
        newest === undefined || candidate.sentAt > newest.sentAt ||
        (candidate.sentAt === newest.sentAt && candidate.end > newest.end)
      ) newest = candidate
    }
    this.fack = Math.max(this.fack, this.una)
    const first = acked.some(isOriginal) ? oldest(acked) : oldest(sacked)
    return {
      acked: moved,
      delivered: news.length,
      sacked: sacked.length,
      newest,
      sampled: acked.every(isOriginal) && first < Infinity ? first : undefined,
      hasOriginal: news.some(isOriginal),
      isReordered
    }
  }

  /** IsLost (RFC 6675 §4), as it is written there. */
  isLost(at: number, threshold: number, mss: number): boolean {
    let bytes = 0
    let sequences = 0
    for (let i = at + 1; i < this.nxt; i++) {
      if (!this.bytes[i]!.sacked) continue
      bytes += 1
      if (!this.bytes[i - 1]!.sacked || i - 1 === at) sequences += 1
    }
    return sequences >= threshold || bytes > (threshold - 1) * mss
  }

  /** Takes the copies of the accepted bytes away, and tells how many bytes had some. */
  mark(accepts: (byte: Byte, at: number) => boolean): number {
    const lost: Array<number> = []
    for (let i = this.una; i < this.nxt; i++) {
      const byte = this.bytes[i]!
      if (!byte.sacked && byte.copies > 0 && accepts(byte, i)) lost.push(i)
    }
    for (const i of lost) this.bytes[i] = { ...this.bytes[i]!, copies: 0 }
    return lost.length
  }

  /** The stretch around a byte that was sent as one. */
  endOfRun(at: number): number {
    let end = at + 1
    while (end < this.nxt && this.bytes[end]!.anchor === this.bytes[at]!.anchor) end += 1
    return end
  }

  /** Gives every lost byte its copy back. */
  undo(): void {
    this.bytes = this.bytes.map((byte, i) =>
      i >= this.una && !byte.sacked && byte.copies === 0 ? { ...byte, copies: 1 } : byte
    )
  }

  forgetSacks(): void {
    this.bytes = this.bytes.map((byte, i) =>
      i >= this.una && byte.sacked ? { ...byte, sacked: false, copies: 0 } : byte
    )
    this.fack = this.una
  }

  nextLost(most: number): Block | undefined {
    for (let i = this.una; i < this.nxt; i++) {
      if (this.bytes[i]!.sacked || this.bytes[i]!.copies > 0) continue
      let end = i
      while (end < this.nxt && end < i + most && !this.bytes[end]!.sacked && this.bytes[end]!.copies === 0) end += 1
      return { start: i, end }
    }
    return undefined
  }
}
