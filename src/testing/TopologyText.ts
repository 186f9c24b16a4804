/**
 * A {@link Topology} as JSON and YAML have it: times as text (`"20 millis"`), regular expressions between slashes (`"/S/"`).
 *
 * ```yaml
 * hosts:
 *   client: { ipv4: 10.0.0.1/24, tcp: { congestionControl: newReno } }
 *   server: { ipv4: 10.0.0.2/24 }
 * links:
 *   wan:
 *     between: [client, server]
 *     rate: 10e6
 *     delay: 20 millis
 *     jitter: 2 millis
 *     jitterDistribution: pareto
 *     bursts: { enter: 0.01, leave: 0.3 }
 *     back: { delay: 20 millis, losing: [{ like: { tcp: { flags: S. } }, numbers: [1] }] }
 * changes:
 *   - { at: 5 seconds, link: wan, partition: true }
 *   - { at: 8 seconds, link: wan, partition: false }
 * ```
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Yaml from "effect/encoding/Yaml"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Tcp from "../core/tcp/Config.ts"
import { distributions } from "../link/Jitter.ts"
import * as DurationText from "../sockets/DurationText.ts"
import type { TcpDefaults } from "../workers/Edge.ts"
import type { PacketPattern } from "./Like.ts"
import type { Topology } from "./Topology.ts"
import { TopologyError } from "./TopologyError.ts"

const probability = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const positive = Schema.Finite.check(Schema.isGreaterThan(0))
const counted = Schema.Int.check(Schema.isGreaterThan(0))
const packetSize = Schema.Int.check(Schema.isBetween({ minimum: 68, maximum: 65_535 }))

/** Text between slashes is a regular expression, at any depth. */
const patternOf = (value: Schema.Json): unknown => {
  if (typeof value === "string") {
    return value.length > 2 && value.startsWith("/") && value.endsWith("/") ? new RegExp(value.slice(1, -1)) : value
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, patternOf(part)]))
}

const textOf = (pattern: unknown): Schema.Json =>
  pattern instanceof RegExp
    ? `/${pattern.source}/`
    : typeof pattern === "object" && pattern !== null
    ? Object.fromEntries(Object.entries(pattern).map(([key, part]) => [key, textOf(part)]))
    : pattern as Schema.Json

const isPattern = (value: unknown): value is PacketPattern => typeof value === "object" && value !== null

/** A part of a packet, as `Like.ts` has it. */
const PatternFromJson = Schema.Record(Schema.String, Schema.Json).pipe(Schema.decodeTo(
  Schema.declare(isPattern),
  SchemaTransformation.transform<PacketPattern, { readonly [key: string]: Schema.Json }>({
    decode: (json) => patternOf(json) as PacketPattern,
    encode: (pattern) => textOf(pattern) as { readonly [key: string]: Schema.Json }
  })
))

const faultFields = {
  loss: Schema.optionalKey(probability),
  bursts: Schema.optionalKey(Schema.Struct({
    enter: probability,
    leave: probability,
    lossInGood: Schema.optionalKey(probability),
    lossInBad: Schema.optionalKey(probability)
  })),
  lostFrames: Schema.optionalKey(Schema.Array(counted)),
  outage: Schema.optionalKey(Schema.Struct({ every: DurationText.codec, length: DurationText.codec })),
  largestFrame: Schema.optionalKey(positive),
  losing: Schema.optionalKey(Schema.Array(Schema.Struct({
    like: Schema.optionalKey(PatternFromJson),
    numbers: Schema.optionalKey(Schema.Array(counted))
  }))),
  corruption: Schema.optionalKey(probability),
  duplication: Schema.optionalKey(probability),
  reordering: Schema.optionalKey(probability),
  reorderingDelay: Schema.optionalKey(DurationText.codec),
  delay: Schema.optionalKey(DurationText.codec),
  jitter: Schema.optionalKey(DurationText.codec),
  jitterDistribution: Schema.optionalKey(Schema.Literals(distributions)),
  rate: Schema.optionalKey(positive),
  queueBytes: Schema.optionalKey(positive)
}

const Faults = Schema.Struct(faultFields)

const interfaceFields = {
  ipv4: Schema.optionalKey(Schema.String),
  addresses: Schema.optionalKey(Schema.Array(Schema.String)),
  ipv6: Schema.optionalKey(Schema.Literal("slaac")),
  gateway: Schema.optionalKey(Schema.String),
  mac: Schema.optionalKey(Schema.String),
  mtu: Schema.optionalKey(packetSize)
}

const Route = Schema.Struct({
  to: Schema.String,
  gateway: Schema.optionalKey(Schema.String),
  metric: Schema.optionalKey(Schema.Int),
  source: Schema.optionalKey(Schema.String)
})

/** Whether a knob of TCP may have a value: one like its default, or a time as text where the default is a number. */
const isKnob = ([name, value]: readonly [string, unknown]): boolean => {
  if (!(name in Tcp.defaults)) return false
  const known = typeof Tcp.defaults[name as keyof Tcp.Config]
  if (known === typeof value) return true
  return (known === "number" || known === "undefined") && typeof value === "string" &&
    Option.isSome(Duration.fromInput(value as Duration.Input))
}

const isTcp = (value: unknown): value is TcpDefaults =>
  typeof value === "object" && value !== null && Object.entries(value).every(isKnob)

/** Knobs of `core/tcp/Config.ts` by their names, with times as text. */
const TcpKnobs = Schema.declare(isTcp, {
  expected: "knobs of TCP by the names of core/tcp/Config.ts, with times as text"
})

const Host = Schema.Struct({
  ...interfaceFields,
  interfaces: Schema.optionalKey(Schema.Record(Schema.String, Schema.Struct(interfaceFields))),
  routes: Schema.optionalKey(Schema.Array(Route)),
  tcp: Schema.optionalKey(TcpKnobs),
  forwarding: Schema.optionalKey(Schema.Boolean),
  answerEcho: Schema.optionalKey(Schema.Boolean),
  addressProbing: Schema.optionalKey(Schema.Boolean),
  hopLimit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 255 })))
})

const Link = Schema.Struct({
  ...faultFields,
  between: Schema.Tuple([Schema.String, Schema.String]),
  forth: Schema.optionalKey(Faults),
  back: Schema.optionalKey(Faults),
  mtu: Schema.optionalKey(packetSize)
})

const ChangeOfLink = Schema.Struct({
  at: DurationText.codec,
  link: Schema.String,
  faults: Schema.optionalKey(Faults),
  direction: Schema.optionalKey(Schema.Literals(["forth", "back"])),
  partition: Schema.optionalKey(Schema.Boolean)
})

const Hosts = Schema.Record(Schema.String, Host)

/** A topology as JSON has it. */
export const FromJson = Schema.Struct({
  hosts: Hosts,
  routers: Schema.optionalKey(Hosts),
  switches: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.Struct({ mtu: Schema.optionalKey(packetSize) }))
  ),
  links: Schema.Record(Schema.String, Link),
  changes: Schema.optionalKey(Schema.Array(ChangeOfLink))
})

const decodeJson = Schema.decodeUnknownEffect(FromJson, { onExcessProperty: "error" })

/** Reads a topology from parsed JSON or YAML; a word that means nothing is an error, so that a slip of the pen is found. */
export const decode = (json: unknown): Effect.Effect<Topology, TopologyError> =>
  Effect.mapError(decodeJson(json), ({ message }) => new TopologyError({ where: "topology", detail: message }))

/** What YAML or JSON text says. */
export const parseYaml = (text: string): Effect.Effect<unknown, TopologyError> =>
  Effect.try({
    try: () => Yaml.parse(text),
    catch: (error) =>
      new TopologyError({ where: "YAML", detail: error instanceof Error ? error.message : String(error) })
  })

/** Reads a topology from the text of a YAML or JSON file. */
export const parse = (text: string): Effect.Effect<Topology, TopologyError> => Effect.flatMap(parseYaml(text), decode)
