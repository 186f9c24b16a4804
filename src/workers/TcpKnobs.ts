/**
 * The core's table of TCP's knobs as programs see it: durations for spans.
 */
import * as Duration from "effect/Duration"
import type { Config } from "../core/tcp/Config.ts"
import * as Knobs from "../core/tcp/Knobs.ts"
import * as Time from "../core/Time.ts"

/** Knobs with their times as durations; each may be absent. */
export type Decoded = {
  readonly [K in keyof Config]?: Config[K] extends Time.Span | undefined ? Duration.Duration : Config[K]
}

/** What a knob takes: `takes` judges values of the kind, and `words` says which they are. */
export type Values =
  | { readonly kind: "switch" }
  | { readonly kind: "choice"; readonly among: ReadonlyArray<string> }
  | { readonly kind: "number"; readonly takes: (value: number) => boolean; readonly words: string }
  | { readonly kind: "time"; readonly takes: (value: Duration.Duration) => boolean; readonly words: string }

const valuesOf = (values: Knobs.Values): Values => {
  switch (values.kind) {
    case "switch":
    case "choice":
      return values
    case "number":
      return { kind: "number", takes: (value) => Knobs.takes(values, value), words: Knobs.describe(values) }
    case "time":
      return {
        kind: "time",
        takes: (value) => Knobs.takes(values, Time.millis(Duration.toMillis(value))),
        words: Knobs.describe(values)
      }
  }
}

/** Every knob by its name, in the order of the table. */
export const table: ReadonlyArray<readonly [name: string, values: Values]> = Knobs.names.map((name) => [
  name,
  valuesOf(Knobs.table[name].values)
])
