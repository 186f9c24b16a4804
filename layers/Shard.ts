/**
 * What a program of a sharded stack knows of where it runs: which shard it is on, and a way to tell the thread that made them all.
 *
 * @example
 * ```ts
 * // program.ts, which every shard runs
 * export default (port: number) =>
 *   Effect.gen(function*() {
 *     const listener = yield* Tcp.listen({ port })
 *     const { index, tell } = yield* Shard
 *     yield* tell(`shard ${index} listens`)
 *     return yield* listener.serve((connection) => Stream.run(connection.stream, connection.sink))
 *   })
 * ```
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Netstack } from "../src/sockets/Netstack.ts"

export class Shard extends Context.Service<Shard, {
  /** From 0 on. */
  readonly index: number
  readonly count: number
  /** Sends a value, which must survive a structured clone, to `Sharded.said`. */
  readonly tell: (value: unknown) => Effect.Effect<void>
}>()("effect-netstack/layers/Shard") {}

/** The default export of a program's module. It runs on each shard until it ends, and the shard with it; `input` is the same for all. */
export type Program<Input = unknown> = (input: Input) => Effect.Effect<unknown, unknown, Netstack | Shard | Scope.Scope>
