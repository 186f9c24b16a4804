/**
 * What a scenario is measured by: numbers with names.
 *
 * | name | |
 * | --- | --- |
 * | `FLOW.isComplete` `.isIntact` `.failed` | 1 or 0 |
 * | `FLOW.seconds` `.megabitsPerSecond` | of a transfer that is complete, from its SYN to its end at the receiver |
 * | `FLOW.segments` `.retransmitted` `.timeouts` | of the sender's connection |
 * | `FLOW.maximumWindow` `.maximumRtt` `.minimumRtt` `.longestPause` | bytes; milliseconds, smoothed; seconds without a byte acknowledged |
 * | `FLOW.answered` `.medianMillis` `.maximumMillis` | of questions |
 * | `FLOW.sent` | of a flood |
 * | `LINK.forth.lost` `.queueFull` `.partitioned` `.maximumQueue`, and `back` | frames; bytes |
 * | `HOST.COUNTER`, `HOST.dropped.REASON` | `core/Counter.ts`, `core/Drop.ts` |
 * | `fairness` | Jain's index of all transfers' bytes |
 */
import * as Counter from "../../core/Counter.ts"
import * as Drop from "../../core/Drop.ts"
import type { Bounds, Scenario } from "../Scenario.ts"
import { isWithin } from "../Scenario.ts"
import type { Simulation } from "../Simulator.ts"
import { fairness } from "../Transfer.ts"
import type { FlowOutcome, Queue } from "./Run.ts"
import type { Series } from "./Series.ts"

type Measures = Record<string, number>

const flag = (is: boolean): number => is ? 1 : 0

const largest = (values: Iterable<number>): number => {
  let found = 0
  for (const value of values) found = Math.max(found, value)
  return found
}

/** The longest time without progress, from the first ACK to the last, in seconds. */
const longestPause = ({ acknowledgments }: Series): number => {
  let upTo = 0
  let since = acknowledgments[0]?.at ?? 0
  let longest = 0
  for (const each of acknowledgments) {
    if (each.upTo <= upTo) continue
    longest = Math.max(longest, each.at - since)
    upTo = each.upTo
    since = each.at
  }
  return longest
}

/** Bytes that were acknowledged. */
const delivered = ({ acknowledgments }: Series): number => largest(acknowledgments.map(({ upTo }) => upTo))

const ofConnection = (flow: Extract<FlowOutcome, { readonly series: unknown }>): Measures => {
  const { collector: { info }, series } = flow
  const rtts = series.roundTrips.map(({ smoothed }) => smoothed)
  return {
    delivered: delivered(series),
    segments: series.sent.length,
    retransmitted: series.sent.filter(({ again }) => again).length,
    timeouts: info?.timeouts ?? 0,
    maximumWindow: largest(series.windows.map(({ congestion }) => congestion)),
    maximumRtt: largest(rtts),
    minimumRtt: rtts.length === 0 ? 0 : Math.min(...rtts),
    longestPause: longestPause(series)
  }
}

const ofTransfer = (flow: Extract<FlowOutcome, { readonly kind: "transfer" }>, bytes: number): Measures => {
  const { received, sent } = flow
  const isComplete = received._tag === "Done" && sent._tag === "Done" && received.value.length === bytes
  const basic = {
    ...ofConnection(flow),
    isComplete: flag(isComplete),
    failed: flag(received._tag === "Failed" || sent._tag === "Failed")
  }
  if (!isComplete) return basic
  const seconds = (received.value.endedAt - sent.value.startedAt) / 1e6
  return {
    ...basic,
    isIntact: flag(received.value.isIntact),
    seconds,
    megabitsPerSecond: bytes * 8 / seconds / 1e6
  }
}

const ofQuestions = (flow: Extract<FlowOutcome, { readonly kind: "questions" }>): Measures => {
  const took = flow.answers.map(({ took }) => took).toSorted((a, b) => a - b)
  return {
    ...ofConnection(flow),
    answered: took.length,
    failed: flag(flow.asking._tag === "Failed"),
    medianMillis: took[Math.floor(took.length / 2)] ?? 0,
    maximumMillis: took.at(-1) ?? 0
  }
}

const ofFlow = (flow: FlowOutcome, bytes: number): Measures => {
  switch (flow.kind) {
    case "transfer":
      return ofTransfer(flow, bytes)
    case "questions":
      return ofQuestions(flow)
    case "flood":
      return { sent: flow.sent }
  }
}

const ofLink = (simulation: Simulation, link: string, queues: ReadonlyArray<Queue>): Measures =>
  Object.fromEntries((["forth", "back"] as const).flatMap((direction) => {
    const { lost, offered, partitioned, queueFull } = simulation.link(link).statistics(direction)
    const queue = queues.find((each) => each.link === link && each.direction === direction)
    const maximumQueue = largest((queue?.samples ?? []).map(({ bytes }) => bytes))
    return Object.entries({ offered, lost, partitioned, queueFull, maximumQueue }).map(([name, value]) => [
      `${direction}.${name}`,
      value
    ])
  }))

const ofHost = (simulation: Simulation, name: string): Measures => {
  const host = simulation.host(name)
  return Object.fromEntries([
    ...Counter.names.map((counter) => [counter, host.counter(counter)]),
    ...Drop.reasons.map((reason) => [`dropped.${reason}`, host.dropCount(reason)])
  ])
}

const under = (owner: string, measures: Measures): ReadonlyArray<readonly [string, number]> =>
  Object.entries(measures).map(([name, value]) => [`${owner}.${name}`, value])

/** All measures of a run. */
export const of = (
  simulation: Simulation,
  scenario: Scenario,
  flows: Readonly<Record<string, FlowOutcome>>,
  queues: ReadonlyArray<Queue>
): Readonly<Measures> => {
  const bytesOf = (name: string): number => {
    const flow = scenario.flows[name]
    return flow?.kind === "transfer" ? flow.bytes : 0
  }
  const transfers = Object.values(flows).filter((flow) => flow.kind === "transfer")
  return Object.fromEntries([
    ...Object.entries(flows).flatMap(([name, flow]) => under(name, ofFlow(flow, bytesOf(name)))),
    ...Object.keys(scenario.topology.links).flatMap((link) => under(link, ofLink(simulation, link, queues))),
    ...simulation.hosts.flatMap((host) => under(host, ofHost(simulation, host))),
    ["fairness", fairness(transfers.map(({ series }) => delivered(series)))] as const
  ])
}

/** Three digits that count, and no more than a reader wants. */
export const format = (value: number): string =>
  Number.isInteger(value) ? String(value) : value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))

/** A text with the measures that it names in braces. */
export const filledIn = (text: string, measures: Readonly<Measures>): string =>
  text.replaceAll(/\{([^}]+)\}/g, (whole, name: string) => {
    const value = measures[name]
    return value === undefined ? whole : format(value)
  })

const textOf = (bounds: Bounds): string => {
  if (typeof bounds === "number") return format(bounds)
  const { atLeast, atMost } = bounds
  return [
    ...(atLeast === undefined ? [] : [`at least ${format(atLeast)}`]),
    ...(atMost === undefined ? [] : [`at most ${format(atMost)}`])
  ].join(" and ")
}

/** The measures that are not within their bounds. */
export const unmet = (
  expected: Readonly<Record<string, Bounds>>,
  measures: Readonly<Measures>
): ReadonlyArray<string> =>
  Object.entries(expected).flatMap(([name, bounds]) => {
    const value = measures[name]
    if (isWithin(value, bounds)) return []
    return [`${name} is ${value === undefined ? "not measured" : format(value)}, and not ${textOf(bounds)}`]
  })
