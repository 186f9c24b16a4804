/**
 * The spans of connections in the words of OpenTelemetry's conventions, with every event that `docs/observe.md` lists and no other.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Conventions from "@opentelemetry/semantic-conventions/incubating"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import * as Telemetry from "../../../layers/Telemetry.ts"
import type { Netstack } from "../../../src/Netstack.ts"
import * as Network from "../../../src/sockets/Network.ts"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../../src/sockets/TcpConnection.ts"
import * as TestNetwork from "../../../src/testing/TestNetwork.ts"
import * as Topology from "../../../src/testing/Topology.ts"
import { attributesOf, eventsOf, Spans } from "./Spans.ts"

type OnNetwork<A> = Effect.Effect<A, unknown, Netstack | TestNetwork.TestNetwork>

/** What becomes of a connection to port 9 of the other host, where `serve` is; in virtual time, with both ends traced. */
const connection = (
  use: (connection: TcpConnection) => OnNetwork<unknown>,
  serve: (connection: TcpConnection) => OnNetwork<unknown> = (connection) => connection.readAll,
  options: TestNetwork.Options & { readonly server?: string; readonly listen?: Tcp.ListenOptions } = {}
) =>
  Effect.gen(function*() {
    const { listen, server = "remote", ...network } = options
    const spans = new Spans()
    const program = Effect.gen(function*() {
      const listener = yield* TestNetwork.on(server)(Tcp.listen({ port: 9, ...listen }))
      yield* Effect.forkScoped(listener.serve((connection) => Effect.ignore(serve(connection))))
      yield* Effect.exit(Effect.scoped(Effect.flatMap(Tcp.connect("10.0.0.2:9"), use)))
      yield* Effect.sleep("10 minutes")
    })
    yield* TestNetwork.run(program, { seed: 5, faults: { delay: "10 millis" }, ...network }).pipe(
      Effect.provide(Telemetry.layer({ batchSample: 1 })),
      Effect.withTracer(spans.tracer)
    )
    return spans
  })

/** Sends so much, and waits until it has arrived. */
const send = (bytes: number) => (connection: TcpConnection) =>
  Effect.gen(function*() {
    yield* connection.write(new Uint8Array(bytes))
    yield* connection.end
    yield* connection.closed
  })

const onWire = (change: (wire: TestNetwork.TestLink) => Effect.Effect<void>) =>
  Effect.flatMap(TestNetwork.link("wire"), change)

/** Two networks and the router between them. */
const routed = Topology.make({
  hosts: { local: { ipv4: "10.0.1.2/24", gateway: "10.0.1.1" }, far: { ipv4: "10.0.0.2/24", gateway: "10.0.0.1" } },
  routers: { router: { interfaces: { near0: { ipv4: "10.0.1.1/24" }, far0: { ipv4: "10.0.0.1/24" } } } },
  links: {
    near: { between: ["local", "router.near0"], delay: "5 millis" },
    far: { between: ["router.far0", "far"], delay: "5 millis" }
  }
})

/** By the events that each is for. */
const stories: Readonly<Record<string, Effect.Effect<Spans, unknown>>> = {
  "established first-byte-sent first-byte-received": connection(send(1000)),
  "recovery retransmission recovered": connection(send(200_000), undefined, {
    faults: { delay: "10 millis", loss: 0.02 }
  }),
  "retransmission-timeout": connection((connection) =>
    Effect.gen(function*() {
      yield* onWire((wire) => wire.partition())
      yield* connection.write(new Uint8Array(1000))
      yield* Effect.sleep("3 seconds")
      yield* onWire((wire) => wire.heal())
      yield* connection.drained
    })
  ),
  "spurious-recovery": connection((connection) =>
    Effect.gen(function*() {
      yield* connection.write(new Uint8Array(100_000))
      yield* connection.drained
      yield* onWire((wire) => wire.set({ delay: "2 seconds" }))
      yield* connection.write(new Uint8Array(20_000))
      yield* connection.drained
    })
  ),
  "window-closed window-opened": connection(
    send(200_000),
    (connection) => Effect.andThen(Effect.sleep("5 seconds"), connection.readAll),
    { listen: { options: { receiveBuffer: 20_000, receiveBufferLimit: 20_000 } } }
  ),
  "urgent": connection((connection) =>
    Effect.andThen(connection.writeUrgent(Uint8Array.of(1)), send(1000)(connection))
  ),
  "unreachable": connection(
    (connection) =>
      Effect.gen(function*() {
        yield* connection.write(new Uint8Array(1000))
        yield* connection.drained
        yield* TestNetwork.on("router")(Network.removeRoute({ to: "10.0.0.0/24" }))
        yield* connection.write(new Uint8Array(1000))
        yield* Effect.sleep("1 minute")
      }),
    undefined,
    { topology: routed, server: "far" }
  ),
  "reset abort": connection((connection) => Effect.exit(connection.readAll), (connection) => connection.abort)
}

const page = readFileSync(new URL("../../../docs/observe.md", import.meta.url), "utf8")

/** The names in the first cells of the table under these heads. */
const listed = (heads: string): ReadonlyArray<string> => {
  const rows = page.slice(page.indexOf(heads)).split("\n\n")[0]!.split("\n").slice(2)
  return rows.flatMap((row) => Array.from(row.split(" | ")[0]!.matchAll(/`([^`]+)`/g), ([, name]) => name!))
}

const states = new Set(["established", "fin-wait-1", "fin-wait-2", "close-wait", "closing", "last-ack", "time-wait"])

describe("The spans of connections", () => {
  for (const [names, story] of Object.entries(stories)) {
    it.live(`have the events: ${names}`, () =>
      Effect.gen(function*() {
        const spans = yield* story
        const seen = new Set(spans.named("TCP connection").flatMap(eventsOf))
        for (const name of names.split(" ")) assert.include(seen, name)
      }))
  }

  it.live("have the events that the documentation lists, and no others", () =>
    Effect.gen(function*() {
      const all = yield* Effect.forEach(Object.values(stories), (story) => story)
      const seen = new Set(all.flatMap((spans) => spans.named("TCP connection").flatMap(eventsOf)))
      const told = new Set(listed("| event | when |"))
      const isState = (name: string) => states.has(name)
      assert.deepStrictEqual(
        [...seen].filter((name) => !isState(name)).toSorted(),
        [...told].filter((name) => !isState(name)).toSorted()
      )
      assert.isTrue([...seen, ...told].filter(isState).length > 4)
    }))

  it.live("have attributes that OpenTelemetry's conventions name, or that begin with netstack.", () =>
    Effect.gen(function*() {
      const known = new Set<unknown>(Object.values(Conventions))
      const all = yield* Effect.forEach(Object.values(stories), (story) => story)
      const used = new Set(all.flatMap((spans) =>
        spans.all.flatMap((span) => [
          ...Object.keys(attributesOf(span)),
          ...span.events.flatMap(([, , attributes]) => Object.keys(attributes ?? {}))
        ])
      ))
      assert.deepStrictEqual([...used].filter((key) => !key.startsWith("netstack.") && !known.has(key)), [])
      assert.include(used, "network.peer.address")
    }))
})
