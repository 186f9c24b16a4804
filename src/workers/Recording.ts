/**
 * A recording: everything that happened to a stack, in the order in which it did, so that the run can be repeated exactly.
 *
 * The core reads nothing but its events, their stamps and its keys. So the recording holds the seed of the keys, the
 * configuration, and each batch as it ran. **It is secret**: whoever has it can forge segments of the stack's connections, and
 * reads what they carried.
 *
 * ```
 *   {"format":"effect-netstack/recording","version":1,"secret":"…","seed":"…","config":{…}}      one line of JSON each
 *   [1000000,[event, event …]]                                                                  at (µs), the batch
 *   [1000150,[event]]
 * ```
 */
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Config } from "../core/Config.ts"
import * as Entropy from "../core/Entropy.ts"
import type { Event } from "../core/Event.ts"
import type { Output } from "../core/Output.ts"
import * as State from "../core/State.ts"
import { type Instant, instantOf } from "../core/Time.ts"
import * as RecordedValue from "./RecordedValue.ts"
import { runBatch, Step } from "./runBatch.ts"

/** Sees every batch before it runs. Called under the stack's permit: it copies what it keeps and does not wait. */
export type Recorder = (at: Instant, events: ReadonlyArray<Event>) => void

/** The version that {@link record} writes and the only one that {@link read} takes. */
export const version = 1

const secret = "holds the keys and the data of a network stack: do not publish"

/** The first line. */
export const Header = Schema.Struct({
  format: Schema.Literal("effect-netstack/recording"),
  version: Schema.Literal(version),
  secret: Schema.String,
  /** What the keys were derived from, 16 bytes in hexadecimal. */
  seed: Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/)),
  config: Schema.Record(Schema.String, Schema.Json)
})
export type Header = typeof Header.Type

/** One batch as it ran. */
export interface Batch {
  readonly at: Instant
  readonly events: ReadonlyArray<Event>
}

/** A recording that has been read. */
export interface Recording {
  readonly config: Config
  readonly seed: Uint8Array
  readonly batches: ReadonlyArray<Batch>
}

/** The text is no recording, or one of another version. `line` counts from 1. */
export class RecordingError extends Schema.TaggedError<RecordingError>()("RecordingError", {
  line: Schema.Int,
  detail: Schema.String
}) {
  override get message(): string {
    return `line ${this.line} of the recording: ${this.detail}`
  }
}

/**
 * Writes a recording line by line, each with its newline. `write` is called under the stack's permit, so it should only
 * append to a buffer.
 *
 * @example
 * ```ts
 * const lines: Array<string> = []
 * const stack = yield* Stack.make({ config, recorder: Recording.record((line) => lines.push(line)) })
 * ```
 */
export const record = (write: (line: string) => void) => (config: Config, seed: Uint8Array): Recorder => {
  const put = (value: unknown): void => write(`${JSON.stringify(value)}\n`)
  put({
    format: "effect-netstack/recording",
    version,
    secret,
    seed: Hex.encode(seed),
    config: RecordedValue.encode(config)
  })
  return (at, events) => put([at, RecordedValue.encode(events)])
}

const decodeHeader = Schema.decodeUnknownOption(Header)

const readBatch = (line: string): Batch | undefined => {
  const value = JSON.parse(line)
  if (!Array.isArray(value) || typeof value[0] !== "number" || !Array.isArray(value[1])) return undefined
  return { at: instantOf(value[0]), events: RecordedValue.decode(value[1]) as ReadonlyArray<Event> }
}

/** Reads a recording. A last line without newline, which a killed program leaves, is ignored. */
export const read = (text: string): Effect.Effect<Recording, RecordingError> =>
  Effect.suspend(() => {
    const lines = text.split("\n")
    lines.pop()
    const header = Option.flatMap(Option.liftThrowable(JSON.parse)(lines[0] ?? ""), decodeHeader)
    if (Option.isNone(header)) {
      return Effect.fail(new RecordingError({ line: 1, detail: `no header of a recording of version ${version}` }))
    }
    const readLine = Option.liftThrowable(readBatch)
    const batches: Array<Batch> = []
    for (let i = 1; i < lines.length; i++) {
      const batch = Option.getOrUndefined(readLine(lines[i]!))
      if (batch === undefined) return Effect.fail(new RecordingError({ line: i + 1, detail: "no batch of events" }))
      batches.push(batch)
    }
    return Effect.succeed({
      config: RecordedValue.decode(header.value.config) as Config,
      seed: Result.getOrThrow(Hex.decode(header.value.seed)),
      batches
    })
  })

/** What a batch emitted when it ran again. */
export interface Replayed extends Batch {
  readonly outputs: ReadonlyArray<Output>
}

/** Runs a recording again, batch by batch, on a core of its own; `step.state` is its state after the batch that came last. */
export const replay = (recording: Recording): { readonly step: Step; readonly batches: Iterable<Replayed> } => {
  const step = new Step(State.make(recording.config, Entropy.derive(recording.seed)))
  const run = function*(): Generator<Replayed> {
    for (const { at, events } of recording.batches) yield { at, events, outputs: runBatch(step, at, events) }
  }
  return { step, batches: run() }
}
