/**
 * A scenario: a network, what goes over it, what to look at and what is expected; as data, so that it can be a file.
 *
 * ```yaml
 * title: Fast retransmit
 * about: One segment is lost. Three duplicate ACKs tell the sender, which repeats it long before its timer would.
 * duration: 2 seconds
 * hosts:
 *   client: { ipv4: 10.0.0.1/24 }
 *   server: { ipv4: 10.0.0.2/24 }
 * links:
 *   wire: { between: [client, server], rate: 10e6, delay: 20 millis }
 * flows:
 *   upload: { from: client, to: server, bytes: 500e3 }
 * headline: "{upload.retransmitted} segment sent again, {upload.timeouts} timeouts"
 * expect:
 *   upload.timeouts: 0
 *   upload.megabitsPerSecond: { atLeast: 5 }
 * ```
 *
 * `scenario/Run.ts` runs it in the simulator; `netstack sim` draws what came of it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as DurationText from "../sockets/DurationText.ts"
import * as measureNames from "./scenario/measureNames.ts"
import type { Topology } from "./Topology.ts"
import { TopologyError } from "./TopologyError.ts"
import * as TopologyText from "./TopologyText.ts"

/** Bytes from one host to another over one connection. */
export interface Transfer {
  readonly kind: "transfer"
  readonly from: string
  readonly to: string
  readonly bytes: number
  /** From the start of the run; 0 if absent. */
  readonly at?: Duration.Duration
  /** The receiver does not read for so long when it has read so many bytes. */
  readonly pause?: { readonly after: number; readonly length: Duration.Duration }
}

/** Questions that are answered with as many bytes, one every while, over one connection. */
export interface Questions {
  readonly kind: "questions"
  readonly from: string
  readonly to: string
  readonly every: Duration.Duration
  /** Bytes of each; 100 if absent. */
  readonly bytes?: number
  readonly at?: Duration.Duration
}

/** SYNs from made-up addresses, to the port of another flow. */
export interface Flood {
  readonly kind: "flood"
  readonly from: string
  /** The flow whose server is flooded. */
  readonly flow: string
  /** SYNs a second. */
  readonly rate: number
  readonly at?: Duration.Duration
  readonly length: Duration.Duration
}

export type Flow = Transfer | Questions | Flood

/** What a measure has to be. */
export type Bounds = number | { readonly atLeast?: number; readonly atMost?: number }

export interface Scenario {
  readonly title: string
  /** What happens and what to look at. */
  readonly about: string
  /** How long the run is, in virtual time. */
  readonly duration: Duration.Duration
  readonly seed?: number
  readonly topology: Topology
  readonly flows: Readonly<Record<string, Flow>>
  /** What came of it in a sentence, with measures in braces. */
  readonly headline: string
  /** By the names of measures (`scenario/measures.ts`). */
  readonly expect: Readonly<Record<string, Bounds>>
}

/** Text that is no scenario, or one that contradicts itself. */
export class ScenarioError extends Schema.TaggedError<ScenarioError>()("ScenarioError", {
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

const positive = Schema.Finite.check(Schema.isGreaterThan(0))
const at = { at: Schema.optionalKey(DurationText.codec) }

const TransferFields = Schema.Struct({
  kind: Schema.optionalKey(Schema.Literal("transfer")),
  from: Schema.String,
  to: Schema.String,
  bytes: positive,
  ...at,
  pause: Schema.optionalKey(Schema.Struct({ after: positive, length: DurationText.codec }))
})

const QuestionsFields = Schema.Struct({
  kind: Schema.Literal("questions"),
  from: Schema.String,
  to: Schema.String,
  every: DurationText.codec,
  bytes: Schema.optionalKey(positive),
  ...at
})

const FloodFields = Schema.Struct({
  kind: Schema.Literal("flood"),
  from: Schema.String,
  flow: Schema.String,
  rate: positive,
  ...at,
  length: DurationText.codec
})

const BoundsOfMeasure = Schema.Union([
  Schema.Finite,
  Schema.Struct({ atLeast: Schema.optionalKey(Schema.Finite), atMost: Schema.optionalKey(Schema.Finite) })
])

/** A scenario as a file has it: the parts of the topology stand at the top. */
export const FromJson = Schema.Struct({
  ...TopologyText.FromJson.fields,
  title: Schema.String,
  about: Schema.String,
  duration: DurationText.codec,
  seed: Schema.optionalKey(Schema.Int),
  flows: Schema.Record(Schema.String, Schema.Union([FloodFields, QuestionsFields, TransferFields])),
  headline: Schema.String,
  expect: Schema.optionalKey(Schema.Record(Schema.String, BoundsOfMeasure))
})

const decodeJson = Schema.decodeUnknownEffect(FromJson, { onExcessProperty: "error", errors: "all" })

/** The flow whose server a flood is for. */
export const floodedBy = ({ flow }: Flood, flows: Scenario["flows"]): Transfer | Questions | undefined => {
  const found = flows[flow]
  return found === undefined || found.kind === "flood" ? undefined : found
}

/** The measures that a text names in braces. */
const namedIn = (text: string): ReadonlyArray<string> => Array.from(text.matchAll(/\{([^}]+)\}/g), ([, name]) => name!)

/** What contradicts itself. */
const faultOf = (scenario: Scenario): string | undefined => {
  const { expect, flows, headline, topology } = scenario
  const names = new Set([...Object.keys(topology.hosts), ...Object.keys(topology.routers ?? {})])
  for (const [name, flow] of Object.entries(flows)) {
    const ends = flow.kind === "flood" ? [flow.from] : [flow.from, flow.to]
    const unknown = ends.find((end) => !names.has(end))
    if (unknown !== undefined) return `flow ${name}: no host is called ${unknown}`
    if (flow.kind === "flood" && floodedBy(flow, flows) === undefined) {
      return `flow ${name}: no flow to flood is called ${flow.flow}`
    }
  }
  return [...Object.keys(expect), ...namedIn(headline)].map((name) => measureNames.faultOf(scenario, name)).find(
    Boolean
  )
}

/** Reads a scenario from parsed JSON or YAML. */
export const decode = (json: unknown): Effect.Effect<Scenario, ScenarioError> =>
  Effect.gen(function*() {
    const read = yield* Effect.mapError(decodeJson(json), ({ message }) => new ScenarioError({ detail: message }))
    const { about, duration, expect = {}, flows, headline, seed, title, ...topology } = read
    const scenario: Scenario = {
      title,
      about,
      duration,
      topology,
      headline,
      expect,
      flows: Object.fromEntries(Object.entries(flows).map(([name, flow]) => [name, { kind: "transfer", ...flow }])),
      ...(seed === undefined ? {} : { seed })
    }
    const fault = faultOf(scenario)
    return fault === undefined ? scenario : yield* new ScenarioError({ detail: fault })
  })

/** Without flows and a title a file is a topology, over which each host but the first sends a megabyte to the first. */
const ofTopology = (topology: Topology): Scenario => {
  const [first = "", ...others] = Object.keys(topology.hosts)
  return {
    title: "A topology",
    about: `Every host sends a megabyte to ${first}.`,
    duration: Duration.seconds(30),
    topology,
    flows: Object.fromEntries(others.map((from) => [from, { kind: "transfer", from, to: first, bytes: 1e6 }])),
    headline: others.map((name) => `${name}: {${name}.megabitsPerSecond} Mbit/s`).join(", "),
    expect: {}
  }
}

const isScenario = (json: unknown): boolean => typeof json === "object" && json !== null && "flows" in json

/** Reads a scenario, or a topology, from the text of a YAML or JSON file. */
export const parse = (text: string): Effect.Effect<Scenario, ScenarioError | TopologyError> =>
  Effect.gen(function*() {
    const json = yield* TopologyText.parseYaml(text)
    return isScenario(json) ? yield* decode(json) : ofTopology(yield* TopologyText.decode(json))
  })

/** Whether a measure is within its bounds. */
export const isWithin = (value: number | undefined, bounds: Bounds): boolean => {
  if (value === undefined) return false
  if (typeof bounds === "number") return value === bounds
  return value >= (bounds.atLeast ?? -Infinity) && value <= (bounds.atMost ?? Infinity)
}

/** Milliseconds from the start at which a flow begins. */
export const startOf = ({ at }: Flow): number =>
  Option.match(Option.fromNullishOr(at), { onNone: () => 0, onSome: Duration.toMillis })
