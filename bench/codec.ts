/**
 * Prints what the codecs cost: the row `codec` of the benchmarks by itself, without a Node of its own.
 *
 *     node bench/codec.ts
 */
import * as Effect from "effect/Effect"
import { table } from "./Row.ts"
import { rows } from "./rows/Codec.ts"

const measureAll = Effect.forEach(
  rows,
  (row) => Effect.map(row.measure({ runs: 9, scale: 1 }), (figures) => [row.name, figures] as const)
)

process.stdout.write(`${table(Effect.runSync(Effect.orDie(measureAll)))}\n`)
