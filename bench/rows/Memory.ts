/**
 * Two stacks and a wire in memory: how many bytes a second one connection moves in one process, from program to program through both
 * stacks, whether memory stays flat over a long transfer, and what Stream and Sink cost beside plain reads and writes.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../src/sockets/TcpConnection.ts"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Yardstick from "../yardstick.ts"

const mebibyte = 1024 * 1024
const short = 64 * mebibyte
/** One of them takes a tenth of a second. */
const shortRuns = 8
const long = 4096 * mebibyte
const chunk = new Uint8Array(64 * 1024).fill(0x61)
const bytesPerSample = 16 * mebibyte

/** MB/s, without segmentation offload and with it. */
const goals = { plain: 400, offload: 1000 } as const

/** What goes first: the compilers have settled after some seconds. */
const warmUp = long
/** What a program reads into. */
const readBytes = 256 * 1024

const wires = {
  plain: {},
  offload: { checksumOffload: true, segmentation: ["tcp4", "tcp6"] }
} as const satisfies Record<string, MemoryLink.Options>

/** The two programs. */
interface Programs {
  readonly send: (connection: TcpConnection, bytes: number) => Effect.Effect<void, Tcp.TcpError>
  readonly receive: (connection: TcpConnection, taken: (bytes: number) => void) => Effect.Effect<void, Tcp.TcpError>
}

const bare: Programs = {
  send: (connection, bytes) =>
    Effect.gen(function*() {
      for (let sent = 0; sent < bytes; sent += chunk.length) yield* connection.write(chunk)
      yield* connection.end
    }),
  receive: (connection, taken) =>
    Effect.gen(function*() {
      for (;;) {
        const chunks = yield* connection.read()
        if (chunks.length === 0) return
        for (const part of chunks) taken(part.length)
      }
    })
}

/**
 * Reads into memory of its own, as programs on kernel sockets do. Chunks that the reader may keep are fresh arrays: every 64 MiB of them V8 marks the whole heap,
 * which takes as long as the transfer.
 */
const copying: Programs = {
  send: bare.send,
  receive: (connection, taken) =>
    Effect.gen(function*() {
      const into = new Uint8Array(readBytes)
      for (;;) {
        const length = yield* connection.readInto(into)
        if (length === 0) return
        taken(length)
      }
    })
}

const streams: Programs = {
  send: (connection, bytes) =>
    Stream.run(Stream.fromArray(new Array<Uint8Array>(bytes / chunk.length).fill(chunk)), connection.sink),
  receive: (connection, taken) =>
    Stream.runForEachArray(connection.stream, (parts) =>
      Effect.sync(() => {
        for (const part of parts) taken(part.length)
      }))
}

/** What was found in one transfer. */
interface Transfer {
  readonly megabytesPerSecond: number
  /** How fast the core was around it. */
  readonly yardstick: number
  /** The most bytes while it ran, beyond those before. */
  readonly residentPeak: number
}

const used = (): number => {
  // Once for the objects, and once for the buffers that only they held: those are given back beside the program.
  globalThis.gc?.()
  globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const host = (link: ReturnType<typeof MemoryLink.pair>[0], ipv4: `${string}/${number}`) =>
  Effect.provide(Netstack.make({ ipv4 }), Links.layer(link))

/**
 * Two hosts of which one listens, and a way to the other; and a connection that stays, as a host that lives for long has some: with the last of a kind of record the
 * engine's collector drops the code that was compiled for it.
 */
const hosts = (wire: keyof typeof wires) =>
  Effect.gen(function*() {
    const [left, right] = MemoryLink.pair(wires[wire])
    const client = yield* host(left, "10.99.0.1/24")
    const server = yield* host(right, "10.99.0.2/24")
    const listener = yield* Effect.provideService(Tcp.listen({ port: 9 }), Netstack.Netstack, server)
    const connect = Effect.provideService(Tcp.connect("10.99.0.2:9"), Netstack.Netstack, client)
    yield* Effect.all([listener.accept, connect], { concurrency: "unbounded" })
    return { listener, connect }
  })

type Hosts = Effect.Success<ReturnType<typeof hosts>>

/** Counts what came, and looks at the process's memory now and then. */
class Meter {
  received = 0
  readonly resident = process.memoryUsage.rss()
  residentPeak = this.resident
  private sampled = 0

  readonly taken = (bytes: number): void => {
    this.received += bytes
    if (this.received - this.sampled < bytesPerSample) return
    this.sampled = this.received
    this.residentPeak = Math.max(this.residentPeak, process.memoryUsage.rss())
  }
}

const whole = (bytes: number, scale: number): number => Math.ceil(bytes / scale / chunk.length) * chunk.length

/** Moves bytes, a multiple of the chunk, from one program to the other. */
const transfer = ({ connect, listener }: Hosts, { receive, send }: Programs, bytes: number) =>
  Effect.scoped(Effect.gen(function*() {
    const meter = new Meter()
    const one = <E>(opened: Effect.Effect<TcpConnection, E, Scope.Scope>, program: typeof run) =>
      Effect.scoped(Effect.flatMap(opened, program))
    const run = (connection: TcpConnection) => Effect.andThen(send(connection, bytes), connection.closed)
    const yardstick = Yardstick.measure()
    const begin = performance.now()
    yield* Effect.all(
      [one(listener.accept, (connection) => receive(connection, meter.taken)), one(connect, run)],
      { concurrency: "unbounded" }
    )
    const seconds = (performance.now() - begin) / 1000
    if (meter.received !== bytes) return yield* Effect.die(new Error(`received ${meter.received} bytes of ${bytes}`))
    return {
      megabytesPerSecond: bytes / seconds / 1e6,
      yardstick: (yardstick + Yardstick.measure()) / 2,
      residentPeak: meter.residentPeak - meter.resident
    } satisfies Transfer
  }))

const speedOf = ({ megabytesPerSecond }: Transfer): number => megabytesPerSecond

/** Of transfers of one size, one after the other. */
const speedOfAll = (transfers: ReadonlyArray<Transfer>): number =>
  transfers.length / transfers.reduce((sum, { megabytesPerSecond }) => sum + 1 / megabytesPerSecond, 0)

const megabytes = (name: string, bytes: ReadonlyArray<number>, most: number): Figure => ({
  name,
  unit: "MB",
  values: bytes.map((count) => count / 1e6),
  goal: { atMost: most }
})

/** How fast this core was around each transfer, against what it is when it is left alone. */
const yardstick = (transfers: ReadonlyArray<Transfer>): Figure => ({
  name: "how fast this core was: adding up, against a quiet one",
  unit: "MB/s",
  values: transfers.map((one) => one.yardstick),
  against: { name: "quiet", values: transfers.map(() => Yardstick.reference) }
})

const bulk = (wire: keyof typeof wires) => ({ runs, scale }: Settings) =>
  Effect.scoped(Effect.gen(function*() {
    const made = yield* hosts(wire)
    yield* transfer(made, copying, whole(warmUp, scale))
    // Not in between: the collector that is asked for twice and twice again throws away code that only the beginning of a transfer needs.
    const before = used()
    const turn = Effect.all([
      Effect.replicateEffect(transfer(made, copying, whole(short, scale)), shortRuns),
      transfer(made, copying, whole(long, scale))
    ])
    const turns = yield* Effect.replicateEffect(turn, runs)
    const heapAfter = used() - before
    const [shorts, longs] = [turns.map(([one]) => one), turns.map(([, other]) => other)]
    const goal = { atLeast: goals[wire] }
    const speeds: ReadonlyArray<Figure> = [
      { name: "64 MiB", unit: "MB/s", values: shorts.map(speedOfAll), goal },
      { name: "4 GiB", unit: "MB/s", values: longs.map(speedOf), goal }
    ]
    return [
      ...speeds,
      yardstick(turns.flat(2)),
      megabytes("heap after all of them, more than before", [heapAfter], 8),
      megabytes("resident peak in 4 GiB, more than before", longs.map(({ residentPeak }) => residentPeak), 256)
    ]
  }))

/** For Stream and Sink against reads and writes: pieces that alternate, so that both have the same weather. */
const pieces = 8
const pieceBytes = 64 * mebibyte

const programs = (wire: keyof typeof wires, name: string, settings: Settings): Effect.Effect<Figure, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const made = yield* hosts(wire)
    const sides = [streams, bare]
    const seconds = (bytes: number) =>
      Effect.gen(function*() {
        const spent = sides.map(() => 0)
        for (let piece = 0; piece < pieces; piece++) {
          for (const side of piece % 2 === 0 ? [0, 1] : [1, 0]) {
            const found = yield* transfer(made, sides[side]!, bytes)
            spent[side]! += bytes / found.megabytesPerSecond / 1e6
          }
        }
        return spent.map((each) => pieces * bytes / each / 1e6)
      })
    const bytes = whole(pieceBytes, settings.scale)
    yield* seconds(bytes)
    const found = yield* Effect.replicateEffect(seconds(bytes), settings.runs)
    return {
      name,
      unit: "MB/s",
      values: found.map(([ours]) => ours!),
      against: { name: "read and write", values: found.map(([, plain]) => plain!) },
      goal: { atLeast: 0.8 }
    }
  }))

export const rows: ReadonlyArray<Row> = [
  {
    name: "memory-bulk",
    about: "one connection between two stacks in one process, over a wire in memory with an MTU of 1500",
    flags: ["--expose-gc"],
    measure: bulk("plain")
  },
  {
    name: "memory-offload",
    about: "the same over a wire that takes segments of up to 64 KiB and unfinished checksums",
    flags: ["--expose-gc"],
    measure: bulk("offload")
  },
  {
    name: "memory-streams",
    about: "Stream in and Sink out against plain reads and writes, in memory",
    measure: (settings) =>
      Effect.all([
        programs("plain", "MTU 1500", settings),
        programs("offload", "with segmentation offload", settings)
      ])
  }
]
