/**
 * Two stacks and a wire in memory: how many bytes a second one connection moves in one process, from program to program through both
 * stacks, and whether memory stays flat over a long transfer.
 */
import * as Effect from "effect/Effect"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Yardstick from "../yardstick.ts"

const mebibyte = 1024 * 1024
const short = 64 * mebibyte
const long = 1024 * mebibyte
const chunk = new Uint8Array(64 * 1024).fill(0x61)
const bytesPerSample = 16 * mebibyte

/** MB/s. */
const goal = 200

/** What goes first: the compilers have settled after some seconds. */
const warmUp = 512 * mebibyte

/** What was found in one transfer. */
interface Transfer {
  readonly megabytesPerSecond: number
  /** How fast the core was around it. */
  readonly yardstick: number
  /** Bytes beyond those before the transfer: live after it, and the most while it ran. */
  readonly heapAfter: number
  readonly residentPeak: number
}

const used = (): number => {
  globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const host = (link: ReturnType<typeof MemoryLink.pair>[0], ipv4: `${string}/${number}`) =>
  Effect.provide(Netstack.make({ ipv4 }), Links.layer(link))

const transfer = (bytes: number) =>
  Effect.scoped(Effect.gen(function*() {
    const [left, right] = MemoryLink.pair()
    const client = yield* host(left, "10.99.0.1/24")
    const server = yield* host(right, "10.99.0.2/24")
    const listener = yield* Effect.provideService(Tcp.listen({ port: 9 }), Netstack.Netstack, server)
    const before = used()
    const residentBefore = process.memoryUsage.rss()
    let residentPeak = residentBefore
    let received = 0
    let sampled = 0
    const receive = Effect.scoped(Effect.gen(function*() {
      const connection = yield* listener.accept
      for (;;) {
        const chunks = yield* connection.read()
        if (chunks.length === 0) return
        for (const part of chunks) received += part.length
        if (received - sampled < bytesPerSample) continue
        sampled = received
        residentPeak = Math.max(residentPeak, process.memoryUsage.rss())
      }
    }))
    const send = Effect.scoped(Effect.gen(function*() {
      const connection = yield* Effect.provideService(Tcp.connect("10.99.0.2:9"), Netstack.Netstack, client)
      for (let sent = 0; sent < bytes; sent += chunk.length) yield* connection.write(chunk)
      yield* connection.end
      yield* connection.closed
    }))
    const yardstick = Yardstick.measure()
    const begin = performance.now()
    yield* Effect.all([receive, send], { concurrency: "unbounded" })
    const seconds = (performance.now() - begin) / 1000
    if (received !== bytes) return yield* Effect.die(new Error(`received ${received} bytes of ${bytes}`))
    return {
      megabytesPerSecond: bytes / seconds / 1e6,
      yardstick: (yardstick + Yardstick.measure()) / 2,
      heapAfter: used() - before,
      residentPeak: residentPeak - residentBefore
    } satisfies Transfer
  }))

const speed = (name: string, transfers: ReadonlyArray<Transfer>): Figure => ({
  name,
  unit: "MB/s",
  values: transfers.map(({ megabytesPerSecond }) => megabytesPerSecond),
  goal: { atLeast: goal }
})

const megabytes = (name: string, bytes: ReadonlyArray<number>, most: number): Figure => ({
  name,
  unit: "MB",
  values: bytes.map((count) => count / 1e6),
  goal: { atMost: most }
})

const measure = ({ runs, scale }: Settings) =>
  Effect.gen(function*() {
    yield* transfer(Math.ceil(warmUp / scale))
    const shorts = yield* Effect.replicateEffect(transfer(Math.ceil(short / scale)), runs)
    const longs = yield* Effect.replicateEffect(transfer(Math.ceil(long / scale)), runs)
    return [
      speed("64 MiB", shorts),
      speed("1 GiB", longs),
      {
        name: "how fast this core was: adding up, against a quiet one",
        unit: "MB/s",
        values: [...shorts, ...longs].map(({ yardstick }) => yardstick),
        against: { name: "quiet", values: [...shorts, ...longs].map(() => Yardstick.reference) }
      },
      megabytes("heap after 1 GiB, more than before", longs.map(({ heapAfter }) => heapAfter), 8),
      megabytes("resident peak in 1 GiB, more than before", longs.map(({ residentPeak }) => residentPeak), 256)
    ]
  })

export const rows: ReadonlyArray<Row> = [
  {
    name: "memory-bulk",
    about: "one connection between two stacks in one process, over a wire in memory with an MTU of 1500",
    flags: ["--expose-gc"],
    measure
  }
]
