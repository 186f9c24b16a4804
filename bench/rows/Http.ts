/**
 * HTTP requests over keep-alive connections, to a server of node:http and to one of Effect, on the stack and on kernel sockets.
 */
import * as Effect from "effect/Effect"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Wires from "../Wires.ts"

const requests = 40_000
const connections = 16
/**
 * What goes first, in parts of what is measured: the engine compiles on the one core that the server has, and is done after some 200,000 requests (46 µs each in
 * the first 80,000 on the stack, 34 in the next, 30 from then on). The kernel's server has as many.
 */
const warmUp = 6

/** Requests a second. */
const measure = (where: "stack" | "kernel", kind: "node" | "effect", count: number) =>
  Effect.scoped(Effect.gen(function*() {
    const wire = yield* Wires.http(where, kind)
    yield* Wires.settleRequests(wire, connections, count, warmUp)
    const report = yield* Wires.requests(wire, connections, count)
    return report.count / report.nanos * 1e9
  }))

const figure = (name: string, kind: "node" | "effect", settings: Settings): Effect.Effect<Figure, unknown> =>
  Effect.map(
    Effect.replicateEffect(
      Effect.all([
        measure("stack", kind, Math.ceil(requests / settings.scale)),
        measure("kernel", kind, Math.ceil(requests / settings.scale))
      ]),
      settings.runs
    ),
    (turns) => ({
      name,
      unit: "/s",
      values: turns.map(([stack]) => stack),
      against: { name: "kernel sockets, veth", values: turns.map(([, kernel]) => kernel) },
      goal: { atLeast: 0.5 }
    })
  )

export const rows: ReadonlyArray<Row> = [
  {
    name: "http",
    about: "small answers over 16 keep-alive connections, by node:http and by Effect's HttpServer",
    measure: (settings) => Effect.all([figure("node:http", "node", settings), figure("HttpServer", "effect", settings)])
  }
]
