/**
 * TCP's knobs out of a program's configuration: decoded, checked, and named when they are wrong. `docs/tcp-knobs.md` lists them.
 *
 * @example
 * ```ts
 * // TCP_MIN_RTO="100 millis" TCP_CONGESTION_CONTROL=bbr
 * const Live = Netstack.layerConfig({ ipv4: Config.String("ADDRESS"), tcp: TcpKnobs.config("tcp") })
 * ```
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type * as Core from "../core/tcp/Config.ts"
import * as Knobs from "../core/tcp/Knobs.ts"
import * as Time from "../core/Time.ts"
import type * as Edge from "../workers/Edge.ts"

/** All knobs, each of which may be absent. */
export type TcpKnobs = Edge.TcpDefaults

/** What knobs are decoded to: times are durations. */
type Decoded = {
  readonly [K in keyof Core.Config]?: Core.Config[K] extends Time.Span | undefined ? Duration.Duration : Core.Config[K]
}

const durationWithin = (least: Time.Span, most: Time.Span, words: string) =>
  Schema.DurationFromString.check(
    Schema.makeFilter((duration: Duration.Duration) => {
      const millis = Duration.toMillis(duration)
      return (millis >= Time.toMillis(least) && millis <= Time.toMillis(most)) || `expected ${words}`
    })
  )

/** The codec of one knob's values; from strings where the configuration has nothing else. */
const codecOf = (values: Knobs.Values): Schema.Codec<unknown, unknown> => {
  switch (values.kind) {
    case "switch":
      return Schema.Boolean
    case "choice":
      return Schema.Literals(values.among)
    case "number":
      return Schema.Number.check(
        Schema.makeFilter((value: number) => Knobs.takes(values, value) || `expected ${Knobs.describe(values)}`)
      )
    case "time":
      return durationWithin(values.least, values.most, Knobs.describe(values))
  }
}

const fields = Object.fromEntries(
  Knobs.names.map((name) => [name, Schema.optionalKey(codecOf(Knobs.table[name].values))])
)

/** The codec of a record of knobs. The table's types say of each knob what its codec gives, which TypeScript can't follow through its names. */
export const schema: Schema.Codec<Decoded, unknown> = Schema.Struct(fields) as unknown as Schema.Codec<Decoded, unknown>

/** The knobs that a configuration has, below `path` if one is given. */
export const config = (path?: string): Config.Config<TcpKnobs> => Config.schema(schema, path)
