/** What each shard of `cycles.ts` runs: nothing, for as long as it is let. */
import * as Effect from "effect/Effect"
import type { Program } from "../../../layers/Shard.ts"

const program: Program = () => Effect.never

export default program
