import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Pattern from "../../src/testing/Pattern.ts"
import { pcapngOf } from "../../src/testing/pcapngOf.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Pcapng from "../../src/wire/Pcapng.ts"

describe("A trace", () => {
  it.effect("tells what befalls each frame, as it is counted, of a running network and of a simulation", () =>
    Effect.gen(function*() {
      const chances = { loss: 0.03, corruption: 0.05, duplication: 0.05, reordering: 0.05 }
      const faults = { ...chances, rate: 5e6, queueBytes: 6000, delay: "5 millis" } as const
      const test = Effect.gen(function*() {
        const listener = yield* Tcp.listen({ port: 7 })
        yield* Effect.forkScoped(listener.serve((connection) => connection.readAll))
        yield* TestNetwork.on("remote")(Effect.scoped(Effect.gen(function*() {
          const connection = yield* Tcp.connect("10.0.0.1:7")
          yield* connection.write(Pattern.bytes(200_000))
          yield* connection.end
          yield* connection.readAll
        })))
        const wire = yield* TestNetwork.link("wire")
        yield* TestNetwork.partition("wire")
        yield* Effect.exit(Ping.ping("10.0.0.2", { timeout: "1 second" }))
        const { trace } = yield* TestNetwork.TestNetwork
        return { trace, counted: [wire.statistics("forth"), wire.statistics("back")] }
      })
      const simulation = Simulator.make(Topology.pair(faults), { seed: 2, trace: "frames" })
      Transfer.run(simulation, { from: "local", to: "remote", bytes: 200_000 })
      simulation.link("wire").partition()
      simulation.inject("local", new Uint8Array(60))
      simulation.settle()
      const wire = simulation.link("wire")
      const runs = [
        yield* TestNetwork.run(test, { faults, seed: 5, trace: "frames" }),
        { trace: simulation.trace, counted: [wire.statistics("forth"), wire.statistics("back")] }
      ]
      for (const { counted, trace } of runs) {
        const reasons = ["lost", "partitioned", "queueFull", "corrupted", "duplicated", "reordered"] as const
        for (const reason of reasons) {
          const entries = trace.entries.filter((each) => each.reason === reason)
          const count = counted.reduce((sum, each) => sum + each[reason], 0)
          assert.isAbove(count, 0, reason)
          assert.strictEqual(entries.length, count, reason)
          const taken = reason === "lost" || reason === "partitioned" || reason === "queueFull"
          assert.isTrue(entries.every(({ happening }) => happening === (taken ? "lost" : "altered")))
        }
        // What was damaged is shown as it arrives.
        const arrived = new Set(
          trace.entries.flatMap((each) => each.happening === "arrived" ? [Hex.encode(each.frame)] : [])
        )
        const damaged = trace.entries.filter(({ reason }) => reason === "corrupted")
        assert.isTrue(damaged.some(({ frame }) => arrived.has(Hex.encode(frame))))
        const read = Pcapng.read(pcapngOf(trace.entries))
        if (Malformed.isMalformed(read)) return assert.fail(read.detail)
        const told = new Set(
          read.packets.flatMap(({ comments }) => comments).map((text) => text.replace(/ on its way.*/, ""))
        )
        const words = ["lost", "lost to a partition", "lost, as the queue is full,", "damaged", "doubled", "held back"]
        assert.deepStrictEqual([...told].toSorted(), words.toSorted())
      }
    }))
})
