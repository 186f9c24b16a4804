/**
 * What crossed the links of a simulation: every frame that was sent, arrived or was lost, with its time.
 *
 * The hash covers all of it, byte for byte, so two runs that give the same hash were the same run. It is fast, and no
 * protection against anybody who wants a collision.
 */
import * as Time from "../core/Time.ts"
import { type Fault, isLoss } from "../link/FaultPath.ts"
import type { Frame } from "../wire/Frame.ts"

/**
 * What happened to a frame on a link. One that is delayed is sent and arrives; one that is damaged, doubled or held back is sent, then altered, and
 * arrives damaged, twice or late.
 */
export type Happening = "sent" | "arrived" | "lost" | "altered"

const happenings: ReadonlyArray<Happening> = ["sent", "arrived", "lost", "altered"]

/** Why a frame was lost, or how it was altered. */
export type Reason = Fault | "intercepted"

/** How reasons read. What is lost by chance or by a schedule needs no more words. */
const words: Readonly<Record<Reason, string>> = {
  lost: "lost",
  partitioned: "lost to a partition",
  queueFull: "lost, as the queue is full,",
  overflow: "lost for want of memory",
  intercepted: "taken away by the test",
  corrupted: "damaged",
  duplicated: "doubled",
  reordered: "held back"
}

/** What is told of an entry that was neither sent nor has arrived. */
export const describeReason = ({ reason = "lost", to }: Pick<Entry, "reason" | "to">): string =>
  `${words[reason]} on its way to ${to}`

export interface Entry {
  /** From the start of the simulation. */
  readonly at: Time.Span
  readonly happening: Happening
  readonly link: string
  /** The end of the link that sent the frame, and the other. */
  readonly from: string
  readonly to: string
  /** Of frames that were lost or altered. Those that are damaged are so here. */
  readonly reason?: Reason
  readonly frame: Uint8Array
}

/** Where a frame is: a link, seen in one direction. `number` is unique in a simulation. */
export interface Way {
  readonly number: number
  readonly link: string
  readonly from: string
  readonly to: string
}

/** How much is remembered: nothing, the hash, or every frame as well. */
export type Detail = "none" | "hash" | "frames"

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

const hexadecimal = (word: number): string => (word >>> 0).toString(16).padStart(8, "0")

/** Sees everything that the trace covers, whatever it remembers. The bytes are borrowed. */
export type Watcher = (
  happening: Happening,
  way: Way,
  nanos: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  reason: Reason | undefined
) => void

export class Trace {
  readonly detail: Detail
  private readonly watchers: Array<Watcher> = []
  /** Oldest first; empty unless the detail is `frames`. */
  readonly entries: Array<Entry> = []
  /** How many entries there were, kept or not. */
  count = 0
  private low = 0x2545f491
  private high = 0x4f6cdd1d

  constructor(detail: Detail) {
    this.detail = detail
  }

  /** Two words of 32 bits that depend on everything so far, in hexadecimal. */
  get hash(): string {
    return hexadecimal(this.high) + hexadecimal(this.low)
  }

  /** From now on. */
  watch(watcher: Watcher): void {
    this.watchers.push(watcher)
  }

  /** Nobody wants to hear of anything. */
  get isIdle(): boolean {
    return this.detail === "none" && this.watchers.length === 0
  }

  /** `nanos` is the exact time from the start. The bytes are borrowed. */
  add(
    happening: Happening,
    way: Way,
    nanos: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    reason?: Reason
  ): void {
    for (const watcher of this.watchers) watcher(happening, way, nanos, bytes, start, end, reason)
    if (this.detail === "none") return
    this.count++
    this.mix(nanos | 0)
    this.mix(Math.floor(nanos / 0x1_0000_0000))
    this.mix((way.number << 2) | happenings.indexOf(happening))
    this.mixBytes(bytes, start, end)
    if (this.detail === "hash") return
    const { from, link, to } = way
    const at = Time.micros(nanos / 1000)
    const frame = bytes.slice(start, end)
    this.entries.push({ at, happening, link, from, to, ...(reason === undefined ? {} : { reason }), frame })
  }

  /** The same of a frame that something has befallen. */
  befall(reason: Reason, way: Way, nanos: number, { bytes, end, start }: Frame): void {
    const happening = reason === "intercepted" || isLoss(reason) ? "lost" : "altered"
    this.add(happening, way, nanos, bytes, start, end, reason)
  }

  /** After the mixing of 32-bit blocks in MurmurHash3 (Austin Appleby, public domain), in two lanes. */
  private mix(word: number): void {
    const mixed = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593)
    this.low = (Math.imul(rotate(this.low ^ mixed, 13), 5) + 0xe6546b64) | 0
    this.high = (Math.imul(rotate(this.high ^ word, 11), 0x85ebca6b) + this.low) | 0
  }

  /** The same mixing with its state in local variables, which are faster than fields. */
  private mixBytes(bytes: Uint8Array, start: number, end: number): void {
    this.mix(end - start)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let { high, low } = this
    let at = start
    for (; at + 4 <= end; at += 4) {
      const word = view.getInt32(at, true)
      const scaled = Math.imul(word, 0xcc9e2d51)
      const turned = low ^ Math.imul((scaled << 15) | (scaled >>> 17), 0x1b873593)
      low = (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0
      const other = high ^ word
      high = (Math.imul((other << 11) | (other >>> 21), 0x85ebca6b) + low) | 0
    }
    this.low = low
    this.high = high
    for (; at < end; at++) this.mix(bytes[at]!)
  }
}
