/**
 * The law that holds the test kit together: what a stack with its workers does in a run, a `Host` does too when the same frames and requests come
 * at the same times. Timers, loopback and the credit of what was sent are each one's own.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { loopback } from "../../src/core/Device.ts"
import type { Event } from "../../src/core/Event.ts"
import type { Output } from "../../src/core/Output.ts"
import type { Instant } from "../../src/core/Time.ts"
import type { Netstack } from "../../src/Netstack.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import { Host } from "../../src/testing/Host.ts"
import * as Pattern from "../../src/testing/Pattern.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Gather from "../../src/wire/Gather.ts"
import * as RecordedValue from "../../src/workers/RecordedValue.ts"
import * as Recording from "../../src/workers/Recording.ts"

/** What comes from outside; all else follows from it. */
const isExternal = (event: Event): boolean =>
  event._tag === "Frame" ? event.link !== loopback : event._tag === "Request" && event.request._tag !== "Sent"

const bytesOf = (packet: Gather.Outgoing): ReadonlyArray<number> => {
  const bytes = new Uint8Array(Gather.size(packet))
  Gather.into(packet, bytes, 0, true)
  return [...bytes]
}

/** What outputs look like from outside, apart for each who looks, with the time. */
class Seen {
  readonly frames: Array<unknown> = []
  readonly replies: Array<unknown> = []
  readonly notices: Array<unknown> = []
  readonly drops: Array<unknown> = []

  add(at: Instant, outputs: ReadonlyArray<Output>): void {
    for (const output of outputs) {
      if (output._tag === "Transmit" && output.link !== loopback) {
        this.frames.push([at, output.link, bytesOf(output.packet), output.packet.gso])
      }
      if (output._tag === "Reply") this.replies.push([at, RecordedValue.encode(output)])
      if (output._tag === "Notice") this.notices.push([at, RecordedValue.encode(output)])
      if (output._tag === "Drop") this.drops.push([at, output.reason])
    }
  }
}

/** A run of a stack, recorded, on a network that never has two things at one time. */
const record = (program: Effect.Effect<unknown, unknown, Netstack | TestNetwork.TestNetwork>, seed: number) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const faults = { delay: "5 millis", jitter: "3 millis", loss: 0.05, duplication: 0.02, reordering: 0.05 } as const
    const topology = Topology.pair(faults, { local: { record: (line) => void lines.push(line) } })
    yield* TestNetwork.run(program, { topology, seed })
    return yield* Recording.read(lines.join(""))
  })

const seenByStack = (recording: Recording.Recording): Seen => {
  const seen = new Seen()
  for (const { at, outputs } of Recording.replay(recording).batches) seen.add(at, outputs)
  return seen
}

const seenByHost = (recording: Recording.Recording): Seen => {
  const { limits, ...config } = recording.config
  const seen = new Seen()
  const observer = (at: Instant, outputs: ReadonlyArray<Output>) => seen.add(at, outputs)
  const host = new Host({ seed: recording.seed, config, limits, observer })
  for (const { at, events } of recording.batches) {
    host.advanceTo(at)
    const external = events.filter(isExternal)
    if (external.length > 0) host.run(external)
  }
  return seen
}

/** Everything that programs do: streams both ways, datagrams, refused ports, pings that time out, interruptions. */
const busy = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: 7 })
  yield* Effect.forkScoped(listener.serve((connection) => Stream.run(connection.stream, connection.sink)))
  const exchange = (address: string, bytes: number) =>
    Effect.scoped(Effect.gen(function*() {
      const connection = yield* Tcp.connect(`${address}:7`)
      yield* Effect.forkChild(Effect.andThen(connection.write(Pattern.bytes(bytes)), connection.end))
      yield* connection.readAll
    }))
  const socket = yield* Udp.bind({ port: 99 })
  yield* Effect.all([
    TestNetwork.on("remote")(exchange("10.0.0.1", 60_000)),
    exchange("127.0.0.1", 30_000),
    Effect.exit(Tcp.connect("10.0.0.2:9")),
    Effect.exit(Ping.ping("10.0.0.77", { timeout: "3 seconds" })),
    Effect.exit(Ping.ping("10.0.0.2", { payload: new Uint8Array(4000) })),
    Effect.exit(socket.send(Uint8Array.of(1), "10.0.0.2:1")),
    Effect.timeoutOption(socket.receive, "250 millis")
  ], { concurrency: "unbounded", discard: true })
})

describe("The law of the test kit", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it.effect(`holds: a Host does what the real workers did (seed ${seed})`, () =>
      Effect.gen(function*() {
        const recording = yield* record(Effect.scoped(busy), seed)
        const [stack, host] = [seenByStack(recording), seenByHost(recording)]
        assert.isAbove(stack.frames.length, 30)
        assert.isAbove(stack.replies.length, 40)
        assert.deepStrictEqual(host.replies, stack.replies)
        assert.deepStrictEqual(host.frames, stack.frames)
        assert.deepStrictEqual(host.notices, stack.notices)
        assert.deepStrictEqual(host.drops, stack.drops)
      }))
  }
})
