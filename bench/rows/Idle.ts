/**
 * What a connection costs in memory that is established, accepted and silent: bytes of heap and buffers per connection, of a whole
 * server on a TAP device, after a collection.
 */
import * as Effect from "effect/Effect"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Wires from "../Wires.ts"

const counts = [1000, 10_000] as const

/** What the server holds once it has that many connections. */
const held = (server: Wires.Wire["server"], connections: number) =>
  Effect.gen(function*() {
    yield* server.write(`${connections}\n`)
    const [, bytes] = yield* server.line(new RegExp(`^bytes (\\d+), connections ${connections}$`), "2 minutes")
    return Number(bytes)
  })

const perConnection = (count: number) =>
  Effect.scoped(Effect.gen(function*() {
    const wire = yield* Wires.idle
    // What the first connections load and compile is not the others' cost.
    yield* Wires.holdIdle(wire, 10)
    const before = yield* held(wire.server, 10)
    yield* Wires.holdIdle(wire, count)
    const after = yield* held(wire.server, 10 + count)
    return (after - before) / count
  }))

const figure = (count: number, { runs, scale }: Settings) =>
  Effect.map(
    Effect.replicateEffect(perConnection(Math.ceil(count / scale)), runs),
    (values): Figure => ({ name: `${count} connections, each`, unit: "B", values, goal: { atMost: 8000 } })
  )

export const rows: ReadonlyArray<Row> = [
  {
    name: "idle",
    about: "memory of an established connection that is silent, in a server with a thousand and with ten thousand",
    measure: (settings) => Effect.forEach(counts, (count) => figure(count, settings))
  }
]
