/**
 * What each shard of `netstack up --shards` runs: the services that the flags name, told of as soon as they are there.
 */
import * as Effect from "effect/Effect"
import { type Program, Shard } from "../layers/Shard.ts"
import { serve } from "../src/services/Service.ts"
import * as services from "./services.ts"

/** Services by name, since the threads of shards are given plain data. */
export type Input = ReadonlyArray<{ readonly name: string; readonly port: number }>

const program: Program<Input> = (input) =>
  Effect.gen(function*() {
    const { tell } = yield* Shard
    const run = ({ name, port }: Input[number]) => {
      const service = services.byName.get(name)
      return service === undefined ? Effect.die(`no service ${name}`) : serve(service, port, tell({ name, port }))
    }
    return yield* Effect.andThen(Effect.forEach(input, run, { concurrency: "unbounded" }), Effect.never)
  })

export default program
