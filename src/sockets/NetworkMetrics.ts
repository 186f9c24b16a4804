/**
 * What a stack counts, as metrics of Effect. They are read when somebody exports them, by any exporter that knows
 * `effect/Metric`; nothing is updated for a packet.
 *
 * ```
 *   counters, drops, tables of the state ◀── read ── Metric.snapshot ◀── OTLP, Prometheus, OpenTelemetry's SDK
 * ```
 *
 * Names, units and attributes follow OpenTelemetry's conventions; {@link prometheus} turns them into those of Prometheus.
 *
 * @example
 * ```ts
 * const Metrics = Layer.effectDiscard(NetworkMetrics.register)
 * ```
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import type * as Scope from "effect/Scope"
import type { Classes } from "../workers/Probe.ts"
import * as Readings from "../workers/Readings.ts"
import type { Stack } from "../workers/Stack.ts"
import { Netstack } from "./Netstack.ts"

type Attributes = Readonly<Record<string, string>>
type CounterName = keyof ReturnType<typeof Readings.counters>

/** A name, a unit of UCUM and a description. */
interface Family {
  readonly id: string
  readonly unit: string
  readonly about: string
}

const family = (id: string, unit: string, about: string): Family => ({ id, unit, about })

const received: Attributes = { "network.io.direction": "receive" }
const sent: Attributes = { "network.io.direction": "transmit" }
const none: Attributes = {}

const io = family("netstack.io", "By", "Bytes of frames")
const frames = family("netstack.frames", "{frame}", "Frames")
const overflowed = family("netstack.frames.overflowed", "{frame}", "Frames that found a full ring")
const drops = family("netstack.drops", "{packet}", "Packets that the stack has dropped, by reason")
const ipPackets = family("netstack.ip.packets", "{packet}", "IP packets")
const segments = family("netstack.tcp.segments", "{segment}", "TCP segments")
const text = family("netstack.tcp.io", "By", "Bytes of TCP payload")
const retransmissions = family("netstack.tcp.retransmissions", "{segment}", "TCP segments sent again")
const timeouts = family("netstack.tcp.timeouts", "{timeout}", "Retransmission timers that have fired")
const recoveries = family("netstack.tcp.recoveries", "{recovery}", "Losses that began fast recovery")
const spurious = family("netstack.tcp.recoveries.spurious", "{recovery}", "Recoveries that were for nothing")
const resets = family("netstack.tcp.resets", "{segment}", "TCP resets")
const opens = family("netstack.tcp.opens", "{connection}", "Connections established, by who opened them")
const failedOpens = family("netstack.tcp.opens.failed", "{connection}", "Handshakes that failed")
const datagrams = family("netstack.udp.datagrams", "{datagram}", "UDP datagrams")
const defects = family("netstack.defects", "{event}", "Events that were rolled back: bugs of the stack")

/** Which counter of the core is which series. */
const counted: ReadonlyArray<readonly [CounterName, Family, Attributes]> = [
  ["bytesReceived", io, received],
  ["bytesSent", io, sent],
  ["framesReceived", frames, received],
  ["framesSent", frames, sent],
  ["ipReceived", ipPackets, received],
  ["ipSent", ipPackets, sent],
  ["tcpSegmentsReceived", segments, received],
  ["tcpSegmentsSent", segments, sent],
  ["tcpBytesReceived", text, received],
  ["tcpBytesSent", text, sent],
  ["tcpSegmentsRetransmitted", retransmissions, none],
  ["tcpTimeouts", timeouts, none],
  ["tcpFastRetransmits", recoveries, none],
  ["tcpSpuriousRecoveries", spurious, none],
  ["tcpResetsReceived", resets, received],
  ["tcpResetsSent", resets, sent],
  ["tcpActiveOpens", opens, { "netstack.tcp.opener": "self" }],
  ["tcpPassiveOpens", opens, { "netstack.tcp.opener": "peer" }],
  ["tcpAttemptFails", failedOpens, none],
  ["udpReceived", datagrams, received],
  ["udpSent", datagrams, sent],
  ["defects", defects, none]
]

const connections = family("netstack.tcp.connections", "{connection}", "TCP connections, by state")
const queues = family("netstack.queue.length", "{item}", "What waits in the workers' queues")
const queuedBytes = family("netstack.queue.bytes", "By", "Bytes that wait for links")
const memory = family("netstack.memory", "By", "Bytes of data that the stack holds, by what for")
const rtt = family("netstack.tcp.rtt", "s", "Measured round trips of TCP")
const batchSize = family("netstack.batch.size", "{event}", "Events that one batch took to the core")
const stepTime = family("netstack.batch.duration", "s", "Time that the core took for one batch")

const nothing = (): void => {}

/** Reads all of several series at once, and gives them one after the other, as a snapshot asks; whoever asks for one again gets a new reading. */
const readTogether = <K extends string>(read: () => Readonly<Record<K, number>>): (name: K) => number => {
  let values: Readonly<Record<K, number>> | undefined
  const given = new Set<K>()
  return (name) => {
    if (values === undefined || given.has(name)) {
      values = read()
      given.clear()
    }
    given.add(name)
    return values[name]
  }
}

const histogramState = ({ bounds, counts, max, min, sum }: Classes): Metric.HistogramState => {
  let count = 0
  const buckets = bounds.map((bound, i): [number, number] => {
    count += counts[i]!
    return [bound, count]
  })
  return { buckets, count: count + counts[bounds.length]!, min, max, sum }
}

type Context = Parameters<typeof Metric.registerUnsafe>[1]

/** Registers series and remembers how to take them out again. */
class Series {
  readonly registrations: Array<Metric.Registration> = []
  private readonly context: Context

  constructor(context: Context) {
    this.context = context
  }

  counter({ about, id, unit }: Family, attributes: Attributes, read: () => number): void {
    const metric = Metric.counter(id, { description: about, incremental: true, attributes: { ...attributes, unit } })
    const get = () => ({ count: read(), incremental: true })
    this.registrations.push(Metric.registerUnsafe(metric, this.context, { get, update: nothing, modify: nothing }))
  }

  gauge({ about, id, unit }: Family, attributes: Attributes, read: () => number): void {
    const metric = Metric.gauge(id, { description: about, attributes: { ...attributes, unit } })
    const get = () => ({ value: read() })
    this.registrations.push(Metric.registerUnsafe(metric, this.context, { get, update: nothing, modify: nothing }))
  }

  histogram({ about, id, unit }: Family, read: () => Classes): void {
    const boundaries = read().bounds
    const metric = Metric.histogram(id, { description: about, attributes: { unit }, boundaries })
    const get = () => histogramState(read())
    this.registrations.push(Metric.registerUnsafe(metric, this.context, { get, update: nothing, modify: nothing }))
  }

  readonly remove: Effect.Effect<void> = Effect.sync(() => {
    for (const registration of this.registrations) registration.remove()
  })
}

const addCounters = (series: Series, stack: Stack): void => {
  const counter = readTogether(() => stack.peek(Readings.counters))
  for (const [name, of, attributes] of counted) series.counter(of, attributes, () => counter(name))
  const dropped = readTogether(() => stack.peek(Readings.drops))
  for (const reason of Readings.dropReasons) {
    series.counter(drops, { "netstack.drop.reason": reason }, () => dropped(reason))
  }
  series.counter(
    overflowed,
    none,
    () => stack.peekQueues().links.reduce((sum, link) => sum + link.overflowed, 0)
  )
}

const addGauges = (series: Series, stack: Stack): void => {
  const inState = readTogether(() => stack.peek(Readings.connectionStates))
  for (const name of Readings.stateNames) {
    series.gauge(connections, { "netstack.tcp.state": name }, () => inState(name))
  }
  const waiting = readTogether(() => {
    const { alarms, links, waiting } = stack.peekQueues()
    const inLinks = (side: "receive" | "transmit"): number => links.reduce((sum, link) => sum + link.depths[side], 0)
    return { receive: inLinks("receive"), transmit: inLinks("transmit"), requests: waiting, alarms }
  })
  for (const name of ["receive", "transmit", "requests", "alarms"] as const) {
    series.gauge(queues, { "netstack.queue": name }, () => waiting(name))
  }
  series.gauge(queuedBytes, none, () => stack.peek(Readings.transmitQueued))
  const held = readTogether(() => stack.peek(Readings.memory))
  for (const pool of Readings.pools) series.gauge(memory, { "netstack.memory.pool": pool }, () => held(pool))
}

const addHistograms = (series: Series, stack: Stack): void => {
  const { probe } = stack
  if (probe === undefined) return
  series.histogram(rtt, () => stack.peek(Readings.roundTrips))
  series.histogram(batchSize, probe.batchSizes)
  series.histogram(stepTime, probe.stepTimes)
}

/** Puts the metrics of a stack into the program's registry, until the scope closes. */
export const registerStack = (stack: Stack): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const series = new Series(yield* Effect.context<never>())
    yield* Effect.addFinalizer(() => series.remove)
    addCounters(series, stack)
    addGauges(series, stack)
    addHistograms(series, stack)
  })

/**
 * The same for the stack of the program. `layers/Telemetry.ts` does it for every stack. Round trips, sizes and times of batches are there if
 * that layer was below the stack when it was made. Two stacks in one registry want attributes that tell them apart
 * (`Metric.CurrentMetricAttributes`).
 */
export const register: Effect.Effect<void, never, Netstack | Scope.Scope> = Effect.flatMap(Netstack, registerStack)

const unitWords: Readonly<Record<string, string>> = { By: "_bytes", s: "_seconds" }

/** Prometheus wants the unit, and `_total` of what only grows, in the name. */
const prometheusNames: ReadonlyMap<string, string> = new Map([
  ...[drops, overflowed, ...counted.map(([, of]) => of)].map((of): [string, string] => [
    of.id,
    `${of.id}${unitWords[of.unit] ?? ""}_total`
  ]),
  ...[connections, queues, queuedBytes, memory, rtt, batchSize, stepTime].map((of): [string, string] => [
    of.id,
    `${of.id}${of.id.endsWith(".bytes") ? "" : unitWords[of.unit] ?? ""}`
  ])
])

/** Name of a metric of this stack in Prometheus; any other stays as it is. */
export const prometheusName = (id: string): string => prometheusNames.get(id) ?? id

/** What `prometheus` serves it as. */
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8"

/** The metrics of the stack, and of nothing else, in the text format of Prometheus. */
export const prometheus: Effect.Effect<string, never, Netstack> = Effect.scoped(
  Effect.andThen(register, PrometheusMetrics.format({ metricNameMapper: prometheusName }))
).pipe(Effect.provideServiceEffect(Metric.MetricRegistry, Effect.sync((): Metric.MetricRegistry => new Map())))
