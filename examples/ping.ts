/**
 * Two hosts on a wire in memory, and a ping from one to the other: `node examples/ping.ts`
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Links, Netstack, Ping } from "../src/index.ts"

const [near, far] = Links.layerMemory({ latency: "1 millis" })

/** The far host has nothing to do but to answer. */
const FarHost = Layer.effectDiscard(Netstack.make({ ipv4: "10.0.0.2/24" })).pipe(Layer.provide(far))
const NearHost = Netstack.layer({ ipv4: "10.0.0.1/24" }).pipe(Layer.provide(near))

const program = Effect.gen(function*() {
  for (let i = 0; i < 3; i++) {
    const { from, roundTrip } = yield* Ping.ping("10.0.0.2")
    yield* Console.log(`${from} answers after ${Duration.toMillis(roundTrip).toFixed(3)} ms`)
  }
})

program.pipe(Effect.provide([NearHost, FarHost]), NodeRuntime.runMain)
