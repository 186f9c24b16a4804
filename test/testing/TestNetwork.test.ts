import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Time from "../../src/core/Time.ts"
import type { Netstack } from "../../src/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Pattern from "../../src/testing/Pattern.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"

const local = "10.0.0.1"
const remote = "10.0.0.2"

/** A service as a program has it: it sends back what it gets. */
const echo = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: 7 })
  yield* Effect.forkScoped(listener.serve((connection) => Stream.run(connection.stream, connection.sink)))
})

/** Sends bytes to the echo service and takes them back. */
const ask = (address: string, bytes: Uint8Array) =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* Tcp.connect(`${address}:7`)
    const writing = yield* Effect.forkChild(Effect.andThen(connection.write(bytes), connection.end))
    const answer = yield* connection.readAll
    yield* Fiber.join(writing)
    return answer
  }))

/** For runs that are meant to fail: nobody has to be told how to run them again. */
const quietly = Effect.provide(Logger.layer([]))

const roundTrip = (address: string) => Effect.map(Ping.ping(address), (pong) => Duration.toMillis(pong.roundTrip))

/** Whether a host answers within a second. */
const answers = (address: string): Effect.Effect<boolean, never, Netstack> =>
  Effect.isSuccess(Ping.ping(address, { timeout: "1 second" }))

describe("TestNetwork", () => {
  it.effect("runs a program and a test beside it in virtual time, on a bad wire", () =>
    TestNetwork.run(
      Effect.gen(function*() {
        yield* echo
        const bytes = Pattern.bytes(100_000)
        const answer = yield* TestNetwork.on("remote")(ask(local, bytes))
        assert.strictEqual(Pattern.mismatch({ bytes: answer, start: 0, end: answer.length }, 0), -1)
        assert.strictEqual(answer.length, bytes.length)
        const wire = yield* TestNetwork.link("wire")
        assert.isAbove(wire.statistics("forth").lost + wire.statistics("back").lost, 0)
      }),
      { faults: { delay: "10 millis", loss: 0.02 }, seed: 7 }
    ))

  it.effect("gives the same frames at the same times for the same seed, and others for another", () =>
    Effect.gen(function*() {
      const run = (seed: number, options: TestNetwork.Options = { trace: "frames" }) =>
        TestNetwork.run(
          Effect.gen(function*() {
            yield* echo
            yield* TestNetwork.on("remote")(
              Effect.all([ask(local, Pattern.bytes(30_000)), ask(local, Pattern.bytes(50_000))], { concurrency: 2 })
            )
            return (yield* TestNetwork.TestNetwork).trace
          }),
          { faults: { delay: "5 millis", jitter: "1 millis", loss: 0.02, reordering: 0.02 }, seed, ...options }
        )
      const [first, second, other] = [yield* run(3), yield* run(3), yield* run(4)]
      assert.isAbove(first.count, 100)
      assert.deepStrictEqual(second.entries, first.entries)
      assert.strictEqual(second.hash, first.hash)
      assert.notStrictEqual(other.hash, first.hash)
      // The hash is kept without being asked for.
      assert.strictEqual((yield* run(3, {})).hash, first.hash)
    }))

  it.effect("keeps what is sent into each link, arrives and is lost, by the names of the topology", () =>
    Effect.gen(function*() {
      const topology = Topology.make({
        hosts: { local: { ipv4: "10.0.0.1/24" }, remote: { ipv4: "10.0.0.2/24" } },
        switches: { cabinet: {} },
        links: {
          cable: { between: ["local", "cabinet"] },
          line: { between: ["cabinet", "remote"], delay: "10 millis", loss: 0.2 }
        }
      })
      const test = Effect.gen(function*() {
        yield* echo
        yield* TestNetwork.on("remote")(ask(local, Pattern.bytes(20_000)))
        yield* TestNetwork.partition("cable", "forth")
        const start = yield* Clock.currentTimeMillis
        yield* Effect.exit(Ping.ping("10.0.0.2", { timeout: "1 second" }))
        const { trace } = yield* TestNetwork.TestNetwork
        const line = yield* TestNetwork.link("line")
        const cable = yield* TestNetwork.link("cable")
        const lost = (link: typeof line) =>
          (["forth", "back"] as const).map((way) => {
            const { lost, partitioned } = link.statistics(way)
            return lost + partitioned
          })
        return { entries: trace.entries, lost: [...lost(cable), ...lost(line)], start }
      })
      const { entries, lost, start } = yield* TestNetwork.run(test, { topology, seed: 5, trace: "frames" })
      const ways = ["local cable cabinet", "cabinet cable local", "cabinet line remote", "remote line cabinet"]
      const count = (happening: string) =>
        ways.map((way) =>
          entries.filter((each) => `${each.from} ${each.link} ${each.to}` === way && each.happening === happening)
            .length
        )
      const [sent, arrived] = [count("sent"), count("arrived")]
      assert.deepStrictEqual(count("lost"), lost)
      assert.isAbove(lost[0]!, 0)
      assert.isAbove(lost[2]! + lost[3]!, 0)
      assert.deepStrictEqual(sent.map((number, i) => number - lost[i]!), arrived)
      assert.strictEqual(
        arrived.reduce((sum, each) => sum + each),
        entries.filter((each) => each.happening === "arrived").length
      )
      assert.isAtLeast(entries.at(-1)!.at, Time.millis(start))
    }))

  it.effect("says which host cannot be made, and which faults make no sense while it runs", () =>
    Effect.gen(function*() {
      const wrong = Topology.pair({}, { remote: { ipv4: "10.0.0.300/24" } })
      const refused = yield* Effect.flip(quietly(TestNetwork.run(Effect.void, { topology: wrong })))
      assert.match(String(refused), /TopologyError: remote: .*octets must be at most 255/)
      const faults = TestNetwork.setFaults("wire", { loss: 2 })
      const unset = yield* Effect.flip(quietly(TestNetwork.run(faults)))
      assert.match(String(unset), /TopologyError: wire: loss is a probability, from 0 to 1, and not 2/)
    }))

  it.effect("takes its time from TestClock as well", () =>
    Effect.gen(function*() {
      const first = yield* Effect.forkChild(roundTrip(remote))
      yield* TestClock.adjust("200 millis")
      yield* Fiber.join(first)
      const second = yield* Effect.forkChild(roundTrip(remote))
      yield* TestClock.adjust("200 millis")
      assert.strictEqual(yield* Fiber.join(second), 70)
    }).pipe(Effect.provide(TestNetwork.layer({ faults: { delay: "30 millis", back: { delay: "40 millis" } } }))))

  it.effect("joins hosts by switches, and switches by links", () =>
    TestNetwork.run(
      Effect.gen(function*() {
        yield* Effect.all([roundTrip("10.0.0.2"), roundTrip("10.0.0.3"), TestNetwork.on("c")(roundTrip("10.0.0.2"))])
        assert.strictEqual(yield* roundTrip("10.0.0.3"), 2 * 15)
        assert.strictEqual(yield* TestNetwork.on("b")(roundTrip("10.0.0.1")), 2 * 2)
        assert.strictEqual(yield* TestNetwork.on("c")(roundTrip("10.0.0.2")), 2 * 15)
      }),
      {
        topology: {
          hosts: { a: { ipv4: "10.0.0.1/24" }, b: { ipv4: "10.0.0.2/24" }, c: { ipv4: "10.0.0.3/24" } },
          switches: { near: {}, far: {} },
          links: {
            a: { between: ["a", "near"], delay: "1 millis" },
            b: { between: ["near", "b"], delay: "1 millis" },
            trunk: { between: ["near", "far"], delay: "12 millis", back: { delay: "12 millis" } },
            c: { between: ["far", "c"], delay: "2 millis" }
          }
        }
      }
    ))

  it.effect("has the directions of a link as the topology names its ends", () =>
    Effect.gen(function*() {
      const between = (...ends: readonly [string, string]): Topology.Topology => ({
        ...Topology.star(["a", "b"]),
        links: { a: { between: ends }, b: { between: ["b", "switch"] } }
      })
      const cases: ReadonlyArray<readonly [boolean, Topology.Topology]> = [
        [true, between("a", "switch")],
        [false, between("switch", "a")],
        [true, { ...Topology.pair(), links: { a: { between: ["local", "remote"] } } }],
        [false, { ...Topology.pair(), links: { a: { between: ["remote", "local"] } } }]
      ]
      for (const [hereFirst, topology] of cases) {
        yield* TestNetwork.run(
          Effect.gen(function*() {
            const link = yield* TestNetwork.link("a")
            assert.isTrue(yield* answers(remote))
            yield* link.set({ loss: 1 }, "forth")
            const before = link.statistics("back").offered
            assert.isFalse(yield* answers(remote))
            assert.isAbove(link.statistics("forth").lost, 0)
            assert.strictEqual(link.statistics("back").lost, 0)
            // What is lost on the way there has no answer; what is lost on the way back was asked for.
            assert.strictEqual(link.statistics("back").offered, before + (hereFirst ? 0 : 1))
          }),
          { topology }
        )
      }
    }))

  it.effect("is changed by the test as it runs", () =>
    TestNetwork.run(Effect.gen(function*() {
      const wire = yield* TestNetwork.link("wire")
      assert.isTrue(yield* answers(remote))
      yield* wire.partition()
      assert.isFalse(yield* answers(remote))
      yield* wire.heal()
      assert.isTrue(yield* answers(remote))
      yield* wire.partition("back")
      assert.isFalse(yield* answers(remote))
      assert.strictEqual(wire.statistics("forth").partitioned, 1)
      yield* wire.heal("back")
      assert.isTrue(yield* answers(remote))
      yield* wire.down
      assert.deepStrictEqual((yield* Network.interfaces).map(({ name, up }) => [name, up]), [["lo", true], [
        "eth0",
        false
      ]])
      yield* wire.heal()
      assert.isTrue(yield* answers(remote))
    })))

  it.effect("shows single frames to the test, which loses or changes them", () =>
    Effect.gen(function*() {
      for (const direction of ["forth", "back"] as const) {
        yield* TestNetwork.run(Effect.gen(function*() {
          // When the hosts have announced their addresses.
          yield* Effect.sleep("5 seconds")
          assert.isTrue(yield* answers(remote))
          const wire = yield* TestNetwork.link("wire")
          const seen: Array<number> = []
          yield* wire.intercept(direction, (frame, number) => {
            seen.push(number)
            return number === 1 ? undefined : frame.fill(0, number === 2 ? 20 : frame.length)
          })
          // The first is lost, the second damaged.
          assert.deepStrictEqual([yield* answers(remote), yield* answers(remote), yield* answers(remote)], [
            false,
            false,
            true
          ])
          assert.deepStrictEqual(seen, [1, 2, 3])
          yield* wire.intercept(direction, undefined)
          assert.isTrue(yield* answers(remote))
          assert.strictEqual(seen.length, 3)
        }))
      }
    }))

  it.effect("changes links at the times that the topology tells", () =>
    TestNetwork.run(
      Effect.gen(function*() {
        const seen: Array<boolean> = []
        for (let i = 0; i < 4; i++) {
          seen.push(yield* answers(remote))
          yield* Effect.sleep("10 seconds")
        }
        assert.deepStrictEqual(seen, [true, false, true, true])
        assert.strictEqual(yield* roundTrip(remote), 25)
      }),
      {
        topology: {
          ...Topology.pair(),
          changes: [
            { at: "25 seconds", link: "wire", faults: { delay: "25 millis" }, direction: "forth" },
            { at: "5 seconds", link: "wire", partition: true },
            { at: "15 seconds", link: "wire", partition: false }
          ]
        }
      }
    ))

  it.effect("names what waits when a program waits for ever", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const listener = yield* Tcp.listen({ port: 7 })
        yield* Effect.withSpan(listener.accept, "waiting for a client")
      })
      const error = yield* quietly(Effect.flip(TestNetwork.run(program)))
      assert.isTrue(error instanceof VirtualTime.Deadlock)
      // The program comes first; no fiber is without a name, and those that work for stacks are told by their kinds.
      assert.match(
        error.message,
        /^after 2s everything waits and nothing sleeps: #\d+ in waiting for a client; 2 × netstack requests; /
      )
      for (const worker of ["timers", "receive lo", "transmit eth0", "supervisor", "wire"]) {
        assert.include(error.message, `2 × netstack ${worker}`)
      }
      assert.notInclude(error.message, "without a name")
    }))

  it.effect("closes what the program has opened before the stacks that it stands on", () =>
    Effect.gen(function*() {
      const ends: Array<string> = []
      const program = Effect.gen(function*() {
        const listener = yield* Tcp.listen({ port: 7 })
        yield* Effect.addFinalizer(() =>
          Effect.map(Effect.isSuccess(listener.tryAccept), (open) => ends.push(String(open)))
        )
      })
      yield* TestNetwork.run(program)
      assert.deepStrictEqual(ends, ["true"])
    }))

  it.effect("is a layer like any other: a program on it keeps its own layers", () =>
    Effect.gen(function*() {
      const App = Layer.effectDiscard(echo)
      const Test = Layer.provideMerge(App, TestNetwork.layer({ host: "remote" }))
      yield* Effect.gen(function*() {
        const answer = yield* TestNetwork.on("local")(ask(remote, Uint8Array.of(1, 2, 3)))
        assert.deepStrictEqual(answer, Uint8Array.of(1, 2, 3))
      }).pipe(Effect.provide(Test))
    }))

  it.effect("says what is wrong with a topology, a name, or an address", () =>
    Effect.gen(function*() {
      const error = <E>(
        options: TestNetwork.Options,
        program: Effect.Effect<unknown, E, Netstack | TestNetwork.TestNetwork> = Effect.void
      ) =>
        Effect.map(quietly(Effect.flip(TestNetwork.run(program, options))), (error) => String((error as Error).message))
      assert.match(yield* error({ host: "nobody" }), /nobody: no host has this name; there are: local, remote/)
      assert.match(yield* error({}, TestNetwork.link("cable")), /cable: no link has this name; there are: wire/)
      assert.match(yield* error({}, TestNetwork.on("nobody")(Effect.void)), /nobody: no host/)
      assert.match(yield* error({ topology: { ...Topology.pair(), links: {} } }), /the interface has no link/)
      assert.match(yield* error({ topology: Topology.pair({}, { local: { ipv4: "10.0.0.1/33" } }) }), /addAddress/)
    }))
})
