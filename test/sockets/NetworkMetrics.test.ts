import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import * as Telemetry from "../../layers/Telemetry.ts"
import type { Netstack } from "../../src/sockets/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as NetworkMetrics from "../../src/sockets/NetworkMetrics.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"
import { addressTwo, on, pair } from "../workers/Hosts.ts"
import * as Exposition from "./Exposition.ts"

/** A registry of its own, so that no test sees another's. */
const alone = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.provideServiceEffect(self, Metric.MetricRegistry, Effect.sync((): Metric.MetricRegistry => new Map()))

/** Two stacks that have talked; the connection is still there. */
const talked = Effect.gen(function*() {
  const { one, two } = yield* pair()
  const listener = yield* on(two)(Tcp.listen({ port: 80 }))
  const client = yield* on(one)(Tcp.connect(`${addressTwo}:80`))
  const server = yield* listener.accept
  yield* client.write(new Uint8Array(5000))
  yield* server.read()
  // Nobody listens there: the answer is a reset, and a drop.
  yield* Effect.exit(on(one)(Tcp.connect(`${addressTwo}:81`)))
  return { one, two }
})

const valueOf = (id: string, attributes: Readonly<Record<string, string>> = {}) =>
  Effect.map(Metric.snapshot, (all) => {
    const found = all.filter((metric) =>
      metric.id === id && Object.entries(attributes).every(([key, value]) => metric.attributes?.[key] === value)
    )
    assert.strictEqual(found.length, 1, `${id} ${JSON.stringify(attributes)}`)
    return found[0]!.state
  })

describe("NetworkMetrics.register", () => {
  it.effect("has the stack's counters, drops, states and queues, as they are when they are read", () =>
    Effect.gen(function*() {
      const { one, two } = yield* talked
      yield* on(two)(NetworkMetrics.register)
      const counters = yield* on(two)(Network.counters)
      assert.deepStrictEqual(yield* valueOf("netstack.io", { "network.io.direction": "receive" }), {
        count: counters.bytesReceived,
        incremental: true
      })
      assert.isAbove(counters.bytesReceived, 5000)
      const drops = yield* valueOf("netstack.drops", { "netstack.drop.reason": "TcpNoListener" })
      assert.deepStrictEqual(drops, { count: 1, incremental: true })
      const established = valueOf("netstack.tcp.connections", { "netstack.tcp.state": "ESTABLISHED" })
      assert.deepStrictEqual(yield* established, { value: 1 })
      assert.deepStrictEqual(yield* valueOf("netstack.tcp.connections", { "netstack.tcp.state": "LISTEN" }), {
        value: 1
      })
      assert.deepStrictEqual(yield* valueOf("netstack.queue.length", { "netstack.queue": "receive" }), { value: 0 })
      yield* Effect.exit(on(one)(Tcp.connect(`${addressTwo}:81`)))
      const dropsNow = yield* valueOf("netstack.drops", { "netstack.drop.reason": "TcpNoListener" })
      assert.deepStrictEqual(dropsNow, { count: 2, incremental: true })
    }).pipe(alone))

  it.effect("has the metrics that the documentation lists, and no others", () =>
    Effect.gen(function*() {
      const { one } = yield* pair().pipe(Effect.provide(Telemetry.layer()))
      yield* on(one)(Network.interfaces)
      const ids = new Set((yield* Metric.snapshot).map(({ id }) => id))
      const table = /\| metric \| unit .*\n.*\n((?:\|.*\n)+)/.exec(readFileSync("docs/observe.md", "utf8"))![1]!
      const listed = table.split("\n").flatMap((row) => {
        const names = Array.from(row.split(" | ")[0]!.matchAll(/`([^`]+)`/g), ([, name]) => name!)
        const above = names[0]?.replace(/\.[^.]+$/, "") ?? ""
        return names.map((name) => name.startsWith(".") ? `${above}${name}` : name)
      })
      assert.deepStrictEqual([...ids].toSorted(), listed.toSorted())
    }).pipe(alone))

  it.effect("is up to date in virtual time too, where a whole run is one turn of the event loop", () =>
    VirtualTime.run(
      Effect.gen(function*() {
        const { one, two } = yield* talked
        yield* on(two)(NetworkMetrics.register)
        for (const count of [1, 2, 3]) {
          const drops = yield* valueOf("netstack.drops", { "netstack.drop.reason": "TcpNoListener" })
          assert.deepStrictEqual(drops, { count, incremental: true })
          const established = yield* valueOf("netstack.tcp.connections", { "netstack.tcp.state": "ESTABLISHED" })
          assert.deepStrictEqual(established, { value: count })
          yield* Effect.exit(on(one)(Tcp.connect(`${addressTwo}:81`)))
          yield* on(one)(Tcp.connect(`${addressTwo}:80`))
          yield* Effect.sleep("1 second")
        }
      }).pipe(alone)
    ))

  it.effect("takes them out when its scope closes", () =>
    Effect.gen(function*() {
      const { two } = yield* talked
      yield* Effect.scoped(Effect.andThen(
        on(two)(NetworkMetrics.register),
        Effect.map(Metric.snapshot, (all) => assert.isAbove(all.length, 50))
      ))
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    }).pipe(alone))

  it.effect("has round trips, sizes and times of batches where Telemetry.layer is, which registers by itself", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { one } = yield* Scope.provide(
        talked.pipe(
          Effect.provideService(Metric.CurrentMetricAttributes, { host: "a" }),
          Effect.provide(Telemetry.layer({ connections: false }))
        ),
        scope
      )
      const registered = yield* Metric.snapshot
      assert.isTrue(registered.every(({ attributes }) => attributes?.["host"] === "a"))
      const text = yield* on(one)(NetworkMetrics.prometheus)
      const families = Exposition.read(text)
      assert.isAbove(Exposition.valueOf(families, "netstack_tcp_rtt_seconds_count")!, 0)
      assert.isAbove(Exposition.valueOf(families, "netstack_batch_size_count")!, 4)
      assert.strictEqual(
        Exposition.valueOf(families, "netstack_batch_duration_seconds_count"),
        Exposition.valueOf(families, "netstack_batch_size_count")
      )
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    }).pipe(alone))
})

describe("NetworkMetrics.prometheus", () => {
  const scraped = (self: Effect.Effect<string, never, Netstack>) => Effect.map(self, Exposition.read)

  it.effect("speaks the text format, with names by its conventions", () =>
    Effect.gen(function*() {
      const { two } = yield* talked
      const families = yield* on(two)(scraped(NetworkMetrics.prometheus))
      const counters = yield* on(two)(Network.counters)
      const received = { network_io_direction: "receive" }
      assert.strictEqual(Exposition.valueOf(families, "netstack_io_bytes_total", received), counters.bytesReceived)
      assert.strictEqual(Exposition.valueOf(families, "netstack_frames_total", received), counters.framesReceived)
      const dropped = { netstack_drop_reason: "TcpNoListener" }
      assert.strictEqual(Exposition.valueOf(families, "netstack_drops_total", dropped), 1)
      const established = { netstack_tcp_state: "ESTABLISHED" }
      assert.strictEqual(Exposition.valueOf(families, "netstack_tcp_connections", established), 1)
      assert.isTrue([...families.values()].every(({ help }) => help !== ""))
      // Without Telemetry.layer nobody measures these.
      assert.isFalse(families.has("netstack_tcp_rtt_seconds"))
    }))

  it.effect("leaves nothing in the program's registry", () =>
    Effect.gen(function*() {
      const { two } = yield* talked
      yield* on(two)(NetworkMetrics.prometheus)
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    }).pipe(alone))
})

describe("the reader of the text format", () => {
  const refused: ReadonlyArray<readonly [string, string]> = [
    ["a sample without a type", "a 1\n"],
    ["a counter without _total", "# TYPE a counter\na 1\n"],
    ["a missing end of line", "# TYPE a gauge\na 1"],
    ["a label without quotes", "# TYPE a gauge\na{b=c} 1\n"],
    ["a series twice", "# TYPE a gauge\na{b=\"c\"} 1\na{b=\"c\"} 2\n"],
    ["buckets that go down", "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n"],
    ["a histogram without its sum", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\n"],
    ["a bad number", "# TYPE a gauge\na one\n"]
  ]
  for (const [what, text] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => Exposition.read(text)))
  }
})
