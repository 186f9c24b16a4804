import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Telemetry from "../../../layers/Telemetry.ts"
import * as Netstack from "../../../src/Netstack.ts"
import * as Network from "../../../src/sockets/Network.ts"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../../src/sockets/TcpConnection.ts"
import * as TestNetwork from "../../../src/testing/TestNetwork.ts"
import { attributesOf, eventsOf, lasted, parentOf, Spans } from "./Spans.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Runs a program on one host of a network in virtual time, with telemetry in both hosts. */
const traced = <A, E>(
  program: Effect.Effect<A, E, Netstack.Netstack | TestNetwork.TestNetwork>,
  options: TestNetwork.Options & { readonly telemetry?: Telemetry.Options } = {}
) =>
  Effect.gen(function*() {
    const spans = new Spans()
    const exit = yield* TestNetwork.run(program, { seed: 1, faults: { delay: "10 millis" }, ...options }).pipe(
      Effect.provide(Telemetry.layer(options.telemetry)),
      Effect.withTracer(spans.tracer),
      Effect.exit
    )
    return { spans, exit }
  })

/** Serves one greeting after the other. */
const greet = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: 80 })
  const handle = (connection: TcpConnection) => Effect.withSpan(connection.write(bytes("hello")), "greet")
  yield* Effect.forkScoped(listener.serve(handle))
})

const visit = Effect.gen(function*() {
  const connection = yield* Tcp.connect("10.0.0.1:80")
  return (yield* connection.readAll).length
}).pipe(Effect.scoped, Effect.withSpan("visit"))

const settled = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.tap(self, () => Effect.sleep("2 minutes"))

const visited = Effect.scoped(Effect.andThen(greet, TestNetwork.on("remote")(settled(visit))))

describe("Telemetry.layer", () => {
  it.live("puts the connection below the call that opens it, from the SYN to the end", () =>
    Effect.gen(function*() {
      const { exit, spans } = yield* traced(visited)
      assert.deepStrictEqual(exit, Exit.succeed(5))
      const program = spans.only("visit")
      const connect = spans.only("Tcp.connect")
      const connection = spans.only("TCP connection", "client")
      assert.strictEqual(parentOf(connect), program.spanId)
      assert.strictEqual(parentOf(connection), connect.spanId)
      assert.strictEqual(connection.traceId, program.traceId)
      assert.deepStrictEqual(eventsOf(connection), [
        "established",
        "first-byte-received",
        "close-wait",
        "last-ack"
      ])
      assert.isAbove(lasted(connection)!, 40)
      assert.isBelow(lasted(connection)!, 200)
    }))

  it.live("describes it by the conventions for networks", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(visited, { telemetry: { name: "lab" } })
      const connection = attributesOf(spans.only("TCP connection", "client"))
      const local = connection["network.local.port"]
      assert.isTrue(Number.isInteger(local))
      assert.deepInclude(connection, {
        "network.transport": "tcp",
        "network.type": "ipv4",
        "network.local.address": "10.0.0.2",
        "network.peer.address": "10.0.0.1",
        "network.peer.port": 80,
        "server.address": "10.0.0.1",
        "server.port": 80,
        "netstack.name": "lab",
        "netstack.tcp.bytes_received": 5,
        "netstack.tcp.retransmissions": 0
      })
      assert.notProperty(connection, "error.type")
      const served = attributesOf(spans.only("TCP connection", "server"))
      assert.deepInclude(served, { "client.address": "10.0.0.2", "client.port": local, "network.local.port": 80 })
      assert.deepInclude(attributesOf(spans.only("Tcp.listen")), {
        "network.local.port": 80,
        "network.transport": "tcp"
      })
      assert.deepInclude(attributesOf(spans.only("Tcp.connect")), { "server.port": 80, "network.local.port": local })
    }))

  it.live("links an accepted connection and its accept, and has its handler in the connection's trace", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(visited)
      const served = spans.only("TCP connection", "server")
      const [accept] = spans.named("Tcp.accept")
      assert.strictEqual(parentOf(served), undefined)
      assert.deepStrictEqual(accept!.links.map(({ span }) => span.spanId), [served.spanId])
      assert.deepStrictEqual(served.links.map(({ span }) => span.spanId), [accept!.spanId])
      const handler = spans.only("greet")
      assert.strictEqual(parentOf(handler), served.spanId)
      assert.notStrictEqual(served.traceId, spans.only("visit").traceId)
    }))

  it.live("begins an accepted connection with its SYN, also when the handshake takes long", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(visited)
      const served = spans.only("TCP connection", "server")
      const [, established] = served.events.find(([name]) => name === "established")!
      const { startTime } = served.status
      assert.strictEqual(Number(established - startTime) / 1e6, 20)
    }))

  it.live("shows losses: recovery, what is sent again, and that it is over", () =>
    Effect.gen(function*() {
      const upload = Effect.gen(function*() {
        const connection = yield* Tcp.connect("10.0.0.1:9")
        yield* connection.write(new Uint8Array(200_000))
        yield* connection.end
        yield* connection.closed
      }).pipe(Effect.scoped)
      const drain = Effect.gen(function*() {
        const listener = yield* Tcp.listen({ port: 9 })
        yield* Effect.forkScoped(listener.serve((connection) => connection.readAll))
      })
      const program = Effect.scoped(Effect.andThen(drain, TestNetwork.on("remote")(settled(upload))))
      const { exit, spans } = yield* traced(program, { faults: { delay: "10 millis", loss: 0.02 }, seed: 5 })
      assert.isTrue(Exit.isSuccess(exit))
      const connection = spans.only("TCP connection", "client")
      const names = new Set(eventsOf(connection))
      for (const name of ["recovery", "retransmission", "recovered", "first-byte-sent"]) assert.include(names, name)
      const sentAgain = connection.events
        .filter(([name]) => name === "retransmission")
        .reduce((sum, [, , attributes]) => sum + Number(attributes["netstack.tcp.segments"]), 0)
      assert.strictEqual(attributesOf(connection)["netstack.tcp.retransmissions"], sentAgain)
      const times = connection.events.map(([, time]) => time)
      assert.deepStrictEqual(times, times.toSorted((a, b) => Number(a - b)))
    }))

  it.live("ends a refused connect with the error, and one that times out after its retransmissions", () =>
    Effect.gen(function*() {
      const fails = (to: string, options?: Tcp.ConnectOptions) => Effect.exit(Effect.scoped(Tcp.connect(to, options)))
      const refused = yield* traced(fails("10.0.0.2:81"))
      const [span] = refused.spans.named("TCP connection")
      assert.strictEqual(attributesOf(span!)["error.type"], "ConnectionRefused")
      assert.isTrue(span!.status._tag === "Ended" && Exit.isFailure(span!.status.exit))
      const lost = yield* traced(fails("10.0.0.2:81", { options: { synRetries: 2 } }), { faults: { loss: 1 } })
      const silent = lost.spans.only("TCP connection")
      assert.include(["TimedOut", "Unreachable"], attributesOf(silent)["error.type"])
    }))

  it.live("tells of a call that fails where it was to lead, and why it did not", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(Effect.scoped(Effect.gen(function*() {
        yield* Tcp.listen({ port: 80 })
        yield* Effect.exit(Tcp.listen({ port: 80 }))
        yield* Effect.exit(Tcp.connect("10.0.0.2:81"))
        yield* Effect.exit(Tcp.connect("[2001:db8::1]:82"))
        yield* Effect.exit(Tcp.connect("nowhere.example:83"))
      })))
      const to = (host: string, port: number) => ({
        "network.transport": "tcp",
        "network.type": host.includes(":") ? "ipv6" : "ipv4",
        "network.peer.address": host,
        "network.peer.port": port,
        "server.address": host,
        "server.port": port
      })
      assert.deepStrictEqual(spans.named("Tcp.connect").map(attributesOf), [
        { ...to("10.0.0.2", 81), "error.type": "ConnectionRefused" },
        { ...to("2001:db8::1", 82), "error.type": "Unreachable" },
        { "network.transport": "tcp", "server.address": "nowhere.example", "error.type": "NameNotResolved" }
      ])
      assert.deepStrictEqual(attributesOf(spans.named("Tcp.listen")[1]!), {
        "network.transport": "tcp",
        "network.type": "ipv6",
        "network.local.address": "::",
        "network.local.port": 80,
        "error.type": "AddressInUse"
      })
    }))

  it.live("ends a connection that the peer resets with an error and an event", () =>
    Effect.gen(function*() {
      const abort = Effect.gen(function*() {
        const listener = yield* Tcp.listen({ port: 80 })
        yield* Effect.forkScoped(listener.serve((connection) => connection.abort))
      })
      const program = Effect.scoped(Effect.andThen(abort, TestNetwork.on("remote")(Effect.exit(visit))))
      const { spans } = yield* traced(program)
      const connection = spans.only("TCP connection", "client")
      assert.strictEqual(eventsOf(connection).at(-1), "reset")
      assert.strictEqual(attributesOf(connection)["error.type"], "ConnectionReset")
      const aborted = spans.only("TCP connection", "server")
      assert.strictEqual(eventsOf(aborted).at(-1), "abort")
      assert.isTrue(aborted.status._tag === "Ended" && Exit.isSuccess(aborted.status.exit))
    }))

  it.live("makes no span of a handshake that nobody completes", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* greet
        const link = yield* TestNetwork.link("wire")
        // The SYN arrives, nothing comes back.
        yield* link.partition("forth")
        yield* TestNetwork.on("remote")(Effect.timeoutOption(visit, "3 minutes"))
        return (yield* Network.counters).tcpAttemptFails
      })
      const { exit, spans } = yield* traced(Effect.scoped(program))
      assert.isTrue(Exit.isSuccess(exit) && exit.value > 0, String(exit))
      assert.deepStrictEqual(spans.named("TCP connection").filter(({ kind }) => kind === "server"), [])
    }))

  it.live("keeps at most so many events of a connection, and counts the rest", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(visited, { telemetry: { eventLimit: 2 } })
      const connection = spans.only("TCP connection", "client")
      assert.deepStrictEqual(eventsOf(connection), ["established", "first-byte-received"])
      assert.strictEqual(attributesOf(connection)["netstack.events.dropped"], 2)
    }))

  it.live("keeps nothing of connections that are over, however many", () =>
    Effect.gen(function*() {
      const count = 300
      const many = Effect.replicateEffect(visit, count, { concurrency: 10, discard: true })
      const program = Effect.scoped(Effect.andThen(greet, TestNetwork.on("remote")(settled(many))))
      const { exit, spans } = yield* traced(program)
      assert.isTrue(Exit.isSuccess(exit), String(exit))
      const connections = spans.named("TCP connection")
      assert.strictEqual(connections.length, 2 * count)
      assert.deepStrictEqual(connections.filter((span) => eventsOf(span).includes("stack-closed")), [])
      for (const span of connections) assert.isBelow(lasted(span)!, 1000)
    }))

  it.live("ends what lives when the stack closes", () =>
    Effect.gen(function*() {
      const held = Effect.gen(function*() {
        yield* greet
        yield* TestNetwork.on("remote")(Effect.andThen(Tcp.connect("10.0.0.1:80"), Effect.sleep("1 second")))
      })
      const { spans } = yield* traced(Effect.scoped(held))
      assert.isAbove(spans.named("TCP connection").length, 0)
      for (const span of spans.all) assert.strictEqual(span.status._tag, "Ended", span.name)
    }))

  it.live("has a span for one batch out of so many, with the worker's fiber as its thread", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(visited, { telemetry: { batchSample: 1, packets: true } })
      const workers = spans.all.filter(({ name }) => name.startsWith("netstack worker "))
      const kinds = new Set(workers.map(({ name }) => name.split(" ").at(-1)))
      for (const kind of ["receive", "requests", "timers"]) assert.include(kinds, kind)
      const receiving = workers.find((span) => span.name.endsWith("receive") && eventsOf(span).includes("frame-sent"))!
      assert.isAbove(attributesOf(receiving)["netstack.batch.events"] as number, 0)
      assert.isTrue(Number.isInteger(attributesOf(receiving)["thread.id"]))
      assert.include(eventsOf(receiving), "frame-received")
      const fewer = yield* traced(visited, { telemetry: { batchSample: 10 } })
      const some = fewer.spans.all.filter(({ name }) => name.startsWith("netstack worker "))
      // Each of the two stacks counts for itself.
      assert.approximately(some.length, workers.length / 10, 2)
      assert.notInclude(some.flatMap(eventsOf), "frame-received")
    }))

  it.live("changes nothing of what goes over the wire, nor when", () =>
    Effect.gen(function*() {
      const upload = Effect.gen(function*() {
        const connection = yield* Tcp.connect("10.0.0.1:9")
        yield* connection.write(new Uint8Array(100_000))
        yield* connection.end
        yield* connection.closed
      }).pipe(Effect.scoped)
      const program = Effect.gen(function*() {
        const listener = yield* Tcp.listen({ port: 9 })
        yield* Effect.forkScoped(listener.serve((connection) => connection.readAll))
        yield* TestNetwork.on("remote")(upload)
        return (yield* TestNetwork.TestNetwork).trace.hash
      }).pipe(Effect.scoped)
      const options = { faults: { delay: "10 millis", loss: 0.02 }, seed: 9, trace: "hash" } as const
      const plain = yield* TestNetwork.run(program, options)
      const { exit, spans } = yield* traced(program, { ...options, telemetry: { batchSample: 1, packets: true } })
      assert.deepStrictEqual(exit, Exit.succeed(plain))
      assert.isAbove(spans.all.length, 30)
    }))

  it.live("leaves a stack alone that is made without it", () =>
    Effect.gen(function*() {
      const spans = new Spans()
      yield* TestNetwork.run(visited, { seed: 1 }).pipe(Effect.withTracer(spans.tracer))
      assert.deepStrictEqual(spans.named("TCP connection"), [])
      assert.deepStrictEqual(spans.named("Tcp.accept"), [])
      assert.strictEqual(spans.named("visit").length, 1)
    }))

  it.live("makes no spans where the program has switched tracing off", () =>
    Effect.gen(function*() {
      const spans = new Spans()
      yield* TestNetwork.run(visited, { seed: 1 }).pipe(
        Effect.provide(Telemetry.layer({ batchSample: 1 })),
        Effect.withTracerEnabled(false),
        Effect.withTracer(spans.tracer)
      )
      assert.deepStrictEqual(spans.all.map(({ name }) => name), [])
    }))
})
