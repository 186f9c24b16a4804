/**
 * Fifty megabytes each way between the kernel and the stack over a network that loses, delays and reorders, for each of the kernel's
 * congestion controls and ours of the same name. How fast they are is a matter for the benchmark `relay`.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Pattern from "./Pattern.ts"
import * as Relay from "./Relay.ts"
import { suite } from "./Requirements.ts"

const total = 50_000_000
const sha256 = Pattern.sha256(total)
const faults = { seed: 7, delay: "5 millis", loss: 0.0002, reordering: 0.001, reorderingDelay: "2 millis" } as const

suite("relay", ["sysctl"], () => {
  const available = Relay.available()
  for (const congestion of Relay.congestions) {
    it.live(`50 MB go both ways as they are, sent by ${congestion}`, (context) => {
      if (!available.includes(congestion)) return context.skip(`this kernel has no ${congestion}, only ${available}`)
      return Effect.gen(function*() {
        const relay = yield* Relay.make("stack", congestion, faults)
        const [got, put] = [yield* relay.transfer("get", total), yield* relay.transfer("put", total)]
        assert.deepStrictEqual([got.sha256, put.sha256], [sha256, sha256])
        const told = yield* relay.end
        for (const fault of ["lost", "reordered"]) assert.match(told, new RegExp(`"${fault}":[1-9]`))
      })
    })
  }
})
