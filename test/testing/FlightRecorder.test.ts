import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as TestArtifacts from "../../layers/TestArtifacts.ts"
import * as State from "../../src/core/State.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import type { Keeper } from "../../src/testing/Artifacts.ts"
import * as RunningTest from "../../src/testing/RunningTest.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Pcapng from "../../src/wire/Pcapng.ts"
import * as RecordedValue from "../../src/workers/RecordedValue.ts"
import * as Recording from "../../src/workers/Recording.ts"

class Planned extends Data.TaggedError("Planned") {}

/** A folder that goes when the test ends. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "netstack-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** What a run logs. */
const logged = <A, E, R>(run: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.gen(function*() {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => void lines.push(message))
    yield* Effect.exit(run).pipe(Effect.provide(Logger.layer([logger])))
    return lines.flat().join("\n")
  })

/** What a run says to the console of the process, which is what whoever runs the tests sees. */
const shown = <A, E, R>(run: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.gen(function*() {
    const lines: Array<unknown> = []
    const { log } = console
    console.log = (...words: ReadonlyArray<unknown>) => void lines.push(...words)
    yield* Effect.ensuring(Effect.exit(run), Effect.sync(() => void (console.log = log)))
    return lines.join("\n")
  })

const program = Effect.andThen(Ping.ping("10.0.0.2"), new Planned())
const title = "tells the seed, the command and the files of a test that failed (in virtual time)"

describe("A failing test on a network", () => {
  it.effect(title, () =>
    Effect.gen(function*() {
      const path = yield* folder
      const run = TestNetwork.run(program, { seed: 77, faults: { delay: "5 millis" } })
      const told = yield* logged(run.pipe(Effect.provide(TestArtifacts.layer({ folder: path }))))
      const kept = join(path, readdirSync(path)[0]!)
      assert.match(kept, /tells-the-seed-.*-seed-77$/)
      assert.deepStrictEqual(told.split("\n"), [
        "the network had seed 77",
        "  again: NETSTACK_SEED=77 npx vitest run test/testing/FlightRecorder.test.ts " +
        "-t '^A failing test on a network > tells the seed, the command and the files of a test that failed \\(in virtual time\\)$'",
        `  steps of local: npx netstack replay ${kept}/local.recording`,
        `  steps of remote: npx netstack replay ${kept}/remote.recording`,
        `  captures: ${kept}/HOST.pcapng, and network.pcapng of all`
      ])
      const recording = yield* Recording.read(readFileSync(join(kept, "remote.recording"), "utf8"))
      assert.isAbove(recording.batches.length, 5)
      const capture = Pcapng.read(readFileSync(join(kept, "network.pcapng")))
      if (Malformed.isMalformed(capture)) return assert.fail(capture.detail)
      assert.deepStrictEqual(capture.interfaces.map(({ name }) => name), ["local.eth0", "remote.eth0"])
      // The announcements of two addresses, ARP and echo both ways, each seen at both ends.
      assert.isAtLeast(capture.packets.length, 2 * 6)
      // For Wireshark, where nothing is seen twice.
      const ofLocal = Pcapng.read(readFileSync(join(kept, "local.pcapng")))
      if (Malformed.isMalformed(ofLocal)) return assert.fail(ofLocal.detail)
      assert.deepStrictEqual(ofLocal.interfaces.map(({ name }) => name), ["local.eth0"])
      const atLocal = capture.packets.filter((packet) => capture.interfaces[packet.interface]!.name === "local.eth0")
      assert.strictEqual(ofLocal.packets.length, atLocal.length)
    }))

  it.effect("shows in the capture which frames the links have lost", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const cut = Effect.gen(function*() {
        yield* Ping.ping("10.0.0.2")
        yield* TestNetwork.partition("wire")
        yield* Ping.ping("10.0.0.2", { timeout: "1 second" })
      })
      yield* logged(TestNetwork.run(cut).pipe(Effect.provide(TestArtifacts.layer({ folder: path }))))
      const capture = Pcapng.read(readFileSync(join(path, readdirSync(path)[0]!, "network.pcapng")))
      if (Malformed.isMalformed(capture)) return assert.fail(capture.detail)
      const placeOf = (packet: Pcapng.Packet) => capture.interfaces[packet.interface]!.name
      const lost = capture.packets.filter(({ comments }) =>
        comments.includes("lost to a partition on its way to remote")
      )
      assert.deepStrictEqual(lost.map(placeOf), ["local@wire"])
      // It is also what the host has sent last, at the same time.
      const sent = capture.packets.findLast((packet) => placeOf(packet) === "local.eth0")!
      const shown = ({ at, bytes, end, start }: Pcapng.Packet) => [at, Hex.encode(bytes.slice(start, end))]
      assert.deepStrictEqual(shown(lost[0]!), shown(sent))
    }))

  it.effect("tells it where it is seen, under the console of it.effect too", () =>
    Effect.gen(function*() {
      assert.match(
        yield* shown(TestNetwork.run(program, { seed: 9 })),
        /the network had seed 9\n {2}again: NETSTACK_SEED=9 /
      )
    }))

  it.effect("does so under TestClock as well, when its layer is closed", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const layer = Layer.provide(TestNetwork.layer({ seed: 5 }), TestArtifacts.layer({ folder: path }))
      const told = yield* logged(Effect.provide(new Planned(), layer))
      assert.match(told, /^the network had seed 5\n {2}again: NETSTACK_SEED=5 /)
      assert.strictEqual(readdirSync(path).length, 1)
    }))

  it.effect("leaves no files where nobody keeps them, and none when it is well or interrupted", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "none")
      const keep = Effect.provide(TestArtifacts.layer({ folder: path }))
      assert.strictEqual((yield* logged(TestNetwork.run(program, { seed: 9 }))).split("\n").length, 2)
      assert.strictEqual(yield* logged(keep(TestNetwork.run(Ping.ping("10.0.0.2")))), "")
      assert.strictEqual(yield* logged(keep(TestNetwork.run(Effect.interrupt))), "")
      assert.isFalse(existsSync(path))
    }))

  it.effect("leaves out a recording that is too long, and says so", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const keep = Effect.provide(TestArtifacts.layer({ folder: path, mostRecorded: 100 }))
      assert.match(yield* logged(keep(TestNetwork.run(program))), /left out: 2 recordings longer than 100 characters/)
    }))
})

/** What was thrown, or what a promise was rejected with. */
const failureOf = (run: () => unknown): Effect.Effect<Simulator.SeededFailure> =>
  Effect.promise(async () => {
    try {
      await run()
    } catch (error) {
      if (error instanceof Simulator.SeededFailure) return error
      throw error
    }
    return assert.fail("it did not fail")
  })

const lossy = Topology.make({
  hosts: { local: { ipv4: "10.0.0.1/24" }, remote: { ipv4: "10.0.0.2/24" } },
  switches: { cabinet: {} },
  links: { cable: { between: ["local", "cabinet"] }, line: { between: ["cabinet", "remote"], loss: 0.1 } }
})

describe("A failing test of a simulation", () => {
  it.effect("leaves recordings that replay as the run was, and a capture with what the links have lost", () =>
    Effect.gen(function*() {
      const path = yield* folder
      let states: ReadonlyArray<unknown> = []
      let lost = 0
      const failure = yield* failureOf(() =>
        Simulator.test(lossy, { seed: 4, artifacts: TestArtifacts.make({ folder: path }) }, (simulation) => {
          const report = Transfer.run(simulation, { from: "local", to: "remote", bytes: 100_000 })
          states = simulation.hosts.map((host) => RecordedValue.encode(simulation.host(host).snapshot()))
          lost = (["forth", "back"] as const).reduce(
            (sum, way) => sum + simulation.link("line").statistics(way).lost,
            0
          )
          assert.isFalse(report.isIntact)
        })
      )
      const kept = join(path, readdirSync(path)[0]!)
      assert.deepStrictEqual(failure.message.split("\n").slice(-5), [
        "the simulation had seed 4",
        "  again: NETSTACK_SEED=4 npx vitest run test/testing/FlightRecorder.test.ts " +
        "-t '^A failing test of a simulation > leaves recordings that replay as the run was, and a capture with what the links have lost$'",
        `  steps of local: npx netstack replay ${kept}/local.recording`,
        `  steps of remote: npx netstack replay ${kept}/remote.recording`,
        `  captures: ${kept}/HOST.pcapng, and network.pcapng of all`
      ])
      for (const [i, host] of ["local", "remote"].entries()) {
        const { batches, step } = Recording.replay(
          yield* Recording.read(readFileSync(join(kept, `${host}.recording`), "utf8"))
        )
        assert.isAbove([...batches].length, 100)
        assert.deepStrictEqual(RecordedValue.encode(State.snapshot(step.state)), states[i])
      }
      const capture = Pcapng.read(readFileSync(join(kept, "network.pcapng")))
      if (Malformed.isMalformed(capture)) return assert.fail(capture.detail)
      const places = ["cabinet@line", "local.eth0", "remote.eth0", "remote@line"]
      assert.deepStrictEqual(capture.interfaces.map(({ name }) => name).toSorted(), places)
      const comments = capture.packets.flatMap(({ comments }) => comments)
      assert.isAbove(lost, 0)
      assert.strictEqual(comments.filter((each) => each.startsWith("lost on its way to ")).length, lost)
    }))

  it.effect("takes the folder from the layer of the tests that it stands in, and tells of promises too", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const failing = () => Simulator.test(lossy, {}, () => Promise.reject(new Planned()))
      const failure = yield* Effect.sync(() => failureOf(failing)).pipe(
        Effect.flatten,
        Effect.provide(TestArtifacts.layer({ folder: path }))
      )
      assert.instanceOf(failure.cause, Planned)
      assert.strictEqual(failure.kept.length, 3)
      assert.strictEqual(readdirSync(path).length, 1)
      assert.deepStrictEqual((yield* failureOf(failing)).kept, [])
    }))

  it.effect("has files with names for files, whatever its hosts are called", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const topology = Topology.make({
        hosts: {
          "../Büro 1": { ipv4: "10.0.0.1/24" },
          "db.example": { ipv4: "10.0.0.2/24" },
          network: { ipv4: "10.0.0.3/24" }
        },
        switches: { cabinet: {} },
        links: {
          first: { between: ["../Büro 1", "cabinet"] },
          second: { between: ["db.example", "cabinet"] },
          third: { between: ["network", "cabinet"] }
        }
      })
      const artifacts = TestArtifacts.make({ folder: path })
      const failure = yield* failureOf(() => Simulator.test(topology, { artifacts }, () => assert.fail("planned")))
      const kept = join(path, readdirSync(path)[0]!)
      assert.deepStrictEqual(readdirSync(kept), [
        "..-Büro-1.pcapng",
        "..-Büro-1.recording",
        "db.example.pcapng",
        "db.example.recording",
        "host-network.pcapng",
        "network.pcapng",
        "network.recording"
      ])
      assert.strictEqual(failure.kept[0], `  steps of ../Büro 1: npx netstack replay ${kept}/..-Büro-1.recording`)
    }))

  it.effect("is told whatever becomes of its files, and whatever it throws", () =>
    Effect.gen(function*() {
      const failed = (artifacts: Keeper) =>
        failureOf(() =>
          Simulator.test(lossy, { artifacts }, () => {
            throw Object.create(null)
          })
        )
      const full = yield* failed({ mostRecorded: 1e6, keep: () => Effect.die(new Error("the disk is full")) })
      assert.match(full.message, /^\{\}\nthe simulation had seed 1\n.*\n {2}nothing is kept: Error: the disk is full/)
      const slow = yield* failed({ mostRecorded: 1e6, keep: () => Effect.promise(() => Promise.resolve("elsewhere")) })
      assert.match(slow.message, /whoever keeps them does not do so at once$/)
    }))
})

describe("The command that runs a test again", () => {
  it("runs no other test whose name begins or ends alike", () => {
    const command = RunningTest.command({ name: "kit > expectation", path: "test/a.test.ts" }, 3)
    const pattern = new RegExp(/-t '(.*)'$/.exec(command)![1]!)
    const names = ["kit > expectation", "kit > expectation2", "tool kit > expectation", "kit > expectation > of all"]
    assert.deepStrictEqual(names.filter((name) => pattern.test(name)), ["kit > expectation"])
  })

  it("can be pasted into a shell", () => {
    const command = RunningTest.command({ name: "A > it's 100 % (really)", path: "test/a.test.ts" }, 3)
    assert.strictEqual(command, "NETSTACK_SEED=3 npx vitest run test/a.test.ts -t '^A > it'\\''s 100 % \\(really\\)$'")
  })

  it("is told in words where the runner does not say what runs", () => {
    assert.strictEqual(RunningTest.command(undefined, 3), "NETSTACK_SEED=3, and the same test")
  })
})
