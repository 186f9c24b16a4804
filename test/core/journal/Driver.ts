/**
 * A core without a shell: events go in one by one, and what comes out is only written down, so that a test can repeat each event.
 */
import { assert } from "@effect/vitest"
import * as Bounds from "../../../src/core/Bounds.ts"
import * as Config from "../../../src/core/Config.ts"
import * as Entropy from "../../../src/core/Entropy.ts"
import type { Event } from "../../../src/core/Event.ts"
import type { Output, Transmit } from "../../../src/core/Output.ts"
import * as State from "../../../src/core/State.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Gather from "../../../src/wire/Gather.ts"
import * as Alarms from "../../../src/workers/Alarms.ts"
import { runBatch, Step } from "../../../src/workers/runBatch.ts"

/** Small limits, so that random events reach them. */
const limits = Bounds.withOverrides({
  neighborEntries: 4,
  neighborParkedPackets: 3,
  neighborParkedBytes: 3000,
  reassemblyBytes: 8000,
  reassemblyBytesPerPeer: 6000,
  icmpErrorBurst: 5,
  datagramReceiveBytes: 4000,
  datagramSendBytes: 2500,
  parkedRequests: 12,
  sockets: 10,
  routes: 8,
  addresses: 4,
  transmitQueueBytes: 20_000,
  memoryBytes: 200_000
})

export class Driver {
  readonly step: Step
  now: Time.Instant = Time.instantOf(0)
  readonly alarms: Alarms.Alarms = Alarms.make()
  /** What was handed to links and has not left yet. */
  readonly queued: Array<Transmit> = []

  constructor(seed: number) {
    const entropy = Uint8Array.from({ length: 16 }, (_, i) => seed * 7 + i)
    this.step = new Step(State.make({ ...Config.defaults, limits }, Entropy.derive(entropy)))
  }

  /** Runs an event and keeps what it leads to. */
  run(event: Event): ReadonlyArray<Output> {
    return this.keep(runBatch(this.step, this.now, [event]))
  }

  /** Runs an event that throws at its n-th write, if it has so many, and keeps what the answer leads to. */
  attemptAndKeep(event: Event, write: number): ReadonlyArray<Output> {
    return this.keep(this.attempt(event, write, false).outputs)
  }

  private keep(outputs: ReadonlyArray<Output>): ReadonlyArray<Output> {
    for (const output of outputs) {
      if (output._tag === "SetTimer") this.alarms.add(output.timer, output.at)
      if (output._tag === "Transmit") this.queued.push(output)
    }
    return outputs
  }

  /**
   * Runs an event that throws at its n-th write, and, with `isSilenced`, again at the first write of the answer to that, so that nothing
   * at all may be left of it. An event with fewer writes comes to its end.
   */
  attempt(
    event: Event,
    write: number,
    isSilenced: boolean
  ): { readonly hasThrown: boolean; readonly outputs: ReadonlyArray<Output> } {
    let hasThrown = false
    const { journal } = this.step
    journal.trap = (n) => {
      if (hasThrown ? !isSilenced : n !== write) return
      hasThrown = true
      throw new Error(`trap at write ${write}`)
    }
    const outputs = runBatch(this.step, this.now, [event])
    journal.trap = undefined
    return { hasThrown, outputs }
  }

  snapshot(): Readonly<Record<string, unknown>> {
    return State.snapshot(this.step.state)
  }
}

const isFifo = (value: object): value is { items: ReadonlyArray<unknown>; from: number; to: number } =>
  "items" in value && "from" in value && "to" in value

const isPiece = (value: object): value is { bytes: Uint8Array; start: number; end: number } =>
  "bytes" in value && "start" in value && "end" in value && value.bytes instanceof Uint8Array

/** A packet in parts: the room before its header is nobody's, so what stands there means nothing. */
const isOutgoing = (value: object): value is Gather.Outgoing => "head" in value && "headStart" in value

const text = (bytes: Uint8Array, start = 0, end = bytes.length): string =>
  Buffer.from(bytes.subarray(start, end)).toString("latin1")

/** A deep copy that holds what a value means, and nothing of how it is kept: bytes as text, queues as lists, tables in order. */
export const meaning = (value: unknown): unknown => {
  if (value === undefined || value === Infinity) return `${value}`
  if (typeof value === "function") return "function"
  if (typeof value !== "object" || value === null) return value
  if (value instanceof Uint8Array) return text(value)
  if (value instanceof Set) return Array.from(value, meaning)
  if (value instanceof Map) {
    return Array.from(value, ([key, each]) => [String(key), meaning(each)] as const).toSorted(([a], [b]) =>
      a < b ? -1 : 1
    )
  }
  if (Array.isArray(value)) return value.map(meaning)
  if (isOutgoing(value)) {
    const { head, headEnd, headStart, ...rest } = value
    return { head: text(head, headStart, headEnd), ...meaning(rest) as object }
  }
  if (isFifo(value)) return value.items.slice(value.from, value.to).map(meaning)
  if (isPiece(value)) return text(value.bytes, value.start, value.end)
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, meaning(each)]))
}

/** Outputs by what they mean: a frame by its bytes, not by where its header lies in the arena. */
export const told = (outputs: ReadonlyArray<Output>): unknown =>
  outputs.map((output) => {
    if (output._tag !== "Transmit") return meaning(output)
    const { packet, ...rest } = output
    const bytes = new Uint8Array(Gather.size(packet))
    Gather.into(packet, bytes, 0, true)
    return { ...rest, bytes: text(bytes), gso: packet.gso, checksum: packet.checksum }
  })

/** Compares what two values mean by their texts, which is quick, and tells the difference if there is one. */
export const assertMeans = (actual: unknown, expected: unknown, why?: string): void => {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) assert.deepStrictEqual(actual, expected, why)
}

/** State by what it means. TCP keeps bytes in blocks of which only a record's counters say how much counts, so it is told by its outputs. */
export const state = (driver: Driver): unknown =>
  meaning(Object.fromEntries(Object.entries(driver.snapshot()).filter(([key]) => !key.startsWith("tcp."))))
