/**
 * Writes captures to a pcapng file, which Wireshark and tcpdump read.
 *
 * Frames wait in memory for the disk, up to a bound; beyond it they are left out of the file and counted there, in the
 * statistics of their interface. The file is complete when the scope has closed.
 *
 * @example
 * ```ts
 * const sink = yield* PcapSink.make({ path: "demo.pcapng" })
 * const link = Capture.make(yield* Tap.make({ name: "tap0" }), sink)
 * ```
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { WriteStream } from "node:fs"
import { open } from "node:fs/promises"
import type { CaptureSink, Recorder } from "../src/link/Capture.ts"
import * as Offload from "../src/link/Offload.ts"
import * as Pcapng from "../src/wire/Pcapng.ts"

export interface Options {
  readonly path: string
  /** Keeps only so many octets of each frame; all of them if absent. */
  readonly snapLength?: number
  /** Bound on the octets that wait for the disk; 16 MiB if absent. */
  readonly bufferBytes?: number
  /** What writes the file; shown by Wireshark among the properties of the capture. */
  readonly application?: string
}

export const defaultBufferBytes = 16 * 1024 * 1024

export interface PcapSink extends CaptureSink {
  /** Frames that went into the file, and those left out. */
  readonly counters: () => { readonly written: number; readonly dropped: number }
  /** Why the file is incomplete: the disk is full, say. */
  readonly failure: () => PcapSinkError | undefined
}

/** The file could not be opened or written. */
export class PcapSinkError extends Schema.TaggedError<PcapSinkError>()("PcapSinkError", {
  path: Schema.String,
  operation: Schema.Literals(["open", "write"]),
  code: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.Defect())
}) {
  override get message(): string {
    return `${this.path}: the capture could not be ${this.operation === "open" ? "opened" : "written"}${
      this.code === undefined ? "" : ` (${this.code})`
    }`
  }
}

const errorOf = (path: string, operation: "open" | "write", cause: unknown): PcapSinkError => {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  return new PcapSinkError({ path, operation, cause, ...(code === undefined ? {} : { code }) })
}

/** Blocks on their way to the file. */
class Writer {
  failure: PcapSinkError | undefined
  private readonly stream: WriteStream
  private readonly bound: number
  private waiting: Array<Uint8Array> = []
  private waitingBytes = 0
  private ended = false

  constructor(stream: WriteStream, path: string, bound: number) {
    this.stream = stream
    this.bound = bound
    stream.on("error", (cause) => this.failure ??= errorOf(path, "write", cause))
  }

  /** False if there is no room, or no file any more. */
  put(block: Uint8Array): boolean {
    const queued = this.stream.writableLength + this.waitingBytes
    if (this.ended || this.failure !== undefined || queued + block.length > this.bound) return false
    this.append(block)
    return true
  }

  /** Blocks of one turn of the event loop go out together. */
  append(block: Uint8Array): void {
    if (this.ended) return
    if (this.waiting.length === 0) setImmediate(() => this.flush())
    this.waiting.push(block)
    this.waitingBytes += block.length
  }

  flush(): void {
    if (this.waiting.length === 0) return
    const blocks = this.waiting
    this.waiting = []
    this.waitingBytes = 0
    if (this.failure === undefined) this.stream.write(Buffer.concat(blocks))
  }

  /** Completes when everything is in the file and the file is closed. */
  readonly end: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.flush()
    this.ended = true
    this.stream.once("close", () => resume(Effect.void))
    if (this.stream.closed) resume(Effect.void)
    else this.stream.end()
  })
}

interface Interface {
  readonly id: number
  written: number
  dropped: number
}

const openFile = (options: Options): Effect.Effect<Writer, PcapSinkError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const file = await open(options.path, "w")
        return new Writer(file.createWriteStream(), options.path, options.bufferBytes ?? defaultBufferBytes)
      },
      catch: (cause) => errorOf(options.path, "open", cause)
    }),
    (writer) =>
      Effect.andThen(
        writer.end,
        Effect.suspend(() => writer.failure === undefined ? Effect.void : Effect.logWarning(writer.failure.message))
      )
  )

const recorder = (writer: Writer, about: Interface, snapLength: number): Recorder => (frame, direction, at) => {
  const data = Offload.completed(frame)
  const length = data.end - data.start
  const kept = { bytes: data.bytes, start: data.start, end: data.start + Math.min(length, snapLength) }
  const block = Pcapng.enhancedPacket({ interface: about.id, at, data: kept, originalLength: length, direction })
  if (writer.put(block)) about.written += 1
  else about.dropped += 1
}

/** Opens the file; it is written to the end when the scope closes. */
export const make = (options: Options): Effect.Effect<PcapSink, PcapSinkError, Scope.Scope> =>
  Effect.gen(function*() {
    const writer = yield* openFile(options)
    writer.append(Pcapng.sectionHeader({ application: options.application ?? "effect-netstack" }))
    const interfaces: Array<Interface> = []
    const sum = (field: "written" | "dropped") => interfaces.reduce((total, each) => total + each[field], 0)
    const now = Clock.currentTimeNanos
    yield* Effect.addFinalizer(() =>
      Effect.map(now, (nanos) => {
        const at = Number(nanos / 1000n)
        for (const { dropped, id, written } of interfaces) {
          const received = written + dropped
          writer.append(Pcapng.interfaceStatistics({ interface: id, at, received, dropped }))
        }
      })
    )
    return {
      counters: () => ({ written: sum("written"), dropped: sum("dropped") }),
      failure: () => writer.failure,
      attach: (link) => {
        const about: Interface = { id: interfaces.length, written: 0, dropped: 0 }
        interfaces.push(about)
        const linkType = link.medium === "ethernet" ? Pcapng.LinkType.ethernet : Pcapng.LinkType.raw
        const snapLength = options.snapLength ?? 0
        writer.append(Pcapng.interfaceDescription({ linkType, name: link.name, snapLength }))
        return recorder(writer, about, snapLength === 0 ? Infinity : snapLength)
      }
    }
  })
