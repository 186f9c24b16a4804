/**
 * What a connection costs in memory that is established, accepted and silent: bytes of heap and buffers per connection after a
 * collection, of a whole server on a TAP device, and of the core alone.
 */
import * as Effect from "effect/Effect"
import { Bare } from "../Bare.ts"
import * as Crowd from "../Crowd.ts"
import * as Frames from "../frames.ts"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Wires from "../Wires.ts"

const counts = [1000, 10_000] as const
/** Connections that are there before: what the first ones load and compile is not the others' cost. */
const settled = 1000

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
    yield* Wires.holdIdle(wire, settled)
    const before = yield* held(wire.server, settled)
    yield* Wires.holdIdle(wire, count)
    const after = yield* held(wire.server, settled + count)
    return (after - before) / count
  }))

const figure = (count: number, { runs, scale }: Settings) =>
  Effect.map(
    Effect.replicateEffect(perConnection(Math.ceil(count / scale)), runs),
    (values): Figure => ({ name: `${count} connections, each`, unit: "B", values, goal: { atMost: 4000 } })
  )

const used = (): number => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { arrayBuffers, external, heapUsed } = process.memoryUsage()
  return heapUsed + Math.max(arrayBuffers, external)
}

const inCore = (count: number): number => {
  const bare = new Bare(Frames.stack.mac, Frames.stack.address)
  // As long after the machine's start as makes the numbers of its clock large ones.
  bare.now = 1e12 as typeof bare.now
  const buffer = new Uint8Array(2048)
  bare.run([bare.frame(buffer, 0, Frames.introduction(buffer))])
  Crowd.connections(bare, settled)
  const before = used()
  Crowd.connections(bare, count, 2000)
  return (used() - before) / count
}

const coreFigure = (count: number, { runs, scale }: Settings): Figure => ({
  name: `${count} in the core, each`,
  unit: "B",
  values: Array.from({ length: runs }, () => inCore(Math.ceil(count / scale))),
  goal: { atMost: 2000 }
})

export const rows: ReadonlyArray<Row> = [
  {
    name: "idle",
    about: "memory of an established connection that is silent, in a server with a thousand and with ten thousand",
    measure: (settings) => Effect.forEach(counts, (count) => figure(count, settings))
  },
  {
    name: "idle-core",
    about: "the same of the core alone, with ten thousand and with a hundred thousand",
    flags: ["--expose-gc"],
    measure: (settings) => Effect.sync(() => [10_000, 100_000].map((count) => coreFigure(count, settings)))
  }
]
