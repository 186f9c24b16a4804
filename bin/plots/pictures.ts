/**
 * The pictures of a scenario: what each connection sent and heard, its windows, its round trips, how fast it was; answers and queues.
 */
import * as Plot from "@observablehq/plot"
import type { FlowOutcome, Outcome } from "../../src/testing/scenario/Run.ts"
import type { Segment, Series } from "../../src/testing/scenario/Series.ts"
import type { Picture } from "./Picture.ts"
import { colour, ofConnections } from "./style.ts"

/** A picture with the name of its file. */
export interface NamedPicture {
  readonly name: string
  readonly picture: Picture
}

type Span = readonly [number, number]

/** Times that one column of a picture can't tell apart. */
const columns = 700

/** Segments that follow each other in one column are one. */
const merged = (segments: ReadonlyArray<Segment>, [from, to]: Span): ReadonlyArray<Segment> => {
  const column = (to - from) / columns
  const all: Array<Segment> = []
  for (const segment of segments) {
    const last = all.at(-1)
    const follows = last?.end === segment.start && segment.at - last.at < column && last.again === segment.again
    if (follows) all[all.length - 1] = { ...last, end: segment.end }
    else all.push(segment)
  }
  return all
}

/** Rules from the start to the end of segments, at their times. */
const bars = (segments: ReadonlyArray<Segment>, span: Span, stroke: string): Plot.Markish =>
  Plot.ruleX(merged(segments, span), {
    x: "at",
    y1: "start",
    y2: "end",
    stroke,
    strokeWidth: 2,
    strokeLinecap: "round"
  })

/** Steps through at most as many points as a picture has columns, the last of each. */
const thinned = <A extends { readonly at: number }>(points: ReadonlyArray<A>, [from, to]: Span): ReadonlyArray<A> => {
  const columnOf = ({ at }: A): number => Math.floor((at - from) / (to - from) * columns)
  return points.filter((point, i) => {
    const next = points[i + 1]
    return next === undefined || columnOf(next) !== columnOf(point)
  })
}

const largest = <A>(all: ReadonlyArray<A>, of: (each: A) => number): number =>
  all.reduce((most, each) => Math.max(most, of(each)), 0)

const sequenceNames: Picture["names"] = [
  { text: "sent", colour: "sent" },
  { text: "sent again", colour: "again" },
  { text: "lost", colour: "lost" },
  { text: "acknowledged", colour: "acked" },
  { text: "selectively", colour: "sacked" },
  { text: "end of the window", colour: "edge" }
]

const sequence = (flow: string, series: Series, span: Span): Picture => {
  const { acknowledgments, lost, sent } = series
  const heard = thinned(acknowledgments, span)
  const sacked = acknowledgments.flatMap(({ at, sacked }) =>
    sacked.map(([start, end]) => ({ at, start, end, again: false }))
  )
  const highest = largest(sent, ({ end }) => end)
  const again = sent.filter((each) => each.again)
  const dots = { x: "at", y: "start", stroke: colour("lost"), symbol: "times", r: 4, strokeWidth: 2 } as const
  return {
    title: `${flow}: what was sent, by its number in the stream`,
    label: "bytes",
    names: sequenceNames,
    span,
    values: [0, highest * 1.05],
    height: 380,
    marks: [
      Plot.line(heard, {
        x: "at",
        y: "edge",
        stroke: colour("edge"),
        curve: "step-after",
        strokeDasharray: "3 3",
        clip: true
      }),
      Plot.line(heard, { x: "at", y: "upTo", stroke: colour("acked"), curve: "step-after" }),
      bars(sacked.slice(0, 4000), span, colour("sacked")),
      bars(sent.filter(({ again }) => !again), span, colour("sent")),
      bars(again, span, colour("again")),
      // A single segment of a long stream is too short to be seen.
      Plot.dot(merged(again, span), { x: "at", y: "start", fill: colour("again"), r: 3 }),
      Plot.dot(lost, dots)
    ]
  }
}

const windows = (flow: string, series: Series, span: Span): Picture => {
  const points = thinned(series.windows, span)
  const line = (y: string, stroke: string) => Plot.line(points, { x: "at", y, stroke, curve: "step-after", clip: true })
  const highest = largest(points, ({ congestion, inFlight }) => Math.max(congestion, inFlight))
  return {
    title: `${flow}: windows`,
    label: "bytes",
    names: [
      { text: "congestion window", colour: "sent" },
      { text: "slow start threshold", colour: "again" },
      { text: "in flight", colour: "acked" },
      { text: "offered by the peer", colour: "edge" }
    ],
    span,
    values: [0, highest * 1.1],
    marks: [
      line("offered", colour("edge")),
      line("inFlight", colour("acked")),
      line("threshold", colour("again")),
      line("congestion", colour("sent"))
    ]
  }
}

const roundTrips = (flow: string, series: Series, span: Span): Picture => {
  const points = thinned(series.roundTrips, span)
  const line = (y: string, stroke: string) => Plot.line(points, { x: "at", y, stroke, curve: "step-after" })
  return {
    title: `${flow}: round trips`,
    label: "ms",
    names: [{ text: "smoothed round trip", colour: "sent" }, { text: "retransmission timeout", colour: "again" }],
    span,
    marks: [line("timeout", colour("again")), line("smoothed", colour("sent"))]
  }
}

/** Intervals over which a rate is taken. */
const intervals = 100

interface Rate {
  readonly at: number
  readonly rate: number
  readonly flow: string
}

/** Megabits a second that arrived, over intervals. */
const rates = (flow: string, { arrived }: Series, [from, to]: Span): ReadonlyArray<Rate> => {
  const length = (to - from) / intervals
  const sums = Array.from({ length: intervals }, () => 0)
  for (const { at, end, start } of arrived) {
    const index = Math.min(intervals - 1, Math.floor((at - from) / length))
    sums[index]! += end - start
  }
  return sums.map((bytes, i) => ({ flow, at: from + (i + 0.5) * length, rate: bytes * 8 / length / 1e6 }))
}

const throughput = (flows: ReadonlyArray<readonly [string, Series]>, span: Span): Picture => {
  const names = flows.map(([text], i) => ({ text, colour: ofConnections[i % ofConnections.length]! }))
  return {
    title: "Throughput: what arrived",
    label: "Mbit/s",
    names,
    span,
    marks: flows.map(([flow, series], i) =>
      Plot.line(rates(flow, series, span), { x: "at", y: "rate", stroke: colour(names[i]!.colour), strokeWidth: 2 })
    )
  }
}

const answers = (flow: string, { answers }: Extract<FlowOutcome, { kind: "questions" }>, span: Span): Picture => ({
  title: `${flow}: how long each answer took`,
  label: "ms",
  names: [{ text: "answer", colour: "sent" }],
  span,
  marks: [
    Plot.line(answers, { x: "at", y: "took", stroke: colour("rule") }),
    Plot.dot(answers, { x: "at", y: "took", fill: colour("sent"), r: 2.5 })
  ]
})

const queues = (outcome: Outcome, span: Span): ReadonlyArray<NamedPicture> => {
  const used = outcome.queues.filter(({ samples }) => samples.some(({ bytes }) => bytes > 10_000))
  if (used.length === 0) return []
  const names = used.map(({ direction, link }, i) => ({
    text: `${link} ${direction}`,
    colour: ofConnections[i % ofConnections.length]!
  }))
  const marks = used.map(({ samples }, i) =>
    Plot.line(thinned(samples, span), { x: "at", y: "bytes", stroke: colour(names[i]!.colour) })
  )
  return [{
    name: "queues",
    picture: { title: "Bytes that wait before slow lines", label: "bytes", names, span, marks }
  }]
}

/** When the last thing happened that a picture shows, with a little room. */
const spanOf = (outcome: Outcome): Span => {
  const all = Object.values(outcome.flows).flatMap((flow) => flow.kind === "flood" ? [] : [flow.series])
  const latest = largest(
    all,
    ({ acknowledgments, sent }) => Math.max(acknowledgments.at(-1)?.at ?? 0, sent.at(-1)?.at ?? 0)
  )
  return [0, latest === 0 ? outcome.duration : Math.min(outcome.duration, latest * 1.03)]
}

const ofFlow = (name: string, flow: FlowOutcome, span: Span): ReadonlyArray<NamedPicture> => {
  if (flow.kind === "flood") return []
  const { series } = flow
  const common = [
    { name: `${name}-sequence`, picture: sequence(name, series, span) },
    { name: `${name}-windows`, picture: windows(name, series, span) },
    { name: `${name}-round-trips`, picture: roundTrips(name, series, span) }
  ]
  return flow.kind === "transfer" ? common : [{ name: `${name}-answers`, picture: answers(name, flow, span) }]
}

/** All pictures of a run. */
export const of = (outcome: Outcome): ReadonlyArray<NamedPicture> => {
  const span = spanOf(outcome)
  const transfers = Object.entries(outcome.flows).flatMap(([name, flow]) =>
    flow.kind === "transfer" ? [[name, flow.series] as const] : []
  )
  return [
    ...Object.entries(outcome.flows).flatMap(([name, flow]) => ofFlow(name, flow, span)),
    ...(transfers.length === 0 ? [] : [{ name: "throughput", picture: throughput(transfers, span) }]),
    ...queues(outcome, span)
  ]
}
