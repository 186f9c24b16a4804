/**
 * Makes a link faulty, by seed: loss alone and in bursts, damage, duplicates, reordering, delay, a slow line, a partition.
 *
 * The same seed, link name and frames give the same faults on any machine. Without delays a frame passes in the call that
 * brings it; with them one fiber for each direction lets frames go by the `Clock` (see `Delay.ts`). With nothing set, the link
 * behaves as the one beneath.
 *
 * @example
 * ```ts
 * const [left, right] = MemoryLink.pair()
 * const lossy = Faults.make(left, { seed: 7, loss: 0.02, delay: "10 millis" })
 * // open lossy.link instead of left; later:
 * yield* lossy.partition
 * ```
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Frame } from "../wire/Frame.ts"
import * as Delay from "./Delay.ts"
import { type Fault, FaultPath, type Late, type Settings, type Statistics } from "./FaultPath.ts"
import type { Link, LinkError, Port, Sink } from "./Link.ts"
import { named } from "./named.ts"
import * as Offload from "./Offload.ts"
import * as Random from "./Random.ts"
import * as Signal from "./Signal.ts"
import * as SlabPool from "./SlabPool.ts"

export { type Bursts, type Fault, type Outage, type Settings, type Statistics } from "./FaultPath.ts"

/** What holds for both directions; `send` and `receive` replace it for one. */
export interface Options extends Settings {
  readonly seed: number
  readonly send?: Settings
  readonly receive?: Settings
  /** Bound on the memory of frames under way, for each direction; 32 MiB. */
  readonly bufferBytes?: number
  /** Hears of every frame that a fault befalls, as it is then; its bytes are borrowed. */
  readonly onFault?: (fault: Fault, frame: Frame, direction: Direction) => void
}

export const defaultBufferBytes = 32 * 1024 * 1024

/** As the opener of the link sees them. */
export type Direction = "send" | "receive"

export interface Faults {
  readonly link: Link
  /** Replaces the settings of one direction, or of both, from the next frame on. */
  readonly set: (settings: Settings, direction?: Direction) => Effect.Effect<void>
  /** From now on every frame is lost, and nobody is told. Frames under way arrive. */
  readonly partition: Effect.Effect<void>
  /** Begins or ends a partition of one direction. */
  readonly block: (direction: Direction, blocked: boolean) => Effect.Effect<void>
  /** The same, and the opener is told that the link is down. */
  readonly down: Effect.Effect<void>
  /** Ends a partition; the opener is told that the link is up if it was told that it is down. */
  readonly heal: Effect.Effect<void>
  readonly statistics: () => Readonly<Record<Direction, Statistics>>
}

/** A direction, and how many of its frames are under way while the link is open. */
interface Side {
  readonly path: FaultPath
  pending: () => number
}

const release = (frame: Frame): void => {
  frame.slab?.release()
}

const ignore = (): void => {}

/** The fiber that lets late frames of a direction go; what is left when the link closes is counted. */
const makeDelay = (path: FaultPath, deliver: (frames: Array<Frame>) => void) =>
  Delay.make<Late>({
    deliver: (late) => deliver(path.arrived(late)),
    discard: (late) => {
      SlabPool.release(path.arrived(late))
      path.statistics.closed += late.length
    }
  })

/** Frames on their way to the opener. */
const openReceive = (side: Side, sink: Sink): Effect.Effect<Sink["frames"], never, Scope.Scope> => {
  const { path } = side
  const deliver = (frames: ReadonlyArray<Frame>) => {
    if (frames.length === 0) return
    path.statistics.delivered += frames.length
    sink.frames(frames)
  }
  return Effect.map(makeDelay(path, deliver), (delay) => {
    side.pending = delay.size
    return (batch) => {
      if (path.inert) {
        path.statistics.offered += batch.length
        return deliver(batch)
      }
      const out: Array<Frame> = []
      path.pass(batch, 0, delay, out, release)
      deliver(out)
    }
  })
}

/** Hands frames to the link beneath, and keeps copies of what it does not take until it does. */
class Outbox {
  readonly drained = Signal.make()
  private readonly filled = Signal.make()
  private readonly path: FaultPath
  private readonly port: Port
  private readonly headroom: number
  private backlog: Array<Frame> = []

  constructor(path: FaultPath, port: Port, headroom: number) {
    this.path = path
    this.port = port
    this.headroom = headroom
  }

  get size(): number {
    return this.backlog.length
  }

  put(frames: ReadonlyArray<Frame>): void {
    const taken = this.backlog.length > 0 || frames.length === 0 ? 0 : this.hand(frames)
    for (let i = taken; i < frames.length; i++) this.keep(frames[i]!)
    if (this.backlog.length > 0) this.filled.notify()
  }

  /** Waits for the link beneath as often as there is a backlog. */
  readonly run: Effect.Effect<never> = Effect.forever(Effect.suspend(() => {
    if (this.backlog.length === 0) return this.filled.wait
    return Effect.map(this.port.writable, () => {
      const taken = this.hand(this.backlog)
      this.backlog = this.backlog.slice(taken)
      if (this.backlog.length === 0) this.drained.notify()
    })
  }))

  close(): void {
    this.path.statistics.closed += this.backlog.length
    SlabPool.release(this.backlog)
    this.backlog = []
    this.drained.notify()
  }

  private hand(frames: ReadonlyArray<Frame>): number {
    const taken = this.port.send(frames, 0)
    this.path.statistics.delivered += taken
    for (let i = 0; i < taken; i++) if (this.isOwn(frames[i]!)) release(frames[i]!)
    return taken
  }

  private isOwn(frame: Frame): boolean {
    return this.path.pool.owns(frame.slab)
  }

  private keep(frame: Frame): void {
    const kept = this.isOwn(frame) ? frame : SlabPool.copy(this.path.pool, frame, this.headroom)
    if (kept === undefined) this.path.befall("overflow", frame)
    else this.backlog.push(kept)
  }
}

/** Frames on their way from the opener. */
const openSend = (side: Side, port: Port, headroom: number): Effect.Effect<Port, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { path } = side
    const outbox = new Outbox(path, port, headroom)
    const delay = yield* makeDelay(path, (frames) => outbox.put(frames))
    yield* Effect.acquireRelease(Effect.void, () => Effect.sync(() => outbox.close()))
    yield* Effect.forkScoped(named("outbox", outbox.run), { startImmediately: true })
    side.pending = () => delay.size() + outbox.size
    return {
      send: (frames, from) => {
        if (outbox.size > 0) return 0
        if (path.inert) {
          const taken = port.send(frames, from)
          path.statistics.offered += taken
          path.statistics.delivered += taken
          return taken
        }
        const out: Array<Frame> = []
        path.pass(frames, from, delay, out, ignore)
        outbox.put(out)
        return frames.length - from
      },
      writable: Effect.suspend(() => outbox.size > 0 ? outbox.drained.wait : path.inert ? port.writable : Effect.void),
      counters: port.counters
    }
  })

/** Frames that the faults of a direction lost. */
const lostBy = ({ closed, lost, overflow, partitioned, queueFull }: FaultPath["statistics"]): number =>
  closed + lost + overflow + partitioned + queueFull

/** Settings of both directions together with what one of them overrides. */
const settingsOf = (options: Options, direction: Direction): Settings => options[direction] ?? options

const makeSide = (link: Link, options: Options, direction: Direction): Side => {
  const headroom = direction === "send" ? link.headroom : 0
  const pool = SlabPool.forCopies(
    Offload.maxFrameBytes(link) + headroom,
    options.bufferBytes ?? defaultBufferBytes
  )
  const stream = Random.streamOf(`${link.name} ${direction}`)
  const path = new FaultPath(options.seed, stream, settingsOf(options, direction), pool, headroom)
  const { onFault } = options
  if (onFault !== undefined) path.onFault = (fault, frame) => onFault(fault, frame, direction)
  return { path, pending: () => 0 }
}

export const make = (link: Link, options: Options): Faults => {
  const sides: Readonly<Record<Direction, Side>> = {
    send: makeSide(link, options, "send"),
    receive: makeSide(link, options, "receive")
  }
  let sink: Sink | undefined
  let isDown = false
  const part = (partitioned: boolean, down: boolean) =>
    Effect.sync(() => {
      sides.send.path.partitioned = partitioned
      sides.receive.path.partitioned = partitioned
      if (isDown === down) return
      isDown = down
      sink?.changed({ _tag: down ? "Down" : "Up" })
    })
  const open = (to: Sink): Effect.Effect<Port, LinkError, Scope.Scope> =>
    Effect.gen(function*() {
      const frames = yield* openReceive(sides.receive, to)
      const port = yield* link.open({ frames, changed: to.changed })
      const faulty = yield* openSend(sides.send, port, link.headroom)
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          sink = to
          if (isDown) to.changed({ _tag: "Down" })
        }),
        () => Effect.sync(() => sink = undefined)
      )
      const faults = () => lostBy(sides.send.path.statistics) + lostBy(sides.receive.path.statistics)
      return { ...faulty, counters: () => faults() === 0 ? port.counters() : { ...port.counters(), faults: faults() } }
    })
  return {
    link: { ...link, open },
    set: (settings, direction) =>
      Effect.sync(() => {
        if (direction !== "receive") sides.send.path.set(settings)
        if (direction !== "send") sides.receive.path.set(settings)
      }),
    partition: Effect.suspend(() => part(true, isDown)),
    block: (direction, blocked) =>
      Effect.sync(() => {
        sides[direction].path.partitioned = blocked
      }),
    down: part(true, true),
    heal: part(false, false),
    statistics: () => ({
      send: { ...sides.send.path.statistics, pending: sides.send.pending() },
      receive: { ...sides.receive.path.statistics, pending: sides.receive.pending() }
    })
  }
}

/** As middleware, where nothing is changed or asked later. */
export const apply = (options: Options) => (link: Link): Link => make(link, options).link
