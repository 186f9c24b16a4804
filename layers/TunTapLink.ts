/**
 * The link of a TAP or TUN device: reads and writes its descriptor without blocking, in batches.
 *
 * ```
 *   readable ─▶ read … read ─▶ one slab ─▶ sink.frames(batch)        until EAGAIN or the batch is full
 *   send ─▶ write … write, from the frame's own slab                  until EAGAIN: then wait for writable
 * ```
 *
 * When every slab is held by frames that nobody has released yet, the link stops reading: the queue of the kernel fills and
 * drops, as a network card's would.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import {
  type Capabilities,
  gathering,
  inUse,
  type Link,
  LinkError,
  noCapabilities,
  type Port,
  type Sink
} from "../src/link/Link.ts"
import * as Offload from "../src/link/Offload.ts"
import * as Signal from "../src/link/Signal.ts"
import * as SlabPool from "../src/link/SlabPool.ts"
import * as VirtioNet from "../src/link/VirtioNet.ts"
import type { Frame } from "../src/wire/Frame.ts"
import type { Mac } from "../src/wire/Mac.ts"
import type { Device } from "./TunTapDevice.ts"
import { EAGAIN, EBADF, EBADFD, EINVAL, EIO, type Poll, type Readiness } from "./TunTapSystem.ts"
import * as Wakefulness from "./Wakefulness.ts"

export interface Options {
  /** Frames read in one wake-up, at most. */
  readonly batchFrames?: number
  /** Bound on the slabs that received frames lie in. */
  readonly slabs?: number
  /**
   * How long the thread does not sleep after a frame that came soon after the one before it, such as `"50 micros"`; not at all if absent. Answers come sooner by
   * what waking up takes, and a core is busy for as long (`Wakefulness.ts`).
   */
  readonly spin?: Duration.Input
}

export const defaultBatchFrames = 256
export const defaultSlabs = 16

/** A slab holds a batch of full frames, or at least this much where super-segments come. */
const superSegmentSlabBytes = 1024 * 1024

/**
 * No further frame is read in a batch once it has so many bytes. The sender of super-segments waits for the ACK at the batch's end with a full socket buffer:
 * in smaller batches it goes on meanwhile, and the bytes are copied to their reader while the processor's cache has them (row `offload-receive`).
 */
const batchBytes = superSegmentSlabBytes

/** The largest IP packet, with which a super-segment travels. */
const maxIpPacketBytes = 65_535

/** Frames that the link lost, by reason. */
const noLosses = () => ({
  /** Longer than the MTU, either way. */
  tooLong: 0,
  /** Sent with an offload that the device lacks. */
  unsupported: 0,
  /** Sent while the kernel's end was down. */
  down: 0,
  /** Sent after the device was gone. */
  gone: 0,
  /** Refused by the kernel. */
  writeError: 0,
  /** Received with a virtio-net header that is wrong. */
  malformed: 0
})

/** What the device can do for the stack. */
const capabilitiesOf = (device: Device): Capabilities =>
  device.vnetHeaderBytes === 0 ? noCapabilities(device.mtu) : {
    checksumOffload: true,
    segmentation: device.segmentation,
    maxSegmentBytes: device.segmentation.size === 0 ? device.mtu : maxIpPacketBytes
  }

/** One opening of the link. */
class Pump implements Port {
  private readonly device: Device
  private readonly limits: Offload.Limits
  private readonly sink: Sink
  private readonly batchFrames: number
  /** The longest frame with its header, and one octet more. */
  private readonly frameBytes: number
  private readonly pool: SlabPool.SlabPool
  private readonly room = Signal.make()
  private readonly losses = noLosses()
  private readonly scratch: Uint8Array
  private readonly wakefulness: Wakefulness.Wakefulness
  private poll: Poll | undefined
  private starved = false
  /** The last time that the device was readable, it had one frame. */
  private cameAlone = false
  private blocked = false
  private down = false
  private gone = false

  constructor(device: Device, limits: Offload.Limits, sink: Sink, options: Options) {
    this.device = device
    this.limits = limits
    this.sink = sink
    this.batchFrames = options.batchFrames ?? defaultBatchFrames
    this.frameBytes = Offload.maxFrameBytes(limits) + device.vnetHeaderBytes + 1
    this.wakefulness = Wakefulness.make(Duration.toMillis(options.spin ?? Duration.zero))
    this.scratch = new Uint8Array(device.vnetHeaderBytes === 0 ? 0 : this.frameBytes)
    this.pool = SlabPool.make({
      slabBytes: device.segmentation.size === 0
        ? this.batchFrames * (this.frameBytes + 8)
        : Math.max(superSegmentSlabBytes, 2 * this.frameBytes),
      slabs: options.slabs ?? defaultSlabs,
      headroom: device.vnetHeaderBytes,
      isSummed: device.vnetHeaderBytes === 0,
      onRoom: () => setImmediate(() => this.resume())
    })
  }

  /** Takes frames in pieces, which have the room for a virtio-net header before the first. */
  get isGathering(): boolean {
    return this.device.gather !== undefined && this.device.vnetHeaderBytes > 0
  }

  start(): void {
    this.poll = this.device.poll((readiness) => this.ready(readiness))
    if (this.device.isUp() === 0) this.lower()
  }

  stop(): void {
    this.gone = true
    this.poll?.close()
    this.wakefulness.stop()
    this.room.notify()
  }

  private subscribe(): void {
    if (!this.gone) this.poll?.want(!this.starved, this.blocked || this.down)
  }

  private resume(): void {
    this.starved = false
    this.subscribe()
  }

  private ready(readiness: Readiness): void {
    if (this.gone) return
    if (readiness.failed) return this.lose("poll", EBADF)
    if (readiness.writable && (this.blocked || this.down)) this.raise()
    if (readiness.readable) this.receive()
  }

  /** The interface takes frames again. */
  private raise(): void {
    if (this.down) {
      this.down = false
      this.sink.changed({ _tag: "Up" })
    }
    this.blocked = false
    this.subscribe()
    this.room.notify()
  }

  /** The kernel's end was set down. It is writable again when it is up. */
  private lower(): void {
    if (this.down) return
    this.down = true
    this.subscribe()
    this.sink.changed({ _tag: "Down" })
  }

  private lose(operation: string, errno: number): void {
    if (this.gone) return
    this.stop()
    const { errorName, name } = this.device
    const hint = errno === EBADF || errno === EBADFD ? "the device was removed" : undefined
    const error = new LinkError({
      link: name,
      operation,
      code: errorName(errno),
      ...(hint === undefined ? {} : { hint })
    })
    this.sink.changed({ _tag: "Gone", error })
  }

  /** A frame that comes alone, as the last one did, is worked off before the device is asked for more: the answer does not wait for that call. */
  private receive(): void {
    const first = this.take(this.cameAlone ? 1 : this.batchFrames)
    const rest = this.cameAlone && first === 1 && !this.gone ? this.take(this.batchFrames - 1) : 0
    this.cameAlone = first + rest <= 1
    this.wakefulness.touch()
  }

  /** Reads what is there, up to `most` frames, and hands it over; tells how many were read. */
  private take(most: number): number {
    const batch: Array<Frame> = []
    let failure = 0
    let count = 0
    let bytes = 0
    while (count < most && bytes < batchBytes) {
      const slab = this.pool.reserve(this.frameBytes)
      if (slab === undefined) {
        this.starved = true
        this.subscribe()
        break
      }
      const length = this.device.read(slab.bytes, slab.at, this.frameBytes)
      if (length < 0) {
        failure = -length
        break
      }
      count += 1
      bytes += length
      const frame = this.cut(slab, length)
      if (frame !== undefined) batch.push(frame)
    }
    if (batch.length > 0) this.sink.frames(batch)
    // Nothing else is ever wrong with a device that is there; trying again would turn in circles.
    if (failure !== 0 && failure !== EAGAIN) this.lose("read", failure)
    return count
  }

  private cut(slab: SlabPool.PooledSlab, length: number): Frame | undefined {
    // The kernel cuts what does not fit to the length asked for, which is one octet more than any frame has.
    if (length === this.frameBytes) {
      this.losses.tooLong += 1
      return undefined
    }
    const at = slab.at
    const header = this.device.vnetHeaderBytes
    if (header === 0) return slab.cut(at, at + length, "none", 0, 0, undefined)
    const frame = VirtioNet.cut(slab, at, at + length, header)
    if (frame === undefined) this.losses.malformed += 1
    return frame
  }

  send(frames: ReadonlyArray<Frame>, from: number): number {
    let at = from
    while (at < frames.length && this.sendOne(frames[at]!)) at += 1
    return at - from
  }

  /** False if the device is full. */
  private sendOne(frame: Frame): boolean {
    const refusal = Offload.refusal(this.limits, frame)
    if (refusal !== undefined) this.losses[refusal] += 1
    else if (this.gone) this.losses.gone += 1
    else if (this.down) this.losses.down += 1
    else {
      const result = this.write(frame)
      if (result === -EAGAIN) {
        this.blocked = true
        this.subscribe()
        return false
      }
      if (result < 0) this.writeFailed(-result)
    }
    return true
  }

  private write(frame: Frame): number {
    const { gather, vnetHeaderBytes: header, write } = this.device
    if (header === 0) return write(frame.bytes, frame.start, frame.end)
    if (frame.start < header) return this.write(this.withRoom(frame))
    const at = frame.start - header
    VirtioNet.emit(frame, frame.bytes, at, header)
    if (frame.rest === undefined) return write(frame.bytes, at, frame.end)
    return gather === undefined ? -EINVAL : gather(frame.bytes, at, frame.end, frame.rest)
  }

  /** The frame of a sender that left no headroom, with a copy of its bytes behind some. */
  private withRoom(frame: Frame): Frame {
    const start = this.device.vnetHeaderBytes
    this.scratch.set(frame.bytes.subarray(frame.start, frame.end), start)
    return { ...frame, bytes: this.scratch, start, end: start + frame.end - frame.start }
  }

  private writeFailed(errno: number): void {
    if (errno === EIO) {
      this.losses.down += 1
      this.lower()
    } else if (errno === EBADFD || errno === EBADF) {
      this.losses.gone += 1
      this.lose("write", errno)
    } else this.losses.writeError += 1
  }

  readonly writable: Effect.Effect<void> = Effect.suspend(() =>
    this.blocked && !this.gone ? this.room.wait : Effect.void
  )

  counters(): Readonly<Record<string, number>> {
    return { ...this.losses }
  }
}

/** The link of an open device. `mac` is the stack's own address, not the kernel's. */
export const make = (device: Device, mac: Mac | undefined, options: Options): Link => {
  const medium = device.mode === "tap" ? "ethernet" : "ip"
  const capabilities = capabilitiesOf(device)
  const limits: Offload.Limits = { medium, mtu: device.mtu, capabilities }
  let open = false
  const acquire = (sink: Sink): Effect.Effect<Pump, LinkError> =>
    Effect.suspend(() => {
      if (open) return Effect.fail(inUse(device.name))
      open = true
      const pump = new Pump(device, limits, sink, options)
      pump.start()
      return Effect.succeed(pump)
    })
  return {
    name: device.name,
    mac,
    medium,
    mtu: device.mtu,
    capabilities,
    headroom: device.vnetHeaderBytes,
    open: (sink): Effect.Effect<Port, LinkError, Scope.Scope> =>
      Effect.map(
        Effect.acquireRelease(acquire(sink), (pump) =>
          Effect.sync(() => {
            pump.stop()
            open = false
          })),
        portOf
      )
  }
}

/** The pump's sending side as plain functions, which may be taken apart. */
const portOf = (pump: Pump): Port => {
  const port: Port = {
    send: (frames, from) => pump.send(frames, from),
    writable: pump.writable,
    counters: () => pump.counters()
  }
  return pump.isGathering ? gathering(port) : port
}
