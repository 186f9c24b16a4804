/**
 * Expectations of the running stacks of a `TestNetwork`, as effects that fail with `Unmet`. With `Expect.soon` they are tried until they are met.
 *
 * @example
 * ```ts
 * yield* Expect.network.counters("remote", { tcpSegmentsRetransmitted: (n) => n > 0 })
 * yield* Expect.soon(Expect.network.connections("local", { "TIME-WAIT": 1 }))
 * yield* Expect.network.noFrame({ tcp: { flags: /R/ } })          // wants `trace: "frames"`
 * ```
 */
import * as Effect from "effect/Effect"
import type * as Counter from "../core/Counter.ts"
import type * as Drop from "../core/Drop.ts"
import type { StateName } from "../core/tcp/Info.ts"
import * as Readings from "../workers/Readings.ts"
import { connectionsOf } from "./connectionsOf.ts"
import type { PacketPattern } from "./Like.ts"
import type { Packet } from "./Packet.ts"
import * as Seen from "./Seen.ts"
import * as TestNetwork from "./TestNetwork.ts"
import type { TopologyError } from "./TopologyError.ts"
import { type Amount, amounts, states, Unmet } from "./Unmet.ts"

/** A check that throws `Unmet`, as an effect that fails with it. */
const checked = <A>(check: () => A): Effect.Effect<A, Unmet> =>
  Effect.catchDefect(Effect.sync(check), (defect) => defect instanceof Unmet ? Effect.fail(defect) : Effect.die(defect))

type Expectation<A = void> = Effect.Effect<A, Unmet | TopologyError, TestNetwork.TestNetwork>

/** Expects counters of a host: values, or tests of them. */
export const counters = (
  host: string,
  expected: Readonly<Partial<Record<Counter.Name, Amount>>>
): Expectation =>
  Effect.gen(function*() {
    const read = yield* (yield* TestNetwork.stack(host)).read(Readings.counters)
    yield* checked(() => amounts(`counters of ${host}`, expected, (name) => read[name]))
  })

/** Expects how many packets a host has dropped for a reason. */
export const drops = (
  host: string,
  expected: Readonly<Partial<Record<Drop.DropReason, Amount>>>
): Expectation =>
  Effect.gen(function*() {
    const read = yield* (yield* TestNetwork.stack(host)).read(Readings.drops)
    yield* checked(() => amounts(`drops of ${host}`, expected, (reason) => read[reason]))
  })

/** Expects as many connections of a host in these states, and none in any other; listeners do not count. */
export const connections = (host: string, expected: Readonly<Partial<Record<StateName, number>>>): Expectation =>
  Effect.gen(function*() {
    const found = yield* (yield* TestNetwork.stack(host)).read(connectionsOf)
    yield* checked(() => states(expected, found))
  })

const traced = <A>(check: (trace: TestNetwork.TestNetwork["Service"]["trace"]) => A): Expectation<A> =>
  Effect.flatMap(TestNetwork.TestNetwork, ({ trace }) =>
    trace.detail === "frames"
      ? checked(() => check(trace))
      : Effect.die(new Error("expectations of frames want a network with trace: \"frames\"")))

/** Expects that a frame like the pattern was sent by any host; answers the first one. */
export const frame = (pattern: PacketPattern): Expectation<Packet> => traced((trace) => Seen.frame(trace, pattern))

/** Expects frames like the patterns, in this order; others may be in between. */
export const sequence = (patterns: ReadonlyArray<PacketPattern>): Expectation<ReadonlyArray<Packet>> =>
  traced((trace) => Seen.sequence(trace, patterns))

/** Expects that no frame like the pattern was sent. */
export const noFrame = (pattern?: PacketPattern): Expectation => traced((trace) => Seen.noFrame(trace, pattern))
