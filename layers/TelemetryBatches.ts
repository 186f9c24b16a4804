/**
 * The batches that workers take to the core: how many events they have and how long they take, and a span for one out of many.
 *
 * Such a span is a trace of its own, named after the worker, with the worker's fiber as its thread (`thread.id`, `thread.name`), and with
 * an event for each packet only where that is asked for.
 */
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import type { Event } from "../src/core/Event.ts"
import type { Output } from "../src/core/Output.ts"
import type { Instant } from "../src/core/Time.ts"
import type { Classes } from "../src/workers/Probe.ts"

/** Numbers counted in classes; adding one costs a short search. */
class Histogram {
  private readonly bounds: ReadonlyArray<number>
  private readonly counts: Float64Array
  private sum = 0
  private min = Infinity
  private max = 0

  constructor(bounds: ReadonlyArray<number>) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  add(value: number): void {
    const { bounds, counts } = this
    let index = 0
    while (index < bounds.length && value > bounds[index]!) index += 1
    counts[index] = counts[index]! + 1
    this.sum += value
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  /** The classes so far; `unit` is what one of the numbers is. */
  read(unit: number): Classes {
    return {
      bounds: this.bounds.map((bound) => bound / unit),
      counts: Array.from(this.counts),
      sum: this.sum / unit,
      min: this.min === Infinity ? 0 : this.min / unit,
      max: this.max / unit
    }
  }
}

/** Events. */
const sizeBounds = [1, 2, 4, 8, 16, 32, 64, 128]
/** Microseconds. */
const timeBounds = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 100_000]
const microsPerSecond = 1e6

export interface Options {
  readonly tracer: Tracer.Tracer
  readonly nanosOf: (at: Instant) => bigint
  /** Now, in microseconds on the stack's clock. */
  readonly now: () => number
  readonly attributes: Readonly<Record<string, unknown>>
  /** One batch out of so many has a span; none with 0. */
  readonly sample: number
  /** Whether the packets of such a batch are events of its span. */
  readonly packets: boolean
}

/** The worker that brought a batch. What transmit workers have to tell goes in front of other batches, too. */
const workerOf = (events: ReadonlyArray<Event>): string => {
  const last = events.at(-1)!
  switch (last._tag) {
    case "Frame":
      return `receive ${last.link}`
    case "Timer":
      return "timers"
    case "Request":
      return last.request._tag === "Sent" ? `transmit ${last.request.link}` : "requests"
  }
}

export class Batches {
  private readonly options: Options
  private readonly sizes = new Histogram(sizeBounds)
  private readonly times = new Histogram(timeBounds)
  private untilNext: number

  constructor(options: Options) {
    this.options = options
    this.untilNext = options.sample
  }

  /** A batch has run, from `at` until now. */
  ran(at: Instant, events: ReadonlyArray<Event>, outputs: ReadonlyArray<Output>): void {
    const { now, sample } = this.options
    this.sizes.add(events.length)
    this.times.add(Math.max(0, now() - at))
    if (sample === 0 || --this.untilNext > 0) return
    this.untilNext = sample
    this.span(at, events, outputs)
  }

  private span(at: Instant, events: ReadonlyArray<Event>, outputs: ReadonlyArray<Output>): void {
    const { attributes, nanosOf, now, packets, tracer } = this.options
    const worker = workerOf(events)
    const span = tracer.span({
      name: `netstack worker ${worker.split(" ")[0]}`,
      parent: Option.none(),
      annotations: Context.empty(),
      links: [],
      startTime: nanosOf(at),
      kind: "internal",
      root: true,
      sampled: true
    })
    const own = {
      "thread.id": Fiber.getCurrent()?.id,
      "thread.name": worker,
      "netstack.batch.events": events.length,
      "netstack.batch.outputs": outputs.length,
      "netstack.batch.sample": this.options.sample
    }
    for (const [key, value] of Object.entries({ ...attributes, ...own })) span.attribute(key, value)
    if (packets) this.addPackets(span, at, events, outputs)
    span.end(nanosOf(at) + BigInt(Math.max(0, Math.round((now() - at) * 1000))), Exit.void)
  }

  private addPackets(
    span: Tracer.Span,
    at: Instant,
    events: ReadonlyArray<Event>,
    outputs: ReadonlyArray<Output>
  ): void {
    const time = this.options.nanosOf(at)
    for (const event of events) {
      if (event._tag !== "Frame") continue
      const { end, start } = event.frame
      span.event("frame-received", time, { "netstack.link": event.link, "netstack.frame.size": end - start })
    }
    for (const output of outputs) {
      if (output._tag === "Transmit") {
        span.event("frame-sent", time, { "netstack.link": output.link, "netstack.frame.size": output.size })
      } else if (output._tag === "Drop") {
        span.event("drop", time, { "netstack.link": output.link, "netstack.drop.reason": output.reason })
      }
    }
  }

  readonly batchSizes = (): Classes => this.sizes.read(1)

  readonly stepTimes = (): Classes => this.times.read(microsPerSecond)
}
