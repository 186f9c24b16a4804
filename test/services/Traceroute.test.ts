import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Traceroute from "../../src/services/Traceroute.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import { host, on } from "../workers/Hosts.ts"

/**
 * Four stacks in a row, each wire a network of both families:
 *
 *     here .1 ── 1 ── .2 first .1 ── 2 ── .2 second .1 ── 3 ── .2 there
 */
const row = Effect.gen(function*() {
  const one = MemoryLink.pair({ names: ["a", "b"], latency: "1 millis" })
  const two = MemoryLink.pair({ names: ["c", "d"], latency: "2 millis" })
  const three = MemoryLink.pair({ names: ["e", "f"], latency: "4 millis" })
  const near = (wire: number) => ({ addresses: [`10.0.${wire}.1/24`, `2001:db8:${wire}::1/64`] as const })
  const far = (wire: number) => ({ addresses: [`10.0.${wire}.2/24`, `2001:db8:${wire}::2/64`] as const })
  const via = (to: number, gateway: string) => [
    { to: `10.0.${to}.0/24`, gateway: `10.0.${gateway}` } as const,
    { to: `2001:db8:${to}::/64`, gateway: `2001:db8:${gateway.replace(".", "::")}` } as const
  ]
  const all = [
    host([one[0]], { interfaces: [near(1)], routes: [...via(2, "1.2"), ...via(3, "1.2")] }, 1),
    host([one[1], two[0]], { interfaces: [far(1), near(2)], forwarding: true, routes: via(3, "2.2") }, 2),
    host([two[1], three[0]], { interfaces: [far(2), near(3)], forwarding: true, routes: via(1, "2.1") }, 3),
    host([three[1]], { interfaces: [far(3)], routes: [...via(1, "3.1"), ...via(2, "3.1")] }, 4)
  ] as const
  const making = yield* Effect.forkChild(Effect.all(all), { startImmediately: true })
  yield* TestClock.adjust("10 seconds")
  const [here, , , there] = yield* Fiber.join(making)
  return { here, there }
})

/** A hop in short. */
const shown = ({ answers, hopLimit }: Traceroute.Hop): string =>
  [
    hopLimit,
    ...answers.map((answer) => {
      switch (answer._tag) {
        case "Silence":
          return "*"
        case "Heard":
          return `${NetAddress.formatIp(answer.from)}${answer.isDestination ? "!" : ""} ${
            Duration.toMillis(answer.roundTrip)
          }`
        case "Refused":
          return answer.reason
      }
    })
  ].join(" | ")

/** Traces once the neighbours on the way are known. */
const trace = (here: Effect.Success<typeof row>["here"], to: string, options: Traceroute.Options = {}) =>
  Effect.gen(function*() {
    const all = Stream.runCollect(Traceroute.trace(NetAddress.ipFromStringUnsafe(to), { probes: 2, ...options }))
    const fiber = yield* Effect.forkChild(on(here)(Effect.andThen(all, all)), { startImmediately: true })
    yield* TestClock.adjust("2 minutes")
    return (yield* Fiber.join(fiber)).map(shown)
  })

describe("Traceroute", () => {
  for (
    const [name, addresses] of [
      ["IPv4", ["10.0.1.2", "10.0.2.2", "10.0.3.2"]],
      ["IPv6", ["2001:db8:1::2", "2001:db8:2::2", "2001:db8:3::2"]]
    ] as const
  ) {
    for (const probe of ["udp", "icmp"] as const) {
      it.effect(`finds each router and the destination over ${name} by ${probe}, with their round trips`, () =>
        Effect.gen(function*() {
          const { here } = yield* row
          const [first, second, third] = addresses
          assert.deepStrictEqual(yield* trace(here, third, { probe }), [
            `1 | ${first} 2 | ${first} 2`,
            `2 | ${second} 6 | ${second} 6`,
            `3 | ${third}! 14 | ${third}! 14`
          ])
        }))
    }
  }

  it.effect("is reached as well where somebody answers the datagram", () =>
    Effect.gen(function*() {
      const { here, there } = yield* row
      const socket = yield* on(there)(Udp.bind({ port: 33_434 + 4 }))
      yield* Effect.forkScoped(
        Effect.forever(Effect.flatMap(socket.receive, ({ source }) => socket.send(new Uint8Array(1), source)))
      )
      const [, , last] = yield* trace(here, "10.0.3.2")
      assert.strictEqual(last, "3 | 10.0.3.2! 14 | 10.0.3.2! 14")
    }))

  it.effect("shows silence, goes on for as many hops as it is told, and ends where a router refuses", () =>
    Effect.gen(function*() {
      const { here, there } = yield* row
      yield* on(there)(Effect.void)
      // Nobody has this address: the last router can't find it, after the probe has timed out.
      assert.deepStrictEqual(yield* trace(here, "10.0.3.77", { maximumHops: 2, probes: 1 }), [
        "1 | 10.0.1.2 2",
        "2 | 10.0.2.2 6"
      ])
      const patient = yield* trace(here, "10.0.3.77", { probes: 1, timeout: "20 seconds" })
      assert.strictEqual(patient[2], "3 | host unreachable")
      assert.deepStrictEqual(yield* trace(here, "10.0.9.9", { probes: 1 }), ["1 | network unreachable"])
      const impatient = yield* trace(here, "10.0.3.77", { probes: 1, timeout: "10 millis", maximumHops: 4 })
      assert.deepStrictEqual(impatient.slice(2), ["3 | *", "4 | *"])
    }))
})
