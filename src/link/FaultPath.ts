/**
 * What a faulty link does to the frames of one direction.
 *
 * ```
 *   partition ─▶ loss ─▶ corruption ─▶ duplication ─▶ rate and queue ─▶ delay, jitter, reordering ─▶ out
 * ```
 *
 * Each fault draws from a generator of its own, so that changing one does not change what the others decide. A frame that no
 * fault touches passes as it is; one that is changed or kept is a copy, in memory with a bound.
 */
import * as Duration from "effect/Duration"
import type { Frame } from "../wire/Frame.ts"
import type { Delay, Nanos } from "./Delay.ts"
import * as Jitter from "./Jitter.ts"
import { Loss, type Settings as LossSettings } from "./Loss.ts"
import * as Offload from "./Offload.ts"
import * as Random from "./Random.ts"
import * as SlabPool from "./SlabPool.ts"

export type { Bursts, Outage } from "./Loss.ts"

/** Probabilities are per frame, from 0 to 1. Whatever is absent does not happen. A super-segment is one frame. */
export interface Settings extends LossSettings {
  /** One bit somewhere in the frame is turned over, with its checksum complete, so that the receiver can find out. */
  readonly corruption?: number
  /** The frame comes twice. */
  readonly duplication?: number
  /** The frame is held back for `reorderingDelay` while later ones overtake it. */
  readonly reordering?: number
  /** 5 milliseconds if absent. */
  readonly reorderingDelay?: Duration.Input
  readonly delay?: Duration.Input
  /** A share of this is added to the delay, by the law of `jitterDistribution`; frames keep their order. */
  readonly jitter?: Duration.Input
  /** `uniform` if absent: from nothing to all of it, each as likely. */
  readonly jitterDistribution?: Jitter.Distribution
  /** Bits per second. What comes faster waits in the queue. */
  readonly rate?: number
  /** Octets that may wait for the line; what does not fit is dropped. 256 KiB if absent. */
  readonly queueBytes?: number
}

/** What happened to frames: `offered + duplicated = delivered + lost for any reason + pending`. */
export interface Statistics {
  readonly offered: number
  readonly delivered: number
  readonly duplicated: number
  readonly corrupted: number
  readonly reordered: number
  /** Lost as the settings say, for any reason of `Loss.ts`. */
  readonly lost: number
  readonly partitioned: number
  /** Lost because the queue of the line was full. */
  readonly queueFull: number
  /** Lost because the memory for kept frames was used up. */
  readonly overflow: number
  /** Lost because the link was closed while they were under way. */
  readonly closed: number
  /** On their way now. */
  readonly pending: number
}

export const defaultReorderingDelay: Duration.Input = "5 millis"
export const defaultQueueBytes = 256 * 1024

/** How `Settings` are kept: everything present, times in nanoseconds. */
interface Effective {
  readonly corruption: number
  readonly duplication: number
  readonly reordering: number
  readonly reorderingNanos: Nanos
  readonly delayNanos: Nanos
  readonly jitterNanos: Nanos
  readonly jitterDistribution: Jitter.Distribution
  readonly nanosPerByte: number
  readonly queueBytes: number
  /** Nothing but loss is ever done to a frame. */
  readonly inert: boolean
}

const nanos = (duration: Duration.Input | undefined): Nanos => Duration.toMillis(duration ?? 0) * 1e6

const effective = (settings: Settings): Effective => {
  const timed = {
    delayNanos: nanos(settings.delay),
    jitterNanos: nanos(settings.jitter),
    nanosPerByte: settings.rate === undefined ? 0 : 8e9 / settings.rate
  }
  const random = {
    corruption: settings.corruption ?? 0,
    duplication: settings.duplication ?? 0,
    reordering: settings.reordering ?? 0
  }
  return {
    ...timed,
    ...random,
    jitterDistribution: settings.jitterDistribution ?? "uniform",
    reorderingNanos: nanos(settings.reorderingDelay ?? defaultReorderingDelay),
    queueBytes: settings.queueBytes ?? defaultQueueBytes,
    inert: [...Object.values(timed), ...Object.values(random)].every((x) => x <= 0)
  }
}

const noStatistics = () => ({
  offered: 0,
  delivered: 0,
  duplicated: 0,
  corrupted: 0,
  reordered: 0,
  lost: 0,
  partitioned: 0,
  queueFull: 0,
  overflow: 0,
  closed: 0
})

/** What befalls a frame, by the name under which it is counted. The first four take it away. */
export type Fault = "lost" | "partitioned" | "queueFull" | "overflow" | "corrupted" | "duplicated" | "reordered"

/** Whether a fault takes a frame away. */
export const isLoss = (fault: Fault): boolean =>
  fault === "lost" || fault === "partitioned" || fault === "queueFull" || fault === "overflow"

/** A frame that is under way; one that was held back does not count for the order of the others. */
export interface Late {
  readonly frame: Frame
  readonly heldBack: boolean
}

/** Numbers the generators of a path, one for each kind of decision. */
const decisions = ["loss", "bursts", "corruption", "duplication", "reordering", "jitter"] as const
type Decision = typeof decisions[number]

/** One direction of a faulty link. */
export class FaultPath {
  readonly statistics = noStatistics()
  /** Frames of any kind are lost until it is false again. */
  partitioned = false
  /** Hears of every frame that something befalls, as it is then; its bytes are borrowed. */
  onFault: ((fault: Fault, frame: Frame) => void) | undefined
  /** Memory of copies. */
  readonly pool: SlabPool.SlabPool
  private readonly headroom: number
  private readonly random: Readonly<Record<Decision, Random.Random>>
  private settings: Effective
  private loss: Loss
  private lineFree: Nanos = 0
  private lastDue: Nanos = 0
  /** Frames under way in order, which those that come after may not overtake. */
  private inOrder = 0

  constructor(seed: number, stream: number, settings: Settings, pool: SlabPool.SlabPool, headroom: number) {
    const make = (decision: Decision) => Random.make(seed, stream, decisions.indexOf(decision))
    this.random = {
      loss: make("loss"),
      bursts: make("bursts"),
      corruption: make("corruption"),
      duplication: make("duplication"),
      reordering: make("reordering"),
      jitter: make("jitter")
    }
    this.settings = effective(settings)
    this.loss = new Loss(settings, this.random)
    this.pool = pool
    this.headroom = headroom
  }

  /** From the next frame on. */
  set(settings: Settings): void {
    this.settings = effective(settings)
    this.loss = this.loss.with(settings)
  }

  /** What comes now passes untouched. */
  get inert(): boolean {
    return this.settings.inert && this.loss.isNone && !this.partitioned && this.inOrder === 0
  }

  /** Octets that wait for the line, that which is on it included. */
  queued(now: Nanos): number {
    const { nanosPerByte } = this.settings
    return nanosPerByte === 0 ? 0 : Math.max(0, this.lineFree - now) / nanosPerByte
  }

  /** Takes frames whose time has come out of the account. */
  arrived(late: ReadonlyArray<Late>): Array<Frame> {
    return late.map(({ frame, heldBack }) => {
      if (!heldBack) this.inOrder -= 1
      return frame
    })
  }

  /**
   * Decides about frames of a batch from index `from`: appends to `out` what passes now, puts into `delay` what passes later,
   * and gives every frame that does neither to `done`, as its bytes are no longer needed.
   */
  pass(
    batch: ReadonlyArray<Frame>,
    from: number,
    delay: Delay<Late>,
    out: Array<Frame>,
    done: (frame: Frame) => void
  ): void {
    const now = delay.now()
    for (let i = from; i < batch.length; i++) {
      const original = batch[i]!
      this.statistics.offered += 1
      const frame = this.isLost(original, now) ? undefined : this.corrupt(original)
      if (frame !== undefined) {
        const twice = this.random.duplication.chance(this.settings.duplication) ? this.duplicate(frame) : undefined
        this.schedule(frame, now, delay, out, frame === original ? done : release)
        if (twice !== undefined) this.schedule(twice, now, delay, out, release)
      }
      if (frame !== original) done(original)
    }
  }

  private isLost(frame: Frame, now: Nanos): boolean {
    if (this.partitioned) this.befall("partitioned", frame)
    else if (this.loss.isLost(frame, now)) this.befall("lost", frame)
    else return false
    return true
  }

  /** Counts what befalls a frame, and tells who wants to hear of it. */
  befall(fault: Fault, frame: Frame): void {
    this.statistics[fault] += 1
    this.onFault?.(fault, frame)
  }

  /** The frame itself, a damaged copy, or nothing if there was no memory for one. */
  private corrupt(frame: Frame): Frame | undefined {
    const random = this.random.corruption
    if (!random.chance(this.settings.corruption)) return frame
    const bit = random.word() % Math.max(1, (frame.end - frame.start) * 8)
    const copy = this.copy(frame)
    if (copy === undefined) return undefined
    Offload.completeChecksum(copy, copy.bytes, copy.start)
    if (copy.end > copy.start) copy.bytes[copy.start + (bit >>> 3)]! ^= 1 << (bit & 7)
    const damaged: Frame = { ...copy, checksum: "none", checksumStart: 0, checksumOffset: 0 }
    this.befall("corrupted", damaged)
    return damaged
  }

  private duplicate(frame: Frame): Frame | undefined {
    this.befall("duplicated", frame)
    return this.copy(frame)
  }

  private copy(frame: Frame): Frame | undefined {
    const copy = SlabPool.copy(this.pool, frame, this.headroom)
    if (copy === undefined) this.befall("overflow", frame)
    return copy
  }

  /** Lets the frame out now or later; `done` gets it if it is dropped or a copy goes on in its place. */
  private schedule(
    frame: Frame,
    now: Nanos,
    delay: Delay<Late>,
    out: Array<Frame>,
    done: (frame: Frame) => void
  ): void {
    const { delayNanos, nanosPerByte, reordering, reorderingNanos } = this.settings
    const held = this.random.reordering.chance(reordering) ? reorderingNanos : 0
    const sent = this.leavesLine(frame, now, nanosPerByte)
    if (sent === undefined) {
      this.befall("queueFull", frame)
      return done(frame)
    }
    const due = Math.max(sent + delayNanos + this.jitter(), this.lastDue)
    if (held > 0) {
      this.befall("reordered", frame)
      return this.keep(frame, due + held, true, delay, done)
    }
    if (due <= now && this.inOrder === 0) {
      out.push(frame)
      return
    }
    this.lastDue = due
    this.keep(frame, due, false, delay, done)
  }

  private jitter(): Nanos {
    const { jitterDistribution, jitterNanos } = this.settings
    return jitterNanos > 0 ? Jitter.draw(jitterDistribution, this.random.jitter) * jitterNanos : 0
  }

  private keep(frame: Frame, due: Nanos, heldBack: boolean, delay: Delay<Late>, done: (frame: Frame) => void): void {
    const owned = this.pool.owns(frame.slab)
    const kept = owned ? frame : this.copy(frame)
    if (!owned) done(frame)
    if (kept === undefined) return
    if (!heldBack) this.inOrder += 1
    delay.put(due, { frame: kept, heldBack })
  }

  /** When the last bit of the frame has left; undefined if the queue before the line has no room for it. */
  private leavesLine(frame: Frame, now: Nanos, nanosPerByte: number): Nanos | undefined {
    if (nanosPerByte === 0) return now
    const size = frame.end - frame.start
    const waiting = this.queued(now)
    if (waiting > 0 && waiting + size > this.settings.queueBytes) return undefined
    this.lineFree = Math.max(now, this.lineFree) + size * nanosPerByte
    return this.lineFree
  }
}

const release = (frame: Frame): void => {
  frame.slab?.release()
}
