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
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type * as Edge from "../workers/Edge.ts"
import * as Knobs from "../workers/TcpKnobs.ts"
import * as DurationText from "./DurationText.ts"

/** All knobs, each of which may be absent. */
export type TcpKnobs = Edge.TcpDefaults

/** The codec of one knob's values; from strings where the configuration has nothing else. */
const codecOf = (values: Knobs.Values): Schema.Codec<unknown, unknown> => {
  switch (values.kind) {
    case "switch":
      return Schema.Boolean
    case "choice":
      return Schema.Literals(values.among)
    case "number":
      return Schema.Number.check(
        Schema.makeFilter((value: number) => values.takes(value) || `expected ${values.words}`)
      )
    case "time":
      return DurationText.codec.check(
        Schema.makeFilter((value: Duration.Duration) => values.takes(value) || `expected ${values.words}`)
      )
  }
}

const fields = Object.fromEntries(Knobs.table.map(([name, values]) => [name, Schema.optionalKey(codecOf(values))]))

/** The codec of a record of knobs. The table's types say of each knob what its codec gives, which TypeScript can't follow through its names. */
export const schema: Schema.Codec<Knobs.Decoded, unknown> = Schema.Struct(fields) as unknown as Schema.Codec<
  Knobs.Decoded,
  unknown
>

/** The knobs that a configuration has, below `path` if one is given. */
export const config = (path?: string): Config.Config<TcpKnobs> => Config.schema(schema, path)
