/**
 * One direction of a simulated link: what its faults decide, and when its frames arrive.
 *
 * The faults are those of `link/FaultPath.ts`, the same that a running stack's links have; here they put late frames into the
 * simulation's queue, and copies into fresh memory.
 */
import type { Delay } from "../link/Delay.ts"
import { FaultPath, type Late, type Settings, type Statistics } from "../link/FaultPath.ts"
import type { PooledSlab, SlabPool } from "../link/SlabPool.ts"
import * as Frame from "../wire/Frame.ts"
import type { Reason, Trace, Way } from "./Trace.ts"

/** Where and when things happen. */
export interface Timeline {
  /** Nanoseconds. */
  readonly now: () => number
  /** Has `action` run with `item` at a time, after everything that is already to happen then. */
  readonly schedule: <A>(at: number, action: (item: A) => void, item: A) => void
}

/** Takes what arrives. */
export type Receiver = (frame: Frame.Frame) => void

/** Sees each frame before the faults do. What it answers goes on in its place; `undefined` loses it. */
export type Interceptor = (frame: Uint8Array, number: number) => Uint8Array | undefined

/** Memory for copies. Frames of a simulation are never written to, so the path owns them all and copies only to change one. */
const memory: SlabPool = {
  reserve: (room): PooledSlab => {
    const bytes = new Uint8Array(room)
    return {
      bytes,
      at: 0,
      release: () => {},
      cut: (start, end, checksum, checksumStart, checksumOffset, gso) => ({
        bytes,
        start,
        end,
        checksum,
        checksumStart,
        checksumOffset,
        gso,
        slab: undefined
      })
    }
  },
  slabBytes: Infinity,
  owns: () => true,
  allocated: () => 0,
  held: () => 0
}

const ignore = (): void => {}

export interface LaneOptions {
  readonly way: Way
  readonly faults: Settings
  readonly seed: number
  readonly stream: number
  readonly timeline: Timeline
  readonly trace: Trace
  readonly receiver: Receiver
}

export class Lane {
  readonly way: Way
  readonly path: FaultPath
  /** May look into every frame, change it or lose it. */
  interceptor: Interceptor | undefined
  private readonly timeline: Timeline
  private readonly trace: Trace
  private readonly receiver: Receiver
  private readonly delay: Delay<Late>
  private readonly passed: Array<Frame.Frame> = []
  private intercepted = 0
  private late = 0

  constructor(options: LaneOptions) {
    const { timeline } = options
    this.way = options.way
    this.timeline = timeline
    this.trace = options.trace
    this.receiver = options.receiver
    this.path = new FaultPath(options.seed, options.stream, options.faults, memory, 0)
    this.path.onFault = (fault, frame) => this.befall(fault, frame)
    this.delay = {
      now: timeline.now,
      put: (due, late) => {
        this.late++
        timeline.schedule(due, this.arriveLate, late)
      },
      size: () => this.late
    }
  }

  get statistics(): Statistics {
    return { ...this.path.statistics, pending: this.late }
  }

  /** Octets that wait for the line now. */
  get queued(): number {
    return this.path.queued(this.timeline.now())
  }

  /** Sends a frame, which the sender does not touch any more. */
  send(sent: Frame.Frame): void {
    this.note("sent", sent)
    const frame = this.interceptor === undefined ? sent : this.intercept(this.interceptor, sent)
    if (frame === undefined) return this.befall("intercepted", sent)
    const { passed, path } = this
    if (path.inert) {
      path.statistics.offered++
      passed.push(frame)
    } else {
      path.pass([frame], 0, this.delay, passed, ignore)
    }
    // Even what takes no time arrives after all that happens now, so that hosts which answer each other do not nest.
    for (const each of passed) this.timeline.schedule(this.timeline.now(), this.arrive, each)
    passed.length = 0
  }

  private intercept(interceptor: Interceptor, frame: Frame.Frame): Frame.Frame | undefined {
    this.intercepted++
    const bytes = interceptor(Frame.copy(frame), this.intercepted)
    if (bytes !== undefined) return Frame.plain(bytes)
    this.path.statistics.offered++
    this.path.statistics.lost++
    return undefined
  }

  private readonly arriveLate = (late: Late): void => {
    this.late--
    for (const frame of this.path.arrived([late])) this.arrive(frame)
  }

  private readonly arrive = (frame: Frame.Frame): void => {
    this.path.statistics.delivered++
    this.note("arrived", frame)
    this.receiver(frame)
  }

  private befall(reason: Reason, frame: Frame.Frame): void {
    if (!this.trace.isIdle) this.trace.befall(reason, this.way, this.timeline.now(), frame)
  }

  private note(happening: "sent" | "arrived", { bytes, end, start }: Frame.Frame): void {
    if (!this.trace.isIdle) this.trace.add(happening, this.way, this.timeline.now(), bytes, start, end)
  }
}
