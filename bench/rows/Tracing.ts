/**
 * What tracing and metrics cost: the same work with them and without, in turns. With them, two stacks in memory have a span for each
 * connection and for one batch in a thousand, their metrics are registered, and all of it is exported as OTLP to a sink on loopback.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Telemetry from "../../layers/Telemetry.ts"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../src/sockets/TcpConnection.ts"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Wires from "../Wires.ts"

const mebibyte = 1024 * 1024
const bulkBytes = 64 * mebibyte
const roundTrips = 5000
const connections = 500
const chunk = new Uint8Array(64 * 1024).fill(0x61)
const port = "4318"

/** Tracing may take a tenth. */
const goal = { atLeast: 0.9 }

const observed = Layer.merge(
  Telemetry.layer(),
  Layer.provide(
    Otlp.layerJson({ baseUrl: `http://127.0.0.1:${port}`, resource: { serviceName: "bench" } }),
    FetchHttpClient.layer
  )
)

const sinkProgram = fileURLToPath(new URL("../programs/sink.ts", import.meta.url))

/** The sink as a process of its own, so that its work is not counted. */
const sink = Effect.acquireRelease(
  Effect.callback<ReturnType<typeof spawn>>((resume) => {
    const child = spawn(process.execPath, [sinkProgram, port], { stdio: ["ignore", "pipe", "inherit"] })
    child.stdout!.once("data", () => resume(Effect.succeed(child)))
    child.once("exit", () => resume(Effect.die(new Error(`the sink can't listen on port ${port}`))))
  }),
  (child) => Effect.sync(() => child.kill())
)

const host = (link: ReturnType<typeof MemoryLink.pair>[0], ipv4: `${string}/${number}`) =>
  Effect.provide(Netstack.make({ ipv4 }), Links.layer(link))

/** What was done, in how long. */
interface Piece {
  readonly done: number
  readonly seconds: number
}

/** Runs `work` between two stacks. */
const between = (
  serve: (connection: TcpConnection) => Effect.Effect<void, Tcp.TcpError>,
  work: (connect: ReturnType<typeof Tcp.connect>) => Effect.Effect<number, Tcp.TcpError, Netstack.Netstack>
) =>
  Effect.scoped(Effect.gen(function*() {
    const [left, right] = MemoryLink.pair()
    const client = yield* host(left, "10.99.0.1/24")
    const server = yield* host(right, "10.99.0.2/24")
    const listener = yield* Effect.provideService(Tcp.listen({ port: 9 }), Netstack.Netstack, server)
    yield* Effect.forkScoped(listener.serve(serve))
    const begin = performance.now()
    const done = yield* Effect.provideService(work(Tcp.connect("10.99.0.2:9")), Netstack.Netstack, client)
    return { done, seconds: (performance.now() - begin) / 1000 } satisfies Piece
  }))

const discard = (connection: TcpConnection) =>
  Effect.gen(function*() {
    while ((yield* connection.read()).length > 0);
    yield* connection.end
  })

const echo = (connection: TcpConnection) =>
  Effect.gen(function*() {
    for (;;) {
      const chunks = yield* connection.read()
      if (chunks.length === 0) return
      for (const part of chunks) yield* connection.write(part)
    }
  })

const bulk = (bytes: number) =>
  between(discard, (connect) =>
    Effect.scoped(Effect.gen(function*() {
      const connection = yield* connect
      for (let sent = 0; sent < bytes; sent += chunk.length) yield* connection.write(chunk)
      yield* connection.end
      yield* connection.closed
      return bytes / 1e6
    })))

const requests = (count: number) =>
  between(echo, (connect) =>
    Effect.scoped(Effect.gen(function*() {
      const connection = yield* connect
      const byte = chunk.subarray(0, 1)
      for (let i = 0; i < count; i++) {
        yield* connection.write(byte)
        yield* connection.read()
      }
      return count
    })))

const visits = (count: number) =>
  between(echo, (connect) =>
    Effect.gen(function*() {
      for (let i = 0; i < count; i++) {
        yield* Effect.scoped(Effect.flatMap(connect, (connection) =>
          Effect.andThen(connection.write(chunk.subarray(0, 1)), connection.read())))
      }
      return count
    }))

/** A repetition is cut into pieces that alternate, so that both sides have the same weather. */
const pieces = 8

const total = (done: ReadonlyArray<Piece>): number =>
  done.reduce((sum, piece) => sum + piece.done, 0) / done.reduce((sum, piece) => sum + piece.seconds, 0)

/** One repetition: the side that begins changes from piece to piece. */
const repetition = <E>(off: Effect.Effect<Piece, E>) =>
  Effect.gen(function*() {
    const sides = [{ work: Effect.provide(off, observed), found: [] as Array<Piece> }, { work: off, found: [] }]
    for (let piece = 0; piece < pieces; piece++) {
      for (const { found, work } of piece % 2 === 0 ? sides : sides.toReversed()) found.push(yield* work)
    }
    return sides.map(({ found }) => total(found))
  })

/** The same work with tracing and without. */
const pairs = <E>(name: string, unit: string, runs: number, work: Effect.Effect<Piece, E>, isBound: boolean) =>
  Effect.gen(function*() {
    yield* repetition(work)
    const found = yield* Effect.replicateEffect(repetition(work), runs)
    const against = { name: "without", values: found.map(([, off]) => off!) }
    const figure: Figure = { name, unit, values: found.map(([on]) => on!), against }
    return isBound ? { ...figure, goal } : figure
  })

const inMemory = ({ runs, scale }: Settings) =>
  Effect.scoped(Effect.gen(function*() {
    yield* sink
    return [
      yield* pairs("bulk", "MB/s", runs, bulk(Math.ceil(bulkBytes / scale)), true),
      yield* pairs("requests", "/s", runs, requests(Math.ceil(roundTrips / scale)), true),
      yield* pairs("connections", "/s", runs, visits(Math.ceil(connections / scale)), false)
    ]
  }))

/** The stack over TAP with its exporter, and a sink in the same namespace. */
const tracedTap = Effect.gen(function*() {
  const wire = yield* Wires.tap([], ["--otlp", `http://127.0.0.1:${port}`])
  const sink = yield* wire.client.start("taskset", ["-c", "0", process.execPath, sinkProgram, port])
  yield* sink.line(/^ready$/)
  return wire
})

/** What is asked of both stacks over TAP. */
interface Exercise {
  readonly name: string
  readonly unit: string
  readonly command: Wires.Command
  /** What one piece does. */
  readonly count: number
  /** What comes before, in pieces. */
  readonly warmUp: number
  readonly done: (report: Wires.Report) => number
}

const exercises: ReadonlyArray<Exercise> = [
  {
    name: "bulk",
    unit: "MB/s",
    command: "send",
    count: 1_000_000_000,
    warmUp: 12,
    done: ({ bytes }) => bytes / 1e6
  },
  { name: "requests", unit: "/s", command: "latency", count: 5000, warmUp: 12, done: ({ count }) => count }
]

/** One repetition over TAP: both stacks are there at once, and have work in turns. */
const repetitionOverTap = ({ command, count, done, warmUp }: Exercise, scale: number) =>
  Effect.scoped(Effect.gen(function*() {
    const pieceCount = Math.ceil(count / scale)
    const wires = [yield* tracedTap, yield* Wires.tap()]
    for (const wire of wires) yield* Wires.settle(wire, command, pieceCount, warmUp)
    const sides = wires.map((wire) => ({ wire, found: [] as Array<Piece> }))
    for (let piece = 0; piece < pieces; piece++) {
      for (const { found, wire } of piece % 2 === 0 ? sides : sides.toReversed()) {
        const report = yield* Wires.measure(wire, command, pieceCount)
        found.push({ done: done(report), seconds: report.nanos / 1e9 })
      }
    }
    return sides.map(({ found }) => total(found))
  }))

const overTap = ({ runs, scale }: Settings) =>
  Effect.forEach(
    exercises,
    (exercise) =>
      Effect.map(Effect.replicateEffect(repetitionOverTap(exercise, scale), runs), (found): Figure => ({
        name: exercise.name,
        unit: exercise.unit,
        values: found.map(([on]) => on!),
        against: { name: "without", values: found.map(([, off]) => off!) },
        goal
      }))
  )

export const rows: ReadonlyArray<Row> = [
  { name: "tracing", about: "with traces and metrics against without: two stacks in memory", measure: inMemory },
  { name: "tracing-tap", about: "with traces and metrics against without: the stack over TAP", measure: overTap }
]
