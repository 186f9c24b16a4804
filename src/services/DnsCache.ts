/**
 * What a resolver remembers of earlier answers, and for how long (RFC 1035 §3.2.1, §7.4): records for the time that the zone allows, and
 * that there are none for as long as the zone's SOA record says (RFC 2308 §5, whose text is not among this project's sources).
 *
 * Bounded by the number of answers and by their octets; what was used longest ago goes first.
 */
import type * as Wire from "../wire/Dns.ts"

/** What is known of one name and type. */
export interface Answer {
  /** Empty when there are none. */
  readonly records: ReadonlyArray<Wire.Record>
  /** Seconds for which it holds; 0 for this once. */
  readonly ttl: number
  /** Octets of the message that it came in. */
  readonly size: number
}

export interface Bounds {
  /** Answers. */
  readonly entries: number
  /** Octets of the messages that they came in. */
  readonly bytes: number
  /** Seconds for which a positive and a negative answer may be kept at most. */
  readonly ttl: number
  readonly negativeTtl: number
}

/** A day, since zones err; three hours for what does not exist (RFC 2308 §5 recommends one to three). */
export const defaults: Bounds = { entries: 4096, bytes: 4 * 1024 * 1024, ttl: 86_400, negativeTtl: 10_800 }

interface Entry {
  readonly answer: Answer
  readonly expires: number
}

export class DnsCache {
  private readonly bounds: Bounds
  /** In order of use. */
  private readonly entries: Map<string, Entry> = new Map()
  private bytes = 0

  constructor(bounds: Bounds) {
    this.bounds = bounds
  }

  private remove(key: string, entry: Entry): void {
    this.entries.delete(key)
    this.bytes -= entry.answer.size
  }

  /** The answer, if it still holds at `now`, in seconds. */
  get(key: string, now: number): Answer | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    if (entry.expires <= now) {
      this.remove(key, entry)
      return undefined
    }
    this.entries.delete(key)
    this.entries.set(key, entry)
    return entry.answer
  }

  put(key: string, answer: Answer, now: number): void {
    const before = this.entries.get(key)
    if (before !== undefined) this.remove(key, before)
    const limit = answer.records.length > 0 ? this.bounds.ttl : this.bounds.negativeTtl
    const ttl = Math.min(answer.ttl, limit)
    if (ttl <= 0 || answer.size > this.bounds.bytes || this.bounds.entries <= 0) return
    this.entries.set(key, { answer, expires: now + ttl })
    this.bytes += answer.size
    for (const [oldest, entry] of this.entries) {
      if (this.entries.size <= this.bounds.entries && this.bytes <= this.bounds.bytes) return
      this.remove(oldest, entry)
    }
  }

  /** Answers and octets held. */
  get held(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.entries.size, bytes: this.bytes }
  }

  clear(): void {
    this.entries.clear()
    this.bytes = 0
  }
}
