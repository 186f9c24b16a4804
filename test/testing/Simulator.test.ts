import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import type { Body } from "../../src/testing/Program.ts"
import { RequestFailed } from "../../src/testing/Program.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Address from "../../src/wire/Address.ts"

const ping = (destination: Address.Address, timeout = Time.seconds(10)) =>
  ({
    _tag: "Ping",
    destination,
    source: undefined,
    payload: new Uint8Array(8),
    hopLimit: undefined,
    dontFragment: false,
    timeout,
    link: undefined
  }) as const

const remote = Address.v4(10, 0, 0, 2)

/** Pings once, and tells the round trip in milliseconds. */
const once = (destination: Address.Address): Body<number> =>
  function*({ ask }) {
    return Time.toMillis((yield* ask(ping(destination))).roundTrip)
  }

/** Pings and tells whether an answer came. */
const tries = (destination: Address.Address): Body<boolean> =>
  function*({ ask }) {
    try {
      yield* ask(ping(destination, Time.seconds(1)))
      return true
    } catch (error) {
      assert.instanceOf(error, RequestFailed)
      return false
    }
  }

describe("Simulator", () => {
  it("takes a link's delay as time, each way", () => {
    const simulation = Simulator.make(Topology.pair({ delay: "10 millis", back: { delay: "32 millis" } }))
    simulation.finish([simulation.program("resolve", "local", once(remote))])
    const process = simulation.program("ping", "local", once(remote))
    simulation.finish([process])
    assert.strictEqual(process.value, 42)
  })

  it("carries frames between all hosts of a switch, and to the right one once it knows", () => {
    const simulation = Simulator.make(Topology.star(["a", "b", "c"], { delay: "1 millis" }), { trace: "frames" })
    simulation.finish([simulation.program("ping", "a", once(Address.v4(10, 0, 0, 3)))])
    assert.strictEqual(simulation.settle(), true)
    const before = simulation.trace.entries.length
    simulation.finish([simulation.program("ping", "a", once(Address.v4(10, 0, 0, 3)))])
    const links = new Set(simulation.trace.entries.slice(before).map(({ link }) => link))
    assert.deepStrictEqual([...links].toSorted(), ["a", "c"])
  })

  it("loses what a partition is told to, and carries again when it is healed", () => {
    const simulation = Simulator.make(Topology.pair({ delay: "1 millis" }))
    const attempt = (): boolean => {
      const process = simulation.program("ping", "local", tries(remote))
      simulation.finish([process])
      return process.value
    }
    assert.isTrue(attempt())
    simulation.link("wire").partition("back")
    assert.isFalse(attempt())
    assert.strictEqual(simulation.link("wire").statistics("back").partitioned, 1)
    assert.strictEqual(simulation.link("wire").statistics("forth").partitioned, 0)
    simulation.link("wire").heal()
    assert.isTrue(attempt())
  })

  it("changes links at the times that the topology tells", () => {
    const simulation = Simulator.make({
      ...Topology.pair({ delay: "1 millis" }),
      changes: [
        { at: "10 seconds", link: "wire", partition: true },
        { at: "20 seconds", link: "wire", partition: false, faults: { delay: "50 millis" }, direction: "forth" },
        { at: "20 seconds", link: "wire", partition: false, direction: "back" }
      ]
    })
    const process = simulation.program("pings", "local", function*(self) {
      const answers: Array<number | string> = []
      for (let i = 0; i < 3; i++) {
        try {
          answers.push(Time.toMillis((yield* self.ask(ping(remote, Time.seconds(1)))).roundTrip))
        } catch (error) {
          answers.push((error as RequestFailed).reason._tag)
        }
        yield* self.sleep(Time.seconds(10))
      }
      return answers
    })
    simulation.finish([process])
    assert.deepStrictEqual([process.value[1], process.value[2]], ["TimedOut", 51])
  })

  it("lets an interceptor lose and change frames by their number", () => {
    const simulation = Simulator.make(Topology.pair(), { trace: "frames" })
    simulation.finish([simulation.program("ping", "local", once(remote))])
    const seen: Array<number> = []
    simulation.link("wire").intercept("forth", (frame, number) => {
      seen.push(number)
      return number === 1 ? undefined : frame
    })
    const lost = simulation.program("lost", "local", tries(remote))
    const kept = simulation.program("kept", "local", tries(remote))
    simulation.finish([lost, kept])
    assert.deepStrictEqual([lost.value, kept.value, seen], [false, true, [1, 2]])
    assert.deepStrictEqual(
      simulation.trace.entries.filter(({ happening }) => happening === "lost").map(({ from, link }) => [from, link]),
      [["local", "wire"]]
    )
  })

  it("comes to rest, and says so", () => {
    const simulation = Simulator.make(Topology.pair({ delay: "3 millis" }))
    assert.isTrue(simulation.settle())
    const process = simulation.program("ping", "local", once(remote))
    assert.isFalse(simulation.isQuiescent)
    assert.isTrue(simulation.settle())
    assert.isTrue(process.isDone)
    assert.isTrue(simulation.isQuiescent)
  })

  it("names the programs that wait when nothing can happen any more", () => {
    const simulation = Simulator.make(Topology.pair())
    const { listener } = simulation.host("remote").call({
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port: 80,
      backlog: 1,
      options: {},
      link: undefined
    })
    const server = simulation.program("server", "remote", function*({ ask }) {
      yield* ask({ _tag: "TcpAccept", listener, block: true })
    })
    const done = simulation.program("done", "local", once(remote))
    assert.throws(
      () => simulation.finish([server, done]),
      Simulator.Deadlock,
      "everything waits and nothing is scheduled: server waits for TcpAccept"
    )
  })

  it("stops at a limit of time", () => {
    const simulation = Simulator.make(Topology.pair())
    const sleeper = simulation.program("sleeper", "local", function*(self) {
      yield* self.sleep(Time.seconds(10))
      return self.host.now
    })
    assert.throws(() => simulation.finish([sleeper], Time.seconds(9)), Simulator.TimeLimit, "sleeper waits for sleep")
    simulation.finish([sleeper], Time.seconds(10))
    assert.strictEqual(simulation.elapsed, Time.seconds(10))
  })

  it("moves all clocks together", () => {
    const simulation = Simulator.make(Topology.star(["a", "b"]))
    const start = simulation.host("a").now
    simulation.advance(Time.millis(1500))
    for (const name of simulation.hosts) {
      assert.strictEqual(simulation.host(name).now, Time.plus(start, Time.millis(1500)))
    }
    assert.strictEqual(simulation.elapsed, Time.millis(1500))
  })

  it("tells what hosts tell, with the time", () => {
    const simulation = Simulator.make(Topology.pair({ delay: "1 millis" }))
    const heard: Array<string> = []
    simulation.listen((host, news, at) => heard.push(`${Time.toMillis(at)} ${host} ${news._tag}`))
    simulation.finish([simulation.program("ping", "local", once(remote))])
    assert.include(heard, "2 local NeighborChanged")
    simulation.touch("local", (host) => host.tell({ _tag: "LinkChanged", link: 1, up: false }))
    assert.match(heard.at(-1)!, /^\d+ local LinkState$/)
  })

  it("is told a name that does not exist", () => {
    const simulation = Simulator.make(Topology.pair())
    assert.throws(
      () => simulation.host("elsewhere"),
      Topology.TopologyError,
      "elsewhere: no host has this name; there are: local, remote"
    )
    assert.throws(() => simulation.link("elsewhere"), Topology.TopologyError)
    assert.throws(
      () => Simulator.make(Topology.pair({}, { local: { ipv4: "10.0.0.1/33" } })),
      Topology.TopologyError,
      /local\.eth0/
    )
  })
})

describe("A test of a simulation", () => {
  it("that fails tells the seed and the command that runs it again, and keeps the cause", () => {
    const fails = () =>
      Simulator.test(Topology.pair(), { seed: 99 }, () => {
        throw new Error("the planned failure")
      })
    try {
      fails()
    } catch (error) {
      if (!(error instanceof Simulator.SeededFailure)) throw error
      assert.strictEqual((error.cause as Error).message, "the planned failure")
      assert.deepStrictEqual(error.message.split("\n"), [
        "the planned failure",
        "the simulation had seed 99",
        "  again: NETSTACK_SEED=99 npx vitest run test/testing/Simulator.test.ts " +
        "-t '^A test of a simulation > that fails tells the seed and the command that runs it again, and keeps the cause$'"
      ])
      return
    }
    assert.fail("it did not fail")
  })

  it("that goes well answers what it answers", () => {
    assert.deepStrictEqual(Simulator.test(Topology.pair(), {}, ({ hosts }) => hosts), ["local", "remote"])
  })
})
