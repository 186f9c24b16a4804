import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Config from "../../src/core/Config.ts"
import type { Output } from "../../src/core/Output.ts"
import { snapshot } from "../../src/core/State.ts"
import * as Faults from "../../src/link/Faults.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import { echo } from "../../src/services/classic.ts"
import * as Service from "../../src/services/Service.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import * as Gather from "../../src/wire/Gather.ts"
import * as EntropySource from "../../src/workers/EntropySource.ts"
import * as RecordedValue from "../../src/workers/RecordedValue.ts"
import * as Recording from "../../src/workers/Recording.ts"
import * as Stack from "../../src/workers/Stack.ts"
import { addressTwo, host, on } from "./Hosts.ts"

/** A stack that is recorded, and what it emitted. */
const recorded = (seed: number, wire: MemoryLink.Options) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const emitted: Array<ReadonlyArray<unknown>> = []
    const [end, far] = MemoryLink.pair(wire)
    const near = Faults.apply({ seed, loss: 0.02, duplication: 0.01, reordering: 0.01 })(end)
    const stack = yield* Effect.provideService(
      Stack.make({
        config: Config.defaults,
        recorder: Recording.record((line) => lines.push(line)),
        observer: (_, outputs) => emitted.push(outputs.map(comparable))
      }),
      EntropySource.EntropySource,
      EntropySource.seeded(seed)
    )
    const link = yield* stack.attach(near)
    yield* stack.ask({ _tag: "AddAddress", link, address: 0x0a000001, prefixLength: 24, origin: "static" })
    const server = yield* host([far], { ipv4: `${addressTwo}/24` }, seed + 100)
    yield* Effect.forkScoped(on(server)(Service.serve(echo, 7)))
    return { stack, lines, emitted }
  })

/** An output as data that can be compared: a frame as its bytes. */
const comparable = (output: Output): unknown => {
  if (output._tag !== "Transmit") return RecordedValue.encode(output)
  const bytes = new Uint8Array(output.size)
  Gather.into(output.packet, bytes, 0, true)
  return RecordedValue.encode({ ...output, packet: { ...output.packet, head: bytes, pieces: [], headStart: 0 } })
}

/** Sends data to the far host's echo and reads it back; and half of the time gives up in the middle. */
const exchange = (stack: Stack.Stack, length: number) =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* on(stack)(Tcp.connect(`${addressTwo}:7`))
    yield* Effect.forkScoped(Effect.andThen(connection.write(new Uint8Array(length)), connection.end))
    return (yield* connection.readAll).length
  }))

/** A program that uses everything there is: pings, datagrams, connections, refused ports, lost answers, interruptions. */
const busy = (stack: Stack.Stack): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const socket = yield* on(stack)(Udp.bind({ port: 99 }))
    yield* Effect.forkChild(Stream.runForEach(socket.stream, ({ bytes, source }) => socket.send(bytes, source)))
    const client = yield* on(stack)(Udp.bind())
    for (let i = 0; i < 5; i++) {
      yield* Effect.forkChild(Effect.exit(on(stack)(Ping.ping(addressTwo, { payload: new Uint8Array(i * 700) }))))
      yield* client.send(Uint8Array.of(i), "127.0.0.1:99")
      yield* client.receive
      yield* Effect.exit(client.send(Uint8Array.of(i), `${addressTwo}:1`))
      const lost = yield* Effect.forkChild(Effect.exit(on(stack)(Ping.ping("10.0.0.77"))))
      const waiting = yield* Effect.forkChild(client.receive)
      const complete = yield* Effect.forkChild(exchange(stack, 30_000))
      const broken = yield* Effect.forkChild(exchange(stack, 300_000))
      yield* TestClock.adjust("30 millis")
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(broken)
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(lost)
      assert.strictEqual(yield* Fiber.join(complete), 30_000)
    }
  })

/** A run of the busy program in a virtual time of its own. */
const trace = (seed: number) =>
  Effect.gen(function*() {
    const { emitted, lines, stack } = yield* recorded(seed, { latency: "7 millis" })
    yield* busy(stack)
    // Before the scope closes, which is recorded as well.
    return { lines: lines.slice(), emitted: emitted.slice(), state: yield* stack.read(snapshot) }
  }).pipe(Effect.scoped, Effect.provide(Layer.fresh(TestClock.layer({ warningDelay: "1 minute" }))))

describe("Recording", () => {
  it.effect("gives equal outputs and an equal state through the real workers and through runBatch alone", () =>
    Effect.gen(function*() {
      const { emitted, lines, state } = yield* trace(3)
      assert.isAbove(lines.length, 50)
      const recording = yield* Recording.read(lines.join(""))
      const { batches, step } = Recording.replay(recording)
      const again = Array.from(batches, ({ outputs }) => outputs.map(comparable))
      assert.deepStrictEqual(again, emitted)
      assert.deepStrictEqual(RecordedValue.encode(snapshot(step.state)), RecordedValue.encode(state))
    }))

  it.effect("is the same for the same seed under a virtual clock, and another for another seed", () =>
    Effect.gen(function*() {
      const first = yield* trace(5)
      assert.isTrue((yield* trace(5)).lines.join("") === first.lines.join(""))
      assert.isFalse((yield* trace(6)).lines.join("") === first.lines.join(""))
    }))

  it.effect("says what it is, that it is secret, and is refused in another version", () =>
    Effect.gen(function*() {
      const { lines } = yield* trace(3)
      const header = JSON.parse(lines[0]!)
      assert.deepInclude(header, { format: "effect-netstack/recording", version: Recording.version })
      assert.match(header.secret, /keys/)
      const newer = [JSON.stringify({ ...header, version: Recording.version + 1 }), ...lines.slice(1)].join("\n")
      assert.strictEqual((yield* Effect.flip(Recording.read(newer))).line, 1)
    }))

  it.effect("is read up to a last line that was cut, and refused where a line is no batch", () =>
    Effect.gen(function*() {
      const { lines } = yield* trace(3)
      const cut = yield* Recording.read(lines.join("").slice(0, -5))
      assert.strictEqual(cut.batches.length, lines.length - 2)
      const broken = yield* Effect.flip(Recording.read([...lines.slice(0, 3), "[1]\n"].join("")))
      assert.strictEqual(broken.line, 4)
    }))
})
